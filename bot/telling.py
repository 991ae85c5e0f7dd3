"""Tells the county that words did not reach somebody; should that fail too, the log and `tongban check` have it."""

from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from bot.turns import guarded
from handlers import delivery
from handlers.policy import Policy
from handlers.turn import Turn

log = structlog.get_logger()


def tell(
    connection: Connection,
    outbox_id: int,
    contact_id: int,
    kind: str,
    content: dict[str, Any],
    *,
    now: datetime,
    policy: Policy,
    gone: bool,
) -> None:
    """Words that did not arrive are somebody's matter: alarms climb at once, the rest is listed.

    Whatever was written about the words themselves stays: they must not be sent again and again. `gone` as in
    `delivery.undelivered`.
    """
    if content.get("besides"):
        return  # another row speaks for it
    turn = Turn(connection, now, policy)
    rang = bool(content.get("rang"))
    error = guarded(turn, lambda: delivery.undelivered(turn, contact_id, kind, gone=gone, rang=rang))
    if error is not None:
        log.error("undelivered_not_told", outbox=outbox_id, error=error)
