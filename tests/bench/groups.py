"""The groups of measurements, in the order in which `make bench` takes them; ONLY=name takes one."""

from collections.abc import Callable, Mapping

from tests.bench import chat, digest, memory, outbox, processes, stalls, statements, sweep
from tests.bench.figures import Findings
from tests.bench.scale import Scale
from tests.bench.targets import Bench

Group = Callable[[Bench, Scale], Findings]
GROUPS: Mapping[str, Group] = {
    "chat": chat.measure,
    "statements": statements.measure,
    "stalls": stalls.measure,
    "sweep": sweep.measure,
    "outbox": outbox.measure,
    "digest": digest.measure,
    "processes": processes.measure,
    "memory": memory.measure,
}
