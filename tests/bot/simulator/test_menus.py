"""Menus by tag, tags, users and QR codes."""

import io
import re

import pytest

from bot.simulator.assumptions import Assumed
from bot.simulator.state import Phone
from tests.bot.simulator.tiny_bot import Table, silent, table, texts

CLICK = {"type": "click", "name": "我的任务", "key": "tasks"}
VIEW = {"type": "view", "name": "说明", "url": "http://127.0.0.1/m/about"}
MENU = {"button": [CLICK, {"name": "更多", "sub_button": [VIEW, {"type": "click", "name": "帮助", "key": "help"}]}]}


async def new_tag(one: Table, name: str) -> int:
    tag = (await one.api("tags/create", {"tag": {"name": name}}))["tag"]
    assert isinstance(tag, dict)
    return int(tag["id"])


async def code(one: Table, path: str, body: object = None) -> object:
    return (await one.api(path, body)).get("errcode", 0)


async def test_a_menu_is_created_read_tapped_and_deleted() -> None:
    async with table() as one:
        phone = one.platform.add_phone()
        assert await code(one, "menu/get") == 46003
        assert await code(one, "menu/create", MENU) == 0
        assert "我的任务" in str(await one.api("menu/get"))
        assert texts(await phone.press("help")) == ["收到"]
        assert one.bot.seen[-1].message.event == "click"  # type: ignore[attr-defined]  # wechatpy has no types
        await one.control(f"phones/{phone.openid}/menu", {"key": "http://127.0.0.1/m/about"})
        assert one.bot.seen[-1].message.url == "http://127.0.0.1/m/about"  # type: ignore[attr-defined]  # wechatpy has no types
        assert [item.side for item in phone.screen] == ["me", "account", "me"]
        assert await code(one, "menu/delete") == 0
        assert (await one.control(f"phones/{phone.openid}/menu"))["button"] == []


@pytest.mark.parametrize(
    ("menu", "expected"),
    [
        ({"button": []}, 40016),
        ({"button": [CLICK] * 4}, 40016),
        ({"button": [{**CLICK, "name": "名字太长了吧"}]}, 40018),
        ({"button": [{**CLICK, "type": "press"}]}, 40017),
        ({"button": [{**CLICK, "key": "k" * 129}]}, 40019),
        ({"button": [{**VIEW, "url": "http://127.0.0.1/" + "a" * 1024}]}, 40020),
        ({"button": [{"name": "更多", "sub_button": [CLICK] * 6}]}, 40023),
        ({"button": [{"name": "更多", "sub_button": [{**CLICK, "type": "x"}]}]}, 40024),
        ({"button": [{"name": "更多", "sub_button": [{**CLICK, "name": "长" * 21}]}]}, 40025),
        (b'{"button":[{"type":"click","name":"\\u6211","key":"a"}]}', 40033),
        ({"button": [{**VIEW, "url": "weixin://menu"}]}, 40020),
        ({"button": [{**VIEW, "type": "miniprogram", "appid": "wx1"}]}, 40035),
        ({"button": [{"name": "更多", "sub_button": [{**CLICK, "key": "k" * 129}]}]}, 40026),
        ({"button": [{"name": "更多", "sub_button": [{**VIEW, "url": ""}]}]}, 40027),
    ],
)
async def test_a_menu_beyond_the_limits_is_refused(menu: object, expected: int) -> None:
    async with table(silent) as one:
        assert await code(one, "menu/create", menu) == expected


async def test_the_tag_applied_last_decides_which_menu_a_person_sees() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        teacher, officer = await new_tag(one, "教师"), await new_tag(one, "儿童主任")
        rule = {"button": [{**CLICK, "name": "教师菜单"}], "matchrule": {"tag_id": str(teacher)}}
        assert await code(one, "menu/addconditional", rule) == 65303
        await one.api("menu/create", MENU)
        made = await one.api("menu/addconditional", rule)
        await one.api(
            "menu/addconditional", {"button": [{**CLICK, "name": "主任菜单"}], "matchrule": {"tag_id": officer}}
        )

        async def sees() -> str:
            return str(await one.api("menu/trymatch", {"user_id": phone.openid}))

        assert "我的任务" in await sees()
        for tag, name in ((teacher, "教师菜单"), (officer, "主任菜单"), (teacher, "教师菜单")):
            await one.api("tags/members/batchtagging", {"openid_list": [phone.openid], "tagid": tag})
            assert name in await sees()
        assert await code(one, "menu/delconditional", {"menuid": made["menuid"]}) == 0
        assert "我的任务" in await sees()
        assert await code(one, "menu/delconditional", {"menuid": made["menuid"]}) == 65301


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"sex": "1"}, 65320),
        ({"tag_id": "100", "client_platform_type": "2"}, 65320),
        ({}, 65304),
        ({"tag_id": "999"}, 45159),
        ({"tag_id": "x"}, 45159),
    ],
)
async def test_only_tags_may_choose_a_menu(rule: dict[str, str], expected: int) -> None:
    async with table(silent) as one:
        await one.api("menu/create", MENU)
        assert await code(one, "menu/addconditional", {"button": [CLICK], "matchrule": rule}) == expected


