"""What went wrong with a mailbox, by name. What to do about each is data in `helpdesk.desk.mailbox_trouble`."""

from __future__ import annotations

import re
import socket
import ssl
from enum import StrEnum

from imapclient.exceptions import IMAPClientAbortError, LoginError, ProtocolError

LONGEST_DETAIL = 200


class Trouble(StrEnum):
    """The kinds of trouble that call for different patience."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    BUSY = "busy"  # the server asks for patience: throttled, too many connections, its store is away
    CERTIFICATE = "certificate"  # expired, of another host, signed by nobody we know: nothing is sent
    REFUSED = "refused"  # user or password: another try may lock the account
    FOLDER = "folder"  # the folder is not there, or not ours
    PROTOCOL = "protocol"  # answers that make no sense, or never end
    TOKEN = "token"  # no access token, or one that the server does not take
    SETTINGS = "settings"  # a file of ours cannot be read
    UNEXPECTED = "unexpected"  # a fault of ours


# What servers say when a later try may work: RFC 5530 response codes, Exchange, Gmail, Dovecot, Courier.
BUSY = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|THROTTLED|OVERLOADED)\]|authenticated but not connected"
    r"|too many (?!(?:failed|invalid|bad|incorrect|login|logon|auth))|maximum number of|simultaneous connection"
    r"|connection limit|throttl|server (?:is )?(?:too )?busy|try again (?:later|in |after|soon)|temporar"
    r"|bandwidth limit|rate limit|system error|internal error|not currently available",
    re.IGNORECASE,
)
# A refusal by its code (RFC 5530), however kindly it is worded: "please try again" is not for us.
REFUSED = re.compile(r"\[(?:AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED)\]", re.IGNORECASE)
TOKEN_EXPIRED = re.compile(r"AccessTokenExpired|token (?:has )?expired|session expired", re.IGNORECASE)
# Before a folder is called missing, the server must say so (RFC 5530) or not list it.
NO_FOLDER = re.compile(r"\[(?:NONEXISTENT|NOPERM)\]", re.IGNORECASE)


def trouble_of(error: BaseException) -> Trouble:
    """The kind of an error that imapclient or the socket raised."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble.CERTIFICATE
    if isinstance(error, OSError):
        return Trouble.UNREACHABLE
    said = str(error)
    if TOKEN_EXPIRED.search(said):
        return Trouble.TOKEN
    if isinstance(error, LoginError) and REFUSED.search(said):
        return Trouble.REFUSED
    if BUSY.search(said):
        return Trouble.BUSY
    if isinstance(error, ProtocolError) or "unexpected response" in said:
        return Trouble.PROTOCOL
    # imapclient calls everything a LoginError that ends a login, a broken line too.
    if isinstance(error, IMAPClientAbortError) or isinstance(error.__context__, IMAPClientAbortError):
        return Trouble.UNREACHABLE
    return Trouble.REFUSED if isinstance(error, LoginError) else Trouble.PROTOCOL


def detail_of(error: BaseException, *secrets: str) -> str:
    """What the server or the system said, in one short line without our secrets."""
    if isinstance(error, socket.gaierror):
        return "no se conoce ese servidor"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, TimeoutError):
        return str(error) or "no respondió a tiempo"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    said = _bare(str(error))
    for secret in filter(None, map(_bare, secrets)):
        said = said.replace(secret, "…")
    return "".join(c for c in said if c.isprintable())[:LONGEST_DETAIL] or type(error).__name__


def _bare(text: str) -> str:
    """Without backslashes and with single blanks: a server that repeats our line repeats a secret as it was quoted."""
    return " ".join(text.replace("\\", "").split())
