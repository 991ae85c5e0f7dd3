"""What each kind of account may do, and the bot in its stated mode beside a stand-in of the same kind."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import get_args

import aiohttp
import pytest

from bot.account import KINDS, Right, channels, may, may_call
from bot.menus import Tagger, push_menus
from bot.settings import Kind, Wechat
from bot.simulator import Simulator, SimulatorSettings
from bot.simulator.endpoints import ENDPOINTS
from bot.template_fields import VALUES
from bot.wechat import WeChat, WeChatRefused
from storage.outbox import Outbox
from storage.tasks import Task
from tests.support.databases import SqliteDatabases
from tests.support.media import picture
from tests.support.pages import AES_KEY, APP_ID, SECRET, TOKEN, Town, town

EVERY: Sequence[Kind] = get_args(Kind)
MUTE: Sequence[Kind] = ("unverified-service", "unverified-subscription")
"""Kinds that can only answer."""
OURS = re.compile(
    r"/cgi-bin/(stable_token|callback/check|message/custom|message/template|message/subscribe|template|menu|tags|user|media|material|qrcode)/?"
)
"""Calls that the bot makes, or may come to make."""
NO_RIGHT, WRONG_KIND = 48001, 40200


def account(kind: Kind, origin: str) -> Wechat:
    """The settings of an account of this kind."""
    given = {"app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY}
    return Wechat.model_validate({**given, "api_origin": origin, "kind": kind})


def refused_for_the_kind(platform: Simulator) -> list[str]:
    """Calls that the platform refused because of what the account is."""
    entries = [one for one in platform.world.log.after(0) if one["kind"] == "call"]
    return [str(one["path"]) for one in entries if one["errcode"] in {NO_RIGHT, WRONG_KIND}]


def test_each_kind_has_its_channels_in_order() -> None:
    assert KINDS.keys() == set(EVERY)
    assert {kind: channels(kind) for kind in EVERY} == {
        "verified-service": ("custom", "subscribe", "template"),
        "test": ("custom", "template"),
        "verified-subscription": ("custom",),
        "unverified-service": (),
        "unverified-subscription": (),
    }
    assert may("unverified-service", Right.MENUS)
    assert not may("unverified-service", Right.MENUS, Right.TAGS)


@pytest.mark.parametrize("kind", EVERY)
async def test_what_we_take_for_allowed_is_what_the_platform_allows(kind: Kind) -> None:
    settings = SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY, kind=kind)
    wrong = {}
    async with Simulator(settings) as platform, aiohttp.ClientSession() as http:
        everything = WeChat(account("verified-service", platform.origin), http)
        token = await everything.tokens.get()
        for one in ENDPOINTS:
            if not OURS.match(one.path):
                continue
            url = f"{platform.origin}{one.path}"
            async with http.request(one.method, url, params={"access_token": token}, data=b"{}") as answer:
                said = await answer.json(content_type=None)
            call = one.path.removeprefix("/cgi-bin/")
            if (said.get("errcode") != NO_RIGHT) != may_call(kind, call):
                wrong[call] = said
    assert wrong == {}


async def _is_let_through(call: Awaitable[object]) -> bool:
    """Whether a call gets as far as the platform, which may refuse it for something else."""
    try:
        await call
    except WeChatRefused as refusal:
        return refusal.code != NO_RIGHT
    return True


@pytest.mark.parametrize("kind", EVERY)
async def test_a_call_without_its_right_is_refused_here_and_never_made(kind: Kind) -> None:
    async with Simulator(SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY, kind=kind)) as platform:
        async with aiohttp.ClientSession() as http:
            wechat, openid = WeChat(account(kind, platform.origin), http), platform.add_phone().openid
            tries = {
                Right.CUSTOM: wechat.send_text(openid, "a"), Right.TEMPLATE: wechat.send_template(openid, "T", {}),
                Right.MENUS: wechat.menus(), Right.TAGS: wechat.tags(), Right.MEDIA: wechat.download_media("m"),
                Right.QR: wechat.create_qr("s", 60),
            }  # fmt: skip
            done = [right for right, call in tries.items() if await _is_let_through(call)]
        assert done == [right for right in tries if may(kind, right)]
        assert refused_for_the_kind(platform) == []


async def spoken(county: Town, name: str, *texts: str) -> list[str]:
    """Somebody writes, and reads these passive replies."""
    phone = county.platform.phone(f"o-{name}")
    shown = [item for text in texts for item in await phone.say(text)]
    return [item.text for item in shown if item.source == "reply"]


def pushed(county: Town, name: str) -> list[str]:
    """What reached somebody outside a reply: how, and the words."""
    screen = county.platform.phone(f"o-{name}").screen
    return [item.source for item in screen if item.side == "account" and item.source != "reply"]


async def a_day_with_a_report(county: Town) -> None:
    """A villager reports with a photo; everything that follows for half a day; everybody writes now and then."""
    await push_menus(county.bot.wechat)
    assert await spoken(county, "villager", "帮助")
    replies = await spoken(county, "villager", "柳湾村有个娃身上青一块紫一块的，问他不说话")
    assert replies
    assert "110" in replies[0]
    photo = await county.platform.phone("o-villager").send_image(picture((64, 48)))
    if not channels(county.bot.settings.wechat.kind):
        assert [item.source for item in photo if item.side == "account"] == ["reply"], "no other word can follow later"
    for seconds in (40, 30 * 60, 3600, 5 * 3600):
        await county.advance(seconds)
        await county.bot.worker.run_all()
        await Tagger(county.bot.database, county.bot.wechat, county.bot.clock).drain()
    notices = [item.text for item in county.platform.phone("o-villager").screen if item.side == "notice"]
    assert notices == [], "nobody ever reads the platform's fault notice"


async def listed(county: Town) -> set[str]:
    """Kinds of open tasks of the county's supervisor."""
    return await county.does(
        lambda turn: {
            one.kind
            for one in turn.session.query(Task).filter(Task.role == "county_supervisor", Task.ended_at.is_(None))
        }
    )


