"""Answers with languages, a review and a history; what became of suggestions; files of answers; missing answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = "('draft', 'in_review', 'approved', 'retired')"
OUTCOMES = "('used', 'edited', 'discarded', 'passed')"
LANGUAGES = "('es', 'en', 'pt')"
INSTANT = sa.DateTime(timezone=True)
EMPTY_LIST = sa.text("'[]'::jsonb")
JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    _answers()
    _history_and_files()
    _uses()
    _suggestions()
    op.add_column("message", sa.Column("writing_s", sa.BigInteger(), nullable=True))


def _answers() -> None:
    op.execute("update answer set language = 'es' where language not in ('es', 'en', 'pt')")
    op.drop_constraint(op.f("ck_answer_status_known"), "answer", type_="check")
    op.create_check_constraint(op.f("ck_answer_status_known"), "answer", f"status in {STATES}")
    op.create_check_constraint(op.f("ck_answer_language_known"), "answer", f"language in {LANGUAGES}")
    op.drop_constraint(op.f("uq_answer_slug_version"), "answer", type_="unique")
    op.create_unique_constraint(
        op.f("uq_answer_slug_language_version"), "answer", ["slug", "language", "version"]
    )
    op.drop_index("ix_answer_approved", table_name="answer")
    for name, states in (("approved", "status = 'approved'"), ("being_written", "status in ('draft', 'in_review')")):
        op.create_index(
            f"uq_answer_{name}", "answer", ["slug", "language"], unique=True, postgresql_where=sa.text(states)
        )
    op.add_column("answer", sa.Column("questions", JSON, nullable=False, server_default=EMPTY_LIST))
    op.add_column("answer", sa.Column("changed_at", INSTANT, nullable=True))
    op.execute("update answer set changed_at = created_at")
    op.alter_column("answer", "changed_at", nullable=False)
    op.alter_column("answer", "questions", server_default=None)
    op.add_column("answer", sa.Column("created_by_id", sa.BigInteger(), nullable=True))
    op.add_column("answer", sa.Column("reply_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_answer_created_by_id_user_account"), "answer", "user_account", ["created_by_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_answer_reply_id_message"), "answer", "message", ["reply_id"], ["id"])


def _history_and_files() -> None:
    op.create_table(
        "answer_event",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("answer_id", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["answer.id"], name=op.f("fk_answer_event_answer_id_answer")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_answer_event_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_event")),
    )
    op.create_index(op.f("ix_answer_event_answer_id"), "answer_event", ["answer_id"])
    op.execute(
        "insert into answer_event (answer_id, at, kind, note) select id, created_at, 'imported', '' from answer"
    )
    op.create_table(
        "answer_file",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("answer_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["answer.id"], name=op.f("fk_answer_file_answer_id_answer")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_answer_file_sha256_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_file")),
    )
    op.create_index(op.f("ix_answer_file_answer_id"), "answer_file", ["answer_id"])
    op.create_table(
        "answer_favourite",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_answer_favourite_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("user_id", "slug", name=op.f("pk_answer_favourite")),
    )


def _uses() -> None:
    op.create_table(
        "answer_use",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("answer_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("reply_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=True),
        sa.Column("edit_share", sa.Float(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["answer.id"], name=op.f("fk_answer_use_answer_id_answer")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_answer_use_ticket_id_ticket")),
        sa.ForeignKeyConstraint(["reply_id"], ["message.id"], name=op.f("fk_answer_use_reply_id_message")),
        sa.ForeignKeyConstraint(["asked_id"], ["message.id"], name=op.f("fk_answer_use_asked_id_message")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_answer_use_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_use")),
    )
    for column in ("answer_id", "ticket_id", "reply_id"):
        op.create_index(op.f(f"ix_answer_use_{column}"), "answer_use", [column])
    op.create_index("ix_answer_use_user_id", "answer_use", ["user_id", "at"])
    op.create_table(
        "missing_answer",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("done_by_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_missing_answer_ticket_id_ticket")
        ),
        sa.ForeignKeyConstraint(
            ["asked_id"], ["message.id"], name=op.f("fk_missing_answer_asked_id_message")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_missing_answer_user_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["done_by_id"], ["user_account.id"], name=op.f("fk_missing_answer_done_by_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missing_answer")),
        sa.UniqueConstraint("asked_id", name=op.f("uq_missing_answer_asked_id")),
    )
    op.create_index(op.f("ix_missing_answer_ticket_id"), "missing_answer", ["ticket_id"])


def _suggestions() -> None:
    op.alter_column("suggestion", "used_at", new_column_name="outcome_at")
    op.alter_column("suggestion", "used_by_id", new_column_name="outcome_by_id")
    op.drop_constraint(op.f("fk_suggestion_used_by_id_user_account"), "suggestion", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_suggestion_outcome_by_id_user_account"),
        "suggestion",
        "user_account",
        ["outcome_by_id"],
        ["id"],
    )
    for name, type_ in (("topic", sa.Float()), ("sent", sa.BigInteger())):
        op.add_column("suggestion", sa.Column(name, type_, nullable=False, server_default="0"))
        op.alter_column("suggestion", name, server_default=None)
    for column in (
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("shown_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("edit_share", sa.Float(), nullable=True),
        sa.Column("reply_id", sa.BigInteger(), nullable=True),
    ):
        op.add_column("suggestion", column)
    op.create_foreign_key(
        op.f("fk_suggestion_reply_id_message"), "suggestion", "message", ["reply_id"], ["id"]
    )
    op.create_index(op.f("ix_suggestion_reply_id"), "suggestion", ["reply_id"])
    # How much of it was changed was not kept then.
    op.execute("update suggestion set outcome = 'used', shown_at = at where outcome_at is not null")
    op.create_check_constraint(
        op.f("ck_suggestion_outcome_known"), "suggestion", f"outcome is null or outcome in {OUTCOMES}"
    )
    op.create_index("ix_suggestion_shown_at", "suggestion", ["shown_at"])


def downgrade() -> None:
    op.drop_column("message", "writing_s")
    _forget_outcomes()
    for table in ("missing_answer", "answer_use", "answer_favourite", "answer_file", "answer_event"):
        op.drop_table(table)
    for column in ("reply_id", "created_by_id", "changed_at", "questions"):
        op.drop_column("answer", column)
    for index in ("approved", "being_written"):
        op.drop_index(f"uq_answer_{index}", table_name="answer")
    # A translation becomes an answer of its own: the language is no part of the name any more.
    op.execute("update answer set slug = slug || '-' || language where language <> 'es'")
    op.execute("update answer set status = 'draft' where status = 'in_review'")
    op.create_index(
        "ix_answer_approved", "answer", ["slug"], unique=True, postgresql_where=sa.text("status = 'approved'")
    )
    op.drop_constraint(op.f("uq_answer_slug_language_version"), "answer", type_="unique")
    op.create_unique_constraint(op.f("uq_answer_slug_version"), "answer", ["slug", "version"])
    op.drop_constraint(op.f("ck_answer_language_known"), "answer", type_="check")
    op.drop_constraint(op.f("ck_answer_status_known"), "answer", type_="check")
    op.create_check_constraint(
        op.f("ck_answer_status_known"), "answer", "status in ('draft', 'approved', 'retired')"
    )


def _forget_outcomes() -> None:
    op.drop_index("ix_suggestion_shown_at", table_name="suggestion")
    op.drop_constraint(op.f("ck_suggestion_outcome_known"), "suggestion", type_="check")
    op.execute("update suggestion set outcome_at = null, outcome_by_id = null where outcome in ('discarded', 'passed')")
    for column in ("reply_id", "edit_share", "outcome", "shown_at", "question", "sent", "topic"):
        op.drop_column("suggestion", column)
    op.drop_constraint(
        op.f("fk_suggestion_outcome_by_id_user_account"), "suggestion", type_="foreignkey"
    )
    op.alter_column("suggestion", "outcome_at", new_column_name="used_at")
    op.alter_column("suggestion", "outcome_by_id", new_column_name="used_by_id")
    op.create_foreign_key(
        op.f("fk_suggestion_used_by_id_user_account"), "suggestion", "user_account", ["used_by_id"], ["id"]
    )
