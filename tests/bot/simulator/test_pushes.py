"""Messages on their way to the bot: signed, sealed, repeated, and what the person sees of the answers."""

import asyncio
import re

import pytest
from aiohttp import web

from bot.simulator import Mode
from bot.simulator.assumptions import Assumed
from bot.simulator.world import STRINGS
from tests.bot.simulator.tiny_bot import (
    ALL_MODES,
    OTHER_KEY,
    Incoming,
    TinyBot,
    never,
    silent,
    table,
    texts,
)

FAULT = STRINGS["fault_notice"]


@pytest.mark.parametrize("mode", ALL_MODES)
async def test_a_message_is_answered_in_every_mode(mode: Mode) -> None:
    async with table(mode=mode) as one:
        items = await one.platform.add_phone("田老师").say("孩子三天没来上课")
        assert [(item.side, item.text) for item in items] == [("me", "孩子三天没来上课"), ("account", "收到")]
        assert one.bot.seen[0].sealed == (mode is not Mode.PLAIN)
        body = str(one.platform.world.log.after(0)[0]["body"])
        assert ("孩子三天没来上课" in body) == (mode is not Mode.SAFE)
        assert ("<Encrypt>" in body) == (mode is not Mode.PLAIN)


async def test_saving_the_address_works_only_when_echostr_comes_back_exactly() -> None:
    async with table() as one:
        assert (await one.control("verify", {})) == {"ok": True}
        one.bot.echo_end = "\n"
        assert (await one.control("verify", {})) == {"ok": False}


@pytest.mark.parametrize("patience", [0.15])
async def test_without_an_answer_there_are_three_equal_deliveries_and_then_the_fault_notice(patience: float) -> None:
    async with table(never, patience=patience) as one:
        items = await one.platform.add_phone().say("有人吗")
        assert texts(items) == [FAULT]
        assert [item.kind for item in items] == ["text", "fault"]
        assert len(one.bot.seen) == 3
        assert len({incoming.xml for incoming in one.bot.seen}) == 1
        assert len({incoming.query["msg_signature"] for incoming in one.bot.seen}) == 3
        assert one.platform.world.state.alarms == 1


async def test_an_answer_after_the_patience_is_discarded_and_the_next_delivery_counts() -> None:
    deliveries: list[Incoming] = []

    async def slow_first(incoming: Incoming) -> web.Response:
        deliveries.append(incoming)
        if len(deliveries) == 1:
            await asyncio.sleep(0.4)
            return TinyBot().say(incoming, "迟到的回答")
        return TinyBot().say(incoming, "第二次的回答")

    async with table(slow_first, patience=0.2) as one:
        phone = one.platform.add_phone()
        assert texts(await phone.say("在吗")) == ["第二次的回答"]
        await asyncio.sleep(0.3)
        assert texts(phone.screen) == ["第二次的回答"]


async def test_redeliveries_start_when_the_patience_of_the_attempt_is_over() -> None:
    async with table(never, patience=0.2, retry_pause=None) as one:
        begun = asyncio.get_running_loop().time()
        await one.platform.add_phone().say("有人吗")
        assert 0.6 <= asyncio.get_running_loop().time() - begun < 1.5


