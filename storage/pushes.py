"""What was pushed to somebody lately, and bringing forward what still waits."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from storage.outbox import IS_PUSHED, Outbox, OutboxState

_O = Outbox.__table__
_LAST = (
    select(_O.c.settled_at)
    .where(
        _O.c.contact_id == bindparam("contact_id"), IS_PUSHED,
        _O.c.state.not_in([OutboxState.CANCELLED, OutboxState.UNDELIVERABLE]),
    )
    .order_by(_O.c.settled_at.desc())
    .limit(bindparam("most"))
)  # fmt: skip
_SOONER = update(_O).where(_O.c.id == bindparam("b_id"), _O.c.next_at > bindparam("at")).values(next_at=bindparam("at"))


def last(connection: Connection, contact_id: int, most: int) -> list[datetime]:
    """When the last pushes to a contact went out, newest first; replies and alarms do not count."""
    return list(connection.execute(_LAST, {"contact_id": contact_id, "most": most}).scalars())


def sooner(connection: Connection, outbox_id: int, at: datetime) -> None:
    """A queued row is looked at then, unless it is earlier anyway."""
    connection.execute(_SOONER, {"b_id": outbox_id, "at": at})
