"""Access tokens: two spaces, overlap, force, quotas, and the code for each way of being wrong."""

import pytest

from bot.simulator.assumptions import Assumed
from tests.bot.simulator.tiny_bot import APP_ID, SECRET, Table, silent, table


async def stable(one: Table, **more: object) -> dict[str, object]:
    body = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, **more}
    async with one.http.post(f"{one.platform.origin}/cgi-bin/stable_token", json=body) as response:
        data: dict[str, object] = await response.json(content_type=None)
        return data


async def plain(one: Table, **more: str) -> dict[str, object]:
    query = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, **more}
    async with one.http.get(f"{one.platform.origin}/cgi-bin/token", params=query) as response:
        data: dict[str, object] = await response.json(content_type=None)
        return data


async def works(one: Table, token: object) -> object:
    return (await one.api("tags/get", token=str(token))).get("errcode", 0)


async def test_a_new_token_leaves_the_old_one_five_minutes() -> None:
    async with table(silent) as one:
        old, new = (await plain(one))["access_token"], (await plain(one))["access_token"]
        assert old != new
        assert [await works(one, old), await works(one, new)] == [0, 0]
        one.platform.world.clock.advance(301)
        assert [await works(one, old), await works(one, new)] == [40001, 0]
        one.platform.world.clock.advance(7200)
        assert await works(one, new) == 42001


async def test_the_stable_token_stays_the_same_until_its_last_five_minutes() -> None:
    async with table(silent) as one:
        first = await stable(one)
        one.platform.world.clock.advance(3600)
        again = await stable(one)
        assert again["access_token"] == first["access_token"]
        assert again["expires_in"] in {3599, 3600}
        one.platform.world.clock.advance(3400)
        renewed = await stable(one)
        assert renewed["access_token"] != first["access_token"]
        assert renewed["expires_in"] == 7200
        assert [await works(one, first["access_token"]), await works(one, renewed["access_token"])] == [0, 0]


async def test_the_two_spaces_do_not_disturb_each_other() -> None:
    async with table(silent) as one:
        kept = (await stable(one))["access_token"]
        for _ in range(3):
            await plain(one)
        one.platform.world.clock.advance(301)
        assert await works(one, kept) == 0


async def test_force_kills_the_old_token_at_once_but_not_twice_in_thirty_seconds_nor_21_times_a_day() -> None:
    async with table(silent) as one:
        first = (await stable(one))["access_token"]
        second = (await stable(one, force_refresh=True))["access_token"]
        assert [await works(one, first), await works(one, second)] == [40001, 0]
        assert (await stable(one, force_refresh=True))["access_token"] == second
        tokens = set()
        for _ in range(25):
            one.platform.world.clock.advance(31)
            tokens.add((await stable(one, force_refresh=True))["access_token"])
        assert len(tokens) <= 20


async def test_each_way_of_being_wrong_has_its_code() -> None:
    async with table(silent, ip_white_list=("127.0.0.1",)) as one:
        assert (await plain(one, appid="wx0"))["errcode"] == 40013
        assert (await plain(one, secret="wrong"))["errcode"] == 40125
        assert (await plain(one, grant_type="x"))["errcode"] == 40002
        assert (await plain(one, secret=""))["errcode"] == 41004
        assert await works(one, "") == 41001
        assert await works(one, "made-up") == 40014
        assert await works(one, "of-another-account-altogether") == 40001
        await one.control("faults", {"frozen_secret": True})
        assert (await plain(one))["errcode"] == 40243
        await one.control("faults", {"frozen_secret": False})
        await one.control("account", {"ip_white_list": ["10.0.0.1"]})
        refused = await stable(one)
        assert refused["errcode"] == 40164
        assert "127.0.0.1" in str(refused["errmsg"])


async def test_a_token_can_be_killed_at_any_moment() -> None:
    async with table(silent) as one:
        token = (await stable(one))["access_token"]
        await one.control("faults", {"kill_token": True})
        assert await works(one, token) == 40001
        assert await works(one, (await stable(one))["access_token"]) == 0


async def test_the_daily_quota_ends_at_midnight_in_china_or_by_clear_quota() -> None:
    async with table(silent, daily_limits={"token": 2}) as one:
        token = (await plain(one))["access_token"]
        await plain(one)
        assert (await plain(one))["errcode"] == 45009
        assert (await one.api("clear_quota", {"appid": APP_ID}, str(token)))["errcode"] == 0
        assert "access_token" in await plain(one)
        await plain(one)
        assert (await plain(one))["errcode"] == 45009
        one.platform.world.clock.advance(24 * 3600)
        assert "access_token" in await plain(one)


async def test_clear_quota_works_ten_times_a_month() -> None:
    async with table(silent) as one:
        token = await one.token()
        codes = [(await one.api("clear_quota", {"appid": APP_ID}, token))["errcode"] for _ in range(11)]
        assert codes == [0] * 10 + [48006]


