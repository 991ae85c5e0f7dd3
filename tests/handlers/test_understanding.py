"""The understanding of free words, measured on labelled messages and tried on single sentences."""

from functools import partial
from pathlib import Path

import pytest

from handlers.hearing import book
from handlers.understanding import as_json, understand
from messages import labels, lexicon
from tests.handlers.evaluate_understanding import Figures, sets
from tests.support.work import calls

DATA = Path(__file__).parents[1] / "data"
WAKES_NOBODY = {"greeting", "advert", "benefit", "question", "other"}


def lines(file: str) -> list[str]:
    return (DATA / file).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["dev", "earlier", "seen"])
def test_the_targets_hold_on_the_messages_that_were_looked_at(name: str) -> None:
    figures = Figures(sets()[name])
    assert not figures.missed_danger, figures.misses()
    assert figures.situations_right >= 0.9, figures.misses()
    assert figures.false_alarm_rate <= 0.05, figures.misses()


def test_the_third_that_was_not_looked_at_is_measured_and_has_not_become_worse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = Figures(sets()["unseen"])
    with capsys.disabled():
        print(f"\n{figures.report('unseen')}")  # noqa: T201 - the figures are to be read
    # What it was when it was first measured; docs/understanding.md says why it is not the target.
    assert len(figures.missed_danger) <= 4
    assert len(figures.wrong_situation) <= 6
    assert len(figures.false_alarms) <= 4


def test_what_a_message_costs_is_bounded_and_grows_no_faster_than_its_length() -> None:
    """Counted in calls; what that is in milliseconds, `python -m tests.handlers.evaluate_understanding` prints."""
    understand("1")  # reads the lexicon
    short = {row.text: calls(partial(understand, row.text, row.role)) for row in sets()["dev"]}
    assert max(short.values()) <= 10_000
    everything = "".join(short)
    assert calls(partial(understand, everything)) <= 40 * len(everything)


def test_there_are_eight_hundred_more_messages_and_none_twice() -> None:
    texts = [message.text for rows in sets().values() for message in rows]
    assert len(texts) >= 860
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("text", lines("danger_phrases.txt"))
def test_present_danger_is_heard_in_dialect_and_with_typing_errors(text: str) -> None:
    heard = understand(text, "villager")
    assert heard.kind == "danger"
    assert heard.intent == "emergency"
    assert heard.because


@pytest.mark.parametrize("text", lines("harmless_phrases.txt"))
def test_everyday_talk_with_frightening_or_similar_sounding_words_is_no_danger(text: str) -> None:
    assert understand(text).urgency == "normal"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("杀了我算了😂 腿都断了", "other"),
        ("在吗", "greeting"),
        ("谢谢", "greeting"),
        ("你好", "greeting"),
        ("代办残疾证 低保 孤儿补贴 包下证 先办后付 联系李哥", "advert"),
        ("帮我砍一刀呗 就差0.3元了 https://p.pdd.example/kd?id=8831", "advert"),
        ("扩散！昨天某地三个孩子被抬走 转给你关心的人", "advert"),
        ("低保能不能给娃娃办", "benefit"),
        ("孤儿补贴怎么申请", "benefit"),
        ("残疾证怎么办", "benefit"),
        ("我就问问哈 要是以后看到别人打娃 该打哪个电话", "question"),
        ("会不会知道是我", "question"),
        ("上礼拜报的那个 到底有没有人管", "question"),
        ("没有打他", "other"),
        ("刚看新闻那个保姆喂安眠药的 气得我手抖", "other"),
        ("麦子打完药了没得", "other"),
        ("村里唱戏演铡美案 说要把人头砍下来", "other"),
    ],
)
def test_harmless_talk_wakes_nobody(text: str, kind: str) -> None:
    assert kind in WAKES_NOBODY
    assert understand(text, "villager").kind == kind


@pytest.mark.parametrize(
    ("text", "role", "intent", "situation"),
    [
        ("我楼下那个后妈在虐带孩子", "villager", "report", 4),
        ("脖子上有烟头汤的", "villager", "report", 4),
        ("他爸用皮代抽他 天天抽", "villager", "report", 4),
        ("走访发现孩子身上有淤青 问是谁打的不肯说", "caseworker", "record_visit", 4),
        ("又想起来一件事 他脖子上还有掐痕", "teacher", "supplement", 4),
    ],
)
def test_a_situation_is_heard_also_when_it_is_mistyped_or_found_on_a_visit(
    text: str, role: str, intent: str, situation: int
) -> None:
    heard = understand(text, role)
    assert (heard.kind, heard.intent, heard.situations[0]) == ("report", intent, situation)


