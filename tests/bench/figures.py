"""From rounds to figures: ratios within a round, their medians and ranges, the targets, the table and bench.json."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tests.bench.rounds import Measured, Phase
from tests.bench.statements import Counted
from tests.bench.targets import BOTS, TITLES, Name

REFERENCES: tuple[Name, ...] = ("floor", "werobot", "werobot_sessions")
UNITS = {"per_second": "messages/s", "cpu": "µs of CPU per message", "p99": "ms, 99th percentile"}
MORE_IS_BETTER = frozenset({"per_second"})
TARGETS: dict[str, float] = {
    "sqlite.16.per_second.werobot": 1.0,
    "sqlite.64.per_second.werobot": 1.2,
    "sqlite.16.per_second.floor": 0.28,
    "sqlite.64.per_second.floor": 0.28,
    "sqlite.16.cpu.werobot": 1.0,
    "sqlite.64.cpu.werobot": 1.0,
    "sqlite.16.per_second.werobot_sessions": 4.0,
    "sqlite.200s.p99.floor": 8.0,
    "sqlite.statements": 8.0,
    "postgresql.16.per_second.werobot": 0.4,
    "postgresql.64.per_second.werobot": 0.5,
    "postgresql.200s.p99.floor": 8.0,
    "postgresql.statements": 8.0,
}
"""Ratios, by `database.phase.measure.reference`; for statements the most that any turn may need."""
_FAULTY = 0.01
"""A peer that failed more of its messages than this is no measure in that round."""

Round = Sequence[Measured]


@dataclass(frozen=True)
class Figure:
    """One line of the table. `value` over `peer` (or `floor`) is not quite `ratio`, which is a median of ratios."""

    value: float
    unit: str
    floor: float | None = None
    peer: float | None = None
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    rounds: int = 0
    target: float | None = None
    met: bool | None = None


def figures(rounds: Sequence[Round], statements: Mapping[Name, Sequence[Counted]]) -> dict[str, Figure]:
    """Everything that bench.json says."""
    found: dict[str, Figure] = {}
    for bot in BOTS:
        for phase in dict.fromkeys(one.phase for one in rounds[0]):
            for measure in UNITS:
                for reference in REFERENCES:
                    name = f"{bot}.{phase}.{measure}.{reference}"
                    figure = _figure(name, rounds, bot, phase, measure, reference)
                    if figure:
                        found[name] = figure
        found |= _statements(bot, statements[bot])
    return found


def _figure(name: str, rounds: Sequence[Round], bot: Name, phase: str, measure: str, reference: Name) -> Figure | None:
    def values(target: Name) -> list[float | None]:
        return [_value(one, target, phase, measure) for one in rounds]

    own, floor, theirs = values(bot), values("floor"), values(reference)
    ratios = [mine / other for mine, other in zip(own, theirs, strict=True) if mine is not None and other]
    value, target = _median(own), TARGETS.get(name)
    if not ratios or value is None:
        return None
    ratio = statistics.median(ratios)
    met = None if target is None else (ratio >= target if measure in MORE_IS_BETTER else ratio <= target)
    peer = None if reference == "floor" else _median(theirs)
    return Figure(
        value, UNITS[measure], _median(floor), peer, ratio, min(ratios), max(ratios), len(ratios), target, met
    )


def _value(measured: Round, target: Name, phase: str, measure: str) -> float | None:
    for one in measured:
        if (one.target, one.phase) == (target, phase):
            usable = one.load.answers and one.load.faults <= _FAULTY * one.load.answers
            return one.values[measure] if usable else None
    return None


def _statements(bot: Name, counted: Sequence[Counted]) -> dict[str, Figure]:
    numbers = [len(one.statements) for one in counted]
    target = TARGETS[f"{bot}.statements"]
    return {
        f"{bot}.statements": Figure(
            max(numbers), "statements in the worst turn", target=target, met=max(numbers) <= target
        ),
        f"{bot}.statements.mean": Figure(statistics.fmean(numbers), "statements per turn, mean"),
        f"{bot}.savepoints.mean": Figure(
            statistics.fmean(one.savepoints for one in counted), "savepoints per turn, mean"
        ),
    }


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def as_json(found: Mapping[str, Figure]) -> dict[str, dict[str, object]]:
    """The figures as bench.json holds them: name → value, floor, peer, ratio, target, met and what explains them."""
    return {
        name: {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(figure).items()}
        for name, figure in found.items()
    }


def measured_table(rounds: Sequence[Round], phases: Sequence[Phase]) -> str:
    """Medians of what every target did."""
    lines = [
        "| phase | target | messages/s | CPU µs | p50 ms | p99 ms | max ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for phase in phases:
        for target in (*REFERENCES, *BOTS):
            ones = [one for each in rounds for one in each if (one.target, one.phase) == (target, phase.name)]
            if not ones:
                continue

            def middle(values: Iterable[float], digits: int = 1) -> str:
                return f"{statistics.median(values):,.{digits}f}"

            beside = middle((one.database_cpu_us for one in ones), 0)
            cpu = middle((one.cpu_us for one in ones), 0) + (f" + {beside}" if target == "postgresql" else "")
            cells = (
                _described(phase), TITLES[target], middle((one.load.per_second for one in ones), 0), cpu,
                middle(one.load.p50_us / 1e3 for one in ones), middle(one.load.p99_us / 1e3 for one in ones),
                f"{max(one.load.max_us for one in ones) / 1e3:,.1f}",
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio_table(found: Mapping[str, Figure]) -> str:
    """One line for each measure: its ratios with their ranges, and for each target whether it is met."""
    lines = [
        "| database, phase, measure | value | ÷ floor | ÷ WeRoBot's best | ÷ WeRoBot's default | targets |",
        "|---|---:|---|---|---|---|",
    ]
    for measure in dict.fromkeys(
        name.removesuffix(f".{name.rpartition('.')[2]}") for name, one in found.items() if one.ratio
    ):
        ratios = {reference: found.get(f"{measure}.{reference}") for reference in REFERENCES}
        cells = [_ratio(one) for one in ratios.values()]
        value = next(one.value for one in ratios.values() if one)
        targets = "; ".join(
            _verdict(measure, reference, one) for reference, one in ratios.items() if one and one.target
        )
        lines.append(f"| {measure} | {value:,.1f} | {' | '.join(cells)} | {targets} |")
    for name, one in found.items():
        if one.ratio is None:
            verdict = "" if one.target is None else f"at most {one.target:g}: {_MET[bool(one.met)]}"
            lines.append(f"| {name} | {one.value:,.1f} | | | | {verdict} |")
    return "\n".join(lines)


_MET = {True: "met", False: "**missed**"}


def _ratio(one: Figure | None) -> str:
    return "" if one is None else f"{one.ratio:.2f} ({one.least:.2f} to {one.most:.2f})"


def _verdict(measure: str, reference: str, one: Figure) -> str:
    sign = "at least" if measure.rpartition(".")[2] in MORE_IS_BETTER else "at most"
    return f"{sign} {one.target:g} × {reference}: {_MET[bool(one.met)]}"


def _described(phase: Phase) -> str:
    if phase.rate:
        return f"{phase.rate:.0f} messages/s"
    return f"{phase.lanes} connections"
