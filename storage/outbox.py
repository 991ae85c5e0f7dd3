"""The outbox: every message we say, passive replies included, from the moment the turn commits.

A row is written in the turn's own transaction; the sender claims it with a lease, sends outside any transaction
and records the outcome. Words are kept as they were said.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Select,
    SmallInteger,
    String,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage.database import Base, Id, SealedJson, due_index
from storage.statements import Hot


class OutboxState(StrEnum):
    """The life of one message; the last six are final, `unknown` and `undeliverable` are listed for people."""

    PASSIVE = "passive"
    HANDED = "handed"
    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"
    PASSED_OVER = "passed_over"
    """It waited in a copy that was restored, and the operator said that it is not to be sent any more."""


class OutboxKind(StrEnum):
    """Why a message is sent, which decides how long it may wait and what a lost outcome means (design 3)."""

    REPLY = "reply"
    ALARM = "alarm"
    PROMPT = "prompt"
    NOTICE = "notice"
    DIGEST = "digest"


NO_ANSWER = 0
"""Kept as `code` of a row that may have been said already, since an earlier try got no answer."""
IS_PUSHED = text("settled_at IS NOT NULL AND kind NOT IN ('reply', 'alarm')")
"""What counts towards the county's most pushes in an hour; replies and alarms do not."""
HAS_JOB = text("job_id IS NOT NULL")  # nearly every row is a reply, which has none


class Outbox(Base):
    """One message to one WeChat contact."""

    __tablename__ = "outbox"
    __table_args__ = (
        due_index("ix_outbox_due"),
        due_index("ix_outbox_erase", "erase_at"),
        Index("ix_outbox_contact_state", "contact_id", "state"),
        Index("ix_outbox_pushed", "contact_id", "settled_at", sqlite_where=IS_PUSHED, postgresql_where=IS_PUSHED),
        Index("ix_outbox_job", "job_id", sqlite_where=HAS_JOB, postgresql_where=HAS_JOB),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    inbox_id: Mapped[int | None] = mapped_column(ForeignKey("inbox.id"), unique=True)
    """The message this is the passive reply to."""
    kind: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(13))
    content: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("outbox.content"))
    """`text`, and for cards `card`: purpose, values, path. None once erased."""
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    """When the sender looks at it; None when nothing is left to do."""
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    channel: Mapped[str | None] = mapped_column(String(10))
    code: Mapped[int | None]
    """The platform's last error code."""
    job_id: Mapped[str | None] = mapped_column(String(40))
    """The platform's id of a template message, by which its delivery is reported; of a notice `optins.job_of`."""
    settled_at: Mapped[datetime | None]
    erase_at: Mapped[datetime | None]
    """When the content goes because it holds a receipt (24 h)."""


_O = Outbox.__table__
_EARLIER = _O.alias("earlier")
_NEW = Hot(insert(_O).returning(_O.c.id))
_STORED = Hot(select(_O.c.id, _O.c.state, _O.c.content, _O.c.created_at).where(_O.c.inbox_id == bindparam("inbox_id")))
_HANDED = Hot(
    update(_O)
    .where(_O.c.inbox_id == bindparam("b_inbox_id"), _O.c.state == OutboxState.PASSIVE)
    .values(state=OutboxState.HANDED, next_at=None, settled_at=bindparam("now"), channel="passive")
)
_WAITING = (OutboxState.QUEUED, OutboxState.PASSIVE, OutboxState.SENDING)
# Order per contact: a row waits for every earlier one that is still under way, and the pieces of one long reply for
# each other though one of them is tried again only later. A row of a kind said at most once stays `queued` while a
# sender holds it, so one that was taken and is due within a lease counts as under way. Alarms wait for nobody, and
# nobody waits for an alarm.
_OUT_OF_TURN = (
    select(_EARLIER.c.id)
    .where(
        _EARLIER.c.contact_id == _O.c.contact_id,
        _EARLIER.c.id < _O.c.id,
        _EARLIER.c.kind != OutboxKind.ALARM,
        or_(
            _EARLIER.c.state.in_([OutboxState.SENDING, OutboxState.PASSIVE]),
            and_(
                _EARLIER.c.state == OutboxState.QUEUED,
                or_(
                    _EARLIER.c.next_at <= bindparam("now"),
                    and_(_EARLIER.c.attempts > 0, _EARLIER.c.next_at <= bindparam("leased_until")),
                    and_(_EARLIER.c.kind == OutboxKind.REPLY, _O.c.kind == OutboxKind.REPLY),
                ),
            ),
        ),
    )
    .exists()
)


