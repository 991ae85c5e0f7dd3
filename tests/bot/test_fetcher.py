"""Photos and voices: fetched before the platform forgets them, sealed, and never in the way of the talk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from bot.fetcher import LEASE
from handlers import check
from storage import media
from storage.media import Media, MediaState
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.waiting import eventually

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
VOICE = b"#!AMR\n" + bytes(range(255, -1, -1)) * 20


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


def originals(bot: Rig) -> list[tuple[str, str | None]]:
    """State and hash of everything that was sent."""
    return [(row.state, row.sha256) for row in bot.rows(Media)]


async def test_what_was_sent_is_kept_byte_for_byte_under_its_hash(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(PHOTO)
    await phone.send_voice(VOICE)
    assert [state for state, _ in originals(bot)] == [MediaState.WAITING] * 2
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.KEPT, hashlib.sha256(sent).hexdigest()) for sent in (PHOTO, VOICE)]
    with bot.engine.connect() as connection:
        found = [
            connection.execute(select(Media.content).where(Media.id == row.id)).scalar() for row in bot.rows(Media)
        ]
    assert found == [PHOTO, VOICE]


async def test_a_photo_is_not_readable_in_the_database_files(sqlite_databases: Databases) -> None:
    async with rig(prepared(sqlite_databases)) as bot:
        await bot.phone("teacher").send_image(PHOTO)
        await bot.worker.media.once()
        path = Path(str(make_url(bot.database_url).database))
        files = b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
    assert bytes(range(100)) not in files


async def test_six_hours_of_failing_downloads_lose_nothing_and_stop_no_talk(bot: Rig) -> None:
    phones = [bot.phone(f"p{n}") for n in range(3)]
    bot.platform.world.faults.change({"media_fails_for": 6 * 3600}, bot.platform.world.clock.now())
    for phone in phones:
        await phone.send_image(PHOTO)
        await phone.send_voice(VOICE)
    for _ in range(5):
        assert (await bot.travel({"advance_seconds": 3600}))[0] == 200
        assert {state for state, _ in originals(bot)} == {MediaState.WAITING}
        assert [item.side for item in await phones[0].say("帮助")] == ["me", "account"]
    tries = len(bot.calls("media/get"))
    await bot.travel({"advance_seconds": 2 * 3600})
    assert {state for state, _ in originals(bot)} == {MediaState.KEPT}
    assert tries <= 6 * 18, "each original is asked for at most every half an hour in the end"


async def test_what_the_platform_no_longer_has_is_lost_and_listed(bot: Rig) -> None:
    await bot.phone("teacher").send_image(PHOTO)
    await bot.pass_(days=3, seconds=1)
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.LOST, None)]
    assert "lost_media" in [one.kind for one in await bot.turn(check.findings)]
    assert await bot.worker.media.once() == 0


async def test_downloads_that_fail_for_three_days_end_as_lost(bot: Rig) -> None:
    await bot.phone("teacher").send_image(PHOTO)
    bot.platform.world.faults.change({"media_fails_for": 10 * 86400}, bot.platform.world.clock.now())
    for _ in range(400):
        await bot.worker.media.once()
        if originals(bot)[0][0] == MediaState.LOST:
            break
        assert bot.rows(Media)[0].next_at is not None
        await bot.pass_(minutes=31)
    assert originals(bot) == [(MediaState.LOST, None)]


async def test_an_original_claimed_by_a_process_that_died_is_fetched_when_the_lease_ends(bot: Rig) -> None:
    await bot.phone("teacher").send_image(PHOTO)
    now = bot.clock.now()
    await bot.database.run(lambda connection: media.claim(connection, now, now + LEASE, 10))
    assert await bot.worker.media.once() == 0
    await bot.pass_(seconds=LEASE.total_seconds() + 1)
    assert await bot.worker.media.once() == 1
    assert originals(bot) == [(MediaState.KEPT, hashlib.sha256(PHOTO).hexdigest())]


async def test_a_slow_download_keeps_nobody_waiting(bot: Rig) -> None:
    phone, other = bot.phone("teacher"), bot.phone("other")
    bot.fault("media/get", kind="slow", seconds=1.5)
    await phone.send_image(PHOTO)
    fetched = asyncio.ensure_future(bot.worker.media.once())
    await eventually(lambda: bot.rows(Media)[0].attempts == 1)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(phone.say("帮助"), other.say("帮助"))
    assert asyncio.get_running_loop().time() - began < 1
    assert not fetched.done()
    await fetched
    assert originals(bot)[0][0] == MediaState.KEPT
