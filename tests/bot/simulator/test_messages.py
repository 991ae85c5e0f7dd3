"""Customer-service messages: the windows in which they may be sent, what they look like, what is refused."""

import pytest

from bot.simulator.assumptions import Assumed
from tests.bot.simulator.tiny_bot import Table, silent, table, texts

JPG = b"\xff\xd8\xff\xe0" + b"picture" * 20


async def send(one: Table, openid: str, text: str = "您好") -> object:
    answer = await one.api("message/custom/send", {"touser": openid, "msgtype": "text", "text": {"content": text}})
    return answer["errcode"]


async def test_five_messages_in_48_hours_after_a_message_of_the_person() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        assert await send(one, phone.openid) == 45015
        await phone.say("在吗")
        assert [await send(one, phone.openid, str(n)) for n in range(6)] == [0, 0, 0, 0, 0, 45047]
        assert texts(phone.screen) == ["0", "1", "2", "3", "4"]
        await phone.say("还在吗")
        assert await send(one, phone.openid) == 0
        one.platform.world.clock.advance(48 * 3600 - 5)
        assert await send(one, phone.openid) == 0
        one.platform.world.clock.advance(10)
        assert await send(one, phone.openid) == 45015


@pytest.mark.parametrize("how", ["follow", "scan", "tap"])
async def test_three_messages_in_one_minute_after_a_follow_a_scan_or_a_tap(how: str) -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone(following=how != "follow")
        scene = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "invite-1"}}}
        await one.api("qrcode/create", scene)
        if how == "follow":
            await phone.follow()
        elif how == "scan":
            await phone.scan("invite-1")
        else:
            await phone.tap("101", "正常")
        assert [await send(one, phone.openid) for _ in range(4)] == [0, 0, 0, 45047]
        one.platform.world.clock.advance(61)
        assert await send(one, phone.openid) == 45015


async def test_a_button_that_only_leads_to_a_page_opens_no_window() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        view = {"type": "view", "name": "说明", "url": "http://127.0.0.1/m/about"}
        await one.api("menu/create", {"button": [view]})
        await one.control(f"phones/{phone.openid}/menu", {"key": "说明"})
        await one.control(f"phones/{phone.openid}/event", {"event": "LOCATION", "fields": {"Latitude": "25.1"}})
        assert await send(one, phone.openid) == 45015


async def test_the_short_window_is_spent_before_the_long_one() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        await phone.tap("1", "好")
        assert [await send(one, phone.openid) for _ in range(9)] == [0] * 8 + [45047]


@pytest.mark.parametrize(
    ("assumed", "sent"),
    [
        (Assumed(), 8),
        (Assumed(allowances_apart=False), 5),
        (Assumed(allowances_add_up=True), 13),
    ],
)
async def test_how_the_two_allowances_are_counted_can_be_switched(assumed: Assumed, sent: int) -> None:
    async with table(silent, assumed=assumed) as one:
        phone = one.platform.add_phone()
        for _ in range(2):
            await phone.say("在吗")
        await phone.tap("1", "好")
        answers = [await send(one, phone.openid) for _ in range(14)]
        assert answers == [0] * sent + [45047] * (14 - sent)


async def test_which_allowance_is_spent_first_can_be_switched() -> None:
    left = {}
    for short_first in (True, False):
        async with table(silent, assumed=Assumed(short_allowance_first=short_first)) as one:
            phone = one.platform.add_phone()
            await phone.say("在吗")
            await phone.tap("1", "好")
            assert [await send(one, phone.openid) for _ in range(4)] == [0] * 4
            one.platform.world.clock.advance(61)
            left[short_first] = [await send(one, phone.openid) for _ in range(5)].count(0)
    assert left == {True: 4, False: 1}


async def test_leaving_closes_every_window() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        await phone.unfollow()
        assert await send(one, phone.openid) == 45015
        await phone.follow()
        assert [await send(one, phone.openid) for _ in range(4)] == [0, 0, 0, 45047]


