"""The report to the police: filing here never counts as it, so the bot asks for its receipt until it is known."""

from datetime import timedelta

from handlers.kinds import TaskKind
from handlers.nudges import nudge
from handlers.report_questions import receipt_in
from handlers.turn import Turn
from handlers.workdays import in_window
from messages import render
from storage import reporters, tasks
from storage.reports import Report
from storage.tasks import Task, TaskState

MOST_NUDGES = 4
"""After ten minutes, then daily three times; the holder of the case goes on asking the police."""
AGAIN = timedelta(days=1)


def note(turn: Turn, report: Report, told: str | None) -> None:
    """Keep what the reporter said about the police (`yes`, `no`, `yes:NUMBER`, None); ask again where it is open."""
    if told and told.startswith("yes"):
        report.police_told_at = report.police_told_at or turn.now
    number = told.partition(":")[2] if told else ""
    if number:
        keep_receipt(turn, report, number)
    elif report.police_receipt is None:
        ask_at = turn.now + timedelta(minutes=turn.policy.police_receipt_minutes)
        turn.open_task(
            "police_receipt", "report", report.id, report.area_id, due_at=ask_at, next_at=ask_at, role="reporter"
        )


def keep_receipt(turn: Turn, report: Report, number: str) -> None:
    """The police receipt is known: nobody is asked for it any more."""
    before = report.police_receipt
    report.police_receipt, report.police_receipt_at = number, turn.now
    report.police_told_at = report.police_told_at or turn.now
    for task in tasks.live_of_subject(turn.session, "report", report.id, ["police_receipt"]):
        tasks.end(turn.connection, task.id, turn.now)
    turn.audit("police_receipt", "report", report.id, before)


def heard_receipt(turn: Turn, words: str) -> bool:
    """Whether these words of a reporter are the receipt that was asked for; kept if so."""
    number = receipt_in(words)
    if turn.talk is None or number is None or len(words) > len(number) + 20:
        return False
    latest = reporters.latest_report_of(turn.connection, turn.talk.contact_id)
    if latest is None or not tasks.live_of_subject(turn.session, "report", latest, ["police_receipt"]):
        return False
    report = turn.session.get_one(Report, latest)
    keep_receipt(turn, report, number)
    turn.say("reports/police_receipt_kept")
    return True


def none_yet(turn: Turn) -> bool:
    """Whether "no" answers the question for a receipt that was pushed; the bot goes on asking, daily."""
    latest = reporters.latest_report_of(turn.connection, turn.talk.contact_id) if turn.talk else None
    asked = tasks.live_of_subject(turn.session, "report", latest, ["police_receipt"]) if latest else []
    if not any(task.rung for task in asked):
        return False
    turn.say("reports/no_receipt_yet", numbers=turn.policy.numbers)
    return True


def ask_again(turn: Turn, task: Task) -> None:
    """One message that names nothing; after the last nudge the case's holder goes on."""
    report = turn.session.get_one(Report, task.subject_id)
    known = report.police_receipt is not None
    if not known and _is_asked_anyway(turn, report.id):
        task.next_at = in_window(turn.policy, turn.now + AGAIN)
        return
    asked = not known and task.rung < MOST_NUDGES and nudge(turn, report.id, finished=report.finished_at is not None)
    if not asked:
        tasks.end(turn.connection, task.id, turn.now, TaskState.DONE if known else TaskState.CANCELLED)
        return
    task.rung += 1
    task.next_at = in_window(turn.policy, turn.now + AGAIN)


def _is_asked_anyway(turn: Turn, report_id: int) -> bool:
    """Whether the reporter is being asked to go on with a later report, which asks for a receipt too."""
    contact = reporters.contact_of(turn.connection, report_id)
    latest = reporters.latest_report_of(turn.connection, contact) if contact else None
    return latest not in {None, report_id} and bool(
        tasks.live_of_subject(turn.session, "report", latest or 0, ["draft_report"])
    )


def line(turn: Turn, task: Task) -> str:  # noqa: ARG001 - reporters have no list
    """Never in a list: it is asked of the reporter."""
    return render("reports/card_nudge")


TASKS = {"police_receipt": TaskKind(due=ask_again, line=line)}
