"""The process dies between an answer and its mark, so the answer is said again: never a question that was answered."""

from pathlib import Path

import pytest

from storage.reports import Report
from tests.crash.town import Town, town
from tests.support.databases import Databases
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

BEATEN = "隔壁的娃儿身上全是伤，说是他后爸打的"
DANGER = "快来人 他爸提起菜刀在堂屋门口 娃儿还在里头"
WHERE = "孩子现在在哪里，和谁在一起？"


async def told_before_a_kill(place: Town, words: str) -> str:
    """Somebody reports and reads the answer; the bot dies before it has noted that, and is there again."""
    await place.start("answer_written_before_handed")
    phone = place.platform.add_phone(openid="o-teller")
    [answer] = (item.text for item in await phone.say(words) if item.side == "account")
    await place.bot.wait()
    await place.start()
    return answer


async def came_late(place: Town, *answers: str) -> list[str]:
    """What appears beside the replies to these answers, within a minute."""
    phone = place.platform.phone("o-teller")
    for words in answers:
        await phone.say(words)
    await place.advance(60)
    await eventually(lambda: place.undone() == 0, 60)
    return [item.text for item in place.screen("o-teller") if item.source != "reply"]


async def test_an_option_shows_that_all_was_read(databases: Databases, tmp_path: Path) -> None:
    async with town(databases.fresh(), tmp_path) as place:
        await told_before_a_kill(place, BEATEN)
        assert await came_late(place, "2") == []
        assert place.count(Report) == 1
        assert await place.check() == ""


async def test_words_may_be_the_same_ones_again_and_what_to_do_in_danger_is_said_again(
    databases: Databases, tmp_path: Path
) -> None:
    async with town(databases.fresh(), tmp_path) as place:
        first = await told_before_a_kill(place, DANGER)
        assert await came_late(place, DANGER) == [first.removesuffix(WHERE).strip()]
        assert "110" in first


async def test_without_an_answer_everything_is_said_again(databases: Databases, tmp_path: Path) -> None:
    async with town(databases.fresh(), tmp_path) as place:
        first = await told_before_a_kill(place, BEATEN)
        assert await came_late(place) == [first]
