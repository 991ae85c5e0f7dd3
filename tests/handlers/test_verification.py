"""The account's own verification: the county hears once that it is gone, and no more when it is back."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from storage.areas import AreaLevel
from storage.people import Role
from storage.tasks import LIVE, Task
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.world import Phone, World

SYSTEM = "the-platform-itself"


@dataclass
class County:
    """A county with one supervisor."""

    world: World
    boss: Phone

    def told(self, event: str, **fields: object) -> None:
        """The platform tells of the account."""
        self.world.phone(SYSTEM).says(None, kind="event", event=event, **fields)

    def open(self) -> int:
        """How many such tasks are open."""
        query = select(Task).where(Task.kind == "account", Task.state.in_(LIVE))
        return len(self.world.turn(lambda turn: list(turn.session.scalars(query))))

    def heard(self) -> int:
        """How often the supervisor was told of it."""
        return sum("微信认证到期或没有通过" in words for words in self.boss.reads)


@pytest.fixture
def county(databases: Databases) -> Iterator[County]:
    world = World.on(databases.copy(make_tables))
    area = world.area("青溪县", AreaLevel.COUNTY)
    world.person("王科长", Role.COUNTY_SUPERVISOR, area)
    yield County(world, world.phone("王科长"))
    world.close()


@pytest.mark.parametrize("event", ["verify_expired", "qualification_verify_fail", "naming_verify_fail"])
def test_a_verification_that_is_gone_is_the_county_s_task_once_and_until_it_is_back(county: County, event: str) -> None:
    county.told(event)
    county.told("naming_verify_fail")
    assert (county.open(), county.heard()) == (1, 1)
    assert "公众号认证" in county.boss.says("我的任务")
    assert "账号设置→微信认证" in county.boss.says("1")
    county.world.pass_(days=1)
    assert county.heard() == 2
    county.told("qualification_verify_success")
    assert county.open() == 0
    county.world.pass_(days=3)
    assert county.heard() == 2
    county.told(event)
    assert (county.open(), county.heard()) == (1, 3)
    county.told("naming_verify_success")
    assert county.open() == 0


def test_an_old_success_that_arrives_late_ends_nothing(county: County) -> None:
    before = int(county.world.now.timestamp())
    county.told("verify_expired")
    county.told("qualification_verify_success", create_time=before)
    assert county.open() == 1


def test_before_there_is_a_county_nobody_can_be_told_and_nothing_fails(databases: Databases) -> None:
    world = World.on(databases.copy(make_tables))
    for event in ("verify_expired", "naming_verify_success"):
        world.phone(SYSTEM).event(event)
    assert world.turn(lambda turn: list(turn.session.scalars(select(Task)))) == []
    world.close()
