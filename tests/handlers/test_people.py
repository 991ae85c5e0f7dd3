"""Following, binding, unbinding, leaving, help and duty, as people would see them on their phones."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import select

from handlers import binding, leaving, pairs
from handlers.turn import Refused, Turn
from storage import children, contacts, inbox, outbox, people, sealing, sessions
from storage.areas import Area, AreaLevel
from storage.children import Child, Side
from storage.contacts import Contact
from storage.inbox import Inbox, InboxState
from storage.outbox import OutboxKind, OutboxState
from storage.people import Invite, Person, Role
from storage.reporters import Reporter
from storage.reports import Report
from storage.tasks import LIVE, Task
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.world import Phone, World

T = TypeVar("T")
FOUR_WORDS = re.compile(r"msgmenucontent=(\w+)&msgmenuid=word")


@dataclass
class Town:
    """A township with its people; only the supervisors are bound."""

    world: World
    township: Area
    village: Area
    officer: Person
    neighbour: Person
    supervisor: Person
    county: Person

    def turn(self, act: Callable[[Turn], T]) -> T:
        answer: T = self.world.turn(act)
        return answer

    def code(self, person: Person) -> str:
        return self.turn(lambda turn: binding.invite(turn, turn.session.get_one(Person, person.id)))

    def bind(self, phone: Phone, person: Person) -> Phone:
        phone.says(f"绑定 {self.code(person)}")
        return phone

    def bound_to(self, person: Person) -> list[str | None]:
        found = select(Contact.openid).where(Contact.person_id == person.id)
        return self.turn(lambda turn: list(turn.session.scalars(found)))

    def give_child(self, person: Person) -> Child:
        def give(turn: Turn) -> Child:
            child = Child(
                number="T1", name="王小朵", name_index=sealing.ring().index("child_name", "王小朵"), sex="female",
                born=date(2016, 4, 1), area_id=self.village.id, level="blue", level_since=turn.now,
                on_file_since=turn.now,
            )  # fmt: skip
            turn.session.add(child)
            turn.session.flush()
            pairs.pair(turn, child, turn.session.get_one(Person, person.id), Side.CADRE)
            return child

        return self.turn(give)

    def stand_in(self, person: Person, other: Person) -> None:
        def name(turn: Turn) -> None:
            turn.session.get_one(Person, person.id).stand_in_id = other.id

        self.turn(name)

    def holders(self) -> set[int | None]:
        live = select(Task.person_id).where(Task.state.in_(LIVE), Task.kind == "visit")
        return self.turn(lambda turn: set(turn.session.scalars(live)))


@pytest.fixture
def town(databases: Databases) -> Iterator[Town]:
    world = World.on(databases.copy(make_tables))
    county = world.area("青禾县", AreaLevel.COUNTY)
    township = world.area("柳湾镇", AreaLevel.TOWNSHIP, county)
    village = world.area("石坪村", AreaLevel.VILLAGE, township)
    other = world.area("桃岭村", AreaLevel.VILLAGE, township)
    officer = world.person("赵国华", Role.VILLAGE_CHILD_OFFICER, village, phone="13900000001", bound=False)
    neighbour = world.person("钱秀芳", Role.VILLAGE_CHILD_OFFICER, other, phone="13900000002", bound=False)
    supervisor = world.person("孙督导", Role.TOWNSHIP_CHILD_SUPERVISOR, township, phone="13900000003")
    head = world.person("李县督", Role.COUNTY_SUPERVISOR, county, phone="13900000004")
    yield Town(world, township, village, officer, neighbour, supervisor, head)
    world.close()


# Following.


def test_a_follower_reads_110_first_in_two_lines(town: Town) -> None:
    greeting = town.world.phone("大娘").event("subscribe")
    assert greeting.splitlines()[0] == "孩子有危险，请先打 110。"
    assert len(greeting.splitlines()) == 2


def test_unfollowing_forgets_the_identity_and_keeps_the_report(town: Town) -> None:
    phone = town.world.phone("大娘")
    phone.says("隔壁的娃娃天天被打")
    phone.event("unsubscribe")

    def kept(turn: Turn) -> tuple[list[str | None], list[int | None], int]:
        return (
            list(turn.session.scalars(select(Contact.openid).where(Contact.erased_at.is_not(None)))),
            list(turn.session.scalars(select(Reporter.contact_id))),
            len(list(turn.session.scalars(select(Report.id)))),
        )

    assert town.turn(kept) == ([None], [None], 1)


def test_when_a_bound_officer_unfollows_the_stand_in_holds_the_work(town: Town) -> None:
    officer = town.bind(town.world.phone("甲"), town.officer)
    town.bind(town.world.phone("乙"), town.neighbour)
    town.stand_in(town.officer, town.neighbour)
    town.give_child(town.officer)
    officer.event("unsubscribe")
    assert town.holders() == {town.neighbour.id}


def test_when_a_bound_officer_without_stand_in_unfollows_the_county_is_alarmed(town: Town) -> None:
    officer = town.bind(town.world.phone("甲"), town.officer)
    town.give_child(town.officer)
    officer.event("unsubscribe")
    town.world.pass_(minutes=1)
    assert "没有人" in town.world.phone("李县督").last or "联系不上" in town.world.phone("李县督").last


# Binding.


def test_a_code_binds_and_welcomes_with_the_four_words_of_the_role(town: Town) -> None:
    phone = town.world.phone("甲")
    said = phone.says(f"绑定 {town.code(town.officer)}")
    assert said.startswith("赵国华您好，绑定好了，您是儿童主任。")
    assert FOUR_WORDS.findall(said) == ["我的任务", "记录", "报告", "值班"]
    assert town.bound_to(town.officer) == ["o-甲"]


@pytest.mark.parametrize("dress", ["绑定{}", "绑定：{}", "绑定 {} ", "绑定码 {}"])
def test_a_code_is_read_however_it_is_typed(town: Town, dress: str) -> None:
    code = town.code(town.officer)
    town.world.phone("甲").says(dress.format(code.lower()))
    assert town.bound_to(town.officer) == ["o-甲"]


def test_the_word_alone_asks_for_the_code(town: Town) -> None:
    phone = town.world.phone("甲")
    assert phone.says("绑定").startswith("请发您的八位绑定码。")
    assert "绑定好了" in phone.says(town.code(town.officer))


def test_the_scene_qr_binds_a_new_follower_and_one_who_follows_already(town: Town) -> None:
    said = town.world.phone("甲").event("subscribe", f"invite-{town.code(town.officer)}")
    assert said.startswith("孩子有危险，请先打 110。")
    assert "绑定好了" in said
    assert "绑定好了" in town.world.phone("乙").event("scan", f"invite-{town.code(town.neighbour)}")


def test_a_code_is_used_once(town: Town) -> None:
    code = town.code(town.officer)
    town.world.phone("甲").says(f"绑定 {code}")
    assert town.world.phone("乙").says(f"绑定 {code}").startswith("这个绑定码已经用过了")
    assert town.bound_to(town.officer) == ["o-甲"]


def test_the_same_phone_sending_its_code_again_is_told_that_it_is_bound(town: Town) -> None:
    code = town.code(town.officer)
    phone = town.world.phone("甲")
    phone.says(f"绑定 {code}")
    assert phone.says(f"绑定 {code}").startswith("您已经绑定好了")


def test_a_code_expires(town: Town) -> None:
    code = town.code(town.officer)
    town.world.now += timedelta(days=town.world.policy.invite_days, seconds=1)
    assert town.world.phone("甲").says(f"绑定 {code}").startswith("这个绑定码过期了")


def test_a_new_code_makes_the_earlier_one_worthless(town: Town) -> None:
    first, second = town.code(town.officer), town.code(town.officer)
    phone = town.world.phone("甲")
    assert phone.says(f"绑定 {first}").startswith("这个绑定码过期了")
    assert "绑定好了" in phone.says(f"绑定 {second}")


def test_wrong_codes_are_counted_and_then_wait_for_an_hour(town: Town) -> None:
    phone = town.world.phone("甲")
    code = town.code(town.officer)
    answers = [phone.says(f"绑定 3AAAAAA{number}") for number in range(5)]
    assert [answer[:8] for answer in answers[:4]] == ["这个绑定码不对，"] * 4
    assert "还可以试 1 次" in answers[3]
    assert answers[4] == "不对的绑定码发得太多了，请 10:00 以后再试。"
    assert phone.says(f"绑定 {code}").startswith("不对的绑定码发得太多了")
    assert "绑定好了" in town.bind(town.world.phone("乙"), town.neighbour).last
    town.world.now += timedelta(minutes=61)
    assert "绑定好了" in phone.says(f"绑定 {code}")


def test_a_code_is_kept_only_as_an_index(town: Town) -> None:
    code = town.code(town.officer)
    kept = town.turn(lambda turn: [bytes(one) for one in turn.session.scalars(select(Invite.code_index))])
    assert len(code) == 8
    assert not set(code) & set("01OILZ25S8B")
    assert all(code.encode() not in one for one in kept)


def test_binding_on_a_new_phone_moves_the_binding_and_tells_the_old_one(town: Town) -> None:
    old, new = town.bind(town.world.phone("旧"), town.officer), town.world.phone("新")
    town.bind(new, town.officer)
    assert town.bound_to(town.officer) == ["o-新"]
    assert old.last.startswith("您的身份已经换绑到另一个微信")


def test_the_old_phones_sign_ins_end_when_the_binding_moves(town: Town) -> None:
    town.bind(town.world.phone("旧"), town.officer)

    def sign_in(turn: Turn) -> None:
        contact = people.reachable(turn.session, town.officer.id)
        assert contact is not None
        sessions.open_session(turn.connection, b"h" * 32, contact, turn.now, turn.now + timedelta(days=1))

    town.turn(sign_in)
    town.bind(town.world.phone("新"), town.officer)
    assert town.turn(lambda turn: sessions.live(turn.connection, b"h" * 32, turn.now)) is None


# Unbinding.


def test_unbinding_asks_first_and_then_takes_the_role_away(town: Town) -> None:
    phone = town.bind(town.world.phone("甲"), town.officer)
    assert phone.says("解绑").startswith("解绑后这个微信不再收任务，确定吗？")
    assert phone.says("1").startswith("已解绑。")
    assert town.bound_to(town.officer) == []
    assert len(FOUR_WORDS.findall(phone.says("帮助"))) == 4


def test_saying_no_keeps_the_binding(town: Town) -> None:
    phone = town.bind(town.world.phone("甲"), town.officer)
    phone.says("解绑")
    assert phone.says("不是") == "好的，没有解绑。"
    assert town.bound_to(town.officer) == ["o-甲"]


def prompted(town: Town, phone: Phone) -> None:
    """Something for the person of this phone is about to be sent, tomorrow."""

    def push(turn: Turn) -> None:
        contact = contacts.known(turn.connection, phone.openid)
        assert contact is not None
        outbox.add(
            turn.connection, contact_id=contact[0], kind=OutboxKind.PROMPT, state=OutboxState.QUEUED,
            content={"text": "今天要看王某"}, now=turn.now, next_at=turn.now + timedelta(days=1),
        )  # fmt: skip

    town.turn(push)


def test_an_unbound_phone_gets_nothing_more_that_was_meant_for_the_person(town: Town) -> None:
    phone = town.bind(town.world.phone("赵国华"), town.officer)
    town.give_child(town.officer)
    town.world.pass_(days=8)
    prompted(town, phone)
    phone.says("我的任务")
    assert "王某" in phone.says("记录 1")
    town.turn(lambda turn: binding.unbind(turn, turn.session.get_one(Person, town.officer.id)))
    read = len(phone.reads)
    town.world.pass_(days=3)
    assert phone.reads[read:] == []
    assert "王某" not in phone.says("1"), "the question that was open is nobody's any more"


def test_what_was_to_be_said_moves_with_the_binding_and_its_numbers_too(town: Town) -> None:
    old = town.bind(town.world.phone("旧手机"), town.officer)
    town.give_child(town.officer)
    town.world.pass_(days=8)
    number = re.search(r"(\d+) 走访", old.says("我的任务"))
    assert number is not None
    prompted(town, old)
    read = len(old.reads)
    new = town.bind(town.world.phone("新手机"), town.officer)
    assert [words[:9] for words in old.reads[read:]] == ["您的身份已经换绑到"]
    town.world.pass_(days=1)
    assert len(old.reads) == read + 1
    assert "今天要看王某" in new.reads
    assert "记好了：石坪村 王某" in new.says(f"记录 {number[1]} 全部正常")


def test_whoever_once_sent_a_form_is_forgotten_too_when_they_unfollow(town: Town) -> None:
    phone = town.bind(town.world.phone("赵国华"), town.officer)

    def form(turn: Turn) -> None:
        contact = contacts.known(turn.connection, phone.openid)
        assert contact is not None
        inbox.claim(turn.connection, b"a form of a page", contact[0], turn.now, {"kind": "page"})

    town.turn(form)
    phone.event("unsubscribe")
    assert town.bound_to(town.officer) == []
    assert town.turn(lambda turn: set(turn.session.scalars(select(Inbox.state)))) == {InboxState.DONE}


def test_an_unfollowing_that_arrives_late_does_not_forget_who_is_back(town: Town) -> None:
    phone = town.bind(town.world.phone("赵国华"), town.officer)
    left = int(town.world.now.timestamp())
    town.world.pass_(seconds=20)
    phone.event("subscribe")
    phone.says(None, kind="event", event="unsubscribe", create_time=left)
    assert town.bound_to(town.officer) == [phone.openid]
    assert "绑定" not in phone.says("我的任务")
    phone.event("unsubscribe")
    assert town.bound_to(town.officer) == []


# Leaving.


def test_leaving_hands_everything_to_the_stand_in(town: Town) -> None:
    phone = town.bind(town.world.phone("甲"), town.officer)
    other = town.bind(town.world.phone("乙"), town.neighbour)
    town.stand_in(town.officer, town.neighbour)
    child = town.give_child(town.officer)
    asked = phone.says("离任")
    assert "您手上 1 件事、1 个孩子，都交给钱秀芳（替班人）。" in asked
    assert phone.says("1").startswith("已办好离任")
    assert town.holders() == {town.neighbour.id}
    assert other.last.startswith("有人离任，1 件事、1 个孩子交给您了。")

    def after(turn: Turn) -> tuple[list[int], list[str], bool]:
        officer = turn.session.get_one(Person, town.officer.id)
        pair = [one.person_id for one in children.pair_of(turn.session, child.id)]
        roles = [f"{one.role}:{one.area_id}" for one in people.roles_of(turn.session, town.neighbour.id, turn.now)]
        return pair, roles, officer.left_at is not None

    pair, roles, has_left = town.turn(after)
    assert pair == [town.neighbour.id]
    assert f"{Role.VILLAGE_CHILD_OFFICER}:{town.village.id}" in roles
    assert has_left
    assert town.bound_to(town.officer) == []


def test_without_a_stand_in_the_supervisor_names_the_successor(town: Town) -> None:
    phone = town.bind(town.world.phone("甲"), town.officer)
    town.bind(town.world.phone("乙"), town.neighbour)
    town.give_child(town.officer)
    assert phone.says("离任").startswith("已经请督导员定谁来接")
    town.world.pass_(minutes=1)
    supervisor = town.world.phone("孙督导")
    listed = supervisor.says("我的任务")
    assert "赵国华要离任，请定谁接手" in listed
    asked = supervisor.says("1")
    assert asked.startswith("赵国华要离任，手上的事交给谁？")
    assert "钱秀芳" in asked
    assert supervisor.says("1").startswith("办好了：赵国华手上的事都交给钱秀芳了")
    assert town.holders() == {town.neighbour.id}
    assert phone.last.startswith("已办好离任")


def test_nobody_leaves_while_there_is_nobody_to_take_over(town: Town) -> None:
    town.bind(town.world.phone("甲"), town.officer)
    town.give_child(town.officer)
    with pytest.raises(Refused):
        town.turn(lambda turn: leaving.leave(turn, turn.session.get_one(Person, town.officer.id), None))
    assert town.holders() == {town.officer.id}
    with pytest.raises(Refused):  # the neighbour is not bound, so nobody would hear of it
        town.turn(
            lambda turn: leaving.leave(
                turn, turn.session.get_one(Person, town.officer.id), turn.session.get_one(Person, town.neighbour.id)
            )
        )
    assert town.bound_to(town.officer) == ["o-甲"]


def test_leaving_twice_changes_nothing_more(town: Town) -> None:
    def go(turn: Turn) -> None:
        leaving.leave(turn, turn.session.get_one(Person, town.officer.id), None)

    town.turn(go)
    first = town.turn(lambda turn: turn.session.get_one(Person, town.officer.id).left_at)
    town.world.now += timedelta(days=1)
    town.turn(go)
    assert town.turn(lambda turn: turn.session.get_one(Person, town.officer.id).left_at) == first


# Help and duty.


def test_a_villagers_help_shows_four_words_and_no_more(town: Town) -> None:
    said = town.world.phone("大娘").says("帮助")
    assert FOUR_WORDS.findall(said) == ["报告", "进度", "补充", "帮助"]
    assert len(said.splitlines()) == 5
    assert said.startswith("孩子有危险，请先打 110。")


def test_an_officers_help_differs_from_a_supervisors(town: Town) -> None:
    officer = town.bind(town.world.phone("甲"), town.officer)
    assert FOUR_WORDS.findall(officer.says("帮助"))[:2] == ["我的任务", "记录"]
    assert "日报" in FOUR_WORDS.findall(town.world.phone("孙督导").says("帮助"))


def test_duty_names_who_is_on_duty_and_who_stands_in(town: Town) -> None:
    town.world.duty(town.township, town.supervisor, town.county)
    said = town.bind(town.world.phone("甲"), town.officer).says("值班")
    assert said.splitlines() == [
        "柳湾镇现在值班：",
        "值班 孙督导（儿童督导员）",
        "替班 李县督（县级督导员）",
        "县里值班电话 12345。",
    ]


def test_a_villager_asking_for_duty_reads_numbers_and_no_names(town: Town) -> None:
    town.world.duty(town.township, town.supervisor)
    said = town.world.phone("大娘").says("谁在值班")
    assert "110" in said
    assert "12345" in said
    assert "孙督导" not in said
