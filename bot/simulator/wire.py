"""How the control API reads, answers and refuses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.simulator import jsons, multipart
from bot.simulator.acts import NotPossibleError
from bot.simulator.clock import ClockError
from bot.simulator.jsons import Json, ShapeError
from bot.simulator.world import NumberTakenError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusing(handler: Handler) -> Handler:
    """Turn what a caller did wrong into HTTP 400 with one sentence."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ShapeError, NotPossibleError, ClockError, NumberTakenError) as error:
            return answer({"error": str(error)}, status=400)

    return handle


def answer(data: Json, status: int = 200) -> web.Response:
    """JSON with readable characters."""
    return web.Response(text=jsons.dump(data), status=status, content_type="application/json")


async def body_of(request: web.Request) -> Json:
    """The JSON object of a control request; an empty body is an empty object. Raises ShapeError."""
    raw = await request.read()
    return jsons.load(raw) if raw.strip() else {}


async def upload_of(request: web.Request) -> tuple[Json, bytes, str]:
    """Fields, bytes and content type of a posted file: multipart, `{base64, content_type}`, or bare bytes."""
    kind, raw = request.headers.get("Content-Type", ""), await request.read()
    if kind.startswith("multipart/"):
        parts = multipart.parse(kind, raw)
        fields: Json = {part.name: part.data.decode(errors="replace") for part in parts if not part.filename}
        file = next((part for part in parts if part.filename), None)
        if file is None:
            msg = "the form holds no file"
            raise ShapeError(msg)
        return fields, file.data, file.content_type
    if kind.startswith("application/json"):
        data = jsons.load(raw)
        return data, unpacked(jsons.text(data, "base64")), jsons.text(data, "content_type", "")
    return dict(request.query), raw, kind


def unpacked(text: str) -> bytes:
    """The bytes behind base64; raises ShapeError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ShapeError("base64 cannot be read") from error
