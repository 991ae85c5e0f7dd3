"""Media people sent: fetched before the platform forgets them (three days), sealed with their hash."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, ForeignKey, SmallInteger, String, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id, Sealed, SealedBytes, due_index


class MediaState(StrEnum):
    """`waiting`: to be fetched; `lost`: the platform no longer has it."""

    WAITING = "waiting"
    KEPT = "kept"
    LOST = "lost"


class Media(Base):
    """One original, never recompressed."""

    __tablename__ = "media"
    __table_args__ = (due_index("ix_media_due"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    report_id: Mapped[int | None] = mapped_column(ForeignKey("report.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    platform_id: Mapped[str] = mapped_column(Sealed("media.platform_id"))
    state: Mapped[str] = mapped_column(String(10))
    received_at: Mapped[datetime]
    fetched_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    content: Mapped[bytes | None] = mapped_column(SealedBytes("media.content"))
    content_type: Mapped[str | None] = mapped_column(String(60))
    sha256: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None]


_M = Media.__table__
_NEW = insert(_M).returning(_M.c.id)
_DUE = (
    select(_M.c.id, _M.c.platform_id, _M.c.kind, _M.c.attempts, _M.c.received_at)
    .where(_M.c.next_at <= bindparam("now"))
    .order_by(_M.c.next_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_LEASE = update(_M).where(_M.c.id == bindparam("b_id")).values(next_at=bindparam("until"), attempts=_M.c.attempts + 1)
_SET = update(_M).where(_M.c.id == bindparam("b_id"), _M.c.state == MediaState.WAITING)
_KEEP = _SET.values(
    state=MediaState.KEPT, content=bindparam("content"), content_type=bindparam("content_type"),
    sha256=bindparam("sha256"), size=bindparam("size"), fetched_at=bindparam("now"), next_at=None,
)  # fmt: skip
_LATER = _SET.values(next_at=bindparam("next_at"), state=bindparam("new_state"))


def expect(connection: Connection, report_id: int | None, kind: str, platform_id: str, now: datetime) -> int:
    """Note an original that has to be fetched; its id."""
    number: int = connection.execute(
        _NEW,
        {
            "report_id": report_id, "kind": kind, "platform_id": platform_id, "state": MediaState.WAITING,
            "received_at": now, "next_at": now, "attempts": 0,
        },
    ).scalar_one()  # fmt: skip
    return number


def claim(connection: Connection, now: datetime, until: datetime, limit: int) -> list[Any]:
    """Lease originals to fetch until `until`: id, platform_id, kind, attempts, received_at."""
    rows = list(connection.execute(_DUE, {"now": now, "limit": limit}))
    if rows:
        connection.execute(_LEASE, [{"b_id": row.id, "until": until} for row in rows])
    return rows


def keep(connection: Connection, media_id: int, content: bytes, content_type: str, sha256: str, now: datetime) -> None:
    """Seal the original; a second fetch of the same one changes nothing."""
    connection.execute(
        _KEEP,
        {
            "b_id": media_id, "content": content, "content_type": content_type[:60], "sha256": sha256,
            "size": len(content), "now": now,
        },
    )  # fmt: skip


def later(connection: Connection, media_id: int, next_at: datetime | None) -> None:
    """Try again at `next_at`; None: the platform no longer has it."""
    state = MediaState.LOST if next_at is None else MediaState.WAITING
    connection.execute(_LATER, {"b_id": media_id, "next_at": next_at, "new_state": state})


_OF_REPORTS = select(_M.c.id, _M.c.kind, _M.c.state, _M.c.content_type, _M.c.size)
_ONE = select(_M.c.id, _M.c.report_id, _M.c.kind, _M.c.content_type, _M.c.content).where(
    _M.c.id == bindparam("id"), _M.c.state == MediaState.KEPT
)


def described(connection: Connection, media_ids: Iterable[int]) -> dict[int, Any]:
    """What is known of some originals without opening them: id → id, kind, state, content_type, size."""
    rows = connection.execute(_OF_REPORTS.where(_M.c.id.in_(list(media_ids))))
    return {row.id: row for row in rows}


def opened(connection: Connection, media_id: int) -> Any | None:  # noqa: ANN401 - a row
    """One kept original: id, report_id, kind, content_type, content; None when it is not kept."""
    return connection.execute(_ONE, {"id": media_id}).first()


_RELEASE = (
    update(_M).where(_M.c.state == MediaState.WAITING, _M.c.next_at > bindparam("now")).values(next_at=bindparam("now"))
)


def release(connection: Connection, now: datetime) -> None:
    """The only process starts: what waits for a lease or a next try is tried now."""
    connection.execute(_RELEASE, {"now": now})