XML = (
    "<xml><ToUserName>{to}</ToUserName><FromUserName>{me}</FromUserName><CreateTime>{at}</CreateTime>"
    "<MsgType>{kind}</MsgType>{rest}</xml>"
)
GOOD = {
    "to": "o-sim-00001",
    "me": "gh_standin0001",
    "at": "1714037059",
    "kind": "text",
    "rest": "<Content>好</Content>",
}
ITEM = "<item><Title>标题</Title><Description>说明</Description><Url>http://127.0.0.1/</Url></item>"
BAD_REPLIES = {
    "json": '{"errcode":0}',
    "quoted success": '"success"',
    "success with a newline": "success\n",
    "html": "<html><body>502</body></html>",
    "broken xml": "<xml><ToUserName>",
    "entities": '<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>',
    "empty content": XML.format(**{**GOOD, "rest": "<Content></Content>"}),
    "only blanks": XML.format(**{**GOOD, "rest": "<Content>  </Content>"}),
    "2049 bytes": XML.format(**{**GOOD, "rest": "<Content>" + "童" * 683 + "</Content>"}),
    "names not swapped": XML.format(**{**GOOD, "to": "gh_standin0001", "me": "o-sim-00001"}),
    "somebody else's openid": XML.format(**{**GOOD, "to": "o-sim-00002"}),
    "time with a fraction": XML.format(**{**GOOD, "at": "1714037059.5"}),
    "unknown kind": XML.format(**{**GOOD, "kind": "card"}),
    "two articles after a text": XML.format(
        **{**GOOD, "kind": "news", "rest": f"<ArticleCount>2</ArticleCount><Articles>{ITEM}{ITEM}</Articles>"}
    ),
    "music without a picture": XML.format(
        **{**GOOD, "kind": "music", "rest": "<Music><MusicUrl>http://127.0.0.1/</MusicUrl></Music>"}
    ),
    "unknown media": XML.format(**{**GOOD, "kind": "image", "rest": "<Image><MediaId>x</MediaId></Image>"}),
}


