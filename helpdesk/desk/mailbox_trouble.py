"""What we do about each kind of trouble with a mailbox, and what people are told: one table."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from helpdesk.desk.words import N_
from helpdesk.errors import MailboxError, MailboxUnreachable, SettingsError
from helpdesk.mail.trouble import Trouble

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Care:
    """How patient we are with one kind of trouble.

    `waits_s`: seconds after the 1st, 2nd … failure in a row; the last one again and again.
    `alarms_at`, `halts_at`: the failure at which every page says so, and nothing is tried any more; None: never.
    `sentence` is for people at the desk, `advice` for whoever runs it.
    """

    waits_s: tuple[int, ...]
    alarms_at: int | None
    halts_at: int | None
    sentence: str
    advice: str

    def wait_s(self, failures: int) -> int:
        """Seconds until the next try after so many failures."""
        return self.waits_s[min(max(failures, 1), len(self.waits_s)) - 1]

    def halts(self, failures: int) -> bool:
        """Whether a person must look before anything is tried again."""
        return self.halts_at is not None and failures >= self.halts_at


ERROR_KINDS: dict[Trouble, Care] = {
    Trouble.UNREACHABLE: Care(
        (10, 20, 40, 80, 160, 320, 600),
        None,
        None,
        N_("No se puede conectar con el servidor de correo. Se sigue intentando."),
        "the server cannot be reached: look at --host, --port and the network",
    ),
    Trouble.BUSY: Care(
        (60, 120, 240, 480, 960, 1800),
        None,
        None,
        N_("El servidor de correo pide esperar. Se sigue intentando, cada vez con más pausa."),
        "the server asks us to wait (busy, throttled or too many connections)",
    ),
    Trouble.CERTIFICATE: Care(
        (600,),
        1,
        None,
        N_("El certificado del servidor de correo no es válido. No se envió la contraseña."),
        "the server's certificate is not valid, so nothing was sent; a CA of your own goes into SSL_CERT_FILE",
    ),
    # Every further try may lock the account at the provider.
    Trouble.REFUSED: Care(
        (600,),
        1,
        1,
        N_("El servidor de correo rechazó el usuario o la contraseña."),
        "the user or the password was refused: mend it, then `helpdesk mailbox resume NAME`",
    ),
    Trouble.FOLDER: Care(
        (600,),
        1,
        1,
        N_("La carpeta del buzón no existe o no se permite abrirla."),
        "the folder does not exist or may not be opened: mend it, then `helpdesk mailbox resume NAME`",
    ),
    Trouble.PROTOCOL: Care(
        (300,),
        3,
        None,
        N_("El servidor de correo responde cosas que no se entienden."),
        "the server's answers make no sense: is this an IMAP port?",
    ),
    # Half a minute to eight: the sixth failure comes after a quarter of an hour.
    Trouble.TOKEN: Care(
        (30, 60, 120, 240, 480),
        6,
        6,
        N_("El proveedor no da, o no acepta, el permiso de acceso (token) del buzón."),
        "no access token, or one that the server does not take: look at --token-url, --client-id, the secret, "
        "the scope and the permission on this mailbox",
    ),
    Trouble.SETTINGS: Care(
        (60, 300, 600),
        1,
        None,
        N_("Falta un dato del buzón: no se puede leer su archivo de contraseña."),
        "a setting or a secret file of this mailbox is wrong",
    ),
    Trouble.UNEXPECTED: Care(
        (300,),
        3,
        None,
        N_("Ocurrió un error inesperado al leer el buzón. El detalle está en el registro."),
        "an unexpected error: the worker's log has the details",
    ),
}


def care_of(kind: str | None) -> Care:
    """The table's row for what a mailbox has in `error_kind`."""
    known = kind if kind in ERROR_KINDS else Trouble.UNEXPECTED
    return ERROR_KINDS[Trouble(known)]


def attempt(name: str, work: Callable[[], T]) -> tuple[T | None, MailboxError | None]:
    """Do some work with a mailbox; give whatever goes wrong a kind. The database's own trouble is nobody's mailbox's.

    Raises OperationalError.
    """
    try:
        return work(), None
    except MailboxError as trouble:
        log.warning("mailbox %s: %s: %s", name, trouble.kind, trouble)
        return None, trouble
    except SettingsError as wrong:
        log.warning("mailbox %s: %s", name, wrong)
        return None, MailboxUnreachable(str(wrong), Trouble.SETTINGS)
    except OperationalError:
        raise
    except Exception as fault:  # whatever a server makes us stumble over, the other mailboxes are read
        log.exception("mailbox %s", name)
        return None, MailboxUnreachable(f"error inesperado ({type(fault).__name__})", Trouble.UNEXPECTED)
