"""What a page needs to use the platform's script (JS-SDK): the account's ticket, and a signature over its own address.

The platform's rules: one ticket for all, kept for two hours; SHA-1 of four values in a fixed order (wechat-platform.md
8.6).
"""

import asyncio
import hashlib
import secrets
import time

import structlog

from bot.settings import Wechat
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused

log = structlog.get_logger()

SCRIPT = "/open/js/jweixin-1.6.0.js"
RENEW_BEFORE = 300
"""Seconds before its end at which another ticket is asked for."""


def signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """The signature of one page; `url` is its address as the browser has it, without what follows a `#`."""
    signed = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()  # the platform's choice


class JsSdk:
    """Signs pages for one account."""

    def __init__(self, account: Wechat, wechat: WeChat) -> None:
        self._account, self._wechat = account, wechat
        self._lock = asyncio.Lock()
        self._ticket, self._good_until = "", 0.0

    @property
    def policy(self) -> str:
        """What a page may load for it, as additions to the usual Content-Security-Policy."""
        return f"script-src 'self' {self._account.script_origin}; style-src 'self' 'unsafe-inline'"

    async def signed(self, url: str) -> dict[str, object] | None:
        """What the page hands to the script; None when the platform gives no ticket, which is told to the operator."""
        try:
            ticket = await self._known_ticket()
        except (OutcomeUnknown, WeChatRefused) as error:
            code = error.code if isinstance(error, WeChatRefused) else None
            log.warning("no_script_ticket", errcode=code)
            return None
        nonce, now = secrets.token_hex(8), int(time.time())
        return {
            "script": self._account.script_origin + SCRIPT, "app_id": self._account.app_id, "nonce": nonce,
            "timestamp": now, "signature": signature(ticket, nonce, now, url),
        }  # fmt: skip

    async def _known_ticket(self) -> str:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now >= self._good_until:
                self._ticket, lasts = await self._wechat.script_ticket()
                self._good_until = now + max(lasts - RENEW_BEFORE, 0)
            return self._ticket
