"""Cases: what the holder does by words, and what takes two persons."""

import pytest

from handlers import drafts
from handlers.turn import Refused
from storage.cases import CaseStage, steps_of
from storage.reports import ReportStage
from storage.tasks import TaskState
from tests.support.reporting import DANGER, Town, town

__all__ = ["town"]


@pytest.fixture
def red(town: Town) -> Town:
    """A red case that the duty person holds, in which the child was seen."""
    town.phone("周老师").says(DANGER)
    duty = town.phone(town.duty)
    for words in ("我接了", "步骤", "见到孩子", "跳过"):
        duty.says(words)
    assert (town.case().level, town.case().stage) == ("red", CaseStage.VISITED)
    return town


def test_claiming_opens_a_case_and_the_reporter_reads_harmless_words(town: Town) -> None:
    reporter = town.tell("周老师")
    reply = town.phone(town.duty).says("我接了")
    assert reply.startswith(f"您已接下，个案 {town.case().number}（黄色）")
    assert reporter.last == "您上次说的事，已有人在办。"
    assert town.tasks("alarm") == town.tasks("draft_report") == []
    assert town.task("first_contact").person_id == town.duty.id
    assert town.report().stage == ReportStage.ACCEPTED


def test_a_proposal_that_is_off_before_its_prompt_was_said_is_asked_of_nobody(red: Town) -> None:
    duty, boss = red.phone(red.duty), red.phone(red.boss)
    boss.says("报告")  # in a dialogue, for which prompts wait half an hour
    before = len(boss.reads)
    for words in ("结案 好了", "定级 红色", "又打了"):
        duty.says(words)
    assert red.tasks("approval") == []
    red.world.pass_(minutes=40)
    assert not any("审批" in words for words in boss.reads[before:])


def test_a_prompt_counts_only_what_is_still_to_be_done_when_it_is_said(red: Town) -> None:
    duty, boss = red.phone(red.duty), red.phone(red.boss)
    boss.says("报告")
    before = len(boss.reads)
    duty.says("搁置 是误会")
    duty.says("结案 好了")  # takes the place of the other proposal
    red.world.pass_(minutes=40)
    assert [words.splitlines()[0] for words in boss.reads[before:] if "审批" in words] == ["您有 1 件事要办：审批 1。"]


def test_everything_is_done_by_words(town: Town) -> None:
    reporter = town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    duty.says("步骤")
    assert "要补一句吗" in duty.says("1")
    assert "已告诉派出所" in duty.says("刘警官说马上去")
    assert town.report().police_told_at is not None
    assert "陈主任" in duty.says("指派")
    assert "已派给 陈主任" in duty.says("1")
    assert "为什么这样定" in duty.says("定级 蓝色")
    assert "定为蓝色" in duty.says("轻微")
    assert "已转给报告人" in duty.says("告诉报告人 谢谢您")
    assert reporter.last == "办理人员给您留言：\n谢谢您"
    duty.says("大意 他说被打三次")
    assert "他说被打三次" in (town.texts()[-1] or "")
    officer = town.phone(town.officer)
    officer.says("步骤")
    officer.says("3")
    assert "见到孩子" in officer.says("跳过")
    assert "已结案" in duty.says("结案") or "已结案" in duty.says("孩子安全了")
    assert town.case().stage == CaseStage.CLOSED
    assert "已办结" in reporter.last
    assert town.tasks("case") == town.tasks("first_contact") == []


