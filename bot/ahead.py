"""What due work needs that takes long to read, read where it holds nobody up (docs/decisions/0025)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from bot.logs import place
from handlers import routes
from handlers.policy import Policy
from handlers.turn import Turn
from storage import waiting
from storage.tasks import Task

log = structlog.get_logger()


@dataclass
class Ahead:
    """What was read for tasks, by their ids, and whether one was met for which nothing was: it waits for the next."""

    read: dict[int, Any] = field(default_factory=dict)
    missed: bool = False

    def has(self, number: int, kind: str) -> bool:
        """Whether nothing more is to be read for this task; otherwise it is noted as missed."""
        is_there = number in self.read or kind not in routes.TASKS or routes.TASKS[kind].ahead is None
        self.missed = self.missed or not is_there
        return is_there


def look(connection: Connection, now: datetime, policy: Policy) -> Ahead:
    """Read for each due task of a kind that reads ahead, None where that fails; `connection` may only read."""
    kinds = {name: kind.ahead for name, kind in routes.TASKS.items() if kind.ahead is not None}
    found: dict[int, Any] = {}
    for number, kind in waiting.due_of(connection, list(kinds), now):
        turn = Turn(connection, now, policy)
        try:
            found[number] = kinds[kind](turn, turn.session.get_one(Task, number))
        except Exception as error:  # noqa: BLE001 - it is read in the task's own turn then, whose failures are listed
            log.warning("not_read_ahead", kind=kind, task=number, error=place(error))
            found[number] = None
        turn.abandon()
    return Ahead(found)
