"""Subscription notices: who said yes, what a yes allows, the three events, and the account's list of notices."""

import json
from pathlib import Path

import pytest

from bot.simulator import TemplateSpec
from bot.simulator.assumptions import Assumed
from tests.bot.simulator.tiny_bot import ONCE, Table, silent, table

LONG = TemplateSpec("N-long", "办理进度通知", ("phrase1",), ("进度",), long_term=True)
GOOD = {"thing1": "入户走访", "time2": "07:30"}


async def send(one: Table, openid: str, data: dict[str, str], template_id: str = "N-once", **more: object) -> object:
    values = {key: {"value": value} for key, value in data.items()}
    body = {"touser": openid, "template_id": template_id, "data": values, **more}
    answer = await one.api("message/subscribe/bizsend", body)
    if answer["errcode"] == 0:
        assert answer == {"errcode": 0, "errmsg": "ok"}
    return answer["errcode"]


def events(one: Table) -> list[str]:
    return [incoming.xml.split("<Event><![CDATA[")[1].split("]]>")[0] for incoming in one.bot.seen]


async def test_a_one_time_yes_is_used_up_by_one_message() -> None:
    async with table(silent, notices=(ONCE, LONG)) as one:
        phone = one.platform.add_phone()
        assert await send(one, phone.openid, GOOD) == 43101
        await one.control(f"phones/{phone.openid}/subscribe", {"template_id": "N-once"})
        one.platform.world.clock.advance(400 * 24 * 3600)
        assert [await send(one, phone.openid, GOOD, page="http://127.0.0.1/m/") for _ in range(2)] == [0, 43101]
        card = phone.screen[-1]
        assert (card.kind, card.source, card.title, card.url) == (
            "card",
            "notice",
            "事项办理提醒",
            "http://127.0.0.1/m/",
        )
        assert [(field["label"], field["value"]) for field in card.fields] == [("事项", "入户走访"), ("时间", "07:30")]
        await one.platform.quiet()
        assert events(one) == ["subscribe_msg_popup_event", "subscribe_msg_sent_event"]
        assert "<ErrorCode>0</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus>" in one.bot.seen[-1].xml


async def test_a_long_term_yes_stays_until_it_is_withdrawn() -> None:
    async with table(silent, notices=(ONCE, LONG)) as one:
        phone = one.platform.add_phone()
        await one.control(f"phones/{phone.openid}/subscribe", {"template_id": "N-long"})
        await one.control(f"phones/{phone.openid}/subscribe", {"template_id": "N-once", "long": True})
        assert [await send(one, phone.openid, {"phrase1": "已受理"}, "N-long") for _ in range(3)] == [0, 0, 0]
        assert [await send(one, phone.openid, GOOD) for _ in range(2)] == [0, 0]
        assert one.platform.world.state.phones[phone.openid].long_notices == ["N-long", "N-once"]
        await one.control(f"phones/{phone.openid}/unsubscribe_notice", {"template_id": "N-long"})
        assert await send(one, phone.openid, {"phrase1": "已受理"}, "N-long") == 43101
        change = next(one for one in one.bot.seen if "subscribe_msg_change_event" in one.xml).xml
        assert "<SubscribeMsgChangeEvent><List><TemplateId><![CDATA[N-long]]></TemplateId>" in change
        assert "<SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString></List>" in change


@pytest.mark.parametrize(("add_up", "allowed"), [(False, 1), (True, 2)])
async def test_whether_two_times_yes_allow_two_messages_is_a_switch(add_up: bool, allowed: int) -> None:  # noqa: FBT001 - a case
    async with table(silent, notices=(ONCE,), assumed=Assumed(notices_add_up=add_up)) as one:
        phone = one.platform.add_phone()
        for _ in range(2):
            await one.control(f"phones/{phone.openid}/subscribe", {"template_id": "N-once"})
        assert [await send(one, phone.openid, GOOD) for _ in range(3)].count(0) == allowed


async def test_one_answer_to_the_pop_up_goes_for_all_its_notices_and_a_no_allows_nothing() -> None:
    async with table(silent, notices=(ONCE, LONG)) as one:
        phone = one.platform.add_phone()
        asked = {"template_ids": ["N-once", "N-long"], "scene": 2}
        await one.control(f"phones/{phone.openid}/subscribe", {**asked, "reject": True})
        assert await send(one, phone.openid, GOOD) == 43101
        await one.control(f"phones/{phone.openid}/subscribe", asked)
        assert await send(one, phone.openid, GOOD) == 0
        no, yes = (incoming.xml for incoming in one.bot.seen[:2])
        assert no.count("<List>") == yes.count("<List>") == 2
        assert no.count("[reject]") == yes.count("[accept]") == 2
        assert yes.count("<PopupScene>2</PopupScene>") == 2
        assert [item.text for item in phone.screen[:2]] == ["订阅通知：取消", "订阅通知：同意"]


async def test_a_person_who_does_not_follow_finds_it_among_the_service_notices() -> None:
    async with table(silent, notices=(ONCE,)) as one:
        stranger = one.platform.add_phone(following=False)
        await one.control(f"phones/{stranger.openid}/subscribe", {"template_id": "N-once"})
        assert await send(one, stranger.openid, GOOD) == 0
        assert stranger.screen[-1].source == "service-notice"


