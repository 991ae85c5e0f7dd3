"""What people do on the telephone: press or send back the one digit that claims an alarm.

What the gateway tells about a call or an SMS is no secret and no proof of who is speaking; it can only take what that
person was told about, and only neutral words are said back.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handlers import alarms, cases, delivery
from handlers.turn import Card, Turn
from messages import command, plain, render
from storage import contacts, outbox, people, tasks
from storage.outbox import OutboxKind, OutboxState
from storage.tasks import Task, TaskState

_JOB = re.compile(r"tongban-(\d{1,18})-(?:sms|call)")
"""Our ids of SMS and calls: the outbox row, and the way it went."""


SAME_ANSWER = timedelta(minutes=10)
"""Within this an SMS that names nothing is the answer that took something already, told again."""


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

    None, and nothing follows, when it tells what became of words that are still on their way out: it has to be told
    again. Who answers them has got them, whatever is known.
    """
    match = _JOB.fullmatch(told.job_id or "")
    row = outbox.one(turn.connection, int(match[1])) if match else None
    if told.event in {"pressed", "replied"}:
        return _answered(turn, told, row)
    if row is not None and row.state in {OutboxState.QUEUED, OutboxState.SENDING}:
        return None
    if told.event == "delivered":
        _arrived(turn, told.job_id or "")
    elif told.event == "failed":
        delivery.failed(turn, told.job_id or "")
    return ""


def _arrived(turn: Turn, job_id: str) -> None:
    row = outbox.delivery_reported(turn.connection, job_id, OutboxState.DELIVERED, turn.now)
    if row is not None and contacts.is_telephone(turn.connection, row.contact_id):
        contacts.reached(turn.connection, row.contact_id)


def _answered(turn: Turn, told: Told, row: Any | None) -> str:  # noqa: ANN401 - a row
    person = _person(turn, told, row.contact_id if row else None)
    if person is not None and row is not None:
        outbox.answered(turn.connection, row.id, turn.now)
    task_id = (row.content or {}).get("task") if row else None
    if person is None or not _means_mine(told.words) or (row is not None and task_id is None):
        return render("telephone/only_one", police=turn.policy.numbers.police)
    task = turn.session.get(Task, task_id) if task_id else _waiting(turn, person.id)
    if task is None:
        return render("telephone/held", holder=None, mine=False)
    return _take(turn, task, person.id)


def _person(turn: Turn, told: Told, contact_id: int | None) -> people.Person | None:
    """Who it is; from here on the turn is theirs, and their telephone works."""
    found = contacts.person_of(turn.connection, contact_id) if contact_id else None
    known = people.by_phone(turn.session, told.sender) if found is None and told.sender else None
    person = people.person_of(turn.session, found or (known.id if known else None))
    if person is None:
        return None
    for one in contacts.of_person(turn.connection, person.id):
        if contacts.is_telephone(turn.connection, one):
            contacts.reached(turn.connection, one)
    contact = people.reachable(turn.session, person.id) or people.telephone(turn.session, person.id, turn.now)
    turn.talk = contacts.talk_with(turn.connection, contact or contact_id or 0, turn.now, lock=True)
    return person if turn.talk else None


def _means_mine(words: str) -> bool:
    said = plain(words)
    known = command(said)
    return said == alarms.CLAIM_KEY or (known is not None and known.word == "claim")


def _waiting(turn: Turn, person_id: int) -> Task | None:
    """The alarm an SMS answers of which nobody says which: what was taken just now, else the most urgent, or the last.

    The same answer told twice must not take a second one.
    """
    mine = [one for one in tasks.live_of_person(turn.session, person_id) if one.kind in alarms.CLIMBING]
    last = tasks.last_told(turn.session, person_id, alarms.CLIMBING)
    just_now = [one for one in (*mine, last) if one and one.person_id == person_id and _is_fresh(turn, one)]
    waiting = [one for one in tasks.told_and_open(turn.session, person_id) if one.kind in alarms.CLIMBING]
    return next(iter([*just_now, *waiting, *([last] if last else [])]), None)


def _is_fresh(turn: Turn, task: Task) -> bool:
    return task.claimed_at is not None and turn.now - task.claimed_at < SAME_ANSWER


def _take(turn: Turn, task: Task, person_id: int) -> str:
    is_new = task.state == TaskState.OPEN
    if is_new:
        cases.take(turn, task.id, is_read=False)
    mine = task.person_id == person_id
    if is_new and mine:
        reads = _say_the_rest(turn, task, person_id)
        return render("telephone/taken", reads=reads, number=turn.policy.numbers.county_duty)
    return render("telephone/held", holder=alarms.name_of(turn, task.person_id), mine=mine)


def _say_the_rest(turn: Turn, task: Task, person_id: int) -> bool:
    """What a claim in the chat would be answered with is read in the chat; False for whom it does not reach."""
    contact = people.reachable(turn.session, person_id)
    if contact is None:
        return False
    path = f"/m/case/{task.subject_id}" if task.subject == "report" else "/m/tasks"
    card = Card("task", {"what": render("telephone/card"), "count": "1"}, path)
    text = "\n\n".join(turn.said) or render("telephone/card")
    turn.push_content(contact, OutboxKind.NOTICE, {"text": text}, card)
    return True
