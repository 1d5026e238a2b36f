"""Mailboxes with OAuth and IDLE, reconciliation, participants, merging and links, copies of mail, previews, scans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

MAIL_STATES = "state in ('received', 'filed', 'duplicate', 'set_aside', 'vanished'{})"
CHECKS = (
    ('mailbox', 'kind_known', "kind in ('imap', 'import')"),
    ('mailbox', 'auth_known', "auth in ('password', 'xoauth2', 'oauthbearer')"),
    ('mailbox', 'oauth_grant_known', "oauth_grant in ('client_credentials', 'refresh_token')"),
    ('mailbox', 'default_line_known', "default_line in ('abroad', 'return', 'resident_abroad', 'foreigner')"),
    ('blob', 'scan_known', "scan in ('not_asked', 'waiting', 'clean', 'infected')"),
)


def upgrade() -> None:
    op.create_table('service_health',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('failures', sa.BigInteger(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('error_kind', sa.Text(), nullable=True),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_service_health'))
    )
    op.create_table('preview',
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=True),
    sa.Column('width', sa.BigInteger(), nullable=True),
    sa.Column('height', sa.BigInteger(), nullable=True),
    sa.Column('content', sa.LargeBinary(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['sha256'], ['blob.sha256'], name=op.f('fk_preview_sha256_blob')),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_preview'))
    )
    op.create_table('reconciliation',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('mailbox_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('folder', sa.Text(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger(), nullable=False),
    sa.Column('on_server', sa.BigInteger(), nullable=False),
    sa.Column('accounted', sa.BigInteger(), nullable=False),
    sa.Column('received', sa.BigInteger(), nullable=False),
    sa.Column('gone', sa.BigInteger(), nullable=False),
    sa.Column('states', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['mailbox_id'], ['mailbox.id'], name=op.f('fk_reconciliation_mailbox_id_mailbox')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reconciliation'))
    )
    op.create_index(op.f('ix_reconciliation_mailbox_id'), 'reconciliation', ['mailbox_id'], unique=False)
    op.create_table('participant',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('added_by_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('address = lower(address)', name=op.f('ck_participant_address_lower')),
    sa.ForeignKeyConstraint(['added_by_id'], ['user_account.id'], name=op.f('fk_participant_added_by_id_user_account')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_participant_ticket_id_ticket')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_participant')),
    sa.UniqueConstraint('ticket_id', 'address', name=op.f('uq_participant_ticket_id_address'))
    )
    op.create_table('ticket_link',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.BigInteger(), nullable=False),
    sa.Column('other_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind in ('follows', 'mentions', 'split_from', 'see_also')", name=op.f('ck_ticket_link_kind_known')),
    sa.CheckConstraint('ticket_id <> other_id', name=op.f('ck_ticket_link_two_tickets')),
    sa.ForeignKeyConstraint(['other_id'], ['ticket.id'], name=op.f('fk_ticket_link_other_id_ticket')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_ticket_link_ticket_id_ticket')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_link')),
    sa.UniqueConstraint('ticket_id', 'other_id', name=op.f('uq_ticket_link_ticket_id_other_id'))
    )
    op.create_index(op.f('ix_ticket_link_other_id'), 'ticket_link', ['other_id'], unique=False)
    op.add_column('attachment', sa.Column('content_id', sa.Text(), nullable=True))
    op.add_column('attachment', sa.Column('detected_type', sa.Text(), nullable=True))
    op.add_column('blob', sa.Column('scan', sa.Text(), server_default='not_asked', nullable=False))
    op.alter_column('blob', 'scan', server_default=None)
    op.add_column('blob', sa.Column('scanned_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('blob', sa.Column('scan_result', sa.Text(), nullable=True))
    op.create_index('ix_blob_scan_waiting', 'blob', ['sha256'], unique=False, postgresql_where=sa.text("scan = 'waiting'"))
    op.add_column('mailbox', sa.Column('kind', sa.Text(), server_default='imap', nullable=False))
    op.alter_column('mailbox', 'kind', server_default=None)
    op.add_column('mailbox', sa.Column('default_line', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('auth', sa.Text(), server_default='password', nullable=False))
    op.alter_column('mailbox', 'auth', server_default=None)
    op.add_column('mailbox', sa.Column('oauth_grant', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('token_url', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('client_id', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('client_secret_file', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('scope', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('idle', sa.Boolean(), server_default=sa.true(), nullable=False))
    op.alter_column('mailbox', 'idle', server_default=None)
    op.add_column('mailbox', sa.Column('sent_folder', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False))
    op.add_column('mailbox', sa.Column('due_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False))
    op.add_column('mailbox', sa.Column('error_kind', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('halted_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('mailbox', sa.Column('watcher', sa.Text(), nullable=True))
    op.add_column('mailbox', sa.Column('watch_until', sa.DateTime(timezone=True), nullable=True))
    op.add_column('message', sa.Column('bounce_status', sa.Text(), nullable=True))
    op.add_column('message', sa.Column('cc', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False))
    op.alter_column('message', 'cc', server_default=None)
    op.add_column('message', sa.Column('contains', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False))
    op.alter_column('message', 'contains', server_default=None)
    op.add_column('message', sa.Column('forwarded_by', sa.Text(), nullable=True))
    op.add_column('message', sa.Column('written_elsewhere', sa.Text(), nullable=True))
    op.add_column('outgoing', sa.Column('copied_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('outgoing', sa.Column('bounced_at', sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f('uq_outgoing_idempotency_key'), 'outgoing', type_='unique')
    op.drop_constraint(op.f('uq_outgoing_message_id'), 'outgoing', type_='unique')
    op.drop_constraint(op.f('uq_outgoing_reply_id'), 'outgoing', type_='unique')
    op.create_index('ix_message_sender_address', 'message', ['sender_address', 'at'], unique=False)
    op.create_index('ix_outgoing_notices', 'outgoing', ['created_at'], unique=False, postgresql_where=sa.text('notice'))
    op.create_index('ix_raw_mail_arrived_at', 'raw_mail', ['arrived_at', 'id'], unique=False)
    op.create_index('ix_raw_mail_state', 'raw_mail', ['state', 'arrived_at', 'id'], unique=False)
    op.create_index('ix_outgoing_to_copy', 'outgoing', ['id'], unique=False, postgresql_where=sa.text("state = 'sent' and copied_at is null and not notice"))
    op.create_unique_constraint(op.f('uq_outgoing_idempotency_key_recipient'), 'outgoing', ['idempotency_key', 'recipient'])
    op.create_unique_constraint(op.f('uq_outgoing_message_id_recipient'), 'outgoing', ['message_id', 'recipient'])
    op.create_unique_constraint(op.f('uq_outgoing_reply_id_recipient'), 'outgoing', ['reply_id', 'recipient'])
    op.add_column('raw_mail', sa.Column('body_sha256', sa.Text(), nullable=True))
    op.add_column('raw_mail', sa.Column('sent', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.alter_column('raw_mail', 'sent', server_default=None)
    op.create_index(op.f('ix_raw_mail_body_sha256'), 'raw_mail', ['body_sha256'], unique=False)
    op.add_column('ticket', sa.Column('merged_into_id', sa.BigInteger(), nullable=True))
    op.add_column('ticket', sa.Column('review_of_id', sa.BigInteger(), nullable=True))
    op.create_index(op.f('ix_ticket_merged_into_id'), 'ticket', ['merged_into_id'], unique=False)
    op.create_index(op.f('ix_ticket_review_of_id'), 'ticket', ['review_of_id'], unique=False)
    op.drop_constraint(op.f('fk_ticket_related_ticket_id_ticket'), 'ticket', type_='foreignkey')
    op.create_foreign_key(op.f('fk_ticket_review_of_id_ticket'), 'ticket', 'ticket', ['review_of_id'], ['id'])
    op.create_foreign_key(op.f('fk_ticket_merged_into_id_ticket'), 'ticket', 'ticket', ['merged_into_id'], ['id'])
    # What one ticket could name became a list of links.
    op.execute("insert into ticket_link (ticket_id, other_id, kind, at)"
               " select id, related_ticket_id, 'mentions', opened_at from ticket where related_ticket_id is not null")
    op.drop_column('ticket', 'related_ticket_id')
    for table, name, rule in CHECKS:
        op.create_check_constraint(op.f(f'ck_{table}_{name}'), table, rule)
    op.drop_constraint(op.f('ck_raw_mail_state_known'), 'raw_mail', type_='check')
    op.create_check_constraint(op.f('ck_raw_mail_state_known'), 'raw_mail', MAIL_STATES.format(", 'unrelated'"))


def downgrade() -> None:
    for table, name, _ in CHECKS:
        op.drop_constraint(op.f(f'ck_{table}_{name}'), table, type_='check')
    op.execute("delete from raw_mail where state = 'unrelated'")
    op.drop_constraint(op.f('ck_raw_mail_state_known'), 'raw_mail', type_='check')
    op.create_check_constraint(op.f('ck_raw_mail_state_known'), 'raw_mail', MAIL_STATES.format(''))
    op.add_column('ticket', sa.Column('related_ticket_id', sa.BIGINT(), autoincrement=False, nullable=True))
    op.execute("update ticket set related_ticket_id = link.other_id from ticket_link link"
               " where link.ticket_id = ticket.id and link.kind = 'mentions'")
    op.drop_constraint(op.f('fk_ticket_merged_into_id_ticket'), 'ticket', type_='foreignkey')
    op.drop_constraint(op.f('fk_ticket_review_of_id_ticket'), 'ticket', type_='foreignkey')
    op.create_foreign_key(op.f('fk_ticket_related_ticket_id_ticket'), 'ticket', 'ticket', ['related_ticket_id'], ['id'])
    op.drop_index(op.f('ix_ticket_review_of_id'), table_name='ticket')
    op.drop_index(op.f('ix_ticket_merged_into_id'), table_name='ticket')
    op.drop_column('ticket', 'review_of_id')
    op.drop_column('ticket', 'merged_into_id')
    op.drop_index(op.f('ix_raw_mail_body_sha256'), table_name='raw_mail')
    op.drop_column('raw_mail', 'sent')
    op.drop_column('raw_mail', 'body_sha256')
    op.drop_constraint(op.f('uq_outgoing_reply_id_recipient'), 'outgoing', type_='unique')
    op.drop_constraint(op.f('uq_outgoing_message_id_recipient'), 'outgoing', type_='unique')
    op.drop_constraint(op.f('uq_outgoing_idempotency_key_recipient'), 'outgoing', type_='unique')
    op.drop_index('ix_message_sender_address', table_name='message')
    op.drop_index('ix_outgoing_notices', table_name='outgoing')
    op.drop_index('ix_raw_mail_state', table_name='raw_mail')
    op.drop_index('ix_raw_mail_arrived_at', table_name='raw_mail')
    op.drop_index('ix_outgoing_to_copy', table_name='outgoing', postgresql_where=sa.text("state = 'sent' and copied_at is null"))
    op.create_unique_constraint(op.f('uq_outgoing_reply_id'), 'outgoing', ['reply_id'], postgresql_nulls_not_distinct=False)
    op.create_unique_constraint(op.f('uq_outgoing_message_id'), 'outgoing', ['message_id'], postgresql_nulls_not_distinct=False)
    op.create_unique_constraint(op.f('uq_outgoing_idempotency_key'), 'outgoing', ['idempotency_key'], postgresql_nulls_not_distinct=False)
    op.drop_column('outgoing', 'bounced_at')
    op.drop_column('outgoing', 'copied_at')
    op.drop_column('message', 'written_elsewhere')
    op.drop_column('message', 'forwarded_by')
    op.drop_column('message', 'contains')
    op.drop_column('message', 'cc')
    op.drop_column('message', 'bounce_status')
    op.drop_column('mailbox', 'watch_until')
    op.drop_column('mailbox', 'watcher')
    op.drop_column('mailbox', 'halted_at')
    op.drop_column('mailbox', 'error_kind')
    op.drop_column('mailbox', 'due_at')
    op.drop_column('mailbox', 'created_at')
    op.drop_column('mailbox', 'sent_folder')
    op.drop_column('mailbox', 'idle')
    op.drop_column('mailbox', 'scope')
    op.drop_column('mailbox', 'client_secret_file')
    op.drop_column('mailbox', 'client_id')
    op.drop_column('mailbox', 'token_url')
    op.drop_column('mailbox', 'oauth_grant')
    op.drop_column('mailbox', 'auth')
    op.drop_column('mailbox', 'default_line')
    op.drop_column('mailbox', 'kind')
    op.drop_index('ix_blob_scan_waiting', table_name='blob', postgresql_where=sa.text("scan = 'waiting'"))
    op.drop_column('blob', 'scan_result')
    op.drop_column('blob', 'scanned_at')
    op.drop_column('blob', 'scan')
    op.drop_column('attachment', 'detected_type')
    op.drop_column('attachment', 'content_id')
    op.drop_index(op.f('ix_ticket_link_other_id'), table_name='ticket_link')
    op.drop_table('ticket_link')
    op.drop_table('participant')
    op.drop_index(op.f('ix_reconciliation_mailbox_id'), table_name='reconciliation')
    op.drop_table('reconciliation')
    op.drop_table('preview')
    op.drop_table('service_health')
