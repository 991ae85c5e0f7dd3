"""Values of template fields, judged by the stand-in's own rules."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.simulator.templates import RULES, _fits
from bot.template_fields import fitted
from handlers.workdays import CHINA

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=CHINA)
KINDS = sorted({*RULES, "name"})


@given(kind=st.sampled_from(KINDS), value=st.none() | st.text(max_size=60))
def test_whatever_we_put_in_the_platform_takes(kind: str, value: str | None) -> None:
    assert _fits(kind, fitted(f"{kind}1", value, NOW))


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