async def test_what_is_refused_uses_nothing_up() -> None:
    async with table(silent, notices=(ONCE,)) as one:
        phone = one.platform.add_phone()
        await one.control(f"phones/{phone.openid}/subscribe", {"template_id": "N-once"})
        assert await send(one, "o-nobody", GOOD) == 40003
        assert await send(one, phone.openid, GOOD, "N-other") == 40037
        assert await send(one, phone.openid, GOOD, page="pages/index") == 41030
        assert await send(one, phone.openid, GOOD, miniprogram={"appid": "wx1", "pagepath": "/a b"}) == 40165
        assert await send(one, phone.openid, {"thing1": "入户走访"}) == 47003
        assert await send(one, phone.openid, {**GOOD, "time2": "明天"}) == 47003
        assert await send(one, phone.openid, GOOD) == 0


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("subscribe", {"template_id": "N-other"}),
        ("subscribe", {}),
        ("unsubscribe_notice", {"template_id": "N-once"}),
    ],
)
async def test_what_a_person_cannot_answer(act: str, body: dict[str, object]) -> None:
    async with table(silent, notices=(ONCE,)) as one:
        assert "error" in await one.control(f"phones/{one.platform.add_phone().openid}/{act}", body)


async def test_only_a_verified_service_account_has_notices() -> None:
    for kind, expected in (("verified-service", 43101), ("test", 48001), ("verified-subscription", 48001)):
        async with table(silent, notices=(ONCE,), kind=kind) as one:
            assert await send(one, one.platform.add_phone().openid, GOOD) == expected


async def newtmpl(one: Table, path: str, body: object = None, **query: str) -> dict[str, object]:
    query["access_token"] = await one.token()
    address = f"{one.platform.origin}/wxaapi/newtmpl/{path}"
    raw = json.dumps(body, ensure_ascii=False).encode()
    call = one.http.get(address, params=query) if body is None else one.http.post(address, params=query, data=raw)
    async with call as response:
        answer: dict[str, object] = await response.json(content_type=None)
        return answer


async def test_notices_are_found_in_the_library_added_used_and_deleted(tmp_path: Path) -> None:
    kept = tmp_path / "platform.json"
    async with table(silent, state_file=kept) as one:
        categories = (await newtmpl(one, "getcategory"))["data"]
        assert isinstance(categories, list)
        found = await newtmpl(one, "getpubtemplatetitles", ids=str(categories[0]["id"]), start="0", limit="1")
        assert (found["count"], found["data"]) == (
            2,
            [{"tid": 1001, "title": "事项办理提醒", "type": 2, "categoryId": "616"}],
        )
        words = (await newtmpl(one, "getpubtemplatekeywords", tid="1001"))["data"]
        assert isinstance(words, list)
        assert [(word["kid"], word["name"], word["rule"]) for word in words][:2] == [
            (1, "事项", "thing"),
            (2, "时间", "time"),
        ]
        made = await newtmpl(one, "addtemplate", {"tid": "1001", "kidList": [2, 1], "sceneDesc": "提醒办理"})
        template_id = str(made["priTmplId"])
        phone = one.platform.add_phone()
        await one.control(f"phones/{phone.openid}/subscribe", {"template_id": template_id})
    async with table(silent, state_file=kept) as one:
        assert await send(one, "o-sim-00001", GOOD, template_id) == 0
        listed = (await newtmpl(one, "gettemplate"))["data"]
        assert isinstance(listed, list)
        assert [(row["priTmplId"], row["type"], row["content"]) for row in listed] == [
            (template_id, 2, "时间:{{time2.DATA}}\n事项:{{thing1.DATA}}\n")
        ]
        assert (await newtmpl(one, "deltemplate", {"priTmplId": template_id}))["errcode"] == 0
        assert (await newtmpl(one, "deltemplate", {"priTmplId": template_id}))["errcode"] == 40037
        assert await send(one, "o-sim-00001", GOOD, template_id) == 40037


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"tid": 999, "kidList": [1, 2]}, 200014),
        ({"tid": 1001, "kidList": [1]}, 200020),
        ({"tid": 1001, "kidList": [1, 1]}, 200020),
        ({"tid": 1001, "kidList": [1, 9]}, 200020),
        ({"tid": 1001, "kidList": "1,2"}, 47001),
        ({"tid": 1001, "kidList": [1, 2], "sceneDesc": "一二三四五六七八九十一二三四五六"}, 200021),
    ],
)
async def test_a_notice_is_added_with_two_to_five_keywords_and_a_short_reason(
    body: dict[str, object], code: int
) -> None:
    async with table(silent) as one:
        assert (await newtmpl(one, "addtemplate", body))["errcode"] == code
        assert (await newtmpl(one, "getpubtemplatekeywords", tid="999"))["errcode"] == 200014


async def test_an_account_has_twenty_five_notices_at_most() -> None:
    specs = tuple(TemplateSpec(f"N{n}", "一项", ("thing1",)) for n in range(25))
    async with table(silent, notices=specs) as one:
        assert (await newtmpl(one, "addtemplate", {"tid": 1001, "kidList": [1, 2]}))["errcode"] == 200012
        await one.control("account", {"notices": [{"template_id": "N0", "title": "", "keys": ["thing1"]}]})
        assert "25" in str(
            (await one.control("account", {"notices": [{"template_id": "N", "title": "", "keys": []}]}))["error"]
        )
