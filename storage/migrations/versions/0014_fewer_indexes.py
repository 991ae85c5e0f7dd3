"""A message writes fewer indexes: of jobs only where there is one, and none of a column that nobody read."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_HAS_JOB = sa.text("job_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_outbox_job_id", table_name="outbox")
    op.create_index("ix_outbox_job", "outbox", ["job_id"], sqlite_where=_HAS_JOB, postgresql_where=_HAS_JOB)
    op.drop_index("ix_conversation_quiet_at", table_name="conversation")
    op.drop_column("conversation", "quiet_at")


def downgrade() -> None:
    op.add_column("conversation", sa.Column("quiet_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_conversation_quiet_at", "conversation", ["quiet_at"])
    op.drop_index("ix_outbox_job", table_name="outbox")
    op.create_index("ix_outbox_job_id", "outbox", ["job_id"])
