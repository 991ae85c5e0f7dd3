"""The platform client: against the stand-in for what works, against a rude server for what does not."""

import asyncio
import io
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from bot.errcodes import Reaction, known, reaction
from bot.settings import Wechat
from bot.simulator import Simulator, SimulatorSettings, TemplateSpec
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused

APP_ID, SECRET, TOKEN = "wx1234567890abcdef", "very-secret-secret", "the-push-token"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 20


def account(origin: str, **other: str) -> Wechat:
    given = {"app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": KEY, "api_origin": origin}
    return Wechat.model_validate(given | other)


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[Simulator]:
    settings = SimulatorSettings(
        APP_ID,
        SECRET,
        TOKEN,
        KEY,
        templates=(TemplateSpec("T1", "Task", ("thing1", "time2")),),
        patience=0.2,
        retries=1,
    )
    async with Simulator(settings) as running:
        yield running


@pytest.fixture
def wechat(platform: Simulator, http: aiohttp.ClientSession) -> WeChat:
    return WeChat(account(platform.origin), http)


Answer = web.StreamResponse | dict[str, object]
Answering = Callable[[web.Request], Awaitable[Answer]]


class Rude:
    """A real server that answers as it is told, and counts."""

    origin = ""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.tokens = 0
        self.lasts = 7200
        self.answer: Answering = self.fine
        self.token_answer: dict[str, object] | None = None

    async def fine(self, _: web.Request) -> Answer:
        return {"errcode": 0, "errmsg": "ok", "msgid": 200163836}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/cgi-bin/")
        self.calls[name] += 1
        self.bodies.append(await request.read())
        if name == "stable_token":
            await asyncio.sleep(0.01)  # long enough for others to ask meanwhile
            if self.token_answer:
                return web.json_response(self.token_answer)
            self.tokens += 1
            return web.json_response({"access_token": f"TOKEN-{self.tokens}-secret", "expires_in": self.lasts})
        answer = await self.answer(request)
        # As the platform does: errors too come with 200, and as plain text.
        return web.Response(text=json.dumps(answer), content_type="text/plain") if isinstance(answer, dict) else answer


@pytest_asyncio.fixture
async def rude() -> AsyncIterator[Rude]:
    server = Rude()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
def rudely(rude: Rude, http: aiohttp.ClientSession) -> WeChat:
    return WeChat(account(rude.origin), http)


def always(code: int, message: str = "no rid: 64d1c3e0-1a2b3c4d-5e6f7a8b") -> Answering:
    async def answer(_: web.Request) -> Answer:
        return {"errcode": code, "errmsg": message}

    return answer


# What works, against the stand-in.


async def test_a_person_reads_a_message_and_a_card(platform: Simulator, wechat: WeChat) -> None:
    phone = platform.add_phone("teacher")
    await phone.say("您好")
    before = len(phone.screen)
    await wechat.send_text(phone.openid, "收到\x0b：<孩子> & 'x' 😀")
    card = {"thing1": "走访\n 2户", "time2": "08:30"}
    job = await wechat.send_template(phone.openid, "T1", card, "http://127.0.0.1/m/1", "tongban-1")
    await platform.quiet()
    text, shown = phone.screen[before], phone.screen[-1]
    assert text.text == "收到：<孩子> & 'x' 😀"
    assert shown.url == "http://127.0.0.1/m/1"
    assert [part["value"] for part in shown.fields] == ["走访 2户", "08:30"]
    assert job.isdigit()


