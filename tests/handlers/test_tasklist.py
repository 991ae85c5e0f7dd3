"""我的任务: the order, the places, and numbers that go on meaning the same."""

from datetime import timedelta

from handlers.tasklist import LONGEST_LIST
from handlers.turn import Turn
from tests.support.reporting import BEATEN, DANGER, Town, town

__all__ = ["town"]


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
