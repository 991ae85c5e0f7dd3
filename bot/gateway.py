"""The county's gateway for SMS and automatic calls: one signed HTTP request a message (docs/gateway.md)."""

import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass

import aiohttp
import structlog

from bot import metrics
from bot.channels import Channel
from bot.errcodes import Reaction
from bot.settings import Gateway as Settings
from bot.transport import read_json
from bot.wechat_errors import OutcomeUnknown, WeChatRefused

log = structlog.get_logger()

TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
FRESH = 300
"""Seconds for which a signature is good, either way."""
TIME, SIGNATURE = "X-Tongban-Time", "X-Tongban-Signature"
_LATER = frozenset({429, 503})
_REASONS = {"number": Reaction.CONTACT_GONE, "busy": Reaction.RETRY_LATER}
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_ANSWER_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Words:
    """One SMS or call."""

    id: str
    """The same in every try: the gateway does it once."""
    to: str
    purpose: str
    text: str
    keys: str
    values: dict[str, str]


def sign(secret: str, moment: str, body: bytes) -> str:
    """Hexadecimal HMAC-SHA256 over the time, a newline and the body."""
    return hmac.new(secret.encode(), moment.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def is_signed(secret: str, moment: str, signature: str, body: bytes, now: float) -> bool:
    """Whether a request carries a fresh signature; `now` in unix seconds."""
    try:
        fresh = abs(now - float(moment)) <= FRESH
    except ValueError:
        return False
    return fresh and hmac.compare_digest(sign(secret, moment, body).encode(), signature.encode(errors="replace"))


class Gateway:
    """The bot's side of it. `http` stays the caller's to close."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._secret = settings.secret.get_secret_value() if settings.secret else ""
        urls = {Channel.SMS: settings.sms_url, Channel.CALL: settings.call_url}
        self._urls = {channel: url for channel, url in urls.items() if url}

    async def ask(self, channel: Channel, words: Words) -> None:
        """Have it sent or rung.

        Raises WeChatRefused when it was not done, with what to do next, and OutcomeUnknown when nobody knows.
        """
        body = json.dumps(asdict(words), ensure_ascii=False).encode()
        moment = str(int(time.time()))  # the real time: a moved clock is nothing to the gateway
        headers = {"Content-Type": "application/json", TIME: moment, SIGNATURE: sign(self._secret, moment, body)}
        failure: Exception | None
        try:
            async with self._http.post(
                self._urls[channel], data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                failure = _failure(channel, response.status, await response.content.read(_ANSWER_LIMIT))
        except _NOT_SENT:
            failure = WeChatRefused(channel, None)
        except (aiohttp.ClientError, TimeoutError, OSError):
            failure = OutcomeUnknown(f"{channel} was asked for, but no answer came")
        # Raised out here, so that no exception with an address in it hangs on as context.
        if failure is None:
            metrics.calls.labels(channel, "ok").inc()
            return
        outcome = "unknown" if isinstance(failure, OutcomeUnknown) else "refused"
        metrics.calls.labels(channel, outcome).inc()
        log.warning("gateway_refused", channel=channel, outcome=outcome)
        raise failure


def _failure(channel: str, status: int, content: bytes) -> Exception | None:
    """What an answer of the gateway means; None when it took the words."""
    told = read_json(content) if status == 200 else None  # noqa: PLR2004 - documented
    if told is not None and told.get("accepted") is True:
        return None
    if status in _LATER:
        return WeChatRefused(channel, None, react=Reaction.RETRY_LATER)
    if told is not None:
        react = _REASONS.get(str(told.get("reason", "")), Reaction.CONFIG)
        return WeChatRefused(channel, None, react=react)
    if 400 <= status < 500:  # noqa: PLR2004 - documented
        return WeChatRefused(channel, None, react=Reaction.CONFIG)
    return OutcomeUnknown(f"{channel} was answered with something else than the gateway's JSON")
