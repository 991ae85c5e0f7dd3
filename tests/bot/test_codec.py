"""The codec against wechatpy's own crypto as the platform, and against everything hostile."""

import base64
import hashlib
import json
import struct
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto
from wechatpy.parser import parse_message

from bot.codec import Codec, Rejected
from bot.inbound import Inbound
from bot.replies import MOST, clean, cut, text_reply
from bot.settings import Mode, Wechat
from bot.simulator import Simulator, SimulatorSettings
from tests.support.work import calls

APP_ID, TOKEN, OPENID, GH = "wx1234567890abcdef", "AAAAA", "oAbC-123_xyz", "gh_0123456789ab"
CURRENT = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PREVIOUS = "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210zyxwvut"
STRANGE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
STAMP, NONCE = "1714037059", "486452656"
UNSUPPORTED = "【收到不支持的消息类型，暂无法显示】"


def codec(mode: Mode = "safe", previous: str | None = PREVIOUS, current: str = CURRENT) -> Codec:
    account = {
        "app_id": APP_ID,
        "app_secret": "s",
        "token": TOKEN,
        "encoding_aes_key": current,
        "previous_aes_key": previous,
        "mode": mode,
    }
    return Codec(Wechat.model_validate(account))


SAFE, COMPATIBLE, PLAIN = codec(), codec("compatible"), codec("plain")


def parsed(document: str) -> ET.Element:
    return ET.fromstring(document)  # noqa: S314 - our own XML


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()  # noqa: S324 - the platform's choice


def signed(encrypted: str | None = None) -> dict[str, str]:
    query = {"signature": sha1(TOKEN, STAMP, NONCE), "timestamp": STAMP, "nonce": NONCE, "openid": OPENID}
    if encrypted is not None:
        query |= {"encrypt_type": "aes", "msg_signature": sha1(TOKEN, STAMP, NONCE, encrypted)}
    return query


def xml(body: str = "<Content><![CDATA[你好]]></Content>", kind: str = "text", **other: str) -> str:
    fields = {"ToUserName": GH, "FromUserName": OPENID, "CreateTime": STAMP, "MsgType": kind} | other
    rows = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    identity = "" if kind == "event" else "<MsgId>6054768590064713728</MsgId>"
    return f"<xml>{rows}{identity}{body}</xml>"


def event(name: str, body: str = "", **other: str) -> str:
    return xml(body, "event", Event=name, **other)


def encrypt(plain: str, key: str = CURRENT, app_id: str = APP_ID) -> str:
    """The Encrypt element as wechatpy's own crypto makes it."""
    envelope = WeChatCrypto(TOKEN, key, app_id).encrypt_message(plain, NONCE, STAMP)
    found = parsed(envelope).findtext("Encrypt")
    assert found
    return found


def sealed(encrypted: str, plain: str = "") -> bytes:
    return f"<xml><ToUserName>{GH}</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt>{plain}</xml>".encode()


def push(plain: str, by: Codec = SAFE, key: str = CURRENT) -> Inbound:
    encrypted = encrypt(plain, key)
    opened = by.open_push(signed(encrypted), sealed(encrypted))
    assert isinstance(opened, Inbound), opened
    return opened


def plain_push(plain: str) -> Inbound:
    opened = PLAIN.open_push(signed(), plain.encode())
    assert isinstance(opened, Inbound), opened
    return opened


def reason(opened: Inbound | Rejected) -> str:
    assert isinstance(opened, Rejected)
    assert opened.status in {400, 403}
    return opened.reason


# Signatures.


def test_the_worked_example_of_the_platform_s_manual_holds() -> None:
    query = {"signature": "899cf89e464efb63f54ddac96b0a0a235f53aa78", "timestamp": "1714037059", "nonce": "486452656"}
    assert SAFE.verify(query | {"echostr": " 1234<>5678\n"}) == " 1234<>5678\n"
    for wrong in ({"nonce": "486452657"}, {"timestamp": "0"}, {"signature": "Ä"}, {"signature": ""}, {"echostr": ""}):
        assert SAFE.verify(query | {"echostr": "1"} | wrong) is None
    assert SAFE.verify({}) is None


