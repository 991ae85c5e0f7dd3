"""`GET/POST /wechat`: verify, decrypt, hand the message to a database thread, answer once it is durable.

The platform waits five seconds. After `TURN_PATIENCE` only the raw message is kept and `success` answered; if even that
is not durable after `LAST_MOMENT`, the connection is closed without an answer and the platform delivers again. An
account that may only answer has no other way to say what is late, so it lets the platform deliver again
(docs/decisions/0014).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn

import structlog
from aiohttp import web
from aiohttp.web import Request, Response, StreamResponse

from bot import faults, metrics, turns
from bot.clock import Clock
from bot.codec import Codec, Inbound, Rejected
from bot.engine import Database, Lane
from bot.flood import Flood
from bot.turns import Reply
from handlers import routes
from handlers.policy import Policy
from storage import outbox

log = structlog.get_logger()

BODY_LIMIT = 64 * 1024
"""Bytes; the platform's pushes are far below it."""
TURN_PATIENCE, LAST_MOMENT = 3.5, 4.5
"""Seconds after arrival; the platform hangs up after five."""
DELIVERIES_APART = 0.95
"""How much of `LAST_MOMENT` at least lies between two deliveries of a message that was left unanswered."""
DELIVERIES = 3
REMEMBERED = timedelta(seconds=60)
"""Longer than the platform delivers one message."""
SUCCESS = "success"
MARK_AGAIN = 0.2
"""Seconds until written replies that could not be marked are marked again: before the outbox says them once more."""
_ABOUT_THE_ACCOUNT = frozenset({
    "annual_renew", "verify_expired", "qualification_verify_success", "qualification_verify_fail",
    "naming_verify_success", "naming_verify_fail",
})  # fmt: skip
"""Told to the operator: with its verification the account loses the right to most calls."""
_NOTHING_TO_DO = frozenset({
    "location", "view", "view_miniprogram",
    "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select",  # the message itself follows
    "scancode_push", "scancode_waitmsg",  # no menu of ours has such keys
    "masssendjobfinish", "publishjobfinish",
    "kf_create_session", "kf_close_session", "kf_switch_session",
    "user_info_modified",  # of a profile we keep nothing
})  # fmt: skip
"""Events that are acknowledged and not kept: no row, no turn, however many come."""


