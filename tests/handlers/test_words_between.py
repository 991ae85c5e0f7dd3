"""What is said inside a flow and is no answer there: nothing is lost whatever was asked, and danger is first."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from handlers import leaving, routes
from storage import posts, tasks
from storage.areas import AreaLevel
from storage.cases import Case
from storage.contacts import Contact, Conversation, openid_index
from storage.people import Person, Role
from storage.reports import Entry, Report
from storage.visits import Visit
from tests.support.reporting import ANSWERS, BEATEN, Town, town
from tests.world import Phone

__all__ = ["town"]
NOW = "周家湾有个娃儿正被他爸打，满身是血，救命"
"""Danger; it answers no question."""
BLOOD = "周家湾有个娃儿被他爸打得满身是血"
"""One of the nine situations; it may be over."""
PLAIN = "我们班那个男生今天又没来上学，三天了"
"""Neither danger nor one of the nine situations."""


def reporting(answers: int) -> Callable[[Town], Phone]:
    """A villager who has answered so many questions of a report."""

    def start(town: Town) -> Phone:
        phone = town.phone("李婶")
        for words in (BEATEN, *ANSWERS[:answers]):
            phone.says(words)
        return phone

    return start


def untold(town: Town) -> Phone:
    phone = town.phone("李婶")
    for words in ("有件事想说", "现在没有"):
        phone.says(words)
    return phone


def again(town: Town) -> Phone:
    phone = town.tell()
    town.world.pass_(hours=13)
    phone.says("他今天又来了")
    return phone


def told(*words: str) -> Callable[[Town], Phone]:
    def start(town: Town) -> Phone:
        phone = town.tell()
        for one in words:
            phone.says(one)
        return phone

    return start


def holding(*words: str) -> Callable[[Town], Phone]:
    """The duty person, who took a case that is not red."""

    def start(town: Town) -> Phone:
        town.tell("周老师")
        duty = town.phone(town.duty)
        for one in ("我接了", *words):
            duty.says(one)
        return duty

    return start


def reading(*words: str) -> Callable[[Town], Phone]:
    """The county supervisor, who reads what no rule knows."""

    def start(town: Town) -> Phone:
        town.phone("李婶").says("我家那口子天天打麻将")
        town.world.pass_(minutes=11)
        boss = town.phone(town.boss)
        for one in ("我的任务", str(town.number(town.boss, town.task("read_report"))), *words):
            boss.says(one)
        return boss

    return start


def agreeing(town: Town) -> Phone:
    holding("搁置 是作文")(town)
    boss = town.phone(town.boss)
    for one in ("我的任务", str(town.number(town.boss, town.task("approval")))):
        boss.says(one)
    return boss


def visiting(*words: str, teacher: bool = False) -> Callable[[Town], Phone]:
    """The officer, or the teacher, of a child on file."""

    def start(town: Town) -> Phone:
        town.child_on_file()
        phone = town.phone(town.teacher if teacher else town.officer)
        for one in words:
            phone.says(one)
        return phone

    return start


def rounds(town: Town) -> Phone:
    town.child_on_file()
    town.child_on_file("王小雪")
    phone = town.phone(town.officer)
    for one in ("记录", "记录 1 2 都好"):
        phone.says(one)
    return phone


def naming(town: Town) -> Phone:
    """The supervisor who is asked who follows an officer that leaves."""
    town.child_on_file()
    town.world.person("孙主任", Role.VILLAGE_CHILD_OFFICER, town.village)
    town.phone(town.officer).says("离任")
    town.world.pass_(minutes=1)
    task = town.task("handover")
    who = next(one for one in (town.supervisor, town.duty, town.boss) if one.id == task.person_id)
    phone = town.phone(who)
    for one in ("我的任务", str(town.number(who, task))):
        phone.says(one)
    return phone


def other_officer(town: Town, *, full: bool = False) -> Person:
    """Another village child officer of the township; `full`: who has as many children as the county allows, one."""
    place = town.world.area("上河村", AreaLevel.VILLAGE, town.township)
    other = town.world.person("孙主任", Role.VILLAGE_CHILD_OFFICER, place)
    if full:
        town.child_on_file("王小雪")
        town.turn(lambda turn: tasks.hand_over(turn.connection, town.officer.id, other.id, turn.now))
        town.turn(lambda turn: posts.move(turn.connection, town.officer.id, other.id, turn.now))
        town.world.policy = replace(town.world.policy, most_children=1)
    return other


def picking(kind: str, *words: str, full: bool = False) -> Callable[[Town], Phone]:
    """The supervisor who names somebody for an officer that leaves (`handover`) or is away (`stand_in`)."""

    def start(town: Town) -> Phone:
        other_officer(town, full=full)
        town.child_on_file()
        officer = town.phone(town.officer)
        for one in ("离任",) if kind == "handover" else ("请假 今天到明天", "是"):
            officer.says(one)
        town.world.pass_(minutes=1)
        task = town.task(kind)
        who = next(one for one in (town.supervisor, town.duty, town.boss) if one.id == task.person_id)
        phone = town.phone(who)
        for one in ("我的任务", str(town.number(who, task)), *words):
            phone.says(one)
        return phone

    return start


def assigning(town: Town) -> Phone:
    """The duty person, whose choice of an officer has as many cases as the county allows."""
    duty = holding()(town)
    town.world.policy = replace(town.world.policy, most_cases=1)
    had = {"number": "G2611-0009", "area_id": town.village.id, "level": "green", "opened_at": town.world.now}
    town.turn(lambda turn: turn.session.add(Case(**had, holder_id=town.officer.id)))
    for one in ("指派", "1"):
        duty.says(one)
    return duty


def on_paper(town: Town) -> Phone:
    """The supervisor who is asked whether somebody that is gone signed the list of what they handed over."""
    other = other_officer(town)
    town.child_on_file()
    people = (town.officer.id, other.id)
    town.turn(lambda turn: leaving.leave(turn, *(turn.session.get_one(Person, one) for one in people)))
    town.phone(town.officer).event("unsubscribe")
    task = next(one for one in town.tasks("signature") if one.person_id not in people)
    who = next(one for one in (town.supervisor, town.duty, town.boss) if one.id == task.person_id)
    phone = town.phone(who)
    for one in ("我的任务", str(town.number(who, task))):
        phone.says(one)
    return phone


def saying(who: str, *words: str) -> Callable[[Town], Phone]:
    def start(town: Town) -> Phone:
        phone = town.phone(who)
        for one in words:
            phone.says(one)
        return phone

    return start


STARTS: dict[str, Callable[[Town], Phone]] = {
    "reports.danger": reporting(0),
    "reports.what": untold,
    "reports.child": reporting(1),
    "reports.where": reporting(2),
    "reports.suspect": reporting(3),
    "reports.police": reporting(4),
    "reports.call_back": reporting(5),
    "which_child.same": again,
    "supplement.words": told("补充"),
    "case_step.kind": holding("步骤"),
    "case_step.note": holding("步骤", "3"),
    "case_step.number": holding("步骤", "2", "跳过"),
    "case_assign.officer": holding("指派"),
    "case_level.level": holding("定级"),
    "case_level.why": holding("定级", "1"),
    "case_close.why": holding("结案"),
    "case_message.words": holding("回复报告人"),
    "case_gist.words": holding("大意"),
    "case_situation.situation": holding("情形"),
    "case_aside.why": holding("搁置"),
    "case_read.verdict": reading(),
    "case_read.why": reading("搁置"),
    "case_approve.agreed": agreeing,
    "visits.child": visiting("记录"),
    "visits.kind": visiting("记录", "1"),
    "visits.day": visiting("记录", "1", "5"),
    "visits.why": visiting("记录", "1", "没见到"),
    "visits.next_try": visiting("记录", "1", "没见到", "1"),
    "visits.guardianship": visiting("记录", "1", "见到孩子"),
    "visits.guardianship_words": visiting("记录", "1", "见到孩子", "有点担心"),
    "visits.study": visiting("记录", "1", "见到孩子", teacher=True),
    "visits.study_words": visiting("记录", "1", "见到孩子", "有点担心", teacher=True),
    "visits.body_and_mind": visiting("记录", "1", "见到孩子", "正常"),
    "visits.body_and_mind_words": visiting("记录", "1", "见到孩子", "正常", "有点担心"),
    "visits.other": visiting("记录", "1", "见到孩子", "有点担心", "奶奶管不住", "正常"),
    "rounds.sure": rounds,
    "postpone.child": visiting("延期"),
    "postpone.reason": visiting("延期", "1"),
    "binding.code": saying("李婶", "绑定"),
    "unbinding.sure": saying("赵值班", "解绑"),
    "leaving.sure": saying("周老师", "离任"),
    "handover.successor": naming,
    "handover.sure": picking("handover", "1", full=True),
    "case_assign.sure": assigning,
    "away.since": visiting("请假"),
    "away.until": visiting("请假", "明天"),
    "away.sure": visiting("请假", "明天", "后天"),
    "stand_in.deputy": picking("stand_in"),
    "stand_in.sure": picking("stand_in", "1", full=True),
    "signature.paper": on_paper,
}
"""What brings somebody to each question there is."""


def asked(town: Town, phone: Phone) -> str | None:
    query = select(Conversation.asked).join(Contact, Contact.id == Conversation.contact_id)
    for_phone = query.where(Contact.openid_index == openid_index(phone.openid))
    return town.turn(lambda turn: turn.session.scalar(for_phone))


def entries(town: Town) -> list[str]:
    """Everything that stands in a report."""
    return [one or "" for one in town.turn(lambda turn: list(turn.session.scalars(select(Entry.text))))]


def test_every_question_of_every_flow_is_here() -> None:
    never_put = {"reports.understood"}  # a link beside other questions: test_told.py
    put = {f"{flow.name}.{question}" for flow in routes.FLOWS for question in flow.questions} - never_put
    assert set(STARTS) == put


@pytest.mark.parametrize("question", STARTS)
def test_danger_at_any_question_is_kept_word_for_word_and_answered_with_110(town: Town, question: str) -> None:
    phone = STARTS[question](town)
    assert asked(town, phone) == question, phone.last
    said = phone.says(NOW)
    assert said.startswith("先打 110"), said
    assert sum(NOW in one for one in entries(town)) == 1


@pytest.mark.parametrize("question", STARTS)
def test_harm_at_any_question_is_kept_word_for_word(town: Town, question: str) -> None:
    phone = STARTS[question](town)
    said = phone.says(BLOOD)
    assert sum(BLOOD in one for one in entries(town)) == 1, said
    inside = question.startswith(("reports.", "which_child.", "supplement."))
    assert inside or "先打 110" in said.splitlines()[0], said


@pytest.mark.parametrize("words", [BLOOD, PLAIN])
@pytest.mark.parametrize("question", [one for one in STARTS if not one.startswith("reports.")])
def test_a_flow_that_gives_up_loses_no_words(town: Town, question: str, words: str) -> None:
    """The acceptor's way: no answer, then something else is shown, then the sentence."""
    phone = STARTS[question](town)
    for _ in range(2):
        phone.says("啥子哦")
    phone.says("我的任务")
    said = phone.says(words)
    visits = town.turn(lambda turn: [one or {} for one in turn.session.scalars(select(Visit.notes))])
    kept = [*entries(town), *(note for notes in visits for note in notes.values())]
    assert any(words in one for one in kept), said
    inside = question.startswith(("which_child.", "supplement."))
    assert inside or words == PLAIN or "先打 110" in said.splitlines()[0]


