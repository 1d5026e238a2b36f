"""Signing in, by Flask-Security: Argon2id, signed session cookie, CSRF. The only place that knows it.

`Login` is the same row as `User`, mapped a second time with the methods Flask-Security asks for, so that the
rules and the worker can use `User` without loading Flask.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from flask import Flask, abort
from flask_security import RoleMixin, Security, SQLAlchemyUserDatastore, UserMixin, current_user
from flask_sqlalchemy import SQLAlchemy

from helpdesk.accounts.users import Role, User
from helpdesk.db import Base
from helpdesk.settings import Settings

IDLE = dt.timedelta(hours=10)

P = ParamSpec("P")
R = TypeVar("R")


class LoginRole(RoleMixin):
    """A role as Flask-Security wants to see it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.permissions: list[str] = []


class Login(UserMixin, Base):
    """The account that is signed in."""

    __table__ = User.__table__
    if TYPE_CHECKING:
        role: str

    @property
    def roles(self) -> list[LoginRole]:  # type: ignore[override]  # read-only here
        """The account's one role, as a list."""
        return [LoginRole(self.role)]

    def may(self, needed: str) -> bool:
        """Whether the account's role covers `needed`."""
        return Role(self.role).covers(Role(needed))


def init_sign_in(app: Flask, db: SQLAlchemy, settings: Settings) -> None:
    """Add sign-in and sign-out to the app."""
    app.config.update(
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_PASSWORD_SALT="unused: argon2 salts each hash itself",
        SECURITY_LOGIN_URL="/ingresar",
        SECURITY_LOGOUT_URL="/salir",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/ingresar",
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_RETURN_GENERIC_RESPONSES=True,  # the same words for a wrong name and a wrong password (T77)
        SECURITY_DEFAULT_REMEMBER_ME=False,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SESSION_COOKIE_NAME="__Host-infomigra" if settings.secure_cookies else "infomigra",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=IDLE,
    )
    Security(app, SQLAlchemyUserDatastore(db, Login, LoginRole))


def needs(role: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Guard a view: 403 for a signed-in account whose role does not cover `role`."""

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            signed_in: Any = current_user
            if not signed_in.is_authenticated or not signed_in.may(role):
                abort(403)
            return view(*args, **kwargs)

        guarded.needs_role = role  # type: ignore[attr-defined]  # read by the structure test
        return guarded

    return guard