class Webhook:
    """The platform's door."""

    def __init__(
        self,
        codec: Codec,
        database: Database,
        clock: Clock,
        policy: Policy,
        wake: Callable[[], None],
        *,
        patience: tuple[float, float] = (TURN_PATIENCE, LAST_MOMENT),
    ) -> None:
        self._turn_patience, self._last_moment = patience
        self._codec, self._database, self._clock, self._policy, self._wake = codec, database, clock, policy, wake
        self._flood = Flood(database, clock, policy)
        self._unanswered: dict[str, tuple[int, datetime]] = {}
        self._running: dict[str, Awaitable[Reply]] = {}
        self._left: dict[str, tuple[datetime, bool]] = {}
        """Message that was left unanswered → when it first came, and whether it is kept."""
        self._handed: list[int] = []
        self._marking: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [web.get("/wechat", self.verify), web.post("/wechat", self.receive)]

    async def verify(self, request: Request) -> Response:
        """The platform checks the address when it is entered in its console."""
        echo = self._codec.verify(request.query)
        if echo is None:
            return Response(status=403, text="bad signature")
        return Response(text=echo)

    async def receive(self, request: Request) -> StreamResponse:
        """One push."""
        arrived = asyncio.get_running_loop().time()
        arrived_at = self._clock.now()
        inbound = await self._opened(request)
        if inbound is None:
            log.warning("push_cut_short")
            _hang_up(request)
        if isinstance(inbound, Rejected):
            metrics.rejected.labels(inbound.reason).inc()
            log.warning("push_rejected", reason=inbound.reason)
            return Response(status=inbound.status, text=inbound.reason)
        metrics.received.inc()
        metrics.push_age.reset()
        faults.reach("push_received")
        if inbound.event in _ABOUT_THE_ACCOUNT:
            log.warning("account_event", kind=inbound.event)
        if inbound.event is not None and inbound.event not in routes.EVENTS:
            return _acknowledged(inbound.event)
        until = None if inbound.identity in self._running else self._flood.wait(inbound)
        if until is not None:
            kept = await self._flood.keep(inbound, until, arrived_at, self._last_moment)
            if kept is None:
                self._leave(inbound.identity, arrived_at, is_kept=False)
                _hang_up(request)
            return await self._answer(request, inbound, kept, arrived)
        with self._seen_since(inbound.openid, arrived_at) as seen_at:
            turn = self._turn(inbound, arrived_at, seen_at)
            first_at, was_kept = self._left.get(inbound.identity, (arrived_at, False))
            reply = await self._in_time(turn, inbound, arrived, first_at)
            if reply is None and was_kept:
                reply = Reply(waits_since=first_at)
            if reply is None or self._comes_again(reply, arrived_at):
                self._leave(inbound.identity, first_at, is_kept=reply is not None)
                _hang_up(request)
        self._left.pop(inbound.identity, None)
        if reply.waits_since is not None:
            metrics.late.inc()
        faults.reach("turn_after_commit_before_answer")
        return await self._answer(request, inbound, reply, arrived)

    async def _opened(self, request: Request) -> Inbound | Rejected | None:
        """The message; None when not all of the body came, which the platform delivers again."""
        try:
            if request.content.is_eof():  # all of it came with the head, as nearly always
                body = await request.read()
            else:
                async with asyncio.timeout(self._last_moment):
                    body = await request.read()
        except web.RequestPayloadError:  # not coded as its header says
            request.content.feed_eof()  # else aiohttp reads the rest, to throw it away, and meets the same error
            return Rejected("body")
        except (ConnectionError, TimeoutError):
            return None
        return self._codec.open_push(request.query, body)

    @contextmanager
    def _seen_since(self, openid: str, arrived_at: datetime) -> Iterator[datetime]:
        """Since when nothing we say is on this person's screen: when their oldest unanswered message arrived."""
        count, first = self._unanswered.get(openid, (0, arrived_at))
        self._unanswered[openid] = (count + 1, first)
        try:
            yield first
        finally:
            count, first = self._unanswered[openid]
            if count > 1:
                self._unanswered[openid] = (count - 1, first)
            else:
                del self._unanswered[openid]

    def _turn(self, inbound: Inbound, arrived_at: datetime, seen_at: datetime) -> "asyncio.Future[Reply]":
        """The turn of this message; a repeat that arrives meanwhile waits for the one that is running."""
        running = self._running.get(inbound.identity)
        if running is None:
            work = partial(turns.take, inbound=inbound, arrived_at=seen_at, now=arrived_at, policy=self._policy)
            running = asyncio.ensure_future(self._database.run(work, Lane.CHAT, turns.person_key(inbound.openid)))
            self._running[inbound.identity] = running
            running.add_done_callback(lambda _done: self._running.pop(inbound.identity, None))
        return running  # type: ignore[return-value]  # what was put in above

    def _comes_again(self, reply: Reply, arrived_at: datetime) -> bool:
        """Whether the next delivery of a message whose turn is late may carry its reply, and there will be one."""
        if not self._policy.only_answers or reply.waits_since is None:
            return False
        last_after = (DELIVERIES - 1) * DELIVERIES_APART * self._last_moment
        return arrived_at - reply.waits_since < timedelta(seconds=last_after)

    def _leave(self, identity: str, first_at: datetime, *, is_kept: bool) -> None:
        """Note that a delivery is left unanswered."""
        self._left[identity] = first_at, is_kept
        while first_at - next(iter(self._left.values()))[0] > REMEMBERED:
            del self._left[next(iter(self._left))]
        metrics.unanswered.inc()
        if is_kept:
            log.warning("left_for_next_delivery")
        else:
            log.error("closed_without_answer")

    async def _in_time(
        self, turn: "asyncio.Future[Reply]", inbound: Inbound, arrived: float, first_at: datetime
    ) -> Reply | None:
        """The turn's reply, what is to be said once the raw message is durable, or None when nothing is."""
        loop = asyncio.get_running_loop()
        await asyncio.wait([turn], timeout=arrived + self._turn_patience - loop.time())
        if _succeeded(turn):
            return turn.result()
        at_once = turn.done() and not self._policy.only_answers  # else the next delivery is to run it
        patience = turns.AT_ONCE if at_once else turns.RAW_PATIENCE
        now = self._clock.now()
        keep = partial(turns.keep_raw, inbound=inbound, arrived_at=first_at, now=now, patience=patience)
        raw = asyncio.ensure_future(self._database.run(keep, Lane.RAW, turns.person_key(inbound.openid)))
        last = arrived + self._last_moment
        waiting: set[asyncio.Future[Any]] = {one for one in (turn, raw) if not one.done()}
        kept: Reply | None = None
        while waiting and loop.time() < last:
            _, waiting = await asyncio.wait(waiting, timeout=last - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            if _succeeded(turn):
                return turn.result()
            if kept is None and _succeeded(raw):
                kept = raw.result()
                faults.reach("raw_kept")
                if not self._policy.only_answers or kept.waits_since is None:
                    return kept
        if kept is not None:
            await asyncio.sleep(last - loop.time())  # a turn that failed may do better at the next delivery
        return kept

    async def _answer(self, request: Request, inbound: Inbound, reply: Reply, arrived: float) -> StreamResponse:
        text = SUCCESS
        if reply.text is not None and reply.said_at is not None:
            text = self._codec.reply(inbound, reply.text, int(reply.said_at.timestamp()))
        response = Response(text=text, content_type="text/plain" if text == SUCCESS else "application/xml")
        await response.prepare(request)
        await response.write_eof()
        metrics.answer_seconds.observe(asyncio.get_running_loop().time() - arrived)
        faults.reach("answer_written_before_handed")
        if reply.inbox_id is not None:
            self._mark_handed(reply.inbox_id)
        if reply.queued:
            self._wake()
        return response

    def _mark_handed(self, inbox_id: int) -> None:
        """Note what was written; one statement for all that were written while the last one ran."""
        self._handed.append(inbox_id)
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark())

    async def _mark(self) -> None:
        told = False
        while self._handed:
            ids, self._handed = self._handed, []
            try:
                await self._database.run(partial(outbox.mark_handed, inbox_ids=ids, now=self._clock.now()), Lane.CHAT)
                told = False
                faults.reach("handed_marked")
            except Exception as error:  # noqa: BLE001 - an unmarked reply is sent once more, never lost
                if not told:
                    log.warning("handed_not_marked", count=len(ids), error=type(error).__name__)
                told, self._handed = True, ids + self._handed
                if self._closing.is_set():
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), MARK_AGAIN)

    async def close(self) -> None:
        """Wait for what is being marked; what cannot be is tried once more."""
        self._closing.set()
        if self._marking is not None:
            await self._marking


def _acknowledged(event: str) -> Response:
    """The answer to an event that asks nothing of us; one that this version does not know is told."""
    if event not in _NOTHING_TO_DO | _ABOUT_THE_ACCOUNT:
        log.info("event_unknown", kind=event)
    return Response(text=SUCCESS)


def _hang_up(request: Request) -> NoReturn:
    """Close the connection without an answer: the platform delivers again."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


def _succeeded(one: "asyncio.Future[Any]") -> bool:
    """Whether it is done and committed; a failure is noted by its kind alone."""
    if not one.done():
        return False
    error = one.exception()
    if error is not None:
        log.error("not_durable", error=type(error).__name__)
    return error is None
