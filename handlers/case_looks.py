"""What the case page shows, read by words: the account as it was told, the number to ring back. Each look is logged."""

from typing import Any

from handlers import alarms, cases
from handlers.account import UNREADABLE
from handlers.case_named import case_meant, reports_meant
from handlers.report_view import answers, steps
from handlers.turn import Turn
from messages import Command
from storage import reporters, reports
from storage.reports import Report

_LINES_SHOWN = 20
"""Of a long account the last lines; the page has all of it."""


def told(turn: Turn, command: Command) -> None:
    """What was told, word for word, and what was done since, for whoever may see the page."""
    meant = reports_meant(turn, command)
    if meant is None:
        return
    mine, case = meant
    for report in mine:
        turn.audit("look", "report", report.id)
    turn.holds_receipt = True  # as a receipt, this is not kept with what we said for longer than a day
    turn.say("cases/told", reports=[_told(turn, one) for one in mine], steps=steps(turn, case) if case else [])


def _told(turn: Turn, report: Report) -> dict[str, Any]:
    entries = reports.entries_of(turn.session, report.id)
    return {
        "id": report.id, "place": alarms.place_of(turn, report.area_id), "opened": report.opened_at,
        "words": [(one.by, one.text) for one in entries if one.text][-_LINES_SHOWN:],
        "unread": sum(one.kind in UNREADABLE for one in entries), "answers": answers(report),
        "situation": report.situation, "receipt": report.police_receipt, "police_told": report.police_told_at,
    }  # fmt: skip


def callback(turn: Turn, command: Command) -> None:
    """The reporter's number, for the holder of the case alone."""
    meant = case_meant(turn, command)
    if meant is None:
        return
    case, _ = meant
    cases.require_holder(turn, case)
    left = []
    for report in reports.of_case(turn.session, case.id):
        number = reporters.callback_of(turn.connection, report.id)
        if number:
            turn.audit("look_callback", "report", report.id)
            left.append({"report": report.id, "number": number})
    turn.holds_receipt = True  # as above
    turn.say("cases/callback", number=case.number, left=left)


COMMANDS = {"told": told, "callback": callback}
