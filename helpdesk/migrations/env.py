"""Alembic's entry: run the migrations inside one transaction on the address that `helpdesk.db` gives."""

from alembic import context
from sqlalchemy import create_engine, pool

from helpdesk.certificates.tables import metadata

config = context.config


def run() -> None:
    """Migrate; a migration that fails leaves the schema as it was (PostgreSQL's DDL is transactional)."""
    engine = create_engine(config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            # Two processes that migrate at once wait for each other here.
            connection.exec_driver_sql("select pg_advisory_xact_lock(7263501)")
            context.run_migrations()
        connection.commit()


run()
