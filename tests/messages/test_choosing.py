"""An option named in one's own words: exactly one, or it is asked again."""

import pytest

from messages import choose, labels
from messages.files import table


@pytest.mark.parametrize(
    ("words", "code", "besides"),
    [
        ("拿到回执了", "police_receipt", ""),
        ("拿到110回执", "police_receipt", ""),
        ("拿到110回执 派出所说没给号", "police_receipt", "派出所说没给号"),
        ("回执拿到了 A3702602", "police_receipt", "A3702602"),
        ("見到孩子了", "child_seen", ""),
        ("我们已经见到孩子了，他奶奶在家", "child_seen", "他奶奶在家"),
        ("见到孩子 昨天下午", "child_seen", "昨天下午"),
        ("今天下午3点见到孩子了", "child_seen", "今天下午3点"),
        ("昨天下午，见到孩子了", "child_seen", "昨天下午"),
        ("见到孩子，已送医", "child_seen", "已送医"),
        ("其他 写了信", "other", "写了信"),
    ],
)
def test_a_step_named_in_a_sentence_is_understood_and_the_rest_is_kept(words: str, code: str, besides: str) -> None:
    assert choose(words, "case_step", labels("case_step")) == (code, besides)


@pytest.mark.parametrize(
    "words",
    [
        "没见到孩子", "还没拿到回执", "明天去见到孩子", "准备送医", "见到孩子了吗", "见到孩子没", "见到孩子 没有",
        "见到孩子和送医", "周家湾有个娃儿被他爸打得满身是血送医", "昨天没空，见到孩子", "什么意思呀这个", "", "，",
    ],
)  # fmt: skip
def test_what_is_denied_to_come_asked_or_one_of_two_names_nothing(words: str) -> None:
    assert choose(words, "case_step", labels("case_step")) is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("红", "red"), ("红的", "red"), ("定红", "red"), ("较高风险", "yellow"), ("高风险", "red"), ("不红", None),
        ("黄某家的孩子", None), ("比黄高", None), ("红或者黄", None), ("从红色降到黄色", None),
    ],
)  # fmt: skip
def test_a_level_of_one_letter_is_all_that_is_said(words: str, code: str | None) -> None:
    found = choose(words, "level", labels("level"))
    assert (found and found[0]) == code


@pytest.mark.parametrize(
    ("words", "code"),
    [("多处受伤", "4"), ("殴打", "4"), ("不满14岁的", "2"), ("14岁以上", "3"), ("怀孕", None), ("都不是", "0")],
)
def test_a_situation_is_named_by_what_only_it_has(words: str, code: str | None) -> None:
    found = choose(words, "situation", labels("situation") | labels("situation_none"))
    assert (found and found[0]) == code


def test_every_way_of_saying_belongs_to_one_option_that_there_is() -> None:
    for kind, ways in table("choices.toml").items():
        known = labels(kind) | (labels("situation_none") if kind == "situation" else {})
        assert ways.keys() <= known.keys()
        for code, some in ways.items():
            for way in some:
                assert choose(way, kind, known) == (code, ""), way
