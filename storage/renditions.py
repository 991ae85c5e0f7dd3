"""What a browser can show of an original, kept beside it: a voice that plays anywhere, a picture blurred and small."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ForeignKey, SmallInteger, String, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, SealedBytes, due_index


class Rendition(Base):
    """One rendition; without content it is still to be made, or cannot be made (then nothing is due)."""

    __tablename__ = "rendition"
    __table_args__ = (due_index("ix_rendition_due"),)

    media_id: Mapped[int] = mapped_column(ForeignKey("media.id"), primary_key=True, autoincrement=False)
    next_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    made_at: Mapped[datetime | None]
    content_type: Mapped[str | None] = mapped_column(String(60))
    content: Mapped[bytes | None] = mapped_column(SealedBytes("rendition.content"))


_R = Rendition.__table__
_NEW = insert(_R)
_DUE = (
    select(_R.c.media_id, _R.c.attempts)
    .where(_R.c.next_at <= bindparam("now"))
    .order_by(_R.c.next_at.desc(), _R.c.media_id.desc())  # what came just now is looked at just now
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_ONE = update(_R).where(_R.c.media_id == bindparam("b_id"))
_LEASE = _ONE.values(next_at=bindparam("until"), attempts=_R.c.attempts + 1)
_KEEP = _ONE.values(
    content=bindparam("content"), content_type=bindparam("content_type"), made_at=bindparam("now"), next_at=None
)
_LATER = _ONE.values(next_at=bindparam("next_at"))
_RELEASE = update(_R).where(_R.c.next_at > bindparam("now")).values(next_at=bindparam("now"))
_MADE = select(_R.c.media_id, _R.c.content_type).where(_R.c.made_at.is_not(None))
_OPENED = select(_R.c.content_type, _R.c.content).where(_R.c.media_id == bindparam("id"), _R.c.made_at.is_not(None))
_PICTURES = select(_R.c.media_id, _R.c.content).where(_R.c.content_type.startswith("image/", autoescape=True))


def expect(connection: Connection, media_id: int, now: datetime) -> None:
    """Note a rendition that has to be made."""
    connection.execute(_NEW, {"media_id": media_id, "next_at": now, "attempts": 0})


def claim(connection: Connection, now: datetime, until: datetime, limit: int) -> list[Any]:
    """Lease renditions to make until `until`: media_id, attempts."""
    rows = list(connection.execute(_DUE, {"now": now, "limit": limit}))
    if rows:
        connection.execute(_LEASE, [{"b_id": row.media_id, "until": until} for row in rows])
    return rows


def keep(connection: Connection, media_id: int, content: bytes, content_type: str, now: datetime) -> None:
    """Seal a rendition."""
    connection.execute(_KEEP, {"b_id": media_id, "content": content, "content_type": content_type, "now": now})


def later(connection: Connection, media_id: int, next_at: datetime | None) -> None:
    """Try again at `next_at`; None: it cannot be made."""
    connection.execute(_LATER, {"b_id": media_id, "next_at": next_at})


def made(connection: Connection, media_ids: Iterable[int]) -> dict[int, str]:
    """Which of some originals have a rendition: id → its type."""
    rows = connection.execute(_MADE.where(_R.c.media_id.in_(list(media_ids))))
    return {row.media_id: row.content_type for row in rows}


def blurred(connection: Connection, media_ids: Iterable[int]) -> dict[int, bytes]:
    """The small blurred pictures of some originals: id → JPEG."""
    rows = connection.execute(_PICTURES.where(_R.c.media_id.in_(list(media_ids))))
    return {row.media_id: row.content for row in rows}


def release(connection: Connection, now: datetime) -> None:
    """The only process starts: what waits for a lease or a next try is tried now."""
    connection.execute(_RELEASE, {"now": now})


def opened(connection: Connection, media_id: int) -> Any | None:  # noqa: ANN401 - a row
    """One rendition: content_type, content; None when there is none."""
    return connection.execute(_OPENED, {"id": media_id}).first()
