"""Leaving: everything somebody holds is handed over first, then roles, binding and sign-ins end."""

from collections.abc import Sequence
from datetime import timedelta

from handlers import alarms, binding, moving, signing, who, workdays
from handlers.conversation import Flow
from handlers.kinds import TaskKind
from handlers.prompts import prompt
from handlers.questions import Choice, YesNo
from handlers.turn import Refused, Turn
from messages import Command, render
from storage import areas, loads, people, posts, tasks
from storage.outbox import OutboxKind
from storage.people import Person, Role
from storage.tasks import Task

PASSED_ON = [
    Role.VILLAGE_CHILD_OFFICER, Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR, Role.AGENCY_LIAISON,
]  # fmt: skip
"""Posts that must not stand empty: the successor takes them over."""
_SUPERVISORS = (Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR)
_MOST_OFFERED = 9
_WORKDAYS_TO_NAME = 2
_AGAIN = timedelta(days=1)


def leave(turn: Turn, person: Person, successor: Person | None, *, signed: bool = False) -> None:
    """End a person's service. Raises Refused when open work would be left to nobody; twice changes nothing more.

    All in one transaction, so that nobody is without a worker for a moment. `signed`: the leaver confirmed the list.
    """
    if person.left_at is not None:
        return
    held, number = posts.held(turn.session, person.id, turn.now), None
    if successor is None:
        if held.anything():
            raise Refused("leaving/nobody")
        posts.end_roles(turn.connection, person.id, turn.now)
    else:
        if successor.id == person.id or turn.reach(successor.id) is None:
            raise Refused("leaving/not_reachable")
        turn.session.flush()  # what follows goes past the ORM
        if held.anything():
            items = signing.items_of(turn, person)
            number = signing.keep(turn, person, successor, area_of(turn, person), items, signed=signed)
        tasks.hand_over(turn.connection, person.id, successor.id, turn.now)
        posts.move(turn.connection, person.id, successor.id, turn.now)
        posts.take_roles(turn.connection, person.id, successor.id, turn.now, [*map(str, PASSED_ON)])
    posts.left(turn.connection, person.id, turn.now)
    turn.session.expire_all()
    turn.audit("leave", "person", person.id)
    for task in tasks.live_of_subject(turn.session, "person", person.id, ["handover"]):
        tasks.end(turn.connection, task.id, turn.now)
    binding.let_go_of(turn, person.id)
    alarms.person_lost(turn, person.id)  # one that was not said yet is said to nobody who left
    if successor is not None and number is not None:
        signing.invite(turn, number)
        turn.push(
            successor.id, OutboxKind.NOTICE, "leaving/taken_over", tasks=held.tasks, children=held.children,
        )  # fmt: skip


