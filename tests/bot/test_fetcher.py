"""Photos and voices: fetched before the platform forgets them, sealed, and never in the way of the talk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from bot.account import Right, channels, may
from bot.fetcher import BATCH, LEASE, Fetcher
from bot.settings import Kind
from bot.simulator import media as platform_media
from bot.simulator import settings as platform_settings
from bot.wechat import WeChat
from handlers import check
from handlers.policy import Policy
from handlers.workdays import CHINA
from messages import render
from storage import contacts, media
from storage.contacts import Contact
from storage.media import Media, MediaState
from storage.outbox import Outbox
from storage.renditions import Rendition
from storage.reporters import Reporter
from storage.reports import Entry
from storage.tasks import LIVE, Task
from tests.bot.rig import FIELDS, Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.media import picture, tone
from tests.support.waiting import eventually

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
VOICE = b"#!AMR\n" + bytes(range(255, -1, -1)) * 20
PAGE_OF_A_PROXY = b"<html><body>Gateway login</body></html>"
REFUSED, LOST, NOT_HERE = (render(f"originals/{name}") for name in ("refused", "lost", "not_here"))


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


def live_tasks(bot: Rig) -> set[str]:
    """What somebody must do."""
    return {row.kind for row in bot.rows(Task) if row.state in LIVE}


def put(bot: Rig, content: bytes) -> None:
    """The way to the platform gives this in place of the one file that was sent, from now on."""
    [known] = bot.platform.world.state.media
    bot.platform.world.keeper.put(known, content)


WORDS = [
    PAGE_OF_A_PROXY,
    b"",
    b"\xef\xbb\xbf<!DOCTYPE html>",
    "\n<h1>请登录网关</h1>".encode("gbk"),
    b"Bad Gateway\r\n",
]


@pytest.mark.parametrize("words", WORDS, ids=range(len(WORDS)))
async def test_words_or_nothing_in_place_of_a_file_cost_only_another_try(bot: Rig, words: bytes) -> None:
    """However often it failed before: an outage that ends with a proxy's page loses nothing."""
    phone = bot.phone("teacher")
    bot.platform.world.faults.change({"media_fails_for": 3600}, bot.platform.world.clock.now())
    await phone.send_image(PHOTO)
    for _ in range(6):
        await bot.worker.media.once()
        await bot.pass_(minutes=10)
    assert len(bot.calls("media/get")) > 4
    put(bot, words)
    for _ in range(3):
        await bot.pass_(minutes=31)
        await bot.worker.media.once()
        assert originals(bot) == [(MediaState.WAITING, None)]
    put(bot, PHOTO)
    await bot.pass_(minutes=31)
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.KEPT, hashlib.sha256(PHOTO).hexdigest())]
    assert not {REFUSED, LOST}.intersection(bot.texts(phone))


async def test_where_only_words_come_for_three_days_the_original_is_lost(bot: Rig) -> None:
    await bot.phone("teacher").send_image(PAGE_OF_A_PROXY)
    await bot.worker.media.once()
    await bot.pass_(days=3, seconds=1)
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.LOST, None)]


KINDS = [
    (b"\xff\xf1\x50\x80" + bytes(range(256)), "audio/aac"),
    (b"\x02#!SILK_V3" + bytes(range(256)), "audio/silk"),
    (b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(range(256)), "video/x-msvideo"),
    (b"PK\x03\x04" + bytes(range(256)), "application/octet-stream"),
    (bytes(range(256)), "application/octet-stream"),
]