async def test_special_buttons_push_what_the_platform_pushes() -> None:
    buttons = [
        {"type": "scancode_waitmsg", "name": "扫一扫", "key": "scan"},
        {"type": "location_select", "name": "发位置", "key": "place"},
        {"type": "pic_photo_or_album", "name": "发照片", "key": "photo"},
    ]
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await one.api("menu/create", {"button": buttons})
        menu = f"phones/{phone.openid}/menu"
        await one.control(menu, {"key": "scan", "scan_result": "code-7"})
        await one.control(menu, {"key": "place", "lat": 25.1, "lng": 104.9, "label": "者相镇"})
        await one.control(menu, {"key": "photo", "base64": "/9j/4AAQ"})
        kinds = [re.findall(r"<(?:Event|MsgType)><!\[CDATA\[(\w+)", incoming.xml) for incoming in one.bot.seen]
        assert kinds == [
            ["event", "scancode_waitmsg"],
            ["event", "location_select"],
            ["location"],
            ["event", "pic_photo_or_album"],
            ["image"],
        ]
        assert "code-7" in one.bot.seen[0].xml
        await one.control(menu, {"key": "photo", "pictures": ["/9j/4AAQ", "/9j/4BBB"]})
        assert one.bot.seen[5].xml.count("<item><PicMd5Sum>") == 2
        assert [incoming.message.type for incoming in one.bot.seen[6:]] == ["image", "image"]  # type: ignore[attr-defined]  # wechatpy has no types


async def test_opening_a_submenu_is_not_pushed_and_a_mini_program_is() -> None:
    program = {"type": "miniprogram", "name": "小程序", "url": "http://127.0.0.1/", "appid": "wx1", "pagepath": "a/b"}
    async with table(silent) as one:
        phone = one.platform.add_phone()
        tag = await new_tag(one, "教师")
        await one.api("menu/create", MENU)
        rule = {"button": [{"name": "更多", "sub_button": [program, VIEW]}], "matchrule": {"tag_id": tag}}
        menuid = (await one.api("menu/addconditional", rule))["menuid"]
        await one.api("tags/members/batchtagging", {"openid_list": [phone.openid], "tagid": tag})
        for key in ("更多", "小程序", "说明"):
            await one.control(f"phones/{phone.openid}/menu", {"key": key})
        assert [re.findall(r"<(?:Event|EventKey)><!\[CDATA\[([^]]+)", incoming.xml) for incoming in one.bot.seen] == [
            ["view_miniprogram", "a/b"],
            ["VIEW", VIEW["url"]],
        ]
        assert all(f"<MenuId>{menuid}</MenuId>" in incoming.xml for incoming in one.bot.seen)


async def test_the_links_of_all_tagged_menus_lead_to_three_domains_at_most() -> None:
    async with table(silent) as one:
        tag = await new_tag(one, "教师")
        await one.api("menu/create", MENU)

        async def add(host: str) -> object:
            button = {**VIEW, "url": f"https://{host}/"}
            return await code(one, "menu/addconditional", {"button": [button], "matchrule": {"tag_id": tag}})

        assert [await add(f"{name}.example") for name in "abbcd"] == [0, 0, 0, 0, 65316]


