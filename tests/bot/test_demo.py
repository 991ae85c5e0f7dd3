"""`tongban demo`, run twice in the same folder as a clerk would the next day."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.waiting import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PATIENCE = 90.0
TEACHER = "老师"


@asynccontextmanager
async def demo(folder: Path, port: int, bot_port: int) -> AsyncIterator[aiohttp.ClientSession]:
    """The demonstration in a folder of its own, ended as by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--folder", str(folder), "--port", str(port), "--bot-port", str(bot_port),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    seen = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while b"Open http" not in seen:
                line = await process.stdout.readline()
                assert line, seen.decode()
                seen += line
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            yield http
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0, (seen + rest).decode()


async def phone(http: aiohttp.ClientSession, name: str) -> dict[str, object]:
    """A phone of the page."""
    async with http.get("/sim/state") as answer:
        every = (await answer.json())["phones"]
    return next(one for one in every if one["name"] == name)


async def test_the_second_run_finds_the_phones_as_the_first_left_them(tmp_path: Path) -> None:
    port, bot_port = free_port(), free_port()
    async with demo(tmp_path / "demo", port, bot_port) as http:
        teacher = await phone(http, TEACHER)
        async with http.post(f"/sim/phones/{teacher['openid']}/say", json={"text": "帮助"}) as answer:
            assert answer.status == 200
        before = await phone(http, TEACHER)
        assert before["items"] == 2
    async with demo(tmp_path / "demo", port, bot_port) as http:
        again = await phone(http, TEACHER)
        assert (again["items"], again["number"], again["openid"]) == (2, before["number"], before["openid"])
