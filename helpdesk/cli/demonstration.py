"""The demo: everything on loopback, free ports, people who write, an agent who answers; Ctrl-C ends it all."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import select

import classifier
from helpdesk.accounts.users import Role, add_user, find_user
from helpdesk.cli.children import child_environment, web_command
from helpdesk.cli.conversation import Stage, play
from helpdesk.cli.database import seed
from helpdesk.cli.sample_filings import file_samples
from helpdesk.db import Sessions, open_engine, open_sessions, upgrade, utc_now
from helpdesk.desk.mailbox import Mailbox, add_mailbox, resume
from helpdesk.desk.models import activate, take_in
from helpdesk.embedded import database_url
from helpdesk.errors import HelpdeskError, SettingsError
from helpdesk.settings import Settings

LOOPBACK = "127.0.0.1"
READY_WITHIN_S = 60
STOP_WITHIN_S = 10
PASSWORD = "demo"
PEOPLE = (
    ("ana@infomigra.example.com", "Ana Torres", Role.AGENT),
    ("luis@infomigra.example.com", "Luis Huamán", Role.AGENT),
    ("rosa@infomigra.example.com", "Rosa Quispe", Role.SUPERVISOR),
    ("admin@infomigra.example.com", "Administración", Role.ADMIN),
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of this run; the usual ones when they are free."""

    web: int
    imap: int
    smtp: int
    mailbox_page: int


def run(settings: Settings, port: int) -> None:
    """Start everything, tell where to go, wait for Ctrl-C, stop what was started."""
    if not settings.embedded:
        raise SettingsError("DATABASE_URL is set: the demo makes its own database and touches no other.")
    started = time.monotonic()
    ports = free_ports(Ports(port, 14143, 14025, 8025))
    settings = demo_settings(settings, ports)
    click.echo("Starting PostgreSQL …")
    url = database_url(None, settings.var)
    upgrade(url)
    sessions = open_sessions(open_engine(url))
    password_file = seed_demo(sessions, settings, ports)
    if train_if_needed(settings):
        with sessions.begin() as session:
            made = take_in(session, settings.models_folder, settings.model_path, utc_now())
            activate(session, made, now=utc_now(), why="se entrenó al empezar la demostración")
        (settings.var / "model.stamp").write_text(training_digest())
    environment = child_environment(
        settings,
        url,
        HELPDESK_SMTP_HOST=LOOPBACK,
        HELPDESK_SMTP_PORT=str(ports.smtp),
        HELPDESK_SMTP_SECURITY="none",
        HELPDESK_PUBLIC_URL=f"http://{LOOPBACK}:{ports.web}",
        HELPDESK_TICK_S="1",
        HELPDESK_WEB_PROCESSES="1",
    )
    commands = [
        mail_server_command(settings, ports, password_file),
        web_command(settings.model_copy(update={"web_processes": 1}), f"{LOOPBACK}:{ports.web}"),
        [sys.executable, "-m", "scheduler"],
    ]
    with children(commands, environment) as processes:
        wait_until_ready(f"http://{LOOPBACK}:{ports.web}/healthz", processes)
        click.echo(where_to_go(ports, time.monotonic() - started))
        stage = Stage(sessions, settings, LOOPBACK, ports.smtp, ports.imap, PASSWORD)
        threading.Thread(target=play, args=(stage,), daemon=True).start()
        wait_for_end(processes)
    click.echo("Stopped; the data is kept in " + str(settings.var))


def demo_settings(settings: Settings, ports: Ports) -> Settings:
    """The settings of this run, as the children will read them."""
    return settings.model_copy(
        update={
            "var": settings.var.resolve(),
            "mode": "demo",
            "public_url": f"http://{LOOPBACK}:{ports.web}",
            "smtp_host": LOOPBACK,
            "smtp_port": ports.smtp,
            "smtp_security": "none",
        }
    )


def free_ports(usual: Ports) -> Ports:
    """The usual ports where they are free, others where they are not."""
    return Ports(*(free_port(port) for port in (usual.web, usual.imap, usual.smtp, usual.mailbox_page)))


