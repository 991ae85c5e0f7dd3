"""Whole report dialogues: throughput, CPU and latency of the bot beside the floor and WeRoBot, and the burst."""

import statistics
from collections.abc import Iterable, Sequence

from click import echo

from tests.bench.figures import Findings, median
from tests.bench.rounds import Phase, Plan, Walked, walk
from tests.bench.scale import Scale
from tests.bench.targets import BOTS, TITLES, Bench, Name

REFERENCES: tuple[Name, ...] = ("floor", "werobot", "werobot_sessions")
UNITS = {"per_second": "messages/s", "cpu": "µs of CPU per message", "p99": "ms, 99th percentile"}
_BESIDE_THE_FLOOR: tuple[Name, ...] = ("floor", *BOTS)
_WITHOUT_SESSIONS: tuple[Name, ...] = ("floor", "werobot", *BOTS)
_USABLE = 0.5
"""A peer of whose answers fewer are right is started afresh once."""


def phases(scale: Scale) -> tuple[Phase, ...]:
    """What every target is led through. WeRoBot's waitress takes 100 connections, so it is not in the burst."""
    return (
        Phase("16", 16, scale.seconds),
        Phase("64", 64, scale.seconds, targets=_WITHOUT_SESSIONS),
        Phase("200s", 64, scale.seconds * 1.5, rate=200, targets=_WITHOUT_SESSIONS),
        Phase("1000s", 64, scale.seconds, rate=1000, targets=_BESIDE_THE_FLOOR),
        Phase("3000", scale.burst, 5.0, most=1, targets=_BESIDE_THE_FLOOR),
    )


def measure(bench: Bench, scale: Scale) -> Findings:
    """Rounds over all targets, in alternating order."""
    plan = Plan(phases(scale), bench.folder / "messages", bench.generator, bench.folder / "sample")
    plan.write()
    names = (*REFERENCES, *scale.bots)
    found, rounds = Findings(), list[dict[Name, Walked]]()
    for number in range(scale.rounds):
        rounds.append({})
        for name in names if number % 2 == 0 else names[::-1]:
            walked = rounds[-1][name] = _walk(bench, plan, name)
            (found.wrong if name in BOTS else found.beside).extend(f"{name}: {one}" for one in walked.wrong)
            speeds = ", ".join(
                f"{one.phase}: {one.load.per_second:,.0f}/s {one.cpu_us:,.0f} µs" for one in walked.measured
            )
            echo(f"  round {number + 1} of {scale.rounds}: {name}: {speeds}")
    plan.file.unlink()
    for bot in scale.bots:
        _figures(found, bot, rounds, plan.phases)
    found.tables.append(_table(rounds, plan.phases, names))
    return found


def _walk(bench: Bench, plan: Plan, name: Name) -> Walked:
    walked = walk(bench, plan, name)
    if name not in BOTS and any(one.right * one.load.good < _USABLE * one.load.answers for one in walked.measured):
        return walk(bench, plan, name)
    return walked


def _figures(found: Findings, bot: Name, rounds: Sequence[dict[Name, Walked]], walked: Iterable[Phase]) -> None:
    for phase in walked:
        if phase.rate and any(one[bot].of(phase.name) is None for one in rounds):
            most = statistics.median(one[bot].fastest for one in rounds)
            for name in (f"{bot}.{phase.name}.p99.floor", f"{bot}.{phase.name}.max"):
                found.missed(name, "messages/s at the most", most, f"not tried, since {phase.rate:.0f}/s are beyond it")
        elif phase.most:
            _burst(found, bot, rounds, phase)
        else:
            _compare(found, bot, rounds, phase)
    found.plain(f"{bot}.pss", "MB", max(one[bot].pss_mb for one in rounds))


def _compare(found: Findings, bot: Name, rounds: Sequence[dict[Name, Walked]], phase: Phase) -> None:
    for measure, unit in UNITS.items():

        def values(target: Name, measure: str = measure) -> list[float | None]:
            all_of = [one[target].of(phase.name) for one in rounds]
            return [one.values[measure] if one and one.load.good else None for one in all_of]

        for reference in REFERENCES:
            found.ratio(f"{bot}.{phase.name}.{measure}.{reference}", unit, values(bot), values(reference))
    if phase.rate:
        slowest = max(one.load.max_us for each in rounds if (one := each[bot].of(phase.name)))
        found.plain(f"{bot}.{phase.name}.max", "ms, the slowest answer", slowest / 1000)


def _burst(found: Findings, bot: Name, rounds: Sequence[dict[Name, Walked]], phase: Phase) -> None:
    def last(target: Name) -> list[float | None]:
        all_of = [one[target].of(phase.name) for one in rounds]
        return [one.load.seconds if one else None for one in all_of]

    loads = [one.load for each in rounds if (one := each[bot].of(phase.name))]
    found.plain(f"{bot}.{phase.name}.answered", "of all", min(load.good for load in loads) / phase.lanes)
    found.ratio(f"{bot}.{phase.name}.last.floor", "s, the last answer", last(bot), last("floor"))
    found.plain(f"{bot}.{phase.name}.last", "s, the last answer", max(load.seconds for load in loads))


def _table(rounds: Sequence[dict[Name, Walked]], walked: Iterable[Phase], names: Iterable[Name]) -> str:
    """Medians of what every target did."""
    lines = [
        "| phase | target | messages/s | CPU µs | p50 ms | p99 ms | max ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for phase in walked:
        for target in names:
            ones = [one for each in rounds if (one := each[target].of(phase.name))]
            if not ones:
                continue

            def middle(values: Iterable[float], digits: int = 1) -> str:
                return f"{median(values):,.{digits}f}"

            beside = middle((one.database_cpu_us for one in ones), 0)
            cpu = middle((one.cpu_us for one in ones), 0) + (f" + {beside}" if target == "postgresql" else "")
            cells = (
                _described(phase), TITLES[target], middle((one.values["per_second"] for one in ones), 0), cpu,
                middle(one.load.p50_us / 1e3 for one in ones), middle(one.load.p99_us / 1e3 for one in ones),
                f"{max(one.load.max_us for one in ones) / 1e3:,.1f}",
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    memory = (f"{TITLES[name]} {max(one[name].pss_mb for one in rounds):.0f} MB" for name in names)
    return "\n".join([*lines, "", f"Memory (PSS) afterwards: {'; '.join(memory)}."])


def _described(phase: Phase) -> str:
    if phase.rate:
        return f"{phase.rate:.0f} messages/s"
    return f"{phase.lanes} at once" if phase.most else f"{phase.lanes} connections"
