"""Rounds: every target in turn, each started afresh and led through the same phases with the same messages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import dialogues, pushes
from tests.bench.county import kept
from tests.bench.load import Generator, Load, sampled
from tests.bench.targets import BOTS, Bench, Name, Running

WARM = 48
"""Dialogues that warm a target up."""
FASTEST = 15_000
"""Messages per second that no target here exceeds: so many are made beforehand."""


@dataclass(frozen=True)
class Phase:
    """So many connections for so long; `rate` 0: as fast as answers come."""

    name: str
    lanes: int
    seconds: float
    rate: float = 0.0

    @property
    def dialogues(self) -> int:
        """How many dialogues it can use up."""
        return int((self.rate or FASTEST) * self.seconds / dialogues.mean_length()) + self.lanes


@dataclass(frozen=True)
class Measured:
    """One target in one phase of one round."""

    target: Name
    phase: str
    load: Load
    cpu_us: float
    """CPU of the server per message, with everything that follows from it after the answer."""
    database_cpu_us: float

    @property
    def values(self) -> dict[str, float]:
        """The figures that are compared."""
        return {"per_second": self.load.per_second, "cpu": self.cpu_us, "p99": self.load.p99_us / 1000}


@dataclass(frozen=True)
class Plan:
    """The phases, which dialogues each of them uses, and the file with all their messages."""

    phases: tuple[Phase, ...]
    file: Path
    generator: Generator
    sample: Path

    def write(self) -> int:
        """Make every message beforehand; how many."""
        last = list(self.shares())[-1][1].stop
        return pushes.write(self.file, ((number, dialogues.texts(number)) for number in range(last)))

    def shares(self) -> Iterator[tuple[Phase, range]]:
        """Each phase with its dialogues; those before the first one's are for warming up."""
        start = WARM
        for phase in self.phases:
            yield phase, range(start, start + phase.dialogues)
            start += phase.dialogues


def walk(bench: Bench, plan: Plan, name: Name) -> tuple[list[Measured], list[str]]:
    """Lead one target through all phases; what was measured, and a sentence for everything that was wrong."""
    measured: list[Measured] = []
    with bench.start(name) as running:
        warm = plan.generator.run(running.server.port, plan.file, range(WARM), lanes=16, seconds=10)
        wrong = [f"{warm.faults} faults while warming up"] if warm.faults else []
        for phase, share in plan.shares():
            running.server.settle()
            one = _measure(running, plan, phase, share)
            measured.append(one)
            wrong += _faults(one, plan.sample)
    if running.url is not None:
        loads = [warm, *(one.load for one in measured)]
        wrong += _missing(running.url, sum(load.good for load in loads), sum(load.complete for load in loads))
    return measured, [f"{name}: {sentence}" for sentence in wrong]


def _measure(running: Running, plan: Plan, phase: Phase, share: range) -> Measured:
    before, database_before = running.server.cpu(), running.database_cpu()
    load = plan.generator.run(
        running.server.port, plan.file, share,
        lanes=phase.lanes, seconds=phase.seconds, rate=phase.rate, sample=plan.sample,
    )  # fmt: skip
    running.server.settle()
    cpu, database = running.server.cpu() - before, running.database_cpu() - database_before
    answers = max(1, load.answers)
    return Measured(running.name, phase.name, load, cpu / answers * 1e6, database / answers * 1e6)


def _faults(one: Measured, sample: Path) -> Iterator[str]:
    if one.load.faults:
        yield f"{one.load.bad} wrong and {one.load.broken} missing answers of {one.load.answers} ({one.phase})"
    right: Callable[[int, int, str], bool] = dialogues.is_right if one.target in BOTS else _is_echo
    wrong = [(number, turn) for number, turn, body in sampled(sample) if not _is_sound(number, turn, body, right)]
    if wrong:
        number, turn = wrong[0]
        yield f"{len(wrong)} wrong replies in the sample of {one.phase}, e.g. to {dialogues.texts(number)[turn]}"


def _is_sound(number: int, turn: int, body: bytes, right: Callable[[int, int, str], bool]) -> bool:
    try:
        user, text = pushes.opened(body)
    except (ValueError, KeyError):
        return False
    return user == pushes.openid(number) and right(number, turn, text)


def _is_echo(number: int, turn: int, text: str) -> bool:
    return text == dialogues.texts(number)[turn]


def _missing(url: str, answered: int, complete: int) -> Iterator[str]:
    messages, receipts = kept(url)
    if messages != answered:
        yield f"{answered} messages were answered, but {messages} are in the inbox"
    if receipts != complete:
        yield f"{complete} dialogues were walked to the end, but {receipts} reports have a receipt"
