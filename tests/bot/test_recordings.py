"""The county's recordings: given to the platform, given again before it forgets them, and sent after the words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.menus import push_menus
from bot.recordings import LARGEST, Recordings
from bot.wechat import WeChat
from handlers.recordings import PICTURE
from storage.outbox import Outbox
from storage.recordings import Recording
from tests.bot.rig import Rig, prepared, rig
from tests.support.databases import Databases
from tests.support.media import picture, tone


@pytest.fixture
async def bot(databases: Databases) -> AsyncIterator[Rig]:
    """The small county with a platform."""
    async with rig(prepared(databases)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings."""
    (tmp_path / "danger.mp3").write_bytes(tone(1, 300, "mp3"))
    (tmp_path / "go_on.amr").write_bytes(tone(1, 400))
    (tmp_path / "README.txt").write_text("how they were made")
    return tmp_path


def known(bot: Rig) -> dict[str, str]:
    """What was uploaded, by name, with what kind of media the platform keeps for it."""
    return {row.name: bot.platform.world.state.media[row.media_id].kind for row in bot.rows(Recording)}


def uploads(bot: Rig) -> int:
    """Calls so far."""
    return len(bot.calls("media/upload"))


async def test_they_are_uploaded_once_and_again_before_the_three_days_end(bot: Rig, folder: Path) -> None:
    recordings = Recordings(bot.database, bot.wechat, bot.clock, folder)
    assert await recordings.drain() == 3
    assert known(bot) == {"danger": "voice", "go_on": "voice", PICTURE: "image"}
    assert await recordings.drain() == 0
    await bot.pass_(hours=47)
    assert await recordings.drain() == 0
    assert uploads(bot) == 3
    before = {row.media_id for row in bot.rows(Recording)}
    await bot.pass_(hours=2)
    assert await recordings.drain() == 3
    assert before.isdisjoint({row.media_id for row in bot.rows(Recording)})
    await bot.pass_(days=2, hours=20)
    assert set(known(bot)) == {"danger", "go_on", PICTURE}


async def test_a_changed_file_is_uploaded_and_one_that_is_gone_is_forgotten(bot: Rig, folder: Path) -> None:
    recordings = Recordings(bot.database, bot.wechat, bot.clock, folder)
    await recordings.drain()
    (folder / "danger.mp3").write_bytes(tone(1, 500, "mp3"))
    (folder / "go_on.amr").unlink()
    assert await recordings.drain() == 1
    assert known(bot) == {"danger": "voice", PICTURE: "image"}
    assert await Recordings(bot.database, bot.wechat, bot.clock, None).drain() == 0
    assert known(bot) == {PICTURE: "image"}


async def test_a_file_that_is_no_voice_is_left_out_and_the_operator_told(bot: Rig, folder: Path) -> None:
    (folder / "danger.mp3").write_text("not a sound")
    (folder / "go_on.amr").write_bytes(b"#!AMR\n" + bytes(LARGEST))
    (folder / "thanks.mp3").mkdir()
    recordings = Recordings(bot.database, bot.wechat, bot.clock, folder)
    with capture_logs() as logs:
        assert await recordings.drain() == 1
    assert sorted(one["recording"] for one in logs if one["event"] == "recording_not_usable") == [
        "danger", "go_on", "thanks",
    ]  # fmt: skip
    assert known(bot) == {PICTURE: "image"}


async def test_what_the_platform_does_not_take_is_not_remembered_and_tried_at_the_next_round(
    bot: Rig, folder: Path
) -> None:
    recordings = Recordings(bot.database, bot.wechat, bot.clock, folder)
    (folder / "go_on.amr").write_bytes(tone(61))
    bot.fault("media/upload", kind="http")
    with capture_logs() as logs:
        assert await recordings.drain() == 1
    refusals = {one["recording"]: one["code"] for one in logs if one["event"] == "recording_not_uploaded"}
    assert refusals == {PICTURE: None, "go_on": 45007}
    assert known(bot) == {"danger": "voice"}
    assert await recordings.drain() == 1
    assert known(bot) == {"danger": "voice", PICTURE: "image"}


async def test_a_folder_that_may_not_be_looked_into_costs_the_recordings_only(bot: Rig, folder: Path) -> None:
    """The system refuses to look: here because the name is too long, elsewhere because of rights."""
    recordings = Recordings(bot.database, bot.wechat, bot.clock, folder / ("x" * 300))
    with capture_logs() as logs:
        assert await recordings.drain() == 1
    assert {one["reason"] for one in logs if one["event"] == "recording_not_usable"} == {"OSError"}
    assert known(bot) == {PICTURE: "image"}


async def test_the_county_may_have_its_own_picture(bot: Rig, folder: Path) -> None:
    own = picture()
    (folder / "voice_key.jpg").write_bytes(own)
    await Recordings(bot.database, bot.wechat, bot.clock, folder).drain()
    [row] = [row for row in bot.rows(Recording) if row.name == PICTURE]
    assert bot.platform.world.keeper.get(row.media_id) == own


async def test_an_account_that_may_send_no_voice_makes_no_call(bot: Rig, folder: Path) -> None:
    account = bot.account.model_copy(update={"kind": "unverified-service"})
    wechat = WeChat(account, bot.http)
    assert await Recordings(bot.database, wechat, bot.clock, folder).drain() == 0
    assert uploads(bot) == 0


async def test_who_begins_by_voice_hears_the_recording_after_the_words(bot: Rig, folder: Path) -> None:
    await Recordings(bot.database, bot.wechat, bot.clock, folder).drain()
    phone = bot.phone("villager")
    await phone.send_voice(tone(1))
    await bot.handed()
    await bot.worker.send.once()
    assert [(item.kind, item.side) for item in phone.screen] == [
        ("voice", "me"), ("text", "account"), ("voice", "account"),
    ]  # fmt: skip
    assert [row.channel for row in bot.rows(Outbox) if row.kind == "reply"] == ["passive", "custom"]


async def test_a_recording_that_cannot_be_sent_is_let_go(bot: Rig, folder: Path) -> None:
    await Recordings(bot.database, bot.wechat, bot.clock, folder).drain()
    phone = bot.phone("villager")
    await phone.send_voice(tone(1))
    await bot.handed()
    bot.platform.world.state.media.clear()
    await bot.worker.send.once()
    assert [row.state for row in bot.rows(Outbox) if row.kind == "reply"] == ["handed", "cancelled"]
    assert await bot.worker.send.once() == 0


async def test_the_menu_key_brings_the_picture_after_the_words(bot: Rig) -> None:
    await Recordings(bot.database, bot.wechat, bot.clock, None).drain()
    await push_menus(bot.wechat)
    phone = bot.phone("villager")
    await phone.press("report")
    await bot.handed()
    await bot.worker.send.once()
    assert [(item.kind, item.side) for item in phone.screen][-2:] == [("text", "account"), ("image", "account")]
