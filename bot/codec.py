"""Between the platform's signed, encrypted XML and our `Inbound`: the only user of wechatpy's parser and crypto.

Nothing here raises on anything that came from outside, and nothing here ever shows a body: a body is a child's story.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from xml.parsers import expat

from wechatpy.crypto import PrpCrypto
from wechatpy.exceptions import InvalidAppIdException
from wechatpy.parser import parse_message

from bot.inbound import Inbound
from bot.pushes import Reason, UnsoundError, read_push
from bot.replies import cut, text_reply
from bot.settings import Wechat

__all__ = ["Codec", "Inbound", "Rejected", "cut"]

_BLANK = "\ufeff \t\r\n"
_MOST_DEPTH = 32
_USUAL_TAGS = 200
"""More opening brackets than any push of the platform has; with more, its depth is measured before it is parsed."""
_SAFE_BODY = re.compile(
    r"\s*<xml>\s*<ToUserName>(?:<!\[CDATA\[)?[\w@.-]*(?:\]\]>)?</ToUserName>\s*"
    r"<Encrypt><!\[CDATA\[([A-Za-z0-9+/=]*)\]\]></Encrypt>\s*</xml>\s*",
    re.ASCII,
)
"""The body that safe mode sends, read without a parser; any other shape goes through one."""
_TYPED_TEXT = re.compile(
    r"<xml>[ \n]*<ToUserName><!\[CDATA\[([\w@.-]+)\]\]></ToUserName>[ \n]*"
    r"<FromUserName><!\[CDATA\[([\w@.-]+)\]\]></FromUserName>[ \n]*"
    r"<CreateTime>([0-9]+)</CreateTime>[ \n]*<MsgType><!\[CDATA\[text\]\]></MsgType>[ \n]*"
    r"<Content><!\[CDATA\[([\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+)\]\]></Content>[ \n]*"
    r"<MsgId>([0-9]+)</MsgId>[ \n]*</xml>[ \n]*",
    re.ASCII,
)
"""What nearly every push is: words that somebody typed, in the platform's own order of fields."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A request that is not a sound push of this account, and why."""

    reason: Reason

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return 403 if self.reason in {"signature", "app_id"} else 400


class _Crypto(PrpCrypto):  # type: ignore[misc]  # wechatpy ships no types
    """wechatpy's envelope with a prefix that cannot be guessed."""

    def get_random_string(self) -> str:
        return secrets.token_hex(8)


class Codec:
    """Opens pushes and seals replies for one account; safe to share between threads."""

    def __init__(self, account: Wechat) -> None:
        self._app_id = account.app_id
        self._token = account.token.get_secret_value().encode()
        self._mode = account.mode
        given = (account.encoding_aes_key, account.previous_aes_key)
        keys = [key.get_secret_value() for key in given if key] if account.mode != "plain" else []
        self._cryptos = [_Crypto(base64.b64decode(key + "=")) for key in keys]

    def verify(self, query: Mapping[str, str]) -> str | None:
        """The answer to the platform's GET: echostr, unchanged; None when the signature is wrong."""
        echo = query.get("echostr")
        return echo if echo and self._is_signed(query, "signature") else None

    def open_push(self, query: Mapping[str, str], body: bytes) -> Inbound | Rejected:
        """The message in a POST; never raises, whatever came."""
        if not self._is_signed(query, "signature"):
            return Rejected("signature")
        try:
            xml, key = self._opened(query, body)
            return _read(xml, key)
        except UnsoundError as error:
            return Rejected(error.reason)
        except Exception:  # noqa: BLE001 - the parsers raise a zoo of exceptions on hostile bodies
            return Rejected("body")

    def reply(self, inbound: Inbound, text: str, said_at: int) -> str:
        """The HTTP body that says `text`; after decryption the same for every delivery of the message.

        `said_at` is in Unix seconds. A text with nothing readable in it becomes "success".
        """
        return self.seal_reply(text_reply(inbound, text, said_at), inbound, secrets.token_hex(8), said_at)

    def seal_reply(self, xml: str, inbound: Inbound, nonce: str, timestamp: int) -> str:
        """The HTTP body for `xml`: encrypted with the key that opened the message, or as it is when none did.

        An empty `xml` is nothing to say: the body is "success", which the platform takes in every mode.
        """
        if not xml:
            return "success"
        if inbound.key is None or not self._cryptos:
            return xml
        crypto = self._cryptos[min(inbound.key, len(self._cryptos) - 1)]  # the previous key may be gone by now
        encrypted = crypto.encrypt(xml, self._app_id).decode("ascii")
        signature = self._signature(str(timestamp), nonce, encrypted)
        return (
            f"<xml>\n<Encrypt><![CDATA[{encrypted}]]></Encrypt>\n"
            f"<MsgSignature><![CDATA[{signature}]]></MsgSignature>\n"
            f"<TimeStamp>{timestamp}</TimeStamp>\n<Nonce><![CDATA[{nonce}]]></Nonce>\n</xml>"
        )

    def _signature(self, *parts: str) -> str:
        data = b"".join(sorted([self._token, *(part.encode(errors="replace") for part in parts)]))
        return hashlib.sha1(data, usedforsecurity=False).hexdigest()  # the platform's choice

    def _is_signed(self, query: Mapping[str, str], name: str, *parts: str) -> bool:
        expected = self._signature(query.get("timestamp", ""), query.get("nonce", ""), *parts)
        return hmac.compare_digest(expected.encode(), query.get(name, "").encode(errors="replace"))

    def _opened(self, query: Mapping[str, str], body: bytes) -> tuple[str, int | None]:
        """The XML of the message, and which key opened it."""
        text = body.decode("utf-8")
        if text.lstrip(_BLANK).startswith("{"):
            raise UnsoundError("json")
        if self._mode == "plain":
            return text, None
        usual = _SAFE_BODY.fullmatch(text)
        encrypted = usual[1] if usual else _exact(text, "Encrypt")
        if encrypted is None:
            if self._mode == "safe" or query.get("encrypt_type") == "aes":
                raise UnsoundError("plaintext")
            return text, None
        if not self._is_signed(query, "msg_signature", encrypted):
            raise UnsoundError("signature")
        return self._decrypted(encrypted)

    def _decrypted(self, encrypted: str) -> tuple[str, int]:
        reason: Reason = "decrypt"
        for key, crypto in enumerate(self._cryptos):
            try:
                return cast("str", crypto.decrypt(encrypted, self._app_id)), key
            except InvalidAppIdException:
                reason = "app_id"
            except Exception:  # noqa: BLE001, S112 - a wrong key gives any bytes, and these any exception: try the next
                continue
        raise UnsoundError(reason)


