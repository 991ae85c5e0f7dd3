"""Filing a visit: what was told becomes a fact with its day; the task it answers ends and the next one is planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from handlers import children, plans, who
from handlers import visit_ladder as ladder
from handlers.turn import Refused, Turn
from handlers.understanding import understand
from handlers.workdays import at, in_window, local_day, workday_from
from messages import render
from storage import children as pairings
from storage import tasks, visits
from storage.children import Child, Side
from storage.people import Person
from storage.tasks import LIVE, Task, TaskState
from storage.visits import CONTACT, TASK_KIND, Visit, VisitKind

TOPICS = ("guardianship", "study", "body_and_mind")
RED_PLACES = frozenset({"guardianship", "body_and_mind"})
"""A problem here opens the report flow at once (domain.md 3.2)."""
_ALARMING = frozenset({"immediate_danger", "urgent"})


@dataclass(frozen=True)
class Told:
    """What somebody tells of a visit: its kind, the day it happened, topic → answer, topic (or `why`) → words."""

    kind: str
    day: date
    answers: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    next_try: date | None = None
    """When the child was not met: the day somebody goes again, if it was said."""


@dataclass(frozen=True)
class Filed:
    """What became of it."""

    line: str
    """How the child reads."""
    kind: str
    day: date
    late: bool = False
    next_day: date | None = None
    repeated: bool = False
    """The same person told the same before: nothing was filed."""

    def values(self, turn: Turn) -> dict[str, Any]:
        """For texts; days as moments, so that the filters can write them."""
        today = local_day(turn.now)
        return {
            "who": self.line, "kind": self.kind, "late": self.late,
            "on": None if self.day == today else at(self.day, plans.END_OF_DAY),
            "next": at(self.next_day, plans.END_OF_DAY) if self.next_day else None,
        }  # fmt: skip


def fine(turn: Turn, child: Child, side: str | None = None) -> dict[str, str]:
    """Everything this person is asked about, fine."""
    return dict.fromkeys(topics_of(turn, child, side), "fine")


def topics_of(turn: Turn, child: Child, side: str | None = None) -> tuple[str, ...]:
    """What this person is asked: the cadre about guardianship, the teacher about study, both about body and mind."""
    asked = {Side.CADRE: ("guardianship", "body_and_mind"), Side.TEACHER: ("study", "body_and_mind")}
    return asked.get(Side(_stand(turn, child, side)[0]), TOPICS)


def task_for(turn: Turn, child: Child, side: str | None = None) -> Task | None:
    """The live task that a visit by this person answers."""
    return _stand(turn, child, side)[1]


def _stand(turn: Turn, child: Child, side: str | None) -> tuple[str, Task | None]:
    """For which side this person speaks, the one named if it is theirs, and its live task; refuses everybody else."""
    person = speaker(turn)
    live = tasks.live_of_subject(turn.session, "child", child.id, [TASK_KIND])
    mine = [plans.side_of(task) for task in sorted(live, key=lambda task: task.due_at) if task.person_id == person.id]
    pairing = pairings.pairing_of(turn.session, child.id, person.id)
    if pairing is not None:
        mine.append(pairing.side)
    elif who.officer_of(turn, child.area_id) == person.id:
        mine.append(Side.CADRE)
    if not mine:
        raise Refused("common/not_yours")
    chosen = side if side in mine else mine[0]
    return chosen, next((task for task in live if plans.side_of(task) == chosen), None)


def speaker(turn: Turn) -> Person:
    """Who tells; a citizen has nothing to record."""
    if turn.person is None:
        raise Refused("tasks/only_staff")
    return turn.person


def file(turn: Turn, child: Child, told: Told, side: str | None = None) -> Filed:
    """Keep it once, end the task it answers (of the side named, if several are this person's), plan the next."""
    line, named = children.line(turn, child), side
    side, task = _stand(turn, child, side)
    person = speaker(turn)
    if visits.same(turn.session, child.id, person.id, named or side, told.day, told.kind):
        return Filed(line, told.kind, told.day, next_day=local_day(task.due_at) if task else None, repeated=True)
    met, last = told.kind in CONTACT, visits.last_contact(turn.session, child.id, side)
    newer = last is None or told.day > last  # an old visit typed today does not answer for what was asked since
    state = TaskState.DONE if met else TaskState.CANCELLED  # a vain try hands its task on to the next try
    answered = task if task and newer and plans.stop(turn, task, state) else None
    late = answered is not None and turn.now > answered.due_at
    _keep(turn, child, told, side, answered, late=late)
    if met:
        child.last_contact_on = max(filter(None, (child.last_contact_on, told.day)))
    following = _plan(turn, child, told, side) if newer else task
    return Filed(line, told.kind, told.day, late, local_day(following.due_at) if following else None)


def _keep(turn: Turn, child: Child, told: Told, side: str, task: Task | None, *, late: bool) -> None:
    turn.session.add(
        Visit(
            child_id=child.id, task_id=task.id if task else None, person_id=speaker(turn).id, area_id=child.area_id,
            kind=told.kind, side=side, happened_on=told.day, recorded_at=turn.now, late=late,
            problems=sum(answer == "problem" for answer in told.answers.values()), notes=dict(told.notes) or None,
            **{topic: told.answers.get(topic) for topic in TOPICS},
        )
    )  # fmt: skip
    turn.session.flush()  # the next plan counts from it
    turn.audit("visit", "child", child.id)


def _plan(turn: Turn, child: Child, told: Told, side: str) -> Task | None:
    """By the table after a contact; after a vain try on the day that was said, never later than the table gives.

    Where none was said it is in a few days. The township hears of the second vain try in a row.
    """
    if told.kind in CONTACT:
        return plans.schedule_next(turn, child, side, told.day)
    today = local_day(turn.now)
    day = max(told.next_try or told.day + timedelta(days=turn.policy.retry_visit_days), today)
    latest = plans.due_day(turn.policy, child, today)
    day = min(workday_from(turn.policy, day), latest) if told.next_try else workday_from(turn.policy, day)
    task = plans.plan_on(turn, child, side, day, person_id=speaker(turn).id)
    if task and visits.vain_in_a_row(turn.session, child.id, side) >= ladder.VAIN_TRIES_FOR_TOWNSHIP:
        task.next_at = in_window(turn.policy, turn.now)
    return task


def alarming(turn: Turn, told: Told) -> str | None:
    """The words with which a report has to be opened: a problem in a red place, or words of danger anywhere."""
    red = [topic for topic in TOPICS if topic in RED_PLACES and told.answers.get(topic) == "problem"]
    words = [said for key, said in told.notes.items() if key != "why"]
    return render("visits/found", topics=red, words=words) if red or sounds_alarming(turn, " ".join(words)) else None


def sounds_alarming(turn: Turn, words: str) -> bool:
    """Whether the rules hear harm to a child in the words of a visit."""
    return understand(words, next(iter(turn.roles), None)).urgency in _ALARMING


def answered_by_another(turn: Turn, task_id: int | None) -> Visit | None:
    """The visit by somebody else that answered the task meanwhile."""
    task = turn.session.get(Task, task_id) if task_id else None
    if task is None or task.state in LIVE:
        return None
    visit = visits.of_task(turn.session, task.id)
    return visit if visit and visit.person_id != speaker(turn).id and visit.kind != VisitKind.NOT_MET else None
