"""Prompts for tasks: those that fall due together for one person become one push, and none is ever silent.

A push names no child and no reporter: it says how many things of which kind, and where to look. It is said inside the
county's hours, only so often in an hour, and late if it must be; then it says by how much.
"""

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from handlers.policy import Policy
from handlers.turn import Card, Turn
from handlers.workdays import in_window
from messages import label, render
from storage import outbox, pushes, tasks
from storage.contacts import Talk
from storage.outbox import OutboxKind, OutboxState
from storage.tasks import Task

MERGE_WAIT = timedelta(seconds=5)
"""How long a prompt waits for company before it is sent."""
LATE_AFTER = timedelta(hours=1)
"""A prompt sent later than this after it was due says so."""
HOUR = timedelta(hours=1)
LOOK_AGAIN = timedelta(minutes=1)
"""How often a prompt that waits for a running flow looks whether it has ended."""
LONGEST = 999
"""The largest number that is said on a card, which has twenty characters a field."""


class Asked(NamedTuple):
    """One task that a queued prompt asks for; kept as a list in the row's content."""

    task: int
    kind: str
    since: str
    """When it should have been asked, as ISO text."""
    past: bool
    """Whether its day was over already when it was planned: it is due now, and nobody is late with it."""
    red: bool
    """Whether it waits for no hour: the child is in danger."""

    def hours_late(self, now: datetime) -> int:
        """Whole hours; 0 while it is in time."""
        late = now - datetime.fromisoformat(self.since)
        return late // HOUR if late > LATE_AFTER else 0


def prompt(turn: Turn, task: Task, person_id: int | None, since: datetime | None = None, *, red: bool = False) -> bool:
    """Ask a person for a task; False when no contact reaches them, so that the caller goes on to the next.

    `since`: when they should have been asked, if that is not when the due work should have been done.
    """
    contact_id = turn.reach(person_id)
    if contact_id is None:
        return False
    ask(turn, contact_id, [asked(turn, task, since, red=red)])
    task.prompted_at = turn.now
    if person_id == task.person_id:
        task.asked_at = task.asked_at or turn.now
    return True


def ask(turn: Turn, contact_id: int, more: list[Asked]) -> None:
    """Ask for tasks, in the prompt that still waits for this contact if there is one."""
    red = any(one.red for one in more)
    waiting = outbox.queued_prompt(turn.connection, contact_id)
    if waiting and "tasks" not in waiting.content:
        waiting = None  # a nudge to a reporter, who may be staff too: not to be mixed with work
    content = _content(_with(waiting, more), turn.now)
    if waiting:
        outbox.rewrite(turn.connection, waiting.id, content)
        if red:
            pushes.sooner(turn.connection, waiting.id, turn.now + MERGE_WAIT)
    else:
        outbox.add(
            turn.connection, contact_id=contact_id, kind=OutboxKind.PROMPT, state=OutboxState.QUEUED,
            content=content, now=turn.now, next_at=turn.now + MERGE_WAIT,
        )  # fmt: skip


def still_true(connection: Connection, outbox_id: int, content: dict[str, Any], now: datetime) -> dict[str, Any] | None:
    """What a prompt says at the moment it is said, without the tasks that ended while it waited; None: nothing is left.

    Asked here, once for all, since a task ends in many ways and whoever was prompted for it need not be its holder;
    and since only now is it known how late it is.
    """
    if "tasks" not in content:
        return content
    asked = [Asked(*one) for one in content["tasks"]]
    live = tasks.live_among(connection, [one.task for one in asked])
    left = [one for one in asked if one.task in live]
    if not left:
        return None
    said = content | _content(left, now)
    if said != content:
        outbox.rewrite(connection, outbox_id, said)
    return said


