"""Everything on the case page but pictures and voices, done by words; what a person may not do, and saying it twice."""

import pytest
from sqlalchemy import select

from handlers.turn import Turn
from messages.rendering import clock, day
from storage.audit import Audit
from storage.cases import Case, CaseStage, steps_of
from storage.outbox import Outbox
from storage.people import Role
from storage.reports import ReportStage
from tests.support.reporting import ANSWERS, BEATEN, DANGER, Town, town

__all__ = ["town"]
ASKED = "您好，上次的事拿到回执编号了吗？有就发来，没有回“没有”。"
PHONE = "13812345678"


def held(town: Town, first: str = BEATEN) -> Town:
    """A report that the duty person has taken."""
    town.tell("周老师", first)
    town.phone(town.duty).says("我接了")
    return town


def looks(town: Town, act: str) -> int:
    return len(town.turn(lambda turn: list(turn.session.scalars(select(Audit).where(Audit.act == act)))))


def digest(town: Town) -> str:
    return next(line for line in town.phone(town.boss).says("日报").splitlines() if line.startswith("4 "))


# The police receipt.


@pytest.mark.parametrize(
    "answers",
    [("编号 A3702602", ), ("老严给的回执", "A3702602"), ("跳过", "号是 A3702602"), ("2026年11月23日拿到", "A3702602")],
)  # fmt: skip
def test_a_receipt_told_by_words_leaves_the_digest_and_the_reporter_is_asked_no_more(
    town: Town, answers: tuple[str, ...]
) -> None:
    held(town)
    assert digest(town) == "4 没有报警回执 1"
    town.world.pass_(minutes=11)
    assert town.phone("周老师").reads.count(ASKED) == 1
    duty = town.phone(town.duty)
    duty.says("步骤")
    assert "回执编号是多少" in duty.says("2")
    for words in answers:
        said = duty.says(words)
    assert said.endswith("已记：拿到110或派出所回执，编号 A3702602。")
    assert town.report().police_receipt == "A3702602"
    assert town.tasks("police_receipt") == []
    assert digest(town) == "4 没有报警回执 0"
    town.world.pass_(days=5)
    assert town.phone("周老师").reads.count(ASKED) == 1


@pytest.mark.parametrize("answers", [("没有号",), ("跳过", "没有号"), ("老严说明天补", "不知道")])
def test_a_receipt_without_a_number_is_a_step_and_goes_on_being_asked_for(town: Town, answers: tuple[str, ...]) -> None:
    held(town)
    duty = town.phone(town.duty)
    for words in ("步骤", "2", *answers):
        said = duty.says(words)
    assert "还没有编号，日报里仍算没有回执" in said
    assert town.report().police_told_at is not None
    assert digest(town) == "4 没有报警回执 1"
    town.world.pass_(minutes=11)
    assert town.phone("周老师").reads.count(ASKED) == 1
    for words in ("步骤", "2", "A3702602"):
        duty.says(words)
    assert digest(town) == "4 没有报警回执 0"


