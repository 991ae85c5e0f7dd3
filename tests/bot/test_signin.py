"""Sign-in and forms end to end: the real bot, the stand-in platform, browsers with their own cookies."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request
from sqlalchemy import select

from bot.pages import HEADERS
from bot.signin import SignIn
from bot.wechat import WeChat
from handlers import binding, leaving
from handlers.page import Route
from handlers.pages import PAGES
from handlers.turn import Turn
from storage import bindings, contacts, people, sessions
from storage.audit import Audit
from storage.cases import Case, CaseStep
from storage.reports import Report
from storage.sessions import WebSession
from tests.support.databases import SqliteDatabases
from tests.support.pages import Answer, Browser, Town, town
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def county(sqlite_databases: SqliteDatabases, tmp_path: Path) -> AsyncIterator[Town]:
    """The whole bot beside the stand-in."""
    async with town(sqlite_databases.fresh(), tmp_path) as made:
        yield made


async def test_a_card_opens_its_page_after_sign_in_and_the_next_page_asks_nothing(county: Town) -> None:
    browser = county.browser("duty")
    first = await browser.ask("GET", "/m/tasks")
    assert first.status == 302
    asked = parse_qs(urlsplit(first.location).query)
    assert asked["scope"] == ["snsapi_base"]
    assert asked["redirect_uri"] == [f"{county.url}/m/back"]
    assert re.fullmatch(r"[A-Za-z0-9]{1,128}", asked["state"][0])
    back = await browser.follow(await browser.follow(first))
    assert (back.status, back.location) == (302, "/m/tasks")
    page = await browser.follow(back)
    assert page.status == 200
    assert "您现在没有待办" in page.text
    assert (await browser.ask("GET", "/m/tasks")).status == 200


async def test_the_session_cookie_is_random_hidden_from_scripts_and_kept_only_as_a_hash(county: Town) -> None:
    browser = county.browser("duty")
    await browser.get("/m/tasks")
    back = await _sign_in_steps(county.browser("duty"))
    [line] = [line for line in back.cookies if line.startswith("session=")]
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    assert "Max-Age=43200" in line
    assert "Secure" not in line  # the demo's origin is http
    kept = await county.does(lambda turn: list(turn.session.scalars(select(WebSession))))
    assert len(kept) == 2
    assert all(len(row.token_hash) == 32 for row in kept)
    assert len(browser.cookies["session"]) >= 43


async def _sign_in_steps(browser: Browser) -> Answer:
    return await browser.follow(await browser.follow(await browser.ask("GET", "/m/tasks")))


async def test_behind_https_cookies_are_secure(county: Town) -> None:
    settings = county.bot.settings
    behind = settings.model_copy(
        update={"web": settings.web.model_copy(update={"public_origin": "https://bot.example"})}
    )
    signin = SignIn(behind, county.bot.database, county.bot.clock, county.bot.wechat)
    response = signin.start(make_mocked_request("GET", "/m/tasks"), "/m/tasks")
    assert "Secure" in response.cookies["browser"].OutputString()
    assert "redirect_uri=https%3A%2F%2Fbot.example%2Fm%2Fback" in response.headers["Location"]


async def test_the_wanted_page_comes_after_sign_in_and_only_pages_of_ours_can_be_wanted(county: Town) -> None:
    browser = county.browser("duty")
    answer = await browser.follow(await browser.follow(await browser.ask("GET", "/m/digest/2026-11-24")))
    assert answer.location == "/m/digest/2026-11-24"
    assert (await county.browser("duty").ask("GET", "/m/elsewhere?x=//evil.example/")).status == 403


async def test_a_callback_that_comes_twice_does_no_harm(county: Town) -> None:
    browser = county.browser("duty")
    callback = await browser.follow(await browser.ask("GET", "/m/tasks"))
    assert (await browser.ask("GET", callback.location)).location == "/m/tasks"
    again = await browser.ask("GET", callback.location)
    assert (again.status, again.location) == (302, "/m/tasks")
    # The other one of the two has no session yet, since both were sent at once: it signs in anew, once.
    del browser.cookies["session"]
    restarted = await browser.ask("GET", callback.location)
    assert urlsplit(restarted.location).path == "/connect/oauth2/authorize"
    assert (await browser.follow(await browser.follow(await browser.follow(restarted)))).status == 200


async def test_a_code_that_never_works_ends_with_a_sentence_and_not_in_a_circle(county: Town) -> None:
    browser = county.browser("duty")
    callback = await browser.follow(await browser.ask("GET", "/m/tasks"))
    broken = re.sub(r"code=[^&]+", "code=made-up", callback.location)
    restarted = await browser.ask("GET", broken)
    assert restarted.status == 302
    second = await browser.follow(restarted)
    failed = await browser.ask("GET", re.sub(r"code=[^&]+", "code=made-up", second.location))
    assert failed.status == 502
    assert "没能登录" in failed.text


async def test_a_state_of_another_browser_of_yesterday_or_made_up_is_refused(county: Town) -> None:
    attacker, victim = county.browser("teacher"), county.browser("duty")
    planted = await attacker.follow(await attacker.ask("GET", "/m/tasks"))
    refused = await victim.ask("GET", planted.location)
    assert refused.status == 400
    assert "session" not in victim.cookies
    late = await victim.follow(await victim.ask("GET", "/m/tasks"))
    await county.advance(601)
    assert (await victim.ask("GET", late.location)).status == 400
    for state in ("", "AAAA", "你好", "A" * 3000):
        assert (await victim.ask("GET", f"/m/back?code=x&state={state}")).status == 400


async def test_a_snapshot_user_is_refused(county: Town) -> None:
    async with county.http.post(
        f"{county.platform.origin}/sim/phones/o-duty/settings", json={"snapshot": True}
    ) as set_:
        assert set_.status == 200
    browser = county.browser("duty")
    answer = await browser.get("/m/tasks")
    assert answer.status == 403
    assert "预览模式" in answer.text
    assert "session" not in browser.cookies


async def test_a_wechat_that_is_bound_to_nobody_reads_how_to_bind(county: Town) -> None:
    county.platform.add_phone("stranger", "o-stranger")
    for name in ("villager", "stranger"):
        browser = county.browser(name)
        answer = await browser.get("/m/tasks")
        assert answer.status == 403
        assert "绑定码" in answer.text
        assert "session" not in browser.cookies


def _contact(turn: Turn) -> int:
    known = contacts.known(turn.connection, "o-duty")
    assert known
    return known[0]


async def test_a_sign_in_ends_after_twelve_hours_and_at_once_when_it_is_revoked(county: Town) -> None:
    browser = county.browser("duty")
    await browser.get("/m/tasks")
    await county.advance(12 * 3600 + 1)
    assert (await browser.ask("GET", "/m/tasks")).status == 302
    assert (await browser.get("/m/tasks")).status == 200

    await county.does(lambda turn: sessions.revoke_of_contact(turn.connection, _contact(turn), turn.now))
    assert (await browser.ask("GET", "/m/tasks")).status == 302


async def test_whoever_is_unbound_is_out_at_once_even_with_a_live_session(county: Town) -> None:
    browser = county.browser("duty")
    await browser.get("/m/tasks")
    await county.does(lambda turn: bindings.release(turn.connection, _contact(turn)))
    answer = await browser.ask("GET", "/m/tasks")
    assert answer.status == 403
    assert "绑定码" in answer.text


async def reported(county: Town) -> None:
    """The villager reports; the duty person is told."""
    await county.platform.phone("o-villager").say("柳湾村有个娃身上青一块紫一块的，问他不说话")
    await county.bot.worker.run_all()


async def test_a_form_is_done_once_however_often_it_comes(county: Town) -> None:
    await reported(county)
    browser = county.browser("duty")
    page = await browser.get("/m/case/1")
    claims = [await browser.post("/m/case/1/claim", form=page.form) for _ in range(2)]
    assert [(one.status, one.location) for one in claims] == [(303, "/m/case/1")] * 2
    page = await browser.get("/m/case/1")
    assert "您已接下，个案" in page.words
    assert "您已接下，个案" not in (await browser.get("/m/case/1")).words
    for _ in range(3):
        await browser.post("/m/case/1/step", form=page.form, kind="doctor", note="在镇卫生院")
    assert await county.does(lambda turn: len(list(turn.session.scalars(select(Case))))) == 1
    assert await county.does(lambda turn: len(list(turn.session.scalars(select(CaseStep))))) == 1
    # Another text on the same page is another form.
    await browser.post("/m/case/1/step", form=page.form, kind="doctor", note="又去了一次")
    assert await county.does(lambda turn: len(list(turn.session.scalars(select(CaseStep))))) == 2


async def test_a_form_that_did_not_come_from_our_own_page_does_nothing(county: Town) -> None:
    await reported(county)
    browser, other = county.browser("duty"), county.browser("county")
    mine, theirs = (await browser.get("/m/case/1")).form, (await other.get("/m/case/1")).form
    tries = [
        await browser.post("/m/case/1/claim"),
        await browser.post("/m/case/1/claim", form="made.up.word"),
        await browser.post("/m/case/1/claim", form=theirs),
        await browser.post("/m/case/1/claim", {"Origin": "http://evil.example"}, form=mine),
        await browser.post("/m/case/1/claim", {"Origin": "null"}, form=mine),
        await browser.post("/m/case/1/claim", {"Sec-Fetch-Site": "cross-site"}, form=mine),
    ]
    assert [one.status for one in tries] == [403] * 6
    assert all("没有生效" in one.text for one in tries)
    assert await county.does(lambda turn: list(turn.session.scalars(select(Case)))) == []
    browser.cookies.clear()
    signed_out = await browser.post("/m/case/1/claim", form=mine)
    assert signed_out.status == 403
    assert 'href="/m/case/1"' in signed_out.text


async def test_refusals_are_pages_and_what_is_not_ours_reads_like_what_does_not_exist(county: Town) -> None:
    await reported(county)
    browser = county.browser("teacher")
    denied, missing = await browser.get("/m/case/1"), await browser.get("/m/case/77")
    assert (denied.status, missing.status) == (403, 403)
    assert denied.words == missing.words
    holder = county.browser("duty")
    page = await holder.get("/m/case/1")
    early = await holder.post("/m/case/1/step", form=page.form, kind="doctor")
    assert early.status == 409
    assert "请先点“我接了”" in early.text
    await holder.post("/m/case/1/claim", form=page.form)
    closing = await holder.post("/m/case/1/close", form=page.form, why="好了")
    assert (closing.status, "不能结案" in closing.text) == (409, True)
    long = await holder.post("/m/case/1/step", form=page.form, kind="doctor", note="长" * 70_000)
    assert (long.status, "太长了" in long.text) == (413, True)


async def test_every_page_is_shut_to_frames_scripts_and_caches_and_says_no_word_to_others(county: Town) -> None:
    browser = county.browser("duty")
    page = await browser.get("/m/tasks")
    assert {name: page.headers.get(name) for name in HEADERS} == HEADERS
    assert "<script" not in page.text
    assert "style=" not in page.text
    for name in ("weui.min.css", "app.css"):
        styles = await browser.ask("GET", f"/m/static/{name}")
        assert (styles.status, styles.headers["Content-Type"].partition(";")[0]) == (200, "text/css")
    assert (await browser.ask("GET", "/m/static/../pages.py")).status in {403, 404}


async def test_a_look_is_logged_before_it_is_shown_and_media_come_whole_or_in_parts(county: Town) -> None:
    await reported(county)
    picture = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4
    await county.platform.phone("o-villager").send_image(picture)
    await county.bot.worker.run_all()
    browser = county.browser("duty")
    page = await browser.get("/m/case/1")
    found = re.search(r"\?show=(\d+)", page.text)
    assert found, page.words
    address = f"/m/media/{found[1]}"
    shown = await browser.get(address)
    assert shown.text.encode("latin-1") == picture
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"].startswith("inline")
    part = await browser.get(address, Range="bytes=2-5")
    assert (part.status, part.text.encode("latin-1")) == (206, picture[2:6])
    assert part.headers["Content-Range"] == f"bytes 2-5/{len(picture)}"
    assert (await browser.get(address, Range="bytes=99999-")).status == 416
    acts = await county.does(lambda turn: [row.act for row in turn.session.scalars(select(Audit).order_by(Audit.id))])
    assert acts.count("look") == 1
    assert acts.count("look_media") == 3
    assert acts.index("sign_in") < acts.index("look") < acts.index("look_media")


async def test_a_phone_of_the_stand_in_signs_in_by_itself_even_when_the_callback_is_doubled(county: Town) -> None:
    async with county.http.post(f"{county.platform.origin}/sim/faults", json={"double_callback": 1}) as set_:
        assert set_.status == 200
    index = county.platform.phone("o-duty").user.index
    host = {"Host": f"phone-{index}.localhost:{county.platform.port}"}
    path = "/m/tasks"
    for _ in range(6):
        async with county.http.get(county.platform.origin + path, headers=host, allow_redirects=False) as answer:
            if answer.status == 200:
                assert "我的任务" in await answer.text()
                break
            path = answer.headers["Location"]
            assert isinstance(answer, aiohttp.ClientResponse)
    else:
        raise AssertionError(path)
    await eventually(lambda: "session" in county.platform.phone("o-duty").user.cookies)


# Whose sign-ins end at once.


async def signed_in(county: Town, name: str) -> Browser:
    """Somebody's browser, signed in."""
    browser = county.browser(name)
    assert (await browser.get("/m/tasks")).status == 200
    return browser