def test_a_case_is_not_closed_before_the_child_was_seen(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    duty.says("结案")
    assert "还没记“见到孩子”" in duty.says("没事")
    assert town.case().stage == CaseStage.OPEN


def test_answers_that_nobody_understands_do_nothing(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    for command in ("步骤", "指派", "定级"):
        duty.says(command)
        duty.says("什么意思呀这个")
        assert "先停在这里" in duty.says("还是不懂")
    assert (town.case().level, town.case().officer_id) == ("yellow", None)


def test_free_words_of_staff_with_an_open_question_go_to_the_question(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    duty.says("告诉报告人")
    duty.says("孩子已经安全，谢谢")
    assert len(town.reports()) == 1


# Two persons.


def test_one_person_alone_cannot_close_a_red_case(red: Town) -> None:
    duty = red.phone(red.duty)
    for _ in range(3):
        duty.says("结案")
        assert "要第二个人同意" in duty.says("没事了")
    assert red.case().stage == CaseStage.VISITED


@pytest.mark.parametrize("level", ["yellow", "blue", "green"])
def test_one_person_alone_cannot_lower_a_red_case(red: Town, level: str) -> None:
    label = {"yellow": "黄色", "blue": "蓝色", "green": "绿色"}[level]
    duty = red.phone(red.duty)
    for _ in range(2):
        duty.says(f"定级 {label}")
        assert "要第二个人同意" in duty.says("没事了")
    assert red.case().level == "red"


def test_proposing_one_thing_and_then_another_is_still_one_person(red: Town) -> None:
    duty = red.phone(red.duty)
    for words in ("定级 黄色", "好些了", "结案", "没事了", "定级 绿色", "好了", "定级 黄色", "好些了"):
        duty.says(words)
    assert (red.case().level, red.case().stage) == ("red", CaseStage.VISITED)
    assert len(red.tasks("approval")) == 1


def test_a_second_person_agrees_by_words_and_the_first_reads_it(red: Town) -> None:
    duty, boss = red.phone(red.duty), red.phone(red.boss)
    duty.says("结案")
    duty.says("父亲已被拘留")
    red.world.pass_(seconds=10)
    assert "审批 1" in boss.last
    boss.says("我的任务")
    number = red.number(red.boss, red.task("approval"))
    question = boss.says(str(number))
    assert question.startswith("同意结案吗？")
    assert "赵值班提出：父亲已被拘留" in question
    assert "已结案" in boss.says("1")
    assert duty.last == f"{red.case().number} 结案：王科长同意。"
    assert red.case().stage == CaseStage.CLOSED


def test_a_second_person_disagrees_and_nothing_changes(red: Town) -> None:
    duty, boss = red.phone(red.duty), red.phone(red.boss)
    duty.says("定级 绿色")
    duty.says("没事了")
    boss.says("我的任务")
    boss.says(str(red.number(red.boss, red.task("approval"))))
    assert "照旧办" in boss.says("不同意")
    assert "不同意" in duty.last
    assert (red.case().level, red.case().pending) == ("red", None)
    assert red.tasks("approval") == []


def test_the_proposer_cannot_agree_with_himself(red: Town) -> None:
    duty = red.phone(red.duty)
    duty.says("结案")
    duty.says("没事了")
    number = red.number(red.duty, red.task("approval"))
    duty.says("我的任务")
    duty.says(str(number))
    duty.says("1")
    assert red.case().stage == CaseStage.VISITED


def test_a_report_heard_as_danger_is_not_set_aside_by_one_person(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    report = town.report().id
    with pytest.raises(Refused):
        town.turn(lambda turn: drafts.set_aside(turn, report, "玩笑"))
    assert town.task("alarm").state == TaskState.OPEN


def test_a_red_case_of_a_merged_report_stays_red(red: Town) -> None:
    phone = red.phone("周老师")
    red.world.pass_(hours=13)
    phone.says("他今天没来上学，身上有伤")
    phone.says("同一个")
    assert red.case().level == "red"


# Nobody is left without somebody who must act.


def test_the_holder_is_asked_at_half_time_and_the_county_hears_when_it_is_late(town: Town) -> None:
    town.tell("周老师")
    town.phone(town.duty).says("我接了")
    town.world.pass_(hours=48)  # half time is nine in the evening: the next morning
    assert "第一次见面 1" in town.phone(town.duty).last
    assert not any("第一次见面" in text for text in town.phone(town.boss).reads)
    town.world.pass_(hours=25)
    assert any("第一次见面" in text for text in town.phone(town.boss).reads)


def test_an_officer_who_cannot_be_reached_leaves_the_case_with_the_holder(town: Town) -> None:
    town.tell("周老师")
    town.phone(town.duty).says("我接了")
    town.phone(town.officer).event("unsubscribe")
    duty = town.phone(town.duty)
    duty.says("指派")
    duty.says("1")
    assert town.task("first_contact").person_id == town.duty.id


def test_a_case_in_which_the_child_was_seen_is_asked_about_weekly(red: Town) -> None:
    red.world.pass_(days=7, minutes=1)
    assert "个案 1" in red.phone(red.duty).last
    assert "个案" not in red.phone(red.boss).last
    duty = red.phone(red.duty)
    for words in ("步骤", "9", "去看过了"):
        duty.says(words)
    before = len(duty.reads)
    red.world.pass_(days=6)
    assert not any("个案 1" in text for text in duty.reads[before:])


def test_somebody_without_a_part_in_it_reads_that_there_is_nothing(red: Town) -> None:
    assert "没有个案" in red.phone(red.supervisor).says("步骤")
    stranger = red.phone("李婶")
    stranger.says("步骤 1")
    case = red.case().id
    assert len(red.turn(lambda turn: steps_of(turn.session, case))) == 1
