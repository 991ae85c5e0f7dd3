"""`python -m tests.bench.wudi`: a county of Wudi's size at its busiest hour (capability 25), on both databases.

108,000 children on file, 574 village officers, 12 township and 4 county supervisors. The bot asks every officer for the
visits that are due; then, within the hour, each reads the list and records them, in the real conversation, and fifty
people report within one of its minutes. Played are `--seconds` of that hour, at its own pace or `--faster`; the minute
of the reports is never shortened. The bot may use two cores, shared with PostgreSQL and whoever plays the county.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread

from click import echo
from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import make_url

from bot.copies import copies_in
from storage.outbox import Outbox, OutboxState
from storage.reports import Report
from storage.tasks import Task
from storage.visits import Visit
from tests.bench import dialogues, filled, machine, pushes
from tests.bench.county import County
from tests.bench.load import built
from tests.bench.postgres import durable_server
from tests.bench.process import CORES, ROOT, Server, pause
from tests.bench.targets import BOTS, TITLES, Bench, Name, Running, accepting_platform
from tests.bench.wudi_county import CHILDREN, COUNTY_SUPERVISORS, DUE, OFFICERS, TOWNSHIPS, found, officer_openid
from tests.support.databases import SqliteDatabases

REPORTS = 50
HOUR, MINUTE = 3600.0, 60.0
THINKING = (5.0, 90.0)
"""Seconds between an answer and the next message, in the county's own time."""
PATIENCE = 600.0
PLATFORM_WAITS, DELIVERIES = 5.0, 3
"""Seconds, and how often it delivers."""
GOALS = {"p99": 1.0, "max": 4.0, "memory": 2048.0}
"""Seconds, seconds, MB (capability 25)."""
_NUMBERED = re.compile(r"^(\d+) 走访", re.MULTILINE)
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Hour:
    """Everybody's messages in one hour, and how long each waited for its answer."""

    port: int
    seconds: float
    """That are played."""
    faster: float
    """Than in the county."""
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    waited: list[float] = field(default_factory=list)
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def officers(self) -> int:
        """Whose turn it is in the seconds that are played."""
        return min(OFFICERS, round(OFFICERS * self.seconds * self.faster / HOUR))

    async def play(self) -> None:
        """All officers and, in the middle, the reports."""
        chance = Random(574)
        begins = [chance.uniform(0, self.seconds) for _ in range(self.officers)]
        middle = (self.seconds - MINUTE) / 2
        told = [max(0.0, middle) + chance.uniform(0, MINUTE) for _ in range(REPORTS)]
        async with asyncio.TaskGroup() as everybody:
            for number, begin in enumerate(begins):
                everybody.create_task(self._officer(number, begin, Random(number)))
            for number, begin in enumerate(told):
                everybody.create_task(self._reporter(number, begin, Random(-number)))

    async def _officer(self, number: int, begin: float, chance: Random) -> None:
        """Reads the list, and records what is due."""
        await asyncio.sleep(begin)
        who = officer_openid(number)
        listed = await self._say(who, "我的任务")
        shown = _NUMBERED.findall(listed)[:DUE]  # the first to be due
        if len(shown) != DUE:
            self.wrong.append(f"officer {number} was shown {len(shown)} visits: {listed[:100]}")
        for one in shown:
            await asyncio.sleep(chance.uniform(*THINKING) / self.faster)
            said = await self._say(who, f"记录 {one} 全部正常")
            if "记好了" not in said:
                self.wrong.append(f"officer {number}: {said[:100]}")

    async def _reporter(self, number: int, begin: float, chance: Random) -> None:
        """Walks a whole report."""
        await asyncio.sleep(begin)
        for turn, words in enumerate(dialogues.texts(number)):
            said = await self._say(pushes.openid(number), words)
            if not dialogues.is_right(number, turn, said):
                self.wrong.append(f"reporter {number}: {said[:100]}")
            await asyncio.sleep(chance.uniform(*THINKING) / self.faster)

    async def _say(self, who: str, words: str) -> str:
        """One message, delivered again as the platform does while it is not answered; what is answered."""
        request = pushes._request(who, words, int(time.time()), next(self.numbers))
        for _ in range(DELIVERIES):
            begun = time.monotonic()
            body = await self._delivered(request)
            self.waited.append(time.monotonic() - begun)
            if body is not None:
                to, text = pushes.opened(body) if body.startswith(b"<xml>") else (who, "")
                return text if to == who else ""
            self.unanswered += 1
        return ""

    async def _delivered(self, request: bytes) -> bytes | None:
        """One delivery over a connection of its own; None when it was not answered in time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        try:
            async with asyncio.timeout(PLATFORM_WAITS):
                head = await reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                return await reader.readexactly(int(found[1])) if found else b""
        except (OSError, EOFError, TimeoutError):
            return None
        finally:
            writer.close()


@dataclass(frozen=True)
class Measured:
    """One database's hour."""

    title: str
    filled: float
    """Seconds that the county took to be written."""
    size_mb: float
    asked: float
    """Seconds until every officer had been asked for what is due."""
    messages: int
    p50: float
    p99: float
    longest: float
    unanswered: int
    memory_mb: float
    """The most at any second."""
    cpu: float
    database_cpu: float
    """Per cent of a core while it was played."""
    copies: int
    lost_at_most: float
    """Seconds of work that losing the disk at the worst moment would have cost; 0 without copies."""


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """The server's memory, second by second."""
    ended, seen = Event(), [server.pss_mb()]

    def watch() -> None:
        while not ended.wait(1.0):
            seen.append(server.pss_mb())

    thread = Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def measure(bench: Bench, name: Name, seconds: float, faster: float, copies: Path | None) -> tuple[Measured, list[str]]:
    """Fill, start, ask, play; what was measured and what was wrong. `copies`: where the bot makes them meanwhile."""
    url = bench.county_database(name)
    os.environ.pop("TONGBAN__BACKUP__FOLDER", None)
    if copies is not None:
        copies.mkdir()
        os.environ["TONGBAN__BACKUP__FOLDER"] = str(copies)
    begun = time.monotonic()
    found(url)
    written = time.monotonic() - begun
    try:
        with bench.bot(name, url) as running:
            _two_cores(running.server)
            begun = time.monotonic()
            _until_asked(url)
            asked = time.monotonic() - begun
            running.server.settle()
            return _hour(running, url, Hour(running.server.port, seconds, faster), (written, asked), copies)
    finally:
        filled.drop(bench, name, url)


