"""Who is asked to send something again, when, and how often."""

import re
from datetime import timedelta

import pytest

from bot.fetcher import give_up
from handlers.turn import Turn
from handlers.workdays import CHINA
from messages import render
from storage import contacts, media
from storage.media import MediaState
from storage.outbox import Outbox
from tests.support.reporting import Town, town
from tests.world import outbox_rows

__all__ = ["town"]
REFUSED, LOST, MISSING = (render(f"originals/{name}") for name in ("refused", "lost", "missing"))


def send(town: Town, who: str = "李婶") -> int:
    """Somebody sends a photo; its id."""
    town.phone(who).says(None, kind="image", media_id="m")
    return max(row.id for row in town.turn(lambda turn: turn.session.query(media.Media).all()))


def fails(town: Town, number: int, state: MediaState) -> None:
    """It will not come."""
    town.turn(lambda turn: give_up(turn.connection, number, state, turn.now, turn.policy))
    town.world.settle()


def asked(town: Town, text: str) -> list[Outbox]:
    """The messages with these words."""
    return [row for row in outbox_rows(town.world) if (row.content or {}).get("text") == text]


def test_whoever_added_to_a_report_by_its_receipt_is_told_and_not_the_reporter(town: Town) -> None:
    reporter = town.tell()
    [receipt] = re.findall(r"\d{4} \d{4} \d{4}", "\n".join(reporter.reads))
    other = town.phone("邻居")
    other.says("补充" + receipt.replace(" ", ""))
    number = send(town, "邻居")
    fails(town, number, MediaState.REFUSED)
    assert other.last == REFUSED
    assert REFUSED not in reporter.reads


def test_of_two_who_sent_to_one_report_each_is_asked(town: Town) -> None:
    reporter = town.tell()
    [receipt] = re.findall(r"\d{4} \d{4} \d{4}", "\n".join(reporter.reads))
    other = town.phone("邻居")
    other.says("补充" + receipt.replace(" ", ""))
    for number in (send(town), send(town, "邻居"), send(town)):
        fails(town, number, MediaState.LOST)
    assert reporter.reads.count(LOST) == other.reads.count(LOST) == 1
    told = town.turn(lambda turn: [row.told_at for row in turn.session.query(media.Media).order_by(media.Media.id)])
    assert all(told), "the page says it of everything that they were asked for"


def test_whoever_is_gone_or_not_reached_is_not_asked_and_nothing_claims_it(town: Town) -> None:
    numbers = [send(town), send(town, "邻居")]

    def lose(turn: Turn) -> None:
        contacts.erase(turn.connection, contacts.hear(turn.connection, "o-李婶", turn.now).contact_id, turn.now)
        contacts.unreachable(turn.connection, contacts.hear(turn.connection, "o-邻居", turn.now).contact_id, turn.now)

    town.turn(lose)
    for number in numbers:
        fails(town, number, MediaState.LOST)
    assert asked(town, LOST) == []
    assert town.turn(lambda turn: [row.told_at for row in turn.session.query(media.Media)]) == [None, None]


def test_the_holder_hears_once_by_day_that_something_is_missing(town: Town) -> None:
    town.tell()
    numbers, report = [send(town) for _ in range(3)], town.report()
    town.world.pass_(minutes=1)
    town.phone(town.boss).says("我接了")
    town.world.pass_(hours=14)  # 23:00
    for number in numbers:
        fails(town, number, MediaState.REFUSED)
    [row] = asked(town, MISSING)
    assert row.kind == "notice"
    assert (row.content or {})["card"]["path"] == f"/m/case/{report.id}"
    assert row.next_at is not None
    assert row.next_at.astimezone(CHINA).hour == 8
    town.world.pass_(hours=10)
    assert town.phone(town.boss).reads.count(MISSING) == 1


def test_while_nobody_has_a_report_only_its_page_says_what_is_missing(town: Town) -> None:
    town.tell()
    fails(town, send(town), MediaState.LOST)
    assert asked(town, MISSING) == []
    assert len(asked(town, LOST)) == 1


def test_the_same_is_said_once_a_day_and_again_the_next(town: Town) -> None:
    numbers = [send(town) for _ in range(3)]
    for number in numbers[:2]:
        fails(town, number, MediaState.REFUSED)
        fails(town, number, MediaState.REFUSED)
    assert len(asked(town, REFUSED)) == 1
    town.world.pass_(hours=25)
    fails(town, numbers[2], MediaState.REFUSED)
    assert len(asked(town, REFUSED)) == 2


@pytest.mark.parametrize(("state", "words"), [(MediaState.LOST, LOST), (MediaState.REFUSED, REFUSED)])
def test_what_was_just_sent_is_answered_at_any_hour_and_later_by_day(town: Town, state: MediaState, words: str) -> None:
    town.world.pass_(hours=14)  # 23:00
    fails(town, send(town), state)
    assert town.phone("李婶").last == words
    town.world.pass_(hours=23)  # 22:00
    later = send(town)
    town.world.pass_(hours=2)
    fails(town, later, state)
    waiting = asked(town, words)[-1]
    assert waiting.next_at is not None
    assert waiting.next_at.astimezone(CHINA).hour == 8
    assert waiting.next_at - town.world.now < timedelta(hours=10)


def test_the_words_name_nothing(town: Town) -> None:
    fails(town, send(town), MediaState.LOST)
    [row] = asked(town, LOST)
    assert row.content == {
        "text": LOST,
        "besides": True,
        "card": {"purpose": "notice", "values": {"what": render("reports/card_nudge")}, "path": None},
    }
    assert not any(word in LOST + REFUSED for word in ("孩子", "娃", "报告", "伤", "警"))


def test_what_was_kept_meanwhile_is_not_given_up(town: Town) -> None:
    number = send(town)
    town.turn(lambda turn: media.keep(turn.connection, number, media.Original.of(b"x", "image/png"), turn.now))
    fails(town, number, MediaState.LOST)
    assert asked(town, LOST) == []
