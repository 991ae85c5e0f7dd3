"""Servers as processes of their own: pinned to a core, waited for, their CPU read from /proc, stopped again."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from click import echo

ROOT = Path(__file__).resolve().parents[2]
_TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [0]
SERVER_CORES, GENERATOR_CORES = ({CORES[0]}, {CORES[1]}) if len(CORES) > 1 else (set(CORES), set(CORES))
PATIENCE = 120.0
"""Seconds for a server to start, or to stop with all that it still has to finish."""
READY = "ready\n"


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of CPU it has used, threads included."""
        fields = _stat(self.process.pid)
        return (int(fields[11]) + int(fields[12])) / _TICK

    def pss_mb(self) -> float:
        """Its memory with its share of what it has in common with others, in MB."""
        told = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text("ascii")
        return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")) / 1024

    def settle(self, most: float = 120.0) -> None:
        """Wait until what follows from the last messages is done: it uses less than a tenth of its core."""
        deadline = time.monotonic() + most
        before = self.cpu()
        while time.monotonic() < deadline:
            pause(0.3)
            after = self.cpu()
            if after - before <= 0.03:
                return
            before = after


def server_cores(number: int) -> set[int]:
    """Where server `number` runs: on a core of its own, if there is one besides the generator's."""
    others = [core for core in CORES if core not in GENERATOR_CORES] or CORES
    return {others[number]} if number < len(others) else set(CORES)


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Processes started meanwhile run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def serving(
    command: Sequence[str | Path], log: Path, *, port: int, cwd: Path, cores: set[int], environ: Mapping[str, str]
) -> Iterator[Server]:
    """Run a server that listens on `port` (which it also finds in PORT); stop it politely afterwards."""
    environment = {**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT), **environ}
    with log.open("ab") as output, pinned(cores):
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=output)
    try:
        wait_for(lambda: _listens(port, process, log))
        yield Server(port, process)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # whatever it had answered for must be there all the same, and is counted
            process.wait()
            echo(f"  it did not stop within {PATIENCE:.0f} s of being asked to, and was killed; see {log}", err=True)


def together(commands: Sequence[Sequence[str | Path]], cores: set[int]) -> list[dict[str, float]]:
    """Run programs that say `ready`, are told to go all at once, and print one line of JSON: what each printed."""
    with ExitStack() as stack, pinned(cores):
        running = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            for command in commands
        ]
        for one in running:
            assert one.stdout is not None
            if one.stdout.readline() != READY:
                raise RuntimeError(f"{' '.join(map(str, one.args))} did not become ready")  # type: ignore[arg-type]  # a list
        for one in running:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        told = [one.communicate()[0] for one in running]
    return [json.loads(one) for one in told]


def get_ready() -> None:
    """The other side of `together`."""
    sys.stdout.write(READY)
    sys.stdout.flush()
    sys.stdin.readline()


def wait_for(there: Callable[[], bool]) -> None:
    """Look again and again until it is there; raises TimeoutError after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError("a server did not start in time")
        pause(0.05)


def pause(seconds: float) -> None:
    """Let the others have the machine."""
    threading.Event().wait(seconds)


def children_cpu(pid: int) -> float:
    """Seconds of CPU of a process with all its children, dead ones included."""
    ticks = sum(map(int, _stat(pid)[11:15]))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) and int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _listens(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"a server stopped while starting:\n{log.read_text('utf-8', 'replace')[-2000:]}")
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True
