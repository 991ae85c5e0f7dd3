"""Where the platform finds the server address of the console."""

import pytest

from tests.bot.simulator.tiny_bot import table


async def test_it_tells_the_addresses_of_the_bot_s_host_and_a_ping_of_each() -> None:
    async with table() as one:
        dns = await one.api("callback/check", {"action": "dns", "check_operator": "DEFAULT"})
        assert dns == {"dns": [{"ip": "127.0.0.1", "real_operator": "UNICOM"}]}
        both = await one.api("callback/check", {"action": "all", "check_operator": "CAP"})
        assert [ping["ip"] for ping in both["ping"]] == ["127.0.0.1"]  # type: ignore[attr-defined]  # rows of JSON


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"action": "look", "check_operator": "DEFAULT"}, 40202),
        ({"action": "dns", "check_operator": "MOBILE"}, 40203),
    ],
)
async def test_what_it_does_not_know_is_refused(body: dict[str, str], expected: int) -> None:
    async with table() as one:
        assert (await one.api("callback/check", body))["errcode"] == expected


async def test_without_a_server_address_in_the_console_it_says_so() -> None:
    async with table() as one:
        one.platform.world.account.bot_url = ""
        assert (await one.api("callback/check", {"action": "dns", "check_operator": "DEFAULT"}))["errcode"] == 40201
