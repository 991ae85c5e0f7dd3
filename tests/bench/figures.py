"""From measurements to figures: ratios within a round, their medians and ranges, the table and bench.json."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from tests.bench.goals import GOALS

AGAINST: dict[str, str] = {
    "floor": "the floor",
    "werobot": "WeRoBot's best",
    "werobot_sessions": "WeRoBot's default",
    "quiet": "the same bot when nothing else is due",
    "core": "the bare loop in SQLAlchemy Core",
    "few": "the same bot with fewer",
    "wechatpy": "wechatpy's own client",
    "ideal": "sends at once ÷ latency",
    "join": "the plain join of all visits",
    "one": "one process",
}
"""What a ratio is taken to, by the last part of its name."""
FLOORS = frozenset({"floor", "quiet", "core", "few", "ideal", "join", "one"})
"""Those that are no other bot's."""


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
    stretch: float | None = None
    met: bool | None = None
    surpassed: bool | None = None
    """Whether the stretch target is met too."""
    note: str = ""


@dataclass
class Findings:
    """What one group of measurements found."""

    figures: dict[str, Figure] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    """A sentence for each wrong answer and each lost or doubled row of the bot."""
    beside: list[str] = field(default_factory=list)
    """What peers did wrong, and what else the reader should know."""
    tables: list[str] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        """Take over what another group found."""
        self.figures |= other.figures
        self.wrong += other.wrong
        self.beside += other.beside
        self.tables += other.tables

    def ratio(
        self, name: str, unit: str, own: Sequence[float | None], other: Sequence[float | None], note: str = ""
    ) -> None:
        """Compare round by round; rounds in which one of the two is not known are left out."""
        pairs = [(mine, theirs) for mine, theirs in zip(own, other, strict=True) if mine is not None and theirs]
        if not pairs:
            return
        ratios = [mine / theirs for mine, theirs in pairs]
        reference = statistics.median(theirs for _, theirs in pairs)
        is_floor = name.rpartition(".")[2] in FLOORS
        ratio = statistics.median(ratios)
        self.figures[name] = _judged(
            name, ratio, value=statistics.median(mine for mine, _ in pairs), unit=unit,
            floor=reference if is_floor else None, peer=None if is_floor else reference, ratio=ratio,
            least=min(ratios), most=max(ratios), rounds=len(ratios), note=note,
        )  # fmt: skip

    def plain(self, name: str, unit: str, value: float, note: str = "") -> None:
        """A figure that is compared with nothing but its goal."""
        self.figures[name] = _judged(name, value, value=value, unit=unit, note=note)

    def missed(self, name: str, unit: str, value: float, note: str) -> None:
        """A goal that could not even be tried."""
        goal = GOALS[name]
        self.figures[name] = Figure(value, unit, target=goal.bound, stretch=goal.stretch, met=False, note=note)


def _judged(name: str, judged: float, **known: float | str | None) -> Figure:
    goal = GOALS.get(name)
    if goal is not None:
        known |= {
            "target": goal.bound, "stretch": goal.stretch, "met": goal.is_met_by(judged),
            "surpassed": goal.is_surpassed_by(judged),
        }  # fmt: skip
    return Figure(**known)  # type: ignore[arg-type]  # the callers above name only its fields


def median(values: Iterable[float | None]) -> float | None:
    """The median of those that are known; None of none."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def as_json(found: Mapping[str, Figure]) -> dict[str, dict[str, object]]:
    """The figures as bench.json holds them: name → value, floor, peer, ratio, target, met and what explains them."""
    return {
        name: {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(figure).items()}
        for name, figure in found.items()
    }


def table(found: Mapping[str, Figure]) -> str:
    """One line for each figure that has a goal, and which of them are missed."""
    lines = [
        "| figure | value | compared with | ratio (range of the rounds) | goal | |",
        "|---|---:|---|---|---|---|",
    ]
    wanted = {name: one for name, one in found.items() if one.target is not None}
    for name, one in wanted.items():
        cells = (
            name,
            f"{_number(one.value)} {one.unit}",
            _reference(name, one),
            _ratio(one),
            GOALS[name],
            _verdict(one),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    missed = [name for name, one in wanted.items() if not one.met]
    lines += ["", f"Met: {len(wanted) - len(missed)} of {len(wanted)}. Missed: {', '.join(missed) or 'none'}."]
    notes = {name: one.note for name, one in found.items() if one.note}
    lines += ["", *(f"* {name}: {note}" for name, note in notes.items())] if notes else []
    return "\n".join(lines)


def _reference(name: str, one: Figure) -> str:
    reference = one.floor if one.floor is not None else one.peer
    return "" if reference is None else f"{AGAINST[name.rpartition('.')[2]]}, {_number(reference)}"


def _ratio(one: Figure) -> str:
    if one.ratio is None or one.least is None or one.most is None:
        return ""
    return f"{_number(one.ratio)} ({_number(one.least)} to {_number(one.most)})"


def _verdict(one: Figure) -> str:
    return "**missed**" if not one.met else "met, stretch too" if one.surpassed else "met"


def _number(value: float) -> str:
    """Three digits, and no more of what is great."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
