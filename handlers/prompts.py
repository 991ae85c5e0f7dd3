"""Prompts for tasks: those that fall due together for one person become one push, and none is ever silent.

A push names no child and no reporter: it says how many things of which kind, and where to look.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from handlers.turn import Card, Turn
from messages import label, render
from storage import outbox, tasks
from storage.outbox import OutboxKind, OutboxState
from storage.tasks import Task

MERGE_WAIT = timedelta(seconds=5)
"""How long a prompt waits for company before it is sent."""
LATE_AFTER = timedelta(hours=1)
"""A prompt sent later than this after it was due says so."""


def prompt(turn: Turn, task: Task, person_id: int | None, since: datetime | None = None) -> bool:
    """Ask a person for a task; False when no contact reaches them, so that the caller goes on to the next."""
    contact_id = turn.reach(person_id)
    if contact_id is None:
        return False
    late = turn.now - (since or task.due_at) > LATE_AFTER
    waiting = outbox.queued_prompt(turn.connection, contact_id)
    if waiting and "tasks" not in waiting.content:
        waiting = None  # a nudge to a reporter, who may be staff too: not to be mixed with work
    asked = [*_others(waiting, task), [task.id, task.kind, late]]
    content = _content(asked)
    if waiting:
        outbox.rewrite(turn.connection, waiting.id, content)
    else:
        outbox.add(
            turn.connection, contact_id=contact_id, kind=OutboxKind.PROMPT, state=OutboxState.QUEUED,
            content=content, now=turn.now, next_at=turn.now + MERGE_WAIT,
        )  # fmt: skip
    task.prompted_at = turn.now
    if person_id == task.person_id:
        task.asked_at = task.asked_at or turn.now
    return True


def still_true(connection: Connection, outbox_id: int, content: dict[str, Any]) -> dict[str, Any] | None:
    """What a prompt says at the moment it is said, without the tasks that ended while it waited; None: nothing is left.

    Asked here, once for all, since a task ends in many ways and whoever was prompted for it need not be its holder.
    """
    asked = content.get("tasks")
    if asked is None:
        return content
    live = tasks.live_among(connection, [one[0] for one in asked])
    left = [one for one in asked if one[0] in live]
    if left and len(left) < len(asked):
        content = content | _content(left)
        outbox.rewrite(connection, outbox_id, content)
    return content if left else None


def _others(waiting: Any | None, task: Task) -> list[list[object]]:  # noqa: ANN401 - a row
    """What the queued prompt asks for already, this task left out: it is never counted twice."""
    return [one for one in waiting.content["tasks"] if one[0] != task.id] if waiting else []


def _content(asked: list[list[object]]) -> dict[str, object]:
    kinds = [str(kind) for _, kind, _ in asked]
    counts = [(label("task_kind", kind), kinds.count(kind)) for kind in dict.fromkeys(kinds)]
    late = sum(bool(one) for _, _, one in asked)
    card = Card("task", {"what": render("tasks/card", count=len(asked)), "count": str(len(asked))}, "/m/tasks")
    return {
        "text": render("tasks/prompt", counts=counts, total=len(asked), late=late),
        "tasks": asked,
        "card": {"purpose": card.purpose, "values": dict(card.values), "path": card.path},
    }
