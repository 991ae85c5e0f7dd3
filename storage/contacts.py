"""WeChat identities and the talk with each: windows, the open flow, what was last asked.

A contact can be erased when somebody unfollows; the person and the case records stay. The conversation row is
the hot path: one select and one upsert per message, statements built once at import.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, ForeignKey, SmallInteger, String, bindparam, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage import optins, sealing
from storage.database import Base, Id, Sealed, SealedJson, is_sqlite
from storage.statements import Hot


class Contact(Base):
    """A WeChat identity: erasable, bound to at most one person.

    One with a person and no openid stands for that person's telephone, for whoever WeChat does not reach.
    """

    __tablename__ = "contact"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    openid: Mapped[str | None] = mapped_column(Sealed("contact.openid"))
    openid_index: Mapped[bytes | None] = mapped_column(unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    followed_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    unreachable_since: Mapped[datetime | None]
    """Set when the platform says that this person cannot be reached; cleared by the next message."""
    bind_tries: Mapped[int] = mapped_column(SmallInteger, default=0)
    bind_blocked_until: Mapped[datetime | None]
    receipt_tries: Mapped[int] = mapped_column(SmallInteger, default=0)
    receipt_tries_from: Mapped[datetime | None]
    tag: Mapped[str | None] = mapped_column(String(30))
    """The id of the menu tag the platform was last told."""


class Conversation(Base):
    """Where the talk with a contact stands."""

    __tablename__ = "conversation"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True, autoincrement=False)
    heard_at: Mapped[datetime]
    window_until: Mapped[datetime | None]
    window_left: Mapped[int] = mapped_column(SmallInteger, default=0)
    short_until: Mapped[datetime | None]
    short_left: Mapped[int] = mapped_column(SmallInteger, default=0)
    pushed_at: Mapped[datetime | None]
    """When something other than an answer was last pushed to this phone."""
    flow: Mapped[str | None] = mapped_column(String(30))
    answers: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("conversation.answers"))
    asked: Mapped[str | None] = mapped_column(String(40))
    asked_at: Mapped[datetime | None]


@dataclass(slots=True)
class Talk:
    """What one turn knows of a contact and its conversation; the conversation's part is written back."""

    contact_id: int
    openid: str
    """Empty for somebody's telephone."""
    person_id: int | None
    heard_at: datetime
    window_until: datetime | None = None
    window_left: int = 0
    short_until: datetime | None = None
    short_left: int = 0
    pushed_at: datetime | None = None
    flow: str | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    asked: str | None = None
    asked_at: datetime | None = None
    is_new: bool = False
    """Whether this turn made the contact."""
    unreachable_since: datetime | None = None
    """Since when the platform says that it does not reach this contact."""
    asked_meanwhile: bool = False
    """Whether the question shown last was put while this turn waited for another one of the same person."""

    def __copy__(self) -> "Talk":
        """As `copy.copy` does it for any object, at a tenth of the cost: a turn does it twice."""
        made = object.__new__(Talk)
        for name in Talk.__slots__:
            setattr(made, name, getattr(self, name))
        return made


_C, _V = Contact.__table__, Conversation.__table__
_KEPT = (
    "heard_at", "window_until", "window_left", "short_until", "short_left", "pushed_at",
    "flow", "answers", "asked", "asked_at",
)  # fmt: skip
_COLUMNS = [_C.c.id, _C.c.person_id, _C.c.followed_at, _C.c.unreachable_since, *(_V.c[name] for name in _KEPT)]
_FIND = Hot(select(*_COLUMNS).select_from(_C.outerjoin(_V)).where(_C.c.openid_index == bindparam("index")))
# The lock is a statement of its own: one that waited would return the conversation as it was before the wait.
# "No key": a turn of somebody else that leaves a message for this contact need not wait, so two cannot wait in a ring.
# What it returns of the conversation is from before the wait, and tells whether a question was put meanwhile.
_LOCK_FOUND = Hot(
    select(_V.c.asked_at)
    .select_from(_C.outerjoin(_V))
    .where(_C.c.openid_index == bindparam("index"))
    .with_for_update(key_share=True, of=_C)
)
_LOCK = Hot(select(_C.c.id).where(_C.c.id == bindparam("id")).with_for_update(key_share=True))
_LOCK_FREE = Hot(select(_C.c.id).where(_C.c.id == bindparam("id")).with_for_update(key_share=True, skip_locked=True))
_ID_OF = Hot(select(_C.c.id).where(_C.c.openid_index == bindparam("index")))
_BY_ID = Hot(select(*_COLUMNS, _C.c.openid).select_from(_C.outerjoin(_V)).where(_C.c.id == bindparam("id")))
_REACHED = Hot(update(_C).where(_C.c.id == bindparam("b_id")).values(unreachable_since=None))