async def test_what_is_refused_spends_nothing() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        assert await send(one, "o-stranger") == 40003
        assert await send(one, phone.openid, "童" * 683) == 45002
        assert await send(one, phone.openid, " ") == 44004
        for kind, part, code in [
            ("image", {"media_id": "no"}, 40007),
            ("news", {"articles": [{"title": "a"}, {"title": "b"}]}, 45008),
            ("poem", {}, 40008),
            ("msgmenu", {"head_content": "", "list": []}, 47001),
        ]:
            answer = await one.api("message/custom/send", {"touser": phone.openid, "msgtype": kind, kind: part})
            assert answer["errcode"] == code
            assert " rid: " in str(answer["errmsg"])
        assert [await send(one, phone.openid) for _ in range(6)] == [0] * 5 + [45047]


async def test_escapes_are_shown_as_they_stand() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        raw = b'{"touser":"%s","msgtype":"text","text":{"content":"\\u4f60\\n"}}' % phone.openid.encode()
        await one.api("message/custom/send", raw)
        assert texts(phone.screen) == ["\\u4f60\n"]
    async with table(silent, assumed=Assumed(escapes_stand=False)) as one:
        await one.platform.add_phone(openid=phone.openid).say("在吗")
        await one.api("message/custom/send", raw)
        assert texts(one.platform.phone(phone.openid).screen) == ["你\n"]
        menu = b'{"button":[{"type":"click","name":"\\u6211","key":"a"}]}'
        assert (await one.api("menu/create", menu))["errcode"] == 0


async def test_a_menu_message_shows_its_items_and_a_tap_arrives_with_its_id() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        items = [{"id": "101", "content": "一切正常"}, {"id": "102", "content": "有问题"}]
        menu = {"head_content": "孩子怎么样？", "list": items, "tail_content": "点一下"}
        await one.api("message/custom/send", {"touser": phone.openid, "msgtype": "msgmenu", "msgmenu": menu})
        shown = phone.screen[-1]
        assert (shown.kind, shown.text, shown.title, shown.items) == ("menu", "孩子怎么样？", "点一下", items)
        await phone.tap("101", "一切正常")
        assert "<bizmsgmenuid><![CDATA[101]]></bizmsgmenuid>" in one.bot.seen[-1].xml
        await one.control("account", {"kind": "test"})
        answer = await one.api("message/custom/send", {"touser": phone.openid, "msgtype": "msgmenu", "msgmenu": menu})
        assert answer["errcode"] == 40200


async def test_an_item_of_a_menu_message_can_be_made_to_expire() -> None:
    async with table(assumed=Assumed(menu_life=3600)) as one:
        phone = one.platform.add_phone()
        link = '<a href="weixin://bizmsgmenu?msgmenucontent=%E5%A5%BD&msgmenuid=go%20on">好</a>'
        menu = {"head_content": "孩子怎么样？", "list": [{"id": "101", "content": "一切正常"}], "tail_content": ""}
        both = (("msgmenu", menu), ("text", {"content": f"接着说吗？{link}"}))
        await phone.say("在吗")
        for kind, part in both:
            await one.api("message/custom/send", {"touser": phone.openid, "msgtype": kind, kind: part})
        one.platform.world.clock.advance(3500)
        assert texts(await phone.tap("101", "一切正常")) == texts(await phone.tap("go on", "好")) == ["收到"]
        one.platform.world.clock.advance(100)
        pushed = len(one.bot.seen)
        assert texts(await phone.tap("101", "一切正常")) == texts(await phone.tap("go on", "好")) == ["菜单已失效"]
        assert len(one.bot.seen) == pushed
        await one.api("message/custom/send", {"touser": phone.openid, "msgtype": "msgmenu", "msgmenu": menu})
        assert texts(await phone.tap("101", "一切正常")) == ["收到"]