@pytest.mark.parametrize("words", ["9", "嗯嗯", "跳过"])
def test_what_answers_plainly_is_no_report_when_a_flow_gives_up(town: Town, words: str) -> None:
    duty = holding("定级")(town)
    before = entries(town)
    said = [duty.says(words) for _ in range(2)]
    assert said[-1].splitlines()[-1] == "刚才在办的先停在这里，没有记下。要办请重新发一次。"
    assert entries(town) == before or words == "嗯嗯"


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("步骤", "见到孩子了，他爸正提起菜刀在砍门"), ("定级", "红色，他爸正提起菜刀在砍门"),
        ("情形", "多处受伤，他爸现在正提起菜刀在砍门，娃儿还在里头"),
    ],
)  # fmt: skip
def test_danger_in_a_sentence_that_names_an_option_is_answered_with_110(town: Town, word: str, words: str) -> None:
    duty = holding(word)(town)
    assert duty.says(words).startswith("先打 110")
    assert words in entries(town)


def test_a_reason_for_a_level_that_sounds_like_harm_sets_it_and_opens_no_report(town: Town) -> None:
    duty = holding("定级", "1")(town)
    said = duty.says("他爸天天打他，背上都是皮带印")
    assert said.splitlines()[-1].startswith(town.case().number)
    assert town.case().level == "red"
    assert len(town.reports()) == 1


