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
    seconds, rounds = (1.5, 2) if quick else (4.0, 5)
    phases = (Phase("16", 16, seconds), Phase("64", 64, seconds), Phase("200s", 64, seconds * 1.5, rate=200))
    plan = Plan(phases, FOLDER / "messages", built(FOLDER), FOLDER / "sample")
    began = time.monotonic()
    plan.write()
    conditions = _conditions(bench, plan)
    echo(conditions)
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
    tables = [measured_table(measured, phases)]
    if write:
        found_all = figures(measured, {name: count(bench.county_database(name)) for name in BOTS})
        RESULT.write_text(json.dumps(as_json(found_all), indent=1) + "\n", "utf-8")
        tables.append(ratio_table(found_all))
        RESULT.with_suffix(".md").write_text("\n\n".join([conditions, *tables]) + "\n", "utf-8")
    echo("\n" + "\n\n".join(tables) + "\n")
    for sentence in wrong:
        echo(f"WRONG {sentence}")
    echo(f"took {time.monotonic() - began:.0f} s")
    return 1 if any(sentence.startswith(BOTS) for sentence in wrong) else 0


def _conditions(bench: Bench, plan: Plan) -> str:
    """The machine, and how fast the generator is by itself."""
    with bench.start("constant") as running:
        alone = plan.generator.run(running.server.port, plan.file, range(1500), lanes=64, seconds=2)
    middle, _ = machine.fsync(bench.postgres.folder)
    apart = SERVER_CORES != GENERATOR_CORES
    beside = "the generator to another" if apart else "the generator to the same, as there is no other"
    return (
        f"{machine.described(FOLDER)}; PostgreSQL {bench.postgres.version}, fdatasync where it keeps its data "
        f"{middle:.2f} ms. Every server is pinned to one core and {beside}; PostgreSQL is not pinned. The generator "
        f"({plan.generator.name}) alone: above {alone.per_second:,.0f} messages/s."
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
