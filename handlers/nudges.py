"""Nudges to reporters: one message at a time, which names nothing."""

from handlers.turn import Card, Turn
from messages import render
from storage import outbox, reporters
from storage.outbox import OutboxKind


def nudge(turn: Turn, report_id: int, *, finished: bool) -> bool:
    """Ask the reporter to go on, or for the police receipt; False when nobody can be asked any more.

    A nudge that still waits is not followed by another: the one to go on asks for the receipt too. One that does not
    arrive is nobody's failure ("besides"): a reporter may be staff too, and is not out of reach for their own work.
    """
    contact = reporters.contact_of(turn.connection, report_id)
    if contact is None:
        return False
    waiting = outbox.queued_prompt(turn.connection, contact)
    if waiting is not None and "nudge" in waiting.content:
        if not finished:
            outbox.rewrite(turn.connection, waiting.id, waiting.content | {"text": _text(finished=False)})
        return True
    card = Card("notice", {"what": render("reports/card_nudge")}, None)
    content = {"text": _text(finished=finished), "nudge": True, "besides": True}
    turn.push_content(contact, OutboxKind.PROMPT, content, card)
    return True


def _text(*, finished: bool) -> str:
    return render("reports/nudge", finished=finished)
