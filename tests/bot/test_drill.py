"""The drill: whether a copy, and the keys on paper, would bring the county back; and who hears when they would not."""

import getpass
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, insert, select, type_coerce, update

from bot import metrics
from bot.clock import Clock
from bot.copier import Copier
from bot.engine import open_database
from bot.settings import load
from storage import copied, sealing
from storage.audit import Audit
from storage.database import connect
from storage.migrate import upgrade
from storage.people import Person
from tests.bot.conftest import Log
from tests.support.commands import Tongban, command_line
from tests.support.databases import Databases
from tests.support.ring import ring_of
from tests.world import key_file

NAMES = [f"赵国华{number}" for number in range(60)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "copies"
    path.mkdir()
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return key_file(tmp_path)


@pytest.fixture
def url(databases: Databases, keys: Path) -> str:
    url = databases.copy(upgrade)
    sealing.use(sealing.read_key_file(keys))
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(insert(Person), [{"name": name, "joined_at": datetime.now(UTC)} for name in NAMES])
    engine.dispose()
    return url


@pytest.fixture
def tongban(url: str, keys: Path, folder: Path) -> Tongban:
    return command_line(url, keys, f'[backup]\nfolder = "{folder}"')


@pytest.fixture(autouse=True)
def scratch(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where drills are held; nothing is left there. The database's server is elsewhere, and begins before."""
    assert url
    path = tmp_path / "scratch"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    yield path
    assert list(path.glob("tongban-drill-*")) == []
    metrics.drill_failed.set(0)


def noted(url: str) -> tuple[copied.Drilled | None, list[tuple[str, str | None]]]:
    """The last drill, and the drills in the audit."""
    engine = connect(url)
    with engine.connect() as connection:
        rows = connection.execute(select(Audit.act, Audit.os_user).where(Audit.act == "restore drill"))
        found = copied.last_drill(connection), [(row.act, row.os_user) for row in rows]
    engine.dispose()
    return found


def test_a_good_copy_passes_with_the_key_file_and_with_any_two_sheets(
    url: str, keys: Path, tongban: Tongban, tmp_path: Path
) -> None:
    assert tongban("backup")[0] == 0
    code, said = tongban("restore", "--drill")
    assert code == 0, said
    # 60 people, the audit of `backup`, and the county's rules.
    assert said.startswith("The drill passed: 62 rows as of ")
    opened = re.search(r"(\d+) sealed values were opened with the key file\.$", said.strip())
    assert opened is not None
    assert 2 <= int(opened[1]) <= 22, "the first, the last, and twenty drawn by lot, some of them twice"
    drill, acts = noted(url)
    assert drill is not None
    assert drill.passed
    assert acts == [("restore drill", getpass.getuser())]
    tongban("keys", "export", str(tmp_path / "sheets"))
    keys.rename(tmp_path / "away.keys")
    one, two, three = (str(tmp_path / "sheets" / f"sheet-{number}.txt") for number in (1, 2, 3))
    for pair in ((one, two), (three, one)):
        code, said = tongban("restore", "--drill", "--sheet", pair[0], "--sheet", pair[1])
        assert (code, "opened with two escrow sheets" in said) == (0, True), said
    assert not keys.exists(), "no key file is made"
    assert tongban("restore", "--drill", "--sheet", one)[0] == 2
    assert tongban("restore", "--sheet", one, "--sheet", two)[0] == 2


def test_a_damaged_copy_fails_and_everybody_hears(url: str, tongban: Tongban, folder: Path) -> None:
    tongban("backup")
    [path] = [one for one in folder.iterdir() if one.suffix == ".full"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    code, said = tongban("restore", "--drill")
    assert code == 1
    assert f"Error: The drill failed: {path.name}: frame " in said
    drill, acts = noted(url)
    assert drill is not None
    assert not drill.passed
    assert len(acts) == 1


def test_keys_that_do_not_open_what_is_in_the_copy_fail(url: str, tongban: Tongban, keys: Path) -> None:
    """The copy itself opens, but one value in it was sealed by a key that nobody has any more."""
    engine = connect(url)
    lost = ring_of(7).seal("person.name", "钱秀芳".encode())
    with engine.begin() as connection:
        connection.execute(update(Person).where(Person.id == 1).values(name=type_coerce(lost, LargeBinary)))
    engine.dispose()
    tongban("backup")
    code, said = tongban("restore", "--drill")
    assert code == 1
    assert "key 7 is not in the key file" in said
    assert keys.exists()


@pytest.mark.parametrize("databases", ["sqlite_databases"], indirect=True)  # a drill sees only the folder
async def test_the_bot_holds_it_when_it_is_due_and_again_the_day_after_it_failed(
    url: str, keys: Path, folder: Path, log: Log, monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(scratch))
    written = log("info", "json")
    command_line(url, keys, f'[backup]\nfolder = "{folder}"')
    environ = {"TONGBAN__WEB__PUBLIC_ORIGIN": "http://127.0.0.1:1"}
    settings = load(keys.parent / "config.toml", environ)
    database, clock = open_database(url), Clock()
    copier = Copier(database, settings, clock)
    await copier.drill()
    assert await database.read(copied.last_drill) is None, "there is nothing to restore yet"
    await copier.copy()
    await copier.drill()
    first = await database.read(copied.last_drill)
    assert first is not None
    assert first.passed
    assert '"event": "drill_passed"' in written.getvalue()
    await copier.drill()
    assert await database.read(copied.last_drill) == first, "once a week is enough"
    for path in folder.glob("*.full"):  # noqa: ASYNC240 - a test waits for nothing else
        path.write_bytes(path.read_bytes()[:-1])
    clock.offset = timedelta(days=8)
    await copier.drill()
    await copier.tell_age()
    second = await database.read(copied.last_drill)
    assert second is not None
    assert not second.passed
    assert metrics.registry.get_sample_value("tongban_drill_failed") == 1
    assert '"event": "drill_failed"' in written.getvalue()
    assert "the rest is missing" in written.getvalue()
    clock.offset += timedelta(hours=25)
    await copier.drill()
    third = await database.read(copied.last_drill)
    assert third is not None
    assert third.at > second.at
    database.close()
