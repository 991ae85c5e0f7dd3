"""`POST /gateway`: the gateway tells what became of an SMS or a call, and what was pressed or sent back."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from bot import faults, metrics
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.gateway import SIGNATURE, TIME, is_signed
from bot.lanes import Unavailable
from bot.turns import guarded, person_key
from handlers import routes, telephone
from handlers.policy import Policy
from handlers.turn import Turn

log = structlog.get_logger()


LOOKS, LOOK_AGAIN = 10, 0.2
"""How often, and after how many seconds, to look whether words that were asked for are known to be."""


class Event(BaseModel):
    """The body (docs/gateway.md); what is not named there is left aside."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, populate_by_name=True)

    event: str = Field(max_length=20)
    id: str | None = Field(default=None, max_length=40)
    key: str = Field(default="", max_length=8)
    text: str = Field(default="", max_length=500)
    sender: str | None = Field(default=None, alias="from", max_length=30)


class GatewayEvents:
    """Answered with what to say only when everything that follows is kept; anything else is told again."""

    def __init__(self, secret: str, database: Database, clock: Clock, policy: Policy, wake: Callable[[], None]) -> None:
        self._secret, self._database, self._clock, self._policy = secret, database, clock, policy
        self._wake = wake

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [web.post("/gateway", self.take)]

    async def _said(self, told: telephone.Told) -> str | None:
        """What to say back; None when the words it is about stay on their way out for longer than a moment."""
        for _ in range(LOOKS):
            work = partial(_run, now=self._clock.now(), told=told, policy=self._policy)
            said = await self._database.run(work, Lane.CHAT, _key(told))
            if said is not None:
                return said
            await asyncio.sleep(LOOK_AGAIN)
        return None

    async def take(self, request: web.Request) -> web.Response:
        """One event; a second time it changes nothing."""
        body = await request.read()
        moment, signature = request.headers.get(TIME, ""), request.headers.get(SIGNATURE, "")
        if not is_signed(self._secret, moment, signature, body, time.time()):
            return web.json_response({"error": "wrong or old signature"}, status=401)
        try:
            event = Event.model_validate_json(body)
        except ValidationError:
            return web.json_response({"error": "not an event of docs/gateway.md"}, status=400)
        told = telephone.Told(event.event, event.id, event.sender, event.key or event.text)
        try:
            said = await self._said(told)
        except (Unavailable, Failed) as error:
            if isinstance(error, Failed):
                log.error("gateway_event_failed", happened=event.event, error=str(error))  # noqa: TRY400 - no more to tell
            return web.json_response({"error": "not now"}, status=503)
        if said is None:
            return web.json_response({"error": "too early"}, status=503)
        faults.reach("gateway_after_commit_before_answer")
        self._wake()
        metrics.turns.labels("telephone").inc()
        return web.json_response({"say": said}, dumps=partial(json.dumps, ensure_ascii=False))


def _key(told: telephone.Told) -> int:
    return person_key(told.job_id or told.sender or "")


class Failed(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """What the event asks for could not be done; where, without anybody's words."""


def _run(connection: Connection, now: datetime, told: telephone.Told, policy: Policy) -> str | None:
    """One event in one transaction; a refusal is said."""
    turn = Turn(connection, now, policy, kinds=routes.TASKS)
    said: list[str | None] = []
    error = guarded(turn, lambda: said.append(telephone.heard(turn, told)))
    if error is not None:
        raise Failed(error)
    return said[0] if said else "\n".join(turn.said)
