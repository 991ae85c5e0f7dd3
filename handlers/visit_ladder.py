"""The ladder of a visit: ask, remind, the stand-in, the township, the county. Each step once, late if it must be.

What was done is what `task_told` says, one row for each step and person. A step counts in days after the due day; one
that follows another also leaves that much time after it, so that somebody asked late still gets the day to answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers import moving, plans, prompts, who
from handlers.policy import Level, Policy
from handlers.turn import Turn
from handlers.workdays import at, in_window, local_day
from storage import tasks, visits
from storage.children import Child
from storage.loads import Load
from storage.people import Role
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
    _not_left_with_nobody(turn, task, child)
    opens = in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    _ask_again_or_move_on(turn, task, child)
    taken = visits.steps_taken(turn.session, task.id)
    vain = visits.vain_in_a_row(turn.session, child.id, plans.side_of(task))
    for number, step in enumerate(LADDER):
        moment = step_at(turn, task, child.level, number, taken, vain)
        if number not in taken and moment is not None and moment <= turn.now:
            _note(turn, task, number, step.tell(turn, task, moment))
            taken = visits.steps_taken(turn.session, task.id)
    task.rung = len(taken)
    task.next_at = next_look(turn, task, child.level, taken, vain)


def next_look(turn: Turn, task: Task, level: str, taken: dict[int, datetime], vain: int) -> datetime | None:
    """The next step's moment; a step that reached nobody is tried again the next morning."""
    open_steps = [number for number in range(len(LADDER)) if number not in taken]
    moments = [one for number in open_steps if (one := step_at(turn, task, level, number, taken, vain)) is not None]
    moments += filter(None, [moving.silent_at(turn, task, level)])
    tomorrow = at(local_day(turn.now) + timedelta(days=1), turn.policy.prompts_from)
    return min((one if one > turn.now else tomorrow for one in moments), default=None)


def step_at(
    turn: Turn, task: Task, child_level: str, number: int, taken: dict[int, datetime], vain: int
) -> datetime | None:
    """When a step is due, after so many vain tries in a row; None while it waits for the step it follows."""
    step, level = LADDER[number], turn.policy.level(child_level)
    if number == STAND_IN and child_level in moving.MOVING:
        return None  # it moves when its holder is silent
    if number in {TOWNSHIP, COUNTY} and vain >= VAIN_TRIES_FOR_TOWNSHIP + (number == COUNTY):
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


def _prompt(turn: Turn, task: Task, moment: datetime) -> list[int]:
    return _ids(task.person_id) if prompts.prompt(turn, task, task.person_id, moment) else []


def _stand_in(turn: Turn, task: Task, moment: datetime) -> list[int]:
    """The stand-in holds it now; where there is none, the holder is asked once more."""
    for one in moving.below(turn, task.person_id, task.area_id, _load(task)):
        moving.give(turn, task, one)
        break
    return _prompt(turn, task, moment)


def _township(turn: Turn, task: Task, moment: datetime) -> list[int]:
    """The township supervisors; where none can be reached, the county's."""
    return _tell(turn, task, Role.TOWNSHIP_CHILD_SUPERVISOR, moment) or _county(turn, task, moment)


def _county(turn: Turn, task: Task, moment: datetime) -> list[int]:
    return _tell(turn, task, Role.COUNTY_SUPERVISOR, moment)


def _tell(turn: Turn, task: Task, role: Role, moment: datetime) -> list[int]:
    above = who.supervisors(turn, task.area_id, role)
    return [one for one in above if prompts.prompt(turn, task, one, moment)]


LADDER = (
    Step(after=lambda policy, level: 0, tell=_prompt),  # noqa: ARG005 - every step has this shape
    Step(after=lambda policy, level: 1, tell=_prompt, follows=ASK),  # noqa: ARG005
    Step(after=lambda policy, level: 1 + policy.overdue_to_standin_days, tell=_stand_in, follows=REMIND),  # noqa: ARG005
    Step(after=lambda policy, level: _overdue(level.to_township_after_days), tell=_township),  # noqa: ARG005
    Step(after=lambda policy, level: _overdue(level.to_county_after_days), tell=_county),  # noqa: ARG005
)
"""In the order of ASK, REMIND, STAND_IN, TOWNSHIP, COUNTY."""


def _not_left_with_nobody(turn: Turn, task: Task, child: Child) -> None:
    """Whoever can no longer be reached does not hold it: the next one does, and is asked by day."""
    if turn.reach(task.person_id) is not None:
        return
    near = next(moving.below(turn, task.person_id, child.area_id, _load(task)), None)
    to = near or moving.next_holder(turn, task.person_id, child.area_id, _load(task))
    if to is not None:
        moving.give(turn, task, to)
        _note(turn, task, STAND_IN, [to])
        _note(turn, task, TOWNSHIP, _ids(None if near else to))


def _ask_again_or_move_on(turn: Turn, task: Task, child: Child) -> None:
    """Whoever has it from somebody else who was asked is asked too; whoever was silent too long has it no more."""
    if task.asked_at is None and ASK in visits.steps_taken(turn.session, task.id):
        prompts.prompt(turn, task, task.person_id, turn.now)
    silent_at = moving.silent_at(turn, task, child.level)
    if silent_at is not None and silent_at <= turn.now:
        to = moving.after_silence(turn, task, _load(task))
        _note(turn, task, STAND_IN, _ids(to))


def _load(task: Task) -> Load:
    return Load(children=frozenset({task.subject_id}))


def _note(turn: Turn, task: Task, number: int, told: list[int]) -> None:
    for person_id in told:
        tasks.tell(turn.session, task.id, person_id, number, turn.now)


def _ids(person_id: int | None) -> list[int]:
    return [] if person_id is None else [person_id]
