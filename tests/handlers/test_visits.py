"""Visits by chat, as an officer and a teacher would see them; their ladder is in test_visit_ladder.py."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from storage.audit import Audit
from storage.children import Child, Side
from storage.outbox import OutboxKind
from storage.people import Role
from storage.reports import Report
from storage.visits import Visit
from tests.support.visiting import Village, village
from tests.world import Phone, outbox_rows

__all__ = ["village"]
DUE = date(2026, 12, 23)


@pytest.fixture
def officer(village: Village) -> Phone:
    """The officer's phone; the first child has its pair and is due in a month."""
    village.pair(village.child, village.officer)
    village.pair(village.child, village.teacher, Side.TEACHER)
    return village.phone(village.officer)


def mine(village: Village) -> list[Visit]:
    return village.visits()


def on_the_day(village: Village) -> None:
    """The due day, ten o'clock, the prompts sent."""
    village.world.pass_(days=30, hours=1)


def dues(village: Village) -> dict[str, date]:
    return {task.key.rsplit(":", 1)[-1].partition(".")[0]: task.due_at.date() for task in village.tasks()}


def test_met_and_all_fine_takes_three_taps_from_the_prompt(village: Village, officer: Phone) -> None:
    on_the_day(village)
    assert officer.last.startswith("您有 1 件事要办：走访 1。")
    listed = officer.event("click", "my_tasks")
    assert "1 走访 3组 王某 9岁（12月23日 周三前）" in listed
    asked = officer.says("1")
    assert asked.startswith("3组 王某 9岁：见到了吗？")
    assert 'msgmenuid=visits.kind">4 见到了，全部正常</a>' in asked
    said = officer.taps("visits.kind", "4")
    assert said == "记好了：3组 王某 9岁，见到孩子。\n下次：1月22日 周五前。"
    [visit] = mine(village)
    assert (visit.kind, visit.side, visit.late, visit.problems) == ("seen", "cadre", False, 0)
    assert (visit.guardianship, visit.study, visit.body_and_mind) == ("fine", None, "fine")
    assert dues(village)["cadre"] == date(2027, 1, 22)


def test_the_next_day_follows_the_table_and_moves_off_a_holiday(village: Village, officer: Phone) -> None:
    village.world.pass_(days=67)  # the 29th of January; a month later it is a Sunday
    officer.says("记录")
    assert "下次：3月1日 周一前" in officer.says("1 都好")


