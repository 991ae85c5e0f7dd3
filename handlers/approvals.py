"""What may take two persons: lowering or closing a red case, and setting aside what somebody has claimed.

The first proposes, the supervisors are asked, and the same word from a second person does it.
"""

from datetime import timedelta

from handlers import cases, prompts, who
from handlers.cases import REMINDER
from handlers.kinds import TaskKind
from handlers.turn import Card, Refused, Turn
from handlers.workdays import in_window
from messages import render
from storage import cases as case_rows
from storage import reports, tasks
from storage.cases import Case, CaseStage
from storage.outbox import OutboxKind
from storage.people import STAFF, Role
from storage.reports import ReportStage
from storage.tasks import Task

LEVELS = ("green", "blue", "yellow", "red")
"""Lowest first."""
ASIDE = "aside"
"""In `Case.pending`: that it be set aside."""


def set_level(turn: Turn, case: Case, level: str, why: str) -> bool:
    """Set the level with a reason; lowering red waits for a second person. Whether it is set now."""
    person = turn.require(*STAFF)
    if case.level == "red" and LEVELS.index(level) < LEVELS.index("red") and not _second(turn, case, level):
        _propose(turn, case, level, why)
        return False
    case_rows.note_level(turn.session, case, level, by=person.id, at=turn.now, why=why)
    if case.pending != ASIDE:
        _settled(turn, case)
    return True


def close(turn: Turn, case: Case, why: str) -> bool:
    """Close with a reason; a red case waits for a second person. Whether it is closed now."""
    person = turn.require(*STAFF)
    if case.stage not in {CaseStage.VISITED, CaseStage.CLOSING}:
        raise Refused("cases/not_seen_yet", number=case.number)
    if case.level == "red" and not _second(turn, case, "close"):
        _propose(turn, case, "close", why)
        return False
    case.close(turn.session, by=person.id, at=turn.now, why=why)
    for report in reports.of_case(turn.session, case.id):
        if report.stage == ReportStage.ACCEPTED:
            report.resolve(turn.session, by=person.id, at=turn.now)
        cases.tell_reporter(turn, report.id, "reports/closed")
    _ended(turn, case)
    return True


def set_aside(turn: Turn, case: Case, why: str) -> bool:
    """A claimed matter is not about a child. Whether it is done now: nobody need have seen a child, so two say so."""
    person = turn.require(*STAFF)
    if case.stage == CaseStage.CLOSED:
        raise Refused("common/not_now")
    if not _second(turn, case, ASIDE):
        _propose(turn, case, ASIDE, why)
        return False
    case.put_aside(turn.session, by=person.id, at=turn.now, why=why)
    for report in reports.of_case(turn.session, case.id):
        if report.stage == ReportStage.ACCEPTED:
            report.put_aside(turn.session, by=person.id, at=turn.now, why=why)
        turn.session.flush()  # what follows goes past the ORM
        for task in tasks.live_of_subject(turn.session, "report", report.id):
            tasks.end(turn.connection, task.id, turn.now)
    turn.audit("set_aside", "case", case.id, why)
    _ended(turn, case)
    return True


def _ended(turn: Turn, case: Case) -> None:
    """What follows when a case is over: nobody is asked any more."""
    case.closed_at = turn.now
    turn.session.flush()  # what follows goes past the ORM
    for task in tasks.live_of_subject(turn.session, "case", case.id):
        tasks.end(turn.connection, task.id, turn.now)
    _settled(turn, case)


def _second(turn: Turn, case: Case, what: str) -> bool:
    """Whether the speaking person is the second one to say so: somebody who supervises."""
    second = turn.person is not None and case.pending_by_id not in {None, turn.person.id}
    return second and case.pending == what and cases.supervises(turn)


def _propose(turn: Turn, case: Case, what: str, why: str) -> None:
    """The first of two persons: the supervisors of the area are asked for the second word."""
    person = turn.require(*STAFF)
    _settled(turn, case)  # a new proposal takes the place of an older one
    case.pending, case.pending_by_id, case.pending_why = what, person.id, why
    due_at = turn.now + timedelta(days=3)
    turn.open_task(
        "approval", "case", case.id, case.area_id, due_at=due_at, next_at=turn.now, role=Role.COUNTY_SUPERVISOR,
        again=f"{what}:{turn.now.isoformat()}",
    )  # fmt: skip
    turn.audit("propose", "case", case.id, what)


def _settled(turn: Turn, case: Case) -> None:
    case.pending = case.pending_by_id = case.pending_why = None
    for task in tasks.live_of_subject(turn.session, "case", case.id, ["approval"]):
        tasks.end(turn.connection, task.id, turn.now)


def answer_proposal(turn: Turn, case: Case, *, agreed: bool) -> None:
    """The second person's word on a red case; the first reads it."""
    person = turn.require(Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR)
    what, first, why = case.pending, case.pending_by_id, case.pending_why or ""
    if what is None or first == person.id:
        raise Refused("common/not_now")
    if not agreed:
        _settled(turn, case)
        turn.audit("disagree", "case", case.id, what)
    elif what == "close":
        close(turn, case, why)
    elif what == ASIDE:
        set_aside(turn, case, why)
    else:
        set_level(turn, case, what, why)
    card = Card("task", {"what": render("cases/card_answered"), "count": ""}, None)
    turn.push(
        first, OutboxKind.NOTICE, "cases/answered", card=card, number=case.number, what=what, agreed=agreed,
        by=person.name,
    )  # fmt: skip


def ask_approval(turn: Turn, task: Task) -> None:
    """Every county supervisor but the first person is asked, daily; where there is none, the township's."""
    case = turn.session.get_one(Case, task.subject_id)
    opens = in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    for role in (Role.COUNTY_SUPERVISOR, Role.TOWNSHIP_CHILD_SUPERVISOR):
        others = [one for one in who.supervisors(turn, case.area_id, role) if one != case.pending_by_id]
        asked = [one for one in others if prompts.prompt(turn, task, one)]
        for person in asked:
            tasks.tell(turn.session, task.id, person, task.rung, turn.now)
        if asked:
            break
    task.rung += 1
    task.next_at = turn.now + REMINDER


TASKS = {"approval": TaskKind(due=ask_approval, line=cases.line)}
