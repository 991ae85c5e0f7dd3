"""Mass messages: to whom, how often, known again, and the report that follows."""

import pytest

from tests.bot.simulator.tiny_bot import Table, silent, table

TEXT: dict[str, object] = {"msgtype": "text", "text": {"content": "全体通知"}}
DAY = 24 * 3600


async def send(one: Table, openids: list[str], **more: object) -> dict[str, object]:
    return await one.api("message/mass/send", {"touser": openids, **TEXT, **more})


def counts(one: Table) -> list[tuple[str, ...]]:
    """Total, filtered and sent of each report."""
    xmls = [incoming.xml for incoming in one.bot.seen]
    return [
        tuple(xml.split(f"<{name}>")[1].split("<")[0] for name in ("TotalCount", "FilterCount", "SentCount"))
        for xml in xmls
    ]


async def test_a_list_gets_it_once_and_a_report_follows_from_the_platforms_own_helper() -> None:
    async with table(silent, followers=3) as one:
        answer = await send(one, ["o-sim-00001", "o-sim-00002", "o-sim-00002", "o-nobody"])
        assert (answer["errcode"], answer["errmsg"]) == (0, "send job submission success")
        shown = [[item.text for item in one.platform.phone(f"o-sim-0000{n}").screen] for n in (1, 2, 3)]
        assert shown == [["全体通知"], ["全体通知"], []]
        assert one.platform.phone("o-sim-00001").screen[0].source == "mass"
        await one.platform.quiet()
        assert counts(one) == [("2", "2", "2")]
        report = one.bot.seen[0]
        assert f"<MsgID>{answer['msg_id']}</MsgID><Status><![CDATA[send success]]></Status>" in report.xml
        assert report.message.source == "mphelper"  # type: ignore[attr-defined]  # wechatpy has no types
        assert await one.api("message/mass/get", {"msg_id": answer["msg_id"]}) == {
            "msg_id": answer["msg_id"],
            "msg_status": "SEND_SUCCESS",
        }
        assert (await one.api("message/mass/delete", {"msg_id": answer["msg_id"]}))["errcode"] == 0
        assert (await one.api("message/mass/get", {"msg_id": 1}))["errcode"] == 40059


async def test_each_person_gets_four_in_a_calendar_month() -> None:
    async with table(silent, followers=2) as one:
        clock = one.platform.world.clock
        while not clock.day().endswith("-10"):
            clock.advance(DAY)
        both = ["o-sim-00001", "o-sim-00002"]
        for n in range(5):
            assert (await send(one, both, clientmsgid=str(n)))["errcode"] == 0
        assert len(one.platform.phone("o-sim-00001").screen) == 4
        await one.platform.quiet()
        assert counts(one)[-1] == ("2", "0", "0")
        clock.advance(31 * DAY)
        await send(one, both, clientmsgid="next")
        assert len(one.platform.phone("o-sim-00001").screen) == 5


async def test_who_refuses_is_blacklisted_or_left_is_not_sent_to() -> None:
    async with table(silent, followers=4) as one:
        await one.control("phones/o-sim-00001/settings", {"refuse_messages": True})
        await one.api("tags/members/batchblacklist", {"openid_list": ["o-sim-00002"]})
        await one.platform.phone("o-sim-00003").unfollow()
        one.bot.seen.clear()
        await one.api("message/mass/sendall", {"filter": {"is_to_all": True}, **TEXT})
        await one.platform.quiet()
        assert counts(one) == [("3", "1", "1")]
        assert one.platform.phone("o-sim-00004").screen[-1].text == "全体通知"


async def test_a_tag_chooses_who_gets_it() -> None:
    async with table(silent, followers=2) as one:
        made = (await one.api("tags/create", {"tag": {"name": "教师"}}))["tag"]
        assert isinstance(made, dict)
        await one.api("tags/members/batchtagging", {"openid_list": ["o-sim-00002"], "tagid": made["id"]})
        await one.api("message/mass/sendall", {"filter": {"is_to_all": False, "tag_id": made["id"]}, **TEXT})
        assert [len(one.platform.phone(f"o-sim-0000{n}").screen) for n in (1, 2)] == [0, 1]
        wrong = await one.api("message/mass/sendall", {"filter": {"is_to_all": False, "tag_id": 999}, **TEXT})
        assert wrong["errcode"] == 45159


