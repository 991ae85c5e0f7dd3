"""A client that nobody here wrote: wechatpy's own, blocking, unchanged but for the address."""

import asyncio
import inspect
import io
from collections.abc import Callable
from typing import TypeVar

import pytest
from wechatpy.client import WeChatClient
from wechatpy.exceptions import WeChatClientException
from wechatpy.session.memorystorage import MemoryStorage

from tests.bot.simulator.outside import SETTINGS, Kept, Made, people, seen, to_stand_in
from tests.bot.simulator.tiny_bot import APP_ID, SECRET, silent, table
from tests.bot.simulator.wechatpy_steps import NOT_MADE, SHOWN, STEPS, TOKEN

T = TypeVar("T")
GROUPS = ("menu", "message", "media", "user", "tag", "qrcode", "template", "jsapi", "material", "misc")


def client() -> WeChatClient:
    """Made after the way to the stand-in is laid."""
    return WeChatClient(APP_ID, SECRET, session=MemoryStorage(), auto_retry=False)


async def blocking(work: Callable[[], T]) -> T:
    """Run a blocking call beside the loop that serves it."""
    return await asyncio.to_thread(work)


async def test_every_call_that_the_stand_in_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table(silent, **SETTINGS) as one:
        to_stand_in(monkeypatch, one.platform.origin)
        people(one)
        theirs, kept, made = client(), Kept(), Made()
        for step in [*TOKEN, *STEPS]:
            await one.platform.phone("o" + "A" * 27).say("在吗")  # so that a window is open for what follows
            await asyncio.to_thread(made.make, step, theirs, kept)
        assert made.wrong == []
        assert len(made.names) == len([*TOKEN, *STEPS]) == 71
        assert seen(one) == SHOWN


def test_every_method_of_these_groups_is_called_or_left_out_for_a_reason() -> None:
    methods = {
        f"{group}.{name}"
        for group in GROUPS
        for name, method in inspect.getmembers(type(getattr(WeChatClient, group)), inspect.isroutine)
        if not name.startswith("_")
    }
    called = {step.name for step in STEPS}
    assert called & NOT_MADE.keys() == set()
    assert called | NOT_MADE.keys() == methods


async def test_refusals_arrive_as_wechatpys_exception_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table(silent, followers=1) as one:
        to_stand_in(monkeypatch, one.platform.origin)
        theirs = client()
        for work, code in [
            (lambda: theirs.message.send_text("o-sim-00001", "x"), 45015),
            (lambda: theirs.menu.try_match("o-sim-00001"), 46003),
            (lambda: theirs.user.get("o-nobody"), 40003),
            (lambda: theirs.media.upload("image", io.BytesIO(b"text")), 40005),
            (lambda: theirs.message.send_link("o-sim-00001", {"title": "", "description": "", "url": ""}), 40008),
            (lambda: theirs.message.send_card("o-sim-00001", "card"), 48001),
            (theirs.message.get_autoreply_info, 40066),
        ]:
            with pytest.raises(WeChatClientException) as refused:
                await blocking(work)
            assert refused.value.errcode == code


async def test_a_ticket_for_pages_is_the_same_for_two_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table(silent) as one:
        to_stand_in(monkeypatch, one.platform.origin)
        theirs = client()
        first, second = await blocking(theirs.jsapi.get_ticket), await blocking(theirs.jsapi.get_ticket)
        assert first["ticket"] == second["ticket"]
        one.platform.world.clock.advance(7201)
        theirs = client()
        assert (await blocking(theirs.jsapi.get_ticket))["ticket"] != first["ticket"]
