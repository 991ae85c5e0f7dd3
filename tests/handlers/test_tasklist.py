"""我的任务: the order, the places, and numbers that go on meaning the same."""

from datetime import timedelta

import pytest

from handlers import alarms
from handlers.tasklist import LONGEST_LIST
from handlers.turn import Turn
from storage import tasks
from storage.people import Role
from tests.support.reporting import BEATEN, DANGER, Town, town
from tests.support.visiting import Village, village

__all__ = ["town", "village"]


def open_tasks(town: Town, count: int, area_id: int) -> None:
    """Ordinary things for the officer to do."""

    def add(turn: Turn) -> None:
        for number in range(count):
            turn.open_task(
                "benefit", "report", 1000 + number, area_id, due_at=turn.now + timedelta(days=number), next_at=None,
                person_id=town.officer.id,
            )  # fmt: skip

    town.turn(add)


def test_nobody_without_a_role_has_a_list(town: Town) -> None:
    assert "工作人员" in town.phone("李婶").says("我的任务")
    assert town.reports() == []


def test_the_most_urgent_comes_first_then_place_by_place(town: Town) -> None:
    open_tasks(town, 2, town.village.id)
    town.turn(
        lambda turn: turn.open_task(
            "benefit", "report", 77, town.township.id, due_at=turn.now, next_at=None, person_id=town.officer.id
        )
    )
    town.turn(
        lambda turn: turn.open_task(
            "alarm", "report", 78, town.village.id, due_at=turn.now, next_at=None, person_id=town.officer.id, urgency=2
        )
    )
    lines = town.phone(town.officer).says("我的任务").split("\n")
    assert lines[0] == "您有 4 件事："
    assert "🔴警报" in lines[1]
    assert [line for line in lines if line.startswith("〔")] == ["〔青山镇〕", "〔青山镇柳河村〕"]


def test_a_long_list_goes_on_with_the_word_for_more(town: Town) -> None:
    open_tasks(town, LONGEST_LIST + 5, town.village.id)
    officer = town.phone(town.officer)
    assert "还有 5 件" in officer.says("我的任务")
    last = officer.says("更多")
    assert last.count("政策咨询") == 5
    assert "还有" not in last


