"""Template messages: fields checked by type, the card, and the delivery event that follows."""

from pathlib import Path

import aiohttp
import pytest

from bot.simulator import TemplateSpec
from tests.bot.simulator.tiny_bot import TEMPLATE, Table, silent, table

GOOD = {"thing1": "入户走访 3 件", "time2": "2026年11月25日 07:30", "number3": "3"}


async def send(one: Table, openid: str, data: dict[str, str], **more: object) -> dict[str, object]:
    body = {
        "touser": openid,
        "template_id": TEMPLATE.template_id,
        "url": "http://127.0.0.1:8080/m/tasks",
        "data": {key: {"value": value} for key, value in data.items()},
        **more,
    }
    return await one.api("message/template/send", body)


async def test_a_card_shows_title_fields_and_link_and_its_delivery_is_reported() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        answer = await send(one, phone.openid, GOOD)
        card = phone.screen[-1]
        assert (card.kind, card.title, card.url) == ("card", "新任务提醒", "http://127.0.0.1:8080/m/tasks")
        assert [(field["label"], field["value"]) for field in card.fields] == [
            ("事项", "入户走访 3 件"),
            ("时间", "2026年11月25日 07:30"),
            ("数量", "3"),
        ]
        await one.platform.quiet()
        event = one.bot.seen[-1].xml
        assert f"<MsgID>{answer['msgid']}</MsgID><Status><![CDATA[success]]></Status>" in event


async def test_a_person_who_blocks_cards_sees_none_and_the_event_says_so() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await one.control(f"phones/{phone.openid}/settings", {"block_templates": True})
        assert (await send(one, phone.openid, GOOD))["errcode"] == 0
        await one.platform.quiet()
        assert phone.screen == []
        assert "failed:user block" in one.bot.seen[-1].xml


async def test_whom_and_what_the_platform_refuses() -> None:
    async with table(silent) as one:
        stranger = one.platform.add_phone(following=False)
        follower = one.platform.add_phone()
        assert (await send(one, "o-nobody", GOOD))["errcode"] == 40003
        assert (await send(one, stranger.openid, GOOD))["errcode"] == 43004
        assert (await send(one, follower.openid, GOOD, template_id="T-of-another-account"))["errcode"] == 40037
        assert (await send(one, follower.openid, GOOD, template_id=""))["errcode"] == 40036
        assert (await send(one, follower.openid, GOOD, url="javascript:alert(1)"))["errcode"] == 40039
        for program, code in (({"appid": "wx1", "pagepath": "/a b"}, 40165), ({"pagepath": "pages/a"}, 40013)):
            assert (await send(one, follower.openid, GOOD, miniprogram=program))["errcode"] == code
        bare = {"touser": follower.openid, "template_id": "T-task", "data": {"thing1": "no value object"}}
        assert (await one.api("message/template/send", bare))["errcode"] == 47003
        assert follower.screen == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("thing1", "二十一个字的事项名称一定要被平台拒绝才对呀了"),
        ("thing1", "两行\n文字"),
        ("thing1", ""),
        ("thing1", "   "),
        ("time2", "明天早上"),
        ("time2", "25-1-2026"),
        ("number3", "三"),
        ("number3", "3件"),
    ],
)
async def test_a_field_that_breaks_its_type_is_named(field: str, value: str) -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        answer = await send(one, phone.openid, {**GOOD, field: value})
        assert answer["errcode"] == 47003
        assert f"data.{field}.value" in str(answer["errmsg"])
        assert phone.screen == []


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("thing1", "二十个字二十个字二十个字二十个字二十个字", "二十个字二十个字二十个字二十个字二十个字1"),
        ("number1", "12.5", "1,000"),
        ("number1", "1" * 31 + ".5", "1" * 32 + ".5"),
        ("number1", "0", "-1"),
        ("letter1", "abcXYZ", "abc1"),
        ("symbol1", "!!!", "a!"),
        ("character_string1", "AB-1234/5", "编号12"),
        ("character_string1", "a" * 32, "a b"),
        ("time1", "07:30", "半夜"),
        ("time1", "2026年11月25日 23:59", "24:00"),
        ("time1", "2026.11.25 7:30:00", "2026-11-25"),
        ("time1", "2026-11-25 07:30 ~ 2026-11-26 08:00", "2026-11-25 07:30 ~"),
        ("date1", "2026年11月25日", "11月25日"),
        ("date1", "2026-11-25 07:30", "07:30"),
        ("date1", "2026/11/25 ~ 2026/11/26", "2026/13/25"),
        ("amount1", "\u00a5100.50元", "一百元"),
        ("amount1", "$1234567890", "100"),
        ("phone_number1", "0771-12345678", "0771 1234 5678 90123"),
        ("car_number1", "桂A12345", "桂A123456789"),
        ("name1", "王小明", "王小明王小明王小明王小"),
        ("phrase1", "待处理", "待处理处理了"),
        ("phrase1", "处理中", "OK"),
        ("const1", "红色", ""),
    ],
)
async def test_every_field_type_has_its_own_rule(key: str, good: str, bad: str) -> None:
    spec = TemplateSpec("T-one", "一项", (key,))
    async with table(silent, templates=(spec,)) as one:
        phone = one.platform.add_phone()
        assert (await send(one, phone.openid, {key: good}, template_id="T-one"))["errcode"] == 0
        assert (await send(one, phone.openid, {key: bad}, template_id="T-one"))["errcode"] == 47003
        assert len(phone.screen) == 1


async def test_a_missing_or_unknown_field_is_named() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        missing = await send(one, phone.openid, {"thing1": "甲", "time2": "07:30"})
        unknown = await send(one, phone.openid, {**GOOD, "thing9": "甲"})
        assert "data.number3.value" in str(missing["errmsg"])
        assert "data.thing9.value" in str(unknown["errmsg"])


