"""Photos and voices: fetched before the platform forgets them, sealed, and never in the way of the talk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from bot.fetcher import LEASE, TRIES_OF_UNFIT
from bot.simulator import media as platform_media
from bot.simulator.handles import PhoneHandle
from handlers import check
from handlers.policy import Policy
from handlers.workdays import CHINA
from messages import render
from storage import media
from storage.contacts import Contact
from storage.media import Media, MediaState
from storage.outbox import Outbox
from storage.renditions import Rendition
from storage.reporters import Reporter
from storage.reports import Entry
from storage.tasks import LIVE, Task
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.media import picture, tone
from tests.support.waiting import eventually

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
VOICE = b"#!AMR\n" + bytes(range(255, -1, -1)) * 20
PAGE_OF_A_PROXY = b"<html><body>Gateway login</body></html>"
REFUSED, LOST = render("originals/refused"), render("originals/lost")


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


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_hundred_media_survive_six_hours_in_which_no_download_works(bot: Rig) -> None:
    """All are fetched in the end, byte for byte, each at its sender's report; the platform is asked moderately."""
    phones = [bot.phone(f"p{number}") for number in range(20)]
    bot.platform.world.faults.change({"media_fails_for": 6 * 3600}, bot.platform.world.clock.now())
    sent: dict[str, str] = {}
    for number, phone in enumerate(phones):
        for shade in range(3):
            photo = picture(colour=(10 * number, 80 * shade, 99))
            await phone.send_image(photo)
            sent[hashlib.sha256(photo).hexdigest()] = phone.openid
        for pitch in range(2):
            voice = tone(0.2, 200 + 40 * number + 15 * pitch)
            await phone.send_voice(voice)
            sent[hashlib.sha256(voice).hexdigest()] = phone.openid
    assert len(sent) == 100
    asked, calls = 0, bot.platform.world.log
    for hour in range(1, 8):
        calls.clear()
        assert (await bot.travel({"advance_seconds": 3600}))[0] == 200
        asked += len(bot.calls("media/get"))
        assert {state for state, _ in originals(bot)} == ({MediaState.WAITING} if hour < 7 else {MediaState.KEPT})

    with bot.engine.connect() as connection:
        sender_of = select(Media.sha256, Contact.openid, Media.report_id, Entry.report_id, Media.fetched_at).where(
            Entry.media_id == Media.id, Reporter.report_id == Media.report_id, Contact.id == Reporter.contact_id
        )
        rows = connection.execute(sender_of).all()
    assert {digest: openid for digest, openid, *_ in rows} == sent
    assert len(rows) == 100
    assert all(linked == told for *_, linked, told, _ in rows)
    assert all(isinstance(fetched, datetime) for *_, fetched in rows)
    assert 100 * 10 < asked <= 100 * 19, "seven tries in the first hour of growing waits, then two an hour"
    assert [row.content_type for row in bot.rows(Rendition)] == (["image/jpeg"] * 3 + ["audio/mpeg"] * 2) * 20
    print(f"download calls for 100 media: {asked}")  # noqa: T201 - the figure


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


async def refused(bot: Rig, phone: PhoneHandle) -> None:
    """Let the bot try as often as it does."""
    for _ in range(TRIES_OF_UNFIT):
        await bot.worker.media.once()
        await bot.pass_(minutes=3)
    await bot.worker.send.once()
    assert [state for state, _ in originals(bot)][-1:] == [MediaState.REFUSED], phone.transcript


def live_tasks(bot: Rig) -> set[str]:
    """What somebody must do."""
    return {row.kind for row in bot.rows(Task) if row.state in LIVE}


@pytest.mark.parametrize("content", [PAGE_OF_A_PROXY, b"", b"PK\x03\x04 a document", b"%PDF-1.7"])
async def test_what_is_no_picture_is_refused_in_one_sentence_and_the_rest_goes_on(bot: Rig, content: bytes) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(content)
    await bot.worker.due.once()
    asked = live_tasks(bot)
    assert "listen" in asked
    await refused(bot, phone)
    assert len(bot.calls("media/get")) == TRIES_OF_UNFIT
    assert bot.texts(phone).count(REFUSED) == 1
    assert live_tasks(bot) == asked, "whoever listens still has the report"
    assert await bot.worker.media.once() == 0
    assert bot.rows(Rendition) == []
    assert [item.side for item in await phone.say("2")] == ["me", "account"]