async def test_menus_tags_codes_and_templates_are_kept_by_the_platform(platform: Simulator, wechat: WeChat) -> None:
    people = [platform.add_phone(f"p{number}").openid for number in range(60)]
    menu: dict[str, object] = {"button": [{"type": "click", "name": "我的任务", "key": "my_tasks"}]}
    await wechat.create_menu(menu)
    tag = await wechat.create_tag("儿童主任")
    assert await wechat.tags() == {"儿童主任": tag} | {k: v for k, v in (await wechat.tags()).items() if v < 100}
    await wechat.tag_users(tag, people)
    await wechat.tag_users(tag, people)
    assert (await wechat.user_info(people[59]))["tagid_list"] == [tag]
    assert await wechat.add_conditional_menu(menu | {"matchrule": {"tag_id": str(tag)}})
    await wechat.untag_users(tag, people[:55])
    assert (await wechat.user_info(people[0]))["tagid_list"] == []
    assert (await wechat.user_info(people[59]))["subscribe"] == 1
    ticket = await wechat.create_qr("invite_a_b", 600)
    assert wechat.qr_picture_url(ticket).startswith(f"{platform.origin}/cgi-bin/showqrcode?ticket=")
    templates = await wechat.private_templates()
    assert [one.template_id for one in templates] == ["T1"]
    assert "{{thing1.DATA}}" in templates[0].content


async def test_originals_come_back_byte_for_byte_or_with_a_code(platform: Simulator, wechat: WeChat) -> None:
    uploaded = await wechat.client.media.upload("image", ("孩子.png", PNG, "image/png"))
    fetched = await wechat.download_media(uploaded["media_id"])
    assert fetched.content == PNG
    assert fetched.content_type == "image/png"
    assert fetched.filename
    with pytest.raises(WeChatRefused) as refusal:
        await wechat.download_media("no-such-media")
    assert (refusal.value.code, refusal.value.reaction) == (40007, Reaction.BUG)
    platform.world.clock.advance(3 * 86400 + 60)
    with pytest.raises(WeChatRefused):
        await wechat.download_media(uploaded["media_id"])


async def test_a_video_is_fetched_from_where_the_platform_says(wechat: WeChat) -> None:
    film = b"\0\0\0\x18ftypmp42" + b"film" * 100
    uploaded = await wechat.client.media.upload("video", ("a.mp4", film, "video/mp4"))
    assert (await wechat.download_media(uploaded["media_id"])).content == film


async def test_an_upload_is_whole_after_a_refreshed_token(platform: Simulator, wechat: WeChat) -> None:
    await wechat.tags()
    platform.world.clock.advance(7200 + 60)
    uploaded = await wechat.client.media.upload("image", ("a.png", PNG, "image/png"))
    assert (await wechat.download_media(uploaded["media_id"])).content == PNG


async def test_a_visitor_is_known_by_a_code_that_works_once(
    platform: Simulator, wechat: WeChat, http: aiohttp.ClientSession
) -> None:
    phone = platform.add_phone("villager")
    address = wechat.oauth_url(f"{platform.bot_url}/m/case/1?a=1&b=2", "state123")
    assert address.startswith(f"{platform.origin}/connect/oauth2/authorize?appid={APP_ID}&redirect_uri=http%3A")
    assert address.endswith("&response_type=code&scope=snsapi_base&state=state123#wechat_redirect")
    async with http.get(f"{address.partition('#')[0]}&sim_openid={phone.openid}", allow_redirects=False) as response:
        code = response.headers["Location"].partition("code=")[2].partition("&")[0]
    assert await wechat.oauth_openid(code) == (phone.openid, False)
    with pytest.raises(WeChatRefused) as refusal:
        await wechat.oauth_openid(code)
    assert refusal.value.reaction is Reaction.SIGN_IN_AGAIN


# Tokens.


async def test_twenty_callers_after_an_expiry_fetch_one_token(rude: Rude, rudely: WeChat) -> None:
    async def answer(request: web.Request) -> Answer:
        return {"errcode": 0 if request.query["access_token"] == "TOKEN-2-secret" else 42001, "errmsg": "x"}

    await asyncio.gather(*(rudely.send_text("o1", "a") for _ in range(20)))
    assert rude.calls["stable_token"] == 1
    rude.answer = answer
    await asyncio.gather(*(rudely.send_text("o1", "a") for _ in range(20)))
    assert rude.calls["stable_token"] == 2
    assert rude.calls["message/custom/send"] == 60


