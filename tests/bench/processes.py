"""Two processes on one PostgreSQL beside one: messages a second where there are cores for both, else CPU a message."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from click import echo

from tests.bench import dialogues, pushes
from tests.bench.figures import Findings
from tests.bench.load import Load
from tests.bench.process import CORES
from tests.bench.rounds import FASTEST, judged_answers, missing
from tests.bench.scale import Scale
from tests.bench.targets import Bench, Running

LANES = 32
"""Connections to each process."""
ENOUGH_CORES = 4
"""Two bots, the generator and PostgreSQL."""


def measure(bench: Bench, scale: Scale) -> Findings:
    """Rounds of one process, then two, each with its own people."""
    found = Findings()
    share = int(FASTEST / 3 * scale.seconds / dialogues.mean_length())
    file = bench.folder / "processes"
    pushes.write(file, ((number, dialogues.texts(number)) for number in range(2 * share)))
    gains: list[tuple[float, float]] = []
    if "postgresql" in scale.bots:
        gains = [_round(bench, scale, share, found) for _ in range(scale.few_rounds)]
    file.unlink()
    by_speed = len(CORES) >= ENOUGH_CORES
    note = (
        "messages/s"
        if by_speed
        else f"by CPU per message, as {len(CORES)} cores are too few for two bots and a generator"
    )
    if gains:
        found.ratio(
            "postgresql.processes.two.one", "× of one", [two for _, two in gains], [one for one, _ in gains], note
        )
    return found


def _round(bench: Bench, scale: Scale, share: int, found: Findings) -> tuple[float, float]:
    """How much one process does, and how much two do."""
    one, two = (_walked(bench, scale, share, number, found) for number in (1, 2))
    echo(f"  one process {one[0]:,.0f}/s, {one[1]:,.0f} µs a message; two {two[0]:,.0f}/s, {two[1]:,.0f} µs")
    return (one[0], two[0]) if len(CORES) >= ENOUGH_CORES else (1.0, 2 * one[1] / two[1])


def _walked(bench: Bench, scale: Scale, share: int, processes: int, found: Findings) -> tuple[float, float]:
    """Messages per second, and CPU of all processes per message in µs."""
    url = bench.county_database("postgresql")
    with ExitStack() as stack:
        running = [stack.enter_context(bench.bot("postgresql", url, core=number)) for number in range(processes)]
        before = sum(one.server.cpu() for one in running)
        began = time.monotonic()
        with ThreadPoolExecutor(processes) as pool:
            loads = list(pool.map(lambda one: _load(bench, scale, share, *one), enumerate(running)))
        took = time.monotonic() - began
        for one in running:
            one.server.settle()
        cpu = sum(one.server.cpu() for one in running) - before
        found.wrong += [
            f"{processes} on postgresql: {one}" for one in (*judged_answers(loads, "processes"), *missing(url, loads))
        ]
    answers = sum(load.good for load in loads)
    return answers / took, cpu / max(1, answers) * 1e6


def _load(bench: Bench, scale: Scale, share: int, number: int, running: Running) -> Load:
    mine = range(number * share, (number + 1) * share)
    return bench.generator.run(
        running.server.port, bench.folder / "processes", mine, lanes=LANES, seconds=scale.seconds
    )