async def test_a_repeated_clientmsgid_gets_the_first_msg_id_for_a_day() -> None:
    async with table(silent, followers=2) as one:
        both, clock = ["o-sim-00001", "o-sim-00002"], one.platform.world.clock
        first = await send(one, both, clientmsgid="week-7")
        assert (await send(one, both, clientmsgid="week-7"))["errcode"] == 45066
        clock.advance(61)
        again = await send(one, both, clientmsgid="week-7")
        assert (again["errcode"], again["msg_id"]) == (45065, first["msg_id"])
        assert (await send(one, both, clientmsgid="x" * 65))["errcode"] == 45067
        clock.advance(DAY)
        assert (await send(one, both, clientmsgid="week-7"))["errcode"] == 0
        assert len(one.platform.phone("o-sim-00001").screen) == 2


async def test_without_a_clientmsgid_the_same_words_to_the_same_people_are_known() -> None:
    async with table(silent, followers=2) as one:
        both = ["o-sim-00001", "o-sim-00002"]
        assert (await send(one, both))["errcode"] == 0
        assert (await send(one, both))["errcode"] == 45066
        assert (await send(one, both, text={"content": "别的话"}))["errcode"] == 0


@pytest.mark.parametrize(
    ("openids", "code"), [(["o-sim-00001"], 40130), (["o"] * 2, 40130), ([f"o{n}" for n in range(10_001)], 40032)]
)
async def test_a_list_has_two_to_ten_thousand_people(openids: list[str], code: int) -> None:
    async with table(silent, followers=1) as one:
        assert (await send(one, openids))["errcode"] == code
        assert (await send(one, ["o-a", "o-b"]))["errcode"] == 40003


async def test_what_is_refused_counts_for_nobody() -> None:
    async with table(silent, followers=2) as one:
        both = ["o-sim-00001", "o-sim-00002"]
        for more, code in (
            ({"msgtype": "news"}, 40008),
            ({"msgtype": "image", "image": {"media_id": "no"}}, 40007),
            ({"text": {"content": "长" * 700}}, 45002),
        ):
            assert (await send(one, both, **more))["errcode"] == code
        assert one.platform.world.state.phones["o-sim-00001"].masses == {}


async def test_a_preview_shows_it_to_one_person_and_counts_for_nothing() -> None:
    async with table(silent, followers=1) as one:
        for _ in range(5):
            answer = await one.api("message/mass/preview", {"touser": "o-sim-00001", **TEXT})
            assert answer["errcode"] == 0
        assert len(one.platform.phone("o-sim-00001").screen) == 5
        await one.platform.quiet()
        assert one.bot.seen == []
        assert (await one.api("message/mass/preview", {"touser": "o-nobody", **TEXT}))["errcode"] == 40003
        assert (await one.api("message/mass/preview", {"towxname": "somebody", **TEXT}))["errcode"] == 40132


async def test_a_hundred_calls_a_day_and_only_some_accounts() -> None:
    async with table(silent, followers=2, daily_limits={"mass": 1}) as one:
        both = ["o-sim-00001", "o-sim-00002"]
        assert [(await send(one, both, clientmsgid=str(n)))["errcode"] for n in range(2)] == [0, 45009]
        await one.control("account", {"kind": "verified-subscription"})
        assert (await send(one, both))["errcode"] == 48001
        assert (await one.api("message/mass/preview", {"touser": both[0], **TEXT}))["errcode"] == 0
        await one.control("account", {"kind": "unverified-service"})
        assert (await one.api("message/mass/preview", {"touser": both[0], **TEXT}))["errcode"] == 48001
