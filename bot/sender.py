"""Outbox → platform: claim with a lease, send outside any transaction, record the outcome in a short one."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any
from weakref import WeakValueDictionary

import structlog

from bot import faults, metrics, outcomes, planning
from bot.account import Right
from bot.channels import BY_TELEPHONE, Channel, Offer
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.errcodes import Reaction
from bot.gateway import Gateway, Words
from bot.logs import place
from bot.outcomes import Outcome
from bot.planning import Plan
from bot.settings import Purpose, Template
from bot.template_fields import filled
from bot.together import Together
from bot.under_way import UnderWay
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from handlers.workdays import CHINA
from messages import render
from storage import optins, outbox
from storage.outbox import OutboxKind, OutboxState

log = structlog.get_logger()

CALL_LIMIT = 40.0
"""Seconds that one call may take with everything it needs (a token, a refresh)."""
PLAN_GOOD_FOR = outbox.LEASE.total_seconds() - CALL_LIMIT
"""Seconds after which a plan is made anew instead of used: its lease could end during the call."""
TEXTS = {Channel.SMS: "telephone/sms", Channel.CALL: "telephone/call"}
_OF_TEMPLATE = frozenset({40036, 40037})
"""Codes that mean one template, not the account."""
TOLD = ("what", "number", "count")
"""Of a card's values what anybody may read."""
ALARM_PATIENCE = 2.0
"""Seconds that an alarm lets another call to the same person come to its end, to learn from it."""


