"""Delivering messages and events to the bot: signed, sealed, patient, repeated."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp

from bot.simulator import crypto, xmls
from bot.simulator.push import Push
from bot.simulator.replies import Asked, Verdict, classify
from bot.simulator.settings import Mode
from bot.simulator.world import STRINGS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bot.simulator.world import World

GLIMPSE = 0.05
FAILURE_SPAN = 300
SUSPENSION = 60


@dataclass(frozen=True)
class Dress:
    """How one push is sealed, the same over its deliveries: real, or wrong on purpose."""

    key: bytes
    app_id: str
    wrong_signature: bool
    broken_padding: bool
    on_purpose: bool


@dataclass(frozen=True)
class Answer:
    """What came back from one delivery; status 0 means nothing did, and `problem` says why."""

    status: int
    body: bytes
    problem: str = ""


class Pusher:
    """Sends the pushes of each user in order, those of different users side by side."""

    def __init__(self, world: World) -> None:
        """Needs a running event loop; close it to end what is under way."""
        self._world = world
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None), auto_decompress=True
        )
        self._lanes: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._failures: deque[float] = deque()
        self._suspended_until = 0.0

    async def close(self) -> None:
        """Give up what is under way."""
        every = [*self._tasks, *self._watches]
        for task in every:
            task.cancel()
        await asyncio.gather(*every, return_exceptions=True)
        await self._session.close()

    def send(self, push: Push) -> asyncio.Task[None]:
        """Start delivering; the task ends when the push is settled (answered or given up)."""
        return self.spawn(self._in_lane(push))

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run something beside, ended with the rest on close."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def watch(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside that `quiet` does not wait for."""
        task = asyncio.create_task(work)
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def under_way(self) -> set[asyncio.Task[None]]:
        """What was sent or spawned and has not ended."""
        return set(self._tasks)

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _in_lane(self, push: Push) -> None:
        if self._world.settings.overlap:
            await self._deliver(push)
            return
        async with self._lanes.setdefault(push.openid, asyncio.Lock()):
            await self._deliver(push)

    def _dress(self) -> Dress:
        account, faults = self._world.account, self._world.faults
        key, wrong_appid, old_key = account.aes_key, faults.take("wrong_appid"), faults.take("old_key")
        if old_key:
            key = account.previous_aes_key or secrets.token_hex(22)[:42] + "A"
        signed_wrong, padded_wrong = faults.take("wrong_signature"), faults.take("broken_padding")
        return Dress(
            key=crypto.key_of(key),
            app_id="wx0000000000000000" if wrong_appid else account.app_id,
            wrong_signature=signed_wrong,
            broken_padding=padded_wrong,
            on_purpose=wrong_appid or signed_wrong or padded_wrong or (old_key and not account.previous_aes_key),
        )

    async def _deliver(self, push: Push) -> None:
        world = self._world
        if world.clock.now() < self._suspended_until:
            world.alarm(push.openid, "pushes are suspended; this one is lost", push.trigger)
            return
        dress, copies = self._dress(), world.faults.take_duplicate()
        if copies.concurrent:
            settled = await asyncio.gather(*(self._settle(push, dress) for _ in range(copies.times)))
        else:
            settled = [await self._settle(push, dress) for _ in range(copies.times)]
        self._show(push, settled[0])
        if settled[0].fault and not dress.on_purpose:
            self._count_failure()

    async def _settle(self, push: Push, dress: Dress) -> Verdict:
        """Deliver until there is an answer that counts, at most `retries` times."""
        settings = self._world.settings
        verdict, letter = Verdict([], "no delivery"), self._letter(push, dress)
        for attempt in range(1, settings.retries + 1):
            begun = time.monotonic()
            if attempt > 1 and settings.assumed.fresh_signatures:
                letter = self._letter(push, dress)
            verdict, answered = await self._attempt(push, dress, attempt, letter)
            if answered and not (verdict.fault and settings.retry_bad_answers):
                return verdict
            if attempt < settings.retries:
                spent = time.monotonic() - begun
                pause = settings.patience - spent if settings.retry_pause is None else settings.retry_pause
                await asyncio.sleep(max(0.0, pause))
        return verdict

    async def _attempt(self, push: Push, dress: Dress, attempt: int, letter: tuple[str, str]) -> tuple[Verdict, bool]:
        """One delivery: what it is worth, and whether the bot answered at all."""
        world, begun = self._world, time.monotonic()
        query, body = letter
        answer = await self._post(query, body)
        if answer.status:
            asked = Asked(push.openid, push.trigger, dress.key)
            verdict = classify(world, asked, answer.status, answer.body)
        else:
            verdict = Verdict([], answer.problem)
        world.log.add(
            "push",
            openid=push.openid,
            trigger=push.trigger,
            attempt=attempt,
            xml=push.xml,
            query=query,
            body=body,
            status=answer.status,
            answer=answer.body.decode(errors="replace"),
            answer_plain=verdict.plain,
            problem=verdict.fault,
            ms=round((time.monotonic() - begun) * 1000, 1),
        )
        return verdict, bool(answer.status)

    def _letter(self, push: Push, dress: Dress) -> tuple[str, str]:
        """Query string and body of one delivery, freshly signed."""
        account = self._world.account
        stamp, nonce = str(self._world.clock.stamp()), str(secrets.randbelow(2_000_000_000))
        signed = crypto.signature(account.token, stamp, nonce)
        query = {"signature": signed, "timestamp": stamp, "nonce": nonce, "openid": push.openid}
        wrong = "0" * 40
        if account.mode is Mode.PLAIN:
            if dress.wrong_signature:
                query["signature"] = wrong
            return urlencode(query), push.xml
        sealed = crypto.encrypt(dress.key, push.xml, dress.app_id, broken_padding=dress.broken_padding)
        msg_signature = wrong if dress.wrong_signature else crypto.signature(account.token, stamp, nonce, sealed)
        query |= {"encrypt_type": "aes", "msg_signature": msg_signature}
        clear = push.fields if account.mode is Mode.COMPATIBLE else {"ToUserName": push.fields["ToUserName"]}
        return urlencode(query), xmls.document({**clear, "Encrypt": sealed})

    async def _post(self, query: str, body: str) -> Answer:
        faults, patience = self._world.faults, self._world.settings.patience
        drop_before = faults.take("drop_before")
        try:
            async with asyncio.timeout(GLIMPSE if drop_before else patience):
                async with self._session.post(
                    f"{self._world.account.bot_url}/wechat?{query}",
                    data=body.encode(),
                    headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0", "Accept": "*/*"},
                    allow_redirects=False,
                ) as response:
                    answer = Answer(response.status, await response.read())
        except TimeoutError:
            return Answer(0, b"", "connection dropped on purpose" if drop_before else f"no answer in {patience} s")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(0, b"", f"no connection: {type(error).__name__}")
        if drop_before or faults.take("drop_after"):
            return Answer(0, b"", "answer lost on purpose")
        return answer

    def _show(self, push: Push, verdict: Verdict) -> None:
        world = self._world
        phone = world.state.phones.get(push.openid)
        if verdict.fault:
            world.alarm(push.openid, verdict.fault, push.trigger)
        if phone is None or not push.shows or not phone.following:
            return
        for item in verdict.shown:
            world.show(phone, "account", item.kind, item.text, source="reply", **item.extra)
        if verdict.fault:
            world.show(phone, "notice", "fault", STRINGS["fault_notice"])

    def _count_failure(self) -> None:
        """After too many failures in five minutes pushes stop for one minute (0: never)."""
        threshold, now = self._world.settings.mark_fail_threshold, self._world.clock.now()
        self._failures.append(now)
        while self._failures and self._failures[0] < now - FAILURE_SPAN:
            self._failures.popleft()
        if threshold and len(self._failures) >= threshold:
            self._failures.clear()
            self._suspended_until = now + SUSPENSION
            self._world.alarm("", "MarkFail: pushes are suspended for one minute", str(threshold))

    async def verify(self) -> bool:
        """What saving the address in the console does: the bot must return echostr exactly."""
        account, echo = self._world.account, str(secrets.randbelow(10**19))
        stamp, nonce = str(self._world.clock.stamp()), str(secrets.randbelow(2_000_000_000))
        query = {"signature": crypto.signature(account.token, stamp, nonce), "timestamp": stamp, "nonce": nonce}
        try:
            async with asyncio.timeout(self._world.settings.patience):
                async with self._session.get(
                    f"{account.bot_url}/wechat", params={**query, "echostr": echo}, allow_redirects=False
                ) as response:
                    return response.status == HTTPStatus.OK and await response.read() == echo.encode()
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False
