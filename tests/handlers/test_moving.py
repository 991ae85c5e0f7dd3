"""Work that moves when its holder is silent or gone, to somebody who can act and has room; the township reads of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from handlers import alarms, cases, check, leaving
from handlers.turn import Turn
from storage import contacts, loads, tasks
from storage.areas import AreaLevel
from storage.cases import Case
from storage.children import Child
from storage.handovers import Handover
from storage.inbox import Inbox
from storage.people import Person, Role
from storage.tasks import Task
from tests.support.reporting import Town, town
from tests.support.visiting import Village, village

__all__ = ["town", "village"]
HOURS_48 = timedelta(hours=48)


def silent_child(village: Village, level: str = "yellow") -> Task:
    """A child of this level whose visit the officer was asked for just now."""
    child = village.add_child("李四", level=level)
    village.pair(child, village.officer)
    while not (task := village.task(child)).asked_at:
        village.world.pass_(hours=1)
    return task


def until(village: Village, moment: datetime) -> None:
    village.world.pass_(seconds=(moment - village.world.now).total_seconds())


def reload(village: Village, task: Task) -> Task:
    return village.turn(lambda turn: turn.session.get_one(Task, task.id))


def asked(task: Task) -> datetime:
    assert task.asked_at is not None
    return task.asked_at


@pytest.mark.parametrize("level", ["red", "yellow"])
def test_after_48_silent_hours_the_stand_in_has_it_and_the_township_reads_so(village: Village, level: str) -> None:
    task = silent_child(village, level)
    deadline = asked(task) + HOURS_48
    until(village, deadline - timedelta(minutes=1))
    assert reload(village, task).person_id == village.officer.id
    before = len(village.phone(village.township_supervisor).reads)
    until(village, deadline + timedelta(minutes=1))
    assert reload(village, task).person_id == village.deputy.id
    assert village.phone(village.deputy).last == "您有 1 件事要办：走访 1。\n回“我的任务”看清单。"
    told = village.phone(village.township_supervisor).reads[before:]
    assert told == ["石桥镇柳湾村有 1 件红色或黄色的事 48 小时没有回音，已交给卢强。"]


def test_what_falls_silent_together_is_one_message_to_the_township(village: Village) -> None:
    first = silent_child(village)

    def ask_at_the_same_time(turn: Turn, child: Child) -> None:
        [task] = tasks.live_of_subject(turn.session, "child", child.id)
        task.asked_at, task.next_at = asked(first), asked(first) + HOURS_48

    for name in ("赵五", "钱六"):
        child = village.add_child(name, level="yellow")
        village.pair(child, village.officer)
        village.turn(partial(ask_at_the_same_time, child=child))
    until(village, asked(first) + HOURS_48 + timedelta(minutes=1))
    told = [words for words in village.phone(village.township_supervisor).reads if "没有回音" in words]
    assert told == ["石桥镇柳湾村有 3 件红色或黄色的事 48 小时没有回音，已交给卢强。"]


def test_a_silent_stand_in_is_followed_by_the_township_and_then_the_county(village: Village) -> None:
    task = silent_child(village)
    holders = []
    for _ in range(5):
        until(village, asked(reload(village, task)) + HOURS_48 + timedelta(minutes=1))
        holders.append(reload(village, task).person_id)
    assert holders == [
        village.deputy.id, village.township_supervisor.id, *[village.county_supervisor.id] * 3,
    ]  # fmt: skip


def test_an_answer_in_time_moves_nothing(village: Village) -> None:
    task = silent_child(village)
    until(village, asked(task) + timedelta(hours=47))
    officer = village.phone(village.officer)
    for words in ("记录", "1", "都好"):
        officer.says(words)
    village.world.pass_(hours=3)
    assert not any("没有回音" in words for words in village.phone(village.township_supervisor).reads)


def test_a_green_or_blue_visit_is_not_moved_by_silence_alone(village: Village) -> None:
    task = silent_child(village, "green")
    until(village, asked(task) + HOURS_48 - timedelta(hours=1))
    assert reload(village, task).person_id == village.officer.id
    assert not any("没有回音" in words for words in village.phone(village.township_supervisor).reads)


def test_a_stand_in_without_room_is_passed_over(village: Village) -> None:
    task = silent_child(village)
    village.world.policy = replace(village.world.policy, most_children=1)
    village.pair(village.add_child("赵五"), village.deputy)
    until(village, asked(task) + HOURS_48 + timedelta(minutes=1))
    assert reload(village, task).person_id == village.township_supervisor.id
    [told] = [words for words in village.phone(village.county_supervisor).reads if "没有回音" in words]
    assert "已交给田敏" in told, "the county reads it where the township has it"


def test_when_a_holder_unfollows_at_night_everything_has_somebody_in_the_same_minute(village: Village) -> None:
    task = silent_child(village)
    until(village, asked(task) + timedelta(hours=14))
    village.phone(village.officer).event("unsubscribe")
    assert reload(village, task).person_id == village.deputy.id
    assert not any("走访" in words for words in village.phone(village.deputy).reads), "asked by day"
    village.world.pass_(hours=12)
    assert any("走访" in words for words in village.phone(village.deputy).reads)


def case_of(town: Town, holder: Person, stand_in: Person) -> Case:
    """A yellow case that somebody claimed."""
    town.turn(lambda turn: setattr(turn.session.get_one(Person, holder.id), "stand_in_id", stand_in.id))
    town.tell("周老师")
    town.phone(holder).says("我接了")
    return town.case()


def test_a_case_moves_from_a_silent_holder_with_the_word_over_it(town: Town) -> None:
    case = case_of(town, town.duty, town.officer)
    assert case.holder_id == town.duty.id
    [task] = town.tasks("first_contact")
    town.world.pass_(seconds=(asked(task) + HOURS_48 - town.world.now).total_seconds() - 60)
    assert town.case().holder_id == town.duty.id
    town.world.pass_(minutes=2)
    assert (town.case().holder_id, town.task("first_contact").person_id) == (town.officer.id, town.officer.id)
    assert any("没有回音，已交给陈主任" in words for words in town.phone(town.supervisor).reads)
    for words in ("步骤", "见到孩子", "跳过"):
        town.phone(town.officer).says(words)
    assert town.tasks("first_contact") == [], "the stand-in may do what the holder might"


def test_a_step_counts_as_an_answer(town: Town) -> None:
    case_of(town, town.duty, town.officer)
    town.world.pass_(hours=40)
    for words in ("步骤", "9", "跳过"):
        town.phone(town.duty).says(words)
    town.world.pass_(hours=30)
    assert town.case().holder_id == town.duty.id
    town.world.pass_(hours=26)  # 48 hours after the step it is one in the morning
    assert town.case().holder_id == town.officer.id


def test_a_case_whose_holder_unfollows_is_the_next_ones_at_once(town: Town) -> None:
    case_of(town, town.duty, town.officer)
    town.phone(town.duty).event("unsubscribe")
    assert (town.case().holder_id, town.task("first_contact").person_id) == (town.officer.id, town.officer.id)
    assert town.turn(check.findings) == []


def test_a_message_that_was_taken_and_not_read_is_everybodys_again(town: Town) -> None:
    def unread(turn: Turn) -> None:
        turn.talk = contacts.hear(turn.connection, "o-周老师", turn.now)
        alarms.open_unread(turn, turn.session.scalars(select(func.max(Inbox.id))).one() or 0, parked=True)

    town.phone("周老师").says("帮助")
    town.turn(unread)
    town.world.settle()
    [task] = town.tasks("unread_message")

    def take(turn: Turn) -> None:
        turn.talk = contacts.hear(turn.connection, f"o-{town.duty.name}", turn.now)
        cases.take(turn, task.id, is_read=False)

    town.turn(take)
    assert town.task("unread_message").person_id == town.duty.id
    town.world.pass_(hours=47)
    assert town.task("unread_message").person_id == town.duty.id
    town.world.pass_(hours=2)
    again = town.task("unread_message")
    assert (again.state, again.person_id) == ("open", None)
    assert "没处理好的来信" in town.phone(town.duty).says("我的任务")


def test_who_is_over_the_limit_is_listed(village: Village) -> None:
    for name in ("赵五", "钱六"):
        village.pair(village.add_child(name), village.officer)
    assert village.turn(lambda turn: loads.over(turn.session, 1, 0)) == [village.officer.id]
    assert village.turn(lambda turn: loads.over(turn.session, 2, 1)) == []
    village.world.policy = replace(village.world.policy, most_children=1)
    assert ("over_limit", village.officer.id) in [(one.kind, one.id) for one in village.turn(check.findings)]


def test_whoever_assigns_over_the_limit_confirms_it_or_chooses_another(town: Town) -> None:
    case = case_of(town, town.duty, town.supervisor)
    place = town.world.area("上河村", AreaLevel.VILLAGE, town.township)
    other = town.world.person("孙主任", Role.VILLAGE_CHILD_OFFICER, place)
    town.world.policy = replace(town.world.policy, most_cases=1)
    had = {"number": "G2611-0009", "area_id": town.village.id, "level": "green", "opened_at": town.world.now}
    town.turn(lambda turn: turn.session.add(Case(**had, holder_id=town.officer.id)))
    phone = town.phone(town.duty)
    phone.says("指派")
    assert "陈主任手上会超过上限" in phone.says("1")
    assert "派给哪位" in phone.says("不是"), "another one"
    assert "已派给 孙主任" in phone.says("2")
    assert town.turn(lambda turn: turn.session.get_one(Case, case.id)).officer_id == other.id
    phone.says("指派")
    phone.says("1")
    assert "已派给 陈主任" in phone.says("是"), "confirmed"


def test_a_supervisor_confirms_a_successor_over_the_limit(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.turn(lambda turn: setattr(turn.session.get_one(Person, village.officer.id), "stand_in_id", None))
    place = village.world.area("上河村", AreaLevel.VILLAGE, village.township)
    other = village.world.person("孙主任", Role.VILLAGE_CHILD_OFFICER, place)
    village.pair(village.add_child("赵五"), other)
    village.world.policy = replace(village.world.policy, most_children=1)
    village.phone(village.officer).says("离任")
    supervisor = village.phone(village.township_supervisor)
    for words in ("我的任务", "1"):
        supervisor.says(words)
    assert "孙主任手上会超过上限" in supervisor.says("1")
    assert "办好了：何平手上的事都交给孙主任了" in supervisor.says("是")
    assert village.task().person_id == other.id


def test_the_list_of_a_hand_over_is_signed_by_both_and_a_missing_signature_is_a_task(village: Village) -> None:
    children = [village.add_child(f"赵{n}") for n in range(60)]
    for child in children:
        village.pair(child, village.officer)
    village.turn(lambda turn: setattr(turn.session.get_one(Person, village.officer.id), "stand_in_id", None))
    place = village.world.area("上河村", AreaLevel.VILLAGE, village.township)
    successor = village.world.person("孙主任", Role.VILLAGE_CHILD_OFFICER, place)
    leaver, supervisor = village.phone(village.officer), village.phone(village.township_supervisor)
    leaver.says("离任")
    for words in ("我的任务", "1", "1"):
        supervisor.says(words)
    held = village.turn(lambda turn: loads.of(turn.session, successor.id))
    assert held.children == {one.id for one in children}, "all at once"
    assert "回“交接清单”核对并签字" in leaver.reads[-2] + leaver.last
    village.world.pass_(days=1)
    assert "何平的交接清单还没签字，请请他签" in supervisor.says("我的任务")
    listed = leaver.says("交接清单")
    assert "交接清单：何平交给孙主任" in listed
    assert "孩子 60 个：" + "、".join(one.number for one in children) in listed
    assert leaver.says("交接签字") == "已签字。"
    assert "交接清单" not in supervisor.says("我的任务")
    phone = village.phone(successor)
    assert "何平的交接清单，请核对签字" in phone.says("我的任务")
    assert phone.says("交接签字") == "已签字。两边都签了，交接办完了。"
    assert phone.says("交接签字") == "已签字。两边都签了，交接办完了。"
    [row] = village.turn(lambda turn: list(turn.session.scalars(select(Handover))))
    assert (row.from_signed_by_id, row.to_signed_by_id) == (village.officer.id, successor.id)
    assert "您已签字" in phone.says("交接清单")


def test_a_leaver_who_is_gone_signs_on_paper(village: Village) -> None:
    village.pair(village.child, village.officer)
    village.turn(
        lambda turn: leaving.leave(
            turn, *(turn.session.get_one(Person, one.id) for one in (village.officer, village.deputy))
        )
    )
    village.phone(village.officer).event("unsubscribe")
    supervisor = village.phone(village.township_supervisor)
    supervisor.says("我的任务")
    assert "在纸质清单上签字了吗" in supervisor.says("1")
    assert "已签字。" in supervisor.says("是")
    [row] = village.turn(lambda turn: list(turn.session.scalars(select(Handover))))
    assert row.from_signed_by_id == village.township_supervisor.id


def test_who_leaves_by_word_signs_the_list_with_it(village: Village) -> None:
    village.pair(village.child, village.officer)
    asked = village.phone(village.officer).says("离任")
    assert f"孩子 1 个：{village.child.number}" in asked
    village.phone(village.officer).says("是")
    [row] = village.turn(lambda turn: list(turn.session.scalars(select(Handover))))
    assert (row.from_signed_by_id, row.to_signed_at) == (village.officer.id, None)
    assert village.phone(village.officer).says("交接签字") == "已签字。", "said again, it is the same"