def _hour(
    running: Running, url: str, hour: Hour, before: tuple[float, float], copies: Path | None
) -> tuple[Measured, list[str]]:
    begun = time.monotonic()
    cpu, database_cpu = running.server.cpu(), running.database_cpu()
    with watched(running.server) as memory:
        asyncio.run(hour.play())
    waited = sorted(hour.waited)
    share = 100 / (time.monotonic() - begun)
    measured = Measured(
        TITLES[running.name], before[0], _size_mb(running.name, url), before[1], len(waited),
        statistics.median(waited), waited[int(len(waited) * 0.99)], waited[-1], hour.unanswered, max(memory),
        share * (running.server.cpu() - cpu), share * (running.database_cpu() - database_cpu),
        *_lost_at_most(copies),
    )  # fmt: skip
    return measured, [*hour.wrong[:5], *_missing(url, hour.officers)]


def _lost_at_most(copies: Path | None) -> tuple[int, float]:
    """How many copies there are, and the longest from what one holds to the moment when the next was whole."""
    made = copies_in(copies) if copies else []
    gaps = (later.path.stat().st_mtime - one.made.timestamp() for one, later in pairwise(made))
    return len(made), max(gaps, default=0.0)


def _two_cores(server: Server) -> None:
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), set(CORES[:2]))


def _until_asked(url: str) -> None:
    """Every officer has been sent what is due."""
    engine = create_engine(url)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            open_still = filled.count(connection, Task, Task.kind == "visit", Task.next_at <= datetime.now(UTC))
            sent = filled.count(connection, Outbox, Outbox.state == OutboxState.ACCEPTED)
        if not open_still and sent >= OFFICERS:
            engine.dispose()
            return
        pause(0.5)
    raise TimeoutError("not every officer was asked in time")


def _missing(url: str, officers: int) -> Iterator[str]:
    """What the database does not hold though it was answered."""
    engine = create_engine(url)
    with engine.connect() as connection:
        visits = filled.count(connection, Visit)
        receipts = filled.count(connection, Report, Report.finished_at.is_not(None))
        twice = connection.execute(select(Visit.task_id).group_by(Visit.task_id).having(func.count() > 1)).all()
    engine.dispose()
    if visits != officers * DUE:
        yield f"{visits} visits are on file, not {officers * DUE}"
    if twice:
        yield f"{len(twice)} visits are on file twice"
    if receipts != REPORTS:
        yield f"{receipts} reports have a receipt, not {REPORTS}"


