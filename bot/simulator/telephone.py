"""SMS and calls on the phones, whether their people follow the account or not, and telling the bot of them."""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

from bot.simulator import crypto, jsons
from bot.simulator.acts import NotPossibleError
from bot.simulator.state import Ring
from bot.simulator.world import STRINGS

if TYPE_CHECKING:
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

RINGS_FOR = 60
LISTENS_FOR = 60
TRIES = 3
BUTTONS = frozenset("0123456789*#")


def arrive(world: World, phone: Phone | None, job: str, text: str) -> None:
    """An SMS arrives, or nobody has the number."""
    if phone is not None:
        phone.last_sms = job
        world.show(phone, "account", "sms", text, source="sms")
    world.pusher.spawn(_report(world, job, "delivered" if phone else "failed"))


def ring(world: World, phone: Phone | None, job: str, text: str, keys: str) -> None:
    """A phone begins to ring; nobody's number and an engaged line fail."""
    if phone is None or phone.ring is not None:
        if phone is not None:
            world.show(phone, "notice", "call", STRINGS["call_missed"], source="call")
        world.pusher.spawn(_report(world, job, "failed"))
        return
    now = world.clock.now()
    phone.ring = Ring(job, text, keys, now, now + RINGS_FOR)
    world.show(phone, "account", "call", STRINGS["call_rings"], source="call")
    _keep_time(world, phone.ring)


async def _report(world: World, job: str, event: str) -> None:
    """What became of an SMS or call, a moment later; there is nobody to say anything to."""
    await asyncio.sleep(world.settings.finish_delay)
    await _tell_only(world, job, event)


async def _tell_only(world: World, job: str, event: str) -> None:
    """Tell the bot at once; what it says reaches nobody."""
    await _tell(world, {"id": job, "event": event})


def _keep_time(world: World, call: Ring) -> None:
    """See to it that a call which nobody ends is ended in time."""

    async def wait() -> None:
        await asyncio.sleep(max(0.0, call.ends - world.clock.now()) + 0.01)
        _end_calls(world)

    world.pusher.watch(wait())


def keep_calls(world: World) -> None:
    """After a start, or when the clock was moved: end what is over, and keep the time of what is not."""
    _end_calls(world)
    for phone in world.state.phones.values():
        if phone.ring is not None:
            _keep_time(world, phone.ring)


def _end_calls(world: World) -> None:
    """End what has rung or been held too long by the stand-in's clock."""
    now = world.clock.now()
    for phone in world.state.phones.values():
        call = phone.ring
        if call is None or call.ends > now:
            continue
        phone.ring = None
        if call.picked_up:
            world.show(phone, "notice", "call", STRINGS["call_ended"], source="call")
        else:
            world.show(phone, "notice", "call", STRINGS["call_missed"], source="call")
            world.pusher.spawn(_tell_only(world, call.id, "failed"))


def _gateway(world: World, phone: Phone) -> None:
    if world.account.gateway_secret is None or not phone.number:
        raise NotPossibleError("this phone has no number, or the stand-in no gateway_secret")


def _held(phone: Phone, *, picked_up: bool) -> Ring:
    call = phone.ring
    if call is None or call.picked_up is not picked_up:
        raise NotPossibleError("nobody is on the line" if picked_up else "this phone does not ring")
    return call


def answer_sms(world: World, phone: Phone, text: str) -> asyncio.Task[None]:
    """Send an SMS back; the id of the last one that came goes along."""
    _gateway(world, phone)
    world.show(phone, "me", "sms", text, source="sms")
    event: Json = {"event": "replied", "from": phone.number, "text": text}
    if phone.last_sms:
        event["id"] = phone.last_sms

    async def tell() -> None:
        if said := await _tell(world, event):
            world.show(phone, "account", "sms", said, source="sms")

    return world.pusher.spawn(tell())


def pick_up(world: World, phone: Phone) -> asyncio.Task[None]:
    """Take the call: its text is read out."""
    call = _held(phone, picked_up=False)
    call.picked_up, call.ends = True, world.clock.now() + LISTENS_FOR
    world.show(phone, "me", "call", STRINGS["call_taken"], source="call")
    world.show(phone, "account", "call", call.text, source="call")
    _keep_time(world, call)
    return world.pusher.spawn(_tell_and_read(world, phone, call, {"id": call.id, "event": "delivered"}))


def press(world: World, phone: Phone, key: str) -> asyncio.Task[None]:
    """Press a key during the call."""
    call = _held(phone, picked_up=True)
    if len(key) != 1 or key not in BUTTONS:
        raise NotPossibleError("a key is one of 0-9, * and #")
    call.ends = world.clock.now() + LISTENS_FOR
    world.show(phone, "me", "call", STRINGS["call_key"] + key, source="call")
    _keep_time(world, call)
    return world.pusher.spawn(_tell_and_read(world, phone, call, {"id": call.id, "event": "pressed", "key": key}))


def hang_up(world: World, phone: Phone) -> asyncio.Task[None] | None:
    """End the call; one that only rang is reported as failed."""
    call = phone.ring
    if call is None:
        raise NotPossibleError("nobody is on the line")
    phone.ring = None
    world.show(phone, "me", "call", STRINGS["call_ended"], source="call")
    return None if call.picked_up else world.pusher.spawn(_report(world, call.id, "failed"))


async def _tell_and_read(world: World, phone: Phone, call: Ring, event: Json) -> None:
    """Tell the bot, and read out what it says while the person is still there."""
    if (said := await _tell(world, event)) and phone.ring is call:
        world.show(phone, "account", "call", said, source="call")


async def _tell(world: World, event: Json) -> str:
    """Tell the bot, three times at most; what it wants said, empty when it never took it."""
    pause = world.settings.patience if world.settings.retry_pause is None else world.settings.retry_pause
    for attempt in range(1, TRIES + 1):
        said = await _try(world, event, attempt)
        if said is not None:
            return said
        if attempt < TRIES:
            await asyncio.sleep(pause)
    world.alarm("", "the bot did not take an event of the gateway", str(event["event"]))
    return ""


async def _try(world: World, event: Json, attempt: int) -> str | None:
    """One delivery; None when it was not taken."""
    begun, body, stamp = time.monotonic(), jsons.dump(event), str(int(time.time()))
    signed = crypto.sealed_by(world.account.gateway_secret or "", stamp, body.encode())
    headers = {"Content-Type": "application/json", "X-Tongban-Time": stamp, "X-Tongban-Signature": signed}
    status, text = 0, ""
    try:
        async with (
            asyncio.timeout(world.settings.patience),
            aiohttp.request(
                "POST",
                f"{world.account.bot_url}/gateway",
                data=body.encode(),
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            status, text = response.status, (await response.read()).decode(errors="replace")
    except TimeoutError:
        problem = f"no answer in {world.settings.patience} s"
    except (aiohttp.ClientError, OSError) as error:
        problem = f"no connection: {type(error).__name__}"
    else:
        problem = _problem(status, text)
    world.log.add(
        "gateway",
        way="to bot",
        path="/gateway",
        attempt=attempt,
        request=body,
        response=text,
        status=status,
        problem=problem,
        ms=round((time.monotonic() - begun) * 1000, 1),
    )
    return None if problem else str(json.loads(text)["say"])


def _problem(status: int, text: str) -> str:
    """Why an answer is not one that the contract knows; empty when it is."""
    if status != HTTPStatus.OK:
        return f"HTTP status {status}"
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    return "" if isinstance(data, dict) and isinstance(data.get("say"), str) else "the answer is not an object with say"
