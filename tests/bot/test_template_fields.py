"""Values of template fields, judged by the stand-in's own rules."""

import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings import PURPOSES, SettingsError, load
from bot.simulator.fields import RULES, fits
from bot.template_fields import VALUES, filled, fitted, problem
from handlers.workdays import CHINA
from messages import labels

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=CHINA)
KINDS = sorted({*RULES, "name"})


@given(kind=st.sampled_from(KINDS), value=st.none() | st.text(max_size=60))
def test_whatever_we_put_in_the_platform_takes(kind: str, value: str | None) -> None:
    assert fits(kind, fitted(f"{kind}1", value, NOW))


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("thing1", "有2件事要办", "有2件事要办"),
        ("thing1", "一二三四五六七八九十一二三四五六七八九十多", "一二三四五六七八九十一二三四五六七八九十"),
        ("thing1", "两行\n一样", "两行 一样"),
        ("thing1", "", "—"),
        ("thing1", None, "—"),
        ("number2", "12件", "12"),
        ("number2", "", "0"),
        ("character_string3", "R一12", "R12"),
        ("time4", "2026-11-24 08:00", "2026-11-24 08:00"),
        ("time4", "明天", "2026-11-24 07:30"),
        ("phrase5", "待 办理的事项", "待办理的事"),
        ("name6", "王9小宝", "王小宝"),
        ("keyword1", "随便什么", "随便什么"),
    ],
)
def test_a_value_keeps_what_its_field_can_show(key: str, value: str | None, shown: str) -> None:
    assert fitted(key, value, NOW) == shown


def test_each_field_gets_a_value_of_ours_or_the_county_s_own_words() -> None:
    fields = {
        "thing1": "what", "time2": "when", "const3": "=待处理", "phrase4": "=请查看", "number5": "count",
        "thing6": "when",
    }  # fmt: skip
    values = {"what": "有2件事要办", "count": "2"}
    assert filled(fields, values, NOW) == {
        "thing1": "有2件事要办", "time2": "2026-11-24 07:30", "const3": "待处理", "phrase4": "请查看", "number5": "2",
        "thing6": "2026-11-24 07:30",
    }  # fmt: skip
    # The digest gives its own day, and a purpose that does not know a value leaves something neutral.
    assert filled({"date1": "when", "thing2": "place"}, {"when": "2026-11-23"}, NOW) == {
        "date1": "2026-11-23", "thing2": "—",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "fields", "words"),
    [
        ("alarm", {}, "fields is empty"),
        ("alarm", {"thing1.DATA": "what"}, "fields.thing1.DATA should be a key of the template"),
        ("task", {"thing1": "place"}, "fields.thing1 should be one of what, count, when"),
        ("notice", {"thing1": "child_name"}, "fields.thing1 should be one of what, when"),
        ("digest", {"phrase1": "=一二三四五六"}, "fields.phrase1: the platform does not take these words"),
        ("digest", {"number1": "=多"}, "fields.number1: the platform does not take these words"),
        ("digest", {"thing1": "="}, "fields.thing1: the platform does not take these words"),
        ("digest", {"thing1": "= 前面有空格"}, "fields.thing1: the platform does not take these words"),
        ("task", {"const3": "what"}, "fields.const3 should be words of your own after ="),
        ("task", {"enum3": "count"}, "fields.enum3 should be words of your own after ="),
        ("task", {"phrase2": "what"}, "fields.phrase2 should be words of your own after ="),
        ("alarm", {"number1": "place"}, "fields.number1 should be one of number, or words of your own after ="),
        ("digest", {"character_string1": "when"}, "fields.character_string1 should be one of number, count, or words"),
        ("digest", {"time1": "what"}, "fields.time1 should be one of when, or words of your own after ="),
        ("notice", {"number1": "what"}, "fields.number1 should be words of your own after ="),
        ("notice", {"first": "what", "remark": "when"}, "fields has only what the platform no longer shows"),
    ],
)
def test_what_is_wrong_with_a_template_is_one_sentence_at_the_start(
    purpose: str, fields: dict[str, str], words: str, tmp_path: Path
) -> None:
    assert words in str(problem(purpose, fields))
    path = tmp_path / "config.toml"
    listed = ", ".join(f'"{key}" = "{name}"' for key, name in fields.items())
    path.write_text(
        f'[wechat]\napp_id = "wx1"\napp_secret = "s"\ntoken = "t"\nencoding_aes_key = "{"k" * 43}"\n'
        f'[wechat.templates.{purpose}]\ntemplate_id = "T"\nfields = {{ {listed} }}\n'
        '[web]\npublic_origin = "https://tongban.example.org"\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as refused:
        load(path, {})
    assert str(refused.value).startswith("[wechat] templates: ")
    assert f"{purpose}.{words}" in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_sound_templates_of_any_county_have_no_problem() -> None:
    for purpose in PURPOSES:
        fields = {f"thing{number}": name for number, name in enumerate(VALUES[purpose], 1)}
        assert problem(purpose, {**fields, "const9": "=已派单", "keyword8": "what", "first": "what"}) is None


@pytest.mark.parametrize("kind", [*KINDS, "keyword"])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_value_that_a_field_may_have_is_seen_in_it(purpose: str, kind: str) -> None:
    said = {"what": "请看", "number": "R17", "place": "青山镇", "count": "2", "when": "2026-11-23 08:00"}
    key = f"{kind}1"
    for name in VALUES[purpose]:
        if problem(purpose, {key: name}) is None:
            shown = said[name].removeprefix("R") if kind == "number" else said[name]
            assert filled({key: name}, said, NOW) == {key: shown}


def test_every_value_has_a_word_and_a_sample_and_stands_in_the_document() -> None:
    names = {name for values in VALUES.values() for name in values}
    assert names == labels("template_field").keys()
    assert names - {"what", "when"} == labels("template_sample").keys()
    document = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    for purpose, values in VALUES.items():
        row = re.search(rf"^\| `{purpose}` \|.*$", document, re.MULTILINE)
        assert row, purpose
        assert all(f"`{name}`" in row[0] for name in values), row[0]
        assert labels("template_title")[purpose] in row[0]
