"""The people who work at the desk, and what each role may do. Signing in is `sign_in.py`."""

from __future__ import annotations

import datetime as dt
import secrets
from enum import StrEnum

from sqlalchemy import CheckConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from helpdesk.db import Base
from helpdesk.errors import HelpdeskError, SettingsError

PASSWORD_AT_LEAST = 10


class Role(StrEnum):
    """Each role may do what the ones before it may."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


class User(Base):
    """An account. `fs_uniquifier` names the session: changing it signs the person out everywhere."""

    __tablename__ = "user_account"
    __table_args__ = (
        CheckConstraint("role in ('agent', 'supervisor', 'admin')", name="role_known"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    # When the person last looked at what became of the classifier; later decisions are news.
    sorter_seen_at: Mapped[dt.datetime | None]


class AccountRefused(HelpdeskError):
    """The account cannot be made as asked."""


def hash_password(password: str) -> str:
    """Argon2id hash in the form Flask-Security verifies."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def add_user(
    session: Session, *, email: str, name: str, role: Role, password: str, demo: bool = False
) -> User:
    """Make an account. Raises AccountRefused with a sentence for a taken address or a weak password."""
    address = email.strip().lower()
    if "@" not in address:
        raise AccountRefused(f"{email!r} is not an e-mail address.")
    if len(password) < PASSWORD_AT_LEAST and not demo:
        raise AccountRefused(f"The password needs at least {PASSWORD_AT_LEAST} characters.")
    if find_user(session, address) is not None:
        raise AccountRefused(f"There is already an account for {address}.")
    user = User(
        email=address,
        name=name,
        role=role.value,
        password=hash_password(password),
        demo=demo,
        fs_uniquifier=secrets.token_hex(16),
    )
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, email: str) -> User | None:
    """The account of an address, if there is one."""
    return session.scalar(select(User).where(User.email == email.strip().lower()))


def assignable_users(session: Session) -> list[User]:
    """Who can be given a ticket, by name."""
    return list(session.scalars(select(User).where(User.active).order_by(User.name)))


def check_no_demo_users(session: Session) -> None:
    """Raise SettingsError when an account of the demo, with its known password, is in this database (T76)."""
    if session.scalar(select(User.id).where(User.demo).limit(1)) is not None:
        raise SettingsError("DATABASE_URL: the demo's accounts are in this database; use another one.")
