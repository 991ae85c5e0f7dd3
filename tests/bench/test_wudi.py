"""The county that capability 25 is measured on, small: everybody has what the measure is about."""

import re
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from storage.children import Child, Pairing
from storage.database import connect
from storage.people import PersonRole, Role
from storage.tasks import Task
from tests.bench.county import POLICY, County
from tests.bench.wudi_county import COUNTY_SUPERVISORS, DUE, TOWNSHIPS, found, officer_openid
from tests.support.databases import Databases
from tests.world import World

CHILDREN, OFFICERS = 60, 6


def test_every_officer_is_asked_for_what_is_due_and_records_it(databases: Databases, tmp_path: Path) -> None:
    url = databases.fresh()
    County(tmp_path).found(url)
    found(url, CHILDREN, OFFICERS)
    world = World(connect(url), POLICY)
    world.now = datetime.now(UTC)
    with world.engine.connect() as connection:
        rows = [connection.execute(select(func.count()).select_from(row)).scalar() for row in (Child, Pairing)]
        assert rows == [CHILDREN, CHILDREN]
        staff = dict(connection.execute(select(PersonRole.role, func.count()).group_by(PersonRole.role)).all())
        due = select(func.count()).where(Task.kind == "visit", Task.next_at <= world.now)
        assert connection.execute(due).scalar() == DUE * OFFICERS
    assert staff == {
        Role.COUNTY_SUPERVISOR: COUNTY_SUPERVISORS, Role.TOWNSHIP_CHILD_SUPERVISOR: TOWNSHIPS,
        Role.VILLAGE_CHILD_OFFICER: OFFICERS,
    }  # fmt: skip
    officer = world.phone(officer_openid(1).removeprefix("o-"))
    world.pass_(seconds=10)
    [asked] = officer.reads
    assert f"走访 {DUE}。" in asked
    number = re.search(r"^(\d+) 走访", officer.says("我的任务"), re.MULTILINE)
    assert number is not None
    assert "记好了" in officer.says(f"记录 {number[1]} 全部正常")
    world.close()
