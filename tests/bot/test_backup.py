"""A sealed copy of the whole database and what is made of it again, on both databases and from one to the other."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, LargeBinary, delete, func, insert, select, text, type_coerce, update
from sqlalchemy.engine import make_url

from handlers import demo
from storage import audit, backup, county, frames, media, packing, pause, restore, sealing
from storage.audit import Audit
from storage.ciphers import Cipher
from storage.county import Fact
from storage.database import SealedColumn, connect
from storage.media import Media
from storage.migrate import upgrade
from storage.people import Person
from storage.renditions import Rendition
from storage.tables import METADATA
from tests.crash.test_secrets import Search
from tests.support.databases import Databases, SqliteDatabases
from tests.support.ring import ring_of, using
from tests.world import World

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40


def make_county(url: str) -> None:
    """The demo county, with a photo, its rendition and something in the audit."""
    upgrade(url)
    world = World.on(url)
    world.turn(demo.build)
    world.run(_add_the_rest)
    world.close()


def _add_the_rest(connection: Connection) -> None:
    for number, content in enumerate((PHOTO, PHOTO[::-1])):
        one = media.expect(connection, None, "image", f"MEDIA-{number}", NOW)
        media.keep(connection, one, media.Original.of(content, "image/jpeg"), NOW)
        connection.execute(insert(Rendition).values(media_id=one, attempts=1, made_at=NOW, content=content[:99]))
    media.expect(connection, None, "voice", "MEDIA-NOT-FETCHED", NOW)
    audit.add(connection, at=NOW, act="look", subject="case", note="电话里说的：孩子找到了")
    county.set_fact(connection, "words", '不 会 \\N 丢\t\n "x" \' %s \u2028')


@pytest.fixture
def url(databases: Databases) -> str:
    return databases.copy(make_county)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def copy(engine: Engine, tmp_path: Path) -> Path:
    """A full copy."""
    backup.write(engine, tmp_path / "county.full", NOW)
    return tmp_path / "county.full"


def again(path: Path, url: str) -> None:
    """Restore it."""
    restore.restore(path, url, NOW, "tester", lambda: None)


def rows(url: str) -> dict[str, list[Any]]:
    """Every row of every table as sealed; without what a restore itself adds."""
    engine = connect(url)
    found: dict[str, list[Any]] = {}
    with engine.connect() as connection:
        for table in METADATA.sorted_tables:
            columns = [
                type_coerce(column, LargeBinary) if isinstance(column.type, SealedColumn) else column
                for column in table.columns
            ]
            query = select(*columns).order_by(*table.primary_key)
            if table is Fact.__table__:
                query = query.where(table.c.name != pause.FACT)
            if table is Audit.__table__:
                query = query.where(table.c.act != "restore")
            found[table.name] = [
                tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
                for row in connection.execute(query)
            ]
    engine.dispose()
    return found


def test_every_row_of_every_table_is_there_again(url: str, copy: Path, databases: Databases) -> None:
    target = databases.fresh()
    again(copy, target)
    before = rows(url)
    assert rows(target) == before
    empty = {name for name, those in before.items() if not those}
    assert len(before) - len(empty) >= 20, f"the copy says little of {empty}"
    assert len(before["child"]) > backup.CHUNK, "more than one chunk"


@pytest.mark.postgres
@pytest.mark.parametrize(("source", "target"), [("sqlite_databases", "postgres"), ("postgres", "sqlite_databases")])
def test_a_copy_of_one_database_is_restored_into_the_other(
    request: pytest.FixtureRequest, tmp_path: Path, source: str, target: str
) -> None:
    url = request.getfixturevalue(source).copy(make_county)
    target_url = request.getfixturevalue(target).fresh()
    engine = connect(url)
    backup.write(engine, tmp_path / "a.full", NOW)
    engine.dispose()
    again(tmp_path / "a.full", target_url)
    assert rows(target_url) == rows(url)


def test_a_restored_database_goes_on_where_it_was(copy: Path, databases: Databases) -> None:
    target = databases.fresh()
    again(copy, target)
    world = World.on(target)
    highest = world.run(lambda connection: connection.execute(select(func.max(Person.id))).scalar_one())
    area = world.run(lambda connection: connection.execute(select(Person.area_id).limit(1)).scalar_one())
    new = world.run(
        lambda connection: connection.execute(
            insert(Person).values(name="新来的", area_id=area, joined_at=NOW).returning(Person.id)
        ).scalar_one()
    )
    assert new > highest
    world.close()


def test_a_copy_is_one_moment_while_somebody_writes(engine: Engine, tmp_path: Path, databases: Databases) -> None:
    """Two facts are always written together; no copy ever has one without the other."""
    stop = threading.Event()

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with engine.begin() as connection:
                county.set_fact(connection, "one", str(number))
                county.set_fact(connection, "two", str(number))

    with engine.begin() as connection:
        county.set_fact(connection, "one", "0")
        county.set_fact(connection, "two", "0")
    writer = threading.Thread(target=write_on)
    writer.start()
    reader = connect(engine.url.render_as_string(hide_password=False), read_only=True)
    try:
        for number in range(2):
            backup.write(reader, tmp_path / f"{number}.full", NOW)
    finally:
        stop.set()
        writer.join()
        reader.dispose()
    for number in range(2):
        target = databases.fresh()
        again(tmp_path / f"{number}.full", target)
        facts = dict(rows(target)["fact"])
        assert facts["one"] == facts["two"]


# A later copy.


def change(engine: Engine) -> None:
    """Everything that can happen to rows of a chunk: new, changed, gone; a large value anew, and one more."""
    with engine.begin() as connection:
        county.set_fact(connection, "words", "andere")
        connection.execute(update(Person).where(Person.id == 3).values(name="改了名字的人"))
        connection.execute(delete(Rendition).where(Rendition.media_id == 1))
        connection.execute(update(Media).where(Media.id == 2).values(content=PHOTO, sha256="0" * 64))
        media.expect(connection, None, "video", "MEDIA-LATER", NOW)
        audit.add(connection, at=NOW, act="look", subject="case")


def test_a_later_copy_holds_only_what_changed_and_gives_everything(
    url: str, engine: Engine, copy: Path, tmp_path: Path, databases: Databases
) -> None:
    base = backup.base_of(copy, sealing.ring())
    nothing = backup.write(engine, tmp_path / "b.later", NOW, base)
    assert nothing.chunks == 0
    assert nothing.bytes < copy.stat().st_size / 10
    change(engine)
    later = backup.write(engine, tmp_path / "c.later", NOW, base)
    assert later.chunks == 6, "a fact, a person, a rendition that went, two media, the audit"
    target = databases.fresh()
    again(tmp_path / "c.later", target)
    assert rows(target) == rows(url)


def test_a_later_copy_needs_the_full_copy_that_it_completes(engine: Engine, copy: Path, databases: Databases) -> None:
    later = copy.with_suffix(".later")
    backup.write(engine, later, NOW, backup.base_of(copy, sealing.ring()))
    aside = copy.rename(copy.with_suffix(".aside"))
    with pytest.raises(frames.Damaged, match=r"completes county\.full, which is not beside it"):
        again(later, databases.fresh())
    backup.write(engine, copy, NOW)
    with pytest.raises(frames.Damaged, match=r"completes another copy than the county\.full"):
        again(later, databases.fresh())
    aside.rename(copy)
    again(later, databases.fresh())


# What is in the file.


@pytest.mark.parametrize("cipher", Cipher)
def test_a_copy_is_sealed_with_the_cipher_of_its_key(
    cipher: Cipher, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    with using(ring_of(1, cipher=cipher)):
        world = World(connect(sqlite_databases.copy(upgrade)))
        world.run(lambda connection: county.set_fact(connection, "marker", "in-clear-marker"))
        backup.write(world.engine, tmp_path / "a.full", NOW)
        world.close()
        target = sqlite_databases.fresh()
        again(tmp_path / "a.full", target)
        assert ("marker", "in-clear-marker") in rows(target)["fact"]
    other = next(one for one in Cipher if one != cipher)
    with using(ring_of(1, cipher=other)), pytest.raises(frames.Damaged, match="frame 0 was altered"):
        again(tmp_path / "a.full", sqlite_databases.fresh())
    with using(ring_of(2)), pytest.raises(sealing.SealError, match="key 1 is not in the key file"):
        again(tmp_path / "a.full", sqlite_databases.fresh())


def test_nothing_in_the_file_can_be_read_without_the_key_and_the_key_is_not_in_it(url: str, copy: Path) -> None:
    engine = connect(url)
    with engine.connect() as connection:
        names = list(connection.execute(select(Person.name)).scalars())
        phones = [one for one in connection.execute(select(Person.phone)).scalars() if one]
    engine.dispose()
    in_clear = {"visit", "village_child_officer", "2026-11", "person_role", "alembic", "sqlite", "postgresql"}
    secrets = {key.secret for key in sealing.ring().keys.values()}
    secrets |= {key.derive("tongban seal") for key in sealing.ring().keys.values()}
    search = Search({*names, *phones, *in_clear, *secrets, PHOTO[:32]})
    assert search.found(b"x".join([names[0].encode(), b"visit", *secrets])) == {names[0], "visit", *secrets}
    assert search.found(copy.read_bytes()) == set()
    assert copy.stat().st_mode & 0o077 == 0


# A file that is not what was written.


@pytest.fixture
def small(sqlite_databases: SqliteDatabases, tmp_path: Path) -> tuple[Path, list[tuple[int, int]]]:
    """A copy of a small database, and where each of its frames begins and ends."""
    engine = connect(sqlite_databases.copy(upgrade))
    with engine.begin() as connection:
        county.set_fact(connection, "marker", "x")
    backup.write(engine, tmp_path / "a.full", NOW)
    engine.dispose()
    content = (tmp_path / "a.full").read_bytes()
    at, found = 26, []
    while at < len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "big")
        found.append((at, end))
        at = end
    return tmp_path / "a.full", found


def refused(path: Path, content: bytes, databases: SqliteDatabases) -> str:
    """What is said of the file with this content; the database stays empty, and can be used."""
    path.write_bytes(content)
    target = databases.fresh()
    with pytest.raises(frames.Damaged) as error:
        again(path, target)
    assert not Path(str(make_url(target).database)).exists()
    return str(error.value)


def test_a_flipped_bit_is_named_wherever_it_is(
    small: tuple[Path, list[tuple[int, int]]], sqlite_databases: SqliteDatabases
) -> None:
    path, places = small
    whole = path.read_bytes()
    for number in (0, 4, len(places) - 1):
        begin, end = places[number]
        for at in (begin + 8, (begin + end) // 2, end - 1):
            bad = bytearray(whole)
            bad[at] ^= 1
            assert refused(path, bytes(bad), sqlite_databases) == f"frame {number} was altered"
    salted = bytearray(whole)
    salted[12] ^= 1
    assert refused(path, bytes(salted), sqlite_databases) == "frame 0 was altered"
    assert refused(path, b"x" + whole[1:], sqlite_databases) == "this is no copy of a Tongban database"
    long = bytearray(whole)
    long[places[3][0] + 4] = 0xFF
    assert refused(path, bytes(long), sqlite_databases) == "frame 3 was altered"


def test_what_is_missing_moved_or_added_is_named(
    small: tuple[Path, list[tuple[int, int]]], sqlite_databases: SqliteDatabases
) -> None:
    path, places = small
    whole = path.read_bytes()
    cut = [whole[begin:end] for begin, end in places]
    head = whole[:26]
    last = len(cut) - 1
    assert (
        refused(path, head + b"".join(cut[:-1]), sqlite_databases)
        == f"it ends before frame {last}: the rest is missing"
    )
    assert refused(path, whole[:-1], sqlite_databases) == f"it ends within frame {last}: the rest is missing"
    swapped = [*cut[:3], cut[4], cut[3], *cut[5:]]
    assert refused(path, head + b"".join(swapped), sqlite_databases) == "frame 4 stands where frame 3 belongs"
    # Whoever moves a frame and writes the number that belongs there does not get further.
    renumbered = [*cut[:3], cut[3][:4] + cut[4][4:], *cut[4:]]
    assert refused(path, head + b"".join(renumbered), sqlite_databases) == "frame 3 was altered"
    assert (
        refused(path, head + b"".join([*cut[:3], *cut[4:]]), sqlite_databases) == "frame 4 stands where frame 3 belongs"
    )
    assert refused(path, whole + b"\0", sqlite_databases) == "something was added behind the last frame"
    assert refused(path, b"", sqlite_databases) == "this is no copy of a Tongban database"


def test_frames_of_two_copies_do_not_mix(
    small: tuple[Path, list[tuple[int, int]]], sqlite_databases: SqliteDatabases
) -> None:
    path, places = small
    whole = path.read_bytes()
    engine = connect(sqlite_databases.copy(upgrade))
    with engine.begin() as connection:
        county.set_fact(connection, "marker", "x")
    path.unlink()
    backup.write(engine, path, NOW)
    engine.dispose()
    other = path.read_bytes()
    begin, end = places[5]
    assert refused(path, whole[:begin] + other[begin:end] + whole[end:], sqlite_databases) == "frame 5 was altered"


# Where it may be restored.


def test_only_an_empty_database_is_made_into_a_copy(url: str, copy: Path, databases: Databases) -> None:
    before = rows(url)
    with pytest.raises(restore.NotEmpty):
        again(copy, url)
    assert rows(url) == before
    target = databases.copy(upgrade)  # what only `tongban migrate` made
    again(copy, target)
    assert rows(target) == before


def test_a_copy_of_an_older_version_is_brought_to_this_one(tmp_path: Path, databases: Databases) -> None:
    """As far as its form is this version's: the revision stands in the copy, and migrations go on from there."""
    engine = connect(databases.copy(upgrade))
    newer = tmp_path / "newer.full"
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    backup.write(engine, newer, NOW)
    engine.dispose()
    with pytest.raises(frames.Damaged, match="newer version of Tongban"):
        again(newer, databases.fresh())


