"""Subscription notices: what people say to the platform's question whether they want them, and what becomes of one."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from handlers import delivery
from handlers.message import Message
from handlers.turn import Turn
from storage import optins, outbox
from storage.outbox import OutboxState

_YES, _SENT = "accept", "0"


def said(turn: Turn, message: Message) -> None:
    """Somebody answered the question, or changed their mind in WeChat's own settings.

    Whatever is not a yes is a no, also to what was agreed to before.
    """
    at = datetime.fromtimestamp(message.create_time, UTC)
    for template_id, answer in _rows(message):
        if turn.talk is not None:
            optins.say(turn.connection, turn.talk.contact_id, template_id, agrees=answer == _YES, at=at)


def reported(turn: Turn, message: Message) -> None:
    """The platform says what became of notices that it took."""
    for template_id, code in _rows(message):
        if turn.talk is None:
            continue
        job_id = optins.job_of(turn.talk.contact_id, template_id)
        if code == _SENT:
            outbox.delivery_reported(turn.connection, job_id, OutboxState.DELIVERED, turn.now)
        else:
            delivery.failed(turn, job_id)


def _rows(message: Message) -> Iterator[tuple[str, str]]:
    """Template and what is told of it."""
    for line in (message.event_key or "").splitlines():
        template_id, told, *_ = line.split(" ")
        yield template_id, told


EVENTS: Mapping[str, Callable[[Turn, Message], None]] = {
    "subscribe_msg_popup_event": said,
    "subscribe_msg_change_event": said,
    "subscribe_msg_sent_event": reported,
}