def test_a_refusal_after_the_last_question_ends_the_flow(town: Town) -> None:
    duty = holding("结案")(town)
    assert "不能结案" in duty.says("孩子安全了")
    assert "您的话已记下" in duty.says(BLOOD)


# What belongs to a report, and what does not.


def cancelled(town: Town) -> Phone:
    """The duty person, who took a case and then began a report and stopped."""
    duty = holding()(town)
    for words in (BLOOD, "取消"):
        duty.says(words)
    return duty


@pytest.mark.parametrize("digit", ["4", "１", " 2 ", "12"])
@pytest.mark.parametrize("start", [cancelled, told()])
def test_a_bare_digit_is_added_to_no_report(town: Town, start: Callable[[Town], Phone], digit: str) -> None:
    phone = start(town)
    before, alarms = entries(town), len(town.tasks("alarm"))
    assert phone.says(digit).startswith("现在没有在问您的问题。")
    town.world.pass_(minutes=1)
    assert (entries(town), len(town.tasks("alarm"))) == (before, alarms)


def test_a_digit_that_was_not_offered_is_no_part_of_the_account(town: Town) -> None:
    phone = reporting(0)(town)
    assert "正有危险吗" in phone.says("7")
    assert "哪个孩子" in phone.says("8")
    assert town.texts() == [BEATEN]