def test_words_do_the_same_as_taps(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1")
    officer.says("见到孩子")
    assert officer.says("全部正常").startswith("记好了")
    assert [visit.guardianship for visit in mine(village)] == ["fine"]


def test_the_teacher_is_asked_about_study_and_the_cadre_about_guardianship(village: Village, officer: Phone) -> None:
    teacher = village.phone(village.teacher)
    for phone in (officer, teacher):
        phone.says("记录")
        phone.says("1")
    assert officer.says("见到孩子").startswith("监护怎么样？")
    assert officer.says("正常").startswith("身心怎么样？")
    assert teacher.says("电话联系").startswith("学习怎么样？")
    assert teacher.says("2") == "学习是什么情况？用一句话说。"
    assert teacher.says("这两周作业没交").startswith("身心怎么样？")
    assert teacher.says("1").startswith("别的方面还有要说的吗？")
    assert teacher.says("监护").startswith("监护怎么样？")
    assert teacher.says("1").startswith("记好了：3组 王某 9岁，电话联系。")
    [visit] = mine(village)
    assert (visit.guardianship, visit.study, visit.body_and_mind) == ("fine", "worry", "fine")
    assert visit.notes == {"study": "这两周作业没交"}
    assert visit.side == "teacher"


def test_not_met_asks_why_and_sets_the_next_try_in_three_days(village: Village, officer: Phone) -> None:
    on_the_day(village)
    officer.says("我的任务")
    officer.says("1")
    assert officer.says("没见到").startswith("为什么没见到？")
    assert officer.says("1").startswith("什么时候再去？也可以说哪天。")
    assert (
        officer.says("跳过") == "记好了：3组 王某 9岁，没见到。\n再去一次：12月28日 周一前。"
    )  # the 26th is a Saturday
    [visit] = mine(village)
    assert (visit.kind, visit.notes) == ("not_met", {"why": "away"})
    assert dues(village) == {"cadre": date(2026, 12, 28), "teacher": DUE}
    village.world.pass_(days=5)
    assert officer.reads[-1].startswith("您有 1 件事要办：走访 1。")
    assert officer.says("1号没见到").startswith("为什么没见到？")  # the number still means this child


@pytest.mark.parametrize(
    ("said", "on"),
    [
        ("1", date(2026, 12, 24)), ("明天", date(2026, 12, 24)), ("2", date(2026, 12, 28)),
        ("3天内", date(2026, 12, 28)), ("3", date(2026, 12, 28)), ("下周", date(2026, 12, 28)),
        ("下周三再去", date(2026, 12, 30)),
        ("周五", date(2026, 12, 25)), ("后天去", date(2026, 12, 25)), ("五天后", date(2026, 12, 28)),
        ("12月31日", date(2026, 12, 31)), ("29号", date(2026, 12, 29)), ("90天后", date(2027, 1, 22)),
    ],
)  # fmt: skip
def test_the_next_try_is_planned_on_the_day_that_was_said_within_the_table(
    village: Village, officer: Phone, said: str, on: date
) -> None:
    on_the_day(village)
    for words in ("我的任务", "1", "没见到", "1"):
        officer.says(words)
    assert officer.says(said).startswith("记好了：3组 王某 9岁，没见到。")
    assert dues(village)["cadre"] == on


def test_the_reason_may_be_said_in_any_words(village: Village, officer: Phone) -> None:
    for words in ("记录", "1", "没见到"):
        officer.says(words)
    assert officer.says("去镇上赶场了").startswith("什么时候再去？")
    officer.says("明天")
    assert mine(village)[0].notes == {"why": "other", "words": "去镇上赶场了"}


def test_what_is_no_day_is_asked_once_more_and_then_the_setting_counts(village: Village, officer: Phone) -> None:
    for words in ("记录", "1", "没见到", "1"):
        officer.says(words)
    assert "什么时候再去" in officer.says("看情况")
    assert "记好了" in officer.says("等他妈回来再说")
    assert mine(village)[0].notes == {"why": "away", "words": "等他妈回来再说"}


def test_a_second_vain_try_is_told_to_the_township_at_once(village: Village, officer: Phone) -> None:
    township = village.phone(village.township_supervisor)
    officer.says("记录")
    officer.says("没见到 1")
    officer.says("家里没人")
    officer.says("3天内")
    village.world.pass_(days=3)
    assert township.reads == []
    officer.says("没见到 1")
    officer.says("3")
    officer.says("明天")
    village.world.pass_(minutes=1)
    assert township.last.startswith("您有 1 件事要办：走访 1。")


def test_a_visit_typed_twenty_days_late_keeps_its_day_and_is_marked_late(village: Village, officer: Phone) -> None:
    village.world.pass_(days=31)
    officer.says("记录")
    said = officer.says("记录 1 20天前 都好")
    assert said.startswith("记好了：3组 王某 9岁，见到孩子（12月4日 周五）。已过期限，算补记。")
    [visit] = mine(village)
    assert (visit.happened_on, visit.late) == (date(2026, 12, 4), True)
    assert visit.recorded_at.date() == date(2026, 12, 24)
    assert dues(village)["cadre"] == date(2027, 1, 4)  # a month from when it happened, off New Year's holiday


def test_a_day_is_asked_only_when_it_was_earlier(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1")
    assert officer.says("不是今天的事").startswith("是哪天的事？")
    assert officer.says("去年").startswith("没看懂") or "是哪天的事" in officer.last
    asked = officer.says("前天")
    assert asked.startswith("11月21日 周六，3组 王某 9岁：见到了吗？")
    assert "不是今天" not in asked
    officer.says("4")
    assert mine(village)[0].happened_on == date(2026, 11, 21)


def test_a_day_said_instead_of_how_it_went_is_taken_as_the_day(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1")
    assert officer.says("昨天").startswith("11月22日 周日，")
    officer.says("全部正常")
    assert mine(village)[0].happened_on == date(2026, 11, 22)


def test_more_than_ninety_days_ago_is_refused_in_a_sentence(village: Village, officer: Phone) -> None:
    officer.says("记录")
    assert officer.says("记录 1 8月1日").startswith("日子没看懂")
    assert mine(village) == []


def test_an_old_visit_does_not_answer_for_what_was_asked_since(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1 都好")
    task = village.tasks()[-1].id
    officer.says("记录 1 10天前 都好")
    assert [visit.happened_on for visit in mine(village)] == [date(2026, 11, 23), date(2026, 11, 13)]
    assert task in [one.id for one in village.tasks()]
    assert mine(village)[1].task_id is None


def test_several_are_filed_after_one_confirmation_that_names_them(village: Village, officer: Phone) -> None:
    for name in ("李四", "欧阳小雨"):
        village.pair(village.add_child(name), village.officer)
    officer.says("记录")
    asked = officer.says("记录 1 2 3 都好")
    assert asked.startswith("这3个孩子都见到了、全部正常，对吗？\n\n3组 王某 9岁\n3组 李某 9岁\n3组 欧阳某 9岁\n")
    assert mine(village) == []
    said = officer.says("对")
    assert said.startswith("记好了：\n3组 王某 9岁，下次 12月23日 周三前\n3组 李某 9岁")
    assert len(village.turn(lambda turn: list(turn.session.scalars(select(Visit.id))))) == 3


def test_several_are_not_filed_without_the_confirmation(village: Village, officer: Phone) -> None:
    village.pair(village.add_child("李四"), village.officer)
    officer.says("记录")
    officer.says("1 2 都好")
    assert officer.says("不对") == "都没记。可以一个一个记：发“记录”加编号。"
    assert mine(village) == []


def test_several_numbers_without_an_outcome_come_one_by_one(village: Village, officer: Phone) -> None:
    village.pair(village.add_child("李四"), village.officer)
    officer.says("记录")
    assert "王某" in officer.says("记录 1 2")
    assert "李某 9岁：见到了吗？" in officer.says("全部正常")


def test_the_same_said_twice_is_filed_once(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1 都好")
    assert officer.says("1 都好") == "3组 王某 9岁今天已经记过了，不用再记。\n下次：12月23日 周三前。"
    assert len(mine(village)) == 1


def test_an_answer_after_somebody_else_answered_is_kept_and_says_so(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.world.pass_(days=32, hours=1)  # the task went to the stand-in
    officer, deputy = village.phone(village.officer), village.phone(village.deputy)
    officer.says("记录")
    officer.says("1")
    deputy.says("我的任务")
    assert deputy.says("1 都好").startswith("记好了")
    said = officer.says("全部正常")
    assert "这次走访已有人记过（12月25日 周五），您的也一起留着" in said
    assert [visit.task_id is not None for visit in mine(village)] == [True, False]


def test_who_holds_both_tasks_of_a_child_answers_each_by_its_number(village: Village, officer: Phone) -> None:
    village.world.pass_(days=32, hours=1)  # the teacher's went to the officer, who stands in at the village
    officer.says("我的任务")
    assert {task.person_id for task in village.tasks()} == {village.officer.id, village.deputy.id}
    number = next(line for line in officer.last.splitlines() if "走访" in line).split()[0]
    assert officer.says(f"{number} 都好").startswith("记好了")
    assert officer.says(f"{number} 都好").startswith("3组 王某 9岁今天已经记过了")
    [visit] = mine(village)
    assert (visit.side, visit.study, visit.guardianship) == ("teacher", "fine", None)


def test_a_problem_in_a_red_place_opens_the_report_in_the_next_message(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1")
    officer.says("见到孩子")
    officer.says("1")
    assert officer.says("有问题") == "身心是什么情况？用一句话说。"
    said = officer.says("右胳膊有新的淤青，问他不说")
    assert said.startswith("要是孩子正有危险，先打 110。")
    assert "记好了：3组 王某 9岁，见到孩子。" in said
    [visit] = mine(village)
    assert (visit.body_and_mind, visit.problems) == ("problem", 1)
    [report] = village.turn(lambda turn: list(turn.session.scalars(select(Report))))
    assert report.child_id == village.child.id


def test_words_of_danger_in_the_middle_of_the_questions_open_the_report_at_once(
    village: Village, officer: Phone
) -> None:
    officer.says("记录")
    officer.says("1")
    said = officer.says("孩子被他爸用皮带打得满身是伤，现在还在打")
    assert said.startswith("先打 110")
    assert "走访稍后再记" in said
    assert village.turn(lambda turn: turn.session.scalar(select(Report.child_id))) == village.child.id


def test_words_that_answer_nothing_are_kept_with_the_visit(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1")
    assert officer.says("奶奶在地里，娃娃在写作业").startswith("您说的记下了。")
    officer.says("全部正常")
    assert mine(village)[0].notes == {"words": "奶奶在地里，娃娃在写作业"}


def test_who_follows_nobody_has_nothing_to_record(village: Village, officer: Phone) -> None:
    assert officer.says("记录").startswith("记哪个孩子的走访？")
    assert village.phone(village.county_supervisor).says("记录").startswith("您名下没有结对的孩子")


def test_somebody_else_cannot_record_for_a_child(village: Village, officer: Phone) -> None:
    stranger = village.world.person("余安", Role.CARE_PARTNER, village.township)
    village.pair(village.add_child("李四"), stranger)
    phone = village.phone(stranger)
    phone.says("记录")
    assert phone.says("记录 2 都好") == "没有2号孩子。发“记录”看编号。"
    assert officer.says("记录 9").startswith("没有9号孩子")
    assert mine(village) == []


@pytest.mark.usefixtures("officer")
def test_no_name_leaves_in_a_push(village: Village) -> None:
    on_the_day(village)
    village.world.pass_(days=20)
    pushed = [row.content or {} for row in outbox_rows(village.world) if row.kind != OutboxKind.REPLY]
    assert len(pushed) > 3
    assert not [one for one in pushed if any(word in str(one) for word in ("王", "小宝", "某", "9岁"))]


def test_a_recorded_visit_withdraws_the_prompt_that_was_not_sent_yet(village: Village, officer: Phone) -> None:
    village.world.pass_(days=29)
    officer.says("记录")
    due = datetime(2026, 12, 23, 0, 0, 1, tzinfo=UTC)
    village.world.now = due
    for task in village.tasks():
        village.look(task)
    officer.says("1 都好")
    village.world.pass_(hours=1)
    assert [words for words in officer.reads if words.startswith("您有")] == []
    assert village.phone(village.teacher).last.startswith("您有 1 件事要办")


def test_postponing_moves_the_prompt_once_with_a_reason(village: Village, officer: Phone) -> None:
    on_the_day(village)
    officer.says("我的任务")
    assert officer.says("推迟 1").startswith("3组 王某 9岁推到12月28日 周一，为什么？")
    assert officer.says("赶场，路也断了") == "好，3组 王某 9岁推到12月28日 周一前，到时提醒您。"
    assert dues(village)["cadre"] == date(2026, 12, 28)
    teacher = village.phone(village.teacher)
    teacher.says("记录")
    teacher.says("1 都好")
    prompts = len(officer.reads)
    village.world.pass_(days=4)
    assert len(officer.reads) == prompts
    village.world.pass_(days=1)
    assert officer.last.startswith("您有 1 件事要办")
    assert officer.says("推迟 1").startswith("这次走访已经推迟过一次")
    reasons = village.turn(lambda turn: list(turn.session.scalars(select(Audit.note).where(Audit.act == "postpone"))))
    assert reasons == ["赶场，路也断了"]


@pytest.mark.parametrize(
    ("said", "on"), [("推迟 1 7 路断了", date(2026, 12, 30)), ("推迟 1 2 开会", date(2026, 12, 25))]
)
def test_postponing_says_everything_in_one_message(village: Village, officer: Phone, said: str, on: date) -> None:
    officer.says("记录")
    officer.says(said)
    assert dues(village)["cadre"] == on


def test_nobody_can_postpone_by_more_than_seven_days(village: Village, officer: Phone) -> None:
    officer.says("记录")
    assert officer.says("推迟 1 8 开会") == "最多推7天。"
    assert dues(village)["cadre"] == DUE


def test_the_list_of_children_has_pages(village: Village, officer: Phone) -> None:
    for number in range(19):
        village.pair(village.add_child(f"李{number}"), village.officer)
    assert officer.says("记录").endswith("还有5个，回“更多”。")
    assert "20 3组 李某 9岁" in officer.says("更多")
    assert officer.says("20").startswith("3组 李某 9岁：见到了吗？")


def test_a_county_may_show_numbers_instead_of_surnames(village: Village, officer: Phone) -> None:
    village.world.policy = replace(village.world.policy, child_line="number")
    assert "T00001号孩子" in officer.says("记录")


def test_a_child_off_file_is_asked_for_no_more(village: Village, officer: Phone) -> None:
    village.change(village.child, off_file_at=village.world.now, off_file_reason="moved")
    on_the_day(village)
    assert officer.reads == []
    assert village.tasks() == []


def test_a_digit_an_hour_after_the_question_gets_the_question_again(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("1")
    village.world.now += timedelta(minutes=61)
    assert "见到了吗？" in officer.says("4")
    assert mine(village) == []
    officer.says("4")
    assert len(mine(village)) == 1


def test_last_contact_is_kept_on_the_child(village: Village, officer: Phone) -> None:
    officer.says("记录")
    officer.says("记录 1 昨天 电话联系")
    officer.says("全部正常")
    child = village.turn(lambda turn: turn.session.get_one(Child, village.child.id))
    assert child.last_contact_on == date(2026, 11, 22)
    assert mine(village)[0].kind == "phone"
