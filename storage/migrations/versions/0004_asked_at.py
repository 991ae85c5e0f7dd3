"""Since when the holder of a task has known of it, so that it can move on from whoever is silent."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    # Whoever was prompted before this version knows of it since then.
    op.execute("UPDATE task SET asked_at = prompted_at WHERE person_id IS NOT NULL AND state IN ('open', 'claimed')")


def downgrade() -> None:
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_column("asked_at")
