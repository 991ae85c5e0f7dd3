"""Leave: somebody says that they are away for some days; the stand-in has their tasks, cases and duty.

A person whose leave runs is asked for nothing (`Turn.reach`). What the stand-in has begun stays theirs; the rest comes
back. Where no stand-in can act, the supervisor who is asked to name one acts until then.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import partial

from handlers import alarms, leaving, moving, who, workdays
from handlers.prompts import prompt
from handlers.turn import Refused, Turn
from messages import render
from storage import absences, cases, loads, people, tasks
from storage.absences import Absence, Lent
from storage.cases import Case, CaseStage
from storage.outbox import OutboxKind
from storage.people import Person, Role
from storage.tasks import LIVE, SERVICE, Task

LONGEST = timedelta(days=180)
"""A leave longer than this is no leave: somebody else takes the post over."""
_OWN = (*SERVICE, "handover", "stand_in")
"""Kinds that are not lent: the bot's own, and those that look for another supervisor by themselves."""
_DAY = timedelta(days=1)


def announce(turn: Turn, person: Person, since: date, until: date) -> Absence:
    """Somebody is away from one day to another, both of them free; said again, it is changed. Raises Refused."""
    today = workdays.local_day(turn.now)
    if until < max(since, today) or until - since > LONGEST:
        raise Refused("absences/no_such_days")
    begins, ends = workdays.at(since, time(0)), workdays.at(until + _DAY, time(0))
    absence = absences.open_of(turn.session, person.id)
    if absence is None:
        by = turn.person.id if turn.person else None
        absence = Absence(person_id=person.id, since=begins, until=ends, told_at=turn.now, told_by_id=by)
        turn.session.add(absence)
        turn.session.flush()  # the task below is about it
    elif absence.began_at is None:
        absence.since = begins
    absence.until = ends
    if absence.began_at is not None:
        absences.set_away(turn.connection, person.id, ends)
    number = turn.open_task(
        "absence", "absence", absence.id, leaving.area_of(turn, person), due_at=ends, next_at=turn.now, role="duty"
    )
    turn.session.get_one(Task, number).next_at = max(turn.now, absence.until if absence.began_at else absence.since)
    turn.audit("away", "person", person.id, f"{since} {until}")
    if absence.began_at is None and deputy(turn, absence, person) is None:
        ask_for_one(turn, absence, person)
    return absence


def deputy(turn: Turn, absence: Absence, person: Person) -> Person | None:
    """Who would act: the one that was named, else the person's stand-in, when they can and have room."""
    named = people.person_of(turn.session, absence.stand_in_id)
    if named is not None and turn.reach(named.id) is not None:
        return named
    found = leaving.stand_in_of(turn, person)
    return found if found and moving.has_room(turn, found.id, loads.of(turn.session, person.id)) else None


def ask_for_one(turn: Turn, absence: Absence, person: Person) -> int | None:
    """A supervisor is asked to name who acts; who it is."""
    naming = leaving.supervisor(turn, person)
    if naming is not None and not tasks.live_of_subject(turn.session, "absence", absence.id, ["stand_in"]):
        turn.open_task(
            "stand_in", "absence", absence.id, leaving.area_of(turn, person), due_at=max(turn.now, absence.since),
            next_at=turn.now, person_id=naming, again=turn.now.isoformat(),
        )  # fmt: skip
    return naming


def due(turn: Turn, task: Task) -> None:
    """Begin it, or end it, when its time has come."""
    absence = turn.session.get_one(Absence, task.subject_id)
    person = people.person_of(turn.session, absence.person_id)
    if absence.ended_at is None and (person is None or turn.now >= absence.until):
        back(turn, absence)
    if absence.ended_at is not None or person is None:
        tasks.end(turn.connection, task.id, turn.now)
        return
    if absence.began_at is None and turn.now >= absence.since and not _begin(turn, absence, person):
        task.next_at = min(absence.until, workdays.in_window(turn.policy, turn.now + _DAY))
        return
    task.next_at = absence.until if absence.began_at else absence.since


def _begin(turn: Turn, absence: Absence, person: Person) -> bool:
    """Everything is lent at once; False where nobody at all can act, so that it stays with the person, who reads so."""
    found = deputy(turn, absence, person)
    acting = found.id if found else ask_for_one(turn, absence, person)
    if acting is None or _is_last(turn, person):
        turn.push(person.id, OutboxKind.NOTICE, "absences/nobody")
        return False
    absence.began_at, absence.stand_in_id = turn.now, acting
    _lend_all(turn, absence, acting)
    person.away_until = absence.until
    turn.session.flush()  # from here on this person is reached for nothing
    alarms.person_lost(turn, person.id)
    _tell(turn, acting, person, absence)
    turn.audit("away_begins", "person", person.id)
    return True


def _is_last(turn: Turn, person: Person) -> bool:
    """Whether the county would be left without a supervisor: empty posts are theirs to fill."""
    held = who.supervisors(turn, turn.county_id(), Role.COUNTY_SUPERVISOR)
    return person.id in held and not any(turn.reach(one) is not None for one in held if one != person.id)


