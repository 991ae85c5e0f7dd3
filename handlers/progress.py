"""Progress and supplement: the reporter hears where it stands and can add to it.

With a receipt from any phone, without one from the phone that reported.
"""

import re
from datetime import timedelta

from handlers import account as accounts
from handlers import police, reports
from handlers.account import Account
from handlers.conversation import Flow, close
from handlers.message import Message
from handlers.questions import Words
from handlers.report_questions import receipt_in
from handlers.turn import Refused, Turn
from handlers.understanding import understand
from messages import Command
from storage import contacts, reporters, sealing
from storage import reports as rows
from storage.people import Role
from storage.reports import Report, ReportStage

TRIES_COUNTED_FOR = timedelta(hours=1)
_LONGEST_QUERY = 30
"""Longer words are an account that also asks something."""


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


def asked_in_own_words(turn: Turn, message: Message) -> bool:
    """Whether somebody who reported asks how it stands, and in words that hold nothing else; it is answered then.

    They stay with the report as they are, for the rules may be wrong, but ask nobody to do anything.
    """
    report = _meant(turn, "") if is_query(message) else None
    if report is None:
        return False
    rows.append(turn.connection, report.id, turn.now, "text", text=message.text, inbox_id=turn.inbox_id)
    progress(turn, Command("progress"))
    return True


def is_query(message: Message) -> bool:
    """Whether the rules hear a question for progress, and neither harm nor anything new."""
    text = message.text if message.kind == "text" else None
    if not text or len(text) > _LONGEST_QUERY or text.isdecimal():
        return False
    read = understand(text, Role.CITIZEN)  # what staff would mean by it are figures
    news = receipt_in(text) or read.situations or read.injuries or read.relation or read.times or read.place or read.age
    return read.intent == "progress_query" and read.urgency == "normal" and not news


class Supplement(Flow, name="supplement"):
    """What shall be added, when only the word was said; a picture or voice message will do as well."""

    keeps_words, passes_on_originals = True, False
    words = Words(skippable=False)

    def hear(self, turn: Turn, message: Message, command: Command | None) -> None:
        """Anything but words is added as it is."""
        if message.kind == "text":
            super().hear(turn, message, command)
        else:
            close(turn)
            _add(turn, turn.session.get_one(Report, self.about["report"]), message)

    def finish(self, turn: Turn) -> None:
        """Add the words."""
        _add(turn, turn.session.get_one(Report, self.about["report"]), Message("text", text=self.words))


def supplement(turn: Turn, command: Command) -> None:
    """Words after the command are appended to the report; the command alone asks for them."""
    digits, words = _receipt(command.argument)
    report = _meant(turn, digits)
    if report is None:
        turn.say("progress/none")
    elif words:
        _add(turn, report, Message("text", text=words))
    else:
        Supplement.start(turn, report=report.id)


def _add(turn: Turn, report: Report, message: Message) -> None:
    """More of a report, from the phone that made it or from any that has the receipt; always answered."""
    account = Account.of(turn)
    if account is not None and account.report == report.id:
        if message.kind == "text" and police.heard_receipt(turn, message.text or ""):
            turn.said.clear()  # one line is enough
        reports.more(turn, message)
    else:
        accounts.add_from_elsewhere(turn, report, message)
    if not turn.said:
        turn.say("reports/added")
    if "reports/in_danger" not in turn.named and accounts.reading(turn, message, None).urgency == "immediate_danger":
        turn.say_first("reports/in_danger", numbers=turn.policy.numbers)


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
FLOWS: tuple[type[Flow], ...] = (Supplement,)