async def test_several_that_are_refused_are_answered_once_and_a_good_one_is_kept(bot: Rig) -> None:
    phone = bot.phone("teacher")
    for content in (PAGE_OF_A_PROXY, PHOTO, b"PK\x03\x04"):
        await phone.send_image(content)
    await phone.send_voice(b"not a voice at all")
    for _ in range(TRIES_OF_UNFIT):
        await bot.worker.media.once()
        await bot.pass_(minutes=3)
    await bot.worker.send.once()
    states = [state for state, _ in originals(bot)]
    assert states == [MediaState.REFUSED, MediaState.KEPT, MediaState.REFUSED, MediaState.REFUSED]
    assert bot.texts(phone).count(REFUSED) == 1


async def test_a_page_that_a_proxy_gives_once_in_place_of_a_photo_costs_only_another_try(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(PHOTO)
    [known] = bot.platform.world.state.media
    bot.platform.world.keeper.put(known, PAGE_OF_A_PROXY)
    await bot.worker.media.once()
    bot.platform.world.keeper.put(known, PHOTO)
    await bot.pass_(minutes=1)
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.KEPT, hashlib.sha256(PHOTO).hexdigest())]
    assert REFUSED not in bot.texts(phone)


async def test_what_is_larger_than_the_county_allows_is_refused_at_once(databases: Databases) -> None:
    async with rig(prepared(databases), policy=Policy(version=1, media_largest_mb=1)) as bot:
        phone = bot.phone("teacher")
        await phone.send_image(PHOTO + bytes(1024 * 1024))
        await phone.send_image(PHOTO)
        await bot.worker.media.once()
        await bot.worker.send.once()
        assert [state for state, _ in originals(bot)] == [MediaState.REFUSED, MediaState.KEPT]
        assert bot.texts(phone).count(REFUSED) == 1


async def test_what_is_too_large_to_be_fetched_at_all_is_refused_not_lost(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(PHOTO + bytes(21 * platform_media.MB))
    await bot.worker.media.once()
    await bot.worker.send.once()
    assert [state for state, _ in originals(bot)] == [MediaState.REFUSED]
    assert bot.texts(phone)[-1] == REFUSED


async def test_what_is_lost_is_asked_for_once_by_day_by_a_neutral_card_when_no_window_is_open(bot: Rig) -> None:
    phone = bot.phone("teacher")
    for _ in range(3):
        await phone.send_image(PHOTO)
    await bot.travel({"advance_seconds": 60})
    bot.platform.world.faults.change({"media_fails_for": 4 * 86400}, bot.platform.world.clock.now())
    assert {state for state, _ in originals(bot)} == {MediaState.KEPT}
    await phone.send_image(PHOTO)
    await phone.send_voice(VOICE)
    await bot.travel({"advance_seconds": 4 * 86400})
    assert [state for state, _ in originals(bot)][3:] == [MediaState.LOST] * 2
    asked = [row for row in bot.rows(Outbox) if row.content and row.content["text"] == LOST]
    assert len(asked) == 1
    assert (asked[0].kind, asked[0].channel) == ("prompt", "template")
    assert 8 <= asked[0].settled_at.astimezone(CHINA).hour < 20
    assert "您有一条新消息" in bot.texts(phone)


async def test_what_is_lost_while_a_window_is_open_is_asked_for_in_words(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(PHOTO)
    bot.platform.world.state.media.clear()
    await phone.say("2")
    await bot.travel({"advance_seconds": 86400})
    assert bot.texts(phone).count(LOST) == 1
    assert [state for state, _ in originals(bot)] == [MediaState.LOST]


async def test_whoever_left_the_account_is_not_asked(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(b"junk")
    before = len(bot.rows(Outbox))
    await phone.unfollow()
    for _ in range(TRIES_OF_UNFIT):
        await bot.worker.media.once()
        await bot.pass_(minutes=3)
    await bot.worker.send.once()
    assert [state for state, _ in originals(bot)] == [MediaState.REFUSED]
    assert [row.state for row in bot.rows(Outbox)[before:] if row.state in {"accepted", "queued", "sending"}] == []
