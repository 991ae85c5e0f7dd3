"""Work that moves from whoever is silent or gone to the next who can act and has room; it is never left to nobody.

The next: the holder's stand-in, the officer of the village, the township's supervisors, the county's. Up to the officer
only somebody with room counts (`most_children`, `most_cases`); the supervisors are there for what nobody else can take.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from handlers import alarms, prompts, who
from handlers.turn import Turn
from handlers.workdays import in_window
from messages import render
from storage import absences, cases, loads, outbox, people, posts, tasks
from storage.cases import Case
from storage.loads import Load
from storage.outbox import OutboxKind, OutboxState
from storage.people import STAFF, Person, Role
from storage.tasks import Task

MOVING = ("red", "yellow")
"""Levels of a child or a case at which silence moves a task (mission.md capability 10)."""
SUPERVISORS = (Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR)


def has_room(turn: Turn, person_id: int, more: Load) -> bool:
    """Whether somebody may be given this without going over the county's limits; what they have already is no more."""
    have = loads.of(turn.session, person_id)
    both = have | more
    fits = both.children == have.children or within(len(both.children), turn.policy.most_children)
    return fits and (both.cases == have.cases or within(len(both.cases), turn.policy.most_cases))


def over(turn: Turn, person_id: int | str | None, more: Load) -> dict[str, Any] | None:
    """What somebody would have with this, where that is over the limits: whoever gives it to them must confirm it."""
    person = people.person_of(turn.session, int(person_id or 0))
    if person is None or has_room(turn, person.id, more):
        return None
    both = loads.of(turn.session, person.id) | more
    return {"who": person.name, "children": len(both.children), "cases": len(both.cases)}


def within(many: int, most: int) -> bool:
    """Whether a number keeps a limit; 0 is none."""
    return not most or many <= most


def below(turn: Turn, holder_id: int | None, area_id: int, more: Load, past: Collection[int] = ()) -> Iterator[int]:
    """The stand-in and the officer of the village, those who can be reached and have room; none who is `past`."""
    holder = turn.session.get(Person, holder_id) if holder_id else None
    found = (holder.stand_in_id if holder else None, who.officer_of(turn, area_id))
    for one in dict.fromkeys(found):
        if one not in {None, holder_id, *past} and turn.reach(one) is not None and has_room(turn, one or 0, more):
            yield one or 0


def next_holder(turn: Turn, holder_id: int | None, area_id: int, more: Load, past: Collection[int] = ()) -> int | None:
    """Who has it next, a supervisor where nobody below can; None when nobody is left."""
    for one in below(turn, holder_id, area_id, more, past):
        return one
    for role in SUPERVISORS:
        for one in who.supervisors(turn, area_id, role):
            if one not in {holder_id, *past} and turn.reach(one) is not None:
                return one
    return None


def give(turn: Turn, task: Task, person_id: int) -> None:
    """Somebody else holds a task now; whoever calls sees to it that they are asked."""
    if task.subject == "case":
        give_case(turn, turn.session.get_one(Case, task.subject_id), task.person_id, person_id)
    task.person_id, task.asked_at = person_id, None
    absences.moved(turn.connection, "task", task.id, person_id)


def give_case(turn: Turn, case: Case, holder_id: int | None, person_id: int) -> None:
    """What somebody is to a case, another is now."""
    if case.officer_id == holder_id:
        case.officer_id = None if person_id == case.holder_id else person_id
        absences.moved(turn.connection, "officer", case.id, person_id)
    if case.holder_id == holder_id:
        case.holder_id = person_id
        absences.moved(turn.connection, "holder", case.id, person_id)


def silent_at(turn: Turn, task: Task, level: str) -> datetime | None:
    """When a task moves on because its holder did nothing, if it does; what is not red waits for the day."""
    if level not in MOVING or task.asked_at is None:
        return None
    at = task.asked_at + timedelta(hours=turn.policy.silence_hours)
    return at if level == "red" else in_window(turn.policy, at)


