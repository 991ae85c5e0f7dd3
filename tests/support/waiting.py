"""Waiting for what happens elsewhere: looked at again and again until a deadline, never slept for."""

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
PAUSE = 0.02


@overload
async def eventually(predicate: Callable[[], Awaitable[T]], seconds: float = ...) -> T: ...


@overload
async def eventually(predicate: Callable[[], T], seconds: float = ...) -> T: ...


async def eventually(predicate: Callable[[], T | Awaitable[T]], seconds: float = 5.0) -> T:
    """Return the first true value of `predicate`, which may be async and may assert.

    Raises AssertionError when it is still false, or still fails, after `seconds`.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while True:
        failed: AssertionError | None = None
        try:
            value = predicate()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
        except AssertionError as failure:
            failed = failure
        if clock() >= deadline:
            message = f"not so within {seconds} s: {inspect.getsource(predicate).strip()}"
            raise AssertionError(message) from failed
        await asyncio.sleep(PAUSE)


def free_port() -> int:
    """Return a TCP port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
