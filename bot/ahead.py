"""What due work needs that takes long to read, read where it holds nobody up (docs/decisions/0025)."""

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


def look(connection: Connection, now: datetime, policy: Policy) -> dict[int, Any]:
    """Of each due task of a kind that reads ahead what it reads, None where that failed; `connection` may only read."""
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
    return found