def test_a_number_means_the_same_for_seven_days(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    duty.says("我的任务")
    first = town.number(town.duty, town.task("first_contact"))
    for day in range(6):
        town.world.pass_(days=1)
        town.phone(f"村民{day}").says(f"青山镇 {DANGER}")
        assert town.number(town.duty, town.task("first_contact")) == first


def test_a_bare_digit_answers_only_the_list_shown_last(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    duty.says("我的任务")
    number = str(town.number(town.duty, town.task("first_contact")))
    assert "做了什么回“步骤”" in duty.says(number)
    duty.says("我的任务")
    town.phone("李婶").says(f"青山镇 {DANGER}")  # an alarm is pushed in between
    reply = duty.says(number)
    assert reply.startswith("为免弄错，请看清下面再回一次")
    assert "您有 2 件事" in reply
    duty.says("我的任务")
    town.world.pass_(minutes=61)
    assert duty.says(number).startswith("为免弄错")


def test_claiming_what_somebody_has_already_says_so_and_ends_nothing(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    duty.says("我的任务")
    number = town.number(town.duty, town.task("first_contact"))
    said = duty.says(f"我接了 {number}")
    assert said == f"{number} 号第一次见面本来就在您名下，不用接。\n做了什么，回“步骤 {number}”。"
    assert town.task("first_contact").person_id == town.duty.id


def test_claiming_a_visit_ends_no_visit(village: Village) -> None:
    village.pair(village.child, village.officer)
    officer = village.phone(village.officer)
    officer.says("我的任务")
    assert officer.says("我接了 1") == "1 号走访本来就在您名下，不用接。\n走访以后回“记录 1”。"
    [task] = village.tasks()
    assert (task.state, task.person_id) == ("open", village.officer.id)


def test_the_claim_word_takes_neither_an_approval_nor_somebody_out_of_reach(town: Town) -> None:
    town.tell("周老师", DANGER, ("在柳河村三组李家", "1", "13812345678"))
    duty, boss = town.phone(town.duty), town.phone(town.boss)
    duty.says("我接了")
    duty.says("定级")
    duty.says("黄色")
    duty.says("查清了")
    lost = town.world.person("赵远", Role.VILLAGE_CHILD_OFFICER, town.village, bound=False)
    town.turn(lambda turn: alarms.list_unreachable(turn, lost))
    town.world.pass_(minutes=1)
    listed = boss.says("我的任务")
    assert "审批" in listed
    assert "联系不上的人" in listed
    boss.says("我接了")
    for kind in ("approval", "unreachable"):
        number = town.number(town.boss, town.task(kind))
        assert boss.says(f"我接了 {number}").startswith(f"{number} 号")
        assert (town.task(kind).state, town.task(kind).person_id) == ("open", None)


def test_of_several_numbers_one_that_cannot_be_claimed_undoes_none_of_the_others(town: Town) -> None:
    town.tell("周老师")
    town.phone("李婶").says(f"青山镇 {DANGER}")
    duty = town.phone(town.duty)
    duty.says("我接了")
    said = duty.says("我接了 1 9 2")
    assert said.count("您已接下") == 2
    assert "没有编号 9" in said


def test_a_number_goes_on_meaning_its_case_when_what_was_asked_is_done(town: Town) -> None:
    town.tell("周老师")
    duty, boss = town.phone(town.duty), town.phone(town.boss)
    alarm = town.number(town.duty, town.task("alarm"))
    other = town.number(town.boss, town.task("alarm"))
    duty.says(f"我接了 {alarm}")
    duty.says("我的任务")
    contact = town.number(town.duty, town.task("first_contact"))
    assert "做了哪一步" in duty.says(f"步骤 {alarm}")
    for words in ("见到孩子", "跳过"):
        duty.says(words)
    assert town.tasks("first_contact") == []
    for number in (alarm, contact):
        assert BEATEN in duty.says(f"原话 {number}")
        for words in (f"步骤 {number}", f"定级 {number}", f"情形 {number}", f"指派 {number}"):
            assert "办了" not in duty.says(words)
            duty.says("取消")
        assert "已转给报告人" in duty.says(f"告诉报告人 {number} 谢谢您")
        duty.says("我的任务")
        assert "看报告“原话”" in duty.says(str(number))
    assert duty.says(f"我接了 {alarm}") == "这件您已经接了。"
    assert boss.says(f"我接了 {other}").startswith(f"已由 {town.duty.name} 在")
    assert BEATEN in boss.says(f"原话 {other}")
    case = town.case().number
    duty.says(f"结案 {contact} 好了")
    for number in (alarm, contact):
        assert duty.says(f"原话 {number}") == f"{number} 号（个案 {case}）已经办结。"
        assert duty.says(f"我接了 {number}") == f"{number} 号（个案 {case}）已经办结。"


def test_a_number_of_an_alarm_that_somebody_else_took_says_who_has_it(town: Town) -> None:
    town.tell("周老师")
    officer, duty = town.phone(town.officer), town.phone(town.duty)
    alarm = town.task("alarm")
    town.turn(lambda turn: tasks.tell(turn.session, alarm.id, town.officer.id, 5, turn.now))
    officer.says("我的任务")
    number = town.number(town.officer, alarm)
    duty.says("我接了")
    for words in (f"步骤 {number}", f"原话 {number}", f"我接了 {number}"):
        assert officer.says(words).startswith(f"已由 {town.duty.name} 在")


@pytest.mark.parametrize(
    "word", ["步骤", "指派", "定级", "结案", "告诉报告人", "大意", "原话", "情形", "报告人电话", "搁置"]
)
def test_a_word_about_one_of_several_cases_shows_them_under_numbers_that_then_work(town: Town, word: str) -> None:
    town.tell("周老师")
    town.phone("李婶").says(f"青山镇 {DANGER}")
    duty = town.phone(town.duty)
    duty.says("我的任务")
    assert duty.says("我接了 1 2").count("您已接下") == 2
    said = duty.says(word)
    assert said.startswith("是哪一件？有 2 件：")
    numbers = [town.number(town.duty, task) for task in town.tasks("first_contact")]
    for number in numbers:
        assert any(line.startswith(f"{number} G") for line in said.splitlines())
    assert f"例如“原话 {numbers[1]}”" in said  # the red one stands first
    assert "哪一件" not in duty.says(f"{word} {number}")
    duty.says("取消")
    duty.says(word)
    assert "看报告“原话”" in duty.says(str(number))


def test_what_waits_to_be_claimed_is_shown_beside_ones_own_cases(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    duty.says("我接了")
    town.tell("李婶", f"青山镇 {BEATEN}")
    for word in ("原话", "搁置"):
        said = duty.says(word)
        assert "警报" in said
        assert town.case().number in said
    number = town.number(town.duty, town.task("alarm"))
    assert "已搁置" in duty.says(f"搁置 {number} 是误会")
    assert town.tasks("alarm") == []


def test_a_number_nobody_was_shown_is_refused(town: Town) -> None:
    town.tell("周老师")
    assert "没有编号 9" in town.phone(town.duty).says("我接了 9")


def test_several_alarms_are_listed_before_one_is_taken(town: Town) -> None:
    town.tell("周老师")
    town.phone("李婶").says(f"青山镇 {DANGER}")
    duty = town.phone(town.duty)
    assert "有 2 件等人接" in duty.says("我接了")
    assert [task.person_id for task in town.tasks("alarm")] == [None, None]
    assert "您已接下" in duty.says("我接了 1")


def test_three_queued_digits_file_nothing_wrong_and_the_question_comes_again_once(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    town.world.pass_(minutes=40)
    before = len(phone.reads)
    replies = town.world.at_once(phone, ["1", "2", "1"])
    assert len([text for text in phone.reads[before:] if text]) == 1
    assert replies[0].startswith("为免弄错")
    assert town.report().answers is None
    assert town.tasks("alarm")[0].urgency == 1
    assert "哪个孩子" in phone.says("2")


def test_digits_typed_ahead_answer_only_the_question_that_was_read(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    replies = town.world.at_once(phone, ["2", "1", "1"])
    assert "哪个孩子" in replies[0]
    assert (town.report().answers or {}) == {"danger": "no"}
