"""Every command that reads or changes what is known of people says in the audit which operating-system user ran it."""

import csv
import getpass
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from sqlalchemy import select

from bot.__main__ import main
from handlers.workdays import local_day
from storage import sealing
from storage.areas import AreaLevel
from storage.audit import Audit
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Role
from tests.support.commands import command_line
from tests.support.databases import SqliteDatabases
from tests.world import World, key_file

NOW = datetime.now(UTC)
NOTHING_OF_PEOPLE = {
    "demo": "builds a county of its own; its builder audits itself as `demo`",
    "menu push": "tells the platform what stands in its menus",
    "migrate": "changes tables, reads nobody; a database that only it made has to stay empty for a restore",
    "run": "is the bot: its turns say who did what",
    "simulate": "plays the platform, and knows no database",
    "understand": "reads what is typed in, and keeps nothing",
    "watch": "asks the bot from outside for its figures",
}
"""Commands without a row, and why."""


def leaves(at: click.Command, *name: str) -> Iterator[str]:
    """Every command by its words."""
    if isinstance(at, click.Group):
        context = click.Context(at)
        for word in at.list_commands(context):
            found = at.get_command(context, word)
            assert found is not None
            yield from leaves(found, *name, word)
    else:
        yield " ".join(name)


def people_list(folder: Path) -> str:
    path = folder / "people.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        row = {"姓名": "赵国华", "手机": "13900000001", "身份": "儿童主任", "乡镇": "柳湾镇", "村": "石坪村"}
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return str(path)


def children_list(folder: Path) -> str:
    path = folder / "children.csv"
    path.write_text("姓名,性别\n牛小花,女\n", encoding="utf-8")
    return str(path)


def a_copy(folder: Path) -> str:
    return str(next(folder.glob("*.full")))


WORDS: dict[str, Callable[[Path], list[str]]] = {
    "backup": lambda folder: [str(folder / "b.full")],
    "check": lambda _: [],
    "import children": lambda folder: [children_list(folder)],
    "import people": lambda folder: [people_list(folder), "--create-areas"],
    "keys export": lambda folder: [str(folder / "more-sheets")],
    "keys list": lambda _: [],
    "keys new": lambda _: [],
    "keys recover": lambda folder: [
        *(str(folder / f"sheets/sheet-{n}.txt") for n in (1, 2)),
        "--to",
        str(folder / "k"),
    ],
    "keys rotate": lambda _: [],
    "people add": lambda _: ["钱秀芳", "13900000002", "county_supervisor"],
    "people away": lambda _: ["李主任", "--from", str(local_day(NOW)), "--to", str(local_day(NOW))],
    "people back": lambda _: ["李主任"],
    "people invite": lambda _: ["--all"],
    "people leave": lambda _: ["王主任", "--to", "李主任"],
    "people list": lambda _: [],
    "people unbind": lambda _: ["李主任"],
    "release": lambda _: [],
    "replay": lambda _: [],
    "restore": lambda folder: [a_copy(folder), "--drill"],
}
"""How each of the others is run."""


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory, sqlite_databases: SqliteDatabases) -> tuple[Path, str, Path]:
    """A county, its database and its keys, with a copy and sheets beside them."""
    folder = tmp_path_factory.mktemp("audited")
    url, keys = sqlite_databases.copy(upgrade), key_file(folder)
    world = World.on(url)
    sealing.use(sealing.read_key_file(keys))
    area = world.area("青禾县", AreaLevel.COUNTY)
    for name in ("王主任", "李主任"):
        world.person(name, Role.COUNTY_SUPERVISOR, area)
    world.close()
    tongban = command_line(url, keys)
    assert tongban("backup", str(folder / "a.full"))[0] == 0
    assert tongban("keys", "export", str(folder / "sheets"))[0] == 0
    return folder, url, keys


def test_every_command_is_either_run_here_or_has_nothing_to_do_with_people() -> None:
    assert sorted({*WORDS, *NOTHING_OF_PEOPLE}) == sorted(leaves(main))
    assert set(WORDS) & set(NOTHING_OF_PEOPLE) == set()


@pytest.mark.parametrize("name", WORDS)
def test_a_command_leaves_who_ran_it_in_the_audit(county: tuple[Path, str, Path], name: str) -> None:
    folder, url, keys = county
    engine = connect(url)

    def rows() -> list[tuple[str, str | None]]:
        with engine.connect() as connection:
            found = connection.execute(select(Audit.act, Audit.os_user).order_by(Audit.id))
            return [(row.act, row.os_user) for row in found if row.os_user]

    before = rows()
    code, said = command_line(url, keys)(*name.split(), *WORDS[name](folder))
    assert code in {0, 1}, said
    new = rows()[len(before) :]
    engine.dispose()
    assert len(new) == 1, said
    [(act, user)] = new
    assert user == getpass.getuser()
    assert act.startswith(name)
