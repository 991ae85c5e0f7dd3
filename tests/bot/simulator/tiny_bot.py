"""The other side in these tests: a small bot on wechatpy's own crypto, parser and replies, unchanged."""

import asyncio
import hashlib
import hmac
import json
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import WeChatException
from wechatpy.utils import check_signature

from bot.simulator import Mode, Simulator, SimulatorSettings, TemplateSpec
from bot.simulator.state import ScreenItem

APP_ID, SECRET, TOKEN = "wx5823bf96d3bd56c7", "the-secret-of-the-account", "AAAAA"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OTHER_KEY = "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210zyxwvug"
TEMPLATE = TemplateSpec("T-task", "新任务提醒", ("thing1", "time2", "number3"), ("事项", "时间", "数量"))

ONCE = TemplateSpec("N-once", "事项办理提醒", ("thing1", "time2"), ("事项", "时间"))
GATEWAY = "secret-of-the-gateway"

Answer = Callable[["Incoming"], Awaitable[web.Response]]


def sealed(secret: str, stamp: str, body: bytes) -> str:
    """The signature of docs/gateway.md, written here once more."""
    return hmac.new(secret.encode(), f"{stamp}\n".encode() + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Incoming:
    """One delivery as the bot reads it: the XML in clear, wechatpy's message, whether it came sealed."""

    xml: str
    message: object
    sealed: bool
    query: dict[str, str]


@dataclass
class TinyBot:
    """Answers what `answer` says and keeps everything that came."""

    answer: Answer | None = None
    key: str = AES_KEY
    seen: list[Incoming] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pages: list[web.Request] = field(default_factory=list)
    url: str = ""
    echo_end: str = ""
    told: list[dict[str, str]] = field(default_factory=list)
    says: dict[str, str] = field(default_factory=dict)
    deaf_for: int = 0

    @property
    def crypto(self) -> WeChatCrypto:
        return WeChatCrypto(TOKEN, self.key, APP_ID)

    async def hook(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        try:
            check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
            if request.method == "GET":
                return web.Response(text=query["echostr"] + self.echo_end)
            body = await request.text()
            sealed = query.get("encrypt_type") == "aes"
            if sealed:
                body = self.crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
        except (WeChatException, ValueError, AssertionError, IndexError, struct.error) as error:
            self.refused.append(type(error).__name__)
            return web.Response(status=403)
        incoming = Incoming(body, parse_message(body), sealed, query)
        self.seen.append(incoming)
        return await self.answer(incoming) if self.answer else self.say(incoming, "收到")

    def say(self, incoming: Incoming, text: str) -> web.Response:
        return self.raw(incoming, create_reply(text, incoming.message).render())

    def raw(self, incoming: Incoming, xml: str) -> web.Response:
        return web.Response(text=self.crypto.encrypt_message(xml, "nonce", "1714037059") if incoming.sealed else xml)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        app = web.Application()
        app.router.add_route("*", "/wechat", self.hook)
        app.router.add_route("*", "/m/{tail:.*}", self.page)
        app.router.add_post("/demo/clock", self.page)
        app.router.add_post("/gateway", self.gateway)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def gateway(self, request: web.Request) -> web.Response:
        """An event of the SMS and call gateway; `says` answers by event or key, `deaf_for` refuses that many."""
        body, stamp = await request.read(), request.headers["X-Tongban-Time"]
        assert request.headers["X-Tongban-Signature"] == sealed(GATEWAY, stamp, body)
        assert abs(time.time() - int(stamp)) < 300
        self.told.append(json.loads(body))
        if self.deaf_for:
            self.deaf_for -= 1
            return web.Response(status=503)
        event = self.told[-1]
        return web.json_response({"say": self.says.get(event.get("key", ""), self.says.get(event["event"], ""))})

    async def page(self, request: web.Request) -> web.Response:
        await request.read()
        self.pages.append(request)
        return web.Response(text="page")


@dataclass
class Table:
    """A stand-in, a bot, and an HTTP session, all running."""

    platform: Simulator
    bot: TinyBot
    http: aiohttp.ClientSession

    async def control(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        """A control call: GET without a body, POST with one."""
        address = f"{self.platform.origin}/sim/{path}"
        call = self.http.get(address) if body is None else self.http.post(address, json=body)
        async with call as response:
            data: dict[str, object] = await response.json(content_type=None)
            return data

    async def token(self) -> str:
        query = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}
        async with self.http.get(f"{self.platform.origin}/cgi-bin/token", params=query) as response:
            data: dict[str, str] = await response.json(content_type=None)
            return data["access_token"]

    async def api(self, path: str, body: object = None, token: str | None = None, **query: str) -> dict[str, object]:
        """An API call of the bot: GET without a body, POST with one; raw UTF-8 JSON as the platform wants it."""
        from wechatpy.utils import json, to_binary  # noqa: PLC0415 - the client side's own encoder

        query["access_token"] = token if token is not None else await self.token()
        address = f"{self.platform.origin}/cgi-bin/{path}"
        if body is None:
            call = self.http.get(address, params=query)
        else:
            raw = body if isinstance(body, bytes) else to_binary(json.dumps(body, ensure_ascii=False))
            call = self.http.post(address, params=query, data=raw)
        async with call as response:
            assert response.status == 200
            data: dict[str, object] = await response.json(content_type=None)
            return data


@asynccontextmanager
async def table(answer: Answer | None = None, **settings: object) -> AsyncIterator[Table]:
    """Stand-in and bot knowing of each other; redeliveries are quick unless a test says otherwise."""
    given: dict[str, object] = {"templates": (TEMPLATE,), "retry_pause": 0.01, "finish_delay": 0.0, **settings}
    bot = TinyBot(answer)
    async with bot.running(), aiohttp.ClientSession() as http:
        base = SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY, bot_url=bot.url, **given)  # type: ignore[arg-type]  # names are checked by the dataclass itself
        async with Simulator(base) as platform:
            yield Table(platform, bot, http)


def texts(items: list[ScreenItem]) -> list[str]:
    """What the account said."""
    return [item.text for item in items if item.side != "me"]


async def silent(_incoming: Incoming) -> web.Response:
    return web.Response(text="success")


async def never(_incoming: Incoming) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


ALL_MODES = [Mode.PLAIN, Mode.COMPATIBLE, Mode.SAFE]
