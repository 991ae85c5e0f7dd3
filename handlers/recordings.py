"""What the county gives along with words: its own recordings for whoever speaks, a picture of where the voice key is.

Both are messages of their own after the words, sent while a window is open or not at all: words alone do as well.
"""

from collections.abc import Collection
from datetime import timedelta

from handlers.account import Account
from handlers.turn import Turn
from storage import outbox, recordings
from storage.outbox import OutboxKind, OutboxState

VOICES = ("danger", "receipt", "call_back", "go_on", "thanks")
"""Weightiest first: of a reply that says several things one is heard."""
PICTURE = "voice_key"
_SAYS = {
    "reports/in_danger": "danger", "reports/received": "receipt", "reports/call_back": "call_back",
    "reports/added": "thanks",
}  # fmt: skip
_ASKS = (
    "begin", "heard", "heard_again", "from_visit", "danger", "what", "child", "where", "suspect", "police",
    "understood",
)  # fmt: skip
"""Texts of a report after which somebody is to go on speaking."""
_SAYS |= {f"reports/{name}": "go_on" for name in _ASKS}
_MENU_KEY = "report"
GOOD_FOR = timedelta(hours=71)
"""After its upload; the platform keeps it for three days, and the message may have to wait a little."""


def follow(turn: Turn) -> None:
    """Leave what goes with the words of this turn: their recording if the report was begun by voice, or the picture."""
    account, message = Account.of(turn), turn.message
    if account is not None and account.spoken:
        _leave(turn, "voice", chosen(turn.named))
    if message is not None and message.event == "click" and message.event_key == _MENU_KEY:
        _leave(turn, "image", PICTURE)


def chosen(texts: Collection[str]) -> str | None:
    """The recording that goes with these texts; None when there is none that says the same."""
    said = {_SAYS.get(text) for text in texts}
    return next((name for name in VOICES if name in said), None)


def _leave(turn: Turn, kind: str, name: str | None) -> None:
    known = recordings.usable(turn.connection, name, turn.now - GOOD_FOR) if name else None
    if known is not None and turn.talk is not None:
        outbox.add(
            turn.connection, contact_id=turn.talk.contact_id, kind=OutboxKind.REPLY, state=OutboxState.QUEUED,
            content={"text": "", "media": kind, "name": name, "media_id": known}, now=turn.now, next_at=turn.now,
        )  # fmt: skip
