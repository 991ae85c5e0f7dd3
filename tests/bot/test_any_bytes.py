"""The running bot's door against anything at all: any bytes, any XML, and anything inside a sound envelope.

The bot is a process of its own, so that its log and its memory are its own. 3,500 examples, then 1,900 messages for
the memory.
"""

import asyncio
import base64
import itertools
import json
import os
import re
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.simulator import crypto
from bot.webhook import BODY_LIMIT
from messages.files import table
from tests.crash.town import AES_KEY, APP_ID, TOKEN, Town, town
from tests.support.databases import SqliteDatabases
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
STAMP, NONCE = "1714037059", "486452656"
EXAMPLES = settings(max_examples=900, suppress_health_check=[HealthCheck.too_slow])
SHORT = 400
"""Bytes of an answer that says why not; ours have one word, aiohttp's own shows a request line that cannot be read."""
LONGEST = 8 * 1024
"""Bytes of a sealed reply: 2,048 bytes of words, and what the envelope adds."""
_numbers = itertools.count(1)
_CODED = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Wire:
    """One connection to the door, without an HTTP client that would refuse to send what is wrong."""

    port: int
    town: Town
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    statuses: Counter[int] = field(default_factory=Counter)
    pushed: int = 0
    taken: int = 0

    async def send(self, query: bytes, body: bytes, *, method: bytes = b"POST", headers: bytes = b"") -> bytes:
        """What is answered: never 500, never anything long."""
        try:
            return await self._send(query, body, method, headers)
        except BaseException:
            await self.hang_up()
            raise

    async def _send(self, query: bytes, body: bytes, method: bytes, headers: bytes) -> bytes:
        reader, writer = self.streams = self.streams or await asyncio.open_connection("127.0.0.1", self.port)
        length = str(len(body)).encode()
        writer.write(method + b" /wechat?" + query + b" HTTP/1.1\r\nHost: t\r\nContent-Length: " + length + b"\r\n")
        writer.write(headers + b"\r\n" + body)
        head = await reader.readuntil(b"\r\n\r\n")
        status, coded = int(head.split()[1]), _CODED.search(head)
        answer = await reader.readexactly(int(coded[1])) if coded else b""
        if status != 200:  # the HTTP server closes after some refusals
            await self.hang_up()
        self.statuses[status] += 1
        assert status in {200, 400, 403, 413}, (status, answer[:200])
        assert len(answer) < (LONGEST if status == 200 else SHORT), answer[:200]
        return answer

    async def hang_up(self) -> None:
        """End the connection."""
        if self.streams is not None:
            self.streams[1].close()
            with suppress(ConnectionError):
                await self.streams[1].wait_closed()
            self.streams = None

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        written = (self.town.folder / "bot.log").read_text(encoding="utf-8")
        assert "Traceback" not in written
        return [json.loads(line) for line in written.splitlines()]

    def looks_well(self) -> None:
        """Nothing failed inside: not one line of the log is an error, but for requests that are no HTTP at all."""
        failed = [line for line in self.lines() if line["level"] not in {"info", "warning"}]
        assert [
            line for line in failed if line["event"] != "Error handling request from %s" or " at bot" in line["error"]
        ] == []

    def memory(self) -> int:
        """Bytes that the bot's process holds now."""
        pages = Path(f"/proc/{self.town.bot.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
async def door(sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """One bot for all examples; after the last one it is still there, and nothing failed inside."""
    async with town(sqlite_databases.fresh(), tmp_path_factory.mktemp("door")) as running:
        await running.start()
        wire = Wire(running.port, running)
        yield wire
        assert "110" in opened(await push(wire, said("o-last", "他在打她")))
        await eventually(lambda: running.undone() == 0, 30)  # what became of a card may wait for five seconds
        assert wire.taken * 3 >= wire.pushed  # else the examples would show little
        wire.looks_well()
        await wire.hang_up()


def signed(encrypted: str | None = None) -> bytes:
    """A query that the platform would send."""
    query = {"signature": crypto.signature(TOKEN, STAMP, NONCE), "timestamp": STAMP, "nonce": NONCE}
    if encrypted is not None:
        query |= {"encrypt_type": "aes", "msg_signature": crypto.signature(TOKEN, STAMP, NONCE, encrypted)}
    return "&".join(f"{name}={value}" for name, value in query.items()).encode()


def envelope(
    message: bytes, *, length: int | None = None, pad: int | None = None, tail: bytes = b"", aes_key: str = AES_KEY
) -> str:
    """Any bytes, sealed with a key of the account's."""
    data = os.urandom(16) + struct.pack(">I", len(message) if length is None else length) + message
    data += APP_ID.encode() + tail
    count = 32 - len(data) % 32
    data += bytes([count if pad is None else pad]) * count
    key = crypto.key_of(aes_key)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(data) + encryptor.finalize()).decode()


def sealed(encrypted: str) -> bytes:
    """The body of a push in safe mode."""
    return f"<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


async def push(door: Wire, message: bytes) -> bytes:
    """Deliver any bytes in a sound envelope."""
    encrypted = envelope(message)
    return await door.send(signed(encrypted), sealed(encrypted))


def said(openid: str, words: str) -> bytes:
    """A text message."""
    return (
        f"<xml><ToUserName>gh_1</ToUserName><FromUserName>{openid}</FromUserName><CreateTime>{STAMP}</CreateTime>"
        f"<MsgType>text</MsgType><Content><![CDATA[{words}]]></Content><MsgId>{next(_numbers)}</MsgId></xml>"
    ).encode()


def opened(answer: bytes, aes_key: str = AES_KEY) -> str:
    """The passive reply inside an answer."""
    found = re.search(rb"<Encrypt><!\[CDATA\[(.*?)\]\]>", answer)
    assert found is not None, answer
    return crypto.decrypt(crypto.key_of(aes_key), found[1].decode(), APP_ID)


# Any bytes.

QUERIES = st.one_of(
    st.binary(max_size=200).map(quote_from_bytes).map(str.encode),
    st.binary(max_size=60).map(lambda raw: re.sub(rb"[\x00-\x20\x7f]", b"", raw)),  # what would end the line
    st.dictionaries(
        st.sampled_from(["signature", "timestamp", "nonce", "echostr", "encrypt_type", "msg_signature", "openid", "x"]),
        st.binary(max_size=40),
        max_size=8,
    ).map(lambda given: b"&".join(f"{name}={quote_from_bytes(value)}".encode() for name, value in given.items())),
    st.just(signed()),
    st.just(signed("")),
    st.binary(max_size=30).map(lambda raw: signed() + b"&echostr=" + quote_from_bytes(raw).encode()),
)
HEADERS = st.sampled_from([
    b"", b"Content-Type: text/xml; charset=utf-16\r\n", b"Content-Type: multipart/form-data\r\n",
    b"Content-Type: \xff\xfe\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: identity\r\n",
])  # fmt: skip


@EXAMPLES
@given(QUERIES, st.binary(max_size=3000), st.sampled_from([b"POST", b"POST", b"GET"]), HEADERS)
async def test_any_bytes_and_any_query_get_a_short_answer(
    door: Wire, query: bytes, body: bytes, method: bytes, headers: bytes
) -> None:
    if b"Expect" in headers:
        headers, body = b"", body * 9  # an answer of its own comes first: not what is looked at here
    await door.send(query, body, method=method, headers=headers)


async def test_what_compresses_well_or_not_at_all_and_what_is_too_large_gets_a_short_answer(door: Wire) -> None:
    import zlib  # noqa: PLC0415 - nowhere else

    bomb = zlib.compress(b"<xml>" + b"a" * 30_000_000)
    for body, coding in ((b"no gzip", b"gzip"), (bomb, b"deflate"), (bomb[:500], b"deflate"), (b"\x00", b"br")):
        await door.send(signed(), body, headers=b"Content-Encoding: " + coding + b"\r\n")
        await door.hang_up()
    for size in (BODY_LIMIT, BODY_LIMIT + 1, 10 * BODY_LIMIT):
        await door.send(signed(), b"x" * size)
        await door.hang_up()
    door.looks_well()


@pytest.mark.parametrize("breaks_off", [True, False])
@pytest.mark.parametrize("half", [b"", b"<xml>"])
async def test_a_body_that_is_cut_short_is_not_answered_so_that_it_comes_again(
    door: Wire, half: bytes, *, breaks_off: bool
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"POST /wechat?" + signed() + b" HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n" + half)
    before = len(door.lines())
    if breaks_off:
        writer.write_eof()
    with suppress(ConnectionError):
        assert await reader.read() == b""
    await eventually(lambda: [line["event"] for line in door.lines()[before:]] == ["push_cut_short"])
    writer.close()
    door.looks_well()


async def test_an_echo_goes_back_letter_for_letter(door: Wire) -> None:
    for raw, back in ((b"1234", b"1234"), (b"%E4%BD%A0%3C", "你<".encode()), (b"%FF%ED%A0%80", "�����"[:4].encode())):
        assert await door.send(signed() + b"&echostr=" + raw, b"", method=b"GET") == back
    door.looks_well()


# Anything that looks like XML.

NAMES = st.sampled_from([
    "xml", "ToUserName", "FromUserName", "CreateTime", "MsgType", "Content", "Event", "EventKey", "MsgId", "MsgID",
    "Encrypt", "MediaId", "OpenID", "x", "a:b", "é",
])  # fmt: skip
SCRAPS = st.one_of(
    st.text(max_size=30),
    st.sampled_from([
        "<![CDATA[", "]]>", "<!--", "-->", "<?xml version='1.0' encoding='utf-16'?>", "<?x?>", "&lt;", "&#0;",
        "&#xD800;", "&#x110000;", "&nope;", "&a;", "<!DOCTYPE xml [<!ENTITY a 'b'>]>",
        "<!DOCTYPE xml SYSTEM 'file:///etc/passwd'>",
        "\x00", "\x0b", "\ufeff", "\ufffe", "<", ">", "</xml>", "<xml>", "<xml xmlns='http://a' xmlns:a='b'>", "{}",
    ]),
)  # fmt: skip
TREES = st.recursive(
    SCRAPS,
    lambda inner: st.one_of(
        st.lists(st.tuples(NAMES, inner), max_size=6).map(
            lambda children: "".join(f"<{name}>{body}</{name}>" for name, body in children)
        ),
        st.tuples(NAMES, st.integers(1, 3000), inner).map(
            lambda deep: f"<{deep[0]}>" * deep[1] + deep[2] + f"</{deep[0]}>" * deep[1]
        ),
        st.tuples(NAMES, st.integers(1, 20_000), inner).map(
            lambda wide: f"<{wide[0]} a='{'&amp;x' * (wide[1] // 6)}' b='{wide[1]}'>{wide[2]}</{wide[0]}>"
        ),
    ),
    max_leaves=12,
)


@EXAMPLES
@given(TREES, st.booleans(), st.sampled_from(["utf-8", "utf-16", "gbk"]))
async def test_anything_like_xml_gets_a_short_answer(door: Wire, tree: str, inside: bool, coding: str) -> None:  # noqa: FBT001 - drawn
    document = f"<xml>{tree}</xml>".encode(coding, errors="replace")[: BODY_LIMIT // 2]
    if inside:
        await push(door, document)
    else:
        await door.send(signed(), document)


# Sound envelopes around anything.

LEGAL = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
"""What XML may hold; anything else is drawn rarely, since the whole push is refused for it."""
WORDS = sorted({word for command in table("words.toml").values() for word in command["words"]})
KINDS = st.one_of(
    st.sampled_from([
        "text", "text", "text", "image", "voice", "video", "shortvideo", "location", "link", "file", "miniprogrampage",
        "event", "event", "hologram", "TEXT",
    ]),
    st.text(LEGAL, max_size=12),
)  # fmt: skip
EVENTS = st.one_of(
    st.sampled_from([
        "subscribe", "unsubscribe", "SCAN", "CLICK", "VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH",
        "pic_weixin", "location_select", "scancode_waitmsg", "subscribe_msg_popup_event", "kf_create_session",
        "user_info_modified", "user_authorization_revoke", "user_authorization_cancellation", "verify_expired",
        "subscribe_scan", "subscribe_scan_product", "toString",
    ]),
    st.text(LEGAL, max_size=30),
)  # fmt: skip
TYPED = st.one_of(
    st.sampled_from(WORDS),
    st.tuples(st.sampled_from(WORDS), st.text(LEGAL, max_size=20)).map("".join),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["١٢", "１２", "二", "²", "Ⅷ", "进度 1234 5678 9012", "绑定 ABCD2345", "我接了 99999999999999999999"]
    ),
    st.text(LEGAL, max_size=60),
    st.text(alphabet="孩子打他爸妈 在家\n1。", max_size=80),
)
ODD = st.one_of(
    st.text(LEGAL, max_size=40),
    st.sampled_from(
        ["", "0", "-1", "1e400", "nan", "9" * 30, "\x0b", "invite-ABCD2345", "qrscene_invite-A", "success"]
    ),
    st.tuples(NAMES, st.text(LEGAL, max_size=5)).map(lambda part: f"<{part[0]}>{part[1]}</{part[0]}>"),
)
PEOPLE = st.integers(-3, 60).flatmap(
    lambda n: st.just(f"o-anybody-{n}") if n > 0 else st.sampled_from(["o-duty", "o-officer", "o-county"]) if n else ODD
)
FIELDS = [
    "EventKey", "Ticket", "Status", "MsgID", "OpenID", "bizmsgmenuid", "MediaId", "ThumbMediaId", "Format",
    "Recognition", "PicUrl", "Title", "Description", "Url", "Location_X", "Location_Y", "Scale", "Label", "Latitude",
    "Longitude", "SendLocationInfo", "MsgDataId", "Idx", "URL",
]  # fmt: skip


@st.composite
def pushes(draw: st.DrawFn) -> bytes:
    """A push with the fields it needs, and then some missing, repeated, added or odd."""
    seldom = st.sampled_from([False] * 9 + [True])
    fields: list[tuple[str, str]] = [
        ("ToUserName", "gh_1"),
        ("FromUserName", draw(PEOPLE)),
        ("CreateTime", draw(ODD) if draw(seldom) else STAMP),
        ("MsgType", draw(KINDS)),
        ("MsgId", draw(ODD) if draw(seldom) else str(next(_numbers))),
    ]
    if fields[3][1].lower() == "event":
        fields.append(("Event", draw(EVENTS)))
    else:
        fields.append(("Content", draw(TYPED)))
    fields += draw(st.lists(st.tuples(st.sampled_from(FIELDS), st.one_of(ODD, TYPED)), max_size=6))
    if draw(seldom):
        del fields[draw(st.integers(0, len(fields) - 1))]
    if draw(seldom):
        fields.append(draw(st.sampled_from(fields)))
    tidy = not draw(seldom)
    rows = (f"<{name}><![CDATA[{value}]]></{name}>" if tidy else f"<{name}>{value}</{name}>" for name, value in fields)
    return ("<xml>" + "".join(rows) + "</xml>").encode(errors="replace")


@settings(EXAMPLES, max_examples=1200)
@given(pushes())
async def test_any_push_in_a_sound_envelope_is_taken_or_refused(door: Wire, message: bytes) -> None:
    door.pushed += 1
    before = door.statuses[200]
    await push(door, message)
    door.taken += door.statuses[200] - before


@settings(EXAMPLES, max_examples=500)
@given(
    st.binary(max_size=400), st.one_of(st.none(), st.integers(0, 2**32 - 1)), st.one_of(st.none(), st.integers(0, 255)),
    st.binary(max_size=3), st.booleans(),
)  # fmt: skip
async def test_any_bytes_in_a_sound_envelope_are_refused(
    door: Wire,
    message: bytes,
    length: int | None,
    pad: int | None,
    tail: bytes,
    bare: bool,  # noqa: FBT001 - drawn
) -> None:
    encrypted = base64.b64encode(message).decode() if bare else envelope(message, length=length, pad=pad, tail=tail)
    await door.send(signed(encrypted), sealed(encrypted))


# Memory.

WEIGHT = 16 * 1024
"""Bytes that each message below carries."""
ROUNDS = 400
MOST = 4 * 1024 * 1024
"""For 1,280 messages: some 3 KiB for each, a fifth of what it carries."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_messages_of_all_sorts_leave_no_memory_behind(door: Wire) -> None:
    async def send(number: int) -> None:
        weight = os.urandom(WEIGHT // 2).hex().encode()
        await door.send(b"signature=" + weight[:100], weight)
        await push(door, b"<xml>" + weight + b"</xml>")
        await push(
            door, said(f"o-crowd-{number}", "").replace(b"text", b"event").replace(b"Content", b"Event").replace(
                b"<![CDATA[]]>", b"<![CDATA[" + weight + b"]]>"
            )
        )  # fmt: skip
        if not number % 5:  # the understanding of so many words takes its time
            await push(door, said(f"o-crowd-{number}", weight.decode()))

    for number in range(ROUNDS // 2):
        await send(number)
    before = door.memory()
    for number in range(ROUNDS):
        await send(number)
    assert door.memory() - before < MOST
    door.looks_well()
