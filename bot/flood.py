"""Whoever sends more than a person can type is kept raw and worked on slowly, in order; everybody else notices nothing.

Over the rate only the turn waits: the message is durable before it is answered, like every other. Danger goes first,
so words that the rules take for danger have a rate of their own. What is remembered of a sender lives in this process:
a restart forgives, and what is kept already keeps its time.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog

from bot import metrics, turns
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.inbound import Inbound
from bot.turns import Reply
from handlers.people import NOT_THE_PERSON
from handlers.policy import Policy
from handlers.understanding import understand
from messages import render

log = structlog.get_logger()

MINUTE = 60.0
SETTLED = 5.0
"""Seconds after the last slow turn was due in which what comes next still waits behind it."""
APART = 0.1
"""Seconds at least between two slow turns of one sender: what comes next is due later, however the clocks are read."""
AT_ONCE = 16
"""Messages of one sender that are being kept at a time, so that they never fill the database's queue."""
_LEFT = "unsubscribe"


@dataclass(slots=True)
class _Sender:
    """What is remembered of somebody; moments of the monotonic clock."""

    paid_until: float = 0.0
    """Each message moves it on by its share of a minute; more than a minute ahead is over the rate."""
    danger_paid_until: float = 0.0
    free_at: float = 0.0
    """When the last slow turn is due."""
    told: str | None = None
    """The message that was answered with the one sentence."""
    keeping: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class Flood:
    """The rate of every sender."""

    def __init__(self, database: Database, clock: Clock, policy: Policy) -> None:
        self._database, self._clock, self._policy = database, clock, policy
        self._share = MINUTE / policy.messages_per_minute if policy.messages_per_minute else 0.0
        self._senders: dict[str, _Sender] = {}
        self._swept = monotonic()

    def wait(self, inbound: Inbound) -> datetime | None:
        """Until when the turn of this message has to wait; None: not at all."""
        if not self._share or (inbound.event in NOT_THE_PERSON and inbound.event != _LEFT):
            return None  # what became of a card is the platform's to tell, however many there are
        now = monotonic()
        sender = self._sender(inbound.openid, now)
        behind = sender.free_at + SETTLED > now
        if inbound.event == _LEFT:  # leaving ends what is kept of them, so it comes after it
            over = 0.0
        else:
            sender.paid_until = max(sender.paid_until, now) + self._share
            over = sender.paid_until - MINUTE - now
            if over <= 0 and not behind:
                sender.told = None
                return None
            if self._may_pass(inbound, sender, now):
                return None
        if inbound.event == _LEFT and not behind:
            return None
        sender.free_at = max(now + over, sender.free_at + APART)
        return self._clock.now() + timedelta(seconds=sender.free_at - now)

    def _may_pass(self, inbound: Inbound, sender: _Sender, now: float) -> bool:
        """Danger never waits behind the rest, unless there is a flood of that too."""
        if inbound.text is None or inbound.kind != "text":
            return False
        if not self._policy.numbers.is_emergency(inbound.text) and understand(inbound.text).urgency != _DANGER:
            return False
        sender.danger_paid_until = max(sender.danger_paid_until, now) + self._share
        return sender.danger_paid_until - MINUTE <= now

    async def keep(self, inbound: Inbound, until: datetime, arrived_at: datetime, patience: float) -> Reply | None:
        """Keep a message whose turn waits until then; None when it is not durable within `patience` seconds.

        The first one is answered with one sentence, also when it is delivered again; the others with nothing.
        """
        metrics.slowed.inc()
        sender = self._sender(inbound.openid, monotonic())
        if sender.told is None:
            sender.told = inbound.identity
            log.warning("flood")
        wait = max(until - arrived_at, turns.AT_ONCE)
        keep = partial(turns.keep_raw, inbound=inbound, arrived_at=arrived_at, now=arrived_at, patience=wait)
        try:
            async with asyncio.timeout(patience), sender.keeping:
                reply: Reply = await self._database.run(keep, Lane.RAW, turns.person_key(inbound.openid))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was kept, and the platform delivers again
            log.error("not_durable", error=type(error).__name__)  # noqa: TRY400 - the traceback tells nothing more
            return None
        if sender.told == inbound.identity and reply.text is None and inbound.kind != "event":
            return Reply(render("common/slowly"), said_at=arrived_at, queued=True)
        return Reply(reply.text, reply.inbox_id, reply.said_at, queued=True)

    def _sender(self, openid: str, now: float) -> _Sender:
        if now - self._swept > MINUTE:
            self._swept = now
            self._senders = {
                name: one for name, one in self._senders.items() if max(one.paid_until, one.free_at + SETTLED) > now
            }
        found = self._senders.get(openid)
        if found is None:
            found = self._senders[openid] = _Sender()
        return found


_DANGER = "immediate_danger"
