"""What people sent and we do not have: whoever sent it is asked once, in words that name nothing, to send it again."""

from datetime import timedelta

from handlers.turn import Turn
from handlers.workdays import in_window
from messages import render
from storage import media, outbox
from storage.outbox import OutboxKind, OutboxState

ONCE_IN = timedelta(days=1)
"""Ten pictures that are lost together are asked for in one message."""


def refused(turn: Turn, media_id: int) -> None:
    """It is no picture, voice or film, or too large: said like an answer, since they have sent it just now."""
    _ask(turn, media_id, "originals/refused", OutboxKind.REPLY)


def lost(turn: Turn, media_id: int) -> None:
    """The platform no longer has it: asked by day."""
    _ask(turn, media_id, "originals/lost", OutboxKind.PROMPT)


def _ask(turn: Turn, media_id: int, name: str, kind: OutboxKind) -> None:
    contact = media.sender_of(turn.connection, media_id)
    if contact is None or not media.first_to_tell(turn.connection, media_id, turn.now, ONCE_IN):
        return
    outbox.add(
        turn.connection, contact_id=contact, kind=kind, state=OutboxState.QUEUED, now=turn.now,
        next_at=turn.now if kind == OutboxKind.REPLY else in_window(turn.policy, turn.now),
        content={
            "text": render(name),
            "card": {"purpose": "notice", "values": {"what": render("reports/card_nudge")}, "path": None},
        },
    )  # fmt: skip