async def is_out(browser: Browser) -> bool:
    """Whether the browser is sent to the platform again, or to the words that say how to bind."""
    return (await browser.ask("GET", "/m/tasks")).status in {302, 403}


async def test_whoever_reports_a_lost_phone_is_out_everywhere_and_signs_in_again_from_the_chat(county: Town) -> None:
    browsers = [await signed_in(county, "duty") for _ in range(2)]
    other = await signed_in(county, "county")
    said = await county.platform.phone("o-duty").say("挂失")
    assert "都已退出登录" in said[-1].text
    assert [await is_out(browser) for browser in browsers] == [True, True]
    assert not await is_out(other)
    stolen = dict(browsers[0].cookies)
    assert (await browsers[0].get("/m/tasks")).status == 200
    browsers[1].cookies = stolen
    assert await is_out(browsers[1]), "the old cookie stays dead"


async def test_signing_out_ends_no_report_and_tells_a_villager_nothing_about_bindings(county: Town) -> None:
    villager, teacher = county.platform.phone("o-villager"), county.platform.phone("o-teacher")
    said = (await villager.say("挂失"))[-1].text
    assert "都已退出登录" in said
    assert "解绑" not in said
    asked = (await teacher.say("报告"))[-1].text
    assert "都已退出登录" in (await teacher.say("挂失"))[-1].text
    assert asked
    await teacher.say("我班上有个娃一周没来上学了")
    assert await county.does(lambda turn: len(list(turn.session.scalars(select(Report))))) == 1


