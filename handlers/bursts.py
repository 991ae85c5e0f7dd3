"""What follows a reporter's words, right after their turn: what the staff must do, and a burst's one reply.

One task of kind `burst` belongs to every report. It ends when nothing is left to do and is live again with the next
words. So a reporter's turn stays short, and cannot fail because of a gap among the staff.
"""

from datetime import datetime, timedelta

from handlers import account as accounts
from handlers import alarms, drafts, police, recordings
from handlers.account import QUIET_KINDS, UNREADABLE, Account
from handlers.conversation import current
from handlers.kinds import TaskKind
from handlers.reports import FLOWS, Reporting
from handlers.turn import Turn
from messages import render
from storage import contacts, outbox, reporters, reports, tasks
from storage.cases import Case, CaseStage
from storage.outbox import OutboxKind, OutboxState
from storage.reports import Report, ReportStage
from storage.tasks import Task

_DANGER = "immediate_danger"
_OPEN = frozenset({ReportStage.DRAFT, ReportStage.FILED})
_SOON = timedelta(seconds=2)
"""When to look again at somebody whose next message is being worked on."""


def follow(turn: Turn, task: Task) -> None:
    """Do what the words ask of the staff, then see whether the reporter is owed a reply."""
    report = turn.session.get_one(Report, task.subject_id)
    later = _for_staff(turn, report, task) if report.merged_into_id is None else None
    turn.session.flush()  # what follows goes past the ORM
    again = min(filter(None, (later, _for_reporter(turn, report.id))), default=None)
    if again is not None:
        task.next_at = task.due_at = again
    else:
        tasks.end(turn.connection, task.id, turn.now)


def wake_staff(turn: Turn, report_id: int) -> None:
    """The staff's part alone, because the whole failed: an alarm must not hang on words to the reporter."""
    report = turn.session.get_one(Report, report_id)
    if report.merged_into_id is None and report.case_id is None and report.stage in _OPEN:
        _wake(turn, report)


# The staff.


def _for_staff(turn: Turn, report: Report, task: Task) -> datetime | None:
    """When to look again, because the holder was told of something else just now."""
    later = None
    case = turn.session.get(Case, report.case_id) if report.case_id else None
    if case is not None and case.stage != CaseStage.CLOSED:
        later = _tell_holder(turn, report, case, task)
    elif report.stage in _OPEN or _told_more_since(turn, report):
        _wake(turn, report)
    if report.finished_at is not None and report.police_receipt is None:
        police.note(turn, report, (report.answers or {}).get("police"))
    return later


def _told_more_since(turn: Turn, report: Report) -> bool:
    """Whether something was added after a person had closed or set aside the report; then it is taken up again."""
    settled = reports.settled_at(turn.session, report.id)
    if settled is not None and report.heard_at <= settled:
        return False
    report.take_up_again(turn.session, by=None, at=turn.now)
    return True


def _wake(turn: Turn, report: Report) -> None:
    """Nobody has it yet: alarm, listening, or the list, as the words ask."""
    _place(turn, report)
    if report.kind in QUIET_KINDS:
        if report.kind == "benefit":
            drafts.open_benefit(turn, report.id, report.area_id)
        return
    if report.stage == ReportStage.DRAFT and report.finished_at is not None:
        report.file(turn.session, by=None, at=turn.now)
    if report.urgency == _DANGER:
        alarms.open_alarm(turn, report.id, report.area_id, alarms.RED)
    elif report.stage == ReportStage.FILED:
        alarms.open_alarm(turn, report.id, report.area_id, alarms.URGENT)
    if reports.holds_unreadable(turn.session, report.id, UNREADABLE):
        alarms.open_listening(turn, report.id, report.area_id)
    draft = tasks.live_of_subject(turn.session, "report", report.id, ["draft_report"])
    if report.stage == ReportStage.FILED:
        for one in draft:
            tasks.end(turn.connection, one.id, turn.now)
    elif not draft:
        quiet = report.heard_at + timedelta(minutes=turn.policy.report_quiet_minutes)
        tasks.open_again(turn.connection, f"draft_report:report:{report.id}", quiet)


def _place(turn: Turn, report: Report) -> None:
    """Words that name a township or village move a report there that only the county had."""
    county = turn.county_id()
    if report.area_id != county:
        return
    said = " ".join(one.text for one in reports.entries_of(turn.session, report.id) if one.text)
    named = turn.belonging(said)[:1]
    if named and named[0].id != county:
        reports.move_to(turn.session, report, named[0].id)
        alarms.start_anew(turn, report.id)


def _tell_holder(turn: Turn, report: Report, case: Case, task: Task) -> datetime | None:
    """The holder hears that something was added, once in ten minutes at most; danger is an alarm of its own."""
    if report.urgency == _DANGER and case.level != "red":
        alarms.open_alarm(turn, report.id, report.area_id, alarms.RED)
    told = task.prompted_at
    if report.heard_at <= (told or case.opened_at):
        return None
    if told is not None and turn.now - told < timedelta(minutes=turn.policy.report_quiet_minutes):
        return told + timedelta(minutes=turn.policy.report_quiet_minutes)
    task.prompted_at = turn.now
    alarms.tell_holder_of_more(turn, report)
    return None


# The reporter.


def _for_reporter(turn: Turn, report_id: int) -> datetime | None:
    """Reply to a burst that is over: the open question again, unless it was put twice, or a line of thanks.

    When to look again; None when nothing is owed.
    """
    contact = reporters.contact_of(turn.connection, report_id)
    if contact is None:
        return None
    talk = turn.talk = contacts.free_talk_with(turn.connection, contact, turn.now)
    if talk is None:
        is_there = contacts.talk_with(turn.connection, contact, turn.now) is not None
        return turn.now + _SOON if is_there else None
    account = Account.of(turn)
    if account is None or account.report != report_id or not account.owed():
        return None
    over = datetime.fromisoformat(account.heard) + timedelta(seconds=turn.policy.burst_seconds)
    if over > turn.now:
        return over
    flow = current(turn, FLOWS)
    if isinstance(flow, Reporting):
        flow.go_on(turn, flow.open_question(turn))
    elif not account.thanked:
        turn.say("reports/added")
    accounts.mark_replied(turn)
    if not turn.said:
        return None
    outbox.add(
        turn.connection, contact_id=contact, kind=OutboxKind.REPLY, state=OutboxState.QUEUED,
        content={"text": "\n\n".join(turn.said)}, now=turn.now, next_at=turn.now,
    )  # fmt: skip
    recordings.follow(turn)
    contacts.keep(turn.connection, talk)
    turn.said.clear()
    return None


def line(turn: Turn, task: Task) -> str:  # noqa: ARG001 - it is in nobody's list
    """Never in a list: the bot does it itself."""
    return render("reports/card_nudge")


TASKS = {"burst": TaskKind(due=follow, line=line)}
