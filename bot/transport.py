"""wechatpy's client with aiohttp under it: its endpoints and payloads, not its blocking calls or endless retries."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn, cast

import aiohttp
import structlog
from wechatpy import WeChatClient

from bot import metrics
from bot.errcodes import Reaction
from bot.tokens import Tokens
from bot.wechat_errors import OutcomeUnknown, WeChatRefused

log = structlog.get_logger()

TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
LARGEST = 20 * 1024 * 1024
"""Bytes of one answer; the platform's largest media are half of that."""
TOO_LARGE, _NO_RIGHT = 45001, 48001
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""What can only happen before the request is written."""
_RAW = frozenset({"media/get", "media/get/jssdk", "material/get_material"})
"""Calls that may answer with a file."""

_PLATFORM = "https://api.weixin.qq.com/"
"""wechatpy's own idea of where the platform is; replaced by the settings' origin."""

Json = dict[str, object]


@dataclass(frozen=True)
class Media:
    """A file that the platform kept for us."""

    content: bytes
    content_type: str
    filename: str | None


class Exchange:
    """One HTTP request to the platform and its answer, with every failure sorted into ours."""

    def __init__(self, http: aiohttp.ClientSession, proxy: str | None = None) -> None:
        self._http, self._proxy = http, proxy

    async def json(
        self, call: str, method: str, url: str, params: Mapping[str, str] | None = None, data: object = None
    ) -> Json:
        """The JSON object that the platform answers with; raises WeChatRefused for an errcode in it."""
        answer = await self.ask(call, method, url, params=params, data=data)
        return self.checked(call, answer)

    async def ask(
        self, call: str, method: str, url: str, params: Mapping[str, str] | None = None, data: object = None
    ) -> Media:
        """The answer as it came. Raises WeChatRefused when nothing was sent, OutcomeUnknown when nothing came back."""
        body, headers = (None, None) if data is None else _encoded(data)
        failure: Exception
        try:
            async with self._http.request(
                method, url, params=params, data=body, headers=headers, timeout=TIMEOUT, proxy=self._proxy,
                allow_redirects=False,
            ) as response:  # fmt: skip
                if response.status >= 500:  # noqa: PLR2004 - a gateway that cannot say what became of it
                    failure = OutcomeUnknown(f"{call} got no answer from behind the gateway")
                elif response.status != 200:  # noqa: PLR2004 - the platform itself always says 200
                    failure = WeChatRefused(call, None)
                else:
                    content = await _limited(response)
                    if content is not None:
                        return Media(content, response.content_type, _filename(response))
                    failure = WeChatRefused(call, TOO_LARGE)
        except _NOT_SENT:
            failure = WeChatRefused(call, None)
        except (aiohttp.ClientError, TimeoutError, OSError):
            failure = OutcomeUnknown(f"{call} was sent, but its answer did not come")
        # Raised out here, so that no exception with an address in it hangs on as context.
        outcome = "unknown" if isinstance(failure, OutcomeUnknown) else "not_sent"
        metrics.calls.labels(call, outcome).inc()
        log.warning("platform_silent", call=call, outcome=outcome)
        raise failure

    async def date(self, url: str) -> datetime | None:
        """What the platform's clock says, by any answer of its; None when it gives none."""
        try:
            async with self._http.get(url, timeout=TIMEOUT, proxy=self._proxy, allow_redirects=False) as response:
                return parsedate_to_datetime(response.headers.get("Date", ""))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def checked(self, call: str, answer: Media) -> Json:
        """The JSON object in `answer`; the content type is not to be believed."""
        found = read_json(answer.content)
        if found is None:
            metrics.calls.labels(call, "unknown").inc()
            raise OutcomeUnknown(f"{call} was answered with something else than the platform's JSON")
        code = _code(found)
        if code:
            refusal = WeChatRefused(call, code, str(found.get("errmsg", "")))
            if refusal.reaction is not Reaction.OK:
                metrics.calls.labels(call, "refused").inc()
                log.warning("platform_refused", call=call, errcode=code, rid=refusal.rid, field=refusal.field)
                raise refusal
        metrics.calls.labels(call, "ok").inc()
        return found


