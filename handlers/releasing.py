"""What a paused system would send and do, and its release: late, or passed over."""

from datetime import timedelta

from handlers.turn import Turn
from handlers.workdays import at, local_day
from storage import pause
from storage.pause import Waiting


def waiting(turn: Turn) -> list[Waiting] | None:
    """What a release would send and do at once; None when the system is not paused."""
    paused = pause.current(turn.connection)
    return None if paused is None else pause.waiting(turn.connection, paused, turn.now)


def release(turn: Turn, *, pass_over: bool) -> int | None:
    """End the pause; how much was passed over, None when it had ended before. Reminders passed over come tomorrow."""
    found = waiting(turn)
    if found is None:
        return None
    pause.end(turn.connection)
    if not pass_over:
        return 0
    morning = at(local_day(turn.now) + timedelta(days=1), turn.policy.prompts_from)
    return pause.pass_over(turn.connection, found, turn.now, morning)
