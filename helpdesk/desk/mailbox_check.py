"""Trying a mailbox for whoever sets it up: every step in words, until one fails. For operators, in English."""

from __future__ import annotations

from imapclient.exceptions import IMAPClientError

from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.mailbox_trouble import care_of
from helpdesk.errors import MailboxError, SettingsError
from helpdesk.mail.imap import ImapAccount, connect, connection, select
from helpdesk.mail.imap_client import Client
from helpdesk.mail.imap_folder import OpenFolder, done_folder_name, find_sent_folder
from helpdesk.mail.oauth import access_token

Said = list[tuple[bool, str]]

MARKS = {
    "keyword": "filed mail gets the keyword $InfomigraFiled",
    "ledger only": "the server keeps no keywords and cannot move mail: only the ledger knows what is filed",
}


def check(mailbox: Mailbox) -> Said:
    """Try a mailbox and say in words what works and what does not; nothing on the server is changed."""
    said: Said = []
    try:
        account = mailbox.account()
        said.append((True, f"secret read from {mailbox.password_file}"))
        _try(mailbox, account, said)
    except MailboxError as error:
        advice = care_of(error.kind).advice.replace("NAME", mailbox.name)
        said.append((False, f"{advice} [{error.detail or error}]"))
    except SettingsError as error:
        said.append((False, str(error)))
    return said


def _try(mailbox: Mailbox, account: ImapAccount, said: Said) -> None:
    if account.oauth is not None:
        access_token(account.oauth)
        said.append((True, f"access token fetched from {account.oauth.token_url}"))
    said.append((True, _connected(account)))
    with connection(account) as client:
        said.append((True, f"signed in as {account.username!r} by {account.auth}"))
        folder = select(client, account)
        count = len(folder.all_uids())
        said.append(
            (True, f"folder {folder.name!r} holds {count} messages (UIDVALIDITY {folder.uidvalidity})")
        )
        said.append((True, _marking(folder)))
        said.append((True, _idle(mailbox, client)))
        said.append(_sent(mailbox, folder))


def _connected(account: ImapAccount) -> str:
    client = connect(account)
    try:
        tls = client.socket().version() if account.tls else None
    finally:
        client.shutdown()
    how = f"{tls}, certificate good for {account.host}" if tls else "without TLS, on this machine"
    return f"connected to {account.host}:{account.port} ({how})"


def _marking(folder: OpenFolder) -> str:
    way = folder.way_of_marking()
    if way == "moved":
        return f"filed mail is moved to {done_folder_name(folder.client, folder.patience_s)!r}"
    return MARKS[way]


def _idle(mailbox: Mailbox, client: Client) -> str:
    every = f"polled every {mailbox.poll_interval_s} s"
    if not mailbox.idle:
        return f"not watched (--no-idle): {every}"
    if not client.has_capability("IDLE"):
        return f"the server offers no IDLE: {every}"
    return f"new mail is announced at once (IDLE), and {every}"


def _sent(mailbox: Mailbox, folder: OpenFolder) -> tuple[bool, str]:
    if mailbox.sent_folder == "":
        return True, "no Sent folder is used (--no-sent-folder)"
    name = mailbox.sent_folder or find_sent_folder(folder.client, folder.patience_s)
    if name is None:
        return True, "no Sent folder found: answers are not copied, and mail sent from elsewhere is not seen"
    try:
        folder.select(name, readonly=True)
    except IMAPClientError as error:
        return False, f"the Sent folder {name!r} cannot be opened [{error}]"
    return True, f"answers are copied to, and read from, the Sent folder {name!r}"