def _size_mb(name: Name, url: str) -> float:
    database = str(make_url(url).database)
    if name == "sqlite":
        return sum(Path(database + end).stat().st_size for end in ("", "-wal")) / 2**20
    engine = create_engine(url)
    with engine.connect() as connection:
        size: int = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    engine.dispose()
    return size / 2**20


def table(measured: Sequence[Measured]) -> str:
    """What was measured, beside what capability 25 asks."""
    rows: list[tuple[str, str, Callable[[Measured], str], str]] = [
        ("county written", "s", lambda one: f"{one.filled:.0f}", ""),
        ("database", "MB", lambda one: f"{one.size_mb:.0f}", ""),
        (f"{OFFICERS} officers asked for {DUE} visits each", "s", lambda one: f"{one.asked:.0f}", ""),
        ("deliveries", "", lambda one: f"{one.messages}", ""),
        ("p50", "ms", lambda one: f"{one.p50 * 1e3:.1f}", ""),
        ("p99", "ms", lambda one: f"{one.p99 * 1e3:.1f}", f"below {GOALS['p99'] * 1e3:.0f}"),
        ("longest", "ms", lambda one: f"{one.longest * 1e3:.1f}", f"at most {GOALS['max'] * 1e3:.0f}"),
        ("not answered within the platform's patience", "", lambda one: f"{one.unanswered}", "0"),
        ("memory of the bot (PSS), at most", "MB", lambda one: f"{one.memory_mb:.0f}", f"below {GOALS['memory']:.0f}"),
        ("copies made meanwhile", "", lambda one: f"{one.copies}", ""),
        ("work that losing the disk costs, at most", "s", lambda one: f"{one.lost_at_most:.0f}", "at most 300"),
        ("CPU of the bot", "% of a core", lambda one: f"{one.cpu:.1f}", ""),
        ("CPU of PostgreSQL", "% of a core", lambda one: f"{one.database_cpu:.1f}", ""),
    ]
    titles = [one.title.partition(" (")[0] for one in measured]
    lines = [f"| | {' | '.join(titles)} | goal |", "|---|" + "---:|" * (len(titles) + 1)]
    lines += [
        f"| {what}{f', {unit}' if unit else ''} | {' | '.join(shown(one) for one in measured)} | {goal} |"
        for what, unit, shown, goal in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure and print; 1 when an answer was wrong or missing."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.wudi", description=__doc__)
    options.add_argument("--seconds", type=float, default=300, help="of the hour that are played; default: 300")
    options.add_argument("--faster", type=float, default=1, help="than in the county; 12 plays the hour in 300 s")
    options.add_argument("--copies", action="store_true", help="sealed copies are made meanwhile, every four minutes")
    options.add_argument("--on", choices=BOTS, help="only on this database")
    wanted = options.parse_args()
    if sys.platform != "linux":
        echo("Measuring needs Linux (it reads /proc and pins processes to cores).", err=True)
        return 2
    home = ROOT / "build" / "bench"
    home.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="wudi-", dir=home) as name,
        durable_server() as postgres,
        accepting_platform(home) as platform,
    ):
        folder = Path(name)
        bench = Bench(
            home, Path(sys.executable), County(folder), SqliteDatabases(folder), postgres, platform, built(home)
        )
        echo(
            f"{machine.described(home)}\n{CHILDREN:,} children, {OFFICERS} + {TOWNSHIPS} + {COUNTY_SUPERVISORS} staff. "
            f"{wanted.seconds:.0f} s of the hour, {wanted.faster:g} times as fast as it is; "
            f"{REPORTS} reports begin within {MINUTE:.0f} s. Load of the machine before: {os.getloadavg()[0]:.1f}."
        )
        measured, wrong = [], []
        for bot in BOTS if wanted.on is None else (wanted.on,):
            copies = folder / f"copies-{bot}" if wanted.copies else None
            one, faults = measure(bench, bot, wanted.seconds, wanted.faster, copies)
            measured.append(one)
            echo(f"\n{table([one])}")  # minutes went into it, and the other database may fail
            wrong += [f"{bot}: {fault}" for fault in faults]
        echo(f"\n{table(measured)}\n" if len(measured) > 1 else "")
        for sentence in wrong:
            echo(f"WRONG {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
