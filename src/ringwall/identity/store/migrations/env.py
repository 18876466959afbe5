"""Alembic's entry: runs the migrations on the connection that `upgrade.py` hands over, within its transaction."""

from alembic import context

from ringwall.identity.store.revisions import VERSION_TABLE
from ringwall.identity.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
