"""What people sent and we do not have: whoever sent it is asked once, in words that name nothing, to send it again.

Whoever has the case hears of the first that is missing. That something is missing stays on the case page and in
`tongban check`, so words about it that do not arrive are nobody's task.
"""

from datetime import timedelta
from typing import Any

from handlers.alarms import report_card
from handlers.turn import Card, Turn
from handlers.workdays import in_window
from messages import render
from storage import media, outbox, people
from storage.cases import Case, CaseStage
from storage.outbox import OutboxKind, OutboxState
from storage.reports import Report

ONCE_IN = timedelta(days=1)
"""Ten pictures that are lost together are asked for in one message."""
JUST_NOW = timedelta(minutes=30)
"""Whoever sent it within this time is answered at any hour, later by day."""


def refused(turn: Turn, media_id: int) -> None:
    """It is too large."""
    _missing(turn, media_id, "originals/refused")


def lost(turn: Turn, media_id: int) -> None:
    """The platform no longer has it."""
    _missing(turn, media_id, "originals/lost")


def _missing(turn: Turn, media_id: int, name: str) -> None:
    if not turn.policy.fetches:
        return  # it was said when it came, and is the same for everything
    sent = media.sent(turn.connection, media_id)
    _ask(turn, media_id, name, just_now=turn.now - sent.received_at <= JUST_NOW)
    if sent.report_id is not None:
        _tell_holder(turn, sent.report_id)


def _ask(turn: Turn, media_id: int, name: str, *, just_now: bool) -> None:
    contact = media.sender_of(turn.connection, media_id)
    if contact is not None and media.first_to_tell(turn.connection, media_id, contact, turn.now, ONCE_IN):
        kind = OutboxKind.REPLY if just_now else OutboxKind.NOTICE
        _leave(turn, contact, kind, render(name), Card("notice", {"what": render("reports/card_nudge")}))


def _tell_holder(turn: Turn, report_id: int) -> None:
    """Once for a report, by day: whoever has it may have to ask for what is missing in another way."""
    report = turn.session.get_one(Report, report_id)
    report = turn.session.get_one(Report, report.merged_into_id or report.id)
    case = turn.session.get(Case, report.case_id) if report.case_id else None
    if case is None or case.stage == CaseStage.CLOSED or not media.first_missing(turn.connection, report_id):
        return
    contact = people.reachable(turn.session, case.holder_id)
    if contact is not None:
        card = report_card(report, "originals/card_missing")
        _leave(turn, contact, OutboxKind.NOTICE, render("originals/missing"), card)


def _leave(turn: Turn, contact: int, kind: OutboxKind, text: str, card: Card) -> None:
    content: dict[str, Any] = {
        "text": text, "besides": True,
        "card": {"purpose": card.purpose, "values": dict(card.values), "path": card.path},
    }  # fmt: skip
    outbox.add(
        turn.connection, contact_id=contact, kind=kind, state=OutboxState.QUEUED, content=content, now=turn.now,
        next_at=turn.now if kind == OutboxKind.REPLY else in_window(turn.policy, turn.now),
    )  # fmt: skip