async def test_an_old_template_loses_first_remark_newlines_and_everything_after_20_characters() -> None:
    spec = TemplateSpec("T-old", "旧模板", ("first", "keyword1", "remark"))
    async with table(silent, templates=(spec,)) as one:
        phone = one.platform.add_phone()
        data = {"first": "您好", "keyword1": "一" * 15 + "\n" + "二" * 15, "remark": "请点开"}
        assert (await send(one, phone.openid, data, template_id="T-old"))["errcode"] == 0
        assert [field["value"] for field in phone.screen[-1].fields] == ["一" * 15 + "二" * 5]


async def test_the_same_client_msg_id_shows_one_card_for_ten_minutes() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        first = await send(one, phone.openid, GOOD, client_msg_id="task-7")
        again = await send(one, phone.openid, GOOD, client_msg_id="task-7")
        assert first["msgid"] == again["msgid"]
        assert len(phone.screen) == 1
        one.platform.world.clock.advance(601)
        await send(one, phone.openid, GOOD, client_msg_id="task-7")
        assert len(phone.screen) == 2


async def test_a_call_that_took_effect_before_the_connection_broke_is_shown() -> None:
    async with table(silent) as one:
        phone, token = one.platform.add_phone(), await one.token()
        fault = {"path": "/cgi-bin/message/template/send", "kind": "drop_after"}
        await one.control("faults", {"api": [fault]})
        body = {"touser": phone.openid, "template_id": "T-task", "data": {k: {"value": v} for k, v in GOOD.items()}}
        with pytest.raises(aiohttp.ClientConnectionError):
            await one.api("message/template/send", body, token)
        assert len(phone.screen) == 1


async def test_a_delivery_can_fail_in_the_platform_itself() -> None:
    async with table(silent) as one:
        phone = one.platform.add_phone()
        await one.control("faults", {"template_failed": 1})
        assert (await send(one, phone.openid, GOOD))["errcode"] == 0
        await one.platform.quiet()
        assert phone.screen == []
        assert "failed: system failed" in one.bot.seen[-1].xml
        await send(one, phone.openid, GOOD)
        assert len(phone.screen) == 1


async def test_a_constant_is_one_of_the_templates_own() -> None:
    spec = TemplateSpec("T-one", "一项", ("const3",), constants={"const3": ("待处理", "已超时")})
    async with table(silent, templates=(spec,)) as one:
        phone = one.platform.add_phone()
        assert (await send(one, phone.openid, {"const3": "待处理"}, template_id="T-one"))["errcode"] == 0
        assert (await send(one, phone.openid, {"const3": "别的"}, template_id="T-one"))["errcode"] == 47003


async def added(one: Table, short: str = "52305") -> str:
    return str((await one.api("template/api_add_template", {"template_id_short": short}))["template_id"])


async def test_templates_are_added_listed_used_and_deleted_by_calls(tmp_path: Path) -> None:
    kept = tmp_path / "platform.json"
    async with table(silent, state_file=kept) as one:
        phone, made = one.platform.add_phone(), await added(one)
        data = {"character_string1": "R12", "thing2": "走访", "const3": "待处理", "time4": "07:30"}
        assert (await send(one, phone.openid, data, template_id=made))["errcode"] == 0
        assert (await send(one, phone.openid, {**data, "const3": "不急"}, template_id=made))["errcode"] == 47003
        assert (await one.api("template/del_private_template", {"template_id": "T-task"}))["errcode"] == 0
        assert (await one.api("template/del_private_template", {"template_id": "T-task"}))["errcode"] == 40037
        assert (await one.api("template/api_add_template", {"template_id_short": "nothing"}))["errcode"] == 40036
    async with table(silent, state_file=kept) as one:
        listed = (await one.api("template/get_all_private_template"))["template_list"]
        assert isinstance(listed, list)
        assert [(row["template_id"], row["title"]) for row in listed] == [(made, "工单催办提醒")]
        assert "工单编号:{{character_string1.DATA}}" in listed[0]["content"]
        assert (await send(one, "o-sim-00001", data, template_id=made))["errcode"] == 0
        assert (await send(one, "o-sim-00001", GOOD))["errcode"] == 40037
        await one.api("template/del_private_template", {"template_id": made})
        assert (await one.api("template/get_all_private_template"))["template_list"] == []


async def test_an_account_has_twenty_five_templates_at_most() -> None:
    async with table(silent) as one:
        for _ in range(24):
            await added(one, "OPENTM000001")
        assert (await one.api("template/api_add_template", {"template_id_short": "52305"}))["errcode"] == 45026
        rows = [{"template_id": f"T{n}", "title": "", "keys": ["thing1"]} for n in range(25)]
        assert "25" in str((await one.control("account", {"templates": rows}))["error"])


async def test_the_industry_can_be_changed_once_a_month() -> None:
    async with table(silent) as one:
        assert (await one.api("template/get_industry"))["errcode"] == 40102
        wanted = {"industry_id1": "21", "industry_id2": "16"}
        assert (await one.api("template/api_set_industry", {**wanted, "industry_id2": "99"}))["errcode"] == 40102
        assert (await one.api("template/api_set_industry", wanted))["errcode"] == 0
        assert (await one.api("template/api_set_industry", wanted))["errcode"] == 43100
        told = (await one.api("template/get_industry"))["primary_industry"]
        assert told == {"first_class": "政府与公共事业", "second_class": "公共事业|非盈利机构"}
        one.platform.world.clock.advance(32 * 24 * 3600)
        assert (await one.api("template/api_set_industry", wanted))["errcode"] == 0
