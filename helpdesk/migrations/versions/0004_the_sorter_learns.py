"""The register of models, lessons, nightly runs; kind, urgency and topic of a ticket; when the model was last looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KINDS = "('consulta', 'reclamo', 'queja', 'informacion_publica', 'datos_personales', 'denuncia')"
URGENCIES = "('trafficking', 'violence', 'detention', 'deadline')"
STATES = "('candidate', 'active', 'refused', 'retired')"
JSON = postgresql.JSONB(astext_type=sa.Text())
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sorter_model",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("card", JSON, nullable=False),
        sa.Column("trial", JSON, nullable=False),
        sa.Column("lessons", sa.BigInteger(), nullable=False),
        sa.Column("learned_until", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.CheckConstraint(f"state in {STATES}", name=op.f("ck_sorter_model_state_known")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user_account.id"], name=op.f("fk_sorter_model_decided_by_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sorter_model")),
    )
    op.create_index(
        "uq_sorter_model_active",
        "sorter_model",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index("ix_sorter_model_decided_at", "sorter_model", ["decided_at"])
    op.create_table(
        "lesson",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("predicted", sa.Text(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("abstained", sa.Boolean(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_lesson_ticket_id_ticket")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_lesson_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lesson")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_lesson_ticket_id")),
    )
    op.create_index("ix_lesson_at", "lesson", ["at"])
    op.create_table(
        "learning_run",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column("withheld", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["user_account.id"], name=op.f("fk_learning_run_asked_by_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["sorter_model.id"], name=op.f("fk_learning_run_model_id_sorter_model")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_run")),
        sa.UniqueConstraint("day", name=op.f("uq_learning_run_day")),
    )
    op.add_column("ticket", sa.Column("kind", sa.Text(), nullable=False, server_default="consulta"))
    op.alter_column("ticket", "kind", server_default=None)
    op.add_column("ticket", sa.Column("urgency", sa.Text(), nullable=True))
    op.add_column("ticket", sa.Column("topic", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_ticket_kind_known"), "ticket", f"kind in {KINDS}")
    op.create_check_constraint(op.f("ck_ticket_urgency_known"), "ticket", f"urgency in {URGENCIES}")
    # The queue shows what is urgent before what has waited longest.
    op.drop_index("ix_ticket_open", table_name="ticket")
    op.create_index(
        "ix_ticket_open",
        "ticket",
        [sa.text("(urgency is null)"), "waiting_since"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.add_column("prediction", sa.Column("also", JSON, nullable=False, server_default="{}"))
    op.alter_column("prediction", "also", server_default=None)
    op.add_column("prediction", sa.Column("signs", JSON, nullable=False, server_default="[]"))
    op.alter_column("prediction", "signs", server_default=None)
    op.add_column("user_account", sa.Column("sorter_seen_at", INSTANT, nullable=True))


def downgrade() -> None:
    op.drop_column("user_account", "sorter_seen_at")
    op.drop_column("prediction", "signs")
    op.drop_column("prediction", "also")
    op.drop_index("ix_ticket_open", table_name="ticket")
    op.create_index(
        "ix_ticket_open", "ticket", ["waiting_since"], postgresql_where=sa.text("status = 'open'")
    )
    op.drop_column("ticket", "topic")
    op.drop_column("ticket", "urgency")
    op.drop_column("ticket", "kind")
    op.drop_table("learning_run")
    op.drop_table("lesson")
    op.drop_table("sorter_model")
