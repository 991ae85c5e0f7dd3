"""What is due now, of every kind of background work: one look instead of a transaction for each."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, exists, select

from storage.inbox import Inbox
from storage.media import Media
from storage.outbox import Outbox, OutboxKind
from storage.renditions import Rendition
from storage.statements import Hot
from storage.tasks import LIVE, Task

_NOW: BindParameter[datetime] = bindparam("now")
_IS_ALARM = Outbox.kind == OutboxKind.ALARM
_DUE = Hot(
    select(
        *(
            exists().where(kind.next_at <= _NOW, *only).label(name)
            for name, kind, *only in (
                ("kept", Inbox),
                ("due", Task),  # an ended one waits for nothing; its state would lead SQLite to the wrong index
                ("alarms", Outbox, _IS_ALARM),
                ("send", Outbox, ~_IS_ALARM),
                ("media", Media),
                ("renditions", Rendition),
            )
        )
    )
)


def due(connection: Connection, now: datetime) -> Mapping[str, bool]:
    """Kind of work (kept messages, due tasks, alarms, what else is sent, media, renditions) → whether any is due."""
    found = _DUE.first(connection, {"now": now})
    return {} if found is None else {name: bool(is_due) for name, is_due in found._asdict().items()}


_DUE_OF = select(Task.id, Task.kind).where(
    Task.kind.in_(bindparam("kinds", expanding=True)), Task.state.in_(LIVE), Task.next_at <= _NOW
)


def due_of(connection: Connection, kinds: Sequence[str], now: datetime) -> list[tuple[int, str]]:
    """Due tasks of these kinds: id and kind."""
    return [(number, kind) for number, kind in connection.execute(_DUE_OF, {"kinds": kinds, "now": now})]