async def test_a_wrong_method_and_a_broken_body_are_business_errors() -> None:
    async with table(silent) as one:
        assert (await one.api("menu/create"))["errcode"] == 43002
        assert (await one.api("menu/get", {}))["errcode"] == 43001
        assert (await one.api("tags/create", b""))["errcode"] == 44002
        assert (await one.api("tags/create", b"{not json"))["errcode"] == 47001
        assert (await one.api("tags/create", b"[]"))["errcode"] == 47001
        assert (await one.api("tags/create", {"tag": "x"}))["errcode"] == 47001


@pytest.mark.parametrize("code", [-1, 40001, 45009, 48001])
async def test_the_next_calls_of_an_address_can_be_made_to_fail(code: int) -> None:
    async with table(silent) as one:
        token = await one.token()
        await one.control("faults", {"api": [{"path": "/cgi-bin/tags/get", "errcode": code, "times": 2}]})
        codes = [(await one.api("tags/get", token=token)).get("errcode", 0) for _ in range(3)]
        assert codes == [code, code, 0]


async def test_a_share_of_the_calls_can_be_made_to_fail() -> None:
    async with table(silent) as one:
        token = await one.token()
        faults = [{"path": "/cgi-bin/tags/get", "errcode": code, "times": -1, "every": each} for code, each in SHARES]
        await one.control("faults", {"api": faults})
        codes = [(await one.api("tags/get", token=token)).get("errcode", 0) for _ in range(8)]
        assert codes == [0, 0, 45009, 0, -1, 45009, 0, 0]


SHARES = ((45009, 3), (-1, 4))
"""A code and each which call gets it."""


async def test_no_token_and_no_secret_stands_in_the_log() -> None:
    async with table(silent) as one:
        token = str((await stable(one))["access_token"])
        await one.api("tags/get", token=token)
        await plain(one)
        log = str(await one.control("log"))
        assert SECRET not in log
        assert token not in log
        assert "/cgi-bin/stable_token" in log


async def test_the_minute_has_a_quota_too() -> None:
    async with table(silent) as one:
        clock = one.platform.world.clock
        clock.move_to(clock.now() - clock.now() % 60 + 75)
        one.platform.world.this_minute["stable_token"] = (int(clock.now() // 60), 9_999)
        assert "access_token" in await stable(one)
        assert (await stable(one))["errcode"] == 45011
        clock.advance(60)
        assert "access_token" in await stable(one)


async def test_clear_quota_does_not_give_back_forced_refreshes() -> None:
    async with table(silent) as one:
        token = await one.token()
        for _ in range(20):
            one.platform.world.clock.advance(31)
            await stable(one, force_refresh=True)
        assert (await one.api("clear_quota", {"appid": APP_ID}, token))["errcode"] == 0
        one.platform.world.clock.advance(31)
        last = (await stable(one))["access_token"]
        assert (await stable(one, force_refresh=True))["access_token"] == last


async def test_an_address_that_the_platform_does_not_have_is_a_business_error() -> None:
    async with table(silent) as one:
        for path in ("cgi-bin/no/such/call", "sns/nothing", "wxaapi/nothing"):
            async with one.http.post(f"{one.platform.origin}/{path}", data=b"{}") as response:
                assert (response.status, response.content_type) == (200, "text/plain")
                answer = await response.json(content_type=None)
                assert (answer["errcode"], " rid: " in answer["errmsg"]) == (40066, True)


async def test_the_white_list_can_speak_with_the_newer_code_and_look_at_every_call() -> None:
    assumed = Assumed(ip_refusal=61004, ip_checked_everywhere=True)
    async with table(silent, assumed=assumed) as one:
        token = await one.token()
        await one.control("account", {"ip_white_list": ["10.0.0.1"]})
        assert (await plain(one))["errcode"] == 61004
        assert await works(one, token) == 61004
        await one.control("account", {"ip_white_list": ["127.0.0.1"]})
        assert (await one.api("getcallbackip", token=token))["ip_list"] == ["127.0.0.1"]


async def test_midnight_can_be_elsewhere() -> None:
    for hours, left in ((8.0, 0), (0.0, 45009)):
        async with table(silent, daily_limits={"user_get": 1}, assumed=Assumed(midnight_hours_east=hours)) as one:
            token, clock = str((await stable(one))["access_token"]), one.platform.world.clock
            clock.move_to(clock.now() - clock.now() % 86_400 + 86_400 + 15 * 3600 + 59 * 60)
            token = str((await stable(one))["access_token"])
            await one.api("user/get", token=token)
            clock.advance(120)
            assert (await one.api("user/get", token=token)).get("errcode", 0) == left