class AsyncWeChatClient(WeChatClient):  # type: ignore[misc]  # wechatpy ships no types
    """wechatpy's API classes; what their methods return has to be awaited."""

    def __init__(
        self, app_id: str, tokens: Tokens, exchange: Exchange, origin: str, may_call: Callable[[str], bool]
    ) -> None:
        super().__init__(app_id, "", auto_retry=False)
        self._may_call = may_call
        self.__dict__.pop("_http").close()  # whatever would still call blockingly fails at once
        self._tokens, self._exchange, self._origin = tokens, exchange, origin

    @property
    def access_token(self) -> NoReturn:
        """Not here; wechatpy's constructor looks at every property, and only AttributeError passes."""
        raise AttributeError("the token is fetched by the transport")

    async def _request(
        self,
        method: str,
        url_or_endpoint: str,
        *,
        params: Mapping[str, object] | None = None,
        data: object = None,
        files: Mapping[str, object] | None = None,
        result_processor: Callable[[Json], object] | None = None,
        api_base_url: str | None = None,
        **_: object,
    ) -> object:
        url = (
            url_or_endpoint
            if url_or_endpoint.startswith("https://")
            else (api_base_url or self.API_BASE_URL) + url_or_endpoint
        )
        if not url.startswith(_PLATFORM):
            raise ValueError("a call outside the platform would give the token away")
        path = url.removeprefix(_PLATFORM)
        call = path.removeprefix("cgi-bin/")
        if not self._may_call(call):
            raise WeChatRefused(call, _NO_RIGHT, react=Reaction.BUG)  # as the platform would; no waiting mends it
        body = data if files is None else _Form(files)
        token = await _before(call, self._tokens.get())
        try:
            answer = await self._once(method, call, path, token, params, body)
        except WeChatRefused as refusal:
            if refusal.reaction is not Reaction.REFRESH:
                raise
            answer = None
        if answer is None:
            fresh = await _before(call, self._tokens.refresh(bad=token))
            answer = await self._once(method, call, path, fresh, params, body)
        return result_processor(answer) if result_processor and isinstance(answer, dict) else answer

    async def _once(
        self, method: str, call: str, path: str, token: str, params: Mapping[str, object] | None, body: object
    ) -> Json | Media:
        query = {name: str(value) for name, value in (params or {}).items()} | {"access_token": token}
        answer = await self._exchange.ask(call, method, f"{self._origin}/{path}", query, body)
        if call in _RAW and not _tells(read_json(answer.content)):
            metrics.calls.labels(call, "ok").inc()
            return answer
        return self._exchange.checked(call, answer)


async def _before(call: str, token: Awaitable[str]) -> str:
    """A token for a call that was not made yet: whatever became of the token's own call, this one was not sent."""
    try:
        return await token
    except OutcomeUnknown:
        raise WeChatRefused(call, None) from None


class _Form:
    """Files to upload, as bytes, so that a second try sends them whole again."""

    def __init__(self, files: Mapping[str, object]) -> None:
        self.files = {name: _file(given) for name, given in files.items()}

    def data(self) -> aiohttp.FormData:
        form = aiohttp.FormData()
        for name, (filename, content, content_type) in self.files.items():
            form.add_field(name, content, filename=filename, content_type=content_type)
        return form


def _file(given: object) -> tuple[str, bytes, str]:
    """(filename, bytes, type) of what wechatpy takes as a file: such a triple."""
    filename, content, content_type = cast("tuple[str, bytes, str]", given)
    return filename, content, content_type


def _encoded(data: object) -> tuple[object, dict[str, str] | None]:
    if isinstance(data, _Form):
        return data.data(), None
    # The platform shows \\u escapes to people as they are, so the text goes out raw.
    return json.dumps(data, ensure_ascii=False).encode(errors="replace"), {"Content-Type": "application/json"}


def read_json(content: bytes) -> Json | None:
    """The JSON object in `content`, or None."""
    if not content.lstrip().startswith(b"{"):
        return None
    try:
        found = json.loads(content.decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _tells(found: Json | None) -> bool:
    """Whether a file's place was taken by an error or by the address of a video."""
    return found is not None and ("errcode" in found or "video_url" in found)


def _code(found: Json) -> int:
    try:
        return int(str(found.get("errcode") or 0))
    except ValueError:
        return -1


async def _limited(response: aiohttp.ClientResponse) -> bytes | None:
    """The body, or None when it is too large to be sound."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
    return b"".join(parts)


def _filename(response: aiohttp.ClientResponse) -> str | None:
    return response.content_disposition.filename if response.content_disposition else None