def test_a_receipt_said_twice_is_kept_once_and_another_number_corrects_it(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    for words in ("步骤", "2", "A3702602", "步骤", "2", "A3702602"):
        duty.says(words)
    assert looks(town, "police_receipt") == 1
    for words in ("步骤", "2", "A3702603"):
        duty.says(words)
    assert town.report().police_receipt == "A3702603"


# A step at a time of its own.


@pytest.mark.parametrize(
    ("note", "at"),
    [
        ("昨天14:30 和刘警官通了电话", "11月22日 周日 14:30"), ("昨天下午3点半打的电话", "11月22日 周日 15:30"),
        ("前天 晚上9点", "11月21日 周六 21:00"), ("8：45到派出所说的", "11月23日 周一 08:45"),
        ("23:59 约好去", None), ("刘警官说9点到", None), ("3点多娃还在哭", None),
        ("今天早上8点", "11月23日 周一 08:00"),
        ("12345来过电话", None),
    ],
)  # fmt: skip
def test_a_note_that_begins_with_a_time_says_when_it_was(town: Town, note: str, at: str | None) -> None:
    held(town)
    duty = town.phone(town.duty)
    duty.says("步骤")
    duty.says("1")
    said = duty.says(note)
    case = town.case().id
    [step] = town.turn(lambda turn: steps_of(turn.session, case))
    assert step.note == note
    assert (f"{day(step.at)} {clock(step.at)}" if at else None) == at
    assert said.endswith(f"已告诉派出所（{at}）。" if at else "已告诉派出所。")


# The situation.


def test_the_holder_confirms_the_situation_and_sees_the_suggestion_first(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    asked = duty.says("情形")
    assert asked.splitlines()[:2] == ["是哪种情形？系统只是建议，由您定。", "建议：4 多处受伤、疑遭殴打虐待欺凌"]
    assert "10 不属于这九种" in asked
    assert duty.says("4") == "已确认情形：多处受伤、疑遭殴打虐待欺凌。"
    assert (town.report().situation, town.case().situation) == (4, 4)
    assert "已确认：多处受伤、疑遭殴打虐待欺凌" in duty.says("情形")
    duty.says("4")
    assert looks(town, "situation") == 1
    duty.says("情形")
    duty.says("不属于这九种")
    assert (town.report().situation, town.case().situation) == (0, 0)
    assert digest(town) == "4 没有报警回执 0"


def test_the_situation_of_a_report_that_nobody_has_is_said_by_whoever_may_take_it(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    assert "是哪种情形" in duty.says("情形 1")
    duty.says("4")
    assert town.report().situation == 4
    duty.says("我接了")
    assert town.case().situation == 4


def test_a_digit_nobody_offered_confirms_nothing(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    for words in ("情形", "11", "什么"):
        said = duty.says(words)
    assert "先停在这里" in said
    assert town.reports()[0].situation is None


# The reporter's number.


def test_the_holder_reads_the_number_to_ring_back_and_each_look_is_logged(town: Town) -> None:
    town.tell("周老师", answers=(*ANSWERS[:-1], PHONE))
    duty = town.phone(town.duty)
    duty.says("我接了")
    for many in (1, 2):
        said = duty.says("报告人电话")
        assert f"{PHONE}（R1）" in said
        assert "已记入日志" in said
        assert looks(town, "look_callback") == many
    town.world.pass_(hours=25)
    kept = town.turn(lambda turn: [one.content for one in turn.session.scalars(select(Outbox)) if one.erase_at])
    assert kept  # what holds the number is marked to be erased after a day


def test_who_left_no_number_is_written_to(town: Town) -> None:
    held(town)
    assert "没有留电话" in town.phone(town.duty).says("报告人电话")
    assert looks(town, "look_callback") == 0


# Setting aside.


def test_a_report_that_nobody_has_is_set_aside_by_words_with_a_reason(town: Town) -> None:
    town.tell("周老师")
    duty = town.phone(town.duty)
    assert duty.says("搁置 1") == "为什么搁置？请说一句。"
    assert duty.says("打错了").startswith("已搁置")
    assert town.report().stage == ReportStage.SET_ASIDE
    assert "已经办了" in duty.says("搁置 1 打错了")
    assert looks(town, "set_aside") == 1


def test_the_word_answers_the_question_whether_a_report_is_about_a_child(town: Town) -> None:
    town.phone("李婶").says("我家那口子天天打麻将")
    town.world.pass_(minutes=11)
    boss = town.phone(town.boss)
    boss.says("我的任务")
    assert "是孩子的事吗" in boss.says(str(town.number(town.boss, town.task("read_report"))))
    assert boss.says("搁置") == "为什么不是？请说一句。"
    assert boss.says("大人的事").startswith("已搁置")
    assert town.report().stage == ReportStage.SET_ASIDE


def test_what_was_heard_as_danger_is_not_set_aside_by_one_person(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    assert "一个人不能搁置" in town.phone(town.duty).says("搁置 1 玩笑")
    assert town.report().stage == ReportStage.DRAFT


@pytest.mark.parametrize("first", [BEATEN, DANGER])
def test_a_claimed_report_is_set_aside_by_two(town: Town, first: str) -> None:
    town.phone("周老师").says(first)
    town.world.pass_(minutes=45)
    duty, boss = town.phone(town.duty), town.phone(town.boss)
    duty.says("我接了")
    for _ in range(2):
        assert "搁置要第二个人同意" in duty.says("搁置 是学生写的作文")
    assert town.case().stage == CaseStage.OPEN
    assert len(town.tasks("approval")) == 1
    boss.says("我的任务")
    question = boss.says(str(town.number(town.boss, town.task("approval"))))
    assert question.startswith("同意搁置吗？")
    assert "赵值班提出：是学生写的作文" in question
    assert boss.says("1") == f"{town.case().number} 已搁置。"
    assert duty.last == f"{town.case().number} 搁置：王科长同意。"
    assert (town.case().stage, town.report().stage) == (CaseStage.CLOSED, ReportStage.SET_ASIDE)
    open_tasks = [task for task in town.all_tasks() if task.state in {"open", "claimed"}]
    assert [task.kind for task in open_tasks if task.subject in {"case", "report"}] == []
    read = len(town.phone("周老师").reads)
    town.world.pass_(days=5)
    assert town.phone("周老师").reads[read:] == [], "nobody is asked for a receipt of what was nothing"


def test_a_second_person_who_disagrees_leaves_the_case_open(town: Town) -> None:
    held(town)
    town.phone(town.duty).says("搁置 是作文")
    boss = town.phone(town.boss)
    boss.says("我的任务")
    boss.says(str(town.number(town.boss, town.task("approval"))))
    assert "照旧办" in boss.says("不同意")
    assert (town.case().stage, town.case().pending) == (CaseStage.OPEN, None)


def test_new_words_about_what_two_set_aside_wake_somebody_again(town: Town) -> None:
    held(town)
    town.phone(town.duty).says("搁置 是作文")
    assert "已搁置" in town.phone(town.boss).says(f"搁置 {town.number(town.boss, town.task('approval'))} 是作文")
    town.phone("周老师").says("补充 不是作文，他今天又挨打了，背上在流血")
    town.world.pass_(minutes=1)
    assert town.tasks("alarm")
    town.phone(town.duty).says("我接了")
    assert (town.case().stage, town.report().stage) == (CaseStage.OPEN, ReportStage.ACCEPTED)


# In one's own words.


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("words", "kind", "note"),
    [
        ("拿到110回执 派出所说没给号", "police_receipt", "派出所说没给号"),
        ("见到孩子 昨天下午", "child_seen", "昨天下午"),
        ("已送医，县医院", "doctor", "县医院"),
    ],
)
def test_a_step_is_said_in_one_sentence(town: Town, words: str, kind: str, note: str, *, at_once: bool) -> None:
    held(town)
    duty = town.phone(town.duty)
    number = town.number(town.duty, town.task("first_contact"))
    if at_once:
        said = duty.says(f"步骤 {number} {words}")
    else:
        duty.says("步骤")
        said = duty.says(words)
    if kind == "police_receipt":
        assert "回执编号是多少" in said
        said = duty.says("没有号")
    assert "已记" in said
    case = town.case().id
    [step] = town.turn(lambda turn: steps_of(turn.session, case))
    assert (step.kind, step.note) == (kind, note)


def test_a_step_alone_is_understood_and_its_note_is_asked_for(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    duty.says("步骤")
    assert "要补一句吗" in duty.says("见到孩子了")
    assert "已记：见到孩子" in duty.says("跳过")
    assert "回执编号是多少" in duty.says("步骤 拿到回执了")


def test_what_names_no_step_is_asked_for_again_with_the_options(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    asked = duty.says("步骤 没见到孩子")
    assert asked.startswith("做了哪一步？")
    said = duty.says("没见到孩子")
    assert said.startswith("没看懂您的回答，请照下面的再回一次：")
    assert "3 见到孩子" in said
    case = town.case().id
    assert town.turn(lambda turn: steps_of(turn.session, case)) == []


def test_a_level_a_situation_and_an_officer_are_said_by_name(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    duty.says("定级")
    assert "为什么这样定" in duty.says("红")
    assert "定为红色" in duty.says("又打了")
    assert "定为红色" in duty.says("定级 红 还在打")
    duty.says("情形")
    duty.says("多处受伤")
    assert town.report().situation == 4
    assert "已派给 陈主任" in duty.says("指派 陈主任")


# Reading it.


def test_the_account_is_read_by_words_and_the_look_is_logged(town: Town) -> None:
    town.tell("周老师", answers=(*ANSWERS[:-1], PHONE))
    duty = town.phone(town.duty)
    assert BEATEN in duty.says("原话 1")
    duty.says("我接了")
    for words in ("步骤", "1", "刘警官说马上去"):
        duty.says(words)
    said = duty.says("原话")
    for part in (f"报告人：{BEATEN}", "怀疑谁：他爸", "情形：还没确认", "没有回执", "已告诉派出所：刘警官说马上去"):
        assert part in said
    assert PHONE not in said
    assert looks(town, "look") == 2


# Who may not.


@pytest.mark.parametrize("word", ["情形", "报告人电话", "搁置", "原话", "步骤", "指派", "定级", "结案", "大意"])
def test_who_has_no_part_in_it_is_refused_and_nothing_happens(town: Town, word: str) -> None:
    held(town)
    before = town.phone(town.duty).says("我的任务")
    assert before
    number = town.number(town.duty, town.task("first_contact"))
    for who in (town.officer, town.teacher):
        said = town.phone(who).says(f"{word} {number}")
        assert any(part in said for part in ("没有编号", "没有找到", "没有个案")), said
        said = town.phone(who).says(word)
        assert any(part in said for part in ("没有找到", "没有个案")), said
    case = town.case()
    assert (case.level, case.stage, case.pending, case.situation) == ("yellow", CaseStage.OPEN, None, None)
    assert looks(town, "look") == looks(town, "look_callback") == 0
    assert town.turn(lambda turn: steps_of(turn.session, case.id)) == []


def assigned(town: Town) -> Town:
    """A case whose visits the village's officer has."""
    held(town)
    duty = town.phone(town.duty)
    duty.says("指派")
    duty.says("1")
    return town


def test_the_reporters_number_is_for_the_holder_alone(town: Town) -> None:
    assigned(town)
    assert town.phone(town.officer).says("报告人电话") == "这一项只由接手的人（赵值班）办。"
    number = town.number(town.boss, town.task("first_contact"))
    assert town.phone(town.boss).says(f"报告人电话 {number}") == "这一项只由接手的人（赵值班）办。"
    assert looks(town, "look_callback") == 0


def test_the_situation_is_said_by_the_holder_or_who_supervises_and_not_by_the_officer(town: Town) -> None:
    assigned(town)
    assert town.phone(town.officer).says("情形") == "这一项只由接手的人（赵值班）办。"
    boss = town.phone(town.boss)
    assert "是哪种情形" in boss.says(f"情形 {town.number(town.boss, town.task('first_contact'))}")
    boss.says("4")
    assert town.report().situation == 4


@pytest.mark.parametrize("first", [BEATEN, DANGER])
def test_the_second_of_two_is_somebody_who_supervises(town: Town, first: str) -> None:
    town.phone("周老师").says(first)
    town.world.pass_(minutes=11)
    town.phone(town.duty).says("我接了")
    for words in ("指派", "1", "搁置 是作文"):
        town.phone(town.duty).says(words)
    assert "搁置要第二个人同意" in town.phone(town.officer).says("搁置 是作文")
    assert (town.case().stage, town.report().stage) == (CaseStage.ASSIGNED, ReportStage.ACCEPTED)
    assert "已搁置" in town.phone(town.duty).says("搁置 是作文"), "the officer proposed last, and this one supervises"


def test_another_level_leaves_what_was_proposed(town: Town) -> None:
    held(town)
    duty = town.phone(town.duty)
    for words in ("搁置 是作文", "定级", "蓝色", "没有伤"):
        duty.says(words)
    assert (town.case().level, town.case().pending) == ("blue", "aside")
    assert len(town.tasks("approval")) == 1


@pytest.mark.parametrize(
    ("note", "receipt"),
    [
        ("A3702602", "A3702602"), ("老严给的 A3702602", "A3702602"),
        ("派出所的老严说了半天，最后才把受案回执给我们，编号是 A3702602", "A3702602"),
        ("警号012345，没给回执", None), ("0551-6234567", None), ("20261123下午拿到", None), ("13812345678", None),
        ("老严警号是012345，他人很好，一直陪我们坐到晚上九点多才回家去", None),
    ],
)  # fmt: skip
def test_a_note_is_no_receipt_because_it_holds_some_number(town: Town, note: str, receipt: str | None) -> None:
    held(town)
    duty = town.phone(town.duty)
    for words in ("步骤", "2", note):
        said = duty.says(words)
    assert town.report().police_receipt == receipt
    assert ("回执编号是多少" in said) == (receipt is None)


def test_no_number_from_a_reporter_does_not_mean_that_the_police_were_not_told(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    for _ in range(6):
        if "110" in phone.last and "回执" in phone.last:
            break
        phone.says("跳过")
    phone.says("没有号")
    assert (town.report().answers or {}).get("police") != "no"


def test_who_was_only_told_reads_no_account_once_somebody_else_has_it(town: Town) -> None:
    world = town.world
    liaison = world.person("钱联络", Role.AGENCY_LIAISON, town.township)
    world.duty(town.township, liaison, town.duty)
    town.tell("周老师")
    number = town.number(liaison, town.task("alarm"))
    town.phone(town.boss).says(f"我接了 {town.number(town.boss, town.task('alarm'))}")
    said = town.phone(liaison).says(f"原话 {number}")
    assert BEATEN not in said
    town.phone("周老师").says("补充 他爸现在提起菜刀在门口，背上在流血")
    world.pass_(minutes=1)
    for words in ("原话", "情形"):
        said = town.phone(liaison).says(words)
        assert BEATEN not in said
        assert "建议" not in said


def test_a_question_of_the_holder_is_not_answered_by_who_took_over_meanwhile(town: Town) -> None:
    held(town)
    case = town.case().id

    def handed_over(turn: Turn, to: int) -> None:
        turn.session.get_one(Case, case).holder_id = to

    town.turn(lambda turn: handed_over(turn, town.officer.id))
    officer = town.phone(town.officer)
    assert "是哪种情形" in officer.says("情形")
    town.turn(lambda turn: handed_over(turn, town.supervisor.id))
    assert officer.says("4") == "这一项只由接手的人（李督导）办。"
    assert town.report().situation is None


@pytest.mark.parametrize("who", ["boss", "supervisor"])
def test_help_names_the_words(town: Town, who: str) -> None:
    said = town.phone(getattr(town, who)).says("帮助")
    for word in ("原话", "步骤", "指派", "定级", "情形", "报告人电话", "结案", "搁置"):
        assert word in said