async def test_the_stand_in_s_expired_and_killed_tokens_are_replaced_unseen(
    platform: Simulator, wechat: WeChat
) -> None:
    phone = platform.add_phone("teacher")
    for _ in range(3):
        await phone.say("您好")
        await wechat.send_text(phone.openid, "收到")
        platform.world.clock.advance(7200 + 60)
    await phone.say("您好")
    await wechat.send_text(phone.openid, "收到")
    assert sum(item.text == "收到" for item in phone.screen) == 4


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_token_that_is_never_good_costs_two_calls(rude: Rude, rudely: WeChat, code: int) -> None:
    rude.answer = always(code)
    with pytest.raises(WeChatRefused) as refusal:
        await rudely.send_text("o1", "a")
    assert refusal.value.code == code
    assert rude.calls == {"stable_token": 2, "message/custom/send": 2}


async def test_a_token_that_stays_the_same_is_forced_once(rude: Rude, rudely: WeChat) -> None:
    rude.answer = always(40001)
    rude.token_answer = {"access_token": "STUCK", "expires_in": 7200}
    for _ in range(3):
        with pytest.raises(WeChatRefused):
            await rudely.send_text("o1", "a")
    forced = [json.loads(body)["force_refresh"] for body in rude.bodies if b"grant_type" in body]
    assert forced.count(True) == 1
    assert rude.calls["message/custom/send"] == 6


async def test_a_token_is_renewed_before_it_ends_and_at_once_when_it_lasts_a_moment(rude: Rude, rudely: WeChat) -> None:
    rude.lasts = 0
    for _ in range(3):
        await rudely.send_text("o1", "a")
    assert rude.calls["stable_token"] == 3
    assert rudely.tokens.is_known


@pytest.mark.parametrize("code", [40001, 40013, 40125, 40164, 40243, 61004, 89503])
async def test_a_refused_secret_or_address_is_not_asked_for_again_and_again(
    rude: Rude, rudely: WeChat, code: int
) -> None:
    rude.token_answer = {
        "errcode": code,
        "errmsg": "invalid ip 114.221.21.30 ipv6 ::ffff:114.221.21.30, not in whitelist",
    }
    for _ in range(10):
        with pytest.raises(WeChatRefused) as refusal:
            await rudely.send_text("o1", "a")
        assert refusal.value.reaction is Reaction.CONFIG
    assert rude.calls == {"stable_token": 1}
    assert not rudely.tokens.is_known


async def test_a_busy_token_call_is_tried_again_by_the_next_message(rude: Rude, rudely: WeChat) -> None:
    rude.token_answer = {"errcode": -1, "errmsg": "system error"}
    with pytest.raises(WeChatRefused) as refusal:
        await rudely.send_text("o1", "a")
    assert refusal.value.reaction is Reaction.RETRY_LATER
    rude.token_answer = None
    await rudely.send_text("o1", "a")


# Refusals.


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (-1, Reaction.RETRY_LATER),
        (45011, Reaction.RETRY_LATER),
        (45015, Reaction.OTHER_CHANNEL),
        (45047, Reaction.OTHER_CHANNEL),
        (43101, Reaction.OTHER_CHANNEL),
        (40200, Reaction.OTHER_CHANNEL),
        (40003, Reaction.CONTACT_GONE),
        (43004, Reaction.CONTACT_GONE),
        (48001, Reaction.CONFIG),
        (40037, Reaction.CONFIG),
        (47003, Reaction.BUG),
        (45002, Reaction.BUG),
        (99999, Reaction.OTHER_CHANNEL),
    ],
)
async def test_each_refusal_comes_once_and_says_what_to_do(
    rude: Rude, rudely: WeChat, code: int, expected: Reaction
) -> None:
    rude.answer = always(code, "argument invalid! data.thing1.value invalid rid: 64d1c3e0-1a2b3c4d-5e6f7a8b")
    with pytest.raises(WeChatRefused) as refusal:
        await rudely.send_template("o1", "T1", {"thing1": "x"}, None)
    assert (refusal.value.code, refusal.value.reaction) == (code, expected)
    assert (refusal.value.field, refusal.value.rid) == ("thing1", "64d1c3e0-1a2b3c4d-5e6f7a8b")
    assert rude.calls["message/template/send"] == 1


