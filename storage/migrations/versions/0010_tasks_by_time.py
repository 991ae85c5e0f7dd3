"""Indexes to find tasks by when they were due or ended, not by area: the digest looks at few days of many years."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_task_area", table_name="task")
    op.create_index("ix_task_kind", "task", ["kind", "due_at"])
    op.create_index("ix_task_state", "task", ["state", "kind", "due_at"])
    op.create_index("ix_task_ended", "task", ["ended_at"], sqlite_where=_ENDED, postgresql_where=_ENDED)


def downgrade() -> None:
    for name in ("ix_task_ended", "ix_task_state", "ix_task_kind"):
        op.drop_index(name, table_name="task")
    op.create_index("ix_task_area", "task", ["area_id", "state", "kind"])
