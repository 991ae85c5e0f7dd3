"""The inbox: every message as it came, kept before it is answered, and where its turn stands.

Hot path: claiming a message is one insert. A row is inserted as `done` inside the turn's own transaction, so a
turn that fails or dies leaves no `done` row behind.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, ForeignKey, SmallInteger, String, bindparam, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from storage import sealing
from storage.database import Base, Id, SealedJson, due_index
from storage.statements import Hot


class InboxState(StrEnum):
    """`waiting`: kept, its turn has not run; `failed`: tried, will be again; `parked`: an operator must look."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    PARKED = "parked"


class Inbox(Base):
    """One message or event, sealed byte for byte."""

    __tablename__ = "inbox"
    __table_args__ = (due_index("ix_inbox_due"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[bytes] = mapped_column(unique=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    received_at: Mapped[datetime]
    message: Mapped[dict[str, Any]] = mapped_column(SealedJson("inbox.message"))
    """The fields of `Inbound`, the decrypted XML text among them."""
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(200))
    """Kind and place of the last failure, never its text."""


_I = Inbox.__table__


_CLAIM = Hot(lambda insert: insert(_I).on_conflict_do_nothing(index_elements=[_I.c.key]).returning(_I.c.id))
_FIND = Hot(select(_I.c.id, _I.c.state, _I.c.attempts).where(_I.c.key == bindparam("key")).with_for_update())
_DUE = Hot(
    select(_I.c.id, _I.c.contact_id, _I.c.attempts, _I.c.received_at)
    .where(_I.c.next_at <= bindparam("now"))
    .order_by(_I.c.next_at, _I.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_SET = update(_I).where(_I.c.id == bindparam("b_id"))
_SETTLE = Hot(
    _SET.values(
        state=bindparam("state"), attempts=bindparam("attempts"), next_at=bindparam("next_at"), error=bindparam("error")
    )
)


def key_of(identity: str) -> bytes:
    """The unique key of a message: a blind index of its identity (design 3.2)."""
    return sealing.ring().index("inbox", identity)


def claim(
    connection: Connection,
    key: bytes,
    contact_id: int,
    received_at: datetime,
    message: dict[str, Any],
    state: InboxState = InboxState.DONE,
    next_at: datetime | None = None,
) -> int | None:
    """Insert the message; its id, or None when it is already there."""
    values = {
        "key": key, "contact_id": contact_id, "received_at": received_at, "message": message,
        "state": state, "attempts": 0, "next_at": next_at, "error": None,
    }  # fmt: skip
    number: int | None = _CLAIM.scalar(connection, values)
    return number


def find(connection: Connection, key: bytes) -> tuple[int, InboxState, int] | None:
    """Id, state and attempts of a message that is already there, locked for this transaction."""
    row = _FIND.first(connection, {"key": key})
    return (row.id, InboxState(row.state), row.attempts) if row else None


_KNOWN = Hot(select(_I.c.id, _I.c.state, _I.c.received_at).where(_I.c.key == bindparam("key")))


def known(connection: Connection, key: bytes) -> Any | None:  # noqa: ANN401 - a row
    """A message that is already there (id, state, received_at); waits for nobody who has it locked."""
    return _KNOWN.first(connection, {"key": key})


def due(connection: Connection, now: datetime, limit: int) -> list[Any]:
    """Messages whose turn has to be run (again): id, contact_id, attempts, received_at; unopened, each is by itself."""
    return _DUE.all(connection, {"now": now, "limit": limit})


_MESSAGE = Hot(select(_I.c.message).where(_I.c.id == bindparam("id")))


def message_of(connection: Connection, inbox_id: int) -> dict[str, Any]:
    """The fields of one message, opened."""
    message: dict[str, Any] = _MESSAGE.scalar(connection, {"id": inbox_id})
    return message


def settle(
    connection: Connection,
    inbox_id: int,
    state: InboxState,
    *,
    attempts: int,
    next_at: datetime | None = None,
    error: str | None = None,
) -> None:
    """Record where the message's turn stands."""
    _SETTLE.do(connection, {"b_id": inbox_id, "state": state, "attempts": attempts, "next_at": next_at, "error": error})


def unpark(connection: Connection, inbox_id: int | None, now: datetime) -> int:
    """Make parked messages due again: one, or all; how many."""
    again = update(_I).where(_I.c.state == InboxState.PARKED).values(state=InboxState.FAILED, attempts=0, next_at=now)
    if inbox_id is not None:
        again = again.where(_I.c.id == inbox_id)
    return connection.execute(again).rowcount


_WORDS = Hot(select(_I.c.message).where(_I.c.id == bindparam("id")))


def words_of(connection: Connection, inbox_id: int) -> str | None:
    """The words of a kept message, for whoever must read what its turn could not."""
    message = _WORDS.scalar(connection, {"id": inbox_id})
    return message.get("text") if message else None


_BEFORE = Hot(
    select(_I.c.received_at)
    .where(_I.c.contact_id == bindparam("contact_id"), _I.c.id < bindparam("id"))
    .order_by(_I.c.id.desc())
    .limit(1)
)


def came_before(connection: Connection, contact_id: int, inbox_id: int) -> datetime | None:
    """When the message before this one of the same contact came."""
    found: datetime | None = _BEFORE.scalar(connection, {"contact_id": contact_id, "id": inbox_id})
    return found


_MINE = Hot(select(_I.c.id, _I.c.message).where(_I.c.contact_id == bindparam("contact_id")))


def messages_of(connection: Connection, contact_id: int) -> list[dict[str, Any]]:
    """The fields of every message of one contact, opened."""
    return [row.message for row in _MINE.all(connection, {"contact_id": contact_id})]


_FORGET = Hot(update(_I).where(_I.c.id == bindparam("b_id")).values(message=bindparam("message")))


def forget_openid(connection: Connection, contact_id: int, openid: str) -> None:
    """Messages stay, but no longer say from which WeChat identity they came."""
    for row in _MINE.all(connection, {"contact_id": contact_id}):
        kept = {
            name: value.replace(openid, "") if isinstance(value, str) else value for name, value in row.message.items()
        }
        _FORGET.do(connection, {"b_id": row.id, "message": kept})


_PARKED = select(func.count()).where(_I.c.state == InboxState.PARKED)


def parked(connection: Connection) -> int:
    """How many messages an operator must look at."""
    return int(connection.execute(_PARKED).scalar_one())


_WAITING_SINCE = select(func.min(_I.c.next_at)).where(_I.c.next_at.is_not(None))


def waiting_since(connection: Connection) -> datetime | None:
    """When the kept message that waits longest should have been run; later than now when none is due."""
    since: datetime | None = connection.execute(_WAITING_SINCE).scalar()
    return since


_MORE = select(_I.c.id).where(_I.c.contact_id == bindparam("contact_id"), _I.c.state == InboxState.WAITING)


def many_waiting(connection: Connection, contact_id: int, many: int) -> bool:
    """Whether at least so many kept messages of a contact wait for their turn."""
    return len(connection.execute(_MORE.limit(many), {"contact_id": contact_id}).all()) >= many
