"""The list of what a leaver handed over, and who signed it when."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "handover",
        sa.Column("id", number, nullable=False),
        sa.Column("from_id", number, nullable=False),
        sa.Column("to_id", number, nullable=False),
        sa.Column("area_id", number, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.Column("contact_id", number, nullable=True),
        sa.Column("from_signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_signed_by_id", number, nullable=True),
        sa.Column("to_signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_signed_by_id", number, nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_handover_area_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_handover_contact_id")),
        sa.ForeignKeyConstraint(["from_id"], ["person.id"], name=op.f("fk_handover_from_id")),
        sa.ForeignKeyConstraint(["from_signed_by_id"], ["person.id"], name=op.f("fk_handover_from_signed_by_id")),
        sa.ForeignKeyConstraint(["to_id"], ["person.id"], name=op.f("fk_handover_to_id")),
        sa.ForeignKeyConstraint(["to_signed_by_id"], ["person.id"], name=op.f("fk_handover_to_signed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index("ix_handover_contact_id", "handover", ["contact_id"], unique=False)
    op.create_index("ix_handover_from_id", "handover", ["from_id"], unique=False)
    op.create_index("ix_handover_to_id", "handover", ["to_id"], unique=False)


def downgrade() -> None:
    op.drop_table("handover")