def test_a_threat_at_the_door_is_danger_and_says_by_which_rule() -> None:
    heard = understand("他爸提起菜刀在堂屋门口 娃儿还在里头", "villager")
    assert as_json(heard) == {
        "intent": "emergency",
        "situations": [9, 4],
        "urgency": "immediate_danger",
        "because": ["拿刀拿棍逼近"],
    }


def test_small_signs_of_a_situation_count_together_and_only_where_a_child_is_spoken_of() -> None:
    told = understand("家里大人吸毒抓进去了 她带着弟弟过 电都停了", "teacher")
    assert (told.kind, told.situations[0]) == ("report", 6)
    assert set(told.because) == {"大人不在了", "孩子自己过"}
    assert understand("她带着弟弟过周末", "teacher").situations == ()
    assert understand("楼下那家老人过世了 电都停了", "villager").situations == ()


def test_what_is_calm_takes_more_signs_and_never_silences_plain_danger() -> None:
    assert understand("娃摔得青一块紫一块", "villager").situations == (4,)
    assert understand("孩子学骑车 蹭破点皮 已经好了", "villager").kind == "other"
    assert understand("比赛赢了 高兴 他爸正拿菜刀追娃", "villager").kind == "danger"


def test_words_of_one_thing_are_in_one_clause() -> None:
    assert "大人打孩子" in understand("他打了三天孩子", "villager").because
    assert "大人打孩子" not in understand("他打了三天 孩子没睡好", "villager").because


def test_a_word_that_holds_a_harmless_one_is_heard() -> None:
    assert understand("他提起杀猪刀在追娃", "villager").kind == "danger"
    assert understand("今天杀猪请客 娃高兴", "villager").urgency == "normal"


def test_beasts_and_crops_are_nobodys_danger() -> None:
    for text in ("狗昨天走丢了 急死了", "树上吊着个马蜂窝 哪个去捅一哈", "地里的苞谷要淹死完", "今天杀了只鸭 血留着"):
        assert understand(text, "villager").urgency == "normal", text


def test_laughter_does_not_silence_a_cry_for_help() -> None:
    assert understand("救命 他真的在打我 哈哈哈 我不是开玩笑", "villager").kind == "danger"


@pytest.mark.parametrize("text", ["", "   ", "？？？", "😭😭", "[图片]", "[流泪][流泪]"])
def test_what_has_no_readable_words_is_unknown(text: str) -> None:
    assert understand(text).urgency == "unknown"


def test_age_and_sex_decide_which_situation_a_sexual_offence_is() -> None:
    assert understand("她才11岁 叔叔对她做坏事").situations[0] == 2
    assert understand("她16岁 叔叔强奸了她").situations[0] == 9
    assert understand("15岁的女孩被强奸怀孕").situations[0] in {3, 9}
    assert 3 in understand("15岁的女孩被强奸怀孕").situations[:2]
    assert understand("男孩说宿舍老师摸他那里").situations[0] == 9


def test_what_the_message_already_tells_is_noted() -> None:
    heard = understand("昨天下午三点 我在村小学门口看到那个女孩 虚岁十四 她继父打她 脸上淤青 流血", "villager")
    assert (heard.age, heard.sex, heard.relation) == (13, "female", "继父")
    assert "昨天" in heard.times[0]
    assert heard.injuries == ("bruise", "bleeding")
    assert heard.place == "校门口" or (heard.place or "").endswith("学")
    assert understand("二年级那个男生").age == 8


def test_the_same_words_are_always_understood_alike_in_half_and_full_width_and_old_characters() -> None:
    once, again, old = (understand(text) for text in ("她１２岁被摸了", "她12岁被摸了", "她12歲被摸了"))
    assert once == again == old


def test_every_injury_and_situation_of_the_lexicon_has_a_label() -> None:
    assert set(lexicon("facts")["injuries"]) <= set(labels("injury"))
    codes = {str(rule.situation) for rule in book().rules if isinstance(rule.situation, int)}
    by_age = {"2", "3"}
    assert codes | by_age == set(labels("situation"))


def test_every_rule_can_decide_something() -> None:
    with_phrases = {name for entries in book().phrases.values() for name, _ in entries}
    assert [rule.name for rule in book().rules if rule.name not in with_phrases] == []
    assert [rule.name for rule in book().rules if not (rule.situation or rule.danger or rule.alarm)] == []
    assert not set(lexicon("danger")) & set(lexicon("situations"))