def _claimable(whose: ColumnElement[bool]) -> Select[Any]:
    return (
        select(_O.c.id, _O.c.contact_id, _O.c.kind, _O.c.state, _O.c.content, _O.c.attempts, _O.c.created_at, _O.c.code)
        .where(_O.c.next_at <= bindparam("now"), whose)
        .order_by(_O.c.next_at, _O.c.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True, of=_O)
    )


_CLAIMABLE = {
    True: Hot(_claimable(_O.c.kind == OutboxKind.ALARM)),
    False: Hot(_claimable(and_(_O.c.kind != OutboxKind.ALARM, ~_OUT_OF_TURN))),
    None: Hot(_claimable(or_(_O.c.kind == OutboxKind.ALARM, ~_OUT_OF_TURN))),
}
_LEASE = Hot(
    update(_O)
    .where(_O.c.id == bindparam("b_id"))
    .values(state=bindparam("new_state"), next_at=bindparam("until"), attempts=_O.c.attempts + 1)
)
# What was cancelled while it was under way does not come back, though what became of it is recorded.
_NOT_CANCELLED = _O.c.state != OutboxState.CANCELLED
_BEGIN = Hot(update(_O).where(_O.c.id == bindparam("b_id"), _NOT_CANCELLED).values(state=OutboxState.SENDING))
_PUT_BACK = Hot(
    update(_O)
    .where(_O.c.id == bindparam("b_id"), _NOT_CANCELLED)
    .values(state=OutboxState.QUEUED, next_at=bindparam("next_at"), code=bindparam("code"), attempts=_O.c.attempts - 1)
)
_NEW_STATE = bindparam("new_state", type_=String())
_SETTLE = Hot(update(_O).where(
    _O.c.id == bindparam("b_id"), or_(_NOT_CANCELLED, _NEW_STATE != OutboxState.QUEUED)
).values(
    state=_NEW_STATE, next_at=bindparam("next_at"), channel=bindparam("channel"), code=bindparam("code"),
    job_id=bindparam("job_id"), settled_at=bindparam("settled_at"),
))  # fmt: skip
_FIRST_UNTOLD = select(func.min(_EARLIER.c.id)).where(
    _EARLIER.c.job_id == bindparam("b_job_id"), _EARLIER.c.state == OutboxState.ACCEPTED,
    _EARLIER.c.settled_at >= bindparam("since"),
).scalar_subquery()  # fmt: skip
_REPORTED = Hot(
    update(_O)
    .where(_O.c.state == OutboxState.ACCEPTED, _O.c.id == _FIRST_UNTOLD)
    .values(state=bindparam("new_state"), settled_at=bindparam("now"))
    .returning(_O.c.id, _O.c.contact_id, _O.c.kind, _O.c.channel, _O.c.content)
)
_QUEUED_PROMPT = Hot(
    select(_O.c.id, _O.c.content)
    .where(
        _O.c.contact_id == bindparam("contact_id"),
        _O.c.kind == OutboxKind.PROMPT,
        _O.c.state == OutboxState.QUEUED,
        _O.c.code.is_distinct_from(NO_ANSWER),  # the platform shows one id once: what joins it later would be lost
    )
    .order_by(_O.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)  # one that a sender is just taking would say the words from before
)
_QUEUED_NOTICES = (
    select(_O.c.id, _O.c.content)
    .where(_O.c.contact_id == bindparam("contact_id"), _O.c.kind == OutboxKind.NOTICE, _O.c.state == OutboxState.QUEUED)
    .order_by(_O.c.id)
    .with_for_update(skip_locked=True)  # likewise
)
_REWRITE = Hot(update(_O).where(_O.c.id == bindparam("b_id")).values(content=bindparam("content")))
_ERASE = Hot(
    update(_O).where(_O.c.erase_at <= bindparam("now"), _O.c.state.not_in(_WAITING)).values(content=None, erase_at=None)
)

