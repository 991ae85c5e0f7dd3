"""An index to find what was pushed to somebody last."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_PUSHED = sa.text("settled_at IS NOT NULL AND kind NOT IN ('reply', 'alarm')")


def upgrade() -> None:
    op.create_index(
        "ix_outbox_pushed", "outbox", ["contact_id", "settled_at"], sqlite_where=_PUSHED, postgresql_where=_PUSHED
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_pushed", table_name="outbox")
