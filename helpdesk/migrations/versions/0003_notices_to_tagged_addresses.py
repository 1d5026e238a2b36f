"""Find the notices to addresses with a tag (ana+1@…) without looking at all of a day's notices.

The limit of notices counts what one person gets, whatever tags somebody makes up (T09).
"""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_outgoing_tagged",
        "outgoing",
        ["created_at"],
        postgresql_where=text("notice and strpos(recipient, '+') > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_outgoing_tagged", table_name="outgoing")
