"""Replies that nobody has read yet: what an account that may only answer says with the person's next message."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from storage.outbox import Outbox, OutboxKind, OutboxState

_O = Outbox.__table__
_REPLIES = (
    select(_O.c.id, _O.c.state, _O.c.content, _O.c.created_at, _O.c.next_at, _O.c.erase_at)
    .where(
        _O.c.contact_id == bindparam("contact_id"),
        _O.c.kind == OutboxKind.REPLY,
        _O.c.state.in_([OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.UNDELIVERABLE]),
        _O.c.created_at > bindparam("since"),
    )
    .order_by(_O.c.id)
    .with_for_update(skip_locked=True, of=_O)  # the sender, which may have one, waits for the person's turn
)
_CARRIED = update(_O).where(_O.c.id == bindparam("b_id")).values(state=OutboxState.CANCELLED, next_at=None)


def replies(connection: Connection, contact_id: int, since: datetime) -> list[Any]:
    """Replies made after `since` of which nothing is known to be read: id, state, content and times, oldest first."""
    return list(connection.execute(_REPLIES, {"contact_id": contact_id, "since": since}))


def carried(connection: Connection, ids: Sequence[int]) -> None:
    """Another reply says the same words, so that these rows need not be said any more."""
    if ids:
        connection.execute(_CARRIED, [{"b_id": one} for one in ids])
