"""Runs one turn inside a transaction that somebody else commits: a message, or a task that is due.

Plain functions for the database threads; the only place that catches everything a handler may raise.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from zlib import crc32

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot import faults, metrics, unsaid
from bot.ahead import Ahead
from bot.codec import Inbound, cut
from bot.logs import place
from bot.postgres_engine import worth_again
from bot.undoing import mark, release, undo
from handlers import recordings, routes
from handlers.delivery import REPORTS
from handlers.message import Message
from handlers.people import NOT_THE_PERSON
from handlers.policy import Policy
from handlers.turn import PASSIVE_PATIENCE, RECEIPT_KEPT, Refused, Turn
from messages import render
from storage import contacts, inbox, outbox, tasks
from storage.areas import Area
from storage.contacts import Talk
from storage.inbox import InboxState
from storage.lifecycle import NotAllowed
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person
from storage.rows import Known
from storage.tasks import Task

log = structlog.get_logger()

REPORT_PATIENCE = timedelta(seconds=5)
"""What became of a message may be told before its sender has written down that it was taken."""
AT_ONCE = timedelta(0)
"""A message whose turn failed is run again by the due work, which lists it for people when it fails there too."""
RAW_PATIENCE = timedelta(seconds=60)
"""A message kept raw is run by the due work when its own turn has not come by then."""
WINDOW, WINDOW_MESSAGES = timedelta(hours=48), 5
"""After a user's message (wechat-platform.md 6.1)."""
SHORT_WINDOW, SHORT_MESSAGES = timedelta(minutes=1), 3
"""After a menu click, a scan or a follow."""
_SHORT_EVENTS = frozenset({"click", "scan", "subscribe"})
LONGEST_BATCH = 0.03
"""Seconds after which due work lets chat go first (design 3: no other write transaction over 50 ms)."""


@dataclass(frozen=True)
class Reply:
    """What the platform is answered: words (None: `success`), the message they reply to, and when it was said."""

    text: str | None = None
    inbox_id: int | None = None
    said_at: datetime | None = None
    queued: bool = False
    """Whether the turn left something for the sender."""
    waits_since: datetime | None = None
    """When the message came, if it is kept and its turn is still to be done."""


def person_key(openid: str) -> int:
    """The key by which a person's turns keep their order."""
    return crc32(openid.encode())


def take(connection: Connection, inbound: Inbound, arrived_at: datetime, now: datetime, policy: Policy) -> Reply:
    """Claim a message and run its turn; a repeat gets the stored reply."""
    if _is_about_nobody(connection, inbound):
        return Reply()
    if inbound.event in REPORTS:
        keep_raw(connection, inbound, arrived_at, now, REPORT_PATIENCE)
        return Reply()
    talk = _talk(connection, inbound, now)
    key = inbox.key_of(inbound.identity)
    fields = inbound.as_json()
    inbox_id = inbox.claim(connection, key, talk.contact_id, arrived_at, fields)
    late = inbox_id is None
    if inbox_id is None:
        known = inbox.find(connection, key)
        if known is None or known[1] != InboxState.WAITING:
            if talk.is_new:  # its sender left after the first delivery: forgotten then, and again now
                contacts.erase(connection, talk.contact_id, now)
            return _stored(connection, known[0]) if known else Reply()
        inbox_id = known[0]
        inbox.settle(connection, inbox_id, InboxState.DONE, attempts=0)
    if talk.asked_meanwhile and talk.asked_at is not None:  # in another process: whoever wrote this had not read it
        arrived_at = min(arrived_at, talk.asked_at)
    message = Message.from_json(fields, arrived_at)
    passive = policy.only_answers or not late  # else the platform has its `success`: the words go by the outbox
    reply = _run(connection, inbox_id, talk, message, now, policy, attempts=0, passive=passive)
    return reply if passive else Reply(queued=True)


