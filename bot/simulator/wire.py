"""How the control API answers, and how it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.simulator import jsons
from bot.simulator.acts import NotPossibleError
from bot.simulator.clock import ClockError
from bot.simulator.jsons import Json, ShapeError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusing(handler: Handler) -> Handler:
    """Turn what a caller did wrong into HTTP 400 with one sentence."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ShapeError, NotPossibleError, ClockError) as error:
            return answer({"error": str(error)}, status=400)

    return handle


def answer(data: Json, status: int = 200) -> web.Response:
    """JSON with readable characters."""
    return web.Response(text=jsons.dump(data), status=status, content_type="application/json")
