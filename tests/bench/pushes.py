"""The platform's half of safe mode, made without the bot's code: whole signed requests, opened replies."""

import base64
import hashlib
import os
import struct
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.bench import account

_CIPHER = Cipher(algorithms.AES(account.KEY), modes.CBC(account.KEY[:16]))
_BLOCK = 32
_FIRST_ID = 23_400_000_000_000_000


def sign(*parts: str) -> str:
    """The platform's signature."""
    return hashlib.sha1("".join(sorted((account.TOKEN, *parts))).encode(), usedforsecurity=False).hexdigest()


def openid(dialogue: int) -> str:
    """The user who holds this dialogue."""
    return "o" + hashlib.sha256(f"user {dialogue}".encode()).hexdigest()[:27]


def write(path: Path, dialogues: Iterable[tuple[int, list[str]]]) -> int:
    """Write every message of every dialogue as the load generator reads it; how many messages."""
    count, now = 0, int(time.time())
    with path.open("wb") as file:
        for number, texts in dialogues:
            for text in texts:
                request = _request(openid(number), text, now, _FIRST_ID + count)
                file.write(struct.pack("<II", number, len(request)) + request)
                count += 1
    return count


def opened(body: bytes) -> tuple[str, str]:
    """Who a reply is to and what it says; raises ValueError when it is not a sound reply of this account."""
    envelope = _fields(body)
    if sign(envelope["TimeStamp"], envelope["Nonce"], envelope["Encrypt"]) != envelope["MsgSignature"]:
        raise ValueError("the signature is wrong")
    decryptor = _CIPHER.decryptor()
    plain = decryptor.update(base64.b64decode(envelope["Encrypt"])) + decryptor.finalize()
    end = 20 + int.from_bytes(plain[16:20], "big")
    if plain[end : -plain[-1]].decode() != account.APP_ID:
        raise ValueError("the app id is wrong")
    message = _fields(plain[20:end])
    return message["ToUserName"], message["Content"]


def _fields(xml: bytes) -> dict[str, str]:
    try:
        return {element.tag: element.text or "" for element in ET.fromstring(xml)}  # noqa: S314 - our own servers' words
    except ET.ParseError as error:
        raise ValueError("it is no XML") from error


def _request(user: str, text: str, now: int, number: int) -> bytes:
    stamp, nonce = str(now), str(number % 1_999_999_973)
    encrypted = _encrypted(
        f"<xml><ToUserName><![CDATA[{account.ORIGINAL_ID}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>"
        f"<CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>"
        f"<MsgId>{number}</MsgId></xml>"
    )
    body = (
        f"<xml>\n    <ToUserName><![CDATA[{account.ORIGINAL_ID}]]></ToUserName>\n"
        f"    <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>\n"
    ).encode()
    query = (
        f"signature={sign(stamp, nonce)}&timestamp={stamp}&nonce={nonce}&openid={user}"
        f"&encrypt_type=aes&msg_signature={sign(stamp, nonce, encrypted)}"
    )
    head = (
        f"POST {account.PATH}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n"
        f"Pragma: no-cache\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _encrypted(xml: str) -> str:
    words = xml.encode()
    plain = os.urandom(16) + struct.pack(">I", len(words)) + words + account.APP_ID.encode()
    pad = _BLOCK - len(plain) % _BLOCK
    encryptor = _CIPHER.encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()
