"""The ladder of a visit: ask, remind, the stand-in, the township, the county. Each step once, late if it must be.

What was done is what `task_told` says, one row for each step and person. A step counts in days after the due day; one
that follows another also leaves that much time after it, so that somebody asked late still gets the day to answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers import plans, prompts, who
from handlers.policy import Level, Policy
from handlers.turn import Turn
from handlers.workdays import at, in_window, local_day
from storage import tasks, visits
from storage.children import Child
from storage.people import Person, Role
from storage.tasks import LIVE, Task

ASK, REMIND, STAND_IN, TOWNSHIP, COUNTY = range(5)
VAIN_TRIES_FOR_TOWNSHIP = 2
"""Vain tries in a row after which the township hears of the child at once, and after one more the county."""


def _overdue(days: int) -> int:
    """A visit is overdue from the day after its due day."""
    return max(1, days)


@dataclass(frozen=True)
class Step:
    """Days after the due day, who is told, and which step it follows."""

    after: Callable[[Policy, Level], int]
    tell: Callable[[Turn, Task, datetime], list[int]]
    follows: int | None = None


def look(turn: Turn, task: Task) -> None:
    """Take every step whose time has come, and set when to look again."""
    child = turn.session.get_one(Child, task.subject_id)
    if task.state not in LIVE:
        return
    if child.off_file_at is not None:
        plans.stop(turn, task)
        return
    opens = in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    _not_left_with_nobody(turn, task)
    for number, step in enumerate(LADDER):
        taken = visits.steps_taken(turn.session, task.id)
        moment = _moment(turn, task, child, number, taken)
        if number not in taken and moment is not None and moment <= turn.now:
            _note(turn, task, number, step.tell(turn, task, moment))
    taken = visits.steps_taken(turn.session, task.id)
    task.rung = len(taken)
    task.next_at = _next_look(turn, task, child, taken)


def _next_look(turn: Turn, task: Task, child: Child, taken: dict[int, datetime]) -> datetime | None:
    """The next step's moment; a step that reached nobody is tried again the next morning."""
    open_steps = [number for number in range(len(LADDER)) if number not in taken]
    moments = [one for number in open_steps if (one := _moment(turn, task, child, number, taken)) is not None]
    tomorrow = at(local_day(turn.now) + timedelta(days=1), turn.policy.prompts_from)
    return min((one if one > turn.now else tomorrow for one in moments), default=None)


def _moment(turn: Turn, task: Task, child: Child, number: int, taken: dict[int, datetime]) -> datetime | None:
    """When a step is due; None while it waits for the step it follows."""
    step, level = LADDER[number], turn.policy.level(child.level)
    if number in {TOWNSHIP, COUNTY}:
        vain = visits.vain_in_a_row(turn.session, child.id, plans.side_of(task))
        if vain >= VAIN_TRIES_FOR_TOWNSHIP + (number == COUNTY):
            return in_window(turn.policy, task.opened_at)
    due = local_day(task.due_at)
    first = due if number == ASK else max(due, local_day(task.opened_at))  # nobody is overdue before being asked
    day = first + timedelta(days=step.after(turn.policy, level))
    if step.follows is not None:
        before = taken.get(step.follows)
        if before is None:
            return None
        gap = step.after(turn.policy, level) - LADDER[step.follows].after(turn.policy, level)
        day = max(day, local_day(before) + timedelta(days=gap))
    return plans.asked_at(turn, task.person_id, day)


# Who is told.


def _ask(turn: Turn, task: Task, moment: datetime) -> list[int]:
    holder = task.person_id
    if prompts.prompt(turn, task, holder, moment):
        return _ids(holder)
    return _hand_on(turn, task, moment)


def _remind(turn: Turn, task: Task, moment: datetime) -> list[int]:
    return _ids(task.person_id) if prompts.prompt(turn, task, task.person_id, moment) else []


def _stand_in(turn: Turn, task: Task, moment: datetime) -> list[int]:
    """The stand-in holds it now; where there is none, the holder is asked once more."""
    return _hand_on(turn, task, moment) or _remind(turn, task, moment)


def _township(turn: Turn, task: Task, moment: datetime) -> list[int]:
    """The township supervisors; where none can be reached, the county's."""
    return _tell(turn, task, Role.TOWNSHIP_CHILD_SUPERVISOR, moment) or _county(turn, task, moment)


def _county(turn: Turn, task: Task, moment: datetime) -> list[int]:
    return _tell(turn, task, Role.COUNTY_SUPERVISOR, moment)


def _tell(turn: Turn, task: Task, role: Role, moment: datetime) -> list[int]:
    above = who.supervisors(turn, task.area_id, role)
    return [one for one in above if prompts.prompt(turn, task, one, moment)]


LADDER = (
    Step(after=lambda policy, level: 0, tell=_ask),  # noqa: ARG005 - every step has this shape
    Step(after=lambda policy, level: 1, tell=_remind, follows=ASK),  # noqa: ARG005
    Step(after=lambda policy, level: 1 + policy.overdue_to_standin_days, tell=_stand_in, follows=REMIND),  # noqa: ARG005
    Step(after=lambda policy, level: _overdue(level.to_township_after_days), tell=_township),  # noqa: ARG005
    Step(after=lambda policy, level: _overdue(level.to_county_after_days), tell=_county),  # noqa: ARG005
)
"""In the order of ASK, REMIND, STAND_IN, TOWNSHIP, COUNTY."""


def _not_left_with_nobody(turn: Turn, task: Task) -> None:
    """A holder who was asked but can no longer be reached: the next one is asked at once, or the township is told."""
    asked = ASK in visits.steps_taken(turn.session, task.id)
    if asked and turn.reach(task.person_id) is None:
        _hand_on(turn, task, turn.now)


def _hand_on(turn: Turn, task: Task, moment: datetime) -> list[int]:
    """Move the task to the first of those who stand in and can be reached, and ask them; empty when there is nobody."""
    for one in _stand_ins(turn, task):
        if prompts.prompt(turn, task, one, moment):
            task.person_id = one
            _note(turn, task, STAND_IN, [one])
            return [one]
    unreachable = turn.reach(task.person_id) is None
    if unreachable and TOWNSHIP not in visits.steps_taken(turn.session, task.id):
        _note(turn, task, TOWNSHIP, _township(turn, task, moment))
    return []


def _stand_ins(turn: Turn, task: Task) -> Iterable[int]:
    """The holder's stand-in, then the officer of the village."""
    holder = turn.session.get(Person, task.person_id) if task.person_id else None
    found = (holder.stand_in_id if holder else None, who.officer_of(turn, task.area_id))
    return dict.fromkeys(one for one in found if one is not None and one != task.person_id)


def _note(turn: Turn, task: Task, number: int, told: list[int]) -> None:
    for person_id in told:
        tasks.tell(turn.session, task.id, person_id, number, turn.now)


def _ids(person_id: int | None) -> list[int]:
    return [] if person_id is None else [person_id]
