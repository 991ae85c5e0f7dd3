"""Alembic runs this file: the migrations, on the connection that `storage.migrate` opened."""

from alembic import context

from storage.migrate import render
from storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    compare_type=True,
    compare_server_default=True,
    render_as_batch=context.get_head_revision() is not None,  # SQLite changes little in place; the first one only adds
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