def test_signatures_sort_as_bytes_like_wechatpy_does() -> None:
    for stamp, nonce in (("9", "10"), ("1714037059", "zZz"), ("100", "BBBBB"), ("1", "AAAA"), ("", "")):
        query = {"timestamp": stamp, "nonce": nonce, "signature": sha1(TOKEN, stamp, nonce), "echostr": "e"}
        assert SAFE.verify(query) == "e"


def test_nothing_is_opened_without_both_signatures() -> None:
    encrypted = encrypt(xml())
    good = signed(encrypted)
    assert reason(SAFE.open_push(good | {"signature": "0" * 40}, sealed(encrypted))) == "signature"
    assert reason(SAFE.open_push(good | {"msg_signature": good["signature"]}, sealed(encrypted))) == "signature"
    assert reason(SAFE.open_push(signed(), sealed(encrypted))) == "signature"
    assert reason(SAFE.open_push({}, sealed(encrypted))) == "signature"
    assert reason(PLAIN.open_push({}, xml().encode())) == "signature"


# Modes and keys.


def test_each_mode_takes_what_the_platform_sends_in_it() -> None:
    encrypted = encrypt(xml())
    both = sealed(encrypted, "<FromUserName>o-forged</FromUserName><MsgType>text</MsgType><Content>forged</Content>")
    opened = [SAFE.open_push(signed(encrypted), both), COMPATIBLE.open_push(signed(encrypted), both)]
    assert [(one.text, one.openid, one.key) for one in opened if isinstance(one, Inbound)] == [("你好", OPENID, 0)] * 2
    for open_one in (COMPATIBLE, PLAIN):
        bare = open_one.open_push(signed(), xml().encode())
        assert isinstance(bare, Inbound)
        assert (bare.text, bare.key) == ("你好", None)


def test_plaintext_is_refused_where_encryption_was_promised() -> None:
    assert reason(SAFE.open_push(signed(), xml().encode())) == "plaintext"
    assert reason(COMPATIBLE.open_push(signed("x"), xml().encode())) == "plaintext"


def test_the_previous_key_still_opens_and_its_reply_is_sealed_with_it() -> None:
    for key, index in ((CURRENT, 0), (PREVIOUS, 1)):
        inbound = push(xml(), key=key)
        assert inbound.key == index
        reply = text_reply(inbound, "收到", 1714037060)
        body = SAFE.seal_reply(reply, inbound, NONCE, 1714037061)
        read = parsed(body)
        assert read.findtext("TimeStamp") == "1714037061"
        signature = read.findtext("MsgSignature")
        opened = WeChatCrypto(TOKEN, key, APP_ID).decrypt_message(body, signature, "1714037061", NONCE)
        assert opened == reply
    assert reason(codec(previous=None).open_push(signed(e := encrypt(xml(), PREVIOUS)), sealed(e))) == "decrypt"


def test_a_reply_is_encrypted_only_when_the_push_was() -> None:
    assert COMPATIBLE.seal_reply("<xml/>", push(xml(), COMPATIBLE), NONCE, 1).startswith("<xml>\n<Encrypt>")
    bare = COMPATIBLE.open_push(signed(), xml().encode())
    assert isinstance(bare, Inbound)
    assert COMPATIBLE.seal_reply("<xml/>", bare, NONCE, 1) == "<xml/>"
    for mode, inbound in ((SAFE, push(xml())), (PLAIN, plain_push(xml()))):
        assert mode.seal_reply("", inbound, NONCE, 1) == "success"


def test_two_seals_of_one_reply_differ_but_open_to_the_same() -> None:
    inbound = push(xml())
    first, second = (SAFE.seal_reply("<xml>1</xml>", inbound, NONCE, 1) for _ in range(2))
    assert first != second
    for body in (first, second):
        signature = parsed(body).findtext("MsgSignature")
        assert WeChatCrypto(TOKEN, CURRENT, APP_ID).decrypt_message(body, signature, "1", NONCE) == "<xml>1</xml>"


def test_a_message_for_another_account_is_refused() -> None:
    encrypted = encrypt(xml(), app_id="wx_somebody_else")
    assert reason(SAFE.open_push(signed(encrypted), sealed(encrypted))) == "app_id"


def raw_cipher(plain: bytes, key: str = CURRENT) -> str:
    secret = base64.b64decode(key + "=")
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def envelope(
    message: bytes, *, length: int | None = None, pad: bytes | None = None, tail: bytes = APP_ID.encode()
) -> str:
    data = b"r" * 16 + struct.pack(">I", len(message) if length is None else length) + message + tail
    count = 32 - len(data) % 32
    return raw_cipher(data + (bytes([count]) * count if pad is None else pad * count))