class Sender:
    """Delivers what the turns left."""

    def __init__(
        self,
        database: Database,
        wechat: WeChat,
        clock: Clock,
        offer: Offer,
        templates: Mapping[Channel, Mapping[Purpose, Template]],
        origin: str,
        *,
        gateway: Gateway | None = None,
        per_second: int = 50,
    ) -> None:
        self._database, self._wechat, self._clock, self._offer = database, wechat, clock, offer
        self._templates, self._origin, self._gateway = templates, origin.rstrip("/"), gateway
        self._gap, self._free_at = 1 / per_second, 0.0
        self._talking: WeakValueDictionary[tuple[int, bool], asyncio.Lock] = WeakValueDictionary()
        self._held: dict[tuple[Channel, str | None], datetime] = {}
        self._under_way, self._together = UnderWay(), Together(database, Lane.ALARM)
        self._refused_at: dict[int, float] = {}
        """Contact → loop time at which a channel to them turned out to be shut: plans from before are void."""

    async def drain(self) -> int:
        """Send what is due, but for alarms; how many messages were claimed."""
        return await self._drain(alarms=False)

    async def drain_alarms(self) -> int:
        """Send the alarms, which wait for nothing that `drain` does; how many were claimed."""
        return await self._drain(alarms=True)

    def stop(self) -> None:
        """Claim nothing more; what is leased and not begun goes back at once, what is under way ends soon."""
        self._under_way.stop()

    async def _drain(self, *, alarms: bool) -> int:
        done = 0
        while not self._under_way.stopping and (plans := await self._plans(alarms=alarms)) is not None:
            faults.reach("send_claimed")
            done += len(plans)
            people = groupby(sorted(plans, key=_line), key=_line)
            results = await asyncio.gather(
                *(self._to_person(list(mine)) for _, mine in people), return_exceptions=True
            )  # every call of the round has ended when it is said to be over
            for result in results:
                if isinstance(result, BaseException):
                    raise result
        return done

    async def _plans(self, *, alarms: bool) -> list[Plan] | None:
        made = _now()
        self._refused_at = {who: at for who, at in self._refused_at.items() if made - at < PLAN_GOOD_FOR}
        now = self._clock.now()
        self._held = {what: until for what, until in self._held.items() if now < until <= now + planning.HELD_FOR}
        offer = replace(self._offer, held=frozenset(self._held))
        work = partial(planning.make, now=now, offer=offer, alarms=alarms, made=made)
        return await self._database.run(work, Lane.ALARM)

    async def _to_person(self, plans: Iterable[Plan]) -> None:
        for plan in plans:
            async with self._alone_with(plan):
                if not (self._is_void(plan) or self._under_way.stopping):
                    await self._send(plan)
                else:
                    await self._run(planning.put_back, plan)

    @asynccontextmanager
    async def _alone_with(self, plan: Plan) -> AsyncIterator[None]:
        """One call to a person at a time, since each may change how to reach them; an alarm waits only briefly."""
        lock = self._talking.setdefault(_line(plan), asyncio.Lock())
        try:
            async with asyncio.timeout(ALARM_PATIENCE if plan.kind == OutboxKind.ALARM else None):
                await lock.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def _is_void(self, plan: Plan) -> bool:
        refused_at = self._refused_at.get(plan.contact_id, plan.made)
        return refused_at > plan.made or _now() - plan.made > PLAN_GOOD_FOR

    async def _send(self, plan: Plan) -> None:
        if plan.kind in outbox.SAID_ONCE and plan.channel is not None:
            await self._run(planning.begin, plan)
        if plan.kind != OutboxKind.ALARM:
            await self._keep_pace()
            if self._under_way.stopping:
                await self._run(planning.put_back, plan)
                return
        if plan.content.get("asks") and await self._was_answered(plan):
            await self._run(planning.put_back, plan)
            return
        faults.reach("send_before_request")
        outcome = await self._try(plan)
        metrics.sends.labels(plan.channel or "none", outcome.state).inc()
        faults.reach("send_after_request_before_record")
        await self._run(outcomes.record, plan, outcome=outcome, offer=self._offer)
        if outcome.reaction in {Reaction.OTHER_CHANNEL, Reaction.CONTACT_GONE} and plan.channel not in BY_TELEPHONE:
            self._refused_at[plan.contact_id] = _now()
        if outcome.reaction in {Reaction.CONFIG, Reaction.REFRESH} and plan.channel is not None:
            self._hold(plan, plan.channel, outcome.code)
        faults.reach("send_recorded")

    async def _was_answered(self, plan: Plan) -> bool:
        """Whether the question that it puts was answered since it was planned: then it is planned anew."""
        look = partial(planning.was_answered, contact_id=plan.contact_id, question=plan.content["asks"])
        return await self._database.read(partial(look, now=self._clock.now()))

    def _hold(self, plan: Plan, channel: Channel, code: int | None) -> None:
        """An operator must act: meanwhile one try a minute is enough, whoever the words are for."""
        card = plan.content.get("card")
        what = channel, card["purpose"] if card and code in _OF_TEMPLATE else None
        if what not in self._held:
            log.error("sending_held", channel=channel, errcode=code)
        self._held[what] = self._clock.now() + planning.HELD_FOR

    async def _keep_pace(self) -> None:
        """No more calls in a second than the county set: the platform is not to refuse for haste."""
        at = max(_now(), self._free_at)
        self._free_at = at + self._gap
        await self._under_way.pause(at - _now())

    async def _try(self, plan: Plan) -> Outcome:
        if plan.channel is None:
            return Outcome(OutboxState.UNDELIVERABLE)
        try:
            async with self._under_way.limited(CALL_LIMIT):
                return Outcome(OutboxState.ACCEPTED, job_id=await self._call(plan))
        except (OutcomeUnknown, TimeoutError):
            return Outcome(OutboxState.UNKNOWN)
        except WeChatRefused as refusal:
            return Outcome(OutboxState.REFUSED, refusal.code, refusal.reaction)
        except Exception as error:  # noqa: BLE001 - a row that cannot be sent at all must not be claimed for ever
            log.error("send_failed", outbox=plan.id, error=place(error))  # noqa: TRY400 - a traceback may hold content
            return Outcome(OutboxState.REFUSED, None, Reaction.BUG)

    async def _call(self, plan: Plan) -> str | None:
        card: dict[str, Any] | None = plan.content.get("card")
        if plan.channel in BY_TELEPHONE and card is not None:
            return await self._by_telephone(plan, card)
        if kind := plan.content.get("media"):
            await self._wechat.send_media(plan.to, kind, plan.content["media_id"])
            return None
        if plan.channel == Channel.CUSTOM or card is None:
            await self._wechat.send_text(plan.to, self._with_link(plan.content["text"], card))
            return None
        template = self._templates[plan.channel or Channel.TEMPLATE][card["purpose"]]
        today = self._clock.now().astimezone(CHINA)
        data = filled(template.fields, card["values"], today)
        url = self._origin + card["path"] if card.get("path") else None
        if plan.channel == Channel.SUBSCRIPTION:
            await self._wechat.send_notice(plan.to, template.template_id, data, url)
            return optins.job_of(plan.contact_id, template.template_id)
        return await self._wechat.send_template(
            plan.to, template.template_id, data, url, client_msg_id=f"tongban-{plan.id}"
        )

    async def _by_telephone(self, plan: Plan, card: dict[str, Any]) -> str:
        """Neutral words in the county's own form; the id under which the gateway tells what became of them."""
        assert self._gateway is not None  # noqa: S101 - a channel by telephone is only offered where there is one
        channel, keys = Channel(plan.channel or ""), plan.content.get("keys", "")
        values = {name: card["values"].get(name, "") for name in TOLD}
        number = f"tongban-{plan.id}-{channel}"
        text = render(TEXTS[channel], what=values["what"], number=values["number"], keys=keys)
        await self._gateway.ask(channel, Words(number, plan.to, card["purpose"], text, keys, values))
        return number

    def _with_link(self, text: str, card: dict[str, Any] | None) -> str:
        if not card or not card.get("path") or not self._wechat.may(Right.OAUTH):
            return text
        return f"{text}\n{render('common/link', url=self._origin + card['path'])}"

    async def _run(self, work: Any, plan: Plan, **values: Any) -> None:  # noqa: ANN401 - what the work takes
        await self._together.run(partial(work, plan=plan, now=self._clock.now(), **values))


def _line(plan: Plan) -> tuple[int, bool]:
    """What is said one after the other: WeChat's to a person, and apart from it what goes by telephone."""
    return plan.contact_id, plan.channel in BY_TELEPHONE


def _now() -> float:
    return asyncio.get_running_loop().time()
