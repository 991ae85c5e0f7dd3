"""How much work something is, told without a clock, so that a slow machine changes nothing."""

import sys
from collections.abc import Callable


def calls(act: Callable[[], object]) -> int:
    """How many functions are called while `act` runs, those written in C included."""
    count = 0

    def note(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