async def test_tags_have_limits_and_leave_with_the_person() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        tag = await new_tag(one, "教师")
        assert await code(one, "tags/create", {"tag": {"name": "教师"}}) == 45157
        assert await code(one, "tags/create", {"tag": {"name": "十一个字的标签名太长了"}}) == 45158
        body = {"openid_list": [phone.openid], "tagid": tag}
        assert await code(one, "tags/members/batchtagging", {**body, "tagid": 2}) == 45058
        assert await code(one, "tags/members/batchtagging", {**body, "tagid": 999}) == 45159
        assert await code(one, "tags/members/batchtagging", {**body, "openid_list": ["o"] * 51}) == 40032
        assert await code(one, "tags/members/batchtagging", {**body, "openid_list": ["o-other"]}) == 49003
        assert await code(one, "tags/members/batchtagging", body) == 0
        assert (await one.api("tags/getidlist", {"openid": phone.openid}))["tagid_list"] == [tag]
        assert "'count': 1" in str(await one.api("tags/get"))
        assert await code(one, "tags/members/batchuntagging", body) == 0
        await one.api("tags/members/batchtagging", body)
        await phone.unfollow()
        assert (await one.api("tags/getidlist", {"openid": phone.openid}))["tagid_list"] == []


async def test_followers_are_listed_and_their_names_are_not_told() -> None:
    async with table(silent, followers=3) as one:
        listed = await one.api("user/get")
        assert listed["total"] == 3
        assert listed["data"] == {"openid": ["o-sim-00001", "o-sim-00002", "o-sim-00003"]}
        assert (await one.api("user/get", next_openid="o-sim-00003"))["count"] == 0
        await one.control("phones/o-sim-00002/settings", {"name": "田老师"})
        info = await one.api("user/info", openid="o-sim-00002")
        assert info["subscribe"] == 1
        assert "田老师" not in str(info)
        await one.platform.phone("o-sim-00002").unfollow()
        assert (await one.api("user/info", openid="o-sim-00002"))["subscribe"] == 0


async def test_a_stranger_who_scans_follows_with_the_scene_and_a_follower_only_scans() -> None:
    async with table() as one:
        stranger = one.platform.add_phone(following=False)
        made = await one.api(
            "qrcode/create",
            {"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "a_b"}}},
        )
        assert texts(await stranger.scan("a_b")) == ["收到"]
        assert "<EventKey><![CDATA[qrscene_a_b]]>" in one.bot.seen[-1].xml
        await stranger.scan("a_b")
        assert "<EventKey><![CDATA[a_b]]>" in one.bot.seen[-1].xml
        assert str(made["ticket"]) in one.bot.seen[-1].xml
        info = await one.api("user/info", openid=stranger.openid)
        assert (info["subscribe_scene"], info["qr_scene_str"]) == ("ADD_SCENE_QR_CODE", "a_b")
        one.platform.world.clock.advance(601)
        await stranger.scan("a_b")
        assert len(one.bot.seen) == 2
        assert stranger.screen[-1].side == "notice"


async def test_a_qr_code_has_a_picture_and_limits() -> None:
    async with table(silent) as one:
        scene = {"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 7}}}
        made = await one.api("qrcode/create", scene)
        assert made["expire_seconds"] == 30
        address = f"{one.platform.origin}/cgi-bin/showqrcode"
        async with one.http.get(address, params={"ticket": str(made["ticket"])}) as response:
            assert io.BytesIO(await response.read()).read(8) == b"\x89PNG\r\n\x1a\n"
        async with one.http.get(address, params={"ticket": "no"}) as response:
            assert response.status == 404
        for wrong in (
            {**scene, "action_name": "QR"},
            {**scene, "action_info": {"scene": {"scene_id": 0}}},
            {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "a" * 65}}},
            {"action_name": "QR_LIMIT_SCENE", "action_info": {"scene": {"scene_id": 100_001}}},
            {**scene, "expire_seconds": 0},
            {**scene, "expire_seconds": 2_592_001},
        ):
            assert await code(one, "qrcode/create", wrong) == 40035


async def test_what_nobody_knows_of_qr_codes_can_be_switched() -> None:
    async with table(silent, assumed=Assumed(qr_life=60, missing_qr_status=400)) as one:
        scene = {"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 7}}}
        assert (await one.api("qrcode/create", scene))["expire_seconds"] == 60
        async with one.http.get(f"{one.platform.origin}/cgi-bin/showqrcode", params={"ticket": "no"}) as response:
            assert response.status == 400


async def test_a_tag_that_very_many_wear_cannot_be_deleted() -> None:
    async with table(silent) as one:
        tag = await new_tag(one, "教师")
        for n in range(100_001):
            one.platform.world.state.phones[f"o-{n}"] = Phone(f"o-{n}", n, following=True, tags=[tag])
        assert await code(one, "tags/delete", {"tag": {"id": tag}}) == 45057
        one.platform.world.state.phones["o-0"].tags.clear()
        assert await code(one, "tags/delete", {"tag": {"id": tag}}) == 0