_NEW = Hot(lambda insert: insert(_C).on_conflict_do_nothing(index_elements=[_C.c.openid_index]).returning(_C.c.id))
_KEEP = Hot(
    lambda insert: (new := insert(_V)).on_conflict_do_update(
        index_elements=[_V.c.contact_id], set_={name: new.excluded[name] for name in _KEPT}
    )
)


def openid_index(openid: str) -> bytes:
    """The blind index of an openid."""
    return sealing.ring().index("openid", openid)


def hear(connection: Connection, openid: str, now: datetime, *, is_there: bool = True) -> Talk:
    """The talk with this openid, made if it is new (one select; one insert more for a new contact).

    `is_there`: the person did something, so that they can be reached again.
    """
    index = openid_index(openid)
    row, asked_before = _found(connection, index)
    if row is None:
        number = _made(connection, openid, index, now)
        if number is not None:
            return Talk(number, openid, None, now, is_new=True)
        row, _ = _found(connection, index)  # another process was quicker
        if row is None:
            raise LookupError("a contact came and went")
    talk = _talk(row, openid, now)
    talk.asked_meanwhile = not is_sqlite(connection) and talk.asked_at not in {None, asked_before}
    if talk.unreachable_since is not None and is_there:
        _REACHED.do(connection, {"b_id": talk.contact_id})
        talk.unreachable_since = None
    return talk


def _found(connection: Connection, index: bytes) -> tuple[Any | None, datetime | None]:
    """The contact, locked, and when a question was last put as far as was known before the wait for the lock."""
    locked = None if is_sqlite(connection) else _LOCK_FOUND.ask(connection, {"index": index})
    found = _FIND.first(connection, {"index": index})
    before = locked() if locked else None
    return found, before[0] if before else None


def _made(connection: Connection, openid: str, index: bytes, now: datetime) -> int | None:
    values = {"openid": openid, "openid_index": index, "followed_at": now}
    number: int | None = _NEW.scalar(connection, values)
    return number


def id_of(connection: Connection, openid: str, now: datetime) -> int:
    """The contact of an openid, made if it is new; reads no conversation and waits for nobody's turn."""
    index = openid_index(openid)
    number: int | None = _ID_OF.scalar(connection, {"index": index})
    number = number or _made(connection, openid, index, now)
    return number or int(_ID_OF.scalar(connection, {"index": index}))


def talk_with(connection: Connection, contact_id: int, now: datetime, *, lock: bool = False) -> Talk | None:
    """The talk with a known contact; None when it was erased. `lock` keeps other turns of this person waiting."""
    if lock:
        _LOCK.do(connection, {"id": contact_id})
    row = _BY_ID.first(connection, {"id": contact_id})
    return _talk(row, row.openid or "", now) if row and (row.openid or row.person_id) else None


def _talk(row: Any, openid: str, now: datetime) -> Talk:  # noqa: ANN401 - a row
    if row.heard_at is None:
        return Talk(row.id, openid, row.person_id, row.followed_at or now, unreachable_since=row.unreachable_since)
    kept = {name: getattr(row, name) for name in _KEPT}
    kept["answers"] = kept["answers"] or {}
    return Talk(row.id, openid, row.person_id, **kept, unreachable_since=row.unreachable_since)


def keep(connection: Connection, talk: Talk) -> None:
    """Write the conversation back (one upsert)."""
    values = {name: getattr(talk, name) for name in _KEPT}
    values["answers"] = values["answers"] or None
    _KEEP.do(connection, {"contact_id": talk.contact_id, **values})


