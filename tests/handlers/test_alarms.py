"""Alarms: who is told when, who takes it, and that nobody is ever left with a silent one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from bot import turns
from handlers import alarms
from handlers.turn import Turn
from storage import tasks
from storage.outbox import OutboxKind
from storage.people import Person, Role
from storage.tasks import Task, TaskState
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.reporting import BEATEN, DANGER, Town, town
from tests.support.visiting import make_tables
from tests.world import Inbound_of, World, outbox_rows

__all__ = ["town"]


def told(town: Town) -> dict[str, int]:
    """Who was alarmed how often."""
    people = (town.duty, town.supervisor, town.boss, town.officer)
    return {one.name: sum("警报】" in text for text in town.phone(one).reads) for one in people}


def gone(town: Town, *people: Person) -> None:
    """These people's phones are refused by the platform from now on."""
    town.world.dead |= {f"o-{one.name}" for one in people}


def test_danger_tells_duty_and_county_at_once_and_each_reads_who_else_knows(town: Town) -> None:
    started = town.world.now
    town.phone("周老师").says(DANGER)
    assert told(town) == {"赵值班": 1, "李督导": 0, "王科长": 1, "陈主任": 0}
    assert town.phone(town.duty).last.endswith("已通知：王科长")
    assert town.task("alarm").opened_at - started < timedelta(seconds=60)


