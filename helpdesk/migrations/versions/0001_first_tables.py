"""The desk's first tables: mailboxes and their ledger, tickets and messages, answers, outbox, accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('answer',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('line', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('source', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('keywords', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('public', sa.Boolean(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('review_by', sa.Date(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("line in ('abroad', 'return', 'resident_abroad', 'foreigner', 'none')", name=op.f('ck_answer_line_known')),
    sa.CheckConstraint("status in ('draft', 'approved', 'retired')", name=op.f('ck_answer_status_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_answer')),
    sa.UniqueConstraint('slug', 'version', name=op.f('uq_answer_slug_version'))
    )
    op.create_index('ix_answer_approved', 'answer', ['slug'], unique=True, postgresql_where=sa.text("status = 'approved'"))
    op.create_table('blob',
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_blob'))
    )
    op.create_table('mailbox',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('port', sa.BigInteger(), nullable=False),
    sa.Column('username', sa.Text(), nullable=False),
    sa.Column('password_file', sa.Text(), nullable=False),
    sa.Column('folder', sa.Text(), nullable=False),
    sa.Column('tls', sa.Boolean(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('poll_interval_s', sa.BigInteger(), nullable=False),
    sa.Column('polled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('succeeded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('holder', sa.Text(), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('poll_interval_s >= 1', name=op.f('ck_mailbox_poll_interval_positive')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mailbox')),
    sa.UniqueConstraint('name', name=op.f('uq_mailbox_name'))
    )
    op.create_table('number_series',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('year', sa.BigInteger(), nullable=False),
    sa.Column('last', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', 'year', name=op.f('pk_number_series'))
    )
    op.create_table('requester',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('email = lower(email)', name=op.f('ck_requester_email_lower')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requester')),
    sa.UniqueConstraint('email', name=op.f('uq_requester_email'))
    )
    op.create_table('user_account',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('password', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('demo', sa.Boolean(), nullable=False),
    sa.Column('fs_uniquifier', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("role in ('agent', 'supervisor', 'admin')", name=op.f('ck_user_account_role_known')),
    sa.CheckConstraint('email = lower(email)', name=op.f('ck_user_account_email_lower')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user_account')),
    sa.UniqueConstraint('email', name=op.f('uq_user_account_email')),
    sa.UniqueConstraint('fs_uniquifier', name=op.f('uq_user_account_fs_uniquifier'))
    )
    op.create_table('raw_mail',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('mailbox_id', sa.BigInteger(), nullable=False),
    sa.Column('folder', sa.Text(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger(), nullable=False),
    sa.Column('uid', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=True),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('truncated', sa.Boolean(), nullable=False),
    sa.Column('raw', sa.LargeBinary(), nullable=True),
    sa.Column('arrived_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('marked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('received', 'filed', 'duplicate', 'set_aside', 'vanished')", name=op.f('ck_raw_mail_state_known')),
    sa.ForeignKeyConstraint(['mailbox_id'], ['mailbox.id'], name=op.f('fk_raw_mail_mailbox_id_mailbox')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_raw_mail')),
    sa.UniqueConstraint('mailbox_id', 'folder', 'uidvalidity', 'uid', name=op.f('uq_raw_mail_mailbox_id_folder_uidvalidity_uid'))
    )
    op.create_index('ix_raw_mail_due', 'raw_mail', ['id'], unique=False, postgresql_where=sa.text("state = 'received'"))
    op.create_index('ix_raw_mail_set_aside', 'raw_mail', ['id'], unique=False, postgresql_where=sa.text("state in ('set_aside', 'vanished')"))
    op.create_index(op.f('ix_raw_mail_sha256'), 'raw_mail', ['sha256'], unique=False)
    op.create_index('ix_raw_mail_unmarked', 'raw_mail', ['mailbox_id'], unique=False, postgresql_where=sa.text('marked_at is null'))
    op.create_table('ticket',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('requester_id', sa.BigInteger(), nullable=True),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('snippet', sa.Text(), nullable=False),
    sa.Column('line', sa.Text(), nullable=True),
    sa.Column('line_by_agent', sa.Boolean(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('automatic', sa.Boolean(), nullable=False),
    sa.Column('assignee_id', sa.BigInteger(), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('waiting_since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('first_response_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('related_ticket_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("line in ('abroad', 'return', 'resident_abroad', 'foreigner', 'none')", name=op.f('ck_ticket_line_known')),
    sa.CheckConstraint("status in ('open', 'waiting', 'closed')", name=op.f('ck_ticket_status_known')),
    sa.ForeignKeyConstraint(['assignee_id'], ['user_account.id'], name=op.f('fk_ticket_assignee_id_user_account')),
    sa.ForeignKeyConstraint(['related_ticket_id'], ['ticket.id'], name=op.f('fk_ticket_related_ticket_id_ticket')),
    sa.ForeignKeyConstraint(['requester_id'], ['requester.id'], name=op.f('fk_ticket_requester_id_requester')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket')),
    sa.UniqueConstraint('number', name=op.f('uq_ticket_number'))
    )
    op.create_index('ix_ticket_assignee_id', 'ticket', ['assignee_id'], unique=False)
    op.create_index('ix_ticket_open', 'ticket', ['waiting_since'], unique=False, postgresql_where=sa.text("status = 'open'"))
    op.create_index('ix_ticket_opened_at', 'ticket', ['opened_at'], unique=False)
    op.create_index('ix_ticket_queue', 'ticket', ['status', 'line', 'waiting_since'], unique=False)
    op.create_index('ix_ticket_requester_id', 'ticket', ['requester_id'], unique=False)
    op.create_table('event',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['user_account.id'], name=op.f('fk_event_actor_id_user_account')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_event_ticket_id_ticket')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_event'))
    )
    op.create_index(op.f('ix_event_ticket_id'), 'event', ['ticket_id'], unique=False)
    op.create_table('message',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('direction', sa.Text(), nullable=False),
    sa.Column('author_id', sa.BigInteger(), nullable=True),
    sa.Column('sender_name', sa.Text(), nullable=False),
    sa.Column('sender_address', sa.Text(), nullable=True),
    sa.Column('recipient', sa.Text(), nullable=True),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('new_text', sa.Text(), nullable=False),
    sa.Column('html', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=True),
    sa.Column('references', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('written_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('automatic', sa.Text(), nullable=True),
    sa.Column('defects', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('raw_mail_id', sa.BigInteger(), nullable=True),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('bounced_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("direction in ('inbound', 'outbound', 'note')", name=op.f('ck_message_direction_known')),
    sa.ForeignKeyConstraint(['author_id'], ['user_account.id'], name=op.f('fk_message_author_id_user_account')),
    sa.ForeignKeyConstraint(['raw_mail_id'], ['raw_mail.id'], name=op.f('fk_message_raw_mail_id_raw_mail')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_message_ticket_id_ticket')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message')),
    sa.UniqueConstraint('raw_mail_id', name=op.f('uq_message_raw_mail_id'))
    )
    op.create_index('ix_message_message_id', 'message', ['message_id'], unique=False)
    op.create_index('ix_message_ticket_id', 'message', ['ticket_id'], unique=False)
    op.create_table('prediction',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('probability', sa.Double(), nullable=False),
    sa.Column('probabilities', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('why', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('abstained', sa.Boolean(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_prediction_ticket_id_ticket')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_prediction'))
    )
    op.create_index('ix_prediction_ticket_id', 'prediction', ['ticket_id'], unique=False)
    op.create_table('attachment',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('inline', sa.Boolean(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_attachment_message_id_message')),
    sa.ForeignKeyConstraint(['sha256'], ['blob.sha256'], name=op.f('fk_attachment_sha256_blob')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachment'))
    )
    op.create_index(op.f('ix_attachment_message_id'), 'attachment', ['message_id'], unique=False)
    op.create_index(op.f('ix_attachment_sha256'), 'attachment', ['sha256'], unique=False)
    op.create_table('outgoing',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('reply_id', sa.BigInteger(), nullable=True),
    sa.Column('notice', sa.Boolean(), nullable=False),
    sa.Column('idempotency_key', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=False),
    sa.Column('envelope_from', sa.Text(), nullable=False),
    sa.Column('recipient', sa.Text(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('send_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.Column('fence', sa.BigInteger(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.CheckConstraint("state in ('ready', 'handing', 'sent', 'uncertain', 'failed', 'cancelled')", name=op.f('ck_outgoing_state_known')),
    sa.ForeignKeyConstraint(['reply_id'], ['message.id'], name=op.f('fk_outgoing_reply_id_message')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_outgoing_ticket_id_ticket')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outgoing')),
    sa.UniqueConstraint('idempotency_key', name=op.f('uq_outgoing_idempotency_key')),
    sa.UniqueConstraint('message_id', name=op.f('uq_outgoing_message_id')),
    sa.UniqueConstraint('reply_id', name=op.f('uq_outgoing_reply_id'))
    )
    op.create_index('ix_outgoing_due', 'outgoing', ['send_at'], unique=False, postgresql_where=sa.text("state in ('ready', 'handing', 'uncertain')"))
    op.create_index('ix_outgoing_recipient', 'outgoing', ['recipient', 'created_at'], unique=False)
    op.create_index('ix_outgoing_ticket_id', 'outgoing', ['ticket_id'], unique=False)
    op.create_table('suggestion',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=False),
    sa.Column('answer_id', sa.BigInteger(), nullable=False),
    sa.Column('rank', sa.BigInteger(), nullable=False),
    sa.Column('score', sa.Double(), nullable=False),
    sa.Column('words', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_by_id', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['answer_id'], ['answer.id'], name=op.f('fk_suggestion_answer_id_answer')),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_suggestion_message_id_message')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_suggestion_ticket_id_ticket')),
    sa.ForeignKeyConstraint(['used_by_id'], ['user_account.id'], name=op.f('fk_suggestion_used_by_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_suggestion'))
    )
    op.create_index('ix_suggestion_ticket_id', 'suggestion', ['ticket_id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_suggestion_ticket_id', table_name='suggestion')
    op.drop_table('suggestion')
    op.drop_index('ix_outgoing_ticket_id', table_name='outgoing')
    op.drop_index('ix_outgoing_recipient', table_name='outgoing')
    op.drop_index('ix_outgoing_due', table_name='outgoing', postgresql_where=sa.text("state in ('ready', 'handing', 'uncertain')"))
    op.drop_table('outgoing')
    op.drop_index(op.f('ix_attachment_sha256'), table_name='attachment')
    op.drop_index(op.f('ix_attachment_message_id'), table_name='attachment')
    op.drop_table('attachment')
    op.drop_index('ix_prediction_ticket_id', table_name='prediction')
    op.drop_table('prediction')
    op.drop_index('ix_message_ticket_id', table_name='message')
    op.drop_index('ix_message_message_id', table_name='message')
    op.drop_table('message')
    op.drop_index(op.f('ix_event_ticket_id'), table_name='event')
    op.drop_table('event')
    op.drop_index('ix_ticket_requester_id', table_name='ticket')
    op.drop_index('ix_ticket_queue', table_name='ticket')
    op.drop_index('ix_ticket_opened_at', table_name='ticket')
    op.drop_index('ix_ticket_open', table_name='ticket', postgresql_where=sa.text("status = 'open'"))
    op.drop_index('ix_ticket_assignee_id', table_name='ticket')
    op.drop_table('ticket')
    op.drop_index('ix_raw_mail_unmarked', table_name='raw_mail', postgresql_where=sa.text('marked_at is null'))
    op.drop_index(op.f('ix_raw_mail_sha256'), table_name='raw_mail')
    op.drop_index('ix_raw_mail_set_aside', table_name='raw_mail', postgresql_where=sa.text("state in ('set_aside', 'vanished')"))
    op.drop_index('ix_raw_mail_due', table_name='raw_mail', postgresql_where=sa.text("state = 'received'"))
    op.drop_table('raw_mail')
    op.drop_table('user_account')
    op.drop_table('requester')
    op.drop_table('number_series')
    op.drop_table('mailbox')
    op.drop_table('blob')
    op.drop_index('ix_answer_approved', table_name='answer', postgresql_where=sa.text("status = 'approved'"))
    op.drop_table('answer')
