"""What is wanted of each figure: the ratios of issue 4 and of the reference for performance, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """At least (or `most`: at most) so much; `stretch` is what a very good bot would reach."""

    bound: float
    stretch: float | None = None
    most: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether the value is good enough."""
        return value <= self.bound if self.most else value >= self.bound

    def is_surpassed_by(self, value: float) -> bool | None:
        """Whether it is as good as a very good bot's; None when there is no such mark."""
        if self.stretch is None:
            return None
        return value <= self.stretch if self.most else value >= self.stretch

    def __str__(self) -> str:
        stretch = "" if self.stretch is None else f" (stretch {self.stretch:g})"
        return f"{'at most' if self.most else 'at least'} {self.bound:g}{stretch}"


def _least(bound: float, stretch: float | None = None) -> Goal:
    return Goal(bound, stretch)


def _most(bound: float, stretch: float | None = None) -> Goal:
    return Goal(bound, stretch, most=True)


_ON_BOTH: dict[str, Goal] = {
    "200s.p99.floor": _most(8, 5),
    "200s.max": _most(500),
    "1000s.p99.floor": _most(12, 8),
    "1000s.max": _most(500),
    "3000.answered": _least(1),
    "3000.last.floor": _most(2.0, 1.4),
    "3000.last": _most(5),
    "pss": _most(150),
    "statements": _most(8),
    "stalls.p99.quiet": _most(10, 5),
    "sweep.per_second.core": _least(0.5, 0.8),
    "sweep.many.per_second.few": _least(0.7, 0.85),
    "sweep.doubles": _most(0),
    "outbox.per_second.wechatpy": _least(3, 5),
    "outbox.slow.per_second.ideal": _least(0.8, 0.9),
    "digest.ms.join": _most(1 / 200, 1 / 500),
    "digest.differences": _most(0),
    "memory.growth.few": _most(1.2),
}
GOALS: dict[str, Goal] = {
    **{f"{database}.{name}": goal for database in ("sqlite", "postgresql") for name, goal in _ON_BOTH.items()},
    "sqlite.16.per_second.werobot": _least(1.0, 1.3),
    "sqlite.64.per_second.werobot": _least(1.2, 1.7),
    "sqlite.16.per_second.floor": _least(0.28, 0.40),
    "sqlite.64.per_second.floor": _least(0.28, 0.45),
    "sqlite.16.cpu.werobot": _most(1.0, 0.75),
    "sqlite.64.cpu.werobot": _most(1.0, 0.75),
    "sqlite.16.per_second.werobot_sessions": _least(4, 6),
    "postgresql.16.per_second.werobot": _least(0.4, 0.6),
    "postgresql.64.per_second.werobot": _least(0.5, 0.9),
    "postgresql.processes.two.one": _least(1.7),
    "postgresql.sweep.two.doubles": _most(0),
}
"""Figure → goal; the name of a ratio ends with what it is taken to."""