def after_silence(turn: Turn, task: Task, load: Load, *, red: bool = False) -> int | None:
    """Give it to the next one and tell the township; where nobody is left the holder is asked anew. Who has it now."""
    holder = task.person_id
    if holder is not None:
        tasks.tell(turn.session, task.id, holder, tasks.HAD, turn.now)
    to = next_holder(turn, holder, task.area_id, load, tasks.had(turn.session, task.id))
    if to is not None:
        give(turn, task, to)
        turn.audit("move", "task", task.id)
    task.asked_at = turn.now
    prompts.prompt(turn, task, task.person_id, turn.now, red=red)
    _tell_above(turn, task, {holder, to})
    return to


def _tell_above(turn: Turn, task: Task, but: Collection[int | None]) -> None:
    """The township's supervisors hear that it moved; where none of them can be told anything, the county's."""
    for role in SUPERVISORS:
        found = who.supervisors(turn, task.area_id, role)
        told = [_tell_moved(turn, one, task) for one in found if one not in but]
        if any(told):
            return


def _tell_moved(turn: Turn, person_id: int, task: Task) -> bool:
    """One message for everything that moved at the same time."""
    contact = people.reachable(turn.session, person_id)
    if contact is None:
        return False
    waiting = [row for row in outbox.queued_notices(turn.connection, contact) if "moved" in row.content][:1]
    before = [one for row in waiting for one in row.content["moved"] if one[0] != task.id]
    content = _moved(turn, [*before, [task.id, task.area_id]])
    for row in waiting:
        outbox.rewrite(turn.connection, row.id, content)
    if not waiting:
        outbox.add(
            turn.connection, contact_id=contact, kind=OutboxKind.NOTICE, state=OutboxState.QUEUED, content=content,
            now=turn.now, next_at=turn.now + prompts.MERGE_WAIT,
        )  # fmt: skip
    return True


def _moved(turn: Turn, moved: list[list[int]]) -> dict[str, object]:
    places = dict.fromkeys(alarms.place_of(turn, area) for _, area in moved)
    names = dict.fromkeys(alarms.name_of(turn, turn.session.get_one(Task, one).person_id) for one, _ in moved)
    count = len(moved)
    return {
        "moved": moved,
        "text": render(
            "tasks/moved", count=count, places=[*places], names=[*names], hours=turn.policy.silence_hours
        ),
        "card": {
            "purpose": "task", "path": "/m/tasks",
            "values": {"what": render("tasks/card_moved", count=count), "count": str(count)},
        },
    }  # fmt: skip


def lost(turn: Turn, person_id: int) -> None:
    """No channel reaches somebody any more: their cases and tasks go to the next, and the county hears of it."""
    alarms.person_lost(turn, person_id)
    person = people.person_of(turn.session, person_id)
    for task in tasks.live_of_person(turn.session, person_id):
        task.next_at = turn.now  # each kind knows who is next
    pass_on_cases(turn, person_id)
    if person is not None and _is_counted_on(turn, person_id):
        alarms.list_unreachable(turn, person)


def _is_counted_on(turn: Turn, person_id: int) -> bool:
    """Whether somebody has a post, or something in hand: visits are planned for whoever follows a child."""
    posts_held = {one.role for one in people.roles_of(turn.session, person_id, turn.now)} & set(STAFF)
    return bool(posts_held) or posts.held(turn.session, person_id, turn.now).anything()


def pass_on_cases(turn: Turn, person_id: int) -> None:
    """The open cases of somebody who cannot be reached are the next one's to answer for."""
    for number in cases.held_by(turn.session, person_id):
        case = turn.session.get_one(Case, number)
        to = next_holder(turn, person_id, case.area_id, Load(cases=frozenset({number})))
        if to is None:
            continue
        for task in tasks.live_of_subject(turn.session, "case", number, cases.TASK_KINDS):
            if task.person_id == person_id:
                give(turn, task, to)
                task.next_at = turn.now
        give_case(turn, case, person_id, to)
