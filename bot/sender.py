"""Outbox → platform: claim with a lease, send outside any transaction, record the outcome in a short one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import Connection

from bot import faults, metrics
from bot.channels import Channel, choose, spend
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.errcodes import Reaction
from bot.settings import Purpose, Template
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from handlers import routes
from handlers.policy import Policy
from handlers.turn import Turn
from storage import contacts, outbox
from storage.database import is_sqlite
from storage.outbox import OutboxKind, OutboxState

log = structlog.get_logger()

BATCH = 50
AT_ONCE = 20
"""People written to at the same time."""
MOST_TRIES = 6
BACK_OFF = timedelta(seconds=20)
"""Doubled with every try."""
SETTLED_WITHOUT_ANSWER = frozenset({OutboxKind.DIGEST, OutboxKind.REPLY, OutboxKind.NOTICE})
"""Kinds that are not sent again when their outcome cannot be known (design 3, Sending)."""


@dataclass(frozen=True)
class Plan:
    """One message with the channel that was chosen for it."""

    id: int
    contact_id: int
    openid: str
    kind: str
    channel: Channel
    content: dict[str, Any]
    attempts: int


class Sender:
    """Delivers what the turns left."""

    def __init__(
        self,
        database: Database,
        wechat: WeChat,
        clock: Clock,
        policy: Policy,
        templates: Mapping[Purpose, Template],
        origin: str,
    ) -> None:
        self._database, self._wechat, self._clock, self._policy = database, wechat, clock, policy
        self._templates, self._origin = templates, origin.rstrip("/")
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def drain(self) -> int:
        """Send what is due; how many messages were claimed."""
        done = 0
        while True:
            now = self._clock.now()
            plans = await self._database.run(
                partial(_plan, now=now, policy=self._policy, purposes=frozenset(self._templates)), Lane.ALARM
            )
            if plans is None:
                return done
            done += len(plans)
            faults.reach("send_claimed")
            people = groupby(sorted(plans, key=lambda plan: plan.contact_id), key=lambda plan: plan.contact_id)
            await asyncio.gather(*(self._to_person(list(mine)) for _, mine in people))

    async def _to_person(self, plans: Sequence[Plan]) -> None:
        async with self._slots:
            for plan in plans:
                await self._send(plan)

    async def _send(self, plan: Plan) -> None:
        faults.reach("send_before_request")
        state, code, job_id, reaction = OutboxState.ACCEPTED, None, None, None
        try:
            job_id = await self._call(plan)
        except OutcomeUnknown:
            state = OutboxState.UNKNOWN
        except WeChatRefused as refusal:
            state, code, reaction = OutboxState.REFUSED, refusal.code, refusal.reaction
        metrics.sends.labels(plan.channel, state).inc()
        faults.reach("send_after_request_before_record")
        outcome = partial(
            _record, plan=plan, state=state, code=code, job_id=job_id, reaction=reaction, now=self._clock.now(),
            policy=self._policy,
        )  # fmt: skip
        await self._database.run(outcome, Lane.ALARM)
        faults.reach("send_recorded")

    async def _call(self, plan: Plan) -> str | None:
        card: dict[str, Any] | None = plan.content.get("card")
        if plan.channel == Channel.CUSTOM or card is None:
            await self._wechat.send_text(plan.openid, self._with_link(plan.content["text"], card))
            return None
        template = self._templates[card["purpose"]]
        data = {key: card["values"].get(value, "") for key, value in template.fields.items()}
        url = self._origin + card["path"] if card.get("path") else None
        return await self._wechat.send_template(
            plan.openid, template.template_id, data, url, client_msg_id=f"tongban-{plan.id}"
        )

    def _with_link(self, text: str, card: dict[str, Any] | None) -> str:
        if not card or not card.get("path"):
            return text
        return f"{text}\n{self._origin}{card['path']}"


def _plan(connection: Connection, now: datetime, policy: Policy, purposes: frozenset[str]) -> list[Plan] | None:
    """Lease what is due and choose a channel for each; None when nothing was due."""
    rows = outbox.claim(connection, now, BATCH)
    if not rows:
        return None
    plans = []
    for row in rows:
        talk = contacts.talk_with(connection, row.contact_id, now, lock=not is_sqlite(connection))
        if talk is None or row.content is None:
            _undelivered(connection, row, now, policy)
            continue
        interrupted = row.state == OutboxState.SENDING
        if interrupted and not _again(row.kind, row.attempts):
            outbox.settle(connection, row.id, OutboxState.UNKNOWN, now=now)
            continue
        waiting = _waits(talk, row.kind, now, policy)
        if waiting is not None:
            outbox.settle(connection, row.id, OutboxState.QUEUED, now=now, next_at=waiting)
            continue
        channel = choose(talk, row.content, now, purposes)
        if channel is None:
            _undelivered(connection, row, now, policy)
            continue
        spend(connection, talk, row.kind, channel, now)
        plans.append(Plan(row.id, row.contact_id, talk.openid, row.kind, channel, row.content, row.attempts))
    return plans


def _again(kind: str, attempts: int) -> bool:
    """Whether a message whose outcome cannot be known is sent again: an alarm always, a prompt once more."""
    return kind == OutboxKind.ALARM or (kind == OutboxKind.PROMPT and attempts <= 1)


def _waits(talk: contacts.Talk, kind: str, now: datetime, policy: Policy) -> datetime | None:
    """A prompt that falls due during a running flow waits for it, at most half an hour; an alarm never waits."""
    if kind != OutboxKind.PROMPT or not talk.flow or talk.asked_at is None:
        return None
    until = talk.asked_at + timedelta(minutes=policy.flow_wait_minutes)
    return until if until > now else None


def _record(
    connection: Connection,
    plan: Plan,
    state: OutboxState,
    code: int | None,
    job_id: str | None,
    reaction: Reaction | None,
    now: datetime,
    policy: Policy,
) -> None:
    """The outcome of one try, and what follows from it."""
    settle = partial(outbox.settle, connection, plan.id, now=now, channel=plan.channel, code=code)
    if state == OutboxState.ACCEPTED:
        settle(OutboxState.ACCEPTED, job_id=job_id)
    elif state == OutboxState.UNKNOWN:
        if _again(plan.kind, plan.attempts):
            settle(OutboxState.QUEUED, next_at=now + BACK_OFF)
        else:
            settle(OutboxState.UNKNOWN)
    elif reaction in {Reaction.RETRY_LATER, Reaction.CONFIG} and plan.attempts < MOST_TRIES:
        settle(OutboxState.QUEUED, next_at=now + BACK_OFF * 2**plan.attempts)
    elif reaction == Reaction.OTHER_CHANNEL and plan.channel == Channel.CUSTOM:
        contacts.shut_windows(connection, plan.contact_id)  # the platform knows better than our count
        settle(OutboxState.QUEUED, next_at=now)
    else:
        settle(OutboxState.REFUSED)
        if reaction in {Reaction.CONTACT_GONE, Reaction.OTHER_CHANNEL}:
            contacts.unreachable(connection, plan.contact_id, now)
        _follow_up(connection, plan, now, policy)


def _undelivered(connection: Connection, row: Any, now: datetime, policy: Policy) -> None:  # noqa: ANN401 - a row
    """No channel reaches this contact now: the row says so, and whoever counted on it is told."""
    outbox.settle(connection, row.id, OutboxState.UNDELIVERABLE, now=now)
    _follow_up(connection, row, now, policy)


def _follow_up(connection: Connection, row: Any, now: datetime, policy: Policy) -> None:  # noqa: ANN401 - a row or a plan
    """Words that did not arrive are somebody's matter: alarms climb at once, the rest is listed."""
    turn = Turn(connection, now, policy)
    routes.undelivered(turn, row.contact_id, row.kind)
    turn.settle()
