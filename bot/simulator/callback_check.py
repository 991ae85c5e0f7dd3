"""Where the platform finds the server address that was entered in the console."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.simulator import jsons
from bot.simulator.errors import ApiError

if TYPE_CHECKING:
    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.world import World

ACTIONS = frozenset({"dns", "ping", "all"})
OPERATORS = frozenset({"CHINANET", "UNICOM", "CAP", "DEFAULT"})


async def check(world: World, call: Call) -> Json:
    """POST /cgi-bin/callback/check: the addresses of the bot's host; nothing is really pinged."""
    data = call.json()
    action, operator = jsons.text(data, "action", ""), jsons.text(data, "check_operator", "")
    if action not in ACTIONS:
        raise ApiError(40202, "invalid action")
    if operator not in OPERATORS:
        raise ApiError(40203, "invalid check_operator")
    host = urlsplit(world.account.bot_url).hostname
    if not host:
        raise ApiError(40201, "invalid url")
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = sorted({str(one[4][0]) for one in found})
    answer: Json = {}
    if action != "ping":
        answer["dns"] = [{"ip": ip, "real_operator": "UNICOM"} for ip in addresses]
    if action != "dns":
        answer["ping"] = [
            {"ip": ip, "from_operator": "UNICOM", "package_loss": "0%", "time": "1.000ms"} for ip in addresses
        ]
    return answer
