"""`/healthz`: the process is alive. No database, no details (T70)."""

from __future__ import annotations

from flask import Blueprint

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that this process serves."""
    return {"status": "ok"}
