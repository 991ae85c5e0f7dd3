"""The story of one frightened message, with the process killed at every named point between two commits."""

import asyncio
import contextlib
import re
from collections import Counter
from pathlib import Path

import pytest

from bot.faults import POINTS
from storage.inbox import Inbox, InboxState
from storage.media import Media, MediaState
from storage.reports import Report, ReportStage
from tests.crash.town import Town, plain, town
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

STORY = ("快来人 他爸提起菜刀在堂屋门口 娃儿还在里头", "在柳河村三组李家 跟奶奶在一起", "1", "13812345678")
ELSEWHERE = frozenset(
    {
        "raw_kept", "failed_turn_kept", "batch_committed", "page_before_commit", "page_after_commit_before_answer",
        "gateway_after_commit_before_answer",
    }
)  # fmt: skip
"""Points that this story does not pass; they have tests of their own."""
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


async def play(place: Town, name: str) -> list[str]:
    """One reporter's whole dialogue, the claim, and a day; what the reporter read."""
    phone = place.platform.add_phone(name, f"o-{name}")
    for words in STORY:
        before = len(said(place, phone.openid))
        await phone.say(words)
        await eventually(lambda before=before: len(said(place, phone.openid)) > before, 60)  # type: ignore[misc]
    await phone.send_image(PNG)
    await place.advance(240)  # longer than the lease of a sender or a fetcher that was killed
    reports = place.count(Report)
    await eventually(lambda: place.count(Media, state=MediaState.KEPT) == place.count(Media), 60)
    duty = place.platform.phone("o-duty")
    await eventually(lambda: is_alarmed(place, place.newest(Report)), 60)
    await duty.say("我接了")
    await eventually(lambda: place.count(Report, stage=ReportStage.ACCEPTED) == reports, 60)
    await place.advance(900)
    return said(place, phone.openid)


def is_alarmed(place: Town, report: int) -> bool:
    """Whether the duty person was alarmed about a report."""
    page = f"/m/case/{report}"
    screen = place.platform.phone("o-duty").screen
    return any(re.search(rf"{page}(?!\d)", f"{item.text} {item.url}") for item in screen)


def said(place: Town, openid: str) -> list[str]:
    """What the account said on a phone."""
    screen = [item for item in place.platform.phone(openid).screen if item.side == "account"]
    return [plain("\n".join([item.text, *(str(one["value"]) for one in item.fields)])) for item in screen]


async def test_a_kill_at_every_fault_point_changes_nothing_that_people_see(database_url: str, tmp_path: Path) -> None:
    async with town(database_url, tmp_path) as place:
        await place.start()
        expected = await play(place, "reference")
        assert any("RECEIPT" in words for words in expected)
        for point in [point for point in POINTS if point not in ELSEWHERE]:
            await place.kill()
            await place.start(point)
            alive = asyncio.create_task(place.keep_alive())
            kills = place.kills
            seen = await play(place, point)
            alive.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await alive
            assert place.kills > kills, f"{point} was never reached"
            assert [words for words in expected if words not in seen] == [], f"{point}: a reply is missing"
            extra = list((Counter(seen) - Counter(expected)).elements())
            # A kill between an answer and its mark may say a reply once more, word for word, never lose it.
            assert len(extra) <= 1, f"{point}: {extra}"
            assert set(extra) <= set(expected), f"{point}: {extra}"
        reporters = 1 + len(POINTS) - len(ELSEWHERE)
        assert place.count(Report) == reporters
        assert place.count(Inbox, state=InboxState.DONE) == place.count(Inbox)
        assert await place.check() == ""
        assert not any(item.kind == "fault" for item in place.platform.phone("o-duty").screen)
