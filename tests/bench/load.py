"""The load generator: our small C program where there is a compiler, else the same in Python, which is slower."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.process import GENERATOR_CORES, ROOT, pinned

HERE = Path(__file__).parent
MARK = "MsgSignature"
"""In every sound answer in safe mode."""


@dataclass(frozen=True)
class Load:
    """What the generator saw; times in microseconds."""

    answers: int
    good: int
    blank: int
    """Answers that only said that the message was taken: its reply comes otherwise."""
    bad: int
    """Answers that were nothing of this."""
    broken: int
    """Messages without an answer."""
    dialogues: int
    complete: int
    """Dialogues whose every message got a reply."""
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    late_us: float
    """How late the generator itself once was."""
    own_cpu_s: float

    @property
    def per_second(self) -> float:
        """Good replies per second."""
        return self.good / self.seconds if self.seconds else 0.0

    @property
    def faults(self) -> int:
        """What nothing can be said for."""
        return self.bad + self.broken


@dataclass(frozen=True)
class Generator:
    """How to run it."""

    command: tuple[str, ...]
    name: str

    def run(
        self,
        port: int,
        file: Path,
        dialogues: range,
        *,
        lanes: int,
        seconds: float,
        rate: float = 0.0,
        most: int = 0,
        sample: Path | None = None,
        every: int = 7,
    ) -> Load:
        """Send the messages (`most` of each; 0: all) of `dialogues` for so many seconds; `rate` 0: a closed loop."""
        options = {
            "-p": port, "-f": file, "-a": dialogues.start, "-b": dialogues.stop, "-c": lanes, "-t": seconds,
            "-r": rate, "-n": most, "-m": MARK, **({"-k": every, "-o": sample} if sample else {}),
        }  # fmt: skip
        words = [str(word) for option in options.items() for word in option]
        with pinned(GENERATOR_CORES):
            done = subprocess.run([*self.command, *words], check=True, capture_output=True, text=True, cwd=ROOT)
        return Load(**json.loads(done.stdout))


def built(folder: Path) -> Generator:
    """The generator for this machine."""
    source, program = HERE / "load.c", folder / "load"
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return Generator((sys.executable, "-m", "tests.bench.slow_load"), "Python (no C compiler here)")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return Generator((str(program),), "C")


def sampled(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Dialogue, turn and body of every answer that was kept."""
    kept, at = path.read_bytes(), 0
    while at < len(kept):
        dialogue, turn, length = struct.unpack_from("<III", kept, at)
        at += 12
        yield dialogue, turn, kept[at : at + length]
        at += length
