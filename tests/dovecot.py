"""A real Dovecot 2.3 on loopback: its own configuration in a temporary folder, plain users, one password."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests.ports import free_port

PASSWORD = "dovecot-de-prueba"
# Until a server that was started answers; on a machine with much to do it takes its time.
PATIENCE_S = 60

CONFIGURATION = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{root}/mail/%u
mail_fsync = never
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
default_process_limit = 200
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
  chroot =
}}
service anvil {{
  chroot =
  # Who was refused is not made to wait longer and longer: the tests refuse on purpose.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
}}
{more}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%u
}}
"""

TLS = """
ssl_cert = <{root}/certificate.pem
ssl_key = <{root}/certificate.pem
"""
# Tokens are JWTs that the server checks itself with a key it knows: no call to anybody.
OAUTH = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {root}/oauth2.conf.ext
}}
"""
OAUTH_KEYS = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={root}/keys/
username_attribute = email
"""
# Everybody may read, insert, see, delete and expunge in his own folders; nobody may set other flags.
NO_KEYWORDS = """
mail_plugins = acl
plugin {{
  acl = vfile:{root}/acl
}}
"""
CAPABILITIES = "imap_capability = IMAP4rev1 LITERAL+ SASL-IR ID ENABLE NAMESPACE UIDPLUS SPECIAL-USE"


@dataclass(frozen=True)
class Features:
    """What a server can and cannot do; by default it can do everything, without TLS."""

    certificate: bytes | None = None  # PEM, with its key: TLS on a port of its own
    oauth_key: bytes | None = None  # HS256
    keywords: bool = True
    move_and_idle: bool = True


def program() -> str | None:
    """Where dovecot is, if it is installed."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Dovecot:
    """A running server."""

    root: Path
    port: int
    tls_port: int
    uid: int
    gid: int
    people: list[IMAPClient] = field(default_factory=list)

    def client(self, user: str) -> IMAPClient:
        """A connection of a person who uses the same mailbox."""
        client = IMAPClient("127.0.0.1", port=self.port, ssl=False, timeout=PATIENCE_S / 2)
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

    def launch(self) -> None:
        """Start the server, for the first time or again, and wait until it answers."""
        # The server outlives this call: it must not hold our output open.
        command = [str(program()), "-c", str(self.root / "dovecot.conf")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                self.client("prueba")
                self.send_people_home()
            except (OSError, IMAPClientError):
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.root / "dovecot.log").read_text())

    def stop(self) -> None:
        """Stop this server and no other."""
        doveadm = shutil.which("doveadm") or "/usr/bin/doveadm"
        subprocess.run([doveadm, "-c", str(self.root / "dovecot.conf"), "stop"], check=False)
        for _ in range(200):  # its own processes end a moment later
            if not (self.root / "run" / "master.pid").exists():
                return
            time.sleep(0.02)


def start(root: Path, features: Features | None = None) -> Dovecot:
    """Start a server that keeps everything in `root`."""
    assert program()
    as_root = os.geteuid() == 0
    me = pwd.getpwnam("nobody") if as_root else pwd.getpwuid(os.getuid())
    server = Dovecot(root, free_port(), free_port(), me.pw_uid, me.pw_gid)
    root.chmod(0o755)
    (root / "mail").mkdir()
    os.chown(root / "mail", me.pw_uid, me.pw_gid)
    features = features or Features()
    oauth = features.oauth_key is not None
    configuration = CONFIGURATION.format(
        root=root,
        port=server.port,
        tls_port=server.tls_port if features.certificate else 0,
        ssl="yes" if features.certificate else "no",
        mechanisms="plain login xoauth2 oauthbearer" if oauth else "plain login",
        more=_more(root, features),
        password=PASSWORD,
        uid=me.pw_uid,
        gid=me.pw_gid,
        user="root" if as_root else me.pw_name,
        group="root" if as_root else grp.getgrgid(me.pw_gid).gr_name,
        login_user="nobody" if as_root else me.pw_name,
    )
    (root / "dovecot.conf").write_text(configuration)
    server.launch()
    return server


def _more(root: Path, features: Features) -> str:
    """The configuration of what this server can do besides, or cannot; its files are written."""
    parts = []
    if features.certificate is not None:
        (root / "certificate.pem").write_bytes(features.certificate)
        parts.append(TLS)
    if features.oauth_key is not None:
        key = root / "keys" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(features.oauth_key))
        (root / "oauth2.conf.ext").write_text(OAUTH_KEYS.format(root=root))
        parts.append(OAUTH)
    if not features.keywords:
        (root / "acl").write_text("* owner lrsitekx\n")
        parts.append(NO_KEYWORDS)
    if not features.move_and_idle:
        parts.append(CAPABILITIES)
    return "\n".join(part.format(root=root) for part in parts)
