"""Named places where a test can stop the process: between any two commits, commit and answer, send and record.

With TONGBAN_FAULT=name the process kills itself the first time it gets there, with name:n the n-th time.
`kill -9` is the honest test: nothing is closed, nothing is flushed.
"""

import os
import signal
from collections.abc import Mapping
from itertools import count

from bot.settings_errors import SettingsError, did_you_mean

VARIABLE = "TONGBAN_FAULT"

POINTS: dict[str, str] = {
    "push_received": "A push was read and opened; nothing of it is kept yet.",
    "turn_before_commit": "A turn's rows are written but not committed.",
    "turn_after_commit_before_answer": "A turn is committed; the platform has not been answered.",
    "answer_written_before_handed": "The platform has its answer; the outbox does not know yet.",
    "handed_marked": "The outbox knows that the answer was handed over.",
    "raw_kept": "Only the raw message is committed; its turn has not run.",
    "failed_turn_kept": "A handler failed; its message is marked as failed, not committed yet.",
    "send_claimed": "Outbox rows are leased; nothing is sent.",
    "send_before_request": "One message is about to be sent.",
    "send_after_request_before_record": "The platform has answered a send; its outcome is not recorded.",
    "send_recorded": "The outcome of a send is recorded.",
    "due_claimed": "Due rows are read; none is done.",
    "due_before_commit": "Due work is done but not committed.",
    "due_after_commit": "Due work is committed.",
    "media_before_fetch": "An original is about to be fetched.",
    "media_fetched_before_commit": "An original is fetched; it is not kept yet.",
    "media_kept": "An original is kept.",
    "rendition_before_decoding": "A rendition is about to be made of an original that is kept.",
    "page_before_commit": "A page's turn is written but not committed.",
    "page_after_commit_before_answer": "A page's turn is committed; the browser has no answer.",
    "gateway_after_commit_before_answer": "An event of the gateway is committed; the gateway has no answer.",
    "clock_moved": "The demo clock is moved and committed; what fell due has not run.",
    "copy_before_name": "A copy is written whole; its file has no name yet.",
    "restore_before_commit": "All rows of a copy are read into the database, not committed yet.",
    "silence_before_commit": "A time in which nothing ran is found and told; not committed yet.",
    "silence_kept": "It is committed; nothing of it is sent.",
    "batch_committed": "A command has committed one of its batches.",
}

_armed: dict[str, int] = {}
_reached: dict[str, "count[int]"] = {}


def arm(environ: Mapping[str, str]) -> None:
    """Take the fault that `environ` asks for, if any; SettingsError when there is no such point."""
    _armed.clear()
    _reached.clear()
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return
    name, _, number = wanted.partition(":")
    if name not in POINTS:
        raise SettingsError(f"{VARIABLE}: there is no fault point {name}{did_you_mean(name, POINTS).rstrip('?')}.")
    if number and not (number.isascii() and number.isdigit() and int(number) > 0):
        raise SettingsError(f"{VARIABLE}: behind {name}: belongs a number from 1 up.")
    _armed[name] = int(number or 1)
    _reached[name] = count(1)


def reach(name: str) -> None:
    """Stop here if a test asked for it."""
    if name in _armed and next(_reached[name]) == _armed[name]:
        os.kill(os.getpid(), signal.SIGKILL)
