"""What tests of the bot may ask for."""

import io
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from bot import logs
from tests.world import ring

Log = Callable[[str, str], io.StringIO]


@pytest.fixture(autouse=True)
def _keys() -> None:
    """Every test begins with the same key ring, whatever the one before read from a key file."""
    ring()


@pytest.fixture
def log() -> Iterator[Log]:
    """Start logging of the whole process at a level, in a style; returns what is written until the test ends."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def start(level: str, style: str) -> io.StringIO:
        written = io.StringIO()
        logs.set_up(level, style, written)
        return written

    yield start
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
