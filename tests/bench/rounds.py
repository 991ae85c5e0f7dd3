"""Rounds: every target in turn, each started afresh and led through the same phases with the same messages."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import dialogues, pushes
from tests.bench.county import kept
from tests.bench.load import Generator, Load, sampled
from tests.bench.targets import BOTS, Bench, Name, Running

WARM = 48
"""Dialogues that warm a target up."""
FASTEST = 15_000
"""Messages per second that no target here exceeds: so many are made beforehand."""
HOLDS = 0.9
"""A rate is tried when the target answered at least this share of it as fast as it could."""


@dataclass(frozen=True)
class Phase:
    """So many connections for so long; `rate` 0: as fast as answers come; `most` messages of each dialogue (0: all)."""

    name: str
    lanes: int
    seconds: float
    rate: float = 0.0
    most: int = 0
    targets: tuple[Name, ...] = ("floor", "werobot", "werobot_sessions", *BOTS)

    @property
    def dialogues(self) -> int:
        """How many dialogues it can use up."""
        if self.most:
            return self.lanes
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
    right: float = 1.0
    """Share of the sampled replies that said what they should."""

    @property
    def values(self) -> dict[str, float]:
        """The figures that are compared; only right answers count."""
        return {"per_second": self.load.per_second * self.right, "cpu": self.cpu_us, "p99": self.load.p99_us / 1000}


@dataclass
class Walked:
    """One target after one round."""

    target: Name
    measured: list[Measured] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    pss_mb: float = 0.0
    """Memory at the end."""

    def of(self, phase: str) -> Measured | None:
        """What was measured in a phase; None when it was not tried."""
        return next((one for one in self.measured if one.phase == phase), None)

    @property
    def fastest(self) -> float:
        """The most messages per second that it answered so far."""
        return max((one.load.per_second for one in self.measured), default=0.0)


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


def walk(bench: Bench, plan: Plan, name: Name) -> Walked:
    """Lead one target through all its phases."""
    walked = Walked(name)
    with bench.start(name) as running:
        warm = plan.generator.run(running.server.port, plan.file, range(WARM), lanes=16, seconds=10)
        if warm.faults:
            walked.wrong.append(f"{warm.faults} faults while warming up")
        for phase, share in plan.shares():
            if name not in phase.targets or (phase.rate and walked.fastest < phase.rate * HOLDS):
                continue
            running.server.settle()
            walked.measured.append(_measure(running, plan, phase, share, walked.wrong))
        walked.pss_mb = running.server.pss_mb()
    if running.url is not None:
        loads = [warm, *(one.load for one in walked.measured)]
        walked.wrong += missing(running.url, loads)
    return walked


def _measure(running: Running, plan: Plan, phase: Phase, share: range, wrong: list[str]) -> Measured:
    before, database_before = running.server.cpu(), running.database_cpu()
    load = plan.generator.run(
        running.server.port, plan.file, share,
        lanes=phase.lanes, seconds=phase.seconds, rate=phase.rate, most=phase.most, sample=plan.sample,
    )  # fmt: skip
    running.server.settle()
    cpu, database = running.server.cpu() - before, running.database_cpu() - database_before
    right, faults = judged(running.name, phase, load, plan.sample)
    wrong += faults
    answers = max(1, load.answers)
    return Measured(running.name, phase.name, load, cpu / answers * 1e6, database / answers * 1e6, right)


def judged(target: Name, phase: Phase, load: Load, sample: Path) -> tuple[float, list[str]]:
    """The share of the sampled replies that are right, and a sentence for everything that is wrong.

    An answer that is missing in a burst was too late: that is a goal missed, and no fault.
    """
    found: list[str] = []
    if load.bad or (load.broken and not phase.most):
        found.append(f"{load.bad} wrong and {load.broken} missing answers of {load.answers} ({phase.name})")
    right: Callable[[int, int, str], bool] = dialogues.is_right if target in BOTS else _is_echo
    replies = [(number, turn, _is_sound(number, turn, body, right)) for number, turn, body in sampled(sample)]
    bad = [(number, turn) for number, turn, sound in replies if not sound]
    if bad:
        number, turn = bad[0]
        text = dialogues.texts(number)[turn]
        found.append(f"{len(bad)} wrong replies among {len(replies)} looked at in {phase.name}, e.g. to {text}")
    return 1 - len(bad) / max(1, len(replies)), found


def judged_answers(loads: Iterable[Load], phase: str) -> Iterator[str]:
    """A sentence for what answers without a sample show to be wrong."""
    for load in loads:
        if load.faults:
            yield f"{load.bad} wrong and {load.broken} missing answers of {load.answers} ({phase})"


def _is_sound(number: int, turn: int, body: bytes, right: Callable[[int, int, str], bool]) -> bool:
    try:
        user, text = pushes.opened(body)
    except (ValueError, KeyError):
        return False
    return user == pushes.openid(number) and right(number, turn, text)


def _is_echo(number: int, turn: int, text: str) -> bool:
    return text == dialogues.texts(number)[turn]


def missing(url: str, loads: Iterable[Load]) -> Iterator[str]:
    """What the database does not hold though it was answered for; what got no answer may be there or not."""
    taken, complete, later, unanswered = 0, 0, 0, 0
    for load in loads:
        taken += load.good + load.blank
        complete += load.complete
        later += load.blank
        unanswered += load.broken
    messages, receipts = kept(url)
    if not taken <= messages <= taken + unanswered:
        yield f"{taken} messages were answered and {unanswered} not, but {messages} are in the inbox"
    if not complete - later <= receipts <= complete + unanswered:
        yield f"{complete} dialogues were walked to the end, but {receipts} reports have a receipt"
