"""What one contact was not told yet: taken back when it is nobody any more, or said with an answer.

An account that may only answer says what waits with the person's next message (docs/decisions/0014).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.statements import Hot

_O = Outbox.__table__
_OPEN = [OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.UNDELIVERABLE]
_REPLIES = Hot(
    select(_O.c.id, _O.c.state, _O.c.content, _O.c.created_at, _O.c.next_at, _O.c.erase_at)
    .where(
        _O.c.contact_id == bindparam("contact_id"),
        _O.c.kind == OutboxKind.REPLY,
        _O.c.state.in_(_OPEN),
        _O.c.created_at > bindparam("since"),
    )
    .order_by(_O.c.id)
    .with_for_update(skip_locked=True, of=_O)  # the sender, which may have one, waits for the person's turn
)
_STILL = select(_O.c.id).where(_O.c.id.in_(bindparam("ids", expanding=True)), _O.c.state.in_(_OPEN))
_CARRIED = Hot(update(_O).where(_O.c.id == bindparam("b_id")).values(state=OutboxState.CANCELLED, next_at=None))


def replies(connection: Connection, contact_id: int, since: datetime) -> list[Any]:
    """Replies made after `since` of which nothing is known to be read: id, state, content and times, oldest first."""
    return _REPLIES.all(connection, {"contact_id": contact_id, "since": since})


def carry(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Another reply says the same words, so that these rows need not be said any more; those that still had to be."""
    still = set(connection.execute(_STILL, {"ids": list(ids)}).scalars()) if ids else set()
    if still:
        _CARRIED.write_all(connection, [{"b_id": one} for one in sorted(still)])
    return still


# An undeliverable reply may still come with an answer (docs/decisions/0014); a prompt that was is somebody's task.
_UNSAID = or_(
    and_(_O.c.kind != OutboxKind.REPLY, _O.c.state.in_([OutboxState.QUEUED, OutboxState.SENDING])),
    and_(
        _O.c.kind == OutboxKind.REPLY,
        _O.c.state.in_([OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.SENDING, OutboxState.UNDELIVERABLE]),
    ),
)
_CANCEL_OF = Hot(
    update(_O)
    .where(_O.c.contact_id == bindparam("b_contact"), _UNSAID)
    .values(state=OutboxState.CANCELLED, next_at=None)
)
_MOVE = Hot(
    update(_O)
    .where(_O.c.contact_id == bindparam("b_contact"), _UNSAID, _O.c.kind != OutboxKind.REPLY)
    .values(contact_id=bindparam("to"))
)


def cancel_of(connection: Connection, contact_id: int) -> None:
    """This contact is nobody any more: what was to be said to the person is not said to it."""
    _CANCEL_OF.do(connection, {"b_contact": contact_id})


def move(connection: Connection, contact_id: int, to: int) -> None:
    """The same when the person has another contact now, which is told instead; answers were for the old one."""
    _MOVE.do(connection, {"b_contact": contact_id, "to": to})
    cancel_of(connection, contact_id)
