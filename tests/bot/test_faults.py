"""Fault points stop a real process with SIGKILL, exactly where they were asked to."""

import re
import signal
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

from bot import faults
from bot.settings_errors import SettingsError

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os
from bot import faults
faults.arm(os.environ)
for step in ("turn_before_commit", "send_claimed", "turn_before_commit", "turn_before_commit"):
    faults.reach(step)
    print(step, flush=True)
"""


def run(fault: str | None) -> tuple[int, list[str], str]:
    """Exit status, the steps it got past, and what it complained about."""
    environ = {"PYTHONPATH": str(ROOT)} | ({} if fault is None else {"TONGBAN_FAULT": fault})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("fault", "passed"),
    [
        ("turn_before_commit", 0),
        ("turn_before_commit:1", 0),
        ("send_claimed", 1),
        ("turn_before_commit:2", 2),
        ("turn_before_commit:3", 3),
    ],
)
def test_the_process_is_killed_the_nth_time_it_gets_there(fault: str, passed: int) -> None:
    status, steps, complaint = run(fault)
    assert status == -signal.SIGKILL
    assert len(steps) == passed
    assert complaint == ""


@pytest.mark.parametrize("fault", [None, "", "turn_before_commit:4", "due_claimed"])
def test_nothing_happens_where_no_fault_was_asked_for(fault: str | None) -> None:
    status, steps, _ = run(fault)
    assert (status, len(steps)) == (0, 4)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("turn_befor_commit", "did you mean turn_before_commit"),
        ("nowhere", "no fault point nowhere"),
        ("turn_before_commit:0", "from 1 up"),
        ("turn_before_commit:x", "from 1 up"),
        ("turn_before_commit:-1", "from 1 up"),
    ],
)
def test_a_fault_that_cannot_be_is_one_sentence(fault: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as error:
        faults.arm({"TONGBAN_FAULT": fault})
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
    assert run(fault)[0] == 1


def test_every_point_in_the_code_is_declared_with_a_sentence() -> None:
    used = set()
    for path in (ROOT / "bot").rglob("*.py"):
        used |= set(re.findall(r"""\breach\(\s*["'](\w+)["']""", path.read_text(encoding="utf-8")))
    assert used
    assert used - set(faults.POINTS) == set()
    assert all(sentence.endswith(".") for sentence in faults.POINTS.values())


def test_an_unarmed_point_costs_next_to_nothing() -> None:
    faults.arm({})
    assert min(timeit.repeat(lambda: faults.reach("turn_before_commit"), number=10_000, repeat=5)) < 0.02
