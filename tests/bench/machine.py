"""Which machine it was, and what a durable commit costs there."""

import os
import platform
import statistics
import time
from pathlib import Path

from tests.bench.process import CORES


def described(folder: Path) -> str:
    """One line for the table."""
    middle, slowest = fsync(folder)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_cpu()}, {len(CORES)} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}; "
        f"fdatasync of 4 KiB here {middle:.2f} ms (p99 {slowest:.2f} ms)"
    )


def fsync(folder: Path, times: int = 200) -> tuple[float, float]:
    """Median and 99th percentile of writing 4 KiB durably in `folder`, in milliseconds."""
    path, taken = folder / "fsync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            begun = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1e3)
    path.unlink()
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()