def test_words_of_staff_after_a_refusal_are_asked_about_before_they_join_their_report(town: Town) -> None:
    duty = cancelled(town)
    duty.says("情形 4")
    duty.says("4")
    said = duty.says("问过医生，是烫伤多次")
    assert "同一个孩子" in said
    [mine] = [one for one in town.reports() if town.texts(one) == ["问过医生，是烫伤多次"]]
    duty.says("同一个")
    town.world.pass_(minutes=1)
    assert "问过医生，是烫伤多次" in entries(town)
    assert town.turn(lambda turn: turn.session.get_one(Report, mine.id).merged_into_id) is not None


def test_words_of_staff_right_after_their_own_report_are_more_of_it(town: Town) -> None:
    duty = cancelled(town)
    before = len(town.reports())
    duty.says("还有他妹妹也在屋头")
    assert len(town.reports()) == before


def test_a_digit_is_a_report_when_it_is_the_first_word_of_somebody_and_an_emergency_number_always(town: Town) -> None:
    for who, words in (("李婶", "1"), ("孙七", "110")):
        assert "110" in town.phone(who).says(words).splitlines()[0]
    assert [town.texts(report) for report in town.reports()] == [["1"], ["110"]]
    assert [report.urgency for report in town.reports()] == ["normal", "immediate_danger"]
    phone = town.phone(town.duty)
    assert "现在没有在问您的问题" in phone.says("4")
    assert "110" in phone.says("120").splitlines()[0]
    assert town.texts(town.reports()[-1]) == ["120"]


def test_who_answers_with_an_emergency_number_is_in_danger(town: Town) -> None:
    phone = reporting(0)(town)
    assert phone.says("110").startswith("先打 110！")
    assert town.report().urgency == "immediate_danger"


@pytest.mark.parametrize("start", [visiting("记录", teacher=True), told("绑定")], ids=["visit", "binding"])
def test_an_emergency_number_in_place_of_an_answer_is_a_report(town: Town, start: Callable[[Town], Phone]) -> None:
    phone = start(town)
    assert "110" in phone.says("120").splitlines()[0]
    assert "120" in town.turn(lambda turn: [one.text for one in turn.session.scalars(select(Entry))])


@pytest.mark.parametrize("kind", ["voice", "image", "unsupported"])
@pytest.mark.parametrize(
    "start", [visiting("记录", teacher=True), told("绑定"), told("补充")], ids=["visit", "binding", "supplement"]
)
def test_what_no_rule_can_read_is_somebodys_to_look_at_whatever_was_asked(
    town: Town, start: Callable[[Town], Phone], kind: str
) -> None:
    phone = start(town)
    said = phone.says(None, kind=kind, media_id=None if kind == "unsupported" else "m")
    kept = town.turn(lambda turn: list(turn.session.scalars(select(Entry.kind))))
    assert kept[-1] == kind
    assert "没看懂" not in said
    town.world.pass_(minutes=1)
    assert len(town.tasks("listen")) == 1


def test_a_picture_in_place_of_an_answer_about_a_case_is_asked_for_in_words(town: Town) -> None:
    duty = holding("步骤", "1")(town)
    before = len(town.turn(lambda turn: list(turn.session.scalars(select(Entry.id)))))
    assert "没看懂" in duty.says(None, kind="image", media_id="m")
    assert len(town.turn(lambda turn: list(turn.session.scalars(select(Entry.id))))) == before
