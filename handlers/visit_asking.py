"""The first step of many visits at once: what `visit_ladder.look` does for each of them, with a few statements for all.

In a county's morning thousands of visits are due at the same minute, and nearly all of them are plain: nobody was asked
yet, the holder can be reached, nothing was tried in vain. All else is left to the ladder.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from handlers import prompts, visit_ladder
from handlers.turn import Turn
from handlers.visit_ladder import ASK, LADDER
from handlers.workdays import in_window, local_day
from storage import visits
from storage.tasks import Task

Plan = tuple[datetime, datetime | None]
"""When a visit was to be asked for, and when to look at it next."""


def ask(turn: Turn, ids: Sequence[int]) -> Collection[int]:
    """Ask for those of these visits that are plain (their ids): one prompt for each holder."""
    if in_window(turn.policy, turn.now) > turn.now:
        return ()
    known: dict[tuple[date, date, int, str], Plan | None] = {}
    asked: defaultdict[int, list[prompts.Asked]] = defaultdict(list)
    done = []
    for row in visits.not_asked_yet(turn.connection, ids):
        alike = (local_day(row.due_at), local_day(row.opened_at), row.person_id, row.level)
        if alike not in known:
            known[alike] = _plan(turn, row)
        plan = known[alike]
        if plan is not None and row.contact is not None:
            asked[row.contact].append(prompts.asked(turn, row, plan[0]))
            done.append({"id": row.id, "person_id": row.person_id, "next_at": plan[1]})
    for contact, more in asked.items():
        prompts.ask(turn, contact, more)
    if done:
        visits.asked(turn.connection, done, step=ASK, now=turn.now)
    return {one["id"] for one in done}


def _plan(turn: Turn, row: Any) -> Plan | None:  # noqa: ANN401 - a row
    """What the ladder says of a visit nobody was asked for yet; None when there is more to do than to ask."""
    task = Task(person_id=row.person_id, due_at=row.due_at, opened_at=row.opened_at)
    moments = [visit_ladder.step_at(turn, task, row.level, number, {}, 0) for number in range(len(LADDER))]
    if [number for number, one in enumerate(moments) if one is not None and one <= turn.now] != [ASK]:
        return None
    task.asked_at = turn.now
    at = moments[ASK]
    return (at, visit_ladder.next_look(turn, task, row.level, {ASK: turn.now}, 0)) if at is not None else None
