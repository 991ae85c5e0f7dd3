"""`tongban check --deep`: a county in order gives an empty list, and each kind of damage its line."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from handlers import deep, demo
from handlers.check import Finding
from handlers.turn import Turn
from storage import media, sealing
from storage.children import Child
from storage.deep import PAGE, reading
from tests.support.databases import Databases, SqliteDatabases
from tests.support.visiting import make_tables
from tests.world import World

PICTURE = b"\x89PNG a picture"


def make_county(url: str) -> None:
    make_tables(url)
    world = World.on(url)
    world.turn(demo.build)

    def fetch(turn: Turn) -> None:
        number = media.expect(turn.connection, 1, "image", "media-1", turn.now)
        media.keep(turn.connection, number, media.Original.of(PICTURE, "image/png"), turn.now)

    world.turn(fetch)
    world.phone("孙七").says("在吗")  # what wakes nobody is sound too
    world.close()


@pytest.fixture
def county(databases: Databases) -> Iterator[World]:
    world = World.on(databases.copy(make_county))
    yield world
    world.close()


def found(world: World) -> list[Finding]:
    """What the deep check finds, reading only."""
    engine = reading(world.engine.url.render_as_string(hide_password=False))
    try:
        return list(deep.findings(engine, world.now, world.policy))
    finally:
        engine.dispose()


def lines(world: World) -> list[str]:
    return [one.sentence for one in found(world)]


def damage(world: World, statement: str) -> None:
    """Change the database behind everybody's back, references or not."""
    if world.engine.dialect.name == "sqlite":
        database = str(world.engine.url.database)
        with sqlite3.connect(database) as file:  # which looks at no foreign key
            file.execute(statement)
        file.close()
        return
    with world.engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(statement))


def test_a_county_in_order_gives_nothing(county: World) -> None:
    assert lines(county) == []


def test_it_only_reads(county: World) -> None:
    engine = reading(county.engine.url.render_as_string(hide_password=False))
    with engine.connect() as connection, pytest.raises(Exception, match=r"read.?only"):
        connection.execute(update(Child.__table__).values(level="red"))
    engine.dispose()


BROKEN = {
    "UPDATE visit SET person_id = 999999": "visit 1: person_id names person 999999, not there.",
    "UPDATE task SET subject_id = 999999 WHERE id = 2": "task 2: subject_id names",
    "UPDATE task SET subject = 'spaceship' WHERE id = 3": "task 3: its subject spaceship is no table.",
    "UPDATE person SET name = (SELECT name FROM child WHERE id = 1) WHERE id = 1": (
        "person 1: name: a value of person.name was altered or sealed elsewhere."
    ),
    "UPDATE entry SET text = substr(text, 1, 20) WHERE id = 1": "entry 1: text: not a sealed value.",
    "UPDATE contact SET openid_index = (SELECT name_index FROM child WHERE id = 1) WHERE id = 1": (
        "contact 1: openid_index does not belong to its openid."
    ),
    "UPDATE person SET phone = NULL WHERE id = 2": "person 2: phone_index is there without its phone.",
    "UPDATE area SET path = '/1/999/' WHERE id = 2": "area 2: its path does not lead through the area above it.",
    "UPDATE task SET state = 'done', ended_at = NULL WHERE id = 4": "task 4: it is done, which its dates",
    "UPDATE report SET stage = 'resolved' WHERE id = 2": "report 2: it is resolved, its moves led to",
    "UPDATE child SET last_contact_on = NULL": "it was seen or spoken to later than is noted.",
    "UPDATE child SET paired_since = NULL WHERE paired_since IS NOT NULL": (
        "whether both sides of its pair have somebody is noted wrongly."
    ),
    "UPDATE step SET before = 'closed' WHERE subject = 'case'": "from closed did not follow.",
    "UPDATE task SET ended_at = opened_at WHERE kind = 'visit' AND state = 'open'": (
        "visits_overdue is 0 in a digest, and"
    ),
}
"""What is done to the database → what the line says of it."""


def test_each_damage_has_its_line(county: World) -> None:
    for statement in BROKEN:
        damage(county, statement)
    said = lines(county)
    assert [line for line in BROKEN.values() if not any(line in one for one in said)] == []
    assert all(one.isascii() for one in said)
    visits = county.run(lambda connection: connection.execute(text("SELECT count(*) FROM visit")).scalar_one())
    assert visits > PAGE
    assert sum("names person 999999" in one for one in said) == visits, "every page was read"


def test_an_original_that_is_another_is_found(county: World) -> None:
    other = sealing.ring().seal("media.content", PICTURE.replace(b"a", b"b"))
    county.run(lambda connection: connection.execute(text("UPDATE media SET content = :content"), {"content": other}))
    assert lines(county) == ["media 1: its hash or size is not that of what was fetched."]


def test_an_index_that_differs_from_its_table_is_found(tmp_path: Path) -> None:
    world = World.on(SqliteDatabases(tmp_path).copy(make_county))
    name = str(world.engine.url.database)
    index = "ix_task_due"
    with sqlite3.connect(name) as connection:  # hide the index while the table changes
        connection.execute("PRAGMA writable_schema = ON")
        hidden = connection.execute("SELECT * FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        connection.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
    connection.close()
    with sqlite3.connect(name) as connection:
        connection.execute("UPDATE task SET next_at = '2026-11-23 01:00:00.000000' WHERE id = 5")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", hidden)
    connection.close()
    said = [(one.kind, one.sentence) for one in found(world)]
    assert any(kind == "damaged" and f"missing from index {index}" in sentence for kind, sentence in said), said
    world.close()