async def test_the_stand_in_s_refusals_are_sorted_too(platform: Simulator, wechat: WeChat) -> None:
    silent = platform.add_phone("silent")
    platform.world.clock.advance(3 * 86400)
    gone = platform.add_phone("gone", following=False)
    refusals = []
    for openid, template in ((silent.openid, None), (gone.openid, "T1"), (silent.openid, "T9")):
        with pytest.raises(WeChatRefused) as refusal:
            await (wechat.send_template(openid, template, {}) if template else wechat.send_text(openid, "x"))
        refusals.append((refusal.value.code, refusal.value.reaction))
    assert refusals == [
        (45015, Reaction.OTHER_CHANNEL),
        (43004, Reaction.CONTACT_GONE),
        (40037, Reaction.CONFIG),
    ]


async def test_an_answer_that_was_sent_before_counts_as_sent(rude: Rude, rudely: WeChat) -> None:
    rude.answer = always(45065)
    await rudely.send_text("o1", "a")


def test_every_code_has_one_reaction() -> None:
    table = known()
    assert len(table) > 130
    assert {found for code, found in table.items() if code not in {0, 45065, 45072, 45080, 45081}} == {*Reaction} - {
        Reaction.OK
    }
    assert reaction(12345678) is Reaction.OTHER_CHANNEL


# What cannot be known.


async def dropped(request: web.Request) -> Answer:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def cut_short(request: web.Request) -> Answer:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"errcode":')
    assert request.transport
    request.transport.abort()
    return response


def page(text: str, status: int) -> Answering:
    async def answer(_: web.Request) -> Answer:
        return web.Response(text=text, status=status, content_type="text/html")

    return answer


@pytest.mark.parametrize(
    "answer",
    [dropped, cut_short, page("Bad Gateway", 502), page("<html>log in first", 200), page("", 200), page("[]", 200)],
)
async def test_a_lost_answer_is_unknown_and_not_tried_again(rude: Rude, rudely: WeChat, answer: Answering) -> None:
    rude.answer = answer
    with pytest.raises(OutcomeUnknown):
        await rudely.send_text("o1", "a")
    assert rude.calls["message/custom/send"] == 1


