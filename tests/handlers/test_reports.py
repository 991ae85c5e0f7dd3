"""Reporting: what is kept of any words, what is asked, and how often the bot answers."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from handlers.turn import Turn
from storage import outbox
from storage.outbox import Outbox
from storage.people import Person
from storage.reporters import Reporter
from storage.reports import Entry, ReportStage
from storage.tasks import TaskState
from tests.bench.statements import CONTROL, note_statements
from tests.support.databases import SqliteDatabases
from tests.support.reporting import ANSWERS, BEATEN, DANGER, Town, town
from tests.support.visiting import make_tables
from tests.world import World

__all__ = ["town"]
RECEIPT = re.compile(r"\d{4} \d{4} \d{4}")


def asked(reads: list[str]) -> list[str]:
    """The questions among what was read, in order."""
    found = [re.search(r"^.*？", line, re.MULTILINE) for text in reads for line in text.split("\n\n")[-1:]]
    return [one[0] for one in found if one]


# What is kept.


@pytest.mark.parametrize("words", ["  娃儿遭打了！！\n第二行 ", "救命", "<xml>]]>&", "😂👍🏿", "𠮷村", "一" * 600])
def test_the_first_words_are_kept_byte_for_byte_and_are_on_the_duty_list(town: Town, words: str) -> None:
    town.phone("李婶").says(words)
    assert town.texts() == [words]
    assert town.tasks("draft_report")[0].role == "duty"


def test_a_menu_key_a_tapped_word_and_an_old_question_make_no_report(town: Town) -> None:
    phone = town.phone("李婶")
    assert phone.event("click", "report").startswith("要是孩子正有危险，先打 110")
    assert "请直接说" in phone.taps("word", "报告")
    assert "过去了" in phone.taps("reports.police", "1")
    assert "过去了" in phone.taps("case_step.kind", "3")
    assert town.reports() == []


@pytest.mark.parametrize(
    "words",
    [
        "我去学校门口看到一个娃儿被打",
        "跳过围墙的那个男人又来了，娃儿怕得很",
        "我接了娃儿放学，他身上有伤",
        "取消了低保，娃儿没饭吃",
        "补充营养都没有，那个娃儿瘦得皮包骨",
        "日报社的人来拍过，那个孩子还是没人管",
        "结案了吗没有人管那个孩子",
    ],
)
def test_words_that_merely_contain_a_command_are_an_account(town: Town, words: str) -> None:
    town.phone("李婶").says(words)
    assert town.texts() == [words]


def test_staff_words_of_somebody_who_is_no_staff_are_an_account(town: Town) -> None:
    town.phone("李婶").says("指派")
    assert town.texts() == ["指派"]


def test_the_telephone_number_stays_with_the_reporter(town: Town) -> None:
    town.tell(answers=(*ANSWERS[:-1], "打我电话 138 1234 5678"))
    assert (town.report().answers or {})["call_back"] == "number"
    [reporter] = town.turn(lambda turn: list(turn.session.scalars(select(Reporter))))
    assert (reporter.kind, reporter.callback) == ("named", "13812345678")


def test_a_number_given_in_passing_is_where_to_ring_back_and_is_not_asked_for(town: Town) -> None:
    phone = town.tell(answers=())
    phone.says("你们打 13812345678 问我")
    for words in ANSWERS[:-1]:
        phone.says(words)
        town.world.pass_(seconds=25)
    assert "回您哪个电话" not in "".join(phone.reads)
    assert RECEIPT.search(phone.last)


def test_words_that_name_a_place_later_bring_the_report_there(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(DANGER)
    assert town.phone(town.duty).reads == []  # only the county knows of it
    phone.says("在柳河村，青山镇的")
    assert town.report().area_id == town.village.id
    assert town.phone(town.duty).last.startswith("【红色警报】青山镇柳河村")


def test_a_report_is_not_lost_though_nobody_is_on_any_list(town: Town) -> None:
    people = [town.boss.id, town.supervisor.id, town.duty.id, town.officer.id]

    def leave(turn: Turn) -> None:
        for one in people:
            turn.session.get_one(Person, one).left_at = turn.now

    town.turn(leave)
    town.tell(first=DANGER, answers=("在柳河村", "2", "1"))
    assert town.task("alarm").state == TaskState.OPEN
    assert {task.kind for task in town.tasks("empty_rung")} == {"empty_rung"}


# What is asked.


def test_immediate_danger_is_answered_with_110_and_three_questions(town: Town) -> None:
    phone = town.phone("李婶")
    assert phone.says(DANGER).startswith("先打 110")
    for words in ("在柳河村王家", "没打", "13812345678"):
        phone.says(words)
    assert asked(phone.reads[:3]) == ["孩子现在在哪里，和谁在一起？", "打110报警了吗？", "回您哪个电话？"]
    assert RECEIPT.search(phone.last)


def test_saying_yes_to_danger_leaves_three_questions(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    assert phone.says("1").startswith("先打 110")
    for words in ("在柳河村王家", "没打", "1"):
        phone.says(words)
    assert len(asked(phone.reads)) == 4
    assert RECEIPT.search(phone.last)


def test_at_leisure_at_most_seven_questions_are_asked(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says("有个事情想跟你们说哈")
    for words in ("现在没有", "隔壁娃儿天天挨打", "毛毛，七岁", "在屋头", "他后妈", "没打", "匿名"):
        phone.says(words)
    assert RECEIPT.search(phone.last)
    questions = asked(phone.reads)
    assert len(questions) == len(set(questions)) == 7


def test_every_question_can_be_skipped(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says("有个事情想跟你们说哈")
    for _ in range(7):
        phone.says("跳过")
    assert RECEIPT.search(phone.last)


@pytest.mark.parametrize("first", [BEATEN, DANGER, "有个事情想跟你们说哈"])
def test_no_question_is_put_a_third_time(town: Town, first: str) -> None:
    phone = town.phone("李婶")
    phone.says(first)
    for number in range(20):
        town.world.pass_(seconds=40)
        phone.says(None, kind="image", media_id=f"m{number}")
    questions = asked(phone.reads)
    assert max(questions.count(one) for one in set(questions)) == 2
    assert RECEIPT.search("".join(phone.reads))


def test_questions_of_the_reporter_are_answered_in_two_lines_without_leaving_the_flow(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    for words in ("会不会知道是我", "要不要校长同意", "报错了怎么办"):
        assert len(phone.says(words).split("\n")) == 2
    assert "哪个孩子" in phone.says("2")


def test_a_flow_is_resumed_after_days(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    phone.says("现在没有")
    town.world.pass_(days=2)
    assert "在哪里" in phone.says("李小明，六年级")
    assert len(town.reports()) == 1


def test_a_voice_answers_a_question_for_words(town: Town) -> None:
    phone = town.tell(answers=("现在没有",))
    assert "在哪里" in phone.says(None, kind="voice", media_id="v1", format="amr")
    assert (town.report().answers or {})["child"] == "语音"


def test_a_pin_says_where(town: Town) -> None:
    phone = town.tell(answers=("现在没有",))
    phone.says(None, kind="location", latitude=27.1, longitude=109.2, label="柳河村小学")
    assert (town.report().answers or {})["where"] == "位置 柳河村小学"
    assert town.report().area_id == town.village.id


# Bursts.


def test_fragments_get_one_reply_when_they_are_over(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(None, kind="image", media_id="m1")
    fragments = ["看这个娃儿", "隔壁家的", "腿上都是印子", "他后妈打的", "我听到好几回了"]
    assert [phone.says(words) for words in fragments] == [""] * 5
    assert len(phone.reads) == 1
    town.world.pass_(seconds=19)
    assert len(phone.reads) == 1
    town.world.pass_(seconds=2)
    assert phone.last.startswith("都记下了。\n\n孩子现在正有危险吗？")
    town.world.pass_(minutes=5)
    assert len(phone.reads) == 2
    assert town.texts()[1:] == fragments


def test_a_burst_that_a_turn_answered_gets_no_other_reply(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    phone.says("他妈也不管")
    assert phone.says("现在没有").startswith("哪个孩子")
    town.world.pass_(minutes=5)
    assert len(phone.reads) == 2


def test_danger_inside_a_burst_is_answered_at_once(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    phone.says("你们快点")
    assert phone.says("他爸提起菜刀来学校了 正在砍门").startswith("先打 110")
    assert town.phone(town.duty).last.startswith("【红色警报】")


def test_somebody_who_never_pauses_is_answered_within_a_minute(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    replies = []
    for number in range(8):
        town.world.pass_(seconds=9)
        replies.append(phone.says(f"还有第{number}件"))
    assert sum(map(bool, replies)) == 1


def test_after_the_questions_a_burst_is_thanked_once(town: Town) -> None:
    phone = town.tell()
    before = len(phone.reads)
    for words in ("还有他妹妹", "也挨过打", "上个月"):
        phone.says(words)
    town.world.pass_(minutes=1)
    assert [text for text in phone.reads[before:] if "记下" in text] == ["补充的也记下了，谢谢您。"]


def test_the_holder_hears_of_more_once_in_ten_minutes(town: Town) -> None:
    phone = town.tell("周老师")
    town.phone(town.duty).says("我接了")
    for number in range(6):
        phone.says(f"补充：第{number}件")
        town.world.pass_(minutes=1)
    town.world.pass_(minutes=30)
    assert sum("新补充" in text for text in town.phone(town.duty).reads) == 2


# The same child, another child.


def test_after_a_long_silence_it_is_asked_once_whether_it_is_the_same_child(town: Town) -> None:
    phone = town.tell("周老师")
    town.world.pass_(hours=13)
    assert "同一个孩子吗" in phone.says("今天他又没来上学，身上有新伤")
    assert "记下了" in phone.says("同一个")
    first, second = town.reports()
    assert (second.stage, second.merged_into_id) == (ReportStage.SET_ASIDE, first.id)
    assert town.texts(first)[-1] == "今天他又没来上学，身上有新伤"
    assert {task.subject_id for kind in ("alarm", "draft_report", "burst") for task in town.tasks(kind)} == {first.id}


def test_another_child_is_another_report(town: Town) -> None:
    phone = town.tell("周老师")
    town.world.pass_(days=3)
    phone.says("六年级有个女生手臂上都是烫伤")
    assert "正有危险吗" in phone.says("另一个孩子")
    town.world.pass_(minutes=11)
    assert len({task.subject_id for task in town.tasks("alarm")}) == 2


def test_words_after_a_report_was_closed_wake_somebody_again(town: Town) -> None:
    phone = town.tell("周老师")
    duty = town.phone(town.duty)
    for words in ("我接了", "步骤", "3", "跳过", "结案", "孩子安全了"):
        duty.says(words)
    assert town.report().stage == ReportStage.RESOLVED
    town.world.pass_(hours=13)
    phone.says("他又被打了，背上新的皮带印")
    phone.says("同一个")
    assert [one.stage for one in town.reports()] == [ReportStage.FILED, ReportStage.SET_ASIDE]
    assert duty.last.startswith("【警报】")
    duty.says("我接了")
    assert town.case().stage == "open"
    assert [task.person_id for task in town.tasks("first_contact")] == [town.duty.id]


# Everything that wakes nobody, and what must.


@pytest.mark.parametrize("words", ["在吗", "低价贷款加微信 abc123456 额度30万", "孤儿补贴要啥子手续"])
def test_greetings_adverts_and_benefit_questions_are_kept_and_alarm_nobody(town: Town, words: str) -> None:
    town.phone("李婶").says(words)
    town.world.pass_(days=1)
    assert town.texts() == [words]
    assert town.tasks("alarm", live=False) == []
    assert town.tasks("draft_report") == []


def test_a_benefit_question_without_a_village_goes_to_who_is_on_duty(town: Town) -> None:
    assert town.phone("李婶").says("孤儿补贴要啥子手续").startswith("收到，已转给值班的人，会联系您。")
    assert (town.task("benefit").person_id, town.task("benefit").role) == (None, "duty")


def test_a_benefit_question_is_the_village_officers_task(town: Town) -> None:
    said = town.phone("李婶").says("柳河村的孤儿补贴要啥子手续")
    assert said.startswith("收到，已转给村里的儿童主任，会联系您。")
    assert town.task("benefit").person_id == town.officer.id
    town.world.pass_(seconds=10)
    assert "政策咨询 1" in town.phone(town.officer).last


def test_a_greeting_that_becomes_a_report_is_watched(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says("在吗")
    assert "正有危险吗" in phone.says(BEATEN)
    assert len(town.reports()) == 1
    town.world.pass_(minutes=11)
    assert town.phone(town.duty).last.startswith("【警报】")


def test_words_the_rules_make_nothing_of_reach_a_person_by_day(town: Town) -> None:
    town.world.now += timedelta(hours=13)  # ten in the evening
    town.phone("周老师").says("有个事情想跟你们说哈")
    town.world.pass_(hours=2)
    assert town.phone(town.duty).reads == []
    town.world.pass_(hours=9)
    assert "要人看的来信 1" in town.phone(town.duty).last
    duty = town.phone(town.duty)
    duty.says("我的任务")
    assert "“有个事情想跟你们说哈”" in duty.says("1")
    duty.says("2")
    assert "已搁置" in duty.says("打错了")
    assert town.report().stage == ReportStage.SET_ASIDE
    assert town.tasks("read_report") == town.tasks("draft_report") == []


def test_silence_makes_an_alarm_of_what_the_rules_know_and_nudges_twice(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    town.world.pass_(minutes=9)
    assert town.tasks("alarm") == []
    town.world.pass_(minutes=2)
    assert town.phone(town.duty).last.startswith("【警报】")
    town.world.pass_(days=3)
    assert sum("上次没说完" in text for text in phone.reads) == 2
    assert town.report().stage == ReportStage.FILED


def test_the_silence_counts_from_the_last_words_also_after_a_nudge(town: Town) -> None:
    phone = town.phone("周老师")

    def nudges() -> int:
        return int(town.tasks("draft_report")[0].rung)

    phone.says(BEATEN)
    town.world.pass_(minutes=6)
    phone.says("他叫李小明")
    town.world.pass_(minutes=6)
    assert (nudges(), town.tasks("alarm")) == (0, []), "twelve minutes after the first words, six after the last"
    town.world.pass_(minutes=5)
    assert (nudges(), len(town.tasks("alarm"))) == (1, 1)
    town.world.pass_(hours=2)
    phone.says("今天又打了")
    town.world.pass_(minutes=9)
    assert nudges() == 1
    town.world.pass_(minutes=2)
    assert nudges() == 2


# The receipt.


def test_the_receipt_is_nowhere_in_the_outbox_after_a_day(town: Town) -> None:
    phone = town.tell()
    receipt = RECEIPT.search("".join(phone.reads))
    assert receipt
    town.world.pass_(hours=25)
    town.world.run(lambda connection: outbox.erase_due(connection, town.world.now))
    kept = town.turn(lambda turn: [one.content for one in turn.session.scalars(select(Outbox))])
    assert receipt[0] not in str(kept)


# What a turn costs.

MOST = 8
"""Statements of a dialogue turn (design 3)."""
OPENING = 10
"""The first message also makes the contact, the report, its reporter, its first entry and its two tasks."""


@pytest.mark.parametrize(
    "dialogue",
    [
        (BEATEN, *ANSWERS),
        (BEATEN, "1", "在柳河村", "没打", "13812345678"),
        (DANGER, "在柳河村", "报了，回执A3702602", "1"),
        (BEATEN, "他妈也不管", "跳过", "上一步", "2", "李小明", "会不会知道是我", "跳过", "跳过", "2", "匿名", "谢谢"),
    ],
)
def test_the_opening_of_a_report_needs_at_most_ten_statements_and_each_turn_after_it_eight(
    sqlite_databases: SqliteDatabases, dialogue: tuple[str, ...]
) -> None:
    """The design's eight hold for the dialogue; the first message makes more rows, and is allowed two more."""
    town = Town(World.on(sqlite_databases.copy(make_tables)))
    statements: list[str] = []
    town.world.engine.dispose()
    note_statements(town.world.engine, statements)
    phone, counts = town.phone("李婶"), []
    for words in dialogue:
        statements.clear()
        town.world.now += timedelta(seconds=3)
        town.world.say_only(phone, words)
        counts.append(sum(not one.startswith(CONTROL) for one in statements))
        town.world.settle()
    assert 0 < counts[0] <= OPENING
    assert max(counts[1:]) <= MOST, dict(zip(dialogue, counts, strict=True))
    town.world.close()


