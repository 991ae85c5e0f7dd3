"""One request of the bot, read completely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.jsons import Json, ShapeError


@dataclass
class Call:
    """What a handler of the API gets."""

    request: web.Request
    query: Mapping[str, str]
    body: bytes
    ip: str
    escapes_stand: bool

    def asked(self) -> Json:
        """The query as an object."""
        return dict(self.query)

    def json(self) -> Json:
        r"""The body as an object, \u escapes read or left as they stand; raises ApiError 44002 or 47001."""
        if not self.body:
            raise ApiError(44002)
        try:
            return jsons.load(self.body, literal_escapes=self.escapes_stand)
        except ShapeError as error:
            raise ApiError(47001) from error
