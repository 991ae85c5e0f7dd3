"""Whoever begins by voice is answered by voice too, besides the words; nobody else is, and nothing depends on it."""

from datetime import datetime, timedelta

import pytest

from handlers.recordings import GOOD_FOR, PICTURE, VOICES, chosen
from handlers.reports import Reporting
from messages import render
from storage import recordings
from tests.support.reporting import Town, town
from tests.world import Phone, outbox_rows

__all__ = ["town"]


@pytest.fixture
def county(town: Town) -> Town:
    """The county with all its recordings at the platform."""
    upload(town, *VOICES, PICTURE)
    return town


def upload(town: Town, *names: str, at: datetime | None = None) -> None:
    """These are at the platform since then."""
    moment = at or town.world.now
    for name in names:
        town.turn(lambda turn, name=name: recordings.keep(turn.connection, name, "d", f"media-{name}", moment))  # type: ignore[misc]


def left(town: Town, kind: str) -> list[str]:
    """The names of what was left of a kind, in order, with nothing else in their rows."""
    rows = [row.content or {} for row in outbox_rows(town.world)]
    found = [content for content in rows if content.get("media") == kind]
    names = [str(content["name"]) for content in found]
    assert found == [{"text": "", "media": kind, "name": name, "media_id": f"media-{name}"} for name in names]
    return names


def heard(town: Town) -> list[str]:
    """The recordings that were left."""
    return left(town, "voice")


def by_voice(town: Town, who: str = "李婶") -> Phone:
    """Somebody begins with a voice message."""
    phone = town.phone(who)
    phone.says(None, kind="voice", media_id="m-1", format="amr")
    return phone


def test_a_report_that_begins_by_voice_is_answered_by_voice_to_its_end(county: Town) -> None:
    phone = by_voice(county)
    assert heard(county) == ["go_on"]
    for words in ("2", "小名豆豆，七八岁", "在他家", "他舅", "2"):
        county.world.pass_(seconds=25)
        phone.says(words)
    assert heard(county) == ["go_on"] * 5 + ["call_back"]
    county.world.pass_(seconds=25)
    phone.says("1")
    assert heard(county)[6:] == ["receipt"]
    assert any("回执号" in words for words in phone.reads), "the words came as well"
    county.world.pass_(minutes=5)
    phone.says("还有一句，他晚上一个人")
    assert heard(county)[7:] == ["thanks"]


def test_what_asks_for_nothing_more_is_read_only(county: Town) -> None:
    phone = by_voice(county)
    for words in ("2", "报错了怎么办", "会不会知道是我", "取消"):
        county.world.pass_(seconds=25)
        phone.says(words)
    assert phone.last == render("reports/cancelled")
    assert heard(county) == ["go_on"] * 2


def test_every_question_of_a_report_has_its_recording() -> None:
    asked = {name: chosen([f"reports/{name}"]) for name in Reporting.questions}
    assert asked == dict.fromkeys(Reporting.questions, "go_on") | {"call_back": "call_back"}


def test_danger_is_heard_before_everything_else(county: Town) -> None:
    phone = by_voice(county)
    phone.says("1")
    assert heard(county) == ["go_on", "danger"]


def test_the_one_reply_to_a_burst_is_heard_once(county: Town) -> None:
    phone = by_voice(county)
    for _ in range(3):
        phone.says(None, kind="voice", media_id="m-2", format="amr")
    county.world.pass_(minutes=1)
    assert heard(county) == ["go_on", "go_on"]


def test_the_recording_comes_after_the_words(county: Town) -> None:
    by_voice(county)
    reply, voice = [row for row in outbox_rows(county.world) if row.kind == "reply"]
    assert "先打 110" in (reply.content or {})["text"]
    assert reply.id < voice.id
    assert reply.contact_id == voice.contact_id


def test_whoever_begins_in_words_or_asks_for_help_reads(county: Town) -> None:
    phone = county.phone("王叔")
    phone.says("我们村有个娃身上青一块紫一块的")
    phone.says(None, kind="voice", media_id="m-1", format="amr")
    spoke = by_voice(county)
    before = heard(county)
    spoke.says("帮助")
    county.phone("赵").says("你好")
    assert before == ["go_on"]
    assert heard(county) == before


def test_a_later_report_in_words_is_answered_in_words(county: Town) -> None:
    phone = by_voice(county)
    for words in ("2", "小名豆豆，七八岁", "在他家", "他舅", "2", "1"):
        county.world.pass_(seconds=25)
        phone.says(words)
    county.world.pass_(days=2)
    before = heard(county)
    phone.says("我们村还有个女娃，她爸打她，身上全是伤")
    assert heard(county) == before


def test_without_a_recording_or_with_one_that_the_platform_forgot_there_are_only_words(town: Town) -> None:
    upload(town, "danger", "receipt")
    upload(town, "go_on", at=town.world.now - GOOD_FOR - timedelta(minutes=1))
    phone = by_voice(town)
    assert "先打 110" in phone.reads[0]
    assert heard(town) == []
    phone.says("1")
    assert heard(town) == ["danger"]


def test_the_menu_key_shows_where_the_voice_key_is_and_the_word_does_not(county: Town) -> None:
    phone = county.phone("李婶")
    phone.event("click", "report")
    assert left(county, "image") == ["voice_key"]
    assert "打字、语音、照片都可以" in phone.reads[0]
    phone.says("报告")
    phone.event("click", "help")
    assert left(county, "image") == ["voice_key"]
    assert heard(county) == []
