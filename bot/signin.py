"""Sign-in inside WeChat (snsapi_base): a browser proves whose WeChat it runs in and gets a session that can be revoked.

The state is a signed, short-lived word bound to a cookie of the same browser and carries the page that was wanted.
The session cookie is 256 random bits; the database keeps only its SHA-256.
"""

import base64
import binascii
import hashlib
import secrets
from datetime import timedelta
from functools import partial

import structlog
from aiohttp import web
from aiohttp.web import Request, Response
from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy import Connection

from bot.account import Right
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.errcodes import Reaction
from bot.settings import Settings
from bot.wechat import OutcomeUnknown, WeChat, WeChatRefused
from storage import audit, contacts, people, sealing, sessions

log = structlog.get_logger()

BACK = "/m/back"
HOME = "/m/tasks"
STATE_AGE = 600
"""Seconds a sign-in may take."""
SESSION_LIFE = timedelta(hours=12)
LONGEST_PATH = 24
"""Letters of a wanted page; what is longer does not fit into the platform's 128 letters of state."""
_SESSION, _BROWSER = "session", "browser"


class Signer(TimestampSigner):
    """Signs with the county's own key, by the bot's own clock; `purpose` and `about` bind what is signed to its use."""

    def __init__(self, clock: Clock, purpose: str, about: str) -> None:
        key = sealing.ring().newest.derive(f"tongban pages {purpose}")
        super().__init__(key, salt=about.encode(), key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        """By our clock, which can be moved."""
        return int(self._clock.now().timestamp())


class Problem(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """It ends here: `messages/pages/<name>.txt` says why."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(name)
        self.name, self.status = name, status


def hash_of(token: str) -> bytes:
    """What the database keeps of a session cookie."""
    return hashlib.sha256(token.encode()).digest()


class SignIn:
    """The way from a browser to a known contact."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, wechat: WeChat) -> None:
        self._origin, self._database, self._clock, self._wechat = settings.web.public_origin, database, clock, wechat
        self._secure = self._origin.startswith("https://")

    def session_of(self, request: Request) -> bytes | None:
        """The hash of this browser's session cookie, live or not."""
        token = request.cookies.get(_SESSION)
        return hash_of(token) if token else None

    def start(self, request: Request, wanted: str, *, again: bool = False) -> Response:
        """Send the browser to the platform, which sends it back at once; not every kind of account may do that."""
        if not self._wechat.may(Right.OAUTH):
            raise Problem("no_sign_in", 403)
        browser = request.cookies.get(_BROWSER) or secrets.token_urlsafe(16)
        path = wanted if len(wanted) <= LONGEST_PATH else wanted.partition("?")[0]
        word = f"{int(again)}{path if len(path) <= LONGEST_PATH else HOME}"
        state = _letters(Signer(self._clock, "state", browser).sign(word.encode()))
        response = _goto(self._wechat.oauth_url(f"{self._origin}{BACK}", state))
        self._set(response, _BROWSER, browser, STATE_AGE)
        return response

    async def back(self, request: Request) -> Response:
        """The browser came back with a code. A second callback of the same sign-in does no harm."""
        wanted, again = self._wanted(request)
        if await self._is_live(request):
            return _goto(wanted or HOME)
        if wanted is None:
            raise Problem("sign_in_expired", 400)
        try:
            visitor = await self._wechat.oauth_openid(request.query.get("code", ""))
        except WeChatRefused as refusal:
            if refusal.reaction == Reaction.SIGN_IN_AGAIN and not again:
                return self.start(request, wanted, again=True)
            log.warning("sign_in_refused", code=refusal.code)
            raise Problem("sign_in_failed", 502) from None
        except OutcomeUnknown:
            raise Problem("sign_in_failed", 502) from None
        if visitor.is_snapshot:
            raise Problem("snapshot", 403)
        token = secrets.token_urlsafe(32)
        if not await self._database.run(partial(self._open, openid=visitor.openid, token=token), Lane.CHAT):
            raise Problem("not_bound", 403)
        response = _goto(wanted)
        self._set(response, _SESSION, token, int(SESSION_LIFE.total_seconds()))
        return response

    def _open(self, connection: Connection, openid: str, token: str) -> bool:
        """Keep the session; False when this WeChat is bound to nobody."""
        found = contacts.known(connection, openid)
        if found is None or found[1] is None or not people.is_here(connection, found[1]):
            return False
        now = self._clock.now()
        sessions.open_session(connection, hash_of(token), found[0], now, now + SESSION_LIFE)
        audit.add(connection, at=now, act="sign_in", subject="contact", subject_id=found[0], person_id=found[1])
        return True

    async def _is_live(self, request: Request) -> bool:
        token_hash = self.session_of(request)
        if token_hash is None:
            return False
        look = partial(sessions.live, token_hash=token_hash, now=self._clock.now())
        return await self._database.read(look) is not None

    def _wanted(self, request: Request) -> tuple[str | None, bool]:
        """The page the sign-in was for, if this browser began it not long ago; and whether it was begun twice."""
        signer = Signer(self._clock, "state", request.cookies.get(_BROWSER, ""))
        try:
            word = signer.unsign(_bytes(request.query.get("state", "")), max_age=STATE_AGE).decode()
        except (BadSignature, binascii.Error, ValueError):
            return None, False
        again, path = word[:1] == "1", word[1:]
        return (path if path.startswith("/m/") else HOME), again

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/m/", httponly=True, samesite="Lax", secure=self._secure
        )


def _goto(address: str) -> Response:
    return web.Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})


def _letters(signed: bytes) -> str:
    """Signed bytes as the letters and digits that a state may have."""
    return base64.b32encode(signed).decode().rstrip("=")


def _bytes(letters: str) -> bytes:
    """The reverse; ValueError for what was never made so."""
    return base64.b32decode(letters + "=" * (-len(letters) % 8))
