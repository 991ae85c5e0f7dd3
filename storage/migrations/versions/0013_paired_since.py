"""A child says since when both sides of its pair have had somebody, so that those without are found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
_UNPAIRED = sa.text("off_file_at IS NULL AND paired_since IS NULL")
_PAIRED = """
    UPDATE child SET paired_since = on_file_since
    WHERE EXISTS (
        SELECT 1 FROM pairing WHERE pairing.child_id = child.id AND pairing.side = 'cadre' AND pairing.until IS NULL
    ) AND (school_id IS NULL OR EXISTS (
        SELECT 1 FROM pairing WHERE pairing.child_id = child.id AND pairing.side = 'teacher' AND pairing.until IS NULL
    ))
"""


def upgrade() -> None:
    op.add_column("child", sa.Column("paired_since", sa.DateTime(timezone=True), nullable=True))
    op.execute(_PAIRED)
    columns = ["area_id", "on_file_since", "id", "off_file_at", "paired_since"]
    op.create_index("ix_child_unpaired", "child", columns, sqlite_where=_UNPAIRED, postgresql_where=_UNPAIRED)


def downgrade() -> None:
    op.drop_index("ix_child_unpaired", table_name="child")
    op.drop_column("child", "paired_since")
