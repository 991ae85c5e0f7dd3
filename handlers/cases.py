"""Cases: claiming opens one; its holder records steps, assigns, confirms the situation, answers the reporter.

What may take two persons is in `handlers/approvals.py`.

Plain acts, used by the chat flows and by the case page alike; each asks who may, and is harmless when it comes twice.
"""

from datetime import datetime, timedelta

from handlers import alarms, moving, police, prompts, who
from handlers.kinds import TaskKind
from handlers.turn import Card, Refused, Turn
from handlers.workdays import in_window, local_day
from messages import label, labels, render
from storage import cases, inbox, people, reporters, reports, tasks
from storage.cases import Case, CaseStage, CaseStep
from storage.loads import Load
from storage.outbox import OutboxKind
from storage.people import STAFF, Role
from storage.reports import Report, ReportStage
from storage.tasks import Task, TaskState

REMINDER = timedelta(days=1)
CLAIMABLE = (*alarms.CLIMBING, "draft_report", "read_report", "benefit")
"""What can be claimed, and what a claim settles: everything that waits because nobody has the report."""
CHECK_IN = timedelta(days=7)
"""How often the holder of a case in which the child was seen is asked where it stands."""


def take(turn: Turn, task_id: int, *, is_read: bool = True) -> Case | None:
    """Claim: one update decides who holds it. Others who were told read who took it; None when somebody has it.

    `is_read`: what is said now is read now; else a message that needs a reader stays with them until they pick it.
    """
    task = turn.session.get_one(Task, task_id)
    if task.kind not in CLAIMABLE:
        raise Refused("common/not_now")
    person, told = may_take(turn, task), tasks.told(turn.session, task_id)
    turn.session.flush()  # the claim below must see what this turn changed
    if not tasks.claim(turn.connection, task_id, person.id, turn.now):
        turn.session.refresh(task)
        if task.person_id == person.id and task.subject != "report" and task.state == TaskState.CLAIMED:
            _read(turn, task)
            return None
        holder = alarms.name_of(turn, task.person_id)
        turn.say("alarms/held", holder=holder, mine=task.person_id == person.id, at=task.claimed_at)
        return None
    turn.session.refresh(task)
    turn.audit("claim", task.subject, task.subject_id)
    place = alarms.place_of(turn, task.area_id)
    for other in told:
        if other != person.id:
            card = Card("task", {"what": render("alarms/card_taken"), "count": ""}, None)
            turn.push(other, OutboxKind.NOTICE, "alarms/taken", card=card, holder=person.name, place=place)
    if task.subject == "report":
        return open_case(turn, task)
    if is_read:
        _read(turn, task)
    else:
        task.next_at = turn.now + timedelta(hours=turn.policy.silence_hours)  # then it is somebody else's again
    return None


def _read(turn: Turn, task: Task) -> None:
    """What is no report is done with when its holder has read it."""
    tasks.end(turn.connection, task.id, turn.now)
    words = inbox.words_of(turn.connection, task.subject_id) if task.subject == "inbox" else None
    turn.say("alarms/taken_other", kind=task.kind, words=words)


def may_take(turn: Turn, task: Task) -> people.Person:
    """The speaking person, who was told about the task, has it, or covers its area; else it does not exist."""
    person = turn.require(*STAFF)
    if person.id not in {*tasks.told(turn.session, task.id), task.person_id} and not who.covers(turn, task.area_id):
        raise Refused("common/not_yours")
    if person.away_until is not None:
        raise Refused("absences/first_back")
    return person


def open_case(turn: Turn, task: Task) -> Case:
    """The case of a report, opened by whoever claimed it; a second task of the same report joins the one there is."""
    report = turn.session.get_one(Report, task.subject_id)
    person = turn.require(*STAFF)
    live = tasks.live_of_subject(turn.session, "report", report.id, CLAIMABLE)
    red = report.urgency == "immediate_danger" or alarms.RED in {task.urgency, *(one.urgency for one in live)}
    case = turn.session.get(Case, report.case_id) if report.case_id else None
    if case is None:
        case = _new_case(turn, report, person.id, "red" if red else "yellow")
        tell_reporter(turn, report.id, "reports/in_hand")
    elif case.stage == CaseStage.CLOSED:
        case.reopen(turn.session, by=person.id, at=turn.now)
        case.holder_id, case.closed_at, case.seen_at = person.id, None, None
        _first_contact(turn, case, again=turn.now.isoformat())
        tell_reporter(turn, report.id, "reports/in_hand")
    if red and case.level != "red":
        cases.note_level(turn.session, case, "red", by=person.id, at=turn.now, why="")
    if report.stage in {ReportStage.DRAFT, ReportStage.FILED}:
        report.accept(turn.session, by=person.id, at=turn.now)
    for one in live:
        tasks.end(turn.connection, one.id, turn.now)
    turn.say("cases/opened", number=case.number, level=case.level, report=report.id, numbers=turn.policy.numbers)
    return case