def keep_raw(
    connection: Connection,
    inbound: Inbound,
    arrived_at: datetime,
    now: datetime,
    patience: timedelta = RAW_PATIENCE,
) -> Reply:
    """Keep only the message, so that `success` may be answered though its turn is late or failed.

    It reads no conversation and waits for no turn, so that nothing that is wrong there can stop it. One whose turn is
    done was delivered again because its answer did not arrive: it gets the stored reply, as in a turn.
    """
    if _is_about_nobody(connection, inbound):
        return Reply()
    key = inbox.key_of(inbound.identity)
    known = inbox.known(connection, key)
    if known is None:
        contact_id = contacts.id_of(connection, inbound.openid, now)
        message, again = inbound.as_json(), now + patience
        if inbox.claim(connection, key, contact_id, arrived_at, message, InboxState.WAITING, again) is not None:
            return Reply(queued=True, waits_since=arrived_at)
        known = inbox.known(connection, key)  # its turn was quicker by a moment
    if known is not None and known.state == InboxState.WAITING:
        return Reply(waits_since=known.received_at)
    return Reply() if known is None else _stored(connection, known.id)


def _is_about_nobody(connection: Connection, inbound: Inbound) -> bool:
    """An event that somebody left, or what became of a card, must not make again the contact that was forgotten."""
    return inbound.event in NOT_THE_PERSON and contacts.known(connection, inbound.openid) is None


def run_kept(connection: Connection, now: datetime, policy: Policy, limit: int = 20) -> int:
    """Run the turns of messages that were kept raw or failed before; how many."""
    rows = inbox.due(connection, now, limit)
    began = monotonic()
    done = 0
    for row in rows:
        mark(connection, "kept")
        try:
            done += _run_kept(connection, row, now, policy)
        except Exception as error:
            if isinstance(error, DBAPIError) and worth_again(error):
                raise
            undo(connection, "kept")
            _keep_failed(Turn(connection, now, policy), row.id, row.attempts + 1, place(error))
            done += 1
        release(connection, "kept")
        if monotonic() - began > LONGEST_BATCH:
            break
    return done


def _run_kept(connection: Connection, row: Any, now: datetime, policy: Policy) -> int:  # noqa: ANN401 - a row
    """Run one kept message; 0 when another turn of this person runs just now, and the next round has to."""
    talk = contacts.free_talk_with(connection, row.contact_id, now)
    message = Message.from_json(inbox.message_of(connection, row.id), row.received_at)
    if talk is None and contacts.talk_with(connection, row.contact_id, now) is not None:
        return 0
    inbox.settle(connection, row.id, InboxState.DONE, attempts=row.attempts)
    if talk is not None:
        _run(connection, row.id, talk, message, now, policy, attempts=row.attempts, passive=False)
    elif message.kind != "event":  # unfollowed meanwhile: there is nobody to answer, but the words need a reader
        inbox.settle(connection, row.id, InboxState.PARKED, attempts=row.attempts, error="contact erased")
        turn = Turn(connection, now, policy)
        error = guarded(turn, lambda: routes.unread_message(turn, row.id, parked=True))
        if error is not None:
            log.error("failed_message_not_listed", inbox=row.id, error=error)
    return 1


def run_due(connection: Connection, now: datetime, policy: Policy, limit: int = 20, ahead: Ahead | None = None) -> int:
    """Look at tasks whose time has come; how many.

    `ahead`: what was read for some of them; those for which more is to be read are left. None: each reads for itself.
    """
    rows = tasks.due(connection, now, limit)
    if rows:
        faults.reach("due_claimed")
    began, known = monotonic(), _unknown()
    looked_at: set[int] = set()
    kinds: set[str] = set()
    for row in rows:
        if looked_at and monotonic() - began > LONGEST_BATCH:
            break
        if ahead is not None and not ahead.has(row.id, row.kind):
            continue
        if row.kind not in kinds:
            kinds.add(row.kind)
            looked_at |= _look_at_many(Turn(connection, now, policy), row.kind, rows)
        metrics.due_lag_seconds.observe((now - row.next_at).total_seconds())
        if row.id in looked_at:
            continue
        looked_at.add(row.id)
        turn = Turn(connection, now, policy, since=row.next_at, known=known, ahead=ahead and ahead.read.get(row.id))
        error = guarded(turn, partial(_look, turn, tasks.begin(turn.session, row.id)))
        if error is not None:
            known = _unknown()
            metrics.due_failed.inc()
            log.error("due_failed", kind=row.kind, task=row.id, error=error)
            waits = policy.retry_minutes
            again = now + timedelta(minutes=waits[row.failures]) if row.failures < len(waits) else None
            tasks.failed(connection, row.id, again, error)
            if not row.failures:
                _after_failure(Turn(connection, now, policy), row)
    metrics.turns.labels("due").inc(len(looked_at))
    if rows:
        faults.reach("due_before_commit")
    return len(looked_at)


