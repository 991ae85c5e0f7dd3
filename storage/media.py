"""Media people sent: fetched before the platform forgets them (three days), sealed with their hash."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    ForeignKey,
    LargeBinary,
    SmallInteger,
    String,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage import sealing
from storage.contacts import Contact
from storage.database import Base, Id, Sealed, SealedBytes, alone, due_index
from storage.inbox import Inbox
from storage.reports import Entry
from storage.statements import Hot


class MediaState(StrEnum):
    """`waiting`: to be fetched; `lost`: the platform has none; `refused`: larger than the county allows."""

    WAITING = "waiting"
    KEPT = "kept"
    LOST = "lost"
    REFUSED = "refused"


_CONTENT = "media.content"


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
    content: Mapped[bytes | None] = mapped_column(SealedBytes(_CONTENT))
    content_type: Mapped[str | None] = mapped_column(String(60))
    sha256: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None]
    told_at: Mapped[datetime | None]
    """When the words went out that ask whoever sent it to send it again; whether they arrived is not known."""


class Original(NamedTuple):
    """A file hashed and sealed: for megabytes that takes too long inside a transaction."""

    sealed: bytes
    content_type: str
    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes, content_type: str) -> "Original":
        """Hash and seal what came."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(sealing.ring().seal(_CONTENT, content), content_type[:60], digest, len(content))


