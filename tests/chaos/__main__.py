"""`python -m tests.chaos --kills 1000 --seed 7 --workers 3`: a run on servers of its own, and its report.

Exit code 0 when every invariant held, 1 when one did not; the seed is printed either way.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine, text

from classifier import corpus_rows, train
from helpdesk import db
from helpdesk.cli.database import seed as seed_answers
from helpdesk.settings import Settings
from tests import dovecot
from tests.chaos.naive import WAYS
from tests.chaos.plan import Plan
from tests.chaos.report import show
from tests.chaos.runner import run
from tests.chaos.stage import open_stage
from tests.postgres import start as start_postgres

# A real model, though not a good one: what it says does not matter here, that it is asked does.
ROWS_STEP = 100


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill workers; count the mail."
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--workers", type=int, default=3, help="workers alive at the same time")
    parser.add_argument("--way", choices=sorted(WAYS), default="ours", help="a naive way must turn it red")
    parser.add_argument("--child-every", type=int, default=10, help="1 of N workers has a real parser child")
    return parser.parse_args()


def prepared_settings(folder: Path) -> Settings:
    """A desk on an empty database, with a model."""
    url = start_postgres()
    admin = create_engine(db.driver_url(url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        # The machine does not die here, only processes do.
        connection.execute(text("alter system set fsync = off"))
        connection.execute(text("select pg_reload_conf()"))
    admin.dispose()
    db.upgrade(url)
    engine = db.open_engine(url)
    seed_answers(db.open_sessions(engine))
    engine.dispose()
    model = folder / "model.skops"
    train(list(corpus_rows())[::ROWS_STEP]).save(model)
    return Settings(DATABASE_URL=url, SECRET_KEY=secrets.token_hex(32), var=folder, model=model)


def main() -> int:
    """Run, report."""
    given = arguments()
    seed = secrets.randbelow(10**8) if given.seed is None else given.seed
    plan = Plan(given.kills, seed, given.workers, given.way, given.child_every)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="infomigra-chaos-") as name:
        folder = Path(name)
        settings = prepared_settings(folder)
        (folder / "dovecot").mkdir()
        folder.chmod(0o755)
        server = dovecot.start(folder / "dovecot")
        try:
            with open_stage(settings, server, folder, seed) as stage:
                began = time.monotonic()
                report = run(stage, plan, lambda kills: _progress(kills, began))
        finally:
            server.send_people_home()
            server.stop()
    show(report)
    return 1 if report.violations else 0


def _progress(kills: int, began: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{kills} kills, {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
