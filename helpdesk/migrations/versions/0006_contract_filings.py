"""Contract filings and constancias, their drafts, looks and controls; how often something is asked; a ticket's channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    _ask_count()
    _inspection_draw()
    _filing()
    _filed_worker()
    _filing_draft()
    _filing_look()
    _inspection()
    _constancia()
    op.alter_column("outgoing", "ticket_id", existing_type=sa.BIGINT(), nullable=True)
    op.add_column("ticket", sa.Column("channel", sa.Text(), nullable=False, server_default="mail"))
    op.alter_column("ticket", "channel", server_default=None)
    op.create_check_constraint(
        op.f("ck_ticket_channel_known"), "ticket", "channel in ('mail', 'web', 'constancia')"
    )


def _ask_count() -> None:
    op.create_table(
        "ask_count",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("minute", INSTANT, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", "who", "minute", name=op.f("pk_ask_count")),
    )
    op.create_index(op.f("ix_ask_count_minute"), "ask_count", ["minute"], unique=False)


def _inspection_draw() -> None:
    op.create_table(
        "inspection_draw",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("semester", sa.Text(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("share", sa.Numeric(precision=5, scale=4), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.Column("population", JSON, nullable=False),
        sa.Column("drawn", JSON, nullable=False),
        sa.Column("drawn_at", INSTANT, nullable=False),
        sa.Column("drawn_by_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("share > 0 and share <= 1", name=op.f("ck_inspection_draw_share_of_one")),
        sa.ForeignKeyConstraint(
            ["drawn_by_id"], ["user_account.id"], name=op.f("fk_inspection_draw_drawn_by_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_draw")),
    )
    op.create_index(op.f("ix_inspection_draw_semester"), "inspection_draw", ["semester"], unique=False)


def _filing() -> None:
    op.create_table(
        "filing",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("follows_id", sa.BigInteger(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("employer_ruc", sa.Text(), nullable=False),
        sa.Column("employer_name", sa.Text(), nullable=False),
        sa.Column("employer_address", sa.Text(), nullable=False),
        sa.Column("employer_ubigeo", sa.Text(), nullable=False),
        sa.Column("employer_activity", sa.Text(), nullable=False),
        sa.Column("representative", JSON, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("contract_type", sa.Text(), nullable=False),
        sa.Column("signed", sa.Date(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=True),
        sa.Column("occupation", sa.Text(), nullable=False),
        sa.Column("workplace_address", sa.Text(), nullable=False),
        sa.Column("workplace_ubigeo", sa.Text(), nullable=False),
        sa.Column("pay", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("hours_per_week", sa.Numeric(precision=6, scale=2), nullable=True),
        sa.Column("declarations", JSON, nullable=False),
        sa.Column("contract_name", sa.Text(), nullable=True),
        sa.Column("contract_mime", sa.Text(), nullable=True),
        sa.Column("contract_sha256", sa.Text(), nullable=True),
        sa.Column("filed_at", INSTANT, nullable=False),
        sa.Column("counts_on", sa.Date(), nullable=False),
        sa.Column("observations", JSON, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("corrected_at", INSTANT, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "category in ('individual', 'company', 'seasonal', 'border')",
            name=op.f("ck_filing_category_known"),
        ),
        sa.CheckConstraint(
            "kind in ('registration', 'extension', 'modification', 'correction', 'end', 'duplicate')",
            name=op.f("ck_filing_kind_known"),
        ),
        sa.CheckConstraint("source in ('web', 'file', 'import')", name=op.f("ck_filing_source_known")),
        sa.CheckConstraint(
            "state in ('observed', 'registered', 'lapsed', 'refused')", name=op.f("ck_filing_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["contract_sha256"], ["blob.sha256"], name=op.f("fk_filing_contract_sha256_blob")
        ),
        sa.ForeignKeyConstraint(["follows_id"], ["filing.id"], name=op.f("fk_filing_follows_id_filing")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_filing_ticket_id_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filing")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_filing_idempotency_key")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_filing_ticket_id")),
    )
    op.create_index(
        "ix_filing_due_on", "filing", ["due_on"], unique=False, postgresql_where=sa.text("state = 'observed'")
    )
    op.create_index("ix_filing_email", "filing", ["email"], unique=False)
    op.create_index("ix_filing_employer_ruc", "filing", ["employer_ruc"], unique=False)
    op.create_index("ix_filing_filed_at", "filing", ["filed_at"], unique=False)
    op.create_index(op.f("ix_filing_follows_id"), "filing", ["follows_id"], unique=False)


def _filed_worker() -> None:
    op.create_table(
        "filed_worker",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("filing_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("nationality", sa.Text(), nullable=False),
        sa.Column("document_type", sa.Text(), nullable=False),
        sa.Column("document_number", sa.Text(), nullable=False),
        sa.Column("surnames", sa.Text(), nullable=False),
        sa.Column("given_names", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("marital_status", sa.Text(), nullable=False),
        sa.Column("address_abroad", sa.Text(), nullable=False),
        sa.Column("address_peru", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "nationality in ('BOL', 'COL', 'ECU')", name=op.f("ck_filed_worker_nationality_known")
        ),
        sa.ForeignKeyConstraint(["filing_id"], ["filing.id"], name=op.f("fk_filed_worker_filing_id_filing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filed_worker")),
        sa.UniqueConstraint("filing_id", "position", name=op.f("uq_filed_worker_filing_id_position")),
    )
    op.create_index("ix_filed_worker_document_number", "filed_worker", ["document_number"], unique=False)
    op.create_index(
        "ix_filed_worker_words",
        "filed_worker",
        [sa.literal_column("to_tsvector('simple'::regconfig, words)")],
        unique=False,
        postgresql_using="gin",
    )


def _filing_draft() -> None:
    op.create_table(
        "filing_draft",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("code_sha256", sa.Text(), nullable=True),
        sa.Column("code_sent_at", INSTANT, nullable=True),
        sa.Column("code_tries", sa.BigInteger(), nullable=False),
        sa.Column("codes_sent", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("follows_id", sa.BigInteger(), nullable=True),
        sa.Column("corrects_id", sa.BigInteger(), nullable=True),
        sa.Column("contract_name", sa.Text(), nullable=True),
        sa.Column("contract_mime", sa.Text(), nullable=True),
        sa.Column("contract_sha256", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("filing_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contract_sha256"], ["blob.sha256"], name=op.f("fk_filing_draft_contract_sha256_blob")
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["filing.id"], name=op.f("fk_filing_draft_corrects_id_filing")
        ),
        sa.ForeignKeyConstraint(["filing_id"], ["filing.id"], name=op.f("fk_filing_draft_filing_id_filing")),
        sa.ForeignKeyConstraint(
            ["follows_id"], ["filing.id"], name=op.f("fk_filing_draft_follows_id_filing")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filing_draft")),
    )
    op.create_index(op.f("ix_filing_draft_corrects_id"), "filing_draft", ["corrects_id"], unique=False)
    op.create_index(op.f("ix_filing_draft_filing_id"), "filing_draft", ["filing_id"], unique=False)
    op.create_index(op.f("ix_filing_draft_follows_id"), "filing_draft", ["follows_id"], unique=False)
    op.create_index(op.f("ix_filing_draft_updated_at"), "filing_draft", ["updated_at"], unique=False)


def _filing_look() -> None:
    op.create_table(
        "filing_look",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("filing_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["filing_id"], ["filing.id"], name=op.f("fk_filing_look_filing_id_filing")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_filing_look_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filing_look")),
    )
    op.create_index("ix_filing_look_filing_id", "filing_look", ["filing_id", "at"], unique=False)


def _inspection() -> None:
    op.create_table(
        "inspection",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("draw_id", sa.BigInteger(), nullable=False),
        sa.Column("filing_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state in ('open', 'in_progress', 'conforming', 'irregular')",
            name=op.f("ck_inspection_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["user_account.id"], name=op.f("fk_inspection_assignee_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["draw_id"], ["inspection_draw.id"], name=op.f("fk_inspection_draw_id_inspection_draw")
        ),
        sa.ForeignKeyConstraint(["filing_id"], ["filing.id"], name=op.f("fk_inspection_filing_id_filing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection")),
        sa.UniqueConstraint("filing_id", name=op.f("uq_inspection_filing_id")),
    )
    op.create_index(op.f("ix_inspection_draw_id"), "inspection", ["draw_id"], unique=False)


def _constancia() -> None:
    op.create_table(
        "constancia",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("worker_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("replaced_by_id", sa.BigInteger(), nullable=True),
        sa.Column("annulled_at", INSTANT, nullable=True),
        sa.Column("annulled_by_id", sa.BigInteger(), nullable=True),
        sa.Column("annulment", sa.Text(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("sealed_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(state = 'annulled') = (annulled_at is not null)", name=op.f("ck_constancia_annulled_with_date")
        ),
        sa.CheckConstraint(
            "state in ('sealing', 'valid', 'replaced', 'annulled')", name=op.f("ck_constancia_state_known")
        ),
        sa.CheckConstraint(
            "ordinal is null or code is not null", name=op.f("ck_constancia_issued_with_code")
        ),
        sa.ForeignKeyConstraint(
            ["annulled_by_id"], ["user_account.id"], name=op.f("fk_constancia_annulled_by_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by_id"], ["constancia.id"], name=op.f("fk_constancia_replaced_by_id_constancia")
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["filed_worker.id"], name=op.f("fk_constancia_worker_id_filed_worker")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_constancia")),
        sa.UniqueConstraint("code", name=op.f("uq_constancia_code")),
        sa.UniqueConstraint("number", name=op.f("uq_constancia_number")),
        sa.UniqueConstraint("worker_id", name=op.f("uq_constancia_worker_id")),
        sa.UniqueConstraint("year", "ordinal", name=op.f("uq_constancia_year_ordinal")),
    )
    op.create_index("ix_constancia_issued_at", "constancia", ["issued_at"], unique=False)
    op.create_index(op.f("ix_constancia_replaced_by_id"), "constancia", ["replaced_by_id"], unique=False)
    op.create_index(
        "ix_constancia_sealing",
        "constancia",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'sealing'"),
    )
    op.create_index("ix_constancia_sha256", "constancia", ["sha256"], unique=False)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_ticket_channel_known"), "ticket", type_="check")
    op.drop_column("ticket", "channel")
    op.execute("delete from outgoing where ticket_id is null")
    op.alter_column("outgoing", "ticket_id", existing_type=sa.BigInteger(), nullable=False)
    for table in (
        *(
            "constancia",
            "inspection",
            "filing_look",
            "filing_draft",
            "filed_worker",
            "filing",
            "inspection_draw",
        ),
        "ask_count",
    ):
        op.drop_table(table)
