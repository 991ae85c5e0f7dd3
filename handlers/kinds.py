"""What a kind of task declares; the table of all kinds is in `handlers.routes`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.turn import Turn
from storage.tasks import Task


@dataclass(frozen=True)
class TaskKind:
    """One kind of obligation. A new mechanism is a new declaration."""

    due: Callable[[Turn, Task], None]
    """What happens at `next_at`: ask first whether it is still true, act, and set when to look again."""
    line: Callable[[Turn, Task], str]
    """How it reads in the requested list of tasks (one line, without its number)."""
    pick: Callable[[Turn, Task], None] | None = None
    """What opens when its holder names its number; None: nothing to answer in the chat."""
    ahead: Callable[[Turn, Task], Any] | None = None
    """Reads what takes long, before `due` and where nobody waits for it; `due` finds it in `turn.ahead`, or None."""
    together: Callable[[Turn, Sequence[int]], Collection[int]] | None = None
    """Does what is plain for many at once (their ids; gives those it did), so that a day's thousands cost little."""
