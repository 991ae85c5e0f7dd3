"""What people do on the telephone: press or send back the one digit that claims an alarm.

What the gateway tells about a call or an SMS is no secret and no proof of who is speaking; it can only take what that
person was told about, and only neutral words are said back.
"""

import re
from dataclasses import dataclass
from typing import Any

from handlers import alarms, cases, delivery
from handlers.turn import Card, Turn
from messages import command, plain, render
from storage import contacts, outbox, people, tasks
from storage.outbox import OutboxKind, OutboxState
from storage.tasks import Task, TaskState

_JOB = re.compile(r"tongban-(\d{1,18})-(?:sms|call)")
"""Our ids of SMS and calls: the outbox row, and the way it went."""


@dataclass(frozen=True)
class Told:
    """One event of the gateway (docs/gateway.md)."""

    event: str
    job_id: str | None
    """Our own id of the SMS or call."""
    sender: str | None
    """The number an SMS came from."""
    words: str
    """The digit pressed, or the text sent back."""


def heard(turn: Turn, told: Told) -> str | None:
    """What follows from it, and the words to say back ("" for none).

    None, and nothing follows, while the words it is about are still on their way out: it has to be told again.
    """
    match = _JOB.fullmatch(told.job_id or "")
    row = outbox.one(turn.connection, int(match[1])) if match else None
    if row is not None and row.state in {OutboxState.QUEUED, OutboxState.SENDING}:
        return None
    match told.event:
        case "delivered" if row:
            outbox.delivery_reported(turn.connection, told.job_id or "", OutboxState.DELIVERED, turn.now)
            contacts.reached(turn.connection, row.contact_id)
        case "failed" if row:
            delivery.failed(turn, told.job_id or "")
        case "pressed" | "replied":
            return _answered(turn, told, row)
    return ""


def _answered(turn: Turn, told: Told, row: Any | None) -> str:  # noqa: ANN401 - a row
    person = _person(turn, told, row.contact_id if row else None)
    if person is not None and row is not None:
        outbox.delivery_reported(turn.connection, told.job_id or "", OutboxState.ANSWERED, turn.now)
    if person is None or not _means_mine(told.words):
        return render("telephone/only_one", police=turn.policy.numbers.police)
    task = _task(turn, person.id, (row.content or {}).get("task") if row else None)
    return _take(turn, task, person.id) if task else render("telephone/held", holder=None, mine=False)


def _person(turn: Turn, told: Told, contact_id: int | None) -> people.Person | None:
    """Who it is; from here on the turn is theirs."""
    found = contacts.person_of(turn.connection, contact_id) if contact_id else None
    known = people.by_phone(turn.session, told.sender) if found is None and told.sender else None
    person = people.person_of(turn.session, found or (known.id if known else None))
    if person is not None:
        contact = people.reachable(turn.session, person.id) or people.telephone(turn.session, person.id, turn.now)
        turn.talk = contacts.talk_with(turn.connection, contact or contact_id or 0, turn.now, lock=True)
    return person if turn.talk else None


def _means_mine(words: str) -> bool:
    said = plain(words)
    known = command(said)
    return said == alarms.CLAIM_KEY or (known is not None and known.word == "claim")


def _task(turn: Turn, person_id: int, task_id: int | None) -> Task | None:
    """The alarm that rang; for an SMS of which nobody knows what it answers, the most urgent one, or the last."""
    if task_id:
        return turn.session.get(Task, task_id)
    waiting = tasks.told_and_open(turn.session, person_id)
    return waiting[0] if waiting else tasks.last_told(turn.session, person_id)


def _take(turn: Turn, task: Task, person_id: int) -> str:
    was_open = task.state == TaskState.OPEN
    cases.take(turn, task.id)
    mine = task.person_id == person_id
    if was_open and mine:
        _say_the_rest(turn, task, person_id)
        return render("telephone/taken")
    return render("telephone/held", holder=alarms.name_of(turn, task.person_id), mine=mine)


def _say_the_rest(turn: Turn, task: Task, person_id: int) -> None:
    """What a claim in the chat would be answered with is read in the chat."""
    contact = people.reachable(turn.session, person_id)
    if contact is None or not turn.said:
        return
    path = f"/m/case/{task.subject_id}" if task.subject == "report" else "/m/tasks"
    card = Card("task", {"what": render("telephone/card"), "count": "1"}, path)
    turn.push_content(contact, OutboxKind.NOTICE, {"text": "\n\n".join(turn.said)}, card)