async def unknown_values(county: Town) -> set[tuple[str, str]]:
    """What cards told that no county can name in its settings: purpose and value."""
    contents = await county.does(lambda turn: [row.content or {} for row in turn.session.query(Outbox)])
    cards = [content["card"] for content in contents if content.get("card")]
    assert cards
    return {(card["purpose"], name) for card in cards for name in card["values"] if name not in VALUES[card["purpose"]]}


@pytest.mark.parametrize("kind", EVERY)
async def test_a_report_and_all_that_follows_never_makes_a_call_that_the_account_may_not_make(
    kind: Kind, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    async with town(sqlite_databases.fresh(), tmp_path, kind=kind) as county:
        await a_day_with_a_report(county)
        assert refused_for_the_kind(county.platform) == []
        [tasks] = await spoken(county, "duty", "我的任务")
        assert "石桥镇柳湾村" in tasks
        people = ("duty", "county", "officer", "teacher", "villager")
        bodies = [str(one["request"]) for one in county.platform.world.log.after(0) if one["kind"] == "call"]
        assert not any('"msgmenu"' in body for body in bodies), "choices are numbered text"
        assert await unknown_values(county) == set()
        ways = {source for name in people for source in pushed(county, name)}
        if kind in MUTE:
            assert ways == set()
            assert "unreachable" in await listed(county), "whom nothing reaches is on the supervisor's list"
            assert "联系不上" in "".join(await spoken(county, "county", "我的任务"))
        else:
            assert ways <= {"custom", "template"}
            assert ("template" in ways) == may(kind, Right.TEMPLATE)
        assert refused_for_the_kind(county.platform) == []


@pytest.mark.parametrize("kind", [kind for kind in EVERY if not may(kind, Right.OAUTH)])
async def test_an_account_without_sign_in_says_on_the_page_that_the_chat_does_it_all(
    kind: Kind, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    async with town(sqlite_databases.fresh(), tmp_path, kind=kind) as county:
        page = await county.browser("duty").ask("GET", "/m/tasks")
        assert (page.status, "Location" in page.headers) == (403, False)
        assert "我的任务" in page.words
        assert "不能登录网页" in page.words
        assert await spoken(county, "duty", "我的任务")


async def test_invitations_are_codes_alone_where_the_account_has_no_scene_codes(
    sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    async with town(sqlite_databases.fresh(), tmp_path, kind="verified-subscription") as county:
        settings = county.bot.settings
        environ = {
            f"TONGBAN__WECHAT__{name}": value
            for name, value in (
                ("APP_ID", APP_ID), ("APP_SECRET", SECRET), ("TOKEN", TOKEN), ("ENCODING_AES_KEY", AES_KEY),
                ("API_ORIGIN", county.platform.origin), ("KIND", "verified-subscription"),
            )
        }  # fmt: skip
        environ |= {"TONGBAN__DATABASE__URL": settings.database.url, "TONGBAN__KEYS__FILE": str(settings.keys.file)}
        printed = await _run(["people", "invite", "duty", "--qr"], environ)
        assert printed.returncode == 0, printed.stderr
        assert re.search(r"\tduty\t[0-9A-Z]{8}", printed.stdout)
        assert "showqrcode" not in printed.stdout
        assert "no scene QR codes" in printed.stderr
        assert refused_for_the_kind(county.platform) == []
        printed = await _run(["people", "unbind", "duty"], environ)
        assert "have ended" in printed.stdout, printed.stderr
        assert "没有绑定身份" in "".join(await spoken(county, "duty", "解绑"))


async def _run(words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command of ours as an operator starts it, while this process goes on serving."""
    return await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "bot", *words], env=os.environ | environ, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
