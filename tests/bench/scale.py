"""How much is measured: the whole bench, or a short one that says whether everything works and about how fast."""

from dataclasses import dataclass

from tests.bench.targets import BOTS, Name


@dataclass(frozen=True)
class Scale:
    """Sizes and times; `bots` are the databases that are measured."""

    rounds: int
    seconds: float
    """Of one phase of a conversation."""
    burst: int
    """People who write at the same moment."""
    name: str
    bots: tuple[Name, ...] = BOTS


FULL = Scale(rounds=3, seconds=4.0, burst=3000, name="full")
QUICK = Scale(rounds=1, seconds=1.5, burst=3000, name="quick")
