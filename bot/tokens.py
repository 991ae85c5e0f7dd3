"""The platform's access token by `stable_token`: every process gets the same one, and asking twice kills nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from bot.errcodes import Reaction
from bot.wechat_errors import OutcomeUnknown, WeChatRefused

log = structlog.get_logger()

RENEW_BEFORE = 240.0
"""Seconds before its end at which a token is renewed; the platform issues a new one in the last 300."""
REFUSED_FOR = 60.0
"""Seconds for which a refused token is not asked for again: each try costs quota and an operator is needed anyway."""
FORCED_APART = 30.0
"""Seconds between two forced renewals: the platform does nothing before."""

Fetch = Callable[[bool], Awaitable[dict[str, object]]]
"""Asks the platform; the argument says whether to force a new token."""


class Tokens:
    """One token for everybody; however many callers wait for one, one of them fetches it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._good_until = 0.0
        self._refused: Callable[[], WeChatRefused] | None = None
        self._refused_until = 0.0
        self._forced_at = float("-inf")
        self._failing_since: float | None = None

    @property
    def failing_for(self) -> float:
        """Seconds since the first of the tries in a row that brought no token; 0 when the last one did."""
        return 0.0 if self._failing_since is None else _now() - self._failing_since

    @property
    def is_known(self) -> bool:
        """Whether there is a token to work with."""
        return self._token is not None

    async def get(self) -> str:
        """The token; raises WeChatRefused or OutcomeUnknown when the platform gives none."""
        if self._token is not None and _now() < self._good_until:
            return self._token
        async with self._lock:
            if self._token is None or _now() >= self._good_until:
                await self._renew(force=False)
            return self._known()

    async def refresh(self, bad: str) -> str:
        """Another token than `bad`, which the platform has just refused; fetched once however many callers ask."""
        async with self._lock:
            if self._token != bad:
                return self._token if self._token is not None else await self._renewed()
            await self._renew(force=False)
            if self._token == bad and _now() - self._forced_at >= FORCED_APART:
                self._forced_at = _now()
                await self._renew(force=True)
            return self._known()

    async def _renewed(self) -> str:
        await self._renew(force=False)
        return self._known()

    def _known(self) -> str:
        if self._token is None:
            raise OutcomeUnknown("stable_token gave no token")
        return self._token

    async def _renew(self, *, force: bool) -> None:
        try:
            await self._renew_or_say_why(force=force)
        except (OutcomeUnknown, WeChatRefused):
            if self._failing_since is None:
                self._failing_since = _now()
            raise
        self._failing_since = None

    async def _renew_or_say_why(self, *, force: bool) -> None:
        if self._refused is not None and _now() < self._refused_until:
            raise self._refused()
        self._refused = None
        try:
            found = await self._fetch(force)
        except WeChatRefused as refusal:
            if refusal.reaction is Reaction.RETRY_LATER:
                raise
            # Even a "bad token" means the secret here: there was no token in this call.
            react = Reaction.CONFIG if refusal.reaction is Reaction.REFRESH else refusal.reaction
            self._refused = partial(WeChatRefused, refusal.call, refusal.code, react=react)
            self._refused_until = _now() + REFUSED_FOR
            log.error(  # noqa: TRY400 - the traceback tells nothing more
                "token_refused", errcode=refusal.code, our_address=refusal.address, rid=refusal.rid
            )
            raise self._refused() from None
        token, lasts = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(lasts, int):
            raise OutcomeUnknown("stable_token was answered without a token")
        self._token = token
        self._good_until = _now() + max(lasts - RENEW_BEFORE, lasts / 2)


def _now() -> float:
    return asyncio.get_running_loop().time()
