"""Pairs: the two adults who follow a child one to one, cadre and teacher, and volunteers who join.

Who may form a pair is for the caller to ask; both acts are harmless when they come twice.
"""

from dataclasses import dataclass

from handlers import plans
from handlers.turn import Turn
from handlers.workdays import local_day
from storage import children, tasks, visits
from storage.children import Child, Pairing, Side
from storage.people import Person
from storage.tasks import Task


@dataclass(frozen=True)
class Followed:
    """A child somebody follows, and the visit task they hold for it."""

    child: Child
    task: Task | None


def pair(turn: Turn, child: Child, person: Person, side: Side) -> None:
    """Let a person follow a child. On a side that owes visits it replaces whoever did so, and takes over the task."""
    held = [one for one in children.pair_of(turn.session, child.id) if one.side == side]
    if any(one.person_id == person.id for one in held):
        return
    if side in plans.REQUIRED:
        for one in held:
            one.until = turn.now
    turn.session.add(Pairing(child_id=child.id, person_id=person.id, side=side, since=turn.now))
    turn.session.flush()  # the plan below looks for the new adult
    children.note_pair(turn.session, child, turn.now)
    turn.audit("pair", "child", child.id, side)
    if side not in plans.REQUIRED:
        return
    task = _live(turn, child, side)
    if task is None:
        plans.schedule_next(turn, child, side, plans.last_contact(turn, child, side) or local_day(turn.now))
    elif task.person_id != person.id:
        day = local_day(task.due_at)
        plans.stop(turn, task)  # the new adult is asked from the start, not in the middle of a ladder
        plans.plan_on(turn, child, side, day, person_id=person.id)


def unpair(turn: Turn, child: Child, person: Person, side: Side) -> None:
    """A person follows a child no longer; without anybody left on that side nobody owes its visits."""
    mine = [one for one in children.pair_of(turn.session, child.id) if one.person_id == person.id and one.side == side]
    for one in mine:
        one.until = turn.now
    turn.session.flush()  # the look below must not find it any more
    children.note_pair(turn.session, child, turn.now)
    task = _live(turn, child, side)
    if not mine or task is None:
        return
    turn.audit("unpair", "child", child.id, side)
    day = local_day(task.due_at)
    other = children.adult_of(turn.session, child.id, side)
    if other is None or task.person_id == person.id:
        plans.stop(turn, task)
        plans.plan_on(turn, child, side, day)


def unreachable(turn: Turn) -> list[Child]:
    """Children on file whose pair reaches nobody on a side: an alarm, and part of the unattended rate."""
    return children.without_reachable_pair(turn.session)


def followed(turn: Turn, person_id: int) -> list[Followed]:
    """Whom a person may record a visit for: what they hold by its day, then the other children they follow."""
    held = [
        Followed(turn.session.get_one(Child, task.subject_id), task) for task in visits.held_by(turn.session, person_id)
    ]
    known = {one.child.id for one in held}
    others = [one for one in children.paired_with(turn.session, person_id) if one.id not in known]
    return [*held, *(Followed(child, None) for child in others)]


def _live(turn: Turn, child: Child, side: str) -> Task | None:
    live = tasks.live_of_subject(turn.session, "child", child.id, [visits.TASK_KIND])
    return next((task for task in live if plans.side_of(task) == side), None)