def _lend_all(turn: Turn, absence: Absence, acting: int) -> None:
    note = partial(absences.lend, turn.session, absence)
    for number in cases.held_by(turn.session, absence.person_id):
        case = turn.session.get_one(Case, number)
        if case.holder_id == absence.person_id:
            note("holder", number, acting)
            case.holder_id = acting
        if case.officer_id == absence.person_id:
            note("officer", number, acting)
            case.officer_id = acting
    for task in tasks.live_of_person(turn.session, absence.person_id):
        if task.kind in _OWN:
            task.next_at = turn.now if task.kind not in SERVICE else task.next_at
            continue
        note("task", task.id, acting)
        _pass(turn, task, acting)


def _pass(turn: Turn, task: Task, person_id: int) -> None:
    """It is theirs now; what was asked of the one before is asked of them."""
    task.person_id, task.asked_at = person_id, None
    if task.prompted_at is not None:
        task.next_at = turn.now


def _tell(turn: Turn, acting: int, person: Person, absence: Absence) -> None:
    lent = absences.lent_in(turn.session, absence.id)
    turn.push(
        acting, OutboxKind.NOTICE, "absences/you_act", who=person.name, until=last_day(absence),
        tasks=sum(one.subject == "task" for one in lent),
    )  # fmt: skip


def last_day(absence: Absence) -> datetime:
    """A moment of the last day."""
    return absence.until - timedelta(minutes=1)


def name(turn: Turn, absence: Absence, chosen: Person) -> None:
    """A supervisor names who acts; what whoever acted till then has not begun goes there."""
    before, absence.stand_in_id = absence.stand_in_id, chosen.id
    turn.audit("stand_in", "person", absence.person_id)
    for task in tasks.live_of_subject(turn.session, "absence", absence.id, ["stand_in"]):
        tasks.end(turn.connection, task.id, turn.now)
    if absence.began_at is None or before == chosen.id:
        return
    for lent in absences.lent_in(turn.session, absence.id):
        if lent.person_id == before and _return(turn, lent, chosen.id, absence):
            lent.person_id = chosen.id
    _tell(turn, chosen.id, turn.session.get_one(Person, absence.person_id), absence)


def back(turn: Turn, absence: Absence) -> None:
    """The leave is over, early or not: what was lent and not begun comes back; twice changes nothing more."""
    if absence.ended_at is not None:
        return
    absence.ended_at = turn.now
    absences.set_away(turn.connection, absence.person_id, None)
    turn.session.flush()
    turn.session.expire_all()
    for task in tasks.live_of_subject(turn.session, "absence", absence.id):
        tasks.end(turn.connection, task.id, turn.now)
    if absence.began_at is None or turn.reach(absence.person_id) is None:
        return  # whoever cannot be reached gets nothing back: it would be nobody's
    returned = [
        lent for lent in absences.lent_in(turn.session, absence.id) if _return(turn, lent, absence.person_id, absence)
    ]
    turn.audit("away_ends", "person", absence.person_id)
    turn.push(
        absence.person_id, OutboxKind.NOTICE, "absences/welcome_back",
        tasks=sum(lent.subject == "task" for lent in returned),
    )  # fmt: skip


def _return(turn: Turn, lent: Lent, to: int, absence: Absence) -> bool:
    """Give one thing on unless it is over, went elsewhere, or was begun. Whether it was."""
    if lent.subject == "task":
        task = turn.session.get_one(Task, lent.subject_id)
        if task.state not in LIVE or task.person_id != lent.person_id:
            return False
        if task.subject == "case" and _is_begun(turn, task.subject_id, lent, absence):
            return False
        _pass(turn, task, to)
        return True
    case = turn.session.get_one(Case, lent.subject_id)
    has_it = (case.holder_id if lent.subject == "holder" else case.officer_id) == lent.person_id
    if case.stage == CaseStage.CLOSED or not has_it or _is_begun(turn, case.id, lent, absence):
        return False
    if lent.subject == "holder":
        case.holder_id = to
    else:
        case.officer_id = to
    return True


def _is_begun(turn: Turn, case_id: int, lent: Lent, absence: Absence) -> bool:
    return absences.begun(turn.session, case_id, lent.person_id, absence.began_at or turn.now)


def ask_supervisor(turn: Turn, task: Task) -> None:
    """Who is to name a stand-in is asked daily, until somebody acts; another one where they cannot be reached."""
    absence = turn.session.get_one(Absence, task.subject_id)
    person = people.person_of(turn.session, absence.person_id)
    if absence.ended_at is not None or person is None:
        tasks.end(turn.connection, task.id, turn.now)
        return
    if turn.reach(task.person_id) is None:
        task.person_id = leaving.supervisor(turn, person) or task.person_id
    opens = workdays.in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    prompt(turn, task, task.person_id)
    task.next_at = workdays.in_window(turn.policy, turn.now + _DAY)


def away(turn: Turn, area_ids: Sequence[int] | None = None) -> list[tuple[Absence, Person, Person | None]]:
    """Whose leave runs or is to come, with who acts; of people in these areas, or of everybody."""
    found = []
    for absence in absences.open_ones(turn.session):
        person = people.person_of(turn.session, absence.person_id)
        if person is not None and (area_ids is None or person.area_id in area_ids):
            found.append((absence, person, people.person_of(turn.session, absence.stand_in_id)))
    return found


def line(turn: Turn, task: Task) -> str:
    """A line of the list of tasks."""
    absence = turn.session.get_one(Absence, task.subject_id)
    return render("absences/line", who=turn.session.get_one(Person, absence.person_id).name)
