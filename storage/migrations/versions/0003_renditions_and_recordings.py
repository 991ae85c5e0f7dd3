"""Renditions beside the originals, the county's recordings, and who was told that an original did not come."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "recording",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("media_id", sa.String(length=128), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recording")),
    )
    op.create_table(
        "rendition",
        sa.Column(
            "media_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content_type", sa.String(length=60), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_rendition_media_id")),
        sa.PrimaryKeyConstraint("media_id", name=op.f("pk_rendition")),
    )
    op.create_index(
        "ix_rendition_due",
        "rendition",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    with op.batch_alter_table("media", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    # What was kept before this version gets its renditions too, as soon as the bot runs.
    op.execute(
        "INSERT INTO rendition (media_id, next_at, attempts) SELECT id, fetched_at, 0 FROM media "
        "WHERE state = 'kept' AND (content_type LIKE 'image/%' OR content_type LIKE 'audio/%')"
    )


def downgrade() -> None:
    with op.batch_alter_table("media", schema=None) as batch_op:
        batch_op.drop_column("told_at")

    op.drop_table("rendition")
    op.drop_table("recording")
