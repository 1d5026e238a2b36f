"""A real Dovecot 2.3 on loopback: its own configuration in a temporary folder, plain users, one password."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from imapclient import IMAPClient

from tests.ports import free_port

PASSWORD = "dovecot-de-prueba"

CONFIGURATION = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{root}/mail/%u
mail_fsync = never
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
default_process_limit = 200
auth_mechanisms = plain login
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
  chroot =
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%u
}}
"""


def program() -> str | None:
    """Where dovecot is, if it is installed."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Dovecot:
    """A running server."""

    root: Path
    port: int
    uid: int
    gid: int
    people: list[IMAPClient] = field(default_factory=list)

    def client(self, user: str) -> IMAPClient:
        """A connection of a person who uses the same mailbox."""
        client = IMAPClient("127.0.0.1", port=self.port, ssl=False)
        client.login(user, PASSWORD)
        client.select_folder("INBOX")
        self.people.append(client)
        return client

    def send_people_home(self) -> None:
        """Close every connection that was opened to look."""
        while self.people:
            self.people.pop().shutdown()

    def deliver(self, user: str, *mails: bytes) -> None:
        """Put mails into a user's INBOX the way a delivery agent does: written to tmp, renamed into new."""
        box = self.root / "mail" / user
        for name in ("tmp", "new", "cur"):
            (box / name).mkdir(parents=True, exist_ok=True)
        for path in (self.root / "mail", box, box / "tmp", box / "new", box / "cur"):
            os.chown(path, self.uid, self.gid)
        for mail in mails:
            name = f"{time.time_ns()}.M{os.getpid()}_{os.urandom(6).hex()}.test"
            written = box / "tmp" / name
            written.write_bytes(mail)
            os.chown(written, self.uid, self.gid)
            written.rename(box / "new" / name)

    def stop(self) -> None:
        """Stop this server and no other."""
        doveadm = shutil.which("doveadm") or "/usr/bin/doveadm"
        subprocess.run([doveadm, "-c", str(self.root / "dovecot.conf"), "stop"], check=False)


def start(root: Path) -> Dovecot:
    """Start a server that keeps everything in `root`."""
    found = program()
    assert found
    as_root = os.geteuid() == 0
    me = pwd.getpwnam("nobody") if as_root else pwd.getpwuid(os.getuid())
    port = free_port()
    root.chmod(0o755)
    (root / "mail").mkdir()
    os.chown(root / "mail", me.pw_uid, me.pw_gid)
    configuration = CONFIGURATION.format(
        root=root,
        port=port,
        password=PASSWORD,
        uid=me.pw_uid,
        gid=me.pw_gid,
        user="root" if as_root else me.pw_name,
        group="root" if as_root else grp.getgrgid(me.pw_gid).gr_name,
        login_user="nobody" if as_root else me.pw_name,
    )
    (root / "dovecot.conf").write_text(configuration)
    # The server outlives this call: it must not hold our output open.
    subprocess.run([found, "-c", str(root / "dovecot.conf")], check=True, stdout=subprocess.DEVNULL)
    server = Dovecot(root, port, me.pw_uid, me.pw_gid)
    for _ in range(100):
        try:
            server.client("prueba")
            server.send_people_home()
        except OSError:
            time.sleep(0.05)
        else:
            return server
    raise AssertionError((root / "dovecot.log").read_text())
