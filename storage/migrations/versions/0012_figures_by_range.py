"""Indexes that hold what a digest counts: children on file, live pairings and tasks, and what happened lately."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_LIVE = {
    "ix_child_on_file": ("child", "off_file_at", ["area_id", "level", "on_file_since", "id"]),
    "ix_child_contact": (
        "child", "off_file_at", ["level", "last_contact_on", "level_since", "on_file_since", "area_id", "id"]
    ),
    "ix_pairing_live": ("pairing", "until", ["child_id", "side", "person_id"]),
    "ix_task_live": ("task", "ended_at", ["kind", "due_at", "area_id", "opened_at", "id"]),
}  # fmt: skip
_OFF_FILE = sa.text("off_file_at IS NOT NULL")


def upgrade() -> None:
    for name, (table, end, columns) in _LIVE.items():
        lives = sa.text(f"{end} IS NULL")
        op.create_index(name, table, [*columns, end], sqlite_where=lives, postgresql_where=lives)
    op.create_index("ix_child_off_file", "child", ["off_file_at"], sqlite_where=_OFF_FILE, postgresql_where=_OFF_FILE)
    op.drop_index("ix_child_area_level", table_name="child")
    op.drop_index("ix_pairing_child_id", table_name="pairing")
    op.drop_index("ix_task_state", table_name="task")
    op.drop_index("ix_report_area_opened", table_name="report")
    op.create_index("ix_report_opened", "report", ["opened_at"])
    op.drop_index("ix_report_stage", table_name="report")
    op.create_index("ix_report_stage", "report", ["stage", "opened_at", "police_receipt_at"])
    op.create_index("ix_step_at", "step", ["at"])
    op.create_index("ix_visit_recorded_at", "visit", ["recorded_at"])


def downgrade() -> None:
    op.drop_index("ix_visit_recorded_at", table_name="visit")
    op.drop_index("ix_step_at", table_name="step")
    op.drop_index("ix_report_stage", table_name="report")
    op.create_index("ix_report_stage", "report", ["stage", "opened_at"])
    op.drop_index("ix_report_opened", table_name="report")
    op.create_index("ix_report_area_opened", "report", ["area_id", "opened_at"])
    op.create_index("ix_task_state", "task", ["state", "kind", "due_at"])
    op.create_index("ix_pairing_child_id", "pairing", ["child_id"])
    op.create_index("ix_child_area_level", "child", ["area_id", "level"])
    op.drop_index("ix_child_off_file", table_name="child")
    for name, (table, _, _) in _LIVE.items():
        op.drop_index(name, table_name=table)
