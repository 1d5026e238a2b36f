"""The web's database session and the account behind a request."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app
from flask_security import current_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.catalogue import Catalogue
from helpdesk.settings import Settings

db = SQLAlchemy(metadata=Base.metadata)

SETTINGS = "helpdesk.settings"
CATALOGUE = "helpdesk.catalogue"


def session() -> Session:
    """The database session of this request."""
    return db.session()


def settings() -> Settings:
    """The settings of this app."""
    return cast(Settings, current_app.extensions[SETTINGS])


def catalogue() -> Catalogue:
    """The approved answers of this process, ready for ranking."""
    return cast(Catalogue, current_app.extensions[CATALOGUE])


def agent() -> User:
    """The account that is signed in, as the rules know it."""
    signed_in: Any = current_user
    return session().get_one(User, signed_in.id)