@pytest.mark.parametrize(("content", "kind"), KINDS, ids=[f"{number} {kind}" for number, (_, kind) in enumerate(KINDS)])
async def test_whatever_else_it_is_is_kept_and_what_nobody_decodes_is_not_tried(
    bot: Rig, content: bytes, kind: str
) -> None:
    phone = bot.phone("teacher")
    await phone.send_voice(content)
    await bot.worker.media.once()
    [row] = bot.rows(Media)
    assert (row.state, row.content, row.content_type) == (MediaState.KEPT, content, kind)
    assert (row.sha256, row.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert len(bot.rows(Rendition)) == (kind == "audio/aac")
    assert not {REFUSED, LOST}.intersection(bot.texts(phone))


@pytest.mark.parametrize("code", [40004, 46001, 48001])
async def test_only_the_platforms_word_that_it_is_gone_ends_the_trying(bot: Rig, code: int) -> None:
    await bot.phone("teacher").send_image(PHOTO)
    bot.fault("media/get", errcode=code)
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.WAITING, None)]
    await bot.pass_(minutes=1)
    await bot.worker.media.once()
    assert originals(bot) == [(MediaState.KEPT, hashlib.sha256(PHOTO).hexdigest())]


async def test_what_is_refused_leaves_the_report_and_the_good_ones_as_they_are(databases: Databases) -> None:
    async with rig(prepared(databases), policy=Policy(version=1, media_largest_mb=1)) as bot:
        phone, huge = bot.phone("teacher"), PHOTO + bytes(1024 * 1024)
        for content in (huge, PHOTO, huge):
            await phone.send_image(content)
        await bot.worker.due.once()
        asked = live_tasks(bot)
        assert "listen" in asked
        await bot.worker.media.once()
        await bot.worker.send.once()
        assert [state for state, _ in originals(bot)] == [MediaState.REFUSED, MediaState.KEPT, MediaState.REFUSED]
        assert bot.texts(phone).count(REFUSED) == 1
        assert live_tasks(bot) == asked, "whoever listens still has the report"
        assert await bot.worker.media.once() == 0
        assert [item.side for item in await phone.say("2")] == ["me", "account"]


async def test_a_round_fetches_a_few_so_that_the_bot_can_be_stopped_between_two(bot: Rig) -> None:
    phone = bot.phone("teacher")
    for _ in range(BATCH + 1):
        await phone.send_image(PHOTO)
    assert await bot.worker.media.once() == BATCH
    assert await bot.worker.media.once() == 1
    assert {state for state, _ in originals(bot)} == {MediaState.KEPT}


# An account that is not verified.


@pytest.mark.parametrize("kind", get_args(Kind))
def test_who_may_fetch_is_known_to_whoever_answers(kind: Kind) -> None:
    assert Policy(ways=frozenset(channels(kind))).fetches == may(kind, Right.MEDIA)


@pytest.mark.parametrize("kind", ["unverified-subscription", "unverified-service"])
async def test_an_unverified_account_says_so_at_once_and_fetches_once_it_is_verified(
    databases: Databases, kind: Kind
) -> None:
    url = prepared(databases)
    async with rig(url, kind=kind, policy=Policy(version=1, burst_seconds=0)) as bot:
        phone = bot.phone("teacher")
        for item in (await phone.send_image(PHOTO), await phone.send_voice(VOICE)):
            [answer] = [one.text for one in item if one.side == "account"]
            assert answer.endswith(NOT_HERE)
        [words] = [one.text for one in await phone.say("背上都是伤") if one.side == "account"]
        assert NOT_HERE not in words
        for _ in range(3):
            await bot.worker.media.once()
            await bot.pass_(hours=5)
        assert originals(bot) == [(MediaState.WAITING, None)] * 2
        assert bot.calls("media/get") == []
        verified = replace(bot.policy, ways=frozenset({"custom"}))
        wechat = WeChat(bot.account.model_copy(update={"kind": "verified-subscription"}), bot.http)
        bot.platform.world.account.kind = platform_settings.Kind.VERIFIED_SUBSCRIPTION
        await bot.pass_(hours=1)
        assert await Fetcher(bot.database, wechat, bot.clock, verified).drain() == 2
        assert {digest for _, digest in originals(bot)} == {hashlib.sha256(one).hexdigest() for one in (PHOTO, VOICE)}


