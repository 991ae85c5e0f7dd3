"""Who agreed to be sent which subscription notice."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "opt_in",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("template_id", sa.String(64), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_opt_in_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_in")),
        sa.UniqueConstraint("contact_id", "template_id", name=op.f("uq_opt_in_contact_id_template_id")),
    )


def downgrade() -> None:
    op.drop_table("opt_in")