def _new_case(turn: Turn, report: Report, holder_id: int, level: str) -> Case:
    case = Case(
        number=cases.next_number(turn.session, f"{local_day(turn.now):%y%m}"), area_id=report.area_id,
        child_id=report.child_id, level=level, situation=report.situation, holder_id=holder_id, opened_at=turn.now,
        policy_version=turn.policy.version, stage=CaseStage.OPEN,
    )  # fmt: skip
    turn.session.add(case)
    turn.session.flush()  # gives the id that the report and the task point to
    report.case_id = case.id
    _first_contact(turn, case)
    return case


def _first_contact(turn: Turn, case: Case, again: str = "") -> None:
    """The child must be seen within the hours of its level; the holder is asked at half time."""
    due_at = turn.now + timedelta(hours=turn.policy.level(case.level).first_contact_hours)
    number = turn.open_task(
        "first_contact", "case", case.id, case.area_id, due_at=due_at, next_at=turn.now + (due_at - turn.now) / 2,
        person_id=case.holder_id, urgency=alarms.RED if case.level == "red" else alarms.URGENT, again=again,
    )  # fmt: skip
    turn.session.get_one(Task, number).asked_at = turn.now  # claiming it is knowing of it


def held_case(turn: Turn, case_id: int) -> Case:
    """The case, if the speaking person holds it, was assigned it, or supervises its area; else it does not exist."""
    turn.require(*STAFF)
    case = turn.session.get(Case, case_id)
    if case is None or not has(turn, case):
        raise Refused("common/not_yours")
    return case


def has(turn: Turn, case: Case) -> bool:
    """The same as a question."""
    mine = turn.person is not None and turn.person.id in {case.holder_id, case.officer_id}
    return mine or (supervises(turn) and who.covers(turn, case.area_id))


def task_of(turn: Turn, case_id: int) -> Task | None:
    """The task by which a case is asked of somebody, or was last."""
    return tasks.newest_of_subject(turn.session, "case", case_id, cases.TASK_KINDS)


def require_holder(turn: Turn, case: Case) -> None:
    """Whoever answers for the case, and nobody else."""
    if turn.require(*STAFF).id != case.holder_id:
        raise Refused("cases/holder_only", holder=alarms.name_of(turn, case.holder_id))


def may_confirm(turn: Turn, case: Case) -> bool:
    """Whether the speaking person says which situation it is: whoever answers for the case, or supervises its area."""
    is_holder = turn.person is not None and turn.person.id == case.holder_id
    return is_holder or (supervises(turn) and who.covers(turn, case.area_id))


def require_may_confirm(turn: Turn, case: Case) -> None:
    """The same, refused in words."""
    if not may_confirm(turn, case):
        raise Refused("cases/holder_only", holder=alarms.name_of(turn, case.holder_id))


def confirm_situation(turn: Turn, report: Report, chosen: int) -> None:
    """One of the nine, or 0 for none of them."""
    case = turn.session.get(Case, report.case_id) if report.case_id else None
    if case is not None:
        require_may_confirm(turn, case)
    if report.situation == chosen:
        return
    report.situation = chosen
    if case is not None:
        case.situation = chosen
    turn.audit("situation", "report", report.id, str(chosen))


def supervises(turn: Turn) -> bool:
    """Whether the speaking person supervises an area."""
    return bool(turn.roles.keys() & {Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR})


def record_step(
    turn: Turn,
    case: Case,
    kind: str,
    note: str | None = None,
    at: datetime | None = None,
    receipt: str | None = None,
) -> None:
    """Something was done; the child having been seen ends the wait for the first contact.

    `receipt`: the number of the police's, which is kept with all reports of the case.
    """
    person = turn.require(*STAFF)
    if kind not in labels("case_step"):
        raise Refused("common/unclear")
    turn.session.add(CaseStep(case_id=case.id, kind=kind, at=at or turn.now, by_id=person.id, note=note))
    if kind == "child_seen":
        case.seen_at = case.seen_at or turn.now
        if case.stage in {CaseStage.OPEN, CaseStage.ASSIGNED}:
            case.see(turn.session, by=person.id, at=turn.now)
        for task in tasks.live_of_subject(turn.session, "case", case.id, ["first_contact"]):
            tasks.end(turn.connection, task.id, turn.now)
    if case.stage != CaseStage.CLOSED:
        _check_in(turn, case)
    _answered(turn, case)
    if kind in {"police_told", "police_receipt"}:
        for report in reports.of_case(turn.session, case.id):
            report.police_told_at = report.police_told_at or turn.now
            if receipt and report.police_receipt != receipt:
                police.keep_receipt(turn, report, receipt)
    turn.audit("step", "case", case.id, kind)


def _answered(turn: Turn, case: Case) -> None:
    """Something was done: whoever has it is not silent, and need not be asked before long where it stands."""
    for task in tasks.live_of_subject(turn.session, "case", case.id, cases.TASK_KINDS):
        task.asked_at = turn.now
        if task.kind == "case":
            task.asked_at, task.next_at = None, turn.now + CHECK_IN
            task.due_at = task.next_at + REMINDER