def test_our_own_envelope_of_the_manual_opens() -> None:
    encrypted = envelope(xml().encode())
    opened = SAFE.open_push(signed(encrypted), sealed(encrypted))
    assert isinstance(opened, Inbound)
    assert opened.text == "你好"


@pytest.mark.parametrize(
    "encrypted",
    [
        "",
        "A",
        "not base64 !!!",
        "====",
        base64.b64encode(b"x").decode(),
        base64.b64encode(b"x" * 16).decode(),
        base64.b64encode(b"x" * 33).decode(),
        base64.b64encode(b"x" * 64).decode(),
        raw_cipher(b"\0" * 16),
        raw_cipher(b"\x20" * 32),
        envelope(xml().encode(), pad=b"\0"),
        envelope(xml().encode(), pad=b"\xff"),
        envelope(xml().encode(), pad=b"\1"),
        envelope(xml().encode(), length=0),
        envelope(xml().encode(), length=7),
        envelope(xml().encode(), length=2**32 - 1),
        envelope(b""),
        envelope(b"\xff\xfe" * 20),
        envelope(b"{}"),
        envelope(xml().encode(), tail=b""),
        envelope(xml().encode(), tail=b"\xff"),
        "你好",
    ],
    ids=range(22),
)
def test_signed_garbage_is_refused_without_a_word(encrypted: str) -> None:
    for by in (SAFE, COMPATIBLE):
        assert reason(by.open_push(signed(encrypted), sealed(encrypted))) in {
            "decrypt",
            "app_id",
            "body",
            "json",
            "field",
        }


# The zoo of malformed bodies.

HOSTILE = {
    "empty": "",
    "blank": "   \n",
    "no XML": "hello",
    "JSON": '{"ToUserName": "gh_1", "MsgType": "text"}',
    "JSON after a BOM": '\ufeff {"a": 1}',
    "HTML": "<!DOCTYPE html><html><body>hi</body></html>",
    "unclosed": "<xml><MsgType>text",
    "another root": "<root><MsgType>text</MsgType></root>",
    "empty root": "<xml></xml>",
    "text root": "<xml>text</xml>",
    "no MsgType": xml().replace("MsgType", "Other"),
    "empty MsgType": xml(kind=""),
    "repeated MsgType": xml("<MsgType>image</MsgType>"),
    "MsgType as a table": xml().replace("<![CDATA[text]]>", "<a>text</a>"),
    "no sender": xml().replace("FromUserName", "Other"),
    "sender with markup": xml(FromUserName="<o>"),
    "sender too long": xml(FromUserName="o" * 65),
    "repeated sender": xml("<FromUserName>o2</FromUserName>"),
    "no account": xml().replace("ToUserName", "Other"),
    "no CreateTime": xml().replace("CreateTime", "Other"),
    "CreateTime in words": xml(CreateTime="now"),
    "CreateTime below nought": xml(CreateTime="-1"),
    "CreateTime with a point": xml(CreateTime="1.5"),
    "CreateTime in other digits": xml(CreateTime="١٢٣"),
    "CreateTime too long": xml(CreateTime="9" * 400),
    "MsgId in words": xml().replace("6054768590064713728", "abc"),
    "content as a list": xml("<Content>a</Content><Content>b</Content>"),
    "content as a table": xml("<Content><a>b</a></Content>"),
    "content with an attribute": xml('<Content a="b">c</Content>'),
    "media id as a list": xml("<MediaId>a</MediaId><MediaId>b</MediaId>", "image"),
    "event without a name": xml("", "event"),
    "event key as a table": event("CLICK", "<EventKey><a/></EventKey>"),
    "undeclared entity": xml("<Content>&lol;</Content>"),
    "control character": xml("<Content>\x0b</Content>"),
    "deep": xml("<a>" * 9000 + "</a>" * 9000),
    "deep root": "<xml>" * 9000 + "</xml>" * 9000,
    "DOCTYPE": '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd">' + xml(),
    "entity": '<!DOCTYPE xml [<!ENTITY a "b">]>' + xml("<Content>&a;</Content>"),
    "file entity": '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + xml("<Content>&a;</Content>"),
    "parameter entity": '<!DOCTYPE xml [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>' + xml(),
    "billion laughs": "<!DOCTYPE xml ["
    '<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
    + xml("<Content>&l9;</Content>"),
}


