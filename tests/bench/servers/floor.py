"""The floor: the cheapest correct handling of a push under aiohttp. It decrypts, echoes, encrypts and keeps nothing."""

import base64
import hashlib
import os
import time

from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.bench import account

BACKLOG = 4096
"""As much as the bot has, so that a burst measures the work and not the system's patience."""
_CIPHER = Cipher(algorithms.AES(account.KEY), modes.CBC(account.KEY[:16]))
_APP_ID = account.APP_ID.encode()
_PADS = [bytes([length]) * length for length in range(33)]


def _sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted((account.TOKEN, *parts))).encode(), usedforsecurity=False).hexdigest()


def _cut(body: bytes, start: bytes, end: bytes) -> bytes:
    begin = body.find(start) + len(start)
    return body[begin : body.find(end, begin)]


async def echo(request: web.Request) -> web.Response:
    """One push."""
    query = dict(part.split("=", 1) for part in request.rel_url.raw_query_string.split("&"))
    encrypted = _cut(await request.read(), b"<Encrypt><![CDATA[", b"]]>")
    if _sign(query["timestamp"], query["nonce"], encrypted.decode()) != query["msg_signature"]:
        return web.Response(status=403)
    decryptor = _CIPHER.decryptor()
    plain = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
    end = 20 + int.from_bytes(plain[16:20], "big")
    if plain[end : -plain[-1]] != _APP_ID:
        return web.Response(status=403)
    return web.Response(body=_reply(plain[20:end], query["nonce"]), content_type="text/xml")


def _reply(push: bytes, nonce: str) -> bytes:
    now = str(int(time.time()))
    xml = b"".join((
        b"<xml><ToUserName><![CDATA[", _cut(push, b"<FromUserName><![CDATA[", b"]]>"),
        b"]]></ToUserName><FromUserName><![CDATA[", _cut(push, b"<ToUserName><![CDATA[", b"]]>"),
        b"]]></FromUserName><CreateTime>", now.encode(),
        b"</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[",
        _cut(push, b"<Content><![CDATA[", b"]]>"), b"]]></Content></xml>",
    ))  # fmt: skip
    plain = os.urandom(16) + len(xml).to_bytes(4, "big") + xml + _APP_ID
    encryptor = _CIPHER.encryptor()
    sealed = encryptor.update(plain + _PADS[32 - len(plain) % 32]) + encryptor.finalize()
    encrypted = base64.b64encode(sealed).decode()
    return (
        f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt>"
        f"<MsgSignature><![CDATA[{_sign(now, nonce, encrypted)}]]></MsgSignature>"
        f"<TimeStamp>{now}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
    ).encode()


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.post(account.PATH, echo)])
    web.run_app(app, host="127.0.0.1", port=account.port(), access_log=None, print=None, backlog=BACKLOG)
