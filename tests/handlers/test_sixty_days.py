"""Sixty days of random acts: after every one of them, and after everything that falls due, nobody is nobody.

A longer run, which draws anew each time: TONGBAN_EXAMPLES=50 pytest tests/handlers/test_sixty_days.py -n 0 -s
"""

import os
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from handlers.workdays import local_day
from storage.people import Role
from tests.support.county import Weeks
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.world import MONDAY_MORNING

DAYS = timedelta(days=60)
STEPS = 45
WAITS = st.sampled_from([0.0, 0.0, 0.2, 2.0, 9.0, 26.0, 50.0, 75.0])
"""Hours; together they go well beyond two silent days."""
FIRST_WORDS = (
    "快来人 他爸提起菜刀在堂屋门口 娃儿还在里头", "我们班上有个男生背上都是皮带印，他说是他爸打的",
    "隔壁那家娃儿好像没人管", "孤儿补贴怎么申请", "你好", "看一下这个", "110",
)  # fmt: skip
STAFF_WORDS = (
    "我接了", "我接了 1", "我接了 2", "接1 2 3", "我的任务", "1", "2", "3", "是", "不是", "跳过", "取消", "更多",
    "记录", "记录 1", "记录 1 都好", "记录 2 没见到", "都好", "见到孩子", "没见到", "延期 1 孩子走亲戚", "步骤",
    "步骤 3 见到孩子了", "指派", "指派 1", "结案", "结案 已经安置好", "定级 红色 又打了", "定级 蓝色 好转了",
    "搁置 不是孩子的事", "大意 说孩子饿", "回复报告人 我们去了", "挂失", "帮助", "值班", "日报",
)  # fmt: skip
who = st.integers(min_value=0, max_value=50)


