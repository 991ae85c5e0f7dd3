"""The groups of measurements, in the order in which `make bench` takes them; ONLY=name takes one."""

from collections.abc import Callable, Mapping

from tests.bench import chat, memory, outbox, processes, statements, sweep
from tests.bench.figures import Findings
from tests.bench.scale import Scale
from tests.bench.targets import Bench

Group = Callable[[Bench, Scale], Findings]
GROUPS: Mapping[str, Group] = {
    "chat": chat.measure,
    "statements": statements.measure,
    "sweep": sweep.measure,
    "outbox": outbox.measure,
    "processes": processes.measure,
    "memory": memory.measure,
}