async def test_an_answer_that_takes_too_long_is_unknown(
    rude: Rude, rudely: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def slow(_: web.Request) -> Answer:
        await released.wait()
        return {}

    rude.answer = slow
    monkeypatch.setattr("bot.transport.TIMEOUT", aiohttp.ClientTimeout(total=0.3))
    with pytest.raises(OutcomeUnknown):
        await rudely.send_text("o1", "a")
    released.set()


async def test_what_never_left_can_be_sent_later(http: aiohttp.ClientSession, rude: Rude, rudely: WeChat) -> None:
    nobody = WeChat(account("http://127.0.0.1:9"), http)
    for attempt in (nobody.send_text("o1", "a"), nobody.oauth_openid("c")):
        with pytest.raises(WeChatRefused) as refusal:
            await attempt
        assert (refusal.value.code, refusal.value.reaction) == (None, Reaction.RETRY_LATER)
    for status in (302, 403, 404, 429):
        rude.answer = page("", status)
        with pytest.raises(WeChatRefused) as refusal:
            await rudely.send_text("o1", "a")
        assert refusal.value.reaction is Reaction.RETRY_LATER


async def test_a_redirect_is_not_followed_with_the_token_in_hand(rude: Rude, rudely: WeChat) -> None:
    async def elsewhere(_: web.Request) -> Answer:
        return web.Response(status=307, headers={"Location": f"{rude.origin}/elsewhere"})

    rude.answer = elsewhere
    with pytest.raises(WeChatRefused):
        await rudely.send_text("o1", "a")
    assert rude.calls == {"stable_token": 1, "message/custom/send": 1}


async def test_a_broken_proxy_sends_nothing(http: aiohttp.ClientSession, rude: Rude) -> None:
    through = WeChat(account(rude.origin, proxy="http://me:hunter2@127.0.0.1:9"), http)
    with pytest.raises(WeChatRefused) as refusal:
        await through.send_text("o1", "a")
    assert "hunter2" not in repr(refusal.value)
    assert rude.calls == {}


async def test_chinese_goes_out_as_it_is_and_not_as_escapes(rude: Rude, rudely: WeChat) -> None:
    await rudely.send_text("o1", "孩子\ud800")
    await rudely.create_menu({"button": [{"name": "任务"}]})
    assert "孩子".encode() in rude.bodies[1]
    assert "任务".encode() in rude.bodies[2]
    assert b"\\u" not in b"".join(rude.bodies)


async def test_a_file_too_large_to_be_one_is_refused(
    rude: Rude, rudely: WeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def huge(_: web.Request) -> Answer:
        return web.Response(body=b"x" * 5000, content_type="image/jpeg")

    rude.answer = huge
    assert len((await rudely.download_media("m")).content) == 5000
    monkeypatch.setattr("bot.transport.LARGEST", 4000)
    with pytest.raises(WeChatRefused) as refusal:
        await rudely.download_media("m")
    assert refusal.value.reaction is Reaction.BUG


async def test_a_picture_that_begins_like_json_is_still_a_picture(rude: Rude, rudely: WeChat) -> None:
    for content in (b"{not json", b'{"a": 1}', b"{" * 5000, b""):

        async def file(_: web.Request, content: bytes = content) -> Answer:
            return web.Response(body=content, content_type="application/octet-stream")

        rude.answer = file
        assert (await rudely.download_media("m")).content == content


async def test_the_token_never_leaves_for_another_host(rude: Rude, rudely: WeChat) -> None:
    with pytest.raises(ValueError, match="outside the platform"):
        await rudely.client.post("https://api.example.org/x", data={})
    assert rude.calls == {}


async def test_nothing_secret_or_personal_is_in_errors_or_logs(
    rude: Rude, rudely: WeChat, log: Callable[[str, str], io.StringIO]
) -> None:
    written = log("debug", "json")
    told: list[str] = []

    async def fails(attempt: Awaitable[object]) -> None:
        try:
            await attempt
        except (WeChatRefused, OutcomeUnknown) as failure:
            logging.getLogger("somewhere").exception("failed %s", failure)  # noqa: TRY401 - a library would
            chain: BaseException | None = failure
            while chain:
                told.extend((repr(chain), str(chain), str(vars(chain))))
                chain = chain.__cause__ or chain.__context__
        else:
            pytest.fail("it did not fail")

    leaky = always(40001, "access_token TOKEN-1-secret of openid o-somebody")
    for answer in (always(45015), leaky, dropped, cut_short, page("<html>", 200), page("", 302)):
        rude.answer = answer
        await fails(rudely.send_text("o-somebody", "王小明"))
        await fails(rudely.oauth_openid("one-time-code"))
    rude.answer = dropped
    await fails(rudely.download_media("m"))
    text = written.getvalue()
    for event in ("platform_refused", "platform_silent", "somewhere"):
        assert event in text
    for secret in ("TOKEN-", SECRET, "o-somebody", "王小明", "one-time-code", "127.0.0.1", "access_token="):
        assert secret not in text
        assert secret not in "".join(told)
