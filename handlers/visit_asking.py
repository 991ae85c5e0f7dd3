"""The first step of many visits at once: what `visit_ladder.look` does for each of them, with a few statements for all.

In a county's morning thousands of visits are due at the same minute, and nearly all of them are plain: nobody was asked
yet, the holder can be reached, nothing was tried in vain. All else is left to the ladder.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from handlers import prompts, visit_ladder
from handlers.turn import Turn
from handlers.visit_ladder import ASK, LADDER
from handlers.workdays import in_window, local_day
from storage import visits
from storage.tasks import Task


class Plan(NamedTuple):
    """Of all visits whose days, level and holder's hour are the same."""

    asked_for: datetime
    """When they were to be asked for, and as the prompt says it."""
    since: str
    next_at: datetime | None
    """When to look at them next."""


def ask(turn: Turn, ids: Sequence[int]) -> Collection[int]:
    """Ask for those of these visits that are plain (their ids): one prompt for each holder."""
    if in_window(turn.policy, turn.now) > turn.now:
        return ()
    known: dict[tuple[date, date, int | None, str], Plan | None] = {}
    asked: defaultdict[int, list[prompts.Asked]] = defaultdict(list)
    done: defaultdict[datetime | None, list[int]] = defaultdict(list)
    for row in visits.not_asked_yet(turn.connection, ids):
        alike = (local_day(row.due_at), local_day(row.opened_at), row.prompt_hour, row.level)
        if alike not in known:
            known[alike] = _plan(turn, row)
        plan = known[alike]
        if plan is not None and row.contact is not None:
            asked[row.contact].append(_asked(turn, row, plan))
            done[plan.next_at].append(row.id)
    for contact, more in asked.items():
        prompts.ask(turn, contact, more)
    for next_at, some in done.items():
        visits.asked(turn.connection, some, next_at=next_at, step=ASK, now=turn.now)
    return {one for some in done.values() for one in some}


def _asked(turn: Turn, row: Any, plan: Plan) -> prompts.Asked:  # noqa: ANN401 - a row
    if row.opened_at > plan.asked_for:
        return prompts.asked(turn, row, plan.asked_for)
    return prompts.Asked(row.id, row.kind, plan.since, row.due_at < row.opened_at, red=False)


def _plan(turn: Turn, row: Any) -> Plan | None:  # noqa: ANN401 - a row
    """What the ladder says of a visit nobody was asked for yet; None when there is more to do than to ask."""
    task = Task(person_id=row.person_id, due_at=row.due_at, opened_at=row.opened_at)
    moments = [visit_ladder.step_at(turn, task, row.level, number, {}, 0) for number in range(len(LADDER))]
    if [number for number, one in enumerate(moments) if one is not None and one <= turn.now] != [ASK]:
        return None
    task.asked_at = turn.now
    at = moments[ASK]
    if at is None:
        return None
    since = in_window(turn.policy, at).isoformat()
    return Plan(at, since, visit_ladder.next_look(turn, task, row.level, {ASK: turn.now}, 0))