LITTLE = 3000
"""Calls of functions; a push that names itself a million times, or is 9,000 deep, is refused with fewer than 1,100."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_push_is_refused_in_every_mode_with_little_work(name: str) -> None:
    body = HOSTILE[name]

    def open_everywhere() -> None:
        assert reason(PLAIN.open_push(signed(), body.encode())) in {"body", "field", "json"}
        assert reason(COMPATIBLE.open_push(signed(), body.encode())) in {"body", "field", "json"}
        reason(SAFE.open_push(signed(), body.encode()))
        assert reason(SAFE.open_push(signed(encrypted), sealed(encrypted))) in {"body", "field", "json", "decrypt"}

    encrypted = encrypt(body or " ")
    assert calls(open_everywhere) < LITTLE


def test_bytes_that_are_no_text_are_refused() -> None:
    for body in (b"\xff\xfe<xml/>", b"\x00", xml().encode("gbk"), xml().encode("utf-16")):
        assert reason(PLAIN.open_push(signed(), body)) == "body"
        assert reason(SAFE.open_push(signed(), body)) == "body"


def test_five_hundred_siblings_of_an_unknown_name_are_no_obstacle() -> None:
    assert plain_push(xml("<Content>a</Content>" + "<URL>x</URL>" * 500)).text == "a"


# What is read.


def test_text_is_kept_letter_for_letter() -> None:
    for typed in ("  孩子 \n 在哭  ", "\t", "a&b<c>", "1", "0", "😀", "x" * 600, "【收到】"):
        written = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert push(xml(f"<Content>{written}</Content>")).text == typed
        assert push(xml(f"<Content><![CDATA[{typed}]]></Content>")).text == typed
    assert push(xml("<Content></Content>")).text is None
    assert push(xml("")).text is None
    assert push(xml("<Content>a</Content><bizmsgmenuid>12</bizmsgmenuid>")).menu_id == "12"


_TYPED = st.text(st.sampled_from("你A1 \n\t\r\x0b\x85\u3000\ufffe\U0001f600<>&;]['\"=") | st.characters(codec="utf-8"))
_GAPS = st.sampled_from(["", "\n", "\n    ", " ", "\r\n", "\t", "\x0b", "x", "<!-- -->"])


@given(_TYPED, _GAPS, _GAPS)
@settings(max_examples=400)
def test_typed_words_are_read_as_wechatpy_reads_them(typed: str, gap: str, after: str) -> None:
    document = (
        f"<xml>{gap}<ToUserName><![CDATA[{GH}]]></ToUserName><FromUserName><![CDATA[{OPENID}]]></FromUserName>"
        f"{gap}<CreateTime>{STAMP}</CreateTime><MsgType><![CDATA[text]]></MsgType>{gap}"
        f"<Content><![CDATA[{typed}]]></Content><MsgId>605</MsgId>{after}</xml>{after}"
    )
    opened = PLAIN.open_push(signed(), document.encode())
    try:
        theirs = parse_message(document)._data
    except Exception:  # noqa: BLE001 - whatever it cannot read
        assert isinstance(opened, Rejected)
        return
    if isinstance(opened, Rejected):  # we refuse more: a field that comes twice, and the like
        assert not all(isinstance(theirs.get(name), str) for name in ("Content", "MsgId", "CreateTime"))
        return
    assert (opened.text or "").strip() == (theirs["Content"] or ""), "blanks apart, which it strips"
    assert (opened.openid, opened.to, opened.msg_id) == (OPENID, GH, "605")
    assert opened.create_time == int(theirs["CreateTime"])


def test_the_placeholder_for_stickers_is_nobody_s_words() -> None:
    for body in (UNSUPPORTED, f" {UNSUPPORTED}\n"):
        inbound = push(xml(f"<Content><![CDATA[{body}]]></Content>"))
        assert (inbound.kind, inbound.text) == ("unsupported", None)
    told = push(xml(f"<Content>孩子发来{UNSUPPORTED}</Content>"))
    assert (told.kind, told.text) == ("text", f"孩子发来{UNSUPPORTED}")


def test_media_pins_links_files_and_cards_are_read() -> None:
    image = push(xml("<PicUrl>http://p</PicUrl><MediaId>m1</MediaId>", "image"))
    assert (image.kind, image.pic_url, image.media_id, image.msg_id) == (
        "image",
        "http://p",
        "m1",
        "6054768590064713728",
    )
    voice = push(xml("<MediaId>m2</MediaId><Format>amr</Format><Recognition></Recognition>", "voice"))
    assert (voice.kind, voice.media_id, voice.format, voice.recognition) == ("voice", "m2", "amr", None)
    video = push(xml("<MediaId>m3</MediaId><ThumbMediaId>t3</ThumbMediaId>", "shortvideo"))
    assert (video.kind, video.thumb_media_id) == ("shortvideo", "t3")
    place = "<Location_X>29.5</Location_X><Location_Y>106.5</Location_Y><Scale>16</Scale><Label>村口</Label>"
    pin = push(xml(place, "location"))
    assert (pin.kind, pin.latitude, pin.longitude, pin.scale, pin.label) == ("location", 29.5, 106.5, "16", "村口")
    link = push(xml("<Title>a</Title><Description>b</Description><Url>http://c</Url>", "link"))
    assert (link.kind, link.title, link.description, link.url) == ("link", "a", "b", "http://c")
    file = push(xml("<Title>名单.xlsx</Title><FileKey>k</FileKey>", "file"))
    assert (file.kind, file.title, file.media_id) == ("file", "名单.xlsx", None)
    assert push(xml("<Title>a</Title>", "miniprogrampage")).kind == "miniprogram"
    assert push(xml("", "hologram")).kind == "unsupported"


@pytest.mark.parametrize("value", ["", "nan", "inf", "1e400", "181", "abc", "１２"])
def test_a_senseless_coordinate_does_not_cost_the_message(value: str) -> None:
    pin = push(xml(f"<Location_X>29.5</Location_X><Location_Y>{value}</Location_Y><Label>家</Label>", "location"))
    assert pin.latitude == 29.5
    assert pin.label == "家"
    assert pin.longitude in {None, 12.0}
    json.dumps(pin.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("given_event", "given_key", "name", "key"),
    [
        ("subscribe", "", "subscribe", None),
        ("subscribe", "qrscene_invite_a_b", "subscribe", "invite_a_b"),
        ("subscribe", "qrscene_qrscene_1", "subscribe", "qrscene_1"),
        ("subscribe", "qrscene_", "subscribe", None),
        ("subscribe", "last_trade_no_4200", "subscribe", None),
        ("subscribe", "scanbarcode|1|2", "subscribe", None),
        ("SCAN", "invite_a_b", "scan", "invite_a_b"),
        ("SCAN", "qrscene_x", "scan", "qrscene_x"),
        ("CLICK", "MY_TASKS", "click", "MY_TASKS"),
        ("VIEW", "https://a.example/m", "view", "https://a.example/m"),
        ("unsubscribe", "", "unsubscribe", None),
        ("kf_create_session", "", "kf_create_session", None),
        ("user_authorization_revoke", "", "user_authorization_revoke", None),
        ("subscribe_msg_popup_event", "", "subscribe_msg_popup_event", None),
    ],
)
def test_events_have_one_name_and_a_bare_key(given_event: str, given_key: str, name: str, key: str | None) -> None:
    inbound = push(event(given_event, EventKey=given_key))
    assert (inbound.kind, inbound.event, inbound.event_key, inbound.msg_id) == ("event", name, key, None)


def test_reports_on_templates_and_places_are_read() -> None:
    done = push(event("TEMPLATESENDJOBFINISH", "<MsgID>200163836</MsgID><Status>failed:user block</Status>"))
    assert (done.event, done.job_id, done.status) == ("templatesendjobfinish", "200163836", "failed:user block")
    here = push(event("LOCATION", "<Latitude>23.1</Latitude><Longitude>113.3</Longitude><Precision>1</Precision>"))
    assert (here.latitude, here.longitude) == (23.1, 113.3)
    info = (
        "<SendLocationInfo><Location_X>23</Location_X><Location_Y>113</Location_Y><Label>x</Label></SendLocationInfo>"
    )
    chosen = push(event("location_select", info, EventKey="k"))
    assert (chosen.event_key, chosen.latitude, chosen.longitude, chosen.label) == ("k", 23.0, 113.0, "x")


def test_one_message_has_one_identity_however_often_it_comes() -> None:
    assert push(xml()).identity == push(xml(), key=PREVIOUS).identity == plain_push(xml()).identity
    others = [
        push(xml()),
        push(xml(FromUserName="oSomebodyElse")),
        push(xml().replace("6054768590064713728", "6054768590064713729")),
        push(event("CLICK", EventKey="A")),
        push(event("CLICK", EventKey="B")),
        push(event("LOCATION", EventKey="A")),
        push(event("CLICK", EventKey="A", CreateTime="1714037060")),
        push(event("CLICK", EventKey="A", FromUserName="oSomebodyElse")),
        push(event("TEMPLATESENDJOBFINISH", "<MsgID>1</MsgID>")),
        push(event("TEMPLATESENDJOBFINISH", "<MsgID>2</MsgID>")),
    ]
    assert len({one.identity for one in others}) == len(others)


def test_a_kept_message_is_the_same_message() -> None:
    for plain in (xml(), event("SCAN", EventKey="x"), xml("<Location_X>1.5</Location_X>", "location")):
        inbound = push(plain)
        assert Inbound.from_json(json.loads(json.dumps(inbound.as_json()))) == inbound
        assert inbound.raw == plain


def test_a_message_shows_nothing_personal_of_itself() -> None:
    inbound = push(xml("<Content>王小明</Content>"))
    for shown in (repr(inbound), str(inbound), f"{inbound}"):
        assert "王" not in shown
        assert OPENID not in shown


# Replies.


def test_a_reply_survives_whatever_is_in_it() -> None:
    inbound = push(xml())
    for said in (
        "x]]><b>inj</b>",
        "]]>]]>",
        "]]&gt;",
        "a\x0bb\x00c",
        "😀\ud800",
        "<a href='x'>y</a>",
        "a\r\nb\rc\n",
        "&amp;",
    ):
        reply = text_reply(inbound, said, 1714037060)
        read = parsed(reply)
        assert {child.tag for child in read} == {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"}
        assert read.findtext("Content") == clean(said)
        assert parse_message(reply).target == OPENID
        assert read.findtext("FromUserName") == GH
        assert read.findtext("CreateTime") == "1714037060"
        SAFE.seal_reply(reply, inbound, NONCE, 1).encode()
    assert clean("a\x0bb\x00c\ud800\ufffe") == "abc"


def test_a_repeated_delivery_is_answered_with_the_same_words() -> None:
    inbound = push(xml())
    bodies = [SAFE.reply(push(xml()), "收到]]>，谢谢\x00", 1714037060) for _ in range(2)]
    assert bodies[0] != bodies[1]
    opened = {
        WeChatCrypto(TOKEN, CURRENT, APP_ID).decrypt_message(
            body, parsed(body).findtext("MsgSignature"), "1714037060", parsed(body).findtext("Nonce")
        )
        for body in bodies
    }
    assert [parsed(one).findtext("Content") for one in opened] == ["收到]]>，谢谢"]
    assert SAFE.reply(inbound, "\x00", 1) == "success"


def test_an_empty_reply_is_never_written() -> None:
    for nothing in ("", " \n", "\x00\x0b"):
        assert text_reply(push(xml()), nothing, 1) == ""


def fits(piece: str) -> bool:
    return 0 < len(piece) <= 600 and len(piece.encode()) <= 2048 and len(piece.encode("utf-16-le")) <= 2 * MOST


def test_a_long_text_is_cut_between_paragraphs_then_lines_then_sentences() -> None:
    paragraph, line, sentence = "段" * 250, "行" * 250, "句" * 249 + "。"
    assert cut("短") == ["短"]
    assert cut("") == cut(" \n ") == []
    assert cut("\n\n".join([paragraph] * 3)) == [f"{paragraph}\n\n{paragraph}", paragraph]
    assert cut("\n".join([line] * 3)) == [f"{line}\n{line}", line]
    assert cut(sentence * 3) == [sentence * 2, sentence]
    assert cut("字" * 1500) == ["字" * 600, "字" * 600, "字" * 300]
    assert cut("😀" * 700) == ["😀" * 300, "😀" * 300, "😀" * 100]


def test_a_link_is_never_cut() -> None:
    link = '<a href="https://tongban.example.org/m/case/12?x=1">点这里，看详情。</a>'
    for before in range(500, 640):
        pieces = cut("字" * before + link + "尾" * 300)
        assert sum(piece.count(link) for piece in pieces) == 1
        assert all(fits(piece) for piece in pieces)
    assert all(fits(piece) for piece in cut(f'<a href="{"x" * 2000}">y</a>'))


@given(st.text(max_size=3000))
@settings(max_examples=150, deadline=None)
def test_cut_loses_nothing_but_blanks(text: str) -> None:
    pieces = cut(text)
    assert all(fits(piece) for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(clean(text).split())


# The stand-in, which knows neither wechatpy nor this codec.


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
async def test_the_stand_in_and_the_codec_understand_each_other(mode: Mode) -> None:
    ours, opened = codec(mode), list[Inbound | Rejected]()

    async def hook(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(text=ours.verify(request.query) or "")
        inbound = ours.open_push(request.query, await request.read())
        opened.append(inbound)
        if isinstance(inbound, Rejected):
            return web.Response(status=inbound.status)
        return web.Response(text=ours.reply(inbound, f"听到：{inbound.text}]]>", 1714037060))

    application = web.Application()
    application.router.add_route("*", "/wechat", hook)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    account = SimulatorSettings(APP_ID, "s", TOKEN, CURRENT, mode=mode, retries=1, previous_encoding_aes_key=PREVIOUS)
    async with Simulator(account) as platform:
        platform.bot_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        phone = platform.add_phone("teacher")
        assert (await phone.say(" 孩子\n在哭 😀 "))[-1].text == "听到： 孩子\n在哭 😀 ]]>"
        platform.world.faults.old_key = 1
        assert (await phone.say("旧钥匙"))[-1].text == "听到：旧钥匙]]>"
        for fault in ("wrong_signature", "wrong_appid", "broken_padding"):
            setattr(platform.world.faults, fault, 1)
            await phone.say("坏的")
        await platform.quiet()
    await runner.cleanup()
    said = [one.text for one in opened if isinstance(one, Inbound)]
    assert said[:2] == [" 孩子\n在哭 😀 ", "旧钥匙"]
    refused = [one.reason for one in opened if isinstance(one, Rejected)]
    assert refused[0] == "signature"
    if mode == "safe":
        assert [one.key for one in opened if isinstance(one, Inbound)][:2] == [0, 1]
        assert refused[1] == "app_id"


# Anything at all.


@given(st.binary(max_size=2000), st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_bytes_and_any_query_are_refused_quietly(body: bytes, query: dict[str, str]) -> None:
    for by in (SAFE, COMPATIBLE, PLAIN):
        assert by.verify(query) is None
        reason(by.open_push(query, body))
        reason(by.open_push(signed() | {"openid": "x"}, body))


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_signed_cipher_text_is_refused_quietly(cipher: bytes) -> None:
    encrypted = base64.b64encode(cipher).decode()
    reason(SAFE.open_push(signed(encrypted), sealed(encrypted)))
    inner = envelope(cipher)
    reason(SAFE.open_push(signed(inner), sealed(inner)))


NAMES = [
    "xml",
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Content",
    "Event",
    "EventKey",
    "MsgId",
    "MsgID",
    "x",
]
NODES = st.recursive(
    st.text(alphabet="ab1 <&]>événement孩\n\x0b", max_size=8),
    lambda inner: st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=6).map(
        lambda children: "".join(f"<{name}>{body}</{name}>" for name, body in children)
    ),
    max_leaves=20,
)


@given(NODES)
@settings(max_examples=200, deadline=None)
def test_any_xml_is_read_or_refused_quietly(body: str) -> None:
    for document in (f"<xml>{body}</xml>", xml(body), event("CLICK", body)):
        opened = PLAIN.open_push(signed(), document.encode())
        if isinstance(opened, Inbound):
            assert Inbound.from_json(opened.as_json()) == opened
            assert opened.identity
        else:
            reason(opened)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
@settings(max_examples=150, deadline=None)
def test_every_text_comes_through_both_ways(typed: str) -> None:
    typed = clean(typed)
    written = typed.replace("]]>", "]]]]><![CDATA[>")
    inbound = push(xml(f"<Content><![CDATA[{written}]]></Content>"))
    if inbound.kind == "text":
        assert (inbound.text or "") == typed
    reply = text_reply(inbound, typed, 1)
    if reply:
        assert parsed(reply).findtext("Content") == typed
