"""进度 and 补充: with a receipt from any phone, without one from the phone that reported."""

import re

import pytest

from storage.reports import ReportStage
from tests.support.reporting import BEATEN, DANGER, Town, town

__all__ = ["town"]
HARMFUL = ("报告", "举报", "孩子", "被打", "警", "危险", "李小明", "皮带")
"""What nobody must read over the reporter's shoulder in words that the bot sends of itself."""


def receipt_of(reads: list[str]) -> str:
    """The receipt that was given."""
    found = re.search(r"\d{4} \d{4} \d{4}", "\n".join(reads))
    assert found
    return found[0]


def test_progress_works_without_a_receipt_on_the_phone_that_reported(town: Town) -> None:
    phone = town.tell("周老师")
    assert "已收到" in phone.says("进度")
    town.phone(town.duty).says("我接了")
    assert "有人在办" in phone.says("查进度")


@pytest.mark.parametrize("form", ["{}", "{}。", "  {}"])
def test_progress_works_from_any_phone_with_the_receipt(town: Town, form: str) -> None:
    receipt = receipt_of(town.tell("周老师").reads)
    other = town.phone("李叔")
    assert "没有查到" in other.says("进度")
    assert "已收到" in other.says("进度 " + form.format(receipt))
    assert "已收到" in other.says("进度 " + form.format(receipt.replace(" ", "")))
    assert len(town.reports()) == 1


def test_wrong_receipts_are_limited_within_the_hour(town: Town) -> None:
    receipt = receipt_of(town.tell("周老师").reads)
    other = town.phone("李叔")
    for number in range(town.world.policy.receipt_tries_per_hour):
        assert "没有查到" in other.says(f"进度 1000 0000 {number:04d}")
    for _ in range(3):
        assert "太多" in other.says(f"进度 {receipt}")
    assert "已收到" in town.phone("李嫂").says(f"进度 {receipt}")
    town.world.pass_(minutes=61)
    assert "已收到" in other.says(f"进度 {receipt}")


def test_words_added_from_another_phone_join_the_report_and_are_read_for_danger(town: Town) -> None:
    receipt = receipt_of(town.tell("周老师").reads)
    other = town.phone("李叔")
    assert "补充的也记下了" in other.says(f"补充 {receipt} {DANGER}")
    assert town.texts()[-1] == DANGER
    assert len(town.reports()) == 1
    assert town.phone(town.boss).last.startswith("【红色警报】")


def test_the_word_alone_asks_for_the_words_and_takes_a_picture_too(town: Town) -> None:
    receipt = receipt_of(town.tell("周老师").reads)
    other = town.phone("李叔")
    assert "要补充什么" in other.says(f"补充 {receipt}")
    assert "补充的也记下了" in other.says("他妹妹也挨打")
    other.says(f"补充 {receipt}")
    assert "补充的也记下了" in other.says(None, kind="image", media_id="m1")
    assert town.texts()[-2] == "他妹妹也挨打"
    assert len(town.reports()) == 1
    assert len(town.tasks("listen")) == 1


def test_supplement_is_always_answered_even_inside_a_burst(town: Town) -> None:
    phone = town.tell("周老师")
    assert [phone.says(f"补充：第{number}件") for number in range(3)] == ["补充的也记下了，谢谢您。"] * 3


def test_nobody_learns_from_a_wrong_receipt_whether_there_are_reports(town: Town) -> None:
    assert town.phone("李叔").says("进度 1234 5678 9012") == town.phone("李嫂").says("进度")


def test_what_is_pushed_to_the_reporter_reads_harmless(town: Town) -> None:
    phone = town.tell("周老师")
    start = len(phone.reads)
    town.world.pass_(days=1)
    duty = town.phone(town.duty)
    for words in ("我接了", "步骤", "3", "跳过", "告诉报告人 已联系学校", "结案", "安全了"):
        duty.says(words)
    town.world.pass_(days=1)
    pushed = phone.reads[start:]
    assert len(pushed) >= 4
    assert [word for word in HARMFUL if word in "".join(pushed)] == []


def test_the_reporter_hears_of_the_end(town: Town) -> None:
    phone = town.tell("周老师")
    duty = town.phone(town.duty)
    for words in ("我接了", "步骤", "3", "跳过", "结案", "安全了"):
        duty.says(words)
    assert town.report().stage == ReportStage.RESOLVED
    assert "已办结" in phone.says("进度")


QUERIES = ["我想晓得处理得怎样了", "上次报的那个娃儿有人去看没", "办好了没有嘛"]


@pytest.mark.parametrize("words", QUERIES)
def test_asking_in_ones_own_words_shows_where_it_stands_and_wakes_nobody(town: Town, words: str) -> None:
    phone = town.tell("周老师")
    duty = town.phone(town.duty)
    for one in ("我接了", "步骤", "3", "跳过", "结案", "孩子安全了"):
        duty.says(one)
    read, tasks = len(duty.reads), sorted((task.id, task.state) for task in town.all_tasks())
    assert "已办结" in phone.says(words)
    town.world.pass_(minutes=30)
    assert town.report().stage == ReportStage.RESOLVED
    assert duty.reads[read:] == []
    assert sorted((task.id, task.state) for task in town.all_tasks()) == tasks


def test_asking_inside_the_questions_is_no_answer_and_leaves_them_open(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    assert "已收到" in phone.says("有人去看没")
    assert phone.says("2").startswith("哪个孩子")


@pytest.mark.parametrize(
    "words",
    ["有人去看没，他今天又挨打了", "他爸昨天又回来了，有没有人去看", "处理得怎样了，" + "他家离学校远得很，" * 4],
)
def test_a_question_that_tells_something_is_more_of_the_account(town: Town, words: str) -> None:
    phone = town.tell()
    town.world.pass_(minutes=1)
    assert "您" not in phone.says(words) or "记下" in phone.last
    assert words in town.texts()
    town.world.pass_(minutes=1)
    assert "记下" in "".join(phone.reads[-2:])


def test_asking_without_a_report_is_kept_as_first_words(town: Town) -> None:
    town.phone("李婶").says(QUERIES[0])
    assert town.texts() == [QUERIES[0]]
