"""What a reporter's words already answered is not asked again, is shown, and is asked after all on one tap."""

from datetime import date, datetime, timedelta

import pytest

from handlers.facts import When, when
from handlers.questions import CHINA
from handlers.understanding import understand
from tests.support.reporting import BEATEN, Town, town
from tests.world import Phone

__all__ = ["town"]
TOLD = "柳河村有个9岁的女孩，她继父天天打她，还住一起，她现在在奶奶家"
CORRECT = "不对，点这里改"
WEDNESDAY = datetime(2026, 11, 25, 18, 0, tzinfo=CHINA)


def begun(town: Town, first: str = TOLD) -> tuple[Phone, str]:
    phone = town.phone("李婶")
    return phone, phone.says(first)


def test_questions_that_the_first_words_answered_are_shown_and_not_asked(town: Town) -> None:
    phone, reply = begun(town)
    assert "不再问" in reply
    assert "孩子9岁，柳河村" in reply
    assert "现在在奶奶家" in reply
    assert "继父，还住一起" in reply
    assert CORRECT in reply
    assert "正有危险吗" in reply
    assert "打110报警了吗" in phone.says("现在没有")
    assert "回您哪个电话" in phone.says("没打")
    assert "回执号" in phone.says("1")
    assert town.report().finished_at is not None


def test_one_tap_asks_everything_after_all(town: Town) -> None:
    phone, _ = begun(town)
    assert "正有危险吗" in phone.taps("reports.understood", "不对")
    assert "哪个孩子" in phone.says("现在没有")
    assert "孩子现在在哪里" in phone.says("李小雨，10岁，青山村")
    assert "可能是谁做的" in phone.says("外婆家")
    assert "打110报警了吗" in phone.says("说错了，是姑父，不住一起")
    assert town.texts()[0] == TOLD


def test_the_tap_twice_or_late_does_no_harm(town: Town) -> None:
    phone, _ = begun(town)
    for _ in range(3):
        assert "正有危险吗" in phone.taps("reports.understood", "不对")
    for words in ("现在没有", "李小雨", "外婆家", "姑父", "没打", "1"):
        phone.says(words)
    receipt = phone.last
    assert "回执号" in receipt
    phone.taps("reports.understood", "不对")
    assert len(town.reports()) == 1
    assert town.report().finished_at is not None


def test_half_an_answer_is_asked_for_whole_and_nothing_is_shown(town: Town) -> None:
    phone, reply = begun(town, BEATEN)
    assert CORRECT not in reply
    assert "哪个孩子" in phone.says("现在没有")


def test_in_danger_every_question_of_danger_is_asked(town: Town) -> None:
    phone, reply = begun(town, f"{TOLD}，他正拿菜刀追她，救命")
    assert reply.startswith("先打 110")
    assert CORRECT not in reply
    assert "孩子现在在哪里" in reply
    assert "打110报警了吗" in phone.says("在我屋里")


def test_who_says_at_the_first_question_that_it_is_danger_is_asked_where_the_child_is(town: Town) -> None:
    phone, _ = begun(town)
    assert "孩子现在在哪里" in phone.says("是")


def test_what_comes_in_a_second_message_counts_too(town: Town) -> None:
    phone, reply = begun(town, "有个女孩背上都是皮带印，今年9岁")
    assert CORRECT not in reply
    phone.says("她家在柳河村")
    town.world.pass_(seconds=30)
    assert "孩子9岁，柳河村" in phone.last
    assert "孩子现在在哪里" in phone.says("现在没有")


def test_time_words_are_shown_with_their_day(town: Town) -> None:
    _, reply = begun(town, f"{TOLD}，昨天下午三点打的")
    yesterday = town.world.now.astimezone(CHINA).date() - timedelta(days=1)
    assert f"昨天下午三点（{yesterday.month}月{yesterday.day}日" in reply
    assert " 15:00）" in reply


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("昨天下午三点打的", When("昨天下午三点", date(2026, 11, 24), 15, half=False)),
        ("前天晚上8点半", When("前天晚上8点半", date(2026, 11, 23), 20, half=True)),
        ("今早9点", When("今早9点", date(2026, 11, 25), None, half=False)),
        ("上周三", When("上周三", date(2026, 11, 18), None, half=False)),
        ("上周五", When("上周五", date(2026, 11, 20), None, half=False)),
        ("周一早上七点", When("周一早上七点", date(2026, 11, 23), 7, half=False)),
        ("星期天", When("星期天", date(2026, 11, 22), None, half=False)),
        ("12月3号", When("12月3号", date(2025, 12, 3), None, half=False)),
        ("2月30日", None),
        ("昨晚12点", When("昨晚12点", date(2026, 11, 24), None, half=False)),
        ("经常打", None),
        ("去年", None),
    ],
)
def test_time_words_are_days_of_the_past(text: str, found: When | None) -> None:
    assert when(text, WEDNESDAY) == found


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("孩子现在在我家里", "我家里"),
        ("她人现在就在卫生院", "卫生院"),
        ("娃在我屋头", "我屋头"),
        ("现在在打孩子", None),
        ("现在在哪里不知道", None),
        ("在学校被打了", None),
    ],
)
def test_where_the_child_is_counts_only_where_it_is_said_of_now(text: str, where: str | None) -> None:
    assert understand(text).where == where


def test_who_does_it_is_rather_the_one_who_is_said_to_do_it() -> None:
    assert understand("她跟奶奶住，被叔叔打").relation == "叔叔"
    assert understand("她跟奶奶住，舅舅又打她").relation == "舅舅"
    assert understand("她跟奶奶住").reach is None
