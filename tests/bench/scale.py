"""How much is measured: the whole bench, or a short one that says whether everything works and about how fast."""

from dataclasses import dataclass

from tests.bench.targets import BOTS, Name


@dataclass(frozen=True)
class Scale:
    """Sizes and times; `bots` are the databases that are measured."""

    rounds: int
    few_rounds: int
    """Of what takes long to set up."""
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
    rounds=3, few_rounds=2, seconds=3.0, burst=3000, due=100_000, few=1_000_000, many=5_000_000, sweep_seconds=6,
    stall_seconds=10, sends=3000, messages=100_000, memory_seconds=200, cases=1_000_000, visits=5_000_000,
)  # fmt: skip
QUICK = Scale(
    rounds=1, few_rounds=1, seconds=1.5, burst=3000, due=10_000, few=40_000, many=200_000, sweep_seconds=2,
    stall_seconds=3, sends=400, messages=2_000, memory_seconds=8, cases=40_000, visits=200_000,
)  # fmt: skip
