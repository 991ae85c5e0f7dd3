"""The running bot's door in each of the platform's three modes, with two keys as during a change of the key.

The bot is a process of its own. In each mode every way to wrap a push is tried, the platform's and others, first around
sound messages, then around anything: 600 examples a mode.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.settings import Mode
from bot.webhook import BODY_LIMIT
from tests.bot.test_any_bytes import HEADERS, QUERIES, TREES, Wire, envelope, opened, pushes, said, sealed, signed
from tests.crash.town import AES_KEY, town
from tests.support.databases import SqliteDatabases
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
PREVIOUS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
STRANGE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
Dress = Literal["clear", "current", "previous", "strange", "both", "both, previous"]
DRESSES: tuple[Dress, ...] = ("clear", "current", "previous", "strange", "both", "both, previous")
"""In the clear; sealed with a key; in the clear and sealed, as the platform does in compatible mode."""
KEYS = {"current": AES_KEY, "previous": PREVIOUS, "strange": STRANGE, "both": AES_KEY, "both, previous": PREVIOUS}
ANSWERED: dict[Mode, dict[Dress, str | None]] = {
    "plain": {"clear": None, "both": None, "both, previous": None},
    "compatible": {
        "clear": None, "current": AES_KEY, "previous": PREVIOUS, "both": AES_KEY, "both, previous": PREVIOUS,
    },
    "safe": {"current": AES_KEY, "previous": PREVIOUS, "both": AES_KEY, "both, previous": PREVIOUS},
}  # fmt: skip
"""By mode and dress: the key of the reply (None: in the clear); what is missing is refused."""
MODES: tuple[Mode, ...] = ("plain", "compatible", "safe")
EXAMPLES = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Account:
    """The door, and the mode it was told."""

    mode: Mode
    wire: Wire

    async def deliver(self, message: bytes, dress: Dress) -> bytes:
        """One push, wrapped so; what is answered."""
        if dress == "clear":
            return await self.wire.send(signed(), message)
        encrypted = envelope(message, aes_key=KEYS[dress])
        body = sealed(encrypted)
        if dress.startswith("both"):
            body = message.removesuffix(b"</xml>") + f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()
        return await self.wire.send(signed(encrypted), body)


@pytest.fixture(scope="module", params=MODES)
async def account(
    request: pytest.FixtureRequest, sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Account]:
    """One bot for all examples of a mode; after the last one it still answers a person, and nothing failed inside."""
    mode: Mode = request.param
    folder = tmp_path_factory.mktemp(mode)
    key = None if mode == "plain" else PREVIOUS
    async with town(sqlite_databases.fresh(), folder, mode=mode, previous_key=key) as running:
        await running.start()
        wire = Wire(running.port, running)
        yield Account(mode, wire)
        phone = running.platform.add_phone("last", "o-last")
        await phone.say("他在打她")
        assert "110" in phone.screen[-1].text
        await eventually(lambda: running.undone() == 0, 30)
        wire.looks_well()
        assert running.faults() == 0
        await wire.hang_up()


@pytest.mark.parametrize("dress", DRESSES)
async def test_a_sound_push_is_answered_as_its_mode_wants_and_with_the_key_that_opened_it(
    account: Account, dress: Dress
) -> None:
    before = account.wire.statuses.copy()
    answer = await account.deliver(said("o-teacher", "帮助"), dress)
    answered = ANSWERED[account.mode]
    if dress not in answered:
        assert account.wire.statuses - before in ({400: 1}, {403: 1}), answer
        return
    assert account.wire.statuses - before == {200: 1}, answer
    key = answered[dress]
    assert "孩子有危险" in (answer.decode() if key is None else opened(answer, key))


async def test_a_person_reads_the_reply_whichever_key_the_platform_uses(account: Account) -> None:
    town, phone = account.wire.town, account.wire.town.platform.add_phone("reader", "o-reader")
    await phone.say("帮助")
    if account.mode != "plain":
        town.platform.world.faults.old_key = 1
        await phone.say("帮助")
    shown = [item.text for item in phone.screen if item.side == "account"]
    assert len(shown) == (1 if account.mode == "plain" else 2)
    assert all("孩子有危险" in text for text in shown)
    assert town.faults() == 0


@EXAMPLES
@given(QUERIES, st.binary(max_size=3000), HEADERS)
async def test_any_bytes_get_a_short_answer(account: Account, query: bytes, body: bytes, headers: bytes) -> None:
    await account.wire.send(query, body, headers=b"" if b"Expect" in headers else headers)


@EXAMPLES
@given(TREES, st.sampled_from(DRESSES), st.sampled_from(["utf-8", "utf-16", "gbk"]))
async def test_anything_like_xml_gets_a_short_answer(account: Account, tree: str, dress: Dress, coding: str) -> None:
    document = f"<xml>{tree}</xml>".encode(coding, errors="replace")[: BODY_LIMIT // 4]
    await account.deliver(document, dress)


@EXAMPLES
@given(pushes(), st.sampled_from(DRESSES))
async def test_any_push_is_taken_or_refused(account: Account, message: bytes, dress: Dress) -> None:
    await account.deliver(message, dress)
