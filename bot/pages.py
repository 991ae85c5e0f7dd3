"""Pages under /m/: signs people in, runs the page function on a database thread, answers after the commit.

Every form carries a word signed for its session: without it nothing is done; the same form sent twice does one thing.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.web import Request, Response, StreamResponse
from itsdangerous import BadSignature

from bot import faults, metrics, page_turns
from bot.clock import Clock
from bot.downloads import sent
from bot.engine import Database, Lane, Unavailable
from bot.jssdk import JsSdk
from bot.logs import place
from bot.page_turns import Asked, Done
from bot.settings import Settings
from bot.signin import BACK, HOME, SESSION_LIFE, Problem, Signer, SignIn
from bot.wechat import WeChat
from handlers.page import Download, Goto, Page, Route
from handlers.pages import PAGES
from handlers.policy import Policy
from handlers.turn import Refused
from messages import render, render_page
from storage import sealing
from storage.lifecycle import NotAllowed

log = structlog.get_logger()

Handler = Callable[[Request], Awaitable[StreamResponse]]
STATIC = Path(__file__).parent / "static"
# What is said of frames does not reach the demo's phones: the stand-in drops it, since its frame is a phone's screen.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # "no-referrer" would make browsers hide the origin of our own forms too, which is what they are known by.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_FORM, _NOTICE, _NOTICE_PLACE = "form", "notice", "page.notice"
_NOTICE_SECONDS, _NOTICE_LETTERS = 60, 600


class Pages:
    """What people see in WeChat's browser."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        policy: Policy,
        wechat: WeChat,
        wake: Callable[[], None],
    ) -> None:
        self._origin, self._database, self._clock, self._policy = settings.web.public_origin, database, clock, policy
        self._wake = wake
        self._signin = SignIn(settings, database, clock, wechat)
        self._sdk = JsSdk(settings.wechat, wechat)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.get(BACK, _guarded(self._signin.back)),
            *(web.get(f"/m/static/{file.name}", _static(file)) for file in sorted(STATIC.glob("*.[cj]s*"))),
            *(web.route(one.method, one.pattern, _guarded(partial(self._serve, one))) for one in PAGES),
            web.get("/m/{elsewhere:.*}", _guarded(_nothing_here)),
        ]

    async def _serve(self, route: Route, request: Request) -> StreamResponse:
        session = self._signin.session_of(request)
        done = await self._done(await self._asked(route, request, session)) if session else None
        if session is None or done is None:
            if route.method == "POST":
                raise Problem("sign_in_expired", 403)
            return self._signin.start(request, request.path_qs)
        if route.method == "POST":
            self._wake()
        if isinstance(done.answer, Page) and done.answer.uses_script:
            done.answer.values["sdk"] = await self._sdk.signed(self._origin + request.path_qs)
        return self._shown(request, session, done)

    async def _done(self, asked: Asked) -> Done | None:
        """What the page function gave, once it is committed; None when the session is not live any more."""
        key = int.from_bytes(asked.session[:4], "big")
        if asked.once is None:
            done, looks = await self._database.read(partial(page_turns.look, asked=asked, policy=self._policy))
            if looks:
                await self._database.run(partial(page_turns.log, looks=looks), Lane.CHAT, key)
        else:
            work = partial(page_turns.act, asked=asked, policy=self._policy)
            done = await self._database.run(work, Lane.CHAT, key)
        metrics.turns.labels("page").inc()
        faults.reach("page_after_commit_before_answer")
        return done

    async def _asked(self, route: Route, request: Request, session: bytes) -> Asked:
        path, now = dict(request.match_info), self._clock.now()
        if route.method != "POST":
            return Asked(route, path, dict(request.query), session, now)
        form = {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
        word = form.pop(_FORM, "")
        if not self._is_ours(request, session, word):
            raise Problem("not_from_here", 403)
        told = hashlib.sha256(json.dumps(sorted(form.items())).encode()).hexdigest()
        return Asked(route, path, form, session, now, once=f"{request.path} {word} {told}")

    def _is_ours(self, request: Request, session: bytes, word: str) -> bool:
        """Whether a form was filled in on a page that was shown to this session, by this site."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return False
        if request.headers.get("Origin", self._origin) != self._origin:
            return False
        try:
            self._signer(session).unsign(word, max_age=int(SESSION_LIFE.total_seconds()))
        except BadSignature:
            return False
        return True

    def _signer(self, session: bytes) -> Signer:
        return Signer(self._clock, "form", session.hex())

    def _shown(self, request: Request, session: bytes, done: Done) -> Response:
        answer = done.answer
        if isinstance(answer, Download):
            return sent(request, answer)
        if isinstance(answer, Goto):
            response = web.Response(status=303, headers=HEADERS | {"Location": answer.path})
            if done.said:
                _leave_notice(response, done.said, secure=self._origin.startswith("https://"))
            return response
        word = self._signer(session).sign(secrets.token_urlsafe(12)).decode()
        shown = _page(answer, 200, form=word, notice=_notice_in(request))
        if answer.uses_script:
            usual = HEADERS["Content-Security-Policy"]
            shown.headers["Content-Security-Policy"] = usual.replace("style-src 'self'", self._sdk.policy)
        if _NOTICE in request.cookies:
            shown.del_cookie(_NOTICE, path="/m/")
        return shown


def _guarded(handler: Handler) -> Handler:
    """Whatever goes wrong becomes a page with one sentence; what was typed is never logged."""

    async def answer(request: Request) -> StreamResponse:
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return _sentence("pages/too_long", 413)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the one catcher of the pages' faults
            return _sorry(request, error)

    return answer


def _sorry(request: Request, error: Exception) -> Response:
    """A denied page reads like one that does not exist."""
    match error:
        case Problem():
            return _sentence(f"pages/{error.name}", error.status, _page_behind(request))
        case Refused():
            status = 403 if error.name == "common/not_yours" else 409
            return _sentence(error.name, status, values=error.values)
        case NotAllowed():
            return _sentence("common/not_now", 409)
        case Unavailable():
            return _sentence("pages/busy", 503)
    log.error("page_failed", page=_pattern(request), error=place(error))
    return _sentence("pages/failed", 500)


def _pattern(request: Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def _page_behind(request: Request) -> str:
    """The page a failed form belongs to, or the page itself, to try it again."""
    if request.method == "GET":
        return HOME if request.path == BACK else request.path
    return request.path.rpartition("/")[0] if request.path.startswith("/m/case/") else request.path


async def _nothing_here(_request: Request) -> StreamResponse:
    raise Refused("common/not_yours")


def _sentence(name: str, status: int, again: str | None = None, values: Mapping[str, object] | None = None) -> Response:
    words = render(name, **(values or {}))
    return _page(Page("sentence", {"words": words, "again": again}), status, form="", notice="")


def _page(page: Page, status: int, *, form: str, notice: str) -> Response:
    text = render_page(page.name, form=form, notice=notice, **page.values)
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)


def _leave_notice(response: Response, said: str, *, secure: bool) -> None:
    """What the turn said is shown on the page that follows; sealed, since it may name a colleague."""
    sealed = sealing.ring().seal(_NOTICE_PLACE, said[:_NOTICE_LETTERS].encode())
    value = base64.urlsafe_b64encode(sealed).decode()
    response.set_cookie(
        _NOTICE, value, max_age=_NOTICE_SECONDS, path="/m/", httponly=True, samesite="Lax", secure=secure
    )


def _notice_in(request: Request) -> str:
    try:
        sealed = base64.urlsafe_b64decode(request.cookies.get(_NOTICE, ""))
        return sealing.ring().open(_NOTICE_PLACE, sealed).decode()
    except (ValueError, sealing.SealError):
        return ""


def _static(file: Path) -> Handler:
    async def serve(_request: Request) -> StreamResponse:
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(file, headers=headers)

    return serve
