"""`make check`'s last step: migrations say what the models say, and generated docs say what the code says.

`python -m tests.in_step --write` writes the generated pages again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.util import CommandError

from helpdesk import db, settings
from helpdesk.certificates import schema
from helpdesk.desk.lifecycle import LIFECYCLES, Transitions
from tests.postgres import start as start_postgres

DOCS = Path(__file__).parent.parent / "docs"


def lifecycles() -> str:
    """The states and transitions of everything that has a life cycle, in Markdown."""
    parts = [
        "# Life cycles",
        "",
        "Made by `make docs` from `helpdesk/desk/lifecycle.py`; do not edit by hand.",
    ]
    for name, table in LIFECYCLES.items():
        parts += ["", f"## {name}", "", *_table(table)]
    return "\n".join(parts) + "\n"


def _table(table: Transitions) -> list[str]:
    rows = ["| From | may become |", "|---|---|"]
    for before, after in table.items():
        rows.append(
            f"| `{before}` | {', '.join(f'`{state}`' for state in sorted(after)) or 'nothing: final'} |"
        )
    return rows


PAGES = {
    "settings.md": settings.reference,
    "life-cycles.md": lifecycles,
    "certificate-filing.md": schema.reference,
    "certificate-filing.schema.json": schema.schema_text,
}


def pages_out_of_step() -> list[str]:
    """The generated pages that no longer say what the code says."""
    return [name for name, page in PAGES.items() if (DOCS / name).read_text() != page()]


def check_migrations(url: str) -> None:
    """Upgrade an empty database from nothing; raise CommandError when models and migrations differ."""
    db.upgrade(url)
    command.check(db.alembic_config(url))


def migrations_out_of_step() -> str | None:
    """What the migrations lack, or nothing."""
    try:
        check_migrations(start_postgres())
    except CommandError as error:
        return str(error)
    return None


def main(arguments: list[str]) -> int:
    """Check, or write the pages."""
    if "--write" in arguments:
        for name, page in PAGES.items():
            (DOCS / name).write_text(page())
        return 0
    wrong = [f"docs/{name} is out of step with the code: run `make docs`" for name in pages_out_of_step()]
    if missing := migrations_out_of_step():
        wrong.append(f"the migrations lack what the models say: {missing}")
    print("\n".join(wrong) or "Migrations and generated docs are in step.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