def waits_until(
    connection: Connection,
    talk: Talk,
    row: Any,  # noqa: ANN401 - a row
    content: dict[str, Any],
    now: datetime,
    policy: Policy,
) -> datetime | None:
    """Until when a prompt waits, with everything that joins it meanwhile; None: it may be said. Alarms never wait.

    For a running flow half an hour at most; for the county's hours; and for its turn after what was pushed in the last
    hour, but no longer than an hour, since what does not wait may fill every hour.
    """
    if row.kind != OutboxKind.PROMPT:
        return None
    until = _flow_ends(talk, row, now, policy)
    asked = [Asked(*one) for one in content.get("tasks", ())]
    if asked and not any(one.red for one in asked):
        its_turn = min(_turn_comes(connection, row, now, policy), row.created_at + HOUR)
        until = max(until, in_window(policy, now), its_turn)
    return until if until > now else None


def _flow_ends(talk: Talk, row: Any, now: datetime, policy: Policy) -> datetime:  # noqa: ANN401 - a row
    if not talk.flow or talk.asked_at is None:
        return now
    until: datetime = min(talk.asked_at, row.created_at) + timedelta(minutes=policy.flow_wait_minutes)
    return min(until, now + LOOK_AGAIN)


def _turn_comes(connection: Connection, row: Any, now: datetime, policy: Policy) -> datetime:  # noqa: ANN401 - a row
    """When fewer pushes than the county's most lie in the hour before."""
    most = policy.pushes_per_hour
    pushed = pushes.last(connection, row.contact_id, most) if most else []
    return pushed[-1] + HOUR if most and len(pushed) == most else now


def asked(turn: Turn, task: Any, since: datetime | None, *, red: bool = False) -> Asked:  # noqa: ANN401 - or its columns
    """What a prompt says of a task (its id, kind, opened_at and due_at), which should have been asked for `since`."""
    ought = max(since or turn.since or turn.now, task.opened_at)
    ought = ought if red else in_window(turn.policy, ought)
    return Asked(task.id, task.kind, ought.isoformat(), task.due_at < task.opened_at, red)


def _with(waiting: Any | None, more: list[Asked]) -> list[Asked]:  # noqa: ANN401 - a row
    """What the queued prompt asks for already, and these, none of them counted twice; each stays as late as it was."""
    known = {one[0]: Asked(*one) for one in waiting.content["tasks"]} if waiting else {}
    for new in more:
        before = known.pop(new.task, new)
        known[new.task] = new._replace(since=min(new.since, before.since, key=datetime.fromisoformat))
    return [*known.values()]


def _content(asked: list[Asked], now: datetime) -> dict[str, object]:
    kinds = Counter(one.kind for one in asked)
    hours_late = {one.since: one.hours_late(now) for one in asked}
    late = [hours for one in asked if (hours := hours_late[one.since])]
    words = _Words(tuple(kinds.items()), len(late), max(late, default=0), sum(one.past for one in asked))
    text, what = _said(words)
    card = Card("task", {"what": what, "count": str(len(asked))}, "/m/tasks")
    return {
        "text": text,
        "tasks": [list(one) for one in asked],
        "card": {"purpose": card.purpose, "values": dict(card.values), "path": card.path},
    }


class _Words(NamedTuple):
    """All that the words of a prompt depend on: how many of each kind, how many late, and by how much the latest."""

    kinds: tuple[tuple[str, int], ...]
    late: int
    hours: int
    past: int


@lru_cache(maxsize=256)  # in the morning of a county many are asked the same
def _said(words: _Words) -> tuple[str, str]:
    """The prompt and its card."""
    total = sum(many for _, many in words.kinds)
    counts = [(label("task_kind", kind), many) for kind, many in words.kinds]
    text = render(
        "tasks/prompt", counts=counts, total=total, late=words.late, hours=words.hours, past=words.past
    )  # fmt: skip
    return text, render(
        "tasks/card", count=min(total, LONGEST), hours=min(words.hours, LONGEST), past=words.past
    )  # fmt: skip
