"""What a prompt says and when: inside the hours, so many in an hour, late ones and those due now marked, each once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from handlers import plans, prompts
from handlers.turn import Turn
from messages import render
from storage import tasks
from storage.children import Child
from storage.people import Person
from storage.tasks import Task
from tests.support.visiting import Village, village

__all__ = ["village"]


@pytest.fixture(autouse=True)
def _no_name_is_pushed(village: Village) -> Iterator[None]:
    """It is nine o'clock on a Monday, and nothing that is pushed names the child."""
    yield
    assert [words for _, words in village.world.seen if "王" in words] == []


def ask(village: Village, number: int, *, red: bool = False) -> int:
    """Something new is asked of the officer; its task."""

    def act(turn: Turn) -> int:
        task = turn.open_task(
            "benefit", "report", number, village.group.id, due_at=turn.now + timedelta(days=3), next_at=None,
            person_id=village.officer.id,
        )  # fmt: skip
        assert prompts.prompt(turn, turn.session.get_one(Task, task), village.officer.id, red=red)
        return task

    return village.turn(act)


def counts(village: Village, person: Person | None = None) -> list[int]:
    """How many things each prompt on a phone asked for."""
    read = village.phone(person or village.officer).reads
    return [int(words.split()[1]) for words in read if words.startswith("您有")]


def night(village: Village, **more: float) -> None:
    """It is ten in the evening."""
    village.world.now += timedelta(hours=13, **more)


def test_by_night_a_prompt_waits_for_the_morning_and_is_not_late_then(village: Village) -> None:
    night(village)
    ask(village, 1)
    village.world.pass_(hours=9, minutes=59)
    assert counts(village) == []
    ask(village, 2)
    village.world.pass_(minutes=2)
    [words] = village.phone(village.officer).reads
    assert words.startswith("您有 2 件事要办：政策咨询 2。")
    assert "晚了" not in words


def test_what_concerns_a_child_in_danger_waits_for_no_hour_and_takes_the_rest_along(village: Village) -> None:
    night(village)
    ask(village, 1)
    village.world.pass_(minutes=1)
    ask(village, 2, red=True)
    village.world.pass_(minutes=1)
    assert counts(village) == [2]


def test_three_pushes_in_any_hour_and_the_rest_is_merged_into_the_next(village: Village) -> None:
    began = village.world.now
    shown: list[timedelta] = []
    for number in range(24):
        ask(village, number)
        before = len(village.world.seen)
        for _ in range(5):
            village.world.pass_(minutes=1)
            shown += [village.world.now - began] * (len(village.world.seen) - before)
            before = len(village.world.seen)
    village.world.pass_(hours=1)
    assert sum(counts(village)) == 24
    assert all(later - earlier >= timedelta(minutes=59) for earlier, later in zip(shown, shown[3:], strict=False))
    assert len(shown) >= 6


def test_a_county_may_set_another_number_or_none(village: Village) -> None:
    village.world.policy = replace(village.world.policy, pushes_per_hour=0)
    for number in range(6):
        ask(village, number)
        village.world.pass_(minutes=1)
    assert counts(village) == [1] * 6
    village.world.policy = replace(village.world.policy, pushes_per_hour=1)
    ask(village, 7)
    village.world.pass_(minutes=50)
    ask(village, 8)
    village.world.pass_(minutes=59)
    assert counts(village) == [1] * 6 + [2]


def test_an_answer_to_a_queued_prompt_cancels_it(village: Village) -> None:
    for number in range(3):
        ask(village, number)
        village.world.pass_(minutes=1)
    task = ask(village, 3)
    village.world.pass_(minutes=10)
    village.turn(lambda turn: tasks.end(turn.connection, task, turn.now))
    village.world.pass_(hours=2)
    assert counts(village) == [1] * 3


def test_a_prompt_says_how_late_it_is_when_it_is_read(village: Village) -> None:
    ask(village, 1)
    ask(village, 2)
    village.world.now += timedelta(hours=72)  # nothing runs
    village.world.settle()
    [words] = village.phone(village.officer).reads
    assert "其中 2 件提醒晚了，最久 72 小时，请优先。" in words


def test_due_work_that_was_not_done_in_time_is_late_by_that_and_a_daily_reminder_is_not(village: Village) -> None:
    def act(turn: Turn) -> None:
        turn.open_task(
            "benefit", "report", 1, village.group.id, due_at=turn.now + timedelta(days=3), next_at=turn.now,
            person_id=village.officer.id,
        )  # fmt: skip

    village.turn(act)
    village.world.now += timedelta(hours=5)
    village.world.settle()
    village.world.pass_(days=6)
    words = [one for one in village.phone(village.officer).reads if "政策咨询" in one]
    assert ["晚了" in one for one in words] == [True] + [False] * (len(words) - 1)
    assert len(words) > 4
    assert "晚了 5 小时" in words[0]


def test_a_plan_with_a_day_already_past_is_due_now_and_late_only_by_what_the_bot_was(village: Village) -> None:
    village.pair(village.child, village.officer)

    def past(turn: Turn) -> None:
        child = turn.session.get_one(Child, village.child.id)
        [task] = tasks.live_of_subject(turn.session, "child", child.id)
        plans.move(turn, child, task, date(2026, 11, 2))

    village.turn(past)
    village.world.now += timedelta(hours=30)
    village.world.settle()
    village.world.pass_(minutes=1)
    [words] = village.phone(village.officer).reads
    assert "其中 1 件日子已过，请现在就办。" in words
    assert "其中 1 件提醒晚了 30 小时，请优先。" in words


def test_a_clock_that_goes_back_an_hour_asks_nobody_twice_and_loses_nothing(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.world.pass_(days=29, hours=23, minutes=1)
    assert counts(village) == [1]
    ask(village, 1)
    village.world.now -= timedelta(hours=1)
    village.world.settle()
    village.world.pass_(hours=2, minutes=10)
    assert counts(village) == [1, 1]


@pytest.mark.parametrize("hours", [0, 2, 999])
@pytest.mark.parametrize("past", [0, 3])
def test_the_short_words_of_a_card_fit(hours: int, past: int) -> None:
    assert len(render("tasks/card", count=999, hours=hours, past=past)) <= 20
