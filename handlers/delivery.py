"""What became of words that were said: they arrived, or they did not and what counted on them goes on without."""

from typing import Any

from handlers import alarms, moving
from handlers.message import Message
from handlers.turn import Turn
from storage import contacts, outbox, tasks
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person

REPORTS = frozenset({"templatesendjobfinish", "subscribe_msg_sent_event"})
"""Events that tell what became of a message."""


def reported(turn: Turn, message: Message) -> None:
    """The platform says what became of a template message."""
    status = (message.status or "").replace(" ", "")
    if status == "success":
        outbox.delivery_reported(turn.connection, message.job_id or "", OutboxState.DELIVERED, turn.now)
    else:
        failed(turn, message.job_id or "", blocked="userblock" in status)


def failed(turn: Turn, job_id: str, *, blocked: bool = False) -> None:
    """What was accepted did not arrive: by telephone if there is that way, else it is somebody's matter."""
    row = outbox.delivery_reported(turn.connection, job_id, OutboxState.REFUSED, turn.now)
    if row is None:
        return
    if blocked or (row.channel == "sms" and contacts.is_telephone(turn.connection, row.contact_id)):
        contacts.unreachable(turn.connection, row.contact_id, turn.now)
    content = row.content or {}
    if content.get("besides"):
        outbox.cancel_settled(turn.connection, row.id)  # another row speaks for it
    elif not _by_another_way(turn, row, content):
        undelivered(turn, row.contact_id, row.kind, gone=blocked, rang=bool(content.get("rang")))


def _by_another_way(turn: Turn, row: Any, content: dict[str, Any]) -> bool:  # noqa: ANN401 - a row
    card = content.get("card")
    past = [*content.get("past", ()), row.channel]
    ways = [way for way in turn.policy.by_telephone(card["purpose"]) if way not in past] if card else []
    if row.channel == "subscribe" and "template" in turn.policy.by_wechat():
        ways.append("template")
    if row.kind == OutboxKind.PROMPT:
        ways = [way for way in ways if way != "call"]
    elif row.kind != OutboxKind.ALARM:
        ways = []
    if not ways or content.get("by"):
        return False
    outbox.rewrite(turn.connection, row.id, content | {"past": past})
    outbox.requeue(turn.connection, row.id, turn.now)
    return True


def undelivered(turn: Turn, contact_id: int, kind: str, *, gone: bool = True, rang: bool = False) -> None:
    """Words that did not reach somebody: what counted on this person goes on without, and the county hears of it.

    `gone`: the person is not reached by this contact any more, rather than only not by these words. `rang`: their
    telephone rang besides, so that they are not without a way. It comes to an end: who is listed or marked already is
    not acted upon again, and what is said to the county about it is a notice, for which this does nothing.
    """
    person_id = contacts.person_of(turn.connection, contact_id)
    if person_id is None or kind not in {OutboxKind.ALARM, OutboxKind.PROMPT}:
        return
    if gone:
        contacts.unreachable(turn.connection, contact_id, turn.now)
    if rang and turn.reach(person_id, "alarm") is not None:
        return
    person = turn.session.get_one(Person, person_id)
    alarms.person_lost(turn, person_id)
    if alarms.list_unreachable(turn, person) or gone:
        for task in tasks.live_of_person(turn.session, person_id):
            task.next_at = turn.now
    if turn.reach(person_id) is None:
        moving.pass_on_cases(turn, person_id)
