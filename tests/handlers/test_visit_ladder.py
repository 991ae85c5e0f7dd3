"""The ladder of a visit: each step once, late and marked after an outage, and never left with nobody."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.plans import side_of
from handlers.turn import Turn
from storage import contacts
from storage.children import Side
from storage.contacts import Contact
from storage.people import Person
from tests.support.visiting import Village, village

__all__ = ["village"]
DUE = datetime(2026, 12, 23, 0, tzinfo=UTC)
"""Eight o'clock in China on the due day of the first child."""


@pytest.fixture(autouse=True)
def _paired(village: Village) -> None:
    village.pair(village.child, village.officer)


def prompted(village: Village, person: Person) -> list[str]:
    """Prompts on somebody's phone."""
    return [words for words in village.phone(person).reads if words.startswith("您有")]


def counts(village: Village) -> tuple[int, int, int, int]:
    """How often the holder, the stand-in, the township and the county were told."""
    people = (village.officer, village.deputy, village.township_supervisor, village.county_supervisor)
    return tuple(len(prompted(village, one)) for one in people)  # type: ignore[return-value]  # four of them


def lose(village: Village, person: Person) -> None:
    """The platform says that somebody cannot be reached."""

    def mark(turn: Turn) -> None:
        talk = contacts.hear(turn.connection, f"o-{person.name}", turn.now)
        turn.session.get_one(Contact, talk.contact_id).unreachable_since = turn.now

    village.world.turn(mark)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (0, (1, 0, 0, 0)),
        (1, (2, 0, 0, 0)),
        (2, (2, 1, 0, 0)),
        (6, (2, 1, 0, 0)),
        (7, (2, 1, 1, 0)),
        (14, (2, 1, 1, 1)),
        (60, (2, 1, 1, 1)),
    ],
)
def test_a_blue_visit_climbs_by_the_table(village: Village, days: int, told: tuple[int, int, int, int]) -> None:
    village.world.pass_(seconds=(DUE - village.world.now).total_seconds() + days * 86400 + 60)
    assert counts(village) == told
    assert village.task().person_id == (village.deputy if days > 1 else village.officer).id


def test_a_red_visit_is_told_to_township_and_county_on_the_day_after(village: Village) -> None:
    red = village.add_child("李四", level="red")
    village.pair(red, village.deputy)
    village.world.pass_(days=4)
    assert (len(prompted(village, village.township_supervisor)), len(prompted(village, village.county_supervisor))) == (
        1,
        1,
    )


def test_after_an_outage_each_step_comes_once_and_marked_late(village: Village) -> None:
    village.world.now = DUE + timedelta(hours=72)
    village.world.settle()
    village.world.pass_(minutes=1)
    [words] = prompted(village, village.officer)
    assert "其中 1 件提醒晚了 72 小时，请优先。" in words
    assert counts(village) == (1, 0, 0, 0)
    village.world.pass_(days=1)
    assert counts(village) == (2, 0, 0, 0)
    village.world.pass_(days=30)
    assert counts(village) == (2, 1, 1, 1)


def test_nobody_is_asked_at_night(village: Village) -> None:
    village.world.now = DUE + timedelta(hours=13)
    village.world.settle()
    village.world.pass_(hours=10, minutes=50)
    assert counts(village) == (0, 0, 0, 0)
    village.world.pass_(minutes=15)
    assert counts(village) == (1, 0, 0, 0)


def test_when_the_holder_cannot_be_reached_the_stand_in_is_asked_at_once(village: Village) -> None:
    lose(village, village.officer)
    village.world.pass_(days=30)
    assert counts(village) == (0, 1, 0, 0)
    assert village.task().person_id == village.deputy.id


def test_when_nobody_below_can_be_reached_the_township_has_it_and_is_reminded_once(village: Village) -> None:
    lose(village, village.officer)
    lose(village, village.deputy)
    village.world.pass_(days=33)
    assert counts(village) == (0, 0, 2, 0)
    assert village.task().person_id == village.township_supervisor.id


def test_an_empty_township_is_no_silence(village: Village) -> None:
    for one in (village.officer, village.deputy, village.township_supervisor):
        lose(village, one)
    village.world.pass_(days=33)
    assert counts(village) == (0, 0, 0, 2)
    assert village.task().person_id == village.county_supervisor.id


def test_a_holder_lost_after_being_asked_hands_on_at_the_next_look(village: Village) -> None:
    village.world.pass_(days=30)
    lose(village, village.officer)
    village.look(village.task())
    village.world.pass_(minutes=1)
    assert counts(village) == (1, 1, 0, 0)
    assert village.task().person_id == village.deputy.id


def test_somebody_who_comes_back_is_asked_the_next_morning(village: Village) -> None:
    everybody = (village.officer, village.deputy, village.township_supervisor, village.county_supervisor)
    for one in everybody:
        lose(village, one)
    village.world.pass_(days=31)
    village.phone(village.officer).says("在吗")
    village.world.pass_(days=1)
    assert len(prompted(village, village.officer)) == 1


def test_visits_due_together_are_one_prompt(village: Village) -> None:
    for name in ("李四", "赵五"):
        village.pair(village.add_child(name), village.officer)
    village.world.pass_(days=30)
    assert prompted(village, village.officer) == ["您有 3 件事要办：走访 3。\n回“我的任务”看清单。"]


def test_a_teacher_without_a_stand_in_hands_on_to_the_village_officer(village: Village) -> None:
    village.pair(village.child, village.teacher, Side.TEACHER)
    village.world.pass_(days=33)
    [task] = [one for one in village.tasks() if side_of(one) == Side.TEACHER]
    assert task.person_id == village.officer.id