async def test_a_picture_that_was_uploaded_is_shown_until_it_expires() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        media = one.platform.world.keep_media("image", JPG, "image/jpeg", "a.jpg")
        body = {"touser": phone.openid, "msgtype": "image", "image": {"media_id": media.media_id}}
        assert (await one.api("message/custom/send", body))["errcode"] == 0
        assert phone.screen[-1].media_id == media.media_id
        async with one.http.get(one.platform.origin + phone.screen[-1].url) as response:
            assert await response.read() == JPG
        one.platform.world.clock.advance(3 * 24 * 3600)
        await phone.say("三天以后")
        assert (await one.api("message/custom/send", body))["errcode"] == 40007


async def test_the_typing_sign_needs_a_person_who_acted_in_the_last_half_minute() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")

        async def typing(command: str = "Typing") -> object:
            return (await one.api("message/custom/typing", {"touser": phone.openid, "command": command}))["errcode"]

        assert [await typing("Tipping"), await typing(), await typing()] == [45072, 0, 45081]
        assert [await typing("CancelTyping"), await typing()] == [0, 0]
        one.platform.world.clock.advance(31)
        assert await typing() == 45080


@pytest.mark.parametrize(
    ("kind", "custom", "template"),
    [
        ("verified-service", 45015, 40036),
        ("verified-subscription", 45015, 48001),
        ("unverified-service", 48001, 48001),
        ("unverified-subscription", 48001, 48001),
        ("test", 45015, 40036),
    ],
)
async def test_the_kind_of_account_decides_what_it_may_do(kind: str, custom: int, template: int) -> None:
    async with table(silent, kind=kind) as one:
        phone = one.platform.add_phone()
        assert await send(one, phone.openid) == custom
        assert (await one.api("message/template/send", {"touser": phone.openid}))["errcode"] == template


async def test_an_account_that_blocks_messages_and_a_person_on_the_blacklist_get_none() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        await one.control(f"phones/{phone.openid}/settings", {"refuse_messages": True})
        assert await send(one, phone.openid) == 48002
        await one.control(f"phones/{phone.openid}/settings", {"refuse_messages": False})
        black = {"openid_list": [phone.openid]}
        await one.api("tags/members/batchblacklist", black)
        listed = await one.api("tags/members/getblacklist", {"begin_openid": ""})
        assert listed["data"] == {"openid": [phone.openid]}
        assert await send(one, phone.openid) == 43019
        assert (await one.api("message/template/send", {"touser": phone.openid, "template_id": "T-task"}))[
            "errcode"
        ] == 43019
        await one.api("tags/members/batchunblacklist", black)
        assert await send(one, phone.openid) == 0
        assert (await one.api("tags/members/batchblacklist", {"openid_list": ["o"] * 21}))["errcode"] == 40032


async def test_a_test_account_is_not_told_which_item_was_tapped() -> None:
    async with table(silent, kind="test") as one:
        await one.platform.add_phone().tap("101", "正常")
        assert "bizmsgmenuid" not in one.bot.seen[-1].xml


async def test_music_articles_and_mini_programs_need_a_picture_of_their_own() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await phone.say("在吗")
        thumb = one.platform.world.keep_media("thumb", JPG, "image/jpeg", "a.jpg").media_id
        kinds: list[tuple[str, dict[str, object]]] = [
            ("music", {"title": "歌", "musicurl": "http://127.0.0.1/a.mp3", "hqmusicurl": "", "thumb_media_id": thumb}),
            ("miniprogrampage", {"title": "页", "appid": "wx1", "pagepath": "a", "thumb_media_id": thumb}),
        ]
        for kind, part in kinds:
            body = {"touser": phone.openid, "msgtype": kind, kind: part}
            assert (await one.api("message/custom/send", body))["errcode"] == 0
            body = {"touser": phone.openid, "msgtype": kind, kind: {**part, "thumb_media_id": "no"}}
            assert (await one.api("message/custom/send", body))["errcode"] == 40007
        for kind, code in (("mpnews", 40007), ("wxcard", 48001), ("mpvideo", 40008), ("link", 40008)):
            body = {"touser": phone.openid, "msgtype": kind, kind: {"media_id": "no"}}
            assert (await one.api("message/custom/send", body))["errcode"] == code
        assert [item.title for item in phone.screen[1:]] == ["歌", "页"]