_M = Media.__table__
_NEW = Hot(insert(_M).returning(_M.c.id))
_DUE = Hot(
    select(_M.c.id, _M.c.platform_id, _M.c.kind, _M.c.attempts, _M.c.received_at)
    .where(_M.c.next_at <= bindparam("now"))
    .order_by(_M.c.next_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_LEASE = Hot(
    update(_M).where(_M.c.id == bindparam("b_id")).values(next_at=bindparam("until"), attempts=_M.c.attempts + 1)
)
_SET = update(_M).where(_M.c.id == bindparam("b_id"), _M.c.state == MediaState.WAITING)
_KEEP = Hot(_SET.values(
    state=MediaState.KEPT, content=bindparam("sealed", type_=LargeBinary()), content_type=bindparam("content_type"),
    sha256=bindparam("sha256"), size=bindparam("size"), fetched_at=bindparam("now"), next_at=None,
))  # fmt: skip
_LATER = Hot(_SET.values(next_at=bindparam("next_at")))
_GIVE_UP = Hot(_SET.values(next_at=None, state=bindparam("new_state")))


def expect(connection: Connection, report_id: int | None, kind: str, platform_id: str, now: datetime) -> int:
    """Note an original that has to be fetched; its id."""
    number: int = _NEW.scalar(connection, {
        "report_id": report_id, "kind": kind, "platform_id": platform_id, "state": MediaState.WAITING,
        "received_at": now, "next_at": now, "attempts": 0,
    })  # fmt: skip
    return number


def claim(connection: Connection, now: datetime, until: datetime, limit: int) -> list[Any]:
    """Lease originals to fetch until `until`: id, platform_id, kind, attempts, received_at."""
    rows = list(_DUE.all(connection, {"now": now, "limit": limit}))
    if rows:
        _LEASE.write_all(connection, [{"b_id": row.id, "until": until} for row in rows])
    return rows


def keep(connection: Connection, media_id: int, original: Original, now: datetime) -> bool:
    """Keep the original; False for a second fetch of the same one, which changes nothing."""
    return _KEEP.write(connection, {"b_id": media_id, "now": now, **original._asdict()}) == 1


def later(connection: Connection, when: Mapping[int, datetime]) -> None:
    """Try these again: id → when."""
    _LATER.write_all(connection, [{"b_id": media_id, "next_at": next_at} for media_id, next_at in when.items()])


def give_up(connection: Connection, media_id: int, state: MediaState) -> bool:
    """It is lost or refused; False when that was known, or it was kept meanwhile."""
    return _GIVE_UP.write(connection, {"b_id": media_id, "new_state": state}) == 1


_SENT = Hot(select(_M.c.report_id, _M.c.received_at).where(_M.c.id == bindparam("id")))
_SENDER = Hot(
    select(Inbox.contact_id)
    .join(Entry, Entry.inbox_id == Inbox.id)
    .join(Contact, Contact.id == Inbox.contact_id)
    .where(Entry.media_id == bindparam("id"), Contact.openid_index.is_not(None), Contact.unreachable_since.is_(None))
    .limit(1)
)
_TELL = Hot(update(_M).where(_M.c.id == bindparam("b_id")).values(told_at=bindparam("now")))
_ALIKE = _M.alias("alike")
_TOLD = Hot(
    select(_ALIKE.c.told_at)
    .join(_M, (_M.c.report_id == _ALIKE.c.report_id) & (_M.c.state == _ALIKE.c.state))
    .join(Entry, Entry.media_id == _ALIKE.c.id)
    .join(Inbox, Inbox.id == Entry.inbox_id)
    .where(
        _M.c.id == bindparam("id"), Inbox.contact_id == bindparam("contact_id"), _ALIKE.c.told_at > bindparam("since")
    )
    .limit(1)
)
_MISSING = Hot(
    select(func.count()).where(
        _M.c.report_id == bindparam("report_id"), _M.c.state.in_([MediaState.LOST, MediaState.REFUSED])
    )
)


def sent(connection: Connection, media_id: int) -> Any:  # noqa: ANN401 - a row
    """Of which report it is, and when it came: report_id, received_at."""
    return _SENT.first(connection, {"id": media_id})


def sender_of(connection: Connection, media_id: int) -> int | None:
    """The contact it came from, who need not be the reporter (others add to a report by its receipt).

    None when they left or are not reached any more.
    """
    found: int | None = _SENDER.scalar(connection, {"id": media_id})
    return found


def first_to_tell(connection: Connection, media_id: int, contact_id: int, now: datetime, once_in: timedelta) -> bool:
    """Note that its sender is told what became of it; False when they were told the same of another one lately."""
    alone(connection, "media told")  # two of one report may be given up by two processes at once
    values = {"id": media_id, "contact_id": contact_id, "since": now - once_in}
    told: datetime | None = _TOLD.scalar(connection, values)
    _TELL.do(connection, {"b_id": media_id, "now": told or now})
    return told is None


def first_missing(connection: Connection, report_id: int) -> bool:
    """Whether exactly one original of a report will not come: whoever has the report is told of the first."""
    alone(connection, "media told")  # as above
    return bool(_MISSING.scalar(connection, {"report_id": report_id}) == 1)


_OF_REPORTS = select(_M.c.id, _M.c.kind, _M.c.state, _M.c.told_at)
_REPORT = Hot(select(_M.c.report_id).where(_M.c.id == bindparam("id"), _M.c.state == MediaState.KEPT))
_ONE = Hot(
    select(_M.c.id, _M.c.report_id, _M.c.kind, _M.c.content_type, _M.c.content).where(
        _M.c.id == bindparam("id"), _M.c.state == MediaState.KEPT
    )
)


def described(connection: Connection, media_ids: Iterable[int]) -> dict[int, Any]:
    """What is known of some originals without opening them: id → id, kind, state, told_at."""
    rows = connection.execute(_OF_REPORTS.where(_M.c.id.in_(list(media_ids))))
    return {row.id: row for row in rows}


def report_of(connection: Connection, media_id: int) -> int | None:
    """The report of a kept original, without opening it; None when it is not kept."""
    found: int | None = _REPORT.scalar(connection, {"id": media_id})
    return found


def opened(connection: Connection, media_id: int) -> Any | None:  # noqa: ANN401 - a row
    """One kept original: id, report_id, kind, content_type, content; None when it is not kept."""
    return _ONE.first(connection, {"id": media_id})


_RELEASE = Hot(
    update(_M).where(_M.c.state == MediaState.WAITING, _M.c.next_at > bindparam("now")).values(next_at=bindparam("now"))
)


def release(connection: Connection, now: datetime) -> None:
    """The only process starts: what waits for a lease or a next try is tried now."""
    _RELEASE.do(connection, {"now": now})
