"""`python -m scheduler` (`helpdesk worker`): APScheduler in a process of its own, memory job store only.

Any number of these may run on any number of machines: see `docs/decisions/0003-scheduler-is-the-clock.md`.
"""

from __future__ import annotations

import logging
import signal
import sys
import time

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import OperationalError

from helpdesk.db import check_schema, utc_now
from helpdesk.desk.models import adopt
from helpdesk.desk.watch import LEASE_S, Watch
from helpdesk.desk.worker import Worker, open_worker
from helpdesk.errors import SettingsError
from helpdesk.settings import Settings, load
from scheduler.jobs import JOBS, Job

log = logging.getLogger("scheduler")

# A poll that hangs in a connection is not waited for: what it has not committed comes again (F53).
GOODBYE_S = 20.0
LISTEN_S = 0.25
DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


def run_job(job: Job, worker: Worker) -> None:
    """One tick of a job. A database that is away is the next tick's business."""
    try:
        job.work(worker)
    except OperationalError:
        log.warning("%s: the database does not answer; trying again at the next tick", job.name)


def serve(worker: Worker) -> None:
    """Run the jobs until SIGTERM or SIGINT; a job that is running is let finish, and nothing new is taken up."""
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults=DEFAULTS)
    for job in JOBS:
        seconds = job.interval_ticks * worker.settings.tick_s
        scheduler.add_job(run_job, "interval", seconds=seconds, args=[job, worker], id=job.name)
    watch = Watch(worker.sessions, worker.polls.start_due, lease_s=min(LEASE_S, worker.settings.lease_s))
    heard = signals_heard()
    watch.start()
    scheduler.start()
    log.info("worker started: %s", ", ".join(job.name for job in JOBS))
    # Python runs a handler in the main thread only, and a kernel may hand the signal to another one: a main thread
    # that slept for longer would not hear of it.
    while not heard:
        time.sleep(LISTEN_S)
    worker.filer.stopping.set()
    watch.stop()
    scheduler.shutdown(wait=True)
    worker.polls.wait(GOODBYE_S)


def signals_heard() -> list[int]:
    """A list that grows with every SIGTERM or SIGINT from now on. A list takes no lock that this thread may hold."""
    heard: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: heard.append(number))
    return heard


def check(settings: Settings) -> None:
    """Raise SettingsError when this worker must not run."""
    settings.check()


def take_in_the_model(worker: Worker) -> None:
    """Register the set-up's model if nothing is registered yet; without any, mail arrives unsorted (T95)."""
    with worker.sessions.begin() as session:
        trouble = adopt(session, worker.settings.models_folder, worker.settings.model_path, utc_now())
    if trouble:
        log.error("no model can be used: %s", trouble)


def main() -> int:
    """Run the worker. Returns 2 for wrong settings, with one sentence on stderr."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stdout
    )
    # Its warnings say that a tick was left out because the job still runs: that is as it should be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    try:
        settings = load()
        check(settings)
        with open_worker(settings) as worker:
            check_schema(worker.sessions)
            take_in_the_model(worker)
            serve(worker)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
