"""When a child is due to be visited: one live task for each side of its pair, planned by the county's level table.

A plan is never changed in place: another day means that the task is cancelled and its successor opened, so that what
was once asked of somebody stays on record.
"""

from datetime import date, datetime, time, timedelta

from handlers import who
from handlers.policy import Policy
from handlers.turn import Turn
from handlers.workdays import at, in_window, is_workday, local_day, workday_from
from storage import absences, children, tasks, visits
from storage.children import Child, Side
from storage.people import Person
from storage.tasks import LIVE, Task, TaskState

REQUIRED = (Side.CADRE, Side.TEACHER)
"""The two sides of a pair that owe visits; volunteers join without owing any."""
END_OF_DAY = time(23, 59)
DAY = timedelta(days=1)
_BEFORE_HOLIDAY = timedelta(days=7)
"""A contact so short before a holiday is the one before it."""
_POSTPONED = "p"
"""How the key of a task ends that was postponed: it cannot be a second time."""


def due_day(policy: Policy, child: Child, from_day: date) -> date:
    """The workday on which a child is due again after `from_day`: by the table, or sooner for a long holiday."""
    level = policy.level(child.level)
    first_month = from_day < local_day(child.level_since) + timedelta(days=policy.first_month_days)
    days = level.first_month_every_days if first_month else level.visit_every_days
    due = workday_from(policy, from_day + timedelta(days=days))
    return _around_holiday(policy, level.holiday_days, from_day, due) or due


def _around_holiday(policy: Policy, least: int, from_day: date, due: date) -> date | None:
    """The last workday before a holiday of so many days (or a contact in the week before), or the first after."""
    first = from_day
    while least and not is_workday(policy, first - DAY):
        first -= DAY  # a holiday in which the contact was made counts whole
    while least and first < due:
        after = workday_from(policy, first)
        if after - first >= least * DAY:
            if from_day < first - _BEFORE_HOLIDAY:
                return first - DAY
            if from_day < after:
                return after
        first = max(after, first + DAY)
    return None


def schedule_next(turn: Turn, child: Child, side: str, from_day: date) -> Task | None:
    """The task for the next visit of a side, opened unless there is one; None when nobody follows on this side."""
    return plan_on(turn, child, side, due_day(turn.policy, child, from_day))


def plan_on(
    turn: Turn, child: Child, side: str, day: date, *, person_id: int | None = None, postponed: bool = False
) -> Task | None:
    """The same with the day given. A day already past is asked for at once."""
    last = visits.last_task(turn.session, child.id, side)
    if last and last.state in LIVE:
        return last
    adult = children.adult_of(turn.session, child.id, side)
    if side not in REQUIRED or adult is None or child.off_file_at is not None:
        return None
    wanted = person_id or adult.person_id
    holder = who.acting_for(turn, wanted)
    number = turn.open_task(
        visits.TASK_KIND, "child", child.id, child.area_id, due_at=at(day, END_OF_DAY),
        next_at=in_window(turn.policy, max(turn.now, asked_at(turn, holder, day))), person_id=holder,
        again=f"{side}.{last.id if last else 0}{_POSTPONED if postponed else ''}",
    )  # fmt: skip
    leave = absences.open_of(turn.session, wanted) if holder != wanted else None
    if leave is not None:
        absences.lend(turn.session, leave, "task", number, holder)
    return turn.session.get_one(Task, number)


def asked_at(turn: Turn, person_id: int | None, day: date) -> datetime:
    """When a person is asked on a day: at the hour they chose, inside the county's window."""
    person = turn.session.get(Person, person_id) if person_id else None
    chosen = time(person.prompt_hour) if person and person.prompt_hour is not None else turn.policy.prompts_from
    inside = turn.policy.prompts_from <= chosen < turn.policy.prompts_until
    return at(day, chosen if inside else turn.policy.prompts_from)


def replan(turn: Turn, child: Child) -> None:
    """The rules for a child changed: every live task moves to the day they now give."""
    for task in tasks.live_of_subject(turn.session, "child", child.id, [visits.TASK_KIND]):
        planned = local_day(task.due_at)
        day = _day_anew(turn, child, side_of(task), planned)
        if day != planned:
            move(turn, child, task, day)


def _day_anew(turn: Turn, child: Child, side: str, planned: date) -> date:
    """From the last contact; where the new rhythm would have asked already, from today, never later than planned."""
    today = local_day(turn.now)
    day = due_day(turn.policy, child, last_contact(turn, child, side) or today)
    return day if day >= today else min(planned, due_day(turn.policy, child, today))


def last_contact(turn: Turn, child: Child, side: str) -> date | None:
    """The day from which a side's next visit counts."""
    return visits.last_contact(turn.session, child.id, side) or child.last_contact_on


def move(turn: Turn, child: Child, task: Task, day: date, *, postponed: bool = False) -> Task | None:
    """Another day for a live task, with the same holder; the task that now stands for it."""
    side, holder = side_of(task), task.person_id
    stop(turn, task)
    following = plan_on(turn, child, side, day, person_id=holder, postponed=postponed)
    if following is not None:
        absences.goes_on_as(turn.connection, task.id, following.id)  # what was lent stays lent
    return following


def stop(turn: Turn, task: Task, state: TaskState = TaskState.CANCELLED) -> bool:
    """End a task; False when it had ended before (one update decides)."""
    turn.session.flush()  # the update below must not be overwritten by what this turn changed before
    ended = tasks.end(turn.connection, task.id, turn.now, state)
    turn.session.refresh(task)
    return ended


def side_of(task: Task) -> str:
    """The side of the pair that a visit task is for."""
    return task.key.rsplit(":", 1)[-1].partition(".")[0]


def was_postponed(task: Task) -> bool:
    """Whether its day was already moved once on request."""
    return task.key.endswith(_POSTPONED)