def _exact(xml: str, wanted: str) -> str | None:
    """The exact text of the root's child `wanted`; refuses what no push has: DOCTYPE, depth, repetition."""
    found: list[str] | None = None
    path: list[str] = []

    def start(name: str, _: object) -> None:
        nonlocal found
        path.append(name)
        if len(path) > _MOST_DEPTH:
            raise UnsoundError("body")
        if path[1:] == [wanted]:
            if found is not None:
                raise UnsoundError("field")
            found = []

    def text(data: str) -> None:
        if found is not None and path[1:] == [wanted]:
            found.append(data)

    def doctype(*_: object) -> None:
        raise UnsoundError("body")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(xml, True)  # noqa: FBT003 - the parser takes no keywords
    return None if found is None else "".join(found)


def _typed_text(xml: str) -> tuple[dict[str, object], str] | None:
    """The fields of typed words, as wechatpy's parser gives them, and the words letter for letter; None: let it parse.

    That parser calls back into Python for every tag and line: 60 µs of 100 that opening a push costs.
    """
    usual = _TYPED_TEXT.fullmatch(xml)
    if usual is None:
        return None
    to, openid, created, typed, number = usual.groups()
    content = typed.strip()
    if not content or "]]>" in typed:
        return None
    fields: dict[str, object] = {
        "ToUserName": to, "FromUserName": openid, "CreateTime": created, "MsgType": "text", "Content": content,
        "MsgId": number,
    }  # fmt: skip
    return fields, typed


def _read(xml: str, key: int | None) -> Inbound:
    usual = _typed_text(xml)
    if usual is not None:
        return read_push(*usual, raw=xml, key=key)
    if xml.lstrip(_BLANK).startswith("{"):
        raise UnsoundError("json")
    if "<!DOCTYPE" in xml or xml.count("<") > _USUAL_TAGS:
        _exact(xml, "")  # raises when it is too deep or has a real DOCTYPE
    message = parse_message(xml)
    known = cast("dict[str, object]", message._data)  # noqa: SLF001 - wechatpy has no names for half of the fields
    return read_push(known, _typed(xml, known), raw=xml, key=key)


def _typed(xml: str, known: Mapping[str, object]) -> str | None:
    """What was typed. wechatpy strips blanks; nearly always there were none, and that is seen without a parser."""
    content = known.get("Content")
    if (content is None and "<Content>" not in xml) or f"<Content><![CDATA[{content}]]></Content>" in xml:
        return None if content is None else str(content)
    return _exact(xml, "Content")
