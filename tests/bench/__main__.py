"""`make bench`: the report dialogue's speed as ratios to the floor and to WeRoBot; writes build/bench.json."""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from click import echo

from tests.bench import machine
from tests.bench.county import County
from tests.bench.figures import as_json, figures, measured_table, ratio_table
from tests.bench.load import built
from tests.bench.postgres import durable_server
from tests.bench.process import GENERATOR_CORES, ROOT, SERVER_CORES
from tests.bench.rounds import Measured, Phase, Plan, walk
from tests.bench.statements import count
from tests.bench.targets import BOTS, TITLES, Bench, Name, accepting_platform
from tests.support.databases import SqliteDatabases

FOLDER, RESULT = ROOT / "build" / "bench", ROOT / "build" / "bench.json"
PEERS = ROOT / "build" / "bench-venv" / "bin" / "python"
TARGETS: tuple[Name, ...] = ("floor", "werobot", "werobot_sessions", "sqlite", "postgresql")


def main() -> int:
    """Measure and print; 1 when a target lost or garbled anything."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="about two minutes instead of ten")
    options.add_argument("--only", help="only these targets, with commas between; nothing is written")
    options.add_argument("--statements", action="store_true", help="only count statements, and show the longest turns")
    wanted = options.parse_args()
    if sys.platform != "linux":
        echo("make bench: measuring needs Linux (it reads /proc and pins processes to cores).", err=True)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="run-", dir=FOLDER) as folder,
        durable_server() as postgres,
        accepting_platform(FOLDER) as platform,
    ):
        bench = Bench(FOLDER, PEERS, County(Path(folder)), SqliteDatabases(Path(folder)), postgres, platform)
        if wanted.statements:
            return _show_statements(bench)
        names = tuple(name for name in TARGETS if not wanted.only or name in wanted.only.split(","))
        return _measure(bench, names, quick=wanted.quick, write=not wanted.only)


def _measure(bench: Bench, names: tuple[Name, ...], *, quick: bool, write: bool) -> int:
    seconds, rounds = (2.0, 2) if quick else (4.0, 5)
    phases = (Phase("16", 16, seconds), Phase("64", 64, seconds), Phase("200s", 64, seconds * 1.5, rate=200))
    plan = Plan(phases, FOLDER / "messages", built(FOLDER), FOLDER / "sample")
    began = time.monotonic()
    echo(f"{plan.write():,} messages made in {time.monotonic() - began:.0f} s; load generator: {plan.generator.name}")
    echo(f"machine: {machine.described(FOLDER)}")
    beside, _ = machine.fsync(bench.postgres.folder)
    echo(f"PostgreSQL {bench.postgres.version}, fdatasync where it keeps its data {beside:.2f} ms")
    apart = SERVER_CORES != GENERATOR_CORES
    beside = "the generator to another" if apart else "the generator to the same, as there is no other"
    echo(f"every server is pinned to one core and {beside}; PostgreSQL is not pinned")
    _show_ceiling(bench, plan)
    measured: list[list[Measured]] = []
    wrong: list[str] = []
    for number in range(rounds):
        measured.append([])
        for name in names if number % 2 == 0 else names[::-1]:
            found, faults = walk(bench, plan, name)
            measured[-1] += found
            wrong += faults
            speeds = ", ".join(f"{one.phase}: {one.load.per_second:,.0f}/s {one.cpu_us:,.0f} µs" for one in found)
            echo(f"round {number + 1} of {rounds}: {name}: {speeds}")
    plan.file.unlink()
    statements = {name: count(bench.county_database(name)) for name in BOTS}
    echo(f"\n{measured_table(measured, phases)}\n")
    if write:
        found_all = figures(measured, statements)
        RESULT.write_text(json.dumps(as_json(found_all), indent=1) + "\n", "utf-8")
        echo(f"{ratio_table(found_all)}\n")
        missed = [name for name, one in found_all.items() if one.met is False]
        echo(f"targets missed: {', '.join(missed) or 'none'}")
    for sentence in wrong:
        echo(f"WRONG {sentence}")
    echo(f"took {time.monotonic() - began:.0f} s")
    return 1 if any(sentence.startswith(BOTS) for sentence in wrong) else 0


def _show_ceiling(bench: Bench, plan: Plan) -> None:
    with bench.start("constant") as running:
        load = plan.generator.run(running.server.port, plan.file, range(1500), lanes=64, seconds=2)
    echo(
        f"the generator's own ceiling is above {load.per_second:,.0f} messages/s "
        f"({load.own_cpu_s / max(1, load.answers) * 1e6:.0f} µs of its CPU each)"
    )


def _show_statements(bench: Bench) -> int:
    for name in BOTS:
        counted = sorted(count(bench.county_database(name)), key=lambda one: -len(one.statements))
        mean = sum(len(one.statements) for one in counted) / len(counted)
        echo(f"{TITLES[name]}: {mean:.1f} statements per turn, at most {len(counted[0].statements)}")
        for one in {one.statements: one for one in counted}.values() if name == "sqlite" else ():
            echo(f"{len(one.statements)} statements, {one.savepoints} savepoints: {one.text}")
            echo("\n".join(f"    {statement[:150]}" for statement in one.statements))
    return 0


if __name__ == "__main__":
    sys.exit(main())
