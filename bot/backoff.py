"""How long to wait before the next try: doubled each time, and not all at the same moment."""

from datetime import timedelta

_SPREAD = 0.2
_MULTIPLIER, _STEPS = 2_654_435_761, 1024
"""Knuth's multiplicative hash: neighbouring ids land far apart."""


def wait(first: timedelta, longest: timedelta, attempts: int, row_id: int) -> timedelta:
    """The wait after `attempts` earlier tries of a row; up to a fifth shorter by its id (jitter)."""
    doubled: timedelta = first * 2 ** min(attempts, 10)
    share = (row_id * _MULTIPLIER >> 16) % _STEPS / (_STEPS - 1)
    return min(doubled, longest) * (1 - _SPREAD * share)