def test_every_entry_came_from_a_message_that_is_kept(town: Town) -> None:
    town.tell()
    entries = town.turn(lambda turn: list(turn.session.scalars(select(Entry))))
    assert all(one.inbox_id for one in entries)


# Where to ring back.


def number_left(town: Town) -> tuple[str, str | None]:
    [reporter] = town.turn(lambda turn: list(turn.session.scalars(select(Reporter))))
    return reporter.kind, reporter.callback


def test_yes_to_the_question_for_a_number_asks_for_it_once_in_danger(town: Town) -> None:
    phone = town.phone("李婶")
    for words in (DANGER, "柳河村", "没打"):
        phone.says(words)
    assert phone.says("可以").startswith("好的，请把电话号码发来。")
    assert RECEIPT.search(phone.says("13812345678"))
    assert number_left(town) == ("named", "13812345678")


def test_yes_twice_is_wechat(town: Town) -> None:
    phone = town.phone("李婶")
    for words in (DANGER, "柳河村", "没打", "可以"):
        phone.says(words)
    assert RECEIPT.search(phone.says("可以"))
    assert number_left(town) == ("named", None)


def test_a_number_after_yes_is_kept_and_the_holder_reads_it(town: Town) -> None:
    phone = town.tell("周老师", answers=(*ANSWERS[:-1], "可以"))
    assert RECEIPT.search(phone.last)
    phone.says("13812345678")
    assert number_left(town) == ("named", "13812345678")
    duty = town.phone(town.duty)
    duty.says("我接了")
    assert "13812345678（R1）" in duty.says("报告人电话")
    assert "怎么回话：留了电话" in duty.says("原话")


