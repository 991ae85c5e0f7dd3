"""`make bench`: the ratios of issue 4, each beside its floor or peer; writes build/bench.json and build/bench.md."""

import argparse
import json
import resource
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from click import echo

from tests.bench import machine, pushes, statements
from tests.bench.county import County
from tests.bench.figures import Findings, as_json, table
from tests.bench.goals import GOALS
from tests.bench.groups import GROUPS
from tests.bench.load import built
from tests.bench.postgres import durable_server
from tests.bench.process import GENERATOR_CORES, ROOT, SERVER_CORES
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.targets import BOTS, Bench, accepting_platform
from tests.support.databases import SqliteDatabases

FOLDER, RESULT = ROOT / "build" / "bench", ROOT / "build" / "bench.json"
BEGIN, END = "<!-- build/bench.md begins -->", "<!-- build/bench.md ends -->"
"""Marks in docs/performance.md."""
PEERS = ROOT / "build" / "bench-venv" / "bin" / "python"


def main() -> int:
    """Measure and print; 1 when the bot answered anything wrongly, or lost or doubled it. A missed goal is no error."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="three minutes instead of twenty, and smaller sizes")
    options.add_argument("--only", help=f"only these groups, with commas between: {', '.join(GROUPS)}")
    options.add_argument("--on", choices=BOTS, help="only on this database")
    options.add_argument("--statements", action="store_true", help="only count statements, and show the longest turns")
    options.add_argument("--paste", action="store_true", help="put build/bench.md into docs/performance.md, no more")
    wanted = options.parse_args()
    if wanted.paste:
        paste(ROOT / "docs" / "performance.md", RESULT.with_suffix(".md").read_text("utf-8"))
        return 0
    names = wanted.only.split(",") if wanted.only else list(GROUPS)
    if unknown := set(names) - set(GROUPS):
        options.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if sys.platform != "linux":
        echo("make bench: measuring needs Linux (it reads /proc and pins processes to cores).", err=True)
        return 2
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # 3,000 connections, in the servers too
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="run-", dir=FOLDER) as name,
        durable_server() as postgres,
        accepting_platform(FOLDER) as platform,
    ):
        folder = Path(name)
        bench = Bench(FOLDER, PEERS, County(folder), SqliteDatabases(folder), postgres, platform, built(FOLDER))
        if wanted.statements:
            statements.show(bench)
            return 0
        scale = QUICK if wanted.quick else FULL
        if wanted.on:
            scale = replace(scale, bots=(wanted.on,))
        return _measure(bench, scale, names, write=not (wanted.only or wanted.on))


def _measure(bench: Bench, scale: Scale, names: Iterable[str], *, write: bool) -> int:
    began = time.monotonic()
    found = Findings()
    conditions = _conditions(bench, scale)
    echo(conditions)
    for name in names:
        begun = time.monotonic()
        echo(f"{name}:")
        try:
            found.add(GROUPS[name](bench, scale))
        except Exception as error:  # noqa: BLE001 - what the other groups took minutes for must not be lost
            traceback.print_exc()
            found.wrong.append(f"{name} could not be measured: {type(error).__name__}")
        echo(f"  took {time.monotonic() - begun:.0f} s")
    if write:
        for name in sorted(set(GOALS) - set(found.figures)):
            found.missed(name, "", 0, "could not be measured")
    tables = [conditions, *found.tables, table(found.figures)]
    if write:
        RESULT.write_text(json.dumps(as_json(found.figures), indent=1) + "\n", "utf-8")
        RESULT.with_suffix(".md").write_text("\n\n".join(tables) + "\n", "utf-8")
    echo("\n" + "\n\n".join(tables) + "\n")
    for sentence in found.beside:
        echo(f"BESIDE {sentence}")
    for sentence in found.wrong:
        echo(f"WRONG {sentence}")
    echo(f"took {time.monotonic() - began:.0f} s")
    return 1 if found.wrong else 0


def paste(page: Path, told: str) -> None:
    """Replace what stands between the page's two marks."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{told}\n{END}{after}", "utf-8")


def _conditions(bench: Bench, scale: Scale) -> str:
    """The machine, and how fast the generator is by itself."""
    file = bench.folder / "ceiling"
    pushes.write(file, ((number, ["?"] * 40) for number in range(1500)))
    with bench.start("constant") as running:
        alone = bench.generator.run(running.server.port, file, range(1500), lanes=64, seconds=2)
    file.unlink()
    middle, _ = machine.fsync(bench.postgres.folder)
    apart = SERVER_CORES != GENERATOR_CORES
    beside = "the generator to another" if apart else "the generator to the same, as there is no other"
    short = "" if scale is FULL else " A short bench: fewer rounds and smaller sizes, as the notes say."
    return (
        f"{machine.described(FOLDER)}; PostgreSQL {bench.postgres.version}, fdatasync where it keeps its data "
        f"{middle:.2f} ms. Every server is pinned to one core and {beside}; PostgreSQL is not pinned. The generator "
        f"({bench.generator.name}) alone: above {alone.per_second:,.0f} messages/s.{short}"
    )


if __name__ == "__main__":
    sys.exit(main())
