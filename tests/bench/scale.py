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
    due: int
    """Children whose visit is due, of `few` and of `many` on file."""
    few: int
    many: int
    sweep_seconds: float
    """The longest that one sweep may take."""
    stall_seconds: float
    """Of chat beside the claims of `due` children."""
    sends: int
    """Messages that wait in the outbox."""
    messages: int
    """After so many memory is looked at, and after a tenth of them."""
    memory_seconds: float
    """The longest that these may take."""
    cases: int
    visits: int
    """Of a county's ten years."""
    bots: tuple[Name, ...] = BOTS


FULL = Scale(
    rounds=3, seconds=4.0, burst=3000, due=100_000, few=1_000_000, many=5_000_000, sweep_seconds=6,
    stall_seconds=12, sends=4000, messages=100_000, memory_seconds=120, cases=1_000_000, visits=5_000_000,
)  # fmt: skip
QUICK = Scale(
    rounds=1, seconds=1.5, burst=3000, due=10_000, few=40_000, many=200_000, sweep_seconds=2,
    stall_seconds=4, sends=400, messages=4_000, memory_seconds=10, cases=40_000, visits=200_000,
)  # fmt: skip
