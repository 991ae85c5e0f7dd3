"""The demo county's one-to-one visits: four weeks, done, late, vain or overdue, and an open task for each side."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from sqlalchemy.orm import Session

from handlers import plans, visit_ladder, workdays
from handlers.demo.chance import Chance
from handlers.demo.children import OnFile
from handlers.demo.staff import Staff
from handlers.policy import Policy
from messages.files import table
from storage import visits
from storage.children import Child, Pairing, Side
from storage.tasks import Task, TaskState, TaskTold
from storage.visits import Visit

HISTORY = timedelta(days=28)
_VAIN, _BY_PHONE, _LATE, _WORRIED = 0.04, 0.12, 0.1, 0.12
_OVERDUE = 0.05
_LATEST, _OVERDUE_SINCE = 4, 10
"""Days by which a late visit was late at most, and that an overdue one waits at most."""
_DUE_TODAY = 3
"""Children of the page's officer whose visit is due today."""


@dataclass
class Past:
    """What writing one visit after another needs."""

    chance: Chance
    policy: Policy
    staff: Staff
    now: datetime
    tasks: list[Task] = field(default_factory=list)
    visits: list[tuple[Visit, Task]] = field(default_factory=list)
    told: list[tuple[Task, int, int, datetime]] = field(default_factory=list)
    """Task, step of its ladder, who was told, when."""

    @property
    def today(self) -> date:
        """The local day."""
        return workdays.local_day(self.now)


def make(
    session: Session, chance: Chance, policy: Policy, staff: Staff, children: list[OnFile], officer_id: int,
    now: datetime,
) -> None:  # fmt: skip
    """History and plan of every child and side; so many visits of the page's officer are due today."""
    past = Past(chance, policy, staff, now)
    mine = 0
    for one in children:
        for pairing in one.pairs:
            first = pairing.person_id == officer_id and mine < _DUE_TODAY
            mine += first
            _side(past, one, pairing, due_today=first)
    session.add_all(past.tasks)
    session.flush()  # gives the ids that the visits point to
    for visit, task in past.visits:
        visit.task_id = task.id
    session.add_all(visit for visit, _ in past.visits)
    session.add_all(
        TaskTold(task_id=task.id, rung=rung, person_id=person_id, told_at=at) for task, rung, person_id, at in past.told
    )
    session.flush()  # nothing of the history is left to the caller


def _side(past: Past, one: OnFile, pairing: Pairing, *, due_today: bool) -> None:
    """From the next due day backwards; the one open task is the next, or the last one when that is overdue."""
    every = past.policy.level(one.child.level).visit_every_days
    ahead = 0 if due_today else past.chance.number(0 if one.child.level == "red" else 1, every)
    upcoming = past.today + timedelta(days=ahead)
    days = []
    day = upcoming - timedelta(days=every)
    while day > past.today - HISTORY and day > workdays.local_day(one.child.on_file_since):
        days.append(day)
        day -= timedelta(days=every)
    overdue = None
    if days and not due_today and (past.today - days[0]).days <= _OVERDUE_SINCE and past.chance.happens(_OVERDUE):
        overdue = days.pop(0)
    for number, day in enumerate(reversed(days)):
        _done(past, one.child, pairing, workdays.workday_from(past.policy, day), number)
    day = overdue or (upcoming if due_today else workdays.workday_from(past.policy, upcoming))
    task = _task(past, one.child, pairing, day, len(days))
    task.next_at = workdays.in_window(past.policy, max(past.now, workdays.at(day, past.policy.prompts_from)))
    past.tasks.append(task)
    if overdue:
        _climb(past, task, one, day)


def _task(past: Past, child: Child, pairing: Pairing, day: date, number: int) -> Task:
    """A visit task; `number` tells those of one side apart, where the plans name the task before."""
    every = past.policy.level(child.level).visit_every_days
    return Task(
        key=f"{visits.task_key(child.id, pairing.side)}{number}", kind=visits.TASK_KIND, subject="child",
        subject_id=child.id, area_id=child.area_id, person_id=pairing.person_id, state=TaskState.OPEN, urgency=0,
        opened_at=workdays.at(day - timedelta(days=every), time(16)), due_at=workdays.at(day, plans.END_OF_DAY),
        rung=0, late=False, failures=0, policy_version=past.policy.version,
    )  # fmt: skip


def _climb(past: Past, task: Task, one: OnFile, day: date) -> None:
    """An overdue visit has climbed its ladder as far as the days since allow."""
    level = past.policy.level(one.child.level)
    holder, after = task.person_id, None
    for number, step in enumerate(visit_ladder.LADDER):
        at = workdays.at(day + timedelta(days=step.after(past.policy, level)), past.policy.prompts_from)
        if at > past.now:
            after = min(after or at, at)
            continue
        if number == visit_ladder.STAND_IN:
            task.person_id = past.staff.stand_ins.get(holder or 0, holder)
        told = past.staff.told(number, one.village, holder, task.person_id)
        past.told += [(task, number, person_id, at) for person_id in told]
        task.rung += 1
    task.prompted_at = workdays.at(day, past.policy.prompts_from)
    task.next_at = after


def _done(past: Past, child: Child, pairing: Pairing, day: date, number: int) -> None:
    """One visit of the past and the task that it answered."""
    chance = past.chance
    late = chance.number(1, _LATEST) if chance.happens(_LATE) else 0
    happened = min(day + timedelta(days=late), past.today - timedelta(days=1))
    kind = "not_met" if chance.happens(_VAIN) else "phone" if chance.happens(_BY_PHONE) else "seen"
    at = workdays.at(happened, time(chance.number(9, 18), chance.number(0, 59)))
    task = _task(past, child, pairing, day, number)
    task.state, task.ended_at, task.late = TaskState.DONE, at, at > task.due_at
    task.prompted_at, task.rung = workdays.at(day, past.policy.prompts_from), 1
    visit = Visit(
        child_id=child.id, person_id=pairing.person_id, area_id=child.area_id, kind=kind, side=pairing.side,
        happened_on=happened, recorded_at=at, late=task.late, problems=0,
    )  # fmt: skip
    if kind == "not_met":
        visit.notes = {"why": chance.one(table("demo/sentences.toml")["visit"]["not_met"])}
    else:
        _findings(chance, visit, pairing)
        child.last_contact_on = max(child.last_contact_on or happened, happened)
    past.tasks.append(task)
    past.visits.append((visit, task))


def _findings(chance: Chance, visit: Visit, pairing: Pairing) -> None:
    """The cadre answers guardianship, the teacher study and mind; now and then something is not fine."""
    topics = ["guardianship", "body_and_mind"] if pairing.side == Side.CADRE else ["study", "body_and_mind"]
    for topic in topics:
        setattr(visit, topic, "fine")
    if chance.happens(_WORRIED):
        topic = chance.one(topics)
        answer = "problem" if chance.happens(0.2) else "worry"
        setattr(visit, topic, answer)
        visit.problems = int(answer == "problem")
        visit.notes = {topic: chance.one(table("demo/sentences.toml")["visit"][topic])}