class SixtyDays(RuleBasedStateMachine):
    """People of one county, each rule one thing that somebody does."""

    url: ClassVar[str] = ""
    databases: ClassVar[Databases]
    steps: ClassVar[int] = 0
    examples: ClassVar[int] = 0
    looks: ClassVar[int] = 0

    @initialize()
    def begin(self) -> None:
        """A county in order."""
        self.weeks = Weeks.begin(self.databases.copy(make_tables))
        type(self).examples += 1

    def _one(self, number: int) -> int:
        return self.weeks.staff[number % len(self.weeks.staff)]

    def _done(self, hours: float = 0.0) -> None:
        """What must hold after every act."""
        type(self).steps += 1
        self.weeks.world.settle()
        self.weeks.look()
        left = MONDAY_MORNING + DAYS - self.weeks.world.now
        self.weeks.pass_(min(hours, max(0.0, left.total_seconds() / 3600)))

    @rule(hours=WAITS, words=st.sampled_from(FIRST_WORDS), reporter=st.sampled_from(["李婶", "张叔", "老师"]), more=who)
    def report(self, hours: float, words: str, reporter: str, more: int) -> None:
        phone = self.weeks.phone(self._one(more)) if reporter == "老师" else self.weeks.world.phone(reporter)
        phone.says(words)
        for answer in ("2", "李小明", "上河村", "他爸", "没打", "1")[: more % 7]:
            phone.says(answer)
        self._done(hours)

    @rule(hours=WAITS, reporter=st.sampled_from(["李婶", "张叔"]), kind=st.sampled_from(["image", "voice"]))
    def unreadable(self, hours: float, reporter: str, kind: str) -> None:
        self.weeks.world.phone(reporter).says(None, kind=kind, media_id="m1", format="amr")
        self._done(hours)

    @rule(hours=WAITS, number=who, words=st.lists(st.sampled_from(STAFF_WORDS), min_size=1, max_size=4))
    def work(self, hours: float, number: int, words: list[str]) -> None:
        for one in words:
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, words=st.lists(st.sampled_from(STAFF_WORDS), min_size=1, max_size=4))
    def chief_works(self, hours: float, words: list[str]) -> None:
        for one in words:
            self.weeks.phone(self.weeks.chief.id).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who, days=st.integers(0, 20), ahead=st.integers(0, 3))
    def go_on_leave(self, hours: float, number: int, days: int, ahead: int) -> None:
        since = local_day(self.weeks.world.now) + timedelta(days=ahead)
        until = since + timedelta(days=days)
        asked = f"请假 {since.month}月{since.day}日到{until.month}月{until.day}日"
        for one in (asked, "1"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def come_back_from_leave(self, hours: float, number: int) -> None:
        self.weeks.phone(self._one(number)).says("销假")
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def take(self, hours: float, number: int) -> None:
        for one in ("我的任务", "我接了", "接1"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def name_somebody(self, hours: float, number: int) -> None:
        """A supervisor takes up what the list has first: a successor, a stand-in, an approval."""
        for one in ("我的任务", "1", "1", "1"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def see_the_child(self, hours: float, number: int) -> None:
        for one in ("步骤", "3", "跳过"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def visit(self, hours: float, number: int) -> None:
        for one in ("记录", "1", "都好"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def unfollow(self, hours: float, number: int) -> None:
        self.weeks.phone(self._one(number)).event("unsubscribe")
        self._done(hours)

    @rule(hours=WAITS, reporter=st.sampled_from(["李婶", "张叔"]))
    def reporter_unfollows(self, hours: float, reporter: str) -> None:
        self.weeks.world.phone(reporter).event("unsubscribe")
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def block(self, hours: float, number: int) -> None:
        """The platform refuses to write to somebody from now on."""
        self.weeks.world.dead.add(self.weeks.openid(self._one(number)))
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def rebind(self, hours: float, number: int) -> None:
        if self.weeks.here(self._one(number)):
            self.weeks.come_back(self._one(number))
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def unbind(self, hours: float, number: int) -> None:
        for one in ("解绑", "1"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def lose_phone(self, hours: float, number: int) -> None:
        if self.weeks.here(self._one(number)):
            self.weeks.lose(self._one(number))
        self._done(hours)

    @rule(hours=WAITS, number=who)
    def leave(self, hours: float, number: int) -> None:
        for one in ("离任", "1"):
            self.weeks.phone(self._one(number)).says(one)
        self._done(hours)

    @precondition(lambda self: len(self.weeks.staff) > 3)
    @rule(hours=WAITS, number=who, other=who)
    def dismiss(self, hours: float, number: int, other: int) -> None:
        gone, successor = self._one(number), self._one(other)
        if self.weeks.here(gone) and self.weeks.dismiss(gone, successor):
            self.weeks.staff.remove(gone)
        self._done(hours)

    @rule(hours=WAITS, role=st.sampled_from([Role.VILLAGE_CHILD_OFFICER, Role.TOWNSHIP_CHILD_SUPERVISOR]), number=who)
    def hire(self, hours: float, role: Role, number: int) -> None:
        self.weeks.made += 1
        area = self.weeks.villages[number % 2] if role == Role.VILLAGE_CHILD_OFFICER else self.weeks.town
        new = self.weeks.add(f"新人{self.weeks.made}", role, area)
        self.weeks.stand_in(self._one(number), new if new != self._one(number) else None)
        self._done(hours)

    @rule(hours=WAITS, number=who, other=who)
    def new_stand_in(self, hours: float, number: int, other: int) -> None:
        one, deputy = self._one(number), self._one(other)
        self.weeks.stand_in(one, None if one == deputy else deputy)
        self._done(hours)

    @rule(hours=WAITS, officer=who, teacher=who, level=st.sampled_from(["red", "yellow", "blue", "green"]))
    def enrol(self, hours: float, officer: int, teacher: int, level: str) -> None:
        self.weeks.enrol(self._one(officer), self._one(teacher), level)
        self._done(hours)

    @rule(hours=WAITS, number=who, level=st.sampled_from(["red", "yellow", "blue", "green"]))
    def level(self, hours: float, number: int, level: str) -> None:
        self.weeks.set_level(self.weeks.kids[number % len(self.weeks.kids)], level)
        self._done(hours)

    @rule(hours=WAITS, days=st.integers(1, 6), most=st.sampled_from([0, 1, 2, 60]))
    def rules_change(self, hours: float, days: int, most: int) -> None:
        world = self.weeks.world
        free = tuple(local_day(world.now) + timedelta(days=2 + day) for day in range(days))
        world.policy = replace(world.policy, holidays=free, most_children=most, most_cases=most)
        self._done(hours)

    def teardown(self) -> None:
        """The rest of the sixty days is silence."""
        if hasattr(self, "weeks"):
            try:
                left = MONDAY_MORNING + DAYS - self.weeks.world.now
                self.weeks.pass_(max(0.0, left.total_seconds() / 3600))
                type(self).looks += self.weeks.looked
                print(f"{self.examples} times 60 days, {self.steps} acts, {self.looks} looks")  # noqa: T201 - with -s
            finally:
                self.weeks.close()


def run(databases: Databases, examples: int) -> None:
    SixtyDays.databases, SixtyDays.steps, SixtyDays.examples, SixtyDays.looks = databases, 0, 0, 0
    chosen = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck), derandomize="TONGBAN_EXAMPLES" not in os.environ,
        phases=[Phase.generate],  # to shrink a run of sixty days takes longer than to read it
    )  # fmt: skip
    run_state_machine_as_test(SixtyDays, settings=chosen)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nobody_is_nobody_for_sixty_days(databases: Databases) -> None:
    examples = int(os.environ.get("TONGBAN_EXAMPLES", "1"))
    is_sqlite = databases.copy(make_tables).startswith("sqlite")
    run(databases, examples if is_sqlite else max(1, examples // 2))
