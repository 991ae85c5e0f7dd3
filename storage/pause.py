"""A restored system is paused: it receives, keeps and answers, but sends nothing and does nothing that is due.

It believes that it is the moment of its copy, so what waits may have been said since. An operator looks at it and
releases it: sent late, or passed over. An alarm is never passed over, since nobody here knows whether somebody took it.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, bindparam, select, update

from storage import county
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.tasks import LIVE, Task

FACT: Final = "paused"
_DANGER: Final = 2
REMINDERS: Final = ("visit", "case", "digest", "approval", "handover")
"""Kinds of tasks whose due look only reminds somebody; the others find out who has to act at all."""


class Pause(NamedTuple):
    """Since when, and the moment of the copy."""

    since: datetime
    copied: datetime

    def as_json(self) -> str:
        """As a fact keeps it."""
        return json.dumps([self.since.isoformat(), self.copied.isoformat()])

    @classmethod
    def from_json(cls, told: str) -> Self:
        """The pause again."""
        return cls(*map(datetime.fromisoformat, json.loads(told)))


def begin(connection: Connection, pause: Pause) -> None:
    """Pause; every process that starts on this database reads it."""
    county.set_fact(connection, FACT, pause.as_json())


def current(connection: Connection) -> Pause | None:
    """The pause; None when the system is not paused."""
    told = county.fact(connection, FACT)
    return Pause.from_json(told) if told else None


def end(connection: Connection) -> None:
    """Release: from now on everything that is due is done."""
    county.set_fact(connection, FACT, "")


class Waiting(NamedTuple):
    """Something that would be sent or done at a release: numbers and codes only."""

    table: str
    id: int
    kind: str
    since: datetime
    passable: bool
    """Whether it can be passed over."""


_O, _T = Outbox.__table__, Task.__table__
_MESSAGES = (
    select(_O.c.id, _O.c.kind, _O.c.created_at)
    .where(_O.c.next_at.is_not(None), _O.c.state.in_([OutboxState.PASSIVE, OutboxState.QUEUED, OutboxState.SENDING]))
    .order_by(_O.c.id)
)
_TASKS = (
    select(_T.c.id, _T.c.kind, _T.c.next_at, _T.c.urgency)
    .where(_T.c.next_at <= bindparam("now"), _T.c.state.in_(LIVE))
    .order_by(_T.c.next_at, _T.c.id)
)
_PASS_MESSAGES = (
    update(_O)
    .where(_O.c.id == bindparam("b_id"))
    .values(state=OutboxState.PASSED_OVER, next_at=None, settled_at=bindparam("now"))
)
_PASS_TASKS = update(_T).where(_T.c.id == bindparam("b_id")).values(next_at=bindparam("until"))


def waiting(connection: Connection, pause: Pause, now: datetime) -> list[Waiting]:
    """What a release would send and do at once, oldest first: messages of before and since, and due tasks."""
    messages = [
        Waiting("outbox", row.id, row.kind, row.created_at, _is_passable(row, pause))
        for row in connection.execute(_MESSAGES)
    ]
    return messages + [
        Waiting("task", row.id, row.kind, row.next_at, row.kind in REMINDERS and row.urgency < _DANGER)
        for row in connection.execute(_TASKS, {"now": now})
    ]


def pass_over(connection: Connection, items: Sequence[Waiting], now: datetime, until: datetime) -> int:
    """Mark messages as passed over and look at reminding tasks only at `until`; how many of each kind together."""
    passed = [item for item in items if item.passable]
    messages = [{"b_id": item.id, "now": now} for item in passed if item.table == "outbox"]
    tasks = [{"b_id": item.id, "until": until} for item in passed if item.table == "task"]
    for statement, rows in ((_PASS_MESSAGES, messages), (_PASS_TASKS, tasks)):
        if rows:
            connection.execute(statement, rows)
    return len(passed)


def _is_passable(row: Any, pause: Pause) -> bool:  # noqa: ANN401 - a row
    return bool(row.kind != OutboxKind.ALARM and row.created_at <= pause.copied)