async def test_whoever_unbinds_leaves_unfollows_or_binds_another_phone_is_out_at_once(county: Town) -> None:
    def person(turn: Turn, name: str) -> people.Person:
        known = contacts.known(turn.connection, f"o-{name}")
        return turn.session.get_one(people.Person, known[1] if known else None)

    unbinding, unfollowing = await signed_in(county, "officer"), await signed_in(county, "teacher")
    for words in ("解绑", "是"):
        await county.platform.phone("o-officer").say(words)
    assert await is_out(unbinding)
    await county.platform.phone("o-teacher").unfollow()
    assert await is_out(unfollowing)

    moving = await signed_in(county, "duty")
    code = await county.does(lambda turn: binding.invite(turn, person(turn, "duty")))
    county.platform.add_phone("another", "o-another")
    await county.platform.phone("o-another").say(f"绑定 {code}")
    assert await is_out(moving)
    lost = await signed_in(county, "another")
    await county.does(lambda turn: binding.unbind(turn, person(turn, "another")))
    assert await is_out(lost)

    leaving_ = await signed_in(county, "county")

    def leave(turn: Turn) -> None:
        boss, successor = person(turn, "county"), turn.session.get_one(people.Person, officer)
        leaving.leave(turn, boss, successor)

    officer = await county.does(_bound_again)
    await county.does(leave)
    assert await is_out(leaving_)


