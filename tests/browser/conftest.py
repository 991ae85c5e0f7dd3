"""A whole demonstration for the browser to play with."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.waiting import eventually, free_port

expect.set_options(timeout=15_000)  # a whole county runs beside the browser


@dataclass(frozen=True)
class Demo:
    """A running `tongban demo`: the address it prints, and the settings it made."""

    address: str
    config: Path

    async def run(self, *words: str) -> str:
        """What an operator's command says, given while everything runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "--config", str(self.config), *words, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0
        return said.decode()


@pytest_asyncio.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    """`tongban demo` in an empty folder."""
    folder = tmp_path / "demo"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--port", str(free_port()), "--bot-port", str(free_port()),
        "--folder", str(folder), stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = ""
    async with asyncio.timeout(90):
        while not address:
            line = (await process.stdout.readline()).decode()
            assert line, "the demo ended before it printed its address"
            found = re.search(r"http://\S+", line)
            address = found[0] if found else ""
    yield Demo(address, folder / "config.toml")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        await process.wait()
    group = process.pid
    await eventually(lambda: not _alive(group), 10)


def _alive(group: int) -> bool:
    """Whether anything of the demonstration still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the screenshots go."""
    folder = Path(os.environ.get("TONGBAN_PICTURES", str(tmp_path)))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