def test_the_ladder_climbs_at_30_60_and_90_minutes_and_names_who_was_told(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    for minutes, expected in ((29, 0), (2, 1), (27, 1), (3, 2)):
        town.world.pass_(minutes=minutes)
        assert told(town)["李督导"] == expected
    assert "赵值班" in town.phone(town.supervisor).last
    assert "到现在还没有人接" in town.phone(town.supervisor).last
    town.world.pass_(minutes=30)
    assert told(town)["王科长"] == 2


def test_the_last_rung_is_repeated_every_half_hour_with_two_numbers_until_somebody_takes_it(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    town.world.pass_(minutes=121)
    assert town.phone(town.boss).last.startswith("【还是没有人接】青山镇柳河村\n请现在就打：110、12345")
    alarmed = [row.content or {} for row in outbox_rows(town.world) if row.kind == OutboxKind.ALARM]
    cards = [content["card"]["values"]["what"] for content in alarmed]
    assert (cards[0], cards[-1]) == ("红色警报，请马上看", "红色警报还没有人接，请马上看")
    before = len(town.phone(town.boss).reads)
    town.world.pass_(minutes=90)
    assert len(town.phone(town.boss).reads) == before + 3
    town.phone(town.boss).says("我接了")
    reads = {one.name: len(town.phone(one).reads) for one in (town.boss, town.duty, town.supervisor)}
    town.world.pass_(hours=5)
    assert {one.name: len(town.phone(one).reads) for one in (town.boss, town.duty, town.supervisor)} == reads


def test_what_is_not_red_comes_ever_more_seldom_and_not_at_night(town: Town) -> None:
    town.phone("李婶").says(BEATEN)
    town.world.pass_(minutes=121)
    before = len(town.phone(town.boss).reads)
    heard: list[int] = []
    for hour in range(23):  # from eleven in the morning to ten the next
        town.world.pass_(hours=1)
        heard += [(11 + hour) % 24 + 1] * (len(town.phone(town.boss).reads) - before - len(heard))
    assert heard == [12, 14, 18, 8]
    assert town.phone(town.boss).last.startswith("【还是没有人接】")


def test_red_alarms_ignore_the_night(town: Town) -> None:
    town.world.now += timedelta(hours=17)
    town.phone("周老师").says(DANGER)
    assert told(town)["赵值班"] == 1


def test_everybody_who_was_told_reads_who_took_it(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    town.phone(town.boss).says("我接了")
    assert town.phone(town.duty).last == "青山镇柳河村那件已由 王科长 接下，您不用再管。"
    assert "王科长" in town.phone(town.duty).says("我接了")


def test_somebody_who_was_not_told_and_does_not_cover_the_place_cannot_take_it(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    number = town.number(town.teacher, town.task("alarm"))
    assert "没有找到" in town.phone(town.teacher).says(f"我接了 {number}")
    assert town.task("alarm").state == TaskState.OPEN


@pytest.mark.postgres
def test_two_simultaneous_claims_give_one_holder_and_the_other_is_told_who(postgres: PostgresDatabases) -> None:
    world = World.on(postgres.copy(make_tables))
    town = Town(world)
    town.phone("周老师").says(DANGER)
    start = Barrier(2)

    def claim(person: Person) -> str:
        inbound = Inbound_of(f"o-{person.name}", "我接了", world.now)

        def take(connection: Connection) -> turns.Reply:
            start.wait(10)
            return turns.take(connection, inbound, world.now, world.now, world.policy)

        return world.run(take).text or ""

    world.now += timedelta(seconds=10)
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(claim, (town.duty, town.boss)))
    assert sum(reply.startswith("您已接下") for reply in replies) == 1
    loser = next(reply for reply in replies if not reply.startswith("您已接下"))
    holder = town.turn(lambda turn: alarms.name_of(turn, town.case().holder_id))
    assert loser == f"已由 {holder} 在 09:00 接下。"
    world.close()


# Nobody there.


def test_an_alarm_of_which_nobody_reachable_was_told_climbs_at_once(town: Town) -> None:
    town.tell("周老师")
    assert told(town) == {"赵值班": 1, "李督导": 0, "王科长": 0, "陈主任": 0}
    town.phone(town.duty).event("unsubscribe")
    assert told(town)["李督导"] == 1


def test_an_alarm_that_cannot_be_delivered_climbs_at_once_and_the_county_hears_of_it(town: Town) -> None:
    gone(town, town.duty)
    town.tell("周老师")
    assert told(town)["李督导"] == 1
    assert town.phone(town.boss).last.startswith("青山镇有人联系不上")
    boss = town.phone(town.boss)
    boss.says("我的任务")
    assert "赵值班收不到消息" in boss.says("1")


def test_an_empty_rung_is_a_task_of_the_county_that_ends_when_the_post_is_filled(town: Town) -> None:
    town.nobody_on_duty()
    town.tell("周老师")
    assert told(town)["王科长"] == 1  # the next rung that reaches somebody, at once
    assert len(town.tasks("empty_rung")) >= 1
    new = town.world.person("钱新人", Role.TOWNSHIP_CHILD_SUPERVISOR, town.township)
    town.world.duty(town.township, new)
    town.world.pass_(days=2)
    assert town.tasks("empty_rung") == []


def test_red_with_an_empty_duty_post_climbs_though_the_county_knows(town: Town) -> None:
    gone(town, town.duty)
    town.phone("周老师").says(DANGER)
    assert told(town)["王科长"] == 1
    assert told(town)["李督导"] >= 1


def test_something_that_turns_to_danger_is_a_red_alarm_to_those_who_were_told_already(town: Town) -> None:
    phone = town.tell("周老师")
    assert town.phone(town.duty).last.startswith("【警报】")
    phone.says(DANGER)
    assert town.phone(town.duty).last.startswith("【红色警报】")
    assert town.phone(town.boss).last.startswith("【红色警报】")


def test_a_picture_or_voice_is_a_listening_task_at_once(town: Town) -> None:
    town.phone("周老师").says(None, kind="voice", media_id="v1", format="amr")
    assert "有语音或照片" in town.phone(town.duty).last
    assert town.task("listen").urgency == alarms.URGENT


def test_listening_first_does_not_make_a_red_report_yellow(town: Town) -> None:
    phone = town.phone("周老师")
    phone.says(None, kind="voice", media_id="v1", format="amr")
    phone.says(DANGER)
    duty = town.phone(town.duty)
    assert "红色" in duty.says(f"我接了 {town.number(town.duty, town.task('listen'))}")
    assert town.case().level == "red"
    assert town.tasks("alarm") == []


def test_danger_in_a_case_that_somebody_has_is_an_alarm_of_its_own(town: Town) -> None:
    phone = town.tell("周老师")
    town.phone(town.duty).says("我接了")
    phone.says(DANGER)
    assert town.phone(town.boss).last.startswith("【红色警报】")
    town.phone(town.boss).says("我接了")
    assert town.case().level == "red"


def test_a_message_whose_turn_failed_is_read_by_whoever_takes_it(town: Town) -> None:
    town.phone("李婶").says("在吗")
    town.turn(lambda turn: alarms.open_unread(turn, 1, parked=False))
    town.world.settle()
    assert "没处理好" in town.phone(town.boss).last
    assert "“在吗”" in town.phone(town.boss).says("我接了")
    assert town.tasks("unread_message") == []


# It comes to an end.


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dead=st.sets(st.sampled_from(["赵值班", "李督导", "王科长", "陈主任", "周老师"])),
    later=st.sets(st.sampled_from(["赵值班", "李督导", "王科长", "陈主任"])),
    first=st.sampled_from([BEATEN, DANGER, "孤儿补贴要啥子手续", "有个事情想跟你们说哈"]),
)
def test_whoever_cannot_be_reached_the_work_comes_to_an_end(
    sqlite_databases: SqliteDatabases, dead: set[str], later: set[str], first: str
) -> None:
    world = World.on(sqlite_databases.copy(make_tables))
    town = Town(world)
    world.dead = {f"o-{name}" for name in dead}
    town.phone("周老师").says(first)  # `settle` inside fails when work does not come to an end
    world.pass_(minutes=45)
    world.dead |= {f"o-{name}" for name in later}
    world.pass_(hours=3)
    waiting = town.tasks("alarm")
    assert all(task.next_at is not None for task in waiting if task.state == TaskState.OPEN)
    world.close()


def test_claiming_twice_is_harmless(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    town.phone(town.duty).says("我接了 1")
    assert "您已经接了" in town.phone(town.duty).says("我接了")
    assert len(town.tasks("first_contact")) == 1


def test_a_task_that_ended_cannot_be_claimed(town: Town) -> None:
    town.phone("周老师").says(DANGER)
    alarm = town.task("alarm").id

    def claim(turn: Turn) -> bool:
        tasks.end(turn.connection, alarm, turn.now)
        return tasks.claim(turn.connection, alarm, town.duty.id, turn.now)

    assert town.turn(claim) is False
    assert town.turn(lambda turn: turn.session.get_one(Task, alarm).state) == TaskState.DONE
