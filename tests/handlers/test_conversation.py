"""The flow language: whatever people send, in whatever order, a flow comes to its end and asks nothing three times."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers import routes
from storage.inbox import InboxState
from tests.support.databases import SqliteDatabases
from tests.support.reporting import BEATEN, DANGER, Town, town
from tests.support.visiting import make_tables
from tests.world import World

__all__ = ["town"]
WORDS = [
    "1", "2", "9", "是", "没有", "跳过", "上一步", "重新开始", "取消", "报告", "进度", "帮助", "我接了", "同一个",
    "补充", "会不会知道是我", "他爸打的", "13812345678", "在学校", DANGER, BEATEN, "A3702602", "", "😂", "全部正常",
    "步骤", "更多",
]  # fmt: skip
VAGUE = ["嗯嗯不晓得咋说", "他家就在那边", "1", "跳过", "他妈也打", "[图]"]
MEDIA = [
    {"kind": "image", "media_id": "m"},
    {"kind": "voice", "media_id": "v"},
    {"kind": "location", "latitude": 1.0, "longitude": 2.0, "label": "柳河村"},
    {"kind": "unsupported"},
    {"kind": "event", "event": "click", "event_key": "report"},
    {"kind": "text", "text": "1", "menu_id": "reports.police"},
    {"kind": "text", "text": "2", "menu_id": "visits.kind"},
]
STEP = st.tuples(
    st.one_of(st.sampled_from(WORDS).map(lambda text: {"kind": "text", "text": text}), st.sampled_from(MEDIA)),
    st.sampled_from([0, 3, 30, 700, 4000, 50000]),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(who="赵值班", steps=[({"kind": "text", "text": "13812345678"}, 4000)])  # words that wait for earlier ones
@given(who=st.sampled_from(["李婶", "周老师", "赵值班", "陈主任"]), steps=st.lists(STEP, min_size=1, max_size=8))
def test_no_sequence_of_messages_breaks_a_turn(
    sqlite_databases: SqliteDatabases, who: str, steps: list[tuple[dict[str, object], int]]
) -> None:
    world = World.on(sqlite_databases.copy(make_tables))
    town = Town(world)
    phone = town.phone(who)
    for fields, seconds in steps:
        phone.says(**fields)  # type: ignore[arg-type]  # fields of Inbound
        world.pass_(seconds=seconds)
    assert town.states() == {InboxState.DONE}
    assert [task for task in town.all_tasks() if task.failures] == []
    world.close()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["嗯嗯不晓得咋说", "他家就在那边", "1", "跳过", "他妈也打", "[图]"]), min_size=8, max_size=16
    )
)
def test_without_going_back_no_question_is_put_a_third_time(sqlite_databases: SqliteDatabases, said: list[str]) -> None:
    world = World.on(sqlite_databases.copy(make_tables))
    phone = Town(world).phone("李婶")
    phone.says(BEATEN)
    for words in said:
        if words == "[图]":
            phone.says(None, kind="image", media_id="m")
        else:
            phone.says(words)
        world.pass_(seconds=25)
    questions = Counter(re.findall(r"^[^\n]*？", "\n".join(phone.reads), re.MULTILINE))
    assert max(questions.values()) <= 2
    world.close()


def test_cancel_ends_the_asking_and_keeps_what_was_told(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    assert "都记下了" in phone.says("取消")
    assert town.texts() == [BEATEN]
    assert "没有在问" in phone.says("上一步")
    town.world.pass_(minutes=11)
    assert town.phone(town.duty).last.startswith("【警报】")


def test_back_asks_the_question_before_again(town: Town) -> None:
    phone = town.phone("周老师")
    for words in (BEATEN, "现在没有", "李小明"):
        phone.says(words)
    assert "哪个孩子" in phone.says("上一步")
    phone.says("李大明")
    assert (town.report().answers or {})["child"] == "李大明"


def test_start_again_asks_from_the_first_question(town: Town) -> None:
    phone = town.phone("周老师")
    for words in (BEATEN, "现在没有", "李小明"):
        phone.says(words)
    assert "正有危险吗" in phone.says("重新开始")


def test_a_tap_on_an_earlier_question_changes_its_answer(town: Town) -> None:
    phone = town.phone("周老师")
    for words in (BEATEN, "现在没有", "李小明"):
        phone.says(words)
    assert phone.taps("reports.danger", "1").startswith("先打 110")
    assert town.phone(town.boss).last.startswith("【红色警报】")


def test_a_tap_on_a_question_of_another_flow_is_no_answer(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    assert "已经过去" in phone.taps("visits.kind", "1")
    assert town.report().answers is None


@pytest.mark.parametrize("digit", ["1", "１", "①", " 1 ", "1。", "1、"])
def test_a_digit_may_be_written_in_any_way(town: Town, digit: str) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    assert phone.says(digit).startswith("先打 110")


def test_an_option_may_be_said_in_its_words(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(BEATEN)
    assert phone.says("是，正有危险").startswith("先打 110")


def test_every_flow_has_a_name_of_its_own() -> None:
    names = [flow.name for flow in routes.FLOWS]
    assert len(names) == len(set(names))