SAID_ONCE = frozenset({OutboxKind.DIGEST, OutboxKind.NOTICE})
"""Kinds that are listed instead of sent again when a try got no answer (design 3, Sending)."""
REPORTED_WITHIN = timedelta(days=1)
"""So long after it was taken what became of a message is still told."""
LEASE = timedelta(seconds=60)
"""Longer than any call to the platform may take; a row whose sender died is taken up again after it."""


def add(  # noqa: PLR0913 - a row has this many columns
    connection: Connection,
    *,
    contact_id: int,
    kind: OutboxKind,
    state: OutboxState,
    content: dict[str, Any],
    now: datetime,
    next_at: datetime | None,
    inbox_id: int | None = None,
    erase_at: datetime | None = None,
) -> Callable[[], int]:
    """Keep a message to be said; what is given back waits for its id, which hardly anybody needs."""
    kept = _NEW.ask(connection, {
        "contact_id": contact_id, "inbox_id": inbox_id, "kind": kind, "state": state, "content": content,
        "created_at": now, "next_at": next_at, "attempts": 0, "channel": None, "code": None, "job_id": None,
        "settled_at": None, "erase_at": erase_at,
    })  # fmt: skip
    return lambda: int(kept().id)  # type: ignore[union-attr]  # it was inserted


def stored_reply(connection: Connection, inbox_id: int) -> Any | None:  # noqa: ANN401 - a row
    """The passive reply to a message: id, state, content, created_at; None when nothing was said."""
    return _STORED.first(connection, {"inbox_id": inbox_id})


def mark_handed(connection: Connection, inbox_ids: Sequence[int], now: datetime) -> None:
    """The passive replies to these messages were written to the platform."""
    _HANDED.write_all(connection, [{"b_inbox_id": one, "now": now} for one in inbox_ids])


def claim(connection: Connection, now: datetime, limit: int, *, alarms: bool | None = None) -> list[Any]:
    """Lease up to `limit` due rows (only alarms, only others, or all) for sending.

    Gives id, contact_id, kind, state, content, attempts, created_at, code, as they were before. A row found in state
    `sending` is one whose sender died: its outcome is not known. Kinds said at most once become `sending` by `begin`.
    """
    rows = _CLAIMABLE[alarms].all(connection, {"now": now, "leased_until": now + LEASE, "limit": limit})
    if rows:
        _LEASE.write_all(connection, [
            {
                "b_id": row.id, "until": now + LEASE,
                "new_state": OutboxState.QUEUED if row.kind in SAID_ONCE else OutboxState.SENDING,
            }
            for row in rows
        ])  # fmt: skip
    return rows


def begin(connection: Connection, outbox_id: int) -> None:
    """The request for a row of a kind that is said at most once is about to be written."""
    _BEGIN.do(connection, {"b_id": outbox_id})


def put_back(connection: Connection, outbox_id: int, next_at: datetime, code: int | None) -> None:
    """A leased row is not sent now; its lease was no try."""
    _PUT_BACK.do(connection, {"b_id": outbox_id, "next_at": next_at, "code": code})


def settle(
    connection: Connection,
    outbox_id: int,
    state: OutboxState,
    *,
    now: datetime,
    next_at: datetime | None = None,
    channel: str | None = None,
    code: int | None = None,
    job_id: str | None = None,
) -> None:
    """Record the outcome of one try."""
    _SETTLE.do(connection, {
        "b_id": outbox_id, "new_state": state, "next_at": next_at, "channel": channel, "code": code,
        "job_id": job_id, "settled_at": None if next_at else now,
    })  # fmt: skip


def delivery_reported(connection: Connection, job_id: str, state: OutboxState, now: datetime) -> Any | None:  # noqa: ANN401
    """What became of a message: id, contact_id, kind, channel, content of its row, the first of that id not told of."""
    told = {"b_job_id": job_id, "since": now - REPORTED_WITHIN, "new_state": state, "now": now}
    return _REPORTED.first(connection, told)


