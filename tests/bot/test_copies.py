"""Copies on the second path while the bot runs: what is made, by whom, what is kept, and what is told when it fails."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from bot import metrics
from bot.clock import Clock
from bot.copier import Copier, NotDone, run
from bot.copies import FULL, LATER, Copy, copies_in, name_of, thin
from bot.copy_jobs import Answer, Job
from bot.copying import HALF, SMALL, copy
from bot.engine import Database, open_database
from bot.settings import load
from storage import copied, county, restore, sealing
from storage.database import connect
from storage.migrate import upgrade
from tests.bot.conftest import Log
from tests.support.commands import command_line
from tests.support.databases import Databases, PostgresDatabases
from tests.world import key_file

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "copies"
    path.mkdir()
    return path


@pytest.fixture
def job(databases: Databases, folder: Path, tmp_path: Path) -> Job:
    keys = key_file(tmp_path)
    sealing.use(sealing.read_key_file(keys))
    return Job(databases.copy(upgrade), str(keys), str(folder), NOW.isoformat(), 4, 24, 24, 30)


def after(job: Job, span: timedelta) -> Answer:
    """Copy at that time after the first copy."""
    return copy(replace(job, now=(NOW + span).isoformat()))


def fact(url: str, name: str) -> str | None:
    engine = connect(url)
    with engine.connect() as connection:
        value = county.fact(connection, name)
    engine.dispose()
    return value


def change(url: str, value: str) -> None:
    engine = connect(url)
    with engine.begin() as connection:
        county.set_fact(connection, "marker", value)
    engine.dispose()


def names(folder: Path) -> list[str]:
    return [one.path.name for one in copies_in(folder)]


def test_the_first_copy_is_full_and_the_next_ones_complete_it(job: Job, folder: Path, databases: Databases) -> None:
    change(job.url, "first")
    assert after(job, 0 * MINUTE).file == "tongban-20261125T030000Z.full"
    change(job.url, "second")
    assert after(job, 4 * MINUTE).file == "tongban-20261125T030400Z.later"
    change(job.url, "third")
    assert after(job, 8 * MINUTE).file == "tongban-20261125T030800Z.later"
    assert after(job, DAY).file == "tongban-20261126T030000Z.full"
    for made, value in zip(copies_in(folder), ("first", "second", "third", "third"), strict=True):
        target = databases.fresh()
        restore.restore(made.path, target, NOW, "tester", lambda: None)
        assert fact(target, "marker") == value


def test_a_full_copy_that_is_damaged_or_gone_or_of_another_time_is_not_built_upon(job: Job, folder: Path) -> None:
    first = folder / (after(job, 0 * MINUTE).file or "")
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    second = after(job, 4 * MINUTE).file
    assert second == name_of(NOW + 4 * MINUTE)
    (folder / str(second)).unlink()
    first.unlink()
    assert after(job, 8 * MINUTE).file == name_of(NOW + 8 * MINUTE)
    assert after(job, -DAY).file == name_of(NOW - DAY), "the clock was wrong, and is put right"


def test_a_later_copy_that_has_grown_is_the_last_of_its_full_one(job: Job, folder: Path) -> None:
    after(job, 0 * MINUTE)
    later = folder / (after(job, 4 * MINUTE).file or "")
    later.write_bytes(b"x" * (SMALL + 1))
    assert after(job, 8 * MINUTE).file == name_of(NOW + 8 * MINUTE)


def test_what_was_interrupted_goes_when_nobody_can_be_writing_it(job: Job, folder: Path) -> None:
    fresh, old = folder / f"{name_of(NOW)}.part", folder / f"{name_of(NOW - DAY)}.part"
    for path in (fresh, old):
        path.write_bytes(b"half")
    then = datetime.now(UTC).timestamp() - HALF - 10
    os.utime(old, (then, then))
    after(job, MINUTE)
    assert (fresh.exists(), old.exists()) == (True, False)
    assert names(folder) == [name_of(NOW + MINUTE)], "a half is no copy"


def test_one_process_makes_the_copies(job: Job, folder: Path) -> None:
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert after(job, 0 * MINUTE) == Answer()
    assert after(job, 0 * MINUTE).file is not None
    engine = connect(job.url)
    with engine.begin() as connection:
        copied.note(connection, copied.Copied(NOW, "somewhere.full", 1))
    engine.dispose()
    assert after(job, 2 * MINUTE) == Answer(), "another one made it just now"
    assert after(job, 4 * MINUTE).file is not None


@pytest.mark.postgres
def test_on_postgresql_one_process_of_all_machines_makes_them(
    postgres: PostgresDatabases, folder: Path, tmp_path: Path
) -> None:
    url = postgres.copy(upgrade)
    job = Job(url, str(key_file(tmp_path)), str(folder), NOW.isoformat(), 4, 24, 24, 30)
    engine = connect(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtext('tongban copies'))"))
        assert copy(job) == Answer()
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
        assert copy(job).file is not None
    engine.dispose()


# What is kept.


def made_at(folder: Path, *moments: tuple[timedelta, str]) -> None:
    for ago, ending in moments:
        (folder / name_of(NOW - ago, ending)).touch()


def test_of_the_last_day_all_are_kept_then_one_of_each_day_for_a_month(folder: Path) -> None:
    made_at(
        folder, (40 * DAY, FULL), (2 * DAY, FULL), (2 * DAY - HOUR, LATER), (2 * DAY - 2 * HOUR, LATER),
        (DAY + HOUR, LATER), (DAY - HOUR, FULL), (HOUR, LATER), (MINUTE, LATER),
    )  # fmt: skip
    (folder / "tongban-notes.full").touch()
    (folder / "other.db").touch()
    thin(folder, NOW, DAY, 30)
    kept = [(2 * DAY, FULL), (DAY - HOUR, FULL), (HOUR, LATER), (MINUTE, LATER)]
    assert names(folder) == [name_of(NOW - ago, ending) for ago, ending in kept]
    assert {"tongban-notes.full", "other.db"} < {path.name for path in folder.iterdir()}, (
        "nobody else's file is touched"
    )


@given(st.lists(st.tuples(st.integers(0, 60 * 24 * 40), st.booleans()), max_size=40, unique_by=lambda one: one[0]))
def test_whatever_is_there_the_newest_stays_and_no_copy_loses_the_full_one_it_needs(
    tmp_path_factory: pytest.TempPathFactory, given_ones: list[tuple[int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("thin")
    for minutes, is_full in given_ones:
        (folder / name_of(NOW - minutes * MINUTE, FULL if is_full else LATER)).touch()
    before = copies_in(folder)
    thin(folder, NOW, DAY, 30)
    left = copies_in(folder)
    assert [one for one in before if one.made > NOW - DAY] == [one for one in left if one.made > NOW - DAY]
    assert {one.made.date() for one in before if one.made > NOW - 30 * DAY} == {
        one.made.date() for one in left if one.made > NOW - 30 * DAY
    }

    def needed(by: Copy) -> Copy | None:
        return max((one for one in before if one.is_full and one.made < by.made), default=None)

    assert all(needed(one) in left for one in left if not one.is_full and needed(one) is not None)


# Inside the bot.


@contextmanager
def copier_on(database: Database, job: Job, folder: Path) -> Iterator[Copier]:
    keys = Path(job.keys)
    command_line(job.url, keys)
    settings = load(
        keys.parent / "config.toml",
        {"TONGBAN__BACKUP__FOLDER": str(folder), "TONGBAN__WEB__PUBLIC_ORIGIN": "http://127.0.0.1:1"},
    )
    yield Copier(database, settings, Clock())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    yield database
    database.close()


def counted(outcome: str) -> float:
    return metrics.registry.get_sample_value("tongban_copies_total", {"outcome": outcome}) or 0


async def test_a_copy_is_made_noted_and_told(job: Job, folder: Path) -> None:
    made = counted("made")
    async with opened(job.url) as database:
        with copier_on(database, job, folder) as copier:
            await copier.copy()
            await copier.tell_age()
        last = await database.read(copied.last)
    [made_one] = copies_in(folder)
    assert last is not None
    assert (last.file, last.bytes) == (made_one.path.name, made_one.path.stat().st_size)
    assert counted("made") == made + 1
    age = metrics.registry.get_sample_value("tongban_copy_age_seconds")
    assert age is not None
    assert 0 <= age < 60


async def test_a_copy_that_fails_is_an_error_in_the_log_and_so_is_one_that_is_too_old(
    job: Job, tmp_path: Path, log: Log
) -> None:
    written = log("info", "json")
    failed = counted("failed")
    async with opened(job.url) as database:
        with copier_on(database, job, tmp_path / "not-there") as copier:
            copier._started -= timedelta(hours=1)
            await copier.copy()
            await copier.tell_age()
        assert await database.read(copied.last) is None
    assert counted("failed") == failed + 1
    assert (metrics.registry.get_sample_value("tongban_copy_age_seconds") or 0) >= 3600
    said = written.getvalue()
    assert '"event": "copy_failed"' in said
    assert "FileNotFoundError at bot/copies.py" in said
    assert '"minutes": 60, "event": "copy_too_old"' in said
    assert str(tmp_path) not in said


async def test_a_process_that_hangs_is_ended(job: Job, folder: Path) -> None:
    with pytest.raises(NotDone, match="too slow"):
        await run("copy", asdict(job), patience=0.05)
    assert names(folder) == []
