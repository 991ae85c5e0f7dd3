"""The bot as a process of its own that can be killed, begun in a moment.

Reading the program's modules takes longer than all that a start does. So one process reads them and stands by, and each
start is a fork of it that runs the command line from the beginning: nothing is shared with the one that was killed.
"""

import asyncio
import multiprocessing
import os
import sys
from pathlib import Path

from bot.__main__ import main

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


class Program:
    """A running command."""

    def __init__(self, words: list[str], environ: dict[str, str], log: Path) -> None:
        self._process = _PROCESSES.Process(target=_run, args=(words, environ, log))
        self._process.start()
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._process.sentinel, self._end)

    def _end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self._ended.set()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; a signal's number is negative; None while it runs."""
        return self._process.exitcode if self._ended.is_set() else None

    def stop(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()

    async def wait(self) -> None:
        """Until it has ended."""
        await self._ended.wait()


def _run(words: list[str], environ: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environ)
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    main(words)
