"""The police receipt: filing here never counts as the report to the police, so the bot goes on asking."""

import pytest

from storage.tasks import TaskState
from tests.support.reporting import ANSWERS, BEATEN, Town, town

__all__ = ["town"]
ASKED = "您好，上次的事拿到回执编号了吗？有就发来，没有回“没有”。"


def test_the_receipt_is_asked_for_after_ten_minutes_and_daily_then_no_more(town: Town) -> None:
    phone = town.tell("周老师")
    assert "不等于报警" in phone.last
    town.world.pass_(minutes=11)
    assert phone.reads.count(ASKED) == 1
    town.world.pass_(days=10)
    assert phone.reads.count(ASKED) == 4
    assert town.tasks("police_receipt") == []
    assert town.tasks("police_receipt", live=False)[0].state == TaskState.CANCELLED


@pytest.mark.parametrize("words", ["A3702602", "回执号是 2026112300123", "警号：JQ-20261123-7"])
def test_a_receipt_number_ends_the_asking(town: Town, words: str) -> None:
    phone = town.tell("周老师")
    town.world.pass_(minutes=11)
    assert "回执号已记下" in phone.says(words)
    assert town.report().police_receipt
    town.world.pass_(days=5)
    assert phone.reads.count(ASKED) == 1


def test_a_telephone_number_is_no_receipt(town: Town) -> None:
    phone = town.tell("周老师")
    phone.says("13812345678")
    assert town.report().police_receipt is None


def test_no_is_an_answer_to_what_was_asked(town: Town) -> None:
    phone = town.tell("周老师")
    town.world.pass_(minutes=11)
    assert "请打 110" in phone.says("没有")
    assert len(town.reports()) == 1
    assert town.tasks("police_receipt")


def test_a_receipt_given_with_the_answer_is_kept_and_nothing_is_asked(town: Town) -> None:
    phone = town.tell("周老师", answers=(*ANSWERS[:-2], "打了，回执 A3702602", "1"))
    assert "不等于报警" not in phone.last
    assert town.report().police_receipt == "A3702602"
    assert town.tasks("police_receipt", live=False) == []


def test_one_message_asks_to_go_on_and_for_the_receipt(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    town.world.pass_(minutes=45)
    nudges = [text for text in phone.reads if text.startswith("您好，上次")]
    assert nudges == ["您好，上次没说完，方便时请接着说；有回执编号也请发来。"]


def test_two_open_matters_of_one_reporter_are_one_nudge(town: Town) -> None:
    phone = town.tell("周老师")
    town.world.pass_(hours=13)
    phone.says("六年级有个女生手臂上都是烫伤")
    phone.says("另一个孩子")
    before = len(phone.reads)
    town.world.pass_(hours=12)
    assert sum(text.startswith("您好，上次") for text in phone.reads[before:]) == 1