@pytest.mark.parametrize("first", ["有个娃儿遭打了，打我电话13812345678", "13812345678"])
def test_a_number_in_the_first_words_is_kept_and_not_asked_for(town: Town, first: str) -> None:
    phone = town.phone("李婶")
    for words in (first, "现在没有", "他遭他爸打", "李小明", "在学校", "他爸", "没打"):
        phone.says(words)
        town.world.pass_(seconds=25)
    assert number_left(town) == ("named", "13812345678")
    assert "回您哪个电话" not in "".join(phone.reads)


def test_a_number_in_an_answer_in_words_is_kept(town: Town) -> None:
    phone = town.phone("李婶")
    for words in (BEATEN, "现在没有", "李小明，我的电话是13812345678"):
        phone.says(words)
    assert number_left(town) == ("named", "13812345678")


def test_who_is_anonymous_by_their_own_word_leaves_no_number(town: Town) -> None:
    phone = town.tell(answers=(*ANSWERS[:-1], "2"))
    phone.says("13812345678")
    assert number_left(town) == ("anonymous", None)


def test_a_receipt_in_passing_is_no_telephone(town: Town) -> None:
    phone = town.phone("李婶")
    phone.says(BEATEN)
    phone.says("派出所给的号A3702602，昨天报的")
    assert number_left(town) == ("unasked", None)


def test_a_number_left_with_an_account_that_is_joined_goes_with_it(town: Town) -> None:
    phone = town.tell(answers=(*ANSWERS[:-1], "跳过"))
    town.world.pass_(hours=13)
    assert "同一个孩子" in phone.says("他今天又来了，打我13812345678")
    phone.says("同一个")
    left = town.turn(lambda turn: {one.report_id: one.callback for one in turn.session.scalars(select(Reporter))})
    assert left[min(left)] == "13812345678"