def test_what_an_earlier_restore_left_is_no_hindrance(copy: Path, url: str, sqlite_databases: SqliteDatabases) -> None:
    target = sqlite_databases.fresh()
    path = Path(str(make_url(target).database))
    half = path.with_name(path.name + restore.RESTORING)
    with closing(sqlite3.connect(half)) as connection:
        connection.execute("CREATE TABLE person (id INTEGER)")
    shutil.copy(half, half.with_name(half.name + "-wal"))
    again(copy, target)
    assert rows(target) == rows(url)
    assert [one.name for one in path.parent.glob(f"{path.name}*")] == [path.name]


def test_a_copy_that_fails_leaves_no_file(engine: Engine, tmp_path: Path) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        backup.write(engine, tmp_path / "a.full", NOW, closing=full)
    assert list(tmp_path.iterdir()) == []


# Rows as bytes.

VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.lists(st.tuples(VALUES, st.none() | st.binary(), VALUES, st.none() | st.binary()), min_size=1)


@given(ROWS)
def test_any_rows_come_back_as_they_were(given_rows: list[tuple[Any, ...]]) -> None:
    is_bytes = [False, True, False, True]
    assert list(packing.unpack(packing.pack(given_rows, is_bytes), is_bytes)) == given_rows


# A pause.


def test_what_is_restored_is_paused_and_that_is_in_the_audit(copy: Path, databases: Databases) -> None:
    target = databases.fresh()
    restore.restore(copy, target, NOW + timedelta(hours=5), "root", lambda: None)
    world = World.on(target)
    assert world.run(pause.current) == pause.Pause(NOW + timedelta(hours=5), NOW)
    audited = partial(_audited, act="restore")
    assert world.run(audited) == [("restore", "root", NOW + timedelta(hours=5))]
    world.close()


def _audited(connection: Connection, act: str) -> list[Any]:
    found = connection.execute(select(Audit.act, Audit.os_user, Audit.at).where(Audit.act == act))
    return [tuple(row) for row in found]