async def test_an_unverified_account_gives_up_with_the_platform_and_asks_nobody_in_vain(databases: Databases) -> None:
    async with rig(prepared(databases), kind="unverified-service") as bot:
        await bot.phone("teacher").send_image(PHOTO)
        await bot.handed()
        said = len(bot.rows(Outbox))
        await bot.pass_(days=3, seconds=1)
        await bot.worker.media.once()
        assert originals(bot) == [(MediaState.LOST, None)]
        assert [row.told_at for row in bot.rows(Media)] == [None]
        assert len(bot.rows(Outbox)) == said


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


async def test_what_is_lost_is_asked_for_once_by_day_by_a_neutral_card_when_no_window_is_open(
    databases: Databases,
) -> None:
    async with rig(prepared(databases), policy=Policy(version=1)) as bot:
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
        assert (asked[0].kind, asked[0].channel) == ("notice", "template")
        assert 8 <= asked[0].settled_at.astimezone(CHINA).hour < 20
        assert "您有一条新消息" in bot.texts(phone)


async def test_what_is_gone_a_moment_after_it_was_sent_is_asked_for_at_once_in_words(bot: Rig) -> None:
    phone = bot.phone("teacher")
    await phone.send_image(PHOTO)
    bot.platform.world.state.media.clear()
    await bot.worker.media.once()
    await bot.worker.send.once()
    assert bot.texts(phone)[-1] == LOST
    assert [state for state, _ in originals(bot)] == [MediaState.LOST]


async def test_staff_whose_photo_is_lost_stay_reachable_for_their_own_work(databases: Databases) -> None:
    """No window, no template for it, no SMS allowed: the words are let go, and nothing follows for the person."""
    fields = {name: keys for name, keys in FIELDS.items() if name != "notice"}
    async with rig(prepared(databases), fields=fields, telephone=True) as bot:
        await bot.phone("duty").send_image(PHOTO)
        await bot.handed()
        said = len(bot.rows(Outbox))
        await bot.pass_(days=3, seconds=1)
        await bot.worker.media.once()
        await bot.pass_(days=1)
        await bot.worker.send.once()
        [asked] = [row for row in bot.rows(Outbox)[said:] if row.content["text"] == LOST]
        assert (asked.state, asked.channel) == ("cancelled", None)
        assert [row.unreachable_since for row in bot.rows(Contact)] == [None] * len(bot.rows(Contact))
        assert "unreachable" not in live_tasks(bot)
        assert "unseen_message" not in [one.kind for one in await bot.turn(check.findings)]


async def test_staff_whom_a_nudge_about_their_own_report_does_not_reach_stay_reachable_for_their_work(
    databases: Databases,
) -> None:
    fields = {name: keys for name, keys in FIELDS.items() if name != "notice"}
    async with rig(prepared(databases), fields=fields, telephone=True) as bot:
        phone = bot.phone("duty")
        await phone.say("我们班上有个男生背上都是皮带印，他说是他爸打的")
        await bot.handed()
        contact = await bot.contact(phone)
        await bot.turn(lambda turn: contacts.shut_windows(turn.connection, contact))
        await bot.travel({"advance_seconds": 3600})
        nudges = [row for row in bot.rows(Outbox) if "nudge" in row.content]
        assert [(row.state, row.channel) for row in nudges] == [("cancelled", None)]
        assert [row.unreachable_since for row in bot.rows(Contact) if row.id == contact] == [None]


async def test_whoever_left_the_account_is_not_asked_and_the_page_does_not_say_so(databases: Databases) -> None:
    async with rig(prepared(databases), policy=Policy(version=1, media_largest_mb=1)) as bot:
        phone = bot.phone("teacher")
        await phone.send_image(PHOTO + bytes(1024 * 1024))
        await bot.handed()
        before = len(bot.rows(Outbox))
        await phone.unfollow()
        await bot.worker.media.once()
        assert [(row.state, row.told_at) for row in bot.rows(Media)] == [(MediaState.REFUSED, None)]
        assert REFUSED not in [row.content["text"] for row in bot.rows(Outbox)[before:]]