def _bound_again(turn: Turn) -> int:
    """The officer's phone is bound again, so that there is somebody to take over."""
    known = contacts.known(turn.connection, "o-officer")
    assert known
    found = next(one for one in turn.session.scalars(select(people.Person)) if one.name == "officer")
    bindings.bind(turn.connection, known[0], found.id)
    return found.id


# Ways round it.


@pytest.mark.parametrize("page", [one for one in PAGES if one.method == "POST"], ids=lambda one: one.pattern)
async def test_no_form_of_ours_does_anything_without_the_word_of_its_session(county: Town, page: Route) -> None:
    await reported(county)
    browser = await signed_in(county, "duty")
    path = re.sub(r"\{\w+:[^/]*\}", "1", page.pattern)
    before = await county.does(_everything_done)
    for headers, form in (
        ({}, {}), ({}, {"form": "made.up"}), ({"Origin": "https://evil.example"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
    ):  # fmt: skip
        answer = await browser.post(path, headers, **form, kind="doctor", level="red", why="x", text="x", note="x")
        assert answer.status == 403
        assert "没有生效" in answer.text
    assert await county.does(_everything_done) == before


def _everything_done(turn: Turn) -> list[str]:
    return [row.act for row in turn.session.scalars(select(Audit)) if row.act != "sign_in"]


@pytest.mark.parametrize(
    "path",
    [
        "/m//evil.example/",
        "/m/%2F%2Fevil.example",
        "/m/..%2F..%2Fevil",
        "/m/tasks?next=//evil.ex/",
        "/m/back",
    ],
)
async def test_a_sign_in_never_leads_anywhere_but_to_our_own_pages(county: Town, path: str) -> None:
    browser = county.browser("duty")
    answer = await browser.ask("GET", path)
    for _ in range(5):
        if answer.status not in {302, 303}:
            break
        where = urlsplit(answer.location)
        assert where.netloc in {"", urlsplit(county.url).netloc, urlsplit(county.platform.origin).netloc}
        assert where.netloc or where.path.startswith("/m/")
        answer = await browser.follow(answer)
    assert answer.status in {200, 400, 403}


def exchanges(county: Town) -> int:
    """How often the platform was asked who came back."""
    entries = county.platform.world.log.after(0)
    return sum(one["kind"] == "call" and "/sns/oauth2/access_token" in str(one["path"]) for one in entries)


async def test_two_callbacks_at_the_same_moment_end_signed_in_both(county: Town) -> None:
    browser = county.browser("duty")
    callback = await browser.follow(await browser.ask("GET", "/m/tasks"))
    answers = await asyncio.gather(*(browser.ask("GET", callback.location) for _ in range(2)))
    assert {answer.status for answer in answers} == {302}
    assert [(await browser.arrive(answer)).status for answer in answers] == [200, 200]
    assert exchanges(county) <= 3


async def test_a_platform_that_calls_every_code_used_is_asked_twice_and_no_more(county: Town) -> None:
    fault = {"path": "/sns/oauth2/access_token", "kind": "errcode", "errcode": 40163, "times": -1}
    county.platform.world.faults.change({"api": [fault]}, county.platform.world.clock.now())
    browser = county.browser("duty")
    answer = await browser.get("/m/tasks")
    assert (answer.status, "没能登录" in answer.text) == (502, True)
    assert exchanges(county) == 2
    assert "session" not in browser.cookies


async def test_a_code_and_its_state_are_worth_nothing_in_another_browser(county: Town) -> None:
    victim, thief = county.browser("duty"), county.browser("villager")
    callback = await victim.follow(await victim.ask("GET", "/m/tasks"))
    await thief.ask("GET", "/m/tasks")
    assert (await thief.ask("GET", callback.location)).status == 400
    assert "session" not in thief.cookies
    assert exchanges(county) == 0, "the code was not even spent"
    assert (await victim.ask("GET", callback.location)).location == "/m/tasks"


@pytest.mark.parametrize(
    ("mark", "is_snapshot"),
    [(None, False), (0, False), ("0", False), (1, True), ("1", True), (True, True), ("y", True)],
)
async def test_whatever_calls_itself_a_preview_is_taken_for_one(
    county: Town, mark: object, *, is_snapshot: bool
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"openid": "o-duty"} | ({} if mark is None else {"is_snapshotuser": mark}))

    app = web.Application()
    app.add_routes([web.get("/sns/oauth2/access_token", answer)])
    async with TestServer(app) as server:
        settings = county.bot.settings.wechat.model_copy(update={"api_origin": str(server.make_url("")).rstrip("/")})
        visitor = await WeChat(settings, county.http).oauth_openid("code")
    assert (visitor.openid, visitor.is_snapshot) == ("o-duty", is_snapshot)