_SHUT = Hot(
    update(_V)
    .where(_V.c.contact_id == bindparam("b_contact_id"))
    .values(window_left=0, short_left=0, window_until=None, short_until=None)
)
_UNREACHABLE = Hot(
    update(_C)
    .where(_C.c.id == bindparam("b_id"), _C.c.unreachable_since.is_(None))
    .values(unreachable_since=bindparam("now"))
)
_ERASE = Hot(
    update(_C)
    .where(_C.c.id == bindparam("b_id"))
    .values(openid=None, openid_index=None, person_id=None, erased_at=bindparam("now"))
)


def shut_windows(connection: Connection, contact_id: int) -> None:
    """Both windows are shut until the person acts again."""
    _SHUT.do(connection, {"b_contact_id": contact_id})


def unreachable(connection: Connection, contact_id: int, now: datetime) -> None:
    """The platform says that this contact cannot be reached; the next message from it clears the mark."""
    _UNREACHABLE.do(connection, {"b_id": contact_id, "now": now})


_IS_TELEPHONE = Hot(
    select(_C.c.id).where(_C.c.id == bindparam("id"), _C.c.openid_index.is_(None), _C.c.person_id.is_not(None))
)


def is_telephone(connection: Connection, contact_id: int) -> bool:
    """Whether this contact stands for somebody's telephone."""
    return _IS_TELEPHONE.first(connection, {"id": contact_id}) is not None


def reached(connection: Connection, contact_id: int) -> None:
    """This contact can be reached after all."""
    _REACHED.do(connection, {"b_id": contact_id})


def erase(connection: Connection, contact_id: int, now: datetime) -> None:
    """Forget the WeChat identity (the platform demands it on unfollow); case records stay."""
    _ERASE.do(connection, {"b_id": contact_id, "now": now})
    optins.forget(connection, contact_id)


def may_try_receipt(session: Session, contact_id: int, now: datetime, period: timedelta, most: int) -> bool:
    """Count a look-up by receipt; False when this contact had too many within the period."""
    contact = session.get_one(Contact, contact_id)
    if contact.receipt_tries_from is None or now - contact.receipt_tries_from > period:
        contact.receipt_tries_from, contact.receipt_tries = now, 0
    contact.receipt_tries += 1
    return contact.receipt_tries <= most


_PERSON = Hot(select(_C.c.person_id).where(_C.c.id == bindparam("id")))


def person_of(connection: Connection, contact_id: int) -> int | None:
    """The person bound to a contact."""
    found: int | None = _PERSON.scalar(connection, {"id": contact_id})
    return found


_OF_PERSON = Hot(select(_C.c.id).where(_C.c.person_id == bindparam("person_id")))
_HEARD_SINCE = select(_V.c.contact_id).where(
    _V.c.contact_id.in_(bindparam("contacts", expanding=True)), _V.c.heard_at > bindparam("since")
)


def of_person(connection: Connection, person_id: int) -> list[int]:
    """Every contact of a person, the telephone among them."""
    return _OF_PERSON.scalars(connection, {"person_id": person_id})


def heard_since(connection: Connection, contact_ids: Sequence[int], since: datetime) -> bool:
    """Whether one of these contacts was heard after `since`."""
    return connection.execute(_HEARD_SINCE, {"contacts": list(contact_ids), "since": since}).first() is not None


_KNOWN = Hot(select(_C.c.id, _C.c.person_id).where(_C.c.openid_index == bindparam("index")))


def known(connection: Connection, openid: str) -> tuple[int, int | None] | None:
    """Contact and bound person of an openid, which is not made when it is unknown (a page may be opened by anybody)."""
    row = _KNOWN.first(connection, {"index": openid_index(openid)})
    return (row.id, row.person_id) if row else None


def free_talk_with(connection: Connection, contact_id: int, now: datetime) -> Talk | None:
    """The talk with a contact, locked; None while another turn of this person runs, or when it was erased.

    Due work must not wait for a person's turn, which may itself wait for the task that this work is about.
    """
    if (_LOCK if is_sqlite(connection) else _LOCK_FREE).first(connection, {"id": contact_id}) is None:
        return None
    row = _BY_ID.first(connection, {"id": contact_id})
    return _talk(row, row.openid, now) if row and row.openid else None
