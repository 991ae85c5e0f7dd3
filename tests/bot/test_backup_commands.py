"""`tongban backup`, `restore` and `release`, as an operator uses them."""

import getpass
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from handlers.policy import Policy
from handlers.workdays import CHINA
from storage import contacts, outbox, pause, sealing
from storage.areas import AreaLevel
from storage.audit import Audit
from storage.county import set_fact
from storage.database import connect
from storage.migrate import upgrade
from storage.outbox import Outbox, OutboxKind, OutboxState
from storage.tasks import Task, open_task
from tests.support.commands import Tongban, command_line
from tests.support.databases import Databases
from tests.world import World, key_file

WORDS = "村口小卖部的孩子今天没来上学"


@pytest.fixture
def url(databases: Databases) -> str:
    return databases.copy(upgrade)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return key_file(tmp_path)


@pytest.fixture
def tongban(url: str, keys: Path) -> Tongban:
    return command_line(url, keys)


@pytest.fixture
def world(url: str, keys: Path) -> Iterator[World]:
    """A county with a message and a prompt that wait, an alarm, and due tasks."""
    sealing.use(sealing.read_key_file(keys))
    world = World.on(url)
    sealing.use(sealing.read_key_file(keys))
    world.now = datetime.now(UTC)
    yield world
    world.close()


def wait_for(world: World, kind: OutboxKind, made: datetime) -> int:
    """A message that waits to be sent."""

    def add(connection: Connection) -> int:
        contact = contacts.hear(connection, "o-reader", made).contact_id
        return outbox.add(
            connection, contact_id=contact, kind=kind, state=OutboxState.QUEUED, content={"text": WORDS}, now=made,
            next_at=made,
        )()  # fmt: skip

    return world.run(add)


def fall_due(world: World, kind: str, urgency: int = 0) -> int:
    """A task that is due."""
    then = world.now - timedelta(minutes=5)
    return world.run(
        lambda connection: open_task(
            connection, key=f"{kind}:{urgency}", kind=kind, subject="child", subject_id=1, area_id=1, now=then,
            due_at=then, next_at=then, urgency=urgency,
        )
    )  # fmt: skip


@dataclass
class Restored:
    """A restored system and what waits in it; `since` came after the restore."""

    url: str
    world: World
    tongban: Tongban
    reply: int
    alarm: int
    since: int
    visit: int
    red_visit: int
    first_contact: int

    def message(self, number: int) -> tuple[str, bool]:
        """The state of a message, and whether it still waits."""
        with self.world.engine.connect() as connection:
            row = connection.execute(select(Outbox.state, Outbox.next_at).where(Outbox.id == number)).one()
        return row.state, row.next_at is not None

    def due(self, number: int) -> datetime:
        """When a task is looked at."""
        with self.world.engine.connect() as connection:
            moment = connection.execute(select(Task.next_at).where(Task.id == number)).scalar_one()
        assert moment is not None
        return moment

    def acts(self) -> list[tuple[str, str | None]]:
        """What the audit has of commands."""
        with self.world.engine.connect() as connection:
            query = select(Audit.act, Audit.os_user).where(Audit.subject == "command").order_by(Audit.id)
            return [(row.act, row.os_user) for row in connection.execute(query)]


@pytest.fixture
def restored(world: World, tongban: Tongban, databases: Databases, keys: Path, tmp_path: Path) -> Iterator[Restored]:
    world.area("青禾县", AreaLevel.COUNTY)
    reply, alarm = (wait_for(world, kind, world.now) for kind in (OutboxKind.REPLY, OutboxKind.ALARM))
    tasks = fall_due(world, "visit"), fall_due(world, "visit", 2), fall_due(world, "first_contact")
    assert tongban("backup", str(tmp_path / "a.full"))[0] == 0
    url = databases.fresh()
    code, said = tongban("restore", str(tmp_path / "a.full"), "--to", url)
    assert code == 0, said
    again = World(connect(url))
    since = wait_for(again, OutboxKind.REPLY, datetime.now(UTC))
    yield Restored(url, again, command_line(url, keys), reply, alarm, since, *tasks)
    again.close()


def test_a_copy_goes_into_a_folder_and_comes_back(
    tongban: Tongban, world: World, databases: Databases, tmp_path: Path
) -> None:
    world.run(lambda connection: set_fact(connection, "marker", "x"))
    folder = tmp_path / "copies"
    folder.mkdir()
    code, said = tongban("backup", str(folder))
    assert code == 0, said
    [path] = folder.iterdir()
    assert re.fullmatch(r"tongban-\d{8}T\d{6}Z\.full", path.name)
    assert f"are in {path}." in said
    code, said = tongban("backup", str(path))
    assert (code, "is there already: a copy is never written over another file." in said) == (2, True)
    target = databases.fresh()
    code, said = tongban("restore", str(folder), "--to", target)
    assert (code, "The system is paused" in said) == (0, True), said
    code, said = tongban("restore", str(path), "--to", target)
    assert code == 2
    assert said == "tongban: There is something in that database: a copy is restored into an empty one only.\n"