def _look_at_many(turn: Turn, kind: str, rows: Sequence[Any]) -> set[int]:
    """Those of these tasks that are plain enough to be done together; each that is left is looked at by itself."""
    together = routes.TASKS[kind].together if kind in routes.TASKS else None
    mine = [row.id for row in rows if row.kind == kind]
    done: set[int] = set()
    if together is not None and len(mine) > 1:
        error = guarded(turn, lambda: done.update(together(turn, mine)))
        if error is not None:  # whichever of them it is fails again by itself
            log.warning("due_not_together", kind=kind, error=error)
            return set()
    return done


def _unknown() -> Known:
    """What the tasks of one batch read only once: no due work changes it."""
    return {Area: {}, Person: {}}


def _after_failure(turn: Turn, row: Any) -> None:  # noqa: ANN401 - a row
    error = guarded(turn, lambda: routes.due_failed(turn, row.kind, row.subject_id))
    if error is not None:
        log.error("failed_due_not_listed", task=row.id, error=error)


def _look(turn: Turn, task: Task) -> None:
    try:
        routes.TASKS[task.kind].due(turn, task)
    except (Refused, NotAllowed) as refusal:
        raise RuntimeError("nobody is there to read why not") from refusal  # kept as a failure, tried again, listed
    task.failures, task.error = 0, None


def _talk(connection: Connection, inbound: Inbound, now: datetime) -> Talk:
    return contacts.hear(connection, inbound.openid, now, is_there=inbound.event not in NOT_THE_PERSON)


def _run(
    connection: Connection,
    inbox_id: int,
    talk: Talk,
    message: Message,
    now: datetime,
    policy: Policy,
    *,
    attempts: int,
    passive: bool = True,
) -> Reply:
    """Run the handler so that it can be undone, then keep what it said and where the talk stands."""
    if not attempts:
        _opened_window(talk, message, message.arrived_at or now)
    if message.event not in NOT_THE_PERSON:
        talk.heard_at = now
    before = copy(talk)
    waiting: list[Any] = []
    if passive and policy.only_answers and message.event not in NOT_THE_PERSON:
        waiting = unsaid.waiting_for(connection, talk.contact_id, now)
    if waiting and message.arrived_at is not None:
        message = replace(message, arrived_at=unsaid.seen_since(waiting, message.arrived_at))
    turn = Turn(connection, now, policy, talk, message, inbox_id)
    reads_on = bool(waiting) and routes.asks_for_more(message)
    waiting = unsaid.ready(waiting, now, reads_on=reads_on)
    error = None if reads_on and waiting else guarded(turn, lambda: routes.handle(turn, message))
    if error is not None:
        turn.talk = talk = before
        turn.said = [render("common/kept")] if not attempts and routes.is_from_a_person(message) else []
        _keep_failed(turn, inbox_id, attempts + 1, error)
    if not (passive or turn.holds_receipt) and inbox.many_waiting(connection, talk.contact_id, WINDOW_MESSAGES):
        turn.said = []  # more of this person's wait than the platform lets us answer: the last of them are answered
    reply = _keep_words(turn, inbox_id, passive=passive, waiting=waiting)
    contacts.keep(connection, turn.talk or talk)  # what a refused turn did to it is undone
    metrics.turns.labels("message").inc()
    faults.reach("turn_before_commit")
    return reply


def guarded(turn: Turn, act: Callable[[], None]) -> str | None:
    """Run a handler; a refusal is said, anything else is undone and described by kind and place (never its text)."""
    mark(turn.connection, "handler")
    before = copy(turn.talk)
    try:
        act()
        turn.settle()
    except (Refused, NotAllowed) as refusal:
        turn.abandon()
        undo(turn.connection, "handler")
        turn.talk = before
        name, values = (refusal.name, refusal.values) if isinstance(refusal, Refused) else ("common/not_now", {})
        turn.said = [render(name, **values)]
    except Exception as error:
        turn.abandon()
        if isinstance(error, DBAPIError) and worth_again(error):
            raise  # the engine runs the whole turn again
        undo(turn.connection, "handler")
        return place(error)
    release(turn.connection, "handler")
    return None


