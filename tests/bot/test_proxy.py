"""The way to the platform through a forward proxy, as in a county whose servers may not reach the internet."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.account_check import Mark, check_account
from bot.errcodes import Reaction
from bot.settings import Settings, Wechat
from bot.simulator import Simulator, SimulatorSettings
from bot.wechat import WeChat, WeChatRefused
from tests.support.pages import AES_KEY, APP_ID, SECRET, TOKEN

USER, PASSWORD = "county", "hunter2"


@dataclass
class Proxy:
    """A small forward proxy that wants a name and a password and remembers what it passed on."""

    port: int = 0
    passed: list[str] = field(default_factory=list)
    refused: int = 0

    @property
    def url(self) -> str:
        """As it stands in the settings."""
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request: a tunnel that is asked for, or a request whose line names the whole address."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, address, _ = first.split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if headers.get("proxy-authorization") != f"basic {known.lower()}":
            self.refused += 1
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        elif method == "CONNECT":
            self.passed.append(address)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            host, _, port = address.rpartition(":")
            await joined(reader, writer, host, int(port))
        else:
            where = urlsplit(address)
            self.passed.append(where.path)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            there, away = await asyncio.open_connection(where.hostname, where.port)
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
            target = where.path + (f"?{where.query}" if where.query else "")
            away.write("\r\n".join([f"{method} {target} HTTP/1.1", "Connection: close", *kept]).encode() + body)
            writer.write(await there.read())
            away.close()
        writer.close()


async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    """Carry bytes both ways until either side has had enough."""
    there, away = await asyncio.open_connection(host, port)

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while part := await source.read(65536):
            target.write(part)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()

    ways = [asyncio.ensure_future(carry(reader, away)), asyncio.ensure_future(carry(there, writer))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    away.close()


@asynccontextmanager
async def behind_tls(origin: str, folder: Path) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """The stand-in behind TLS, as the real platform is, and what a client needs to trust it."""
    certificate, key = _certificate(folder)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    port = urlsplit(origin).port or 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await joined(reader, writer, "127.0.0.1", port)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ours)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}", ssl.create_default_context(cafile=certificate)


def _certificate(folder: Path) -> tuple[str, str]:
    """A certificate for this machine, and its key, as files."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(certificate), str(secret)


@asynccontextmanager
async def proxy() -> AsyncIterator[Proxy]:
    """The proxy, listening."""
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def account(origin: str, way: str) -> Wechat:
    """An account whose platform is reached by this proxy."""
    given = {"app_id": APP_ID, "app_secret": SECRET, "token": TOKEN, "encoding_aes_key": AES_KEY}
    return Wechat.model_validate({**given, "api_origin": origin, "proxy": way})


async def test_every_call_goes_through_the_proxy_and_arrives() -> None:
    async with (
        Simulator(SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY, patience=0.2, retries=1)) as platform,
        proxy() as way,
        aiohttp.ClientSession() as http,
    ):
        phone = platform.add_phone("teacher")
        await phone.say("您好")
        wechat = WeChat(account(platform.origin, way.url), http)
        await wechat.send_text(phone.openid, "经过代理的一句话")
        assert phone.screen[-1].text == "经过代理的一句话"
        await wechat.create_tag("duty")
        assert await wechat.date() is not None
        assert way.passed == ["/cgi-bin/stable_token", "/cgi-bin/message/custom/send", "/cgi-bin/tags/create", "/"]
        calls = [one for one in platform.world.log.after(0) if one["kind"] == "call"]
        assert len(calls) == 3, "nothing went past it"


async def test_behind_tls_the_proxy_carries_a_tunnel_and_reads_nothing(tmp_path: Path) -> None:
    async with (
        Simulator(SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY, patience=0.2, retries=1)) as platform,
        behind_tls(platform.origin, tmp_path) as (origin, trust),
        proxy() as way,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http,
    ):
        phone = platform.add_phone("teacher")
        await phone.say("您好")
        await WeChat(account(origin, way.url), http).send_text(phone.openid, "经过隧道的一句话")
        assert phone.screen[-1].text == "经过隧道的一句话"
        assert set(way.passed) == {urlsplit(origin).netloc}


async def test_a_proxy_that_does_not_let_us_through_sends_nothing_and_is_not_the_platform_s_refusal() -> None:
    async with (
        Simulator(SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY)) as platform,
        proxy() as way,
        aiohttp.ClientSession() as http,
    ):
        wrong = way.url.replace(PASSWORD, "hunter3")
        wechat = WeChat(account(platform.origin, wrong), http)
        with pytest.raises(WeChatRefused) as refusal:
            await wechat.tags()
        assert refusal.value.reaction is Reaction.RETRY_LATER
        assert "hunter3" not in repr(refusal.value)
        assert (way.passed, way.refused) == ([], 1)
        assert platform.world.log.after(0) == []


async def test_the_check_of_the_account_takes_the_same_way() -> None:
    async with (
        Simulator(SimulatorSettings(APP_ID, SECRET, TOKEN, AES_KEY)) as platform,
        proxy() as way,
        aiohttp.ClientSession() as http,
    ):
        settings = Settings.model_validate(
            {"wechat": account(platform.origin, way.url), "web": {"public_origin": platform.origin}}
        )
        lines = await check_account(settings, http)
        assert [line.text for line in lines if line.text.startswith("令牌") and line.mark is Mark.OK]
        assert {"/", "/cgi-bin/stable_token", "/cgi-bin/menu/get", "/cgi-bin/callback/check"} <= set(way.passed)
        assert "/wechat" not in way.passed, "our own door is tried directly"