@pytest.mark.parametrize("body", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
async def test_what_the_platform_would_not_take_shows_the_fault_notice_once(body: str) -> None:
    async def answer(_incoming: Incoming) -> web.Response:
        return web.Response(text=body)

    async with table(answer, mode=Mode.PLAIN) as one:
        assert texts(await one.platform.add_phone().say("你好")) == [FAULT]
        assert len(one.bot.seen) == 1
        assert [entry["kind"] for entry in one.platform.world.log.after(0)] == ["push", "alarm"]


GOOD_REPLIES = {
    "text": (XML.format(**GOOD), ["好"]),
    "exactly 2048 bytes": (XML.format(**{**GOOD, "rest": "<Content>" + "a" * 2048 + "</Content>"}), ["a" * 2048]),
    "one article": (
        XML.format(**{**GOOD, "kind": "news", "rest": f"<ArticleCount>1</ArticleCount><Articles>{ITEM}</Articles>"}),
        ["说明"],
    ),
    "success": ("success", []),
    "nothing": ("", []),
    "reply and more": (XML.format(**GOOD) + "success", ["好", FAULT]),
}


@pytest.mark.parametrize(("body", "seen"), GOOD_REPLIES.values(), ids=GOOD_REPLIES.keys())
async def test_what_the_platform_takes_is_shown(body: str, seen: list[str]) -> None:
    async def answer(_incoming: Incoming) -> web.Response:
        return web.Response(text=body)

    async with table(answer, mode=Mode.PLAIN) as one:
        assert texts(await one.platform.add_phone().say("你好")) == seen


async def test_a_plain_reply_is_refused_in_safe_mode_and_taken_in_compatible_mode() -> None:
    async def plain(incoming: Incoming) -> web.Response:
        return web.Response(text=XML.format(**{**GOOD, "to": re.findall(r"o-sim-\d+", incoming.xml)[0]}))

    async with table(plain) as one:
        phone = one.platform.add_phone()
        assert texts(await phone.say("你好")) == [FAULT]
        await one.control("account", {"mode": "compatible"})
        assert texts(await phone.say("你好")) == ["好"]


async def test_a_reply_sealed_with_a_wrong_signature_or_key_is_refused() -> None:
    async def forged(incoming: Incoming) -> web.Response:
        answer = TinyBot().say(incoming, "好")
        return web.Response(text=re.sub("<MsgSignature><!.CDATA.....", "<MsgSignature><![CDATA[00", answer.text or ""))

    async def wrong_key(incoming: Incoming) -> web.Response:
        return TinyBot(key=OTHER_KEY).say(incoming, "好")

    for answer in (forged, wrong_key):
        async with table(answer) as one:
            assert texts(await one.platform.add_phone().say("你好")) == [FAULT]


async def test_a_status_other_than_200_shows_the_notice() -> None:
    async def broken(_incoming: Incoming) -> web.Response:
        return web.Response(status=500, text="success")

    async with table(broken) as one:
        assert texts(await one.platform.add_phone().say("你好")) == [FAULT]


async def test_an_event_may_be_answered_with_eight_articles() -> None:
    async def answer(_incoming: Incoming) -> web.Response:
        rest = f"<ArticleCount>8</ArticleCount><Articles>{ITEM * 8}</Articles>"
        return web.Response(text=XML.format(**{**GOOD, "kind": "news", "rest": rest}))

    async with table(answer, mode=Mode.PLAIN) as one:
        phone = one.platform.add_phone(following=False)
        assert texts(await phone.follow()) == ["说明"] * 8


@pytest.mark.parametrize("fault", ["wrong_signature", "wrong_appid", "old_key", "broken_padding"])
async def test_wechatpy_refuses_a_push_that_is_wrong_on_purpose(fault: str) -> None:
    async with table() as one:
        phone = one.platform.add_phone()
        await one.control("faults", {fault: 1})
        assert texts(await phone.say("假的")) == [FAULT]
        assert len(one.bot.refused) == 1
        assert texts(await phone.say("真的")) == ["收到"]


async def test_during_a_key_change_a_reply_sealed_with_the_key_of_the_push_is_taken() -> None:
    async with table(previous_encoding_aes_key=OTHER_KEY) as one:
        phone = one.platform.add_phone()
        one.bot.key = OTHER_KEY
        await one.control("faults", {"old_key": -1})
        assert texts(await phone.say("旧钥匙")) == ["收到"]


async def test_one_message_delivered_three_times_at_once_is_shown_once() -> None:
    release = asyncio.Event()
    waiting: list[Incoming] = []

    async def together(incoming: Incoming) -> web.Response:
        waiting.append(incoming)
        if len(waiting) == 3:
            release.set()
        await release.wait()
        return TinyBot().say(incoming, "收到")

    async with table(together) as one:
        phone = one.platform.add_phone()
        await one.control("faults", {"duplicate": {"times": 3, "concurrent": True}})
        assert texts(await phone.say("一次")) == ["收到"]
        assert len({incoming.xml for incoming in one.bot.seen}) == 1
        assert len(one.bot.seen) == 3
        assert len({entry["answer_plain"] for entry in one.platform.world.log.after(0)}) == 1


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
async def test_a_dropped_connection_is_made_good_by_the_next_delivery(fault: str) -> None:
    async with table() as one:
        phone = one.platform.add_phone()
        await one.control("faults", {fault: 1})
        assert texts(await phone.say("断了")) == ["收到"]
        assert len(one.bot.seen) == 2


async def test_a_bot_that_is_not_there_gives_the_notice() -> None:
    async with table() as one:
        one.platform.bot_url = "http://127.0.0.1:9"
        assert texts(await one.platform.add_phone().say("有人吗")) == [FAULT]


async def test_messages_of_one_person_keep_their_order_and_nobody_waits_for_another() -> None:
    stuck = asyncio.Event()

    async def answer(incoming: Incoming) -> web.Response:
        if "慢" in incoming.xml:
            await stuck.wait()
        return TinyBot().say(incoming, "好")

    async with table(answer) as one:
        slow, quick = one.platform.add_phone("慢"), one.platform.add_phone("快")
        first = asyncio.create_task(slow.say("慢一"))
        second = asyncio.create_task(slow.say("二"))
        assert texts(await quick.say("一")) == ["好"]
        assert ["二" in incoming.xml for incoming in one.bot.seen] == [False, False]
        stuck.set()
        await asyncio.gather(first, second)
        assert "二" in one.bot.seen[-1].xml


async def test_after_many_failures_pushes_stop_for_one_minute() -> None:
    async def broken(_incoming: Incoming) -> web.Response:
        return web.Response(status=500)

    async with table(broken, mark_fail_threshold=2) as one:
        phone = one.platform.add_phone()
        await phone.say("一")
        await phone.say("二")
        await phone.say("三")
        assert len(one.bot.seen) == 2
        one.platform.world.clock.advance(61)
        await phone.say("四")
        assert len(one.bot.seen) == 3


async def test_text_that_would_break_the_xml_arrives_as_typed() -> None:
    async with table(silent) as one:
        await one.platform.add_phone().say("a]]><b>&amp;</b>")
        assert one.bot.seen[0].message.content == "a]]><b>&amp;</b>"  # type: ignore[attr-defined]  # wechatpy has no types


@pytest.mark.parametrize(
    ("kind", "rest", "seen"),
    [
        ("image", "<Image><MediaId>{image}</MediaId></Image>", ("image", "")),
        ("image", "<Image><MediaId>{gif}</MediaId></Image>", ("fault", FAULT)),
        ("voice", "<Voice><MediaId>{image}</MediaId></Voice>", ("fault", FAULT)),
        ("music", "<Music><Title>歌</Title><ThumbMediaId>{image}</ThumbMediaId></Music>", ("news", "")),
        ("image", "<Image><MediaId>{old}</MediaId></Image>", ("fault", FAULT)),
        ("transfer_customer_service", "", None),
    ],
)
async def test_a_reply_may_hold_media_that_the_platform_has_for_that_kind(
    kind: str, rest: str, seen: tuple[str, str] | None
) -> None:
    ids: dict[str, str] = {}

    async def answer(_incoming: Incoming) -> web.Response:
        return web.Response(text=XML.format(**{**GOOD, "kind": kind, "rest": rest.format(**ids)}))

    async with table(answer, mode=Mode.PLAIN) as one:
        world = one.platform.world
        ids["old"] = world.keep_media("image", b"", "image/jpeg", "").media_id
        world.clock.advance(3 * 24 * 3600)
        ids["image"] = world.keep_media("image", b"", "image/jpeg", "").media_id
        ids["gif"] = world.keep_media("image", b"", "image/gif", "").media_id
        items = await one.platform.add_phone().say("你好")
        assert [(item.kind, item.text) for item in items[1:]] == ([seen] if seen else [])


async def test_pushes_that_are_wrong_on_purpose_never_suspend_and_eighty_real_failures_do() -> None:
    async def broken(_incoming: Incoming) -> web.Response:
        return web.Response(status=500)

    async with table(broken, overlap=True) as one:
        phone = one.platform.add_phone()
        await one.control("faults", {"wrong_signature": 90})
        await asyncio.gather(*(phone.say("假的") for _ in range(90)))
        await asyncio.gather(*(phone.say("真的") for _ in range(80)))
        assert len(one.bot.seen) == 80
        await phone.say("没人收到")
        assert len(one.bot.seen) == 80
        assert "suspended" in str(one.platform.world.log.after(0)[-1]["reason"])


async def test_deliveries_can_be_the_very_same_bytes() -> None:
    async with table(never, patience=0.1, assumed=Assumed(fresh_signatures=False)) as one:
        await one.platform.add_phone().say("有人吗")
        assert len({incoming.query["msg_signature"] for incoming in one.bot.seen}) == 1
        assert len(one.bot.seen) == 3


async def test_a_refused_answer_can_be_delivered_again() -> None:
    async def broken(_incoming: Incoming) -> web.Response:
        return web.Response(status=500)

    async with table(broken, retry_bad_answers=True) as one:
        assert texts(await one.platform.add_phone().say("有人吗")) == [FAULT]
        assert len(one.bot.seen) == 3