def on_leave(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """To the stand-in, or a supervisor names who takes over; refused when there is nobody."""
    person = turn.person
    if person is None:
        turn.say("leaving/not_bound")
        return
    stand_in = stand_in_of(turn, person)
    if stand_in is not None or not posts.held(turn.session, person.id, turn.now).anything():
        Leaving.start(turn)
        return
    naming = supervisor(turn, person)
    if naming is None:
        turn.say("leaving/nobody")
        return
    turn.open_task(
        "handover", "person", person.id, area_of(turn, person), person_id=naming, next_at=turn.now,
        due_at=workdays.at(
            workdays.add_workdays(turn.policy, workdays.local_day(turn.now), _WORKDAYS_TO_NAME),
            turn.policy.prompts_until,
        ),
        again=turn.now.date().isoformat(),
    )  # fmt: skip
    turn.say("leaving/asked")


class Leaving(Flow, name="leaving"):
    """Confirms before everything goes to the stand-in."""

    sure = YesNo(skippable=False)

    def values(self, turn: Turn) -> dict[str, object]:
        """What would be handed over, and to whom."""
        person = turn.person
        held = posts.held(turn.session, person.id, turn.now) if person else None
        stand_in = stand_in_of(turn, person) if person else None
        return {
            "tasks": held.tasks if held else 0,
            "children": held.children if held else 0,
            "items": signing.items_of(turn, person) if person else None,
            "to": stand_in.name if stand_in else None,
            "over": moving.over(turn, stand_in.id, loads.of(turn.session, person.id)) if person and stand_in else None,
        }

    def finish(self, turn: Turn) -> None:
        """Leave."""
        person = turn.person
        if self.sure != "yes" or person is None:
            turn.say("leaving/kept")
            return
        leave(turn, person, stand_in_of(turn, person), signed=True)
        turn.say("leaving/done")


class Handover(Flow, name="handover"):
    """A supervisor names who takes over from somebody who wants to leave."""

    successor = Choice(among=lambda turn, flow: _candidates(turn, flow), skippable=False)  # noqa: PLW0108 - defined below
    sure = YesNo(when=lambda flow: flow.about.get("over"), skippable=False)

    def values(self, turn: Turn) -> dict[str, object]:
        """Who leaves, and what the successor would have where it is too much."""
        return {"who": turn.session.get_one(Person, self.about["person"]).name, "over": self.about.get("over")}

    def answered(self, turn: Turn, question: str) -> None:
        """Whoever has enough is given more only by somebody who knows it; else another is chosen."""
        all_of_it = loads.of(turn.session, self.about["person"])
        self.about["over"] = moving.over(turn, self.successor, all_of_it)
        if question == "sure" and self.sure != "yes":
            self.answers, self.about["over"] = {}, None

    def finish(self, turn: Turn) -> None:
        """Hand over."""
        turn.require(*_SUPERVISORS)
        person = turn.session.get_one(Person, self.about["person"])
        if not who.covers(turn, area_of(turn, person)):
            raise Refused("common/not_yours")
        chosen = people.person_of(turn.session, int(self.successor or 0))
        if chosen is None:
            raise Refused("leaving/not_reachable")
        contact_id = people.reachable(turn.session, person.id)
        leave(turn, person, chosen)
        if contact_id is not None:
            turn.push_to(contact_id, OutboxKind.NOTICE, "leaving/done")
        turn.say("handover/done", who=person.name, to=chosen.name)


def _candidates(turn: Turn, flow: Handover) -> Sequence[tuple[str, str]]:
    return candidates(turn, turn.session.get_one(Person, flow.about["person"]))


def candidates(turn: Turn, person: Person) -> Sequence[tuple[str, str]]:
    """Who could take over from somebody: those of the township with one of their roles who can be reached."""
    township = areas.township_of(turn.session, area_of(turn, person))
    roles = [one.role for one in people.roles_of(turn.session, person.id, turn.now)]
    found = posts.reachable_with_role(turn.session, roles, township, turn.now)
    able = [one for one in found if one.id != person.id and turn.reach(one.id) is not None]
    return [(str(one.id), one.name) for one in able][:_MOST_OFFERED]


def stand_in_of(turn: Turn, person: Person) -> Person | None:
    """The stand-in, when one can be reached: anybody else counts as nobody."""
    found = people.person_of(turn.session, person.stand_in_id)
    return found if found and turn.reach(found.id) is not None else None


def supervisor(turn: Turn, person: Person, *, county: bool = False) -> int | None:
    """Who names a successor: the township's supervisor, above that the county's; never the person themselves."""
    for role in _SUPERVISORS[1:] if county else _SUPERVISORS:
        for one in who.supervisors(turn, area_of(turn, person), role):
            if one != person.id and turn.reach(one) is not None:
                return one
    return None


def area_of(turn: Turn, person: Person) -> int:
    """Where somebody works."""
    held = (one.area_id for one in people.roles_of(turn.session, person.id, turn.now) if one.area_id)
    return person.area_id or next(held, None) or turn.county_id()


def _due(turn: Turn, task: Task) -> None:
    """Ask the supervisor; past the day for it, ask the county."""
    person = people.person_of(turn.session, task.subject_id)
    if person is None:
        tasks.end(turn.connection, task.id, turn.now)
        return
    if turn.now > task.due_at or turn.reach(task.person_id) is None:
        higher = supervisor(turn, person, county=turn.now > task.due_at)
        task.person_id = higher or task.person_id
    opens = workdays.in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    prompt(turn, task, task.person_id)
    task.next_at = workdays.in_window(turn.policy, turn.now + _AGAIN)


def _line(turn: Turn, task: Task) -> str:
    return render("handover/line", who=turn.session.get_one(Person, task.subject_id).name)


def _pick(turn: Turn, task: Task) -> None:
    flow = Handover(about={"person": task.subject_id})
    if _candidates(turn, flow):
        flow.advance(turn)
    else:
        turn.say("handover/nobody")


TASKS = {"handover": TaskKind(due=_due, line=_line, pick=_pick)}
