"""Chat while everything else happens: 200 messages a second, and 100,000 children fall due and the digest is made.

The quiet figure is of the same bot on the same filled database, a moment before. Nothing is claimed by the bench: the
bot's own due work does it, on whatever the database holds when `release` makes it due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from click import echo
from sqlalchemy import Connection, func, insert, select

from storage.children import Child
from storage.database import connect
from storage.outbox import Outbox, OutboxKind
from storage.tasks import Task, TaskState
from tests.bench import dialogues, pushes
from tests.bench.figures import Findings
from tests.bench.filled import Staff, add_children, count, county_on, quickly, release
from tests.bench.load import Load
from tests.bench.rounds import Phase, judged
from tests.bench.scale import Scale
from tests.bench.targets import Bench, Name, Running

RATE, LANES, WARM = 200, 64, 64
SLOW_US = 500_000
"""No answer may take longer in quiet, else the bot does not hold the rate and a ratio would say nothing."""
LEAST_CLAIMED = 50
"""Children per second, the rate at which a county sends: a bot that lets everything else wait for chat has missed."""


def measure(bench: Bench, scale: Scale) -> Findings:
    """The 99th percentile of chat beside the claims, against that of the same bot in quiet."""
    found = Findings()
    phases = [Phase(name, LANES, scale.stall_seconds, rate=RATE) for name in ("quiet", "claims")]
    share = phases[0].dialogues
    file = bench.folder / "stalls"
    pushes.write(file, ((number, dialogues.texts(number)) for number in range(WARM + 2 * share)))
    for bot in scale.bots:
        _compare(bot, [_round(bench, scale, bot, phases, found) for _ in range(scale.few_rounds)], scale, found)
    file.unlink()
    return found


def _compare(bot: Name, rounds: Sequence["_Seen"], scale: Scale, found: Findings) -> None:
    claimed = min(one.claimed for one in rounds)
    took = f"all {scale.due:,} would take {scale.due / claimed:,.0f} s" if claimed else "nothing was claimed"
    note = f"meanwhile {claimed:,.0f} children a second were claimed, so that {took}"
    name, unit = f"{bot}.stalls.p99.quiet", "ms, 99th percentile"
    if any(one.quiet.max_us > SLOW_US for one in rounds):
        most = max(one.quiet.p99_us for one in rounds) / 1000
        found.missed(name, unit, most, f"{RATE}/s are beyond it even in quiet, so that there is nothing to compare")
    elif claimed < LEAST_CLAIMED or not all(one.has_digest for one in rounds):
        most = max(one.beside.p99_us for one in rounds) / 1000
        found.missed(name, unit, most, f"chat starved the rest: {note}; the digest was made: {rounds[0].has_digest}")
    else:
        quiet, beside = ([one.p99_us / 1000 for one in loads] for loads in _sides(rounds))
        found.ratio(name, unit, beside, quiet, f"{note}; the digest was made meanwhile")
    found.plain(f"{bot}.stalls.max", "ms, the slowest answer", max(one.beside.max_us for one in rounds) / 1000)
    found.plain(f"{bot}.stalls.claims", "children/s", claimed)


def _sides(rounds: Sequence["_Seen"]) -> tuple[list[Load], list[Load]]:
    return [one.quiet for one in rounds], [one.beside for one in rounds]


@dataclass(frozen=True)
class _Seen:
    """What chat was like in quiet and beside the claims, and what was done meanwhile."""

    quiet: Load
    beside: Load
    claimed: float
    """Children per second."""
    has_digest: bool


def _round(bench: Bench, scale: Scale, bot: Name, phases: list[Phase], found: Findings) -> _Seen:
    now = datetime.now(UTC)
    with county_on(bench, bot) as (url, staff):
        with quickly(url, Child, Task) as connection:
            add_children(connection, staff, scale.due, scale.due, now, due_at_once=False)
            _add_digest(connection, staff, now)
        with bench.bot(bot, url) as running:
            loads = []
            _send(bench, running, range(WARM), Phase("warm", LANES, 10, rate=RATE), found)
            for number, phase in enumerate(phases):
                running.server.settle()
                if number:
                    before = _left(url, begin=True)
                start = WARM + number * phase.dialogues
                loads.append(_send(bench, running, range(start, start + phase.dialogues), phase, found))
            claimed, digests = before - _left(url), _digests(url)
            running.server.process.kill()  # it would not stop before everything that is due is done
    echo(
        f"  {bot}: p99 {loads[0].p99_us / 1000:.1f} ms in quiet, {loads[1].p99_us / 1000:.1f} ms beside "
        f"{claimed:,} claims in {loads[1].seconds:.1f} s"
    )
    return _Seen(loads[0], loads[1], claimed / max(0.001, loads[1].seconds), digests == 1)


def _add_digest(connection: Connection, staff: Staff, now: datetime) -> None:
    """The supervisor's digest of this morning, to be made when `release` says so."""
    state = {"state": TaskState.OPEN, "urgency": 0, "late": False, "rung": 0, "failures": 0, "policy_version": 0}
    whose = {
        "subject": "person",
        "subject_id": staff.supervisor,
        "person_id": staff.supervisor,
        "area_id": staff.county,
    }
    times = {"opened_at": now - timedelta(days=1), "due_at": now, "next_at": None, "area_id": staff.county}
    last = connection.execute(select(func.max(Task.id))).scalar_one()  # the children's were given by hand
    what = {"id": last + 1, "key": "digest:person:bench", "kind": "digest"}
    connection.execute(insert(Task), what | whose | times | state)


def _left(url: str, *, begin: bool = False) -> int:
    """How many are due and not yet claimed; `begin`: all become due now."""
    engine = connect(url)
    with engine.begin() as connection:
        if begin:
            release(connection, datetime.now(UTC))
        left = count(connection, Task, Task.kind == "visit", Task.prompted_at.is_(None))
    engine.dispose()
    return left


def _digests(url: str) -> int:
    engine = connect(url)
    with engine.connect() as connection:
        made = count(connection, Outbox, Outbox.kind == OutboxKind.DIGEST)
    engine.dispose()
    return made


def _send(bench: Bench, running: Running, share: range, phase: Phase, found: Findings) -> Load:
    sample = bench.folder / "sample"
    load = bench.generator.run(
        running.server.port, bench.folder / "stalls", share,
        lanes=phase.lanes, seconds=phase.seconds, rate=phase.rate, sample=sample,
    )  # fmt: skip
    _, faults = judged(running.name, phase, load, sample)
    found.wrong += [f"{running.name}: {fault}" for fault in faults]
    return load
