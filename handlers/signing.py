"""The list of a hand-over, which the leaver and the successor sign by a tap; a signature that is missing is a task."""

from collections import Counter
from datetime import timedelta
from typing import Any

from handlers import prompts, reports, who, workdays
from handlers.conversation import Flow
from handlers.kinds import TaskKind
from handlers.questions import YesNo
from handlers.turn import Refused, Turn
from messages import Command, render
from storage import cases, children, handovers, people, posts, tasks
from storage.cases import Case
from storage.handovers import Handover
from storage.outbox import OutboxKind
from storage.people import Person, Role
from storage.tasks import SERVICE, Task

_AGAIN = timedelta(days=1)
_SUPERVISORS = (Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR)
_TO, _FROM = "to", "from"


def items_of(turn: Turn, person: Person) -> dict[str, Any]:
    """What somebody would hand over: numbers of children and cases, tasks by kind, duties."""
    held = tasks.live_of_person(turn.session, person.id)
    mine = (turn.session.get_one(Case, one) for one in cases.held_by(turn.session, person.id))
    return {
        "children": [one.number for one in children.paired_with(turn.session, person.id)],
        "cases": [one.number for one in mine],
        "tasks": dict(Counter(task.kind for task in held if task.kind not in SERVICE)),
        "duties": posts.held(turn.session, person.id, turn.now).duties,
    }


def keep(turn: Turn, person: Person, successor: Person, area_id: int, items: dict[str, Any], *, signed: bool) -> int:
    """Keep the list of what is handed over now; whoever has not signed it yet is asked to. Its number."""
    row = Handover(
        from_id=person.id, to_id=successor.id, area_id=area_id, at=turn.now, items=items,
        contact_id=people.reachable(turn.session, person.id),
    )  # fmt: skip
    if signed:
        row.from_signed_at, row.from_signed_by_id = turn.now, person.id
    turn.session.add(row)
    turn.session.flush()  # the tasks below are about it
    _ask(turn, row, _TO, successor.id)
    if not signed:
        _ask(turn, row, _FROM, _supervisor(turn, area_id, person.id))
    return row.id


def invite(turn: Turn, number: int) -> None:
    """A leaver who has not signed reads how, when nothing is kept for them as staff any more."""
    row = turn.session.get_one(Handover, number)
    if row.contact_id is not None and row.from_signed_at is None:
        turn.push_to(row.contact_id, OutboxKind.NOTICE, "signature/please")


def _ask(turn: Turn, row: Handover, side: str, person_id: int | None) -> None:
    turn.open_task(
        "signature", "handover", row.id, row.area_id, due_at=turn.now + 3 * _AGAIN, next_at=turn.now,
        person_id=person_id, role=Role.COUNTY_SUPERVISOR, again=side,
    )  # fmt: skip


def _supervisor(turn: Turn, area_id: int, but: int | None) -> int | None:
    found = (one for role in _SUPERVISORS for one in who.supervisors(turn, area_id, role))
    return next((one for one in found if one != but and turn.reach(one) is not None), None)


def show_list(turn: Turn, command: Command) -> None:
    """The list that the speaker has to sign, or signed last."""
    row, side = _mine(turn)
    if row is None:
        _account(turn, command)
        return
    _show(turn, row, side)


def _show(turn: Turn, row: Handover, side: str) -> None:
    names = [turn.session.get_one(Person, one).name for one in (row.from_id, row.to_id)]
    signed = row.from_signed_at if side == _FROM else row.to_signed_at
    turn.say("signature/list", who=names[0], to=names[1], at=row.at, items=row.items, signed=signed)


def sign(turn: Turn, command: Command) -> None:
    """Sign it; twice is once."""
    row, side = _mine(turn)
    if row is None:
        _account(turn, command)
        return
    _sign(turn, row, side, row.from_id if side == _FROM else turn.person.id if turn.person else row.to_id)
    turn.say("signature/signed", both=bool(row.from_signed_at and row.to_signed_at))


def _sign(turn: Turn, row: Handover, side: str, by: int) -> None:
    if side == _FROM and row.from_signed_at is None:
        row.from_signed_at, row.from_signed_by_id = turn.now, by
    elif side == _TO and row.to_signed_at is None:
        row.to_signed_at, row.to_signed_by_id = turn.now, by
    turn.session.flush()  # what follows goes past the ORM
    for task in tasks.live_of_subject(turn.session, "handover", row.id, ["signature"]):
        if _side(task) == side:
            tasks.end(turn.connection, task.id, turn.now)
    turn.audit("sign", "handover", row.id, side)


def _mine(turn: Turn) -> tuple[Handover | None, str]:
    """The hand-over that the speaker has a part in, and which."""
    if turn.person is not None:
        held = [task for task in tasks.live_of_person(turn.session, turn.person.id) if task.kind == "signature"]
        for task in held:
            if _side(task) == _TO:  # also of somebody who took it over from the first successor
                return turn.session.get_one(Handover, task.subject_id), _TO
        return handovers.of_successor(turn.session, turn.person.id), _TO
    return (handovers.of_leaver(turn.session, turn.talk.contact_id) if turn.talk else None), _FROM


def _account(turn: Turn, command: Command) -> None:
    """Words of somebody who has no list to sign are an account, or nothing."""
    if turn.person is None and turn.message is not None and command.argument:
        reports.first_words(turn, turn.message)
    else:
        turn.say("signature/none")


def _side(task: Task) -> str:
    return task.key.rsplit(":", 1)[-1]


def ask(turn: Turn, task: Task) -> None:
    """Whoever has to sign, or to get it signed, is asked daily; a supervisor where they cannot be reached."""
    row = turn.session.get_one(Handover, task.subject_id)
    if (row.to_signed_at if _side(task) == _TO else row.from_signed_at) is not None:
        tasks.end(turn.connection, task.id, turn.now)
        return
    if turn.reach(task.person_id) is None:
        task.person_id = _supervisor(turn, row.area_id, task.person_id)
    opens = workdays.in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    prompts.prompt(turn, task, task.person_id)
    task.next_at = workdays.in_window(turn.policy, turn.now + _AGAIN)


def line(turn: Turn, task: Task) -> str:
    """A line of the list of tasks."""
    row = turn.session.get_one(Handover, task.subject_id)
    name = turn.session.get_one(Person, row.from_id).name
    return render("signature/line", who=name, mine=_side(task) == _TO)


class Signature(Flow, name="signature"):
    """A supervisor says that the leaver signed on paper."""

    paper = YesNo(skippable=False)

    def values(self, turn: Turn) -> dict[str, Any]:
        """Who left."""
        row = turn.session.get_one(Handover, self.about["handover"])
        return {"who": turn.session.get_one(Person, row.from_id).name}

    def finish(self, turn: Turn) -> None:
        """Note it, or leave it open."""
        person = turn.require(*_SUPERVISORS)
        row = turn.session.get_one(Handover, self.about["handover"])
        if not who.covers(turn, row.area_id):
            raise Refused("common/not_yours")
        if self.paper == "yes":
            _sign(turn, row, _FROM, person.id)
            turn.say("signature/signed", both=bool(row.to_signed_at))
        else:
            turn.say("signature/open")


def _pick(turn: Turn, task: Task) -> None:
    row = turn.session.get_one(Handover, task.subject_id)
    if _side(task) == _TO:
        _show(turn, row, _TO)
    else:
        Signature.start(turn, handover=row.id)


COMMANDS = {"handover_list": show_list, "sign": sign}
FLOWS = (Signature,)
TASKS = {"signature": TaskKind(due=ask, line=line, pick=_pick)}