def _check_in(turn: Turn, case: Case) -> None:
    """A case is asked about weekly, once the child was seen and until it is closed."""
    if tasks.live_of_subject(turn.session, "case", case.id, cases.TASK_KINDS):
        return
    once = tasks.once_opened(turn.session, "case", case.id, "case")
    at = turn.now + CHECK_IN
    turn.open_task(
        "case", "case", case.id, case.area_id, due_at=at + REMINDER, next_at=at,
        person_id=case.officer_id or case.holder_id,
        again=turn.now.isoformat() if once else "",
    )  # fmt: skip


def assign(turn: Turn, case: Case, officer_id: int) -> None:
    """Hand the visits of a case to a village child officer; the holder goes on answering for it."""
    person = turn.require(*STAFF)
    if case.officer_id == officer_id:
        return
    case.officer_id = officer_id
    if case.stage in {CaseStage.OPEN, CaseStage.ASSIGNED}:
        case.assign(turn.session, by=person.id, at=turn.now)
    for task in tasks.live_of_subject(turn.session, "case", case.id, cases.TASK_KINDS):
        task.person_id, task.asked_at = officer_id, None
        if not prompts.prompt(turn, task, officer_id, red=_is_red(case)):
            task.next_at = turn.now  # nobody reaches the officer: the task looks for somebody else at once
    turn.audit("assign", "case", case.id)


def tell_reporter(turn: Turn, report_id: int, name: str, **values: object) -> bool:
    """Words to the reporter, without knowing who that is; harmless to somebody looking over the shoulder."""
    contact = reporters.contact_of(turn.connection, report_id)
    if contact is None:
        return False
    card = Card("notice", {"what": render("reports/card_nudge")}, None)
    turn.push_to(contact, OutboxKind.NOTICE, name, card=card, **values)
    return True


def message_reporter(turn: Turn, report_id: int, words: str) -> bool:
    """Free words of the holder to the reporter, kept with the account."""
    reports.append(turn.connection, report_id, turn.now, "text", text=words, by="staff")
    turn.audit("message_reporter", "report", report_id)
    return tell_reporter(turn, report_id, "reports/from_staff", words=words)


def remind(turn: Turn, task: Task) -> None:
    """The holder is asked; once it is overdue, or nobody is reached, the township and the county hear of it too."""
    case = turn.session.get_one(Case, task.subject_id)
    if case.stage == CaseStage.CLOSED:
        tasks.end(turn.connection, task.id, turn.now)
        return
    load = Load(cases=frozenset({case.id}))
    if turn.reach(task.person_id) is None:
        _to_the_next(turn, task, case, load)
    opens = in_window(turn.policy, turn.now)
    if opens > turn.now and not _is_red(case):
        task.next_at = opens
        return
    silent_at = moving.silent_at(turn, task, case.level)
    if silent_at is not None and silent_at <= turn.now:
        moving.after_silence(turn, task, load, red=_is_red(case))
        reached = True
    else:
        reached = prompts.prompt(turn, task, task.person_id, red=_is_red(case))
    if turn.now >= task.due_at or not reached:
        _tell_above(turn, task, case)
    task.rung += 1
    following = turn.now + REMINDER if turn.now >= task.due_at or not reached else task.due_at
    task.next_at = min(filter(None, (following, moving.silent_at(turn, task, case.level))))


def _to_the_next(turn: Turn, task: Task, case: Case, load: Load) -> None:
    """Nobody is asked who cannot be reached: the stand-in has it, or whoever answers for the case, or the next."""
    below = moving.below(turn, task.person_id, case.area_id, load)
    holder = case.holder_id if turn.reach(case.holder_id) is not None else None
    to = next(below, None) or holder or moving.next_holder(turn, task.person_id, case.area_id, load)
    if to is not None:
        moving.give(turn, task, to)


def _is_red(case: Case) -> bool:
    """Whether what is asked about it waits for no hour."""
    return case.level == "red"


def _tell_above(turn: Turn, task: Task, case: Case) -> None:
    for role in moving.SUPERVISORS:
        for person in who.supervisors(turn, case.area_id, role):
            if person != task.person_id and prompts.prompt(turn, task, person, red=_is_red(case)):
                tasks.tell(turn.session, task.id, person, task.rung, turn.now)


def line(turn: Turn, task: Task) -> str:
    """How a case task reads in the list of tasks."""
    case = turn.session.get_one(Case, task.subject_id)
    return render(
        "cases/line", number=case.number, level=case.level, kind=label("task_kind", task.kind),
        place=alarms.place_of(turn, case.area_id), due=task.due_at, late=task.due_at < turn.now,
    )  # fmt: skip


TASKS = {
    "first_contact": TaskKind(due=remind, line=line),
    "case": TaskKind(due=remind, line=line),
}
