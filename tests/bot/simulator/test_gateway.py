"""The gateway for SMS and calls: what the bot may ask, what the phones show, and what the bot is told."""

import json
import time
from pathlib import Path

import aiohttp
import pytest

from bot.simulator.acts import NotPossibleError
from bot.simulator.handles import PhoneHandle
from bot.simulator.world import NumberTakenError
from tests.bot.simulator.tiny_bot import GATEWAY, Table, sealed, silent, table
from tests.support.waiting import eventually

NUMBER = "13800000000"
ASKED: dict[str, object] = {
    "id": "tongban-1",
    "to": NUMBER,
    "purpose": "alarm",
    "text": "一条红色预警等您处理",
    "keys": "1",
    "values": {"number": "R12"},
}


async def post(
    one: Table, path: str, body: object = ASKED, *, late: float = 0, secret: str = GATEWAY
) -> tuple[int, dict[str, object]]:
    """Ask the gateway; status and answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    stamp = str(int(time.time() - late))
    headers = {"X-Tongban-Time": stamp, "X-Tongban-Signature": sealed(secret, stamp, raw)}
    async with one.http.post(f"{one.platform.origin}/gateway/{path}", data=raw, headers=headers) as response:
        data: dict[str, object] = await response.json(content_type=None)
        return response.status, data


ACCEPTED = (200, {"accepted": True})


def seen(phone: PhoneHandle, after: int = 0) -> list[tuple[str, str, str]]:
    return [(item.side, item.kind, item.text) for item in phone.screen[after:]]


async def test_an_sms_shows_on_the_phone_is_reported_and_can_be_answered() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone("王主任", number=NUMBER)
        one.bot.says["replied"] = "好，由您处理"
        assert await post(one, "sms") == ACCEPTED
        await one.platform.quiet()
        items = await phone.answer_sms("1")
        assert seen(phone) == [
            ("account", "sms", "一条红色预警等您处理"),
            ("me", "sms", "1"),
            ("account", "sms", "好，由您处理"),
        ]
        assert [item.source for item in items] == ["sms", "sms"]
        assert one.bot.told == [
            {"id": "tongban-1", "event": "delivered"},
            {"event": "replied", "from": NUMBER, "text": "1", "id": "tongban-1"},
        ]


async def test_an_sms_that_nobody_asked_for_carries_no_id() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        await one.platform.add_phone(number=NUMBER).answer_sms("你们是谁")
        assert one.bot.told == [{"event": "replied", "from": NUMBER, "text": "你们是谁"}]


async def test_a_person_who_does_not_follow_is_reached_too() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        stranger = one.platform.add_phone(following=False, number=NUMBER)
        assert await post(one, "sms") == ACCEPTED
        assert await post(one, "call", {**ASKED, "id": "tongban-2"}) == ACCEPTED
        assert [item.kind for item in stranger.screen] == ["sms", "call"]
        assert stranger.ringing


async def test_a_call_rings_is_read_out_when_taken_and_listens_to_keys() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        made = await one.control("phones", {"name": "王主任", "number": NUMBER})
        control = f"phones/{made['openid']}"
        one.bot.says["1"] = "已记下"
        assert await post(one, "call") == ACCEPTED
        state = (await one.control("state"))["phones"]
        assert isinstance(state, list)
        assert {**state[0]["ringing"], "since": ""} == {
            "id": "tongban-1", "text": "一条红色预警等您处理", "keys": "1", "since": "",
        }  # fmt: skip
        assert one.bot.told == []
        await one.control(f"{control}/pick_up", {})
        state = (await one.control("state"))["phones"]
        assert isinstance(state, list)
        assert (state[0]["ringing"], state[0]["talking"]["id"]) == (None, "tongban-1")
        await one.control(f"{control}/press", {"key": "1"})
        await one.control(f"{control}/hang_up", {})
        assert seen(one.platform.phone(str(made["openid"]))) == [
            ("account", "call", "来电"),
            ("me", "call", "已接听"),
            ("account", "call", "一条红色预警等您处理"),
            ("me", "call", "按键 1"),
            ("account", "call", "已记下"),
            ("me", "call", "通话结束"),
        ]
        assert one.bot.told == [
            {"id": "tongban-1", "event": "delivered"},
            {"id": "tongban-1", "event": "pressed", "key": "1"},
        ]


async def test_a_call_that_nobody_takes_in_a_minute_of_the_moved_clock_is_missed() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        await post(one, "call")
        one.platform.world.clock.advance(59)
        await one.platform.quiet()
        before = phone.ringing
        one.platform.world.clock.advance(1)
        await one.platform.quiet()
        assert (before, phone.ringing) == (True, False)
        assert seen(phone)[-1] == ("notice", "call", "未接来电")
        assert one.bot.told == [{"id": "tongban-1", "event": "failed"}]


async def test_whoever_moves_the_clock_hears_that_it_moved_after_the_bot_was_told_of_the_missed_call() -> None:
    async with table(silent, gateway_secret=GATEWAY, finish_delay=3600) as one:
        one.platform.add_phone(number=NUMBER)
        await post(one, "call")
        await one.control("clock", {"advance_seconds": 59})
        assert one.bot.told == []
        one.bot.deaf_for = 1
        await one.control("clock", {"to": one.platform.world.clock.now() + 2})
        assert one.bot.told == [{"id": "tongban-1", "event": "failed"}] * 2


async def test_a_bot_that_takes_no_events_does_not_hold_up_the_clock() -> None:
    async with table(silent, gateway_secret=GATEWAY, retry_pause=3600, patience=1.0) as one:
        one.platform.add_phone(number=NUMBER)
        await post(one, "call")
        one.bot.deaf_for = -1
        assert "epoch" in await one.control("clock", {"advance_seconds": 61})
        await eventually(lambda: len(one.bot.told) == 1)


async def test_a_call_ends_by_itself_when_the_time_comes() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        await post(one, "call")
        one.platform.world.clock.advance(59.9)
        await eventually(lambda: one.bot.told == [{"id": "tongban-1", "event": "failed"}])
        await post(one, "call", {**ASKED, "id": "tongban-2"})
        await phone.pick_up()
        one.platform.world.clock.advance(61)
        assert seen(phone)[-1] == ("notice", "call", "通话结束")
        assert [event["event"] for event in one.bot.told] == ["failed", "delivered"]


async def test_a_call_that_is_refused_or_finds_the_line_engaged_has_failed() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        await post(one, "call")
        assert await post(one, "call", {**ASKED, "id": "tongban-2"}) == ACCEPTED
        await one.platform.quiet()
        await phone.hang_up()
        assert one.bot.told == [{"id": "tongban-2", "event": "failed"}, {"id": "tongban-1", "event": "failed"}]


@pytest.mark.parametrize("path", ["sms", "call"])
async def test_a_number_that_nobody_has_is_accepted_and_then_fails(path: str) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        assert await post(one, path) == ACCEPTED
        await one.platform.quiet()
        assert one.bot.told == [{"id": "tongban-1", "event": "failed"}]


async def test_what_was_accepted_once_is_not_done_again() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        for path in ("sms", "sms", "call"):
            assert await post(one, path) == ACCEPTED
        await one.platform.quiet()
        assert len(phone.screen) == len(one.bot.told) == 1
        assert not phone.ringing


async def test_a_number_can_be_out_of_reach_and_comes_back() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        await one.control(f"phones/{phone.openid}/settings", {"unreachable_number": True})
        assert await post(one, "sms") == (200, {"accepted": False, "reason": "number"})
        await one.control(f"phones/{phone.openid}/settings", {"unreachable_number": False})
        assert await post(one, "sms") == ACCEPTED
        assert len(phone.screen) == 1


async def test_refusals_on_demand() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        wanted: list[dict[str, object]] = [
            {"path": "gateway/sms", "kind": "errcode", "errmsg": "balance"},
            {"path": "gateway/sms", "kind": "errcode"},
            {"path": "gateway/*", "kind": "http", "status": 503},
            {"path": "*", "kind": "errcode", "errcode": -1, "times": -1},
        ]
        await one.control("faults", {"api": wanted})
        answers = [await post(one, "sms") for _ in range(4)]
        assert [(status, answer.get("reason")) for status, answer in answers] == [
            (200, "balance"),
            (200, "busy"),
            (503, None),
            (200, None),
        ]
        assert len(phone.screen) == 1


@pytest.mark.parametrize(("fault", "arrived"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_leaves_open_whether_it_was_done(fault: str, arrived: int) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        await one.control("faults", {"api": [{"path": "gateway/sms", "kind": fault}]})
        with pytest.raises(aiohttp.ClientError):
            await post(one, "sms")
        assert len(phone.screen) == arrived
        assert await post(one, "sms") == ACCEPTED
        assert len(phone.screen) == 1


async def test_a_wrong_or_old_signature_is_refused_and_without_a_secret_there_is_no_gateway() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        assert (await post(one, "sms", secret="wrong"))[0] == 401
        assert (await post(one, "sms", late=301))[0] == 401
        assert (await post(one, "sms", late=-301))[0] == 401
        assert (await post(one, "sms", late=290))[0] == 200
    async with table(silent) as one, one.http.post(f"{one.platform.origin}/gateway/sms", data=b"{}") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"to": "somebody"},
        {"to": 13800000000},
        {"purpose": "advert"},
        {"text": " "},
        {"keys": "one"},
        {"values": {"number": 12}},
        {"values": None},
        {"extra": ""},
    ],
)
async def test_a_request_that_the_contract_does_not_have_is_a_fault_of_the_caller(wrong: dict[str, object]) -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        status, answer = await post(one, "sms", {**ASKED, **wrong})
        assert (status, list(answer)) == (400, ["error"])
        assert (await post(one, "sms", b"not json"))[0] == 400
        assert (await post(one, "sms", {key: value for key, value in ASKED.items() if key != "keys"}))[0] == 400


async def test_an_event_is_told_again_until_it_is_taken_three_times_at_most() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        one.bot.deaf_for = 2
        await post(one, "sms")
        await one.platform.quiet()
        assert one.bot.told == [{"id": "tongban-1", "event": "delivered"}] * 3
        one.bot.deaf_for = -1
        await phone.answer_sms("1")
        assert len(one.bot.told) == 6
        log = (await one.control("log"))["entries"]
        assert isinstance(log, list)
        assert [(entry["way"], entry["status"]) for entry in log if entry["kind"] == "gateway"] == [
            ("from bot", 200), ("to bot", 503), ("to bot", 503), ("to bot", 200), *[("to bot", 503)] * 3,
        ]  # fmt: skip
        assert log[-1]["kind"] == "alarm"
        assert GATEWAY not in str(log)


async def test_a_bot_that_is_not_there_is_told_nothing() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        one.platform.bot_url = "http://127.0.0.1:9"
        phone = one.platform.add_phone(number=NUMBER)
        await phone.answer_sms("1")
        assert one.platform.world.state.alarms == 1


async def test_what_a_phone_cannot_do() -> None:
    async with table(silent, gateway_secret=GATEWAY) as one:
        phone = one.platform.add_phone(number=NUMBER)
        for act in (phone.pick_up(), phone.press_key("1"), phone.hang_up(), one.platform.add_phone().answer_sms("1")):
            with pytest.raises(NotPossibleError):
                await act
        await post(one, "call")
        await phone.pick_up()
        for act in (phone.pick_up(), phone.press_key("10")):
            with pytest.raises(NotPossibleError):
                await act
        assert "error" in await one.control("phones", {"number": NUMBER})
        assert "error" in await one.control("phones", {"number": "soon"})
        with pytest.raises(NumberTakenError):
            one.platform.add_phone(number=NUMBER)
        assert (await one.control(f"phones/{phone.openid}/settings", {"number": "10086"}))["number"] == "10086"


async def test_numbers_and_a_ringing_call_survive_a_restart(tmp_path: Path) -> None:
    kept = tmp_path / "platform.json"
    async with table(silent, gateway_secret=GATEWAY, state_file=kept) as one:
        one.platform.add_phone(number=NUMBER)
        await post(one, "call")
    async with table(silent, gateway_secret=GATEWAY, state_file=kept) as one:
        phone = one.platform.phone("o-sim-00001")
        assert phone.ringing
        assert await post(one, "call") == ACCEPTED
        one.platform.world.clock.advance(60)
        await one.platform.quiet()
        assert one.bot.told == [{"id": "tongban-1", "event": "failed"}]
        assert phone.user.number == NUMBER