def free_port(usual: int) -> int:
    """`usual` when nothing listens there, else a port the system chooses."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise HelpdeskError("There is no free port on this machine.")


def seed_demo(sessions: Sessions, settings: Settings, ports: Ports) -> Path:
    """Answers, people and the mailbox of the demo; what is there already is kept. Returns the password file."""
    seed(sessions)
    password_file = settings.var / "demo_mail_password"
    password_file.write_text(PASSWORD)
    with sessions.begin() as session:
        for email, name, role in PEOPLE:
            if find_user(session, email) is None:
                add_user(session, email=email, name=name, role=role, password=PASSWORD, demo=True)
        mailbox = session.scalar(select(Mailbox).where(Mailbox.name == "demo"))
        if mailbox is None:
            mailbox = add_mailbox(
                session,
                name="demo",
                host=LOOPBACK,
                port=ports.imap,
                username=settings.mail_from,
                password_file=password_file,
                tls=False,
                poll_interval_s=2,
            )
        mailbox.port, mailbox.holder, mailbox.lease_until = ports.imap, None, None
        resume(mailbox)
        mailbox.password_file = str(password_file)
    with sessions.begin() as session:
        file_samples(session, settings, utc_now())
    return password_file


def train_if_needed(settings: Settings) -> bool:
    """Train the classifier when there is none, or when the corpus or the code changed since; whether it did."""
    stamp, digest = settings.var / "model.stamp", training_digest()
    if settings.model_path.exists() and stamp.exists() and stamp.read_text() == digest:
        return False
    click.echo("Training the classifier (the first time only, about half a minute) …")
    command = [sys.executable, "-m", "classifier", "train", "--out", str(settings.model_path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return True


def training_digest() -> str:
    """What the trained model depends on, as one hash."""
    digest = hashlib.sha256()
    folder = Path(classifier.__file__).parent
    for path in sorted([*folder.glob("*.py"), *folder.glob("*.txt"), *folder.glob("*/*.jsonl")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def mail_server_command(settings: Settings, ports: Ports, password_file: Path) -> list[str]:
    """mail-devel: SMTP, IMAP and a web mail where every address has a mailbox."""
    return [
        *(sys.executable, "-m", "mail_devel", "--host", LOOPBACK, "--multi-user"),
        *("--user", settings.mail_from, "--password", password_file.read_text()),
        *("--imap-port", str(ports.imap), "--smtp-port", str(ports.smtp)),
        *("--http-port", str(ports.mailbox_page)),
    ]


@contextmanager
def children(
    commands: list[list[str]], environment: dict[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run the commands; at the end stop them by pid, last started first."""
    log = Path(environment["HELPDESK_VAR"]) / "demo.log"
    processes: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as output:
        try:
            for command in commands:
                # A session of its own: Ctrl-C reaches only us, and we stop them in order.
                processes.append(
                    subprocess.Popen(
                        command, env=environment, stdout=output, stderr=output, start_new_session=True
                    )
                )
            yield processes
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in reversed(processes):
                stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End one child: politely, then not."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_ready(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait for the pages. Raises HelpdeskError when a child ends or nothing answers in a minute."""
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        check_running(processes)
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise HelpdeskError("The pages did not come up within a minute; see demo.log in HELPDESK_VAR.")


def check_running(processes: list[subprocess.Popen[bytes]]) -> None:
    """Raise HelpdeskError when a child has ended by itself."""
    for process in processes:
        if process.poll() is not None:
            name = " ".join(map(str, process.args[1:3])) if isinstance(process.args, list) else "a process"
            raise HelpdeskError(f"{name} ended with code {process.returncode}; see demo.log in HELPDESK_VAR.")


def wait_for_end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Sleep until Ctrl-C or SIGTERM. Raises HelpdeskError when a child ends by itself."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1):
        check_running(processes)


def where_to_go(ports: Ports, seconds: float) -> str:
    """What the newcomer reads."""
    rows = [
        f"Ready after {seconds:.0f} s. People are writing to the desk right now.",
        "",
        f"  The desk            http://{LOOPBACK}:{ports.web}/",
        f"    agent             {PEOPLE[0][0]}   password: {PASSWORD}",
        f"    supervisor        {PEOPLE[2][0]}  password: {PASSWORD}",
        f"  The citizens' mail  http://{LOOPBACK}:{ports.mailbox_page}/",
        "    write to          consultas@infomigra.example.com",
        f"  File a contract     http://{LOOPBACK}:{ports.web}/constancia/",
        "    the code comes    to the citizens' mail",
        "",
        "  Ctrl-C stops everything; the data stays.",
    ]
    width = max(map(len, rows)) + 2
    return "\n".join(
        ["┌" + "─" * width + "┐", *(f"│ {row.ljust(width - 1)}│" for row in rows), "└" + "─" * width + "┘"]
    )