def _keep_failed(turn: Turn, inbox_id: int, attempts: int, error: str) -> None:
    """The raw message stays, is tried again later, and is on the duty list at once; after the last try it is parked."""
    waits = turn.policy.retry_minutes
    parked = attempts > len(waits)
    metrics.turns_failed.inc()
    log.error("turn_failed", inbox=inbox_id, attempts=attempts, parked=parked, error=error)
    inbox.settle(
        turn.connection, inbox_id, InboxState.PARKED if parked else InboxState.FAILED, attempts=attempts,
        next_at=None if parked else turn.now + timedelta(minutes=waits[attempts - 1]), error=error,
    )  # fmt: skip
    if attempts == 1 or parked:
        again = guarded(turn, lambda: routes.unread_message(turn, inbox_id, parked=parked))
        if again is not None:  # the row itself is the last line of defence: `tongban check` lists it
            log.error("failed_message_not_listed", inbox=inbox_id, error=again)
    faults.reach("failed_turn_kept")


def _keep_words(turn: Turn, inbox_id: int, *, passive: bool, waiting: Sequence[Any] = ()) -> Reply:
    """The first piece is the passive reply; what the platform's limits cut off follows by the outbox or waits there."""
    if not (turn.said or waiting) or turn.talk is None:
        return Reply(queued=True)
    before, erase_at = unsaid.take(turn.connection, waiting)
    if erase_at is None and turn.holds_receipt:
        erase_at = turn.now + RECEIPT_KEPT
    if turn.policy.only_answers:
        pieces, later = unsaid.pieces(turn.said, before), turn.now + unsaid.LISTED_AFTER
    else:
        pieces, later = cut("\n\n".join(turn.said)), turn.now
    if not pieces:
        return Reply(queued=True)
    content: dict[str, Any] = {"text": pieces[0]}
    if turn.asks and len(pieces) == 1 and not before:
        content |= _question(turn, turn.asks)
    outbox.add(
        turn.connection, contact_id=turn.talk.contact_id, inbox_id=inbox_id if passive else None, kind=OutboxKind.REPLY,
        state=OutboxState.PASSIVE if passive else OutboxState.QUEUED, content=content, now=turn.now,
        next_at=turn.now + PASSIVE_PATIENCE if passive else later, erase_at=erase_at,
    )  # fmt: skip
    for piece in pieces[1:]:
        outbox.add(
            turn.connection, contact_id=turn.talk.contact_id, kind=OutboxKind.REPLY, state=OutboxState.QUEUED,
            content={"text": piece, "rest": True}, now=turn.now, next_at=later, erase_at=erase_at,
        )  # fmt: skip
    recordings.follow(turn)
    return Reply(pieces[0], inbox_id if passive else None, turn.now, queued=True)


def _question(turn: Turn, asks: tuple[str, bool]) -> dict[str, Any]:
    """Which question a reply puts, so that a late copy does not put it to somebody who has answered it.

    Whoever answered by an option has read everything. Any words answer a free question, even the same ones sent again
    because the account seemed out of order, so what was said beside it may still be unread.
    """
    question, is_free = asks
    return {"asks": question} | ({"beside": "\n\n".join(turn.said[:-1])} if is_free and turn.said[1:] else {})


def _stored(connection: Connection, inbox_id: int) -> Reply:
    row = outbox.stored_reply(connection, inbox_id)
    if row is None or row.content is None or row.state not in {OutboxState.PASSIVE, OutboxState.HANDED}:
        return Reply()
    return Reply(row.content["text"], inbox_id, row.created_at)


def _opened_window(talk: Talk, message: Message, at: datetime) -> None:
    """What the platform lets us send since then; a tap on a menu item may count as a click, so only that is assumed."""
    if message.event in _SHORT_EVENTS or message.menu_id:
        if talk.short_until is None or talk.short_until < at + SHORT_WINDOW:
            talk.short_until, talk.short_left = at + SHORT_WINDOW, SHORT_MESSAGES
    elif message.kind != "event" and (talk.window_until is None or talk.window_until < at + WINDOW):
        talk.window_until, talk.window_left = at + WINDOW, WINDOW_MESSAGES
