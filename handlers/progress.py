"""Progress and supplement: the reporter hears where it stands and can add to it, with a receipt from any phone, without one from the same."""

import re
from datetime import timedelta

from handlers import account as accounts
from handlers import police, reports
from handlers.account import Account
from handlers.conversation import show
from handlers.turn import Refused, Turn
from messages import Command
from storage import contacts, reporters, sealing
from storage import reports as rows
from storage.reports import Report, ReportStage

TRIES_COUNTED_FOR = timedelta(hours=1)


def progress(turn: Turn, command: Command) -> None:
    """Where the report stands, in words that are harmless on a lock screen."""
    report = _meant(turn, command.argument)
    if report is None:
        turn.say("progress/none")
        return
    last = rows.last_words_to(turn.session, report.id)
    turn.say(
        "progress/stands", stage=_stage(report), opened=report.opened_at, answered=report.case_id is not None,
        words=last, police_receipt=report.police_receipt is not None, now=turn.now,
    )  # fmt: skip


def supplement(turn: Turn, command: Command) -> None:
    """Words after the command are appended to the report; the command alone asks for them."""
    digits, words = _receipt(command.argument)
    report = _meant(turn, digits)
    if report is None:
        turn.say("progress/none")
        return
    if not words:
        turn.say("progress/say_more")
        show(turn, "progress.more")
        return
    police.heard_receipt(turn, words)
    account = Account.of(turn)
    if account is not None and account.report == report.id and turn.message is not None:
        accounts.add(turn, account, turn.message)
    else:
        rows.append(turn.connection, report.id, turn.now, "text", text=words, inbox_id=turn.inbox_id)
    reports.alarms.tell_holder_of_more(turn, report.id)
    turn.say("reports/added")


def _meant(turn: Turn, argument: str) -> Report | None:
    """The report of the receipt that was typed, else the last one of this phone; wrong receipts are counted."""
    digits, _ = _receipt(argument)
    talk = turn.talk
    if talk is None:
        return None
    if not digits:
        latest = reporters.latest_report_of(turn.connection, talk.contact_id)
        return _kept(turn, turn.session.get(Report, latest)) if latest else None
    if not contacts.may_try_receipt(
        turn.session, talk.contact_id, turn.now, TRIES_COUNTED_FOR, turn.policy.receipt_tries_per_hour
    ):
        raise Refused("progress/too_many_tries")
    found = rows.by_receipt(turn.connection, sealing.ring().receipt_index(digits))
    return _kept(turn, turn.session.get(Report, found.id)) if found else None


def _kept(turn: Turn, report: Report | None) -> Report | None:
    """The report that an account was merged into counts as itself."""
    if report is not None and report.merged_into_id:
        return turn.session.get(Report, report.merged_into_id)
    return report


def _receipt(argument: str) -> tuple[str, str]:
    """Twelve digits at the beginning (spaces and hyphens between them do not matter), and the words after them."""
    found = re.match(r"\s*((?:\d[\s-]*){12})(?!\d)", argument)
    if not found:
        return "", argument.strip()
    return re.sub(r"\D", "", found[1]), argument[found.end() :].strip()


def _stage(report: Report) -> str:
    if report.stage in {ReportStage.DRAFT, ReportStage.FILED}:
        return "received"
    if report.stage == ReportStage.ACCEPTED:
        return "in_hand"
    return "done" if report.stage == ReportStage.RESOLVED else "noted"


COMMANDS = {"progress": progress, "supplement": supplement}
