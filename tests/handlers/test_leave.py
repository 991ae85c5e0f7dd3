"""Leave: the stand-in has everything from the first day to the last, then it comes back, and nobody is nobody."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from handlers import check, who
from handlers.turn import Turn
from storage import sealing
from storage.areas import AreaLevel
from storage.database import connect
from storage.people import Person, Role
from storage.reports import Entry
from tests.support.commands import command_line
from tests.support.databases import Databases
from tests.support.reporting import Town, town
from tests.support.visiting import Village, village
from tests.world import World, key_file

__all__ = ["town", "village"]


@pytest.fixture
def pair(village: Village) -> Village:
    """The officer and the teacher follow a yellow child; the deputy stands in for the officer."""
    village.change(village.child, level="yellow")
    village.pair(village.child, village.officer)
    return village


def says(village: Village, person: Person, *words: str) -> str:
    return [village.phone(person).says(one) for one in words][-1]


def until(village: Village, moment: datetime) -> None:
    village.world.pass_(seconds=(moment - village.world.now).total_seconds())


def day(number: int, hour: int = 0) -> datetime:
    """That hour in China of a day of November 2026."""
    return datetime(2026, 11, 1, 16, tzinfo=UTC) + timedelta(days=number - 2, hours=hour)


def holder(village: Village) -> int | None:
    return village.task().person_id


def test_the_stand_in_has_it_from_the_first_day_to_the_last(pair: Village) -> None:
    asked = says(pair, pair.officer, "请假 11月25日到12月10日")
    assert "11月25日 周三到12月10日 周四请假" in asked
    assert "由卢强替着办" in asked
    assert "由卢强替班，到期自动交回" in says(pair, pair.officer, "是")
    until(pair, day(24, 23))
    assert holder(pair) == pair.officer.id
    until(pair, day(25))
    assert holder(pair) == pair.deputy.id
    assert "何平请假到12月10日" in pair.phone(pair.deputy).last
    before = len(pair.phone(pair.officer).reads)
    until(pair, day(30 + 9, 12))
    assert len(pair.phone(pair.officer).reads) == before, "whoever is away is asked for nothing"
    assert any("走访" in words for words in pair.phone(pair.deputy).reads)
    until(pair, day(30 + 11))
    assert holder(pair) == pair.officer.id
    assert "1 件事交回给您" in pair.phone(pair.officer).last
    until(pair, day(30 + 11, 9))
    assert "走访" in pair.phone(pair.officer).last, "what was asked of the stand-in is asked anew"


def test_saying_it_twice_changes_the_days_and_nothing_else(pair: Village) -> None:
    for words in ("请假 今天到后天", "是", "请假 今天到11月27日", "是"):
        says(pair, pair.officer, words)
    assert holder(pair) == pair.deputy.id
    assert says(pair, pair.deputy, "我的任务").count("走访") == 1
    listed = says(pair, pair.township_supervisor, "谁请假")
    assert listed == "石桥镇柳湾村 何平 11月23日 周一到11月27日 周五，卢强替班"
    until(pair, day(28))
    assert holder(pair) == pair.officer.id
    assert says(pair, pair.township_supervisor, "谁请假") == "现在没有人请假。"


def test_a_leave_may_end_early_once(pair: Village) -> None:
    says(pair, pair.officer, "请假 今天到11月30日", "是")
    assert "没有动过的事都交回来了" in says(pair, pair.officer, "销假")
    assert holder(pair) == pair.officer.id
    assert says(pair, pair.officer, "销假") == "现在没有请假。"
    until(pair, day(30 + 5))
    assert holder(pair) == pair.officer.id


def test_a_new_visit_planned_meanwhile_is_the_stand_ins_and_comes_back(pair: Village) -> None:
    says(pair, pair.officer, "请假 今天到12月20日", "是")
    for words in ("记录", "1", "都好"):
        says(pair, pair.deputy, words)
    assert holder(pair) == pair.deputy.id, "the next visit"
    says(pair, pair.officer, "销假")
    assert holder(pair) == pair.officer.id


def test_what_is_postponed_meanwhile_comes_back_too(pair: Village) -> None:
    says(pair, pair.officer, "请假 今天到12月20日", "是")
    until(pair, day(30 + 8))
    says(pair, pair.deputy, "记录", "取消")
    assert "推到12月11日" in says(pair, pair.deputy, "延期 1 孩子走亲戚")
    says(pair, pair.officer, "销假")
    assert holder(pair) == pair.officer.id


def test_without_a_stand_in_the_supervisor_acts_until_one_is_named(pair: Village) -> None:
    pair.turn(lambda turn: setattr(turn.session.get_one(Person, pair.officer.id), "stand_in_id", None))
    assert "会请督导员定一位" in says(pair, pair.officer, "请假 今天到11月30日")
    assert "已请督导员" in says(pair, pair.officer, "是")
    assert holder(pair) == pair.township_supervisor.id
    assert pair.turn(check.findings) == []
    other = pair.world.person(
        "孙主任", Role.VILLAGE_CHILD_OFFICER, pair.world.area("上河村", AreaLevel.VILLAGE, pair.township)
    )
    supervisor = pair.phone(pair.township_supervisor)
    listed = supervisor.says("我的任务")
    number = next(line.split(" ")[0] for line in listed.splitlines() if "请定谁替班" in line)
    assert "谁来替班" in supervisor.says(number)
    assert "由孙主任替班" in supervisor.says("1")
    assert holder(pair) == other.id
    until(pair, day(30 + 1))
    assert holder(pair) == pair.officer.id


def test_a_supervisor_says_it_for_somebody_of_the_area_and_nobody_else_can(pair: Village) -> None:
    assert "何平" in says(pair, pair.township_supervisor, "请假 何平 今天到明天")
    says(pair, pair.township_supervisor, "是")
    assert holder(pair) == pair.deputy.id
    assert "没有这个人" in says(pair, pair.teacher, "销假 何平")
    assert "何平销假了" in says(pair, pair.township_supervisor, "销假 何平")
    assert holder(pair) == pair.officer.id


def test_other_words_after_it_are_an_account_that_is_kept(pair: Village) -> None:
    words = "请假 学生三天没来了身上有伤"
    says(pair, pair.teacher, words)
    kept = pair.turn(lambda turn: list(turn.session.scalars(select(Entry.text))))
    assert kept == [words]


def test_days_that_cannot_be_are_refused(pair: Village) -> None:
    says(pair, pair.officer, "请假", "11月30日")
    assert "请到哪天" in says(pair, pair.officer, "11月24日"), "the last day is before the first"
    assert holder(pair) == pair.officer.id


def test_the_duty_and_the_cases_of_somebody_away_are_the_stand_ins(town: Town) -> None:
    def stand_in(turn: Turn) -> None:
        turn.session.get_one(Person, town.duty.id).stand_in_id = town.officer.id

    town.turn(stand_in)
    town.tell("周老师")
    town.phone(town.duty).says("我接了")
    for words in ("请假 今天到11月30日", "是"):
        town.phone(town.duty).says(words)
    assert (town.case().holder_id, town.task("first_contact").person_id) == (town.officer.id, town.officer.id)
    assert town.turn(lambda turn: who.rung(turn, town.village.id, 0)) == [town.officer.id]
    assert town.turn(check.findings) == []
    assert "陈主任" in town.phone(town.officer).says("值班")
    town.world.pass_(hours=20)
    before = len(town.phone(town.duty).reads)
    town.phone("李婶").says("青山镇柳河村有个娃儿被他爸打得浑身是伤")
    town.world.pass_(minutes=11)
    assert len(town.phone(town.duty).reads) == before
    assert "我接了" in town.phone(town.officer).last
    assert "请先发“销假”" in town.phone(town.duty).says("我接了")
    town.phone(town.duty).says("销假")
    assert town.case().holder_id == town.duty.id


def test_what_the_stand_in_has_begun_stays(town: Town) -> None:
    town.turn(lambda turn: setattr(turn.session.get_one(Person, town.duty.id), "stand_in_id", town.officer.id))
    town.tell("周老师")
    for words in ("我接了", "请假 今天到11月30日", "是"):
        town.phone(town.duty).says(words)
    for words in ("步骤", "3", "跳过"):
        town.phone(town.officer).says(words)
    town.phone(town.duty).says("销假")
    assert town.case().holder_id == town.officer.id
    assert town.task("case").person_id == town.officer.id


def test_an_operator_says_it_and_sees_it_in_the_list(databases: Databases, tmp_path: Path) -> None:
    url = databases.fresh()
    keys = key_file(tmp_path)
    tongban = command_line(url, keys)
    tongban("migrate")
    sealing.use(sealing.read_key_file(keys))
    world = World(connect(url))
    county = world.area("柳河县", AreaLevel.COUNTY)
    one = world.person("周县", Role.COUNTY_SUPERVISOR, county)
    world.person("吴县", Role.COUNTY_SUPERVISOR, county)
    assert tongban("people", "away", "周县", "--from", "2026-12-05", "--to", "2026-12-01")[0] == 2
    assert tongban("people", "away", "没有", "--from", "2026-12-01", "--to", "2026-12-05")[0] == 2
    days = ("--from", "2099-12-01", "--to", "2099-12-05")
    assert tongban("people", "away", "周县", *days, "--stand-in", "吴县") == (0, "Kept: 吴县 acts meanwhile.\n")
    assert "\taway 2099-12-01 to 2099-12-05, 吴县 acts\n" in tongban("people", "list")[1]
    assert tongban("people", "back", "周县")[0] == 0
    assert "away" not in tongban("people", "list")[1]
    assert tongban("people", "back", "周县")[0] == 2
    assert world.turn(lambda turn: turn.session.get_one(Person, one.id)).away_until is None
    world.close()