def test_before_a_release_what_would_be_sent_is_shown_without_a_word_of_it(restored: Restored) -> None:
    code, said = restored.tongban("release")
    assert code == 0
    lines = said.splitlines()
    assert lines[:6] == [
        "outbox\talarm\t1\tgoes on in any case",
        "outbox\treply\t1\tgoes on in any case",
        "outbox\treply\t1\tcan be passed over",
        "task\tfirst_contact\t1\tgoes on in any case",
        "task\tvisit\t1\tgoes on in any case",
        "task\tvisit\t1\tcan be passed over",
    ]
    assert f"outbox {restored.reply}\treply\tsince {datetime.now(UTC):%Y-%m-%d}" in said
    assert len(lines) == 6 + 6 + 1
    assert WORDS not in said
    assert restored.message(restored.reply) == ("queued", True), "showing changes nothing"
    with restored.world.engine.connect() as connection:
        assert pause.current(connection) is not None


def test_what_waited_in_the_copy_is_passed_over_but_never_an_alarm(restored: Restored) -> None:
    code, said = restored.tongban("release", "--pass-over")
    assert (code, said[:23]) == (0, "Released. 2 passed over"), said
    assert restored.message(restored.reply) == ("passed_over", False)
    assert restored.message(restored.alarm) == ("queued", True)
    assert restored.message(restored.since) == ("queued", True), "it came after the restore: nobody has read it"
    morning = restored.due(restored.visit).astimezone(CHINA)
    assert morning.time() == Policy().prompts_from
    assert morning.date() == datetime.now(CHINA).date() + timedelta(days=1)
    for number in (restored.red_visit, restored.first_contact):
        assert restored.due(number) < datetime.now(UTC)


def test_released_late_everything_waits_as_it_did(restored: Restored) -> None:
    assert restored.tongban("release", "--late")[0] == 0
    assert [restored.message(one) for one in (restored.reply, restored.alarm, restored.since)] == [("queued", True)] * 3
    assert restored.due(restored.visit) < datetime.now(UTC)


def test_a_release_is_once_and_every_step_is_in_the_audit(restored: Restored) -> None:
    assert restored.tongban("release", "--late", "--pass-over")[0] == 2
    restored.tongban("release")
    restored.tongban("release", "--late")
    assert restored.tongban("release", "--pass-over") == (
        0, "The system is not paused: there is nothing to release.\n",
    )  # fmt: skip
    assert restored.message(restored.reply) == ("queued", True), "the second word comes too late"
    assert restored.tongban("release")[1] == "The system is not paused.\n"
    me = getpass.getuser()
    acts = ["backup", "restore", "release show", "release late", "release pass over", "release show"]
    assert restored.acts() == [(act, me) for act in acts]


def test_what_is_no_copy_is_refused_and_nothing_is_kept(tongban: Tongban, databases: Databases, tmp_path: Path) -> None:
    (tmp_path / "a.full").write_bytes(b"x" * 1000)
    target = databases.fresh()
    code, said = tongban("restore", str(tmp_path / "a.full"), "--to", target)
    assert code == 1
    assert said == "Error: a.full cannot be restored: this is no copy of a Tongban database. Nothing was kept.\n"
    assert "There is no copy in" in tongban("restore", str(tmp_path), "--to", target)[1], "the name says no moment"
    assert tongban("restore", str(tmp_path), "--to", "mysql://x")[0] == 2


def test_where_there_is_no_room_or_no_folder_it_is_one_sentence(tongban: Tongban, tmp_path: Path) -> None:
    assert tongban("backup", str(tmp_path / "nowhere" / "a.full"))[1].endswith(
        "a.full could not be written: No such file or directory.\n"
    )
    assert "Name a file or a folder, or set [backup] folder." in tongban("backup")[1]
    tongban("backup", str(tmp_path / "a.full"))
    target = tmp_path / "restored.db"
    (tmp_path / "restored.db.restoring").mkdir()  # what is in the way, as a full disk is
    code, said = tongban("restore", str(tmp_path / "a.full"), "--to", f"sqlite:///{target}")
    assert code == 1
    assert said.endswith("is there room? Nothing was kept.\n")
    assert not target.exists()