_BY_ID = Hot(select(_O.c.id, _O.c.contact_id, _O.c.state, _O.c.content).where(_O.c.id == bindparam("id")))
_REQUEUE = Hot(
    update(_O)
    .where(_O.c.id == bindparam("b_id"))
    .values(state=OutboxState.QUEUED, next_at=bindparam("now"), settled_at=None)
)
_REACHED_SINCE = select(_O.c.id).where(
    _O.c.contact_id.in_(bindparam("contacts", expanding=True)), _O.c.settled_at > bindparam("since"),
    _O.c.state.in_([OutboxState.HANDED, OutboxState.ACCEPTED, OutboxState.DELIVERED, OutboxState.ANSWERED]),
).limit(1)  # fmt: skip

_CANCEL_SETTLED = Hot(update(_O).where(_O.c.id == bindparam("b_id")).values(state=OutboxState.CANCELLED))
_ANSWERED = Hot(
    update(_O)
    .where(
        _O.c.id == bindparam("b_id"),
        _O.c.state.in_([OutboxState.QUEUED, OutboxState.SENDING, OutboxState.ACCEPTED, OutboxState.DELIVERED]),
    )
    .values(state=OutboxState.ANSWERED, next_at=None, settled_at=bindparam("now"))
)


def cancel_settled(connection: Connection, outbox_id: int) -> None:
    """Nobody needs to know that this row failed."""
    _CANCEL_SETTLED.do(connection, {"b_id": outbox_id})


def answered(connection: Connection, outbox_id: int, now: datetime) -> None:
    """The person answered it, whatever was known of it: nothing more is to be sent."""
    _ANSWERED.do(connection, {"b_id": outbox_id, "now": now})


def one(connection: Connection, outbox_id: int) -> Any | None:  # noqa: ANN401 - a row
    """One message: id, contact_id, state, content."""
    return _BY_ID.first(connection, {"id": outbox_id})


def requeue(connection: Connection, outbox_id: int, now: datetime) -> None:
    """Send a settled row after all."""
    _REQUEUE.do(connection, {"b_id": outbox_id, "now": now})


def reached_since(connection: Connection, contact_ids: Sequence[int], since: datetime) -> bool:
    """Whether anything we said got through to one of these contacts after `since`."""
    found = connection.execute(_REACHED_SINCE, {"contacts": list(contact_ids), "since": since}).first()
    return found is not None


def queued_prompt(connection: Connection, contact_id: int) -> Any | None:  # noqa: ANN401
    """The prompt that still waits for this contact (id, content), into which another one can be merged."""
    return _QUEUED_PROMPT.first(connection, {"contact_id": contact_id})


def queued_notices(connection: Connection, contact_id: int) -> list[Any]:
    """The notices that still wait for this contact (id, content), into which another one can be merged."""
    return list(connection.execute(_QUEUED_NOTICES, {"contact_id": contact_id}))


def rewrite(connection: Connection, outbox_id: int, content: dict[str, Any]) -> None:
    """Change what a queued row says."""
    _REWRITE.do(connection, {"b_id": outbox_id, "content": content})


def erase_due(connection: Connection, now: datetime) -> int:
    """Erase contents that held a receipt and whose day is over; how many."""
    return _ERASE.write(connection, {"now": now})


_RELEASE = Hot(
    update(_O)
    .where(_O.c.state == OutboxState.SENDING, _O.c.next_at > bindparam("now"))
    .values(next_at=bindparam("now"))
)


def release(connection: Connection, now: datetime) -> None:
    """The only process starts: whatever is under way belongs to one that died, and need not wait for its lease."""
    _RELEASE.do(connection, {"now": now})


class Backlog(NamedTuple):
    """What waits to be sent."""

    waiting: int
    oldest: datetime | None
    """When the one that waits longest was written."""
    due: datetime | None
    """When the one that is due longest should have been sent; later than now when none is."""
    alarm: datetime | None
    """When the oldest alarm among them was written."""


_BACKLOG = select(
    func.count(), func.min(_O.c.created_at), func.min(_O.c.next_at),
    func.min(case((_O.c.kind == OutboxKind.ALARM, _O.c.created_at))),
).where(_O.c.next_at.is_not(None), _O.c.state == OutboxState.QUEUED)  # fmt: skip


def backlog(connection: Connection) -> Backlog:
    """How many messages wait to be sent, and since when."""
    return Backlog(*connection.execute(_BACKLOG).one())
