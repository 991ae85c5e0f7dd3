"""Due tasks are taken in the order of an index: the urgent ones, then the rest, what is one person's together."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
_DUE = sa.text("next_at IS NOT NULL")
_URGENT = sa.text("next_at IS NOT NULL AND urgency > 0")


def upgrade() -> None:
    op.drop_index("ix_task_due", table_name="task")
    op.create_index("ix_task_due", "task", ["next_at", "person_id"], sqlite_where=_DUE, postgresql_where=_DUE)
    op.create_index("ix_task_urgent", "task", ["next_at"], sqlite_where=_URGENT, postgresql_where=_URGENT)


def downgrade() -> None:
    op.drop_index("ix_task_urgent", table_name="task")
    op.drop_index("ix_task_due", table_name="task")
    op.create_index("ix_task_due", "task", ["next_at"], sqlite_where=_DUE, postgresql_where=_DUE)
