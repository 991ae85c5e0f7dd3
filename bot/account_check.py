"""`tongban check --wechat`: what the account's own side holds beside our settings, in lines a clerk can act on.

It only reads: no message is sent and nothing is changed. The account's kind is told by what the platform refuses, so
this alone asks for more than the stated kind may do.
"""

import asyncio
import hashlib
import re
import secrets
import socket
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp

from bot import menus
from bot.account import KINDS, Right, may
from bot.addresses import is_loopback
from bot.settings import PURPOSES, Kind, Purpose, Settings, Template
from bot.template_fields import DROPPED, filled, kind_of
from bot.transport import Json
from bot.wechat import MenuOfTag, OutcomeUnknown, PrivateTemplate, WeChat, WeChatRefused
from handlers.workdays import CHINA
from messages import label, labels, render

T = TypeVar("T")

PATIENCE = aiohttp.ClientTimeout(total=5)
"""As long as the platform waits for us."""
CLOCKS_APART = 60
"""Seconds that two clocks may differ."""
_TOKEN = {
    40013: "app_id", 40001: "secret", 40125: "secret", 40243: "frozen",
    40164: "address", 61004: "address", 45035: "address",
    89501: "confirm", 89503: "confirm", 89506: "confirm", 89507: "confirm", 48004: "punished", -1: "silent",
}  # fmt: skip
_NO_RIGHT, _FINE = 48001, 200
_SEEN = (Right.MENUS, Right.TAGS, Right.TEMPLATE)
"""What can be told without doing anything."""
_FIELD = re.compile(r"\{\{\s*(\w+)\.DATA\s*\}\}")
_FIXED, _UNDOCUMENTED = frozenset({"const", "enum"}), frozenset({"short_thing"})
"""Kinds of field of which the platform does not tell what it takes: words of the template's own, and any length."""
_SAID: dict[Purpose, tuple[str, dict[str, object]]] = {
    "alarm": ("alarms/card", {"urgency": 1, "kind": "alarm", "again": False}),
    "task": ("tasks/card", {"count": 2, "hours": 0, "past": False}),
    "digest": ("digest/card", {"count": 1, "overdue": 2}),
    "notice": ("reports/card_nudge", {}),
}
"""The words of a sample: those that people really read."""


class Mark(StrEnum):
    """What a line says: it is there, it is missing, or somebody has to look."""

    OK = "ok"
    MISSING = "missing"
    LOOK = "look"


class Line(NamedTuple):
    """One thing that was checked."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        """As it is printed."""
        return f"{label('account_line', self.mark)}\t{self.text}"


class _Account(NamedTuple):
    """What the platform told of the account; None where it has no right to ask, or where nothing came back."""

    menus: tuple[list[Json] | None, list[MenuOfTag]] | None
    tags: dict[str, int] | None
    templates: list[PrivateTemplate] | None
    answered: frozenset[Right]
    """What is known of its rights."""

    def rights(self) -> frozenset[Right]:
        """What was not refused."""
        told = zip(_SEEN, self[:3], strict=True)
        return frozenset(right for right, answer in told if answer is not None)


async def check_account(settings: Settings, http: aiohttp.ClientSession) -> list[Line]:
    """Every line, in the order in which things are put right."""
    wechat = WeChat(settings.wechat.model_copy(update={"kind": "verified-service"}), http)
    token = await _token(wechat)
    lines = [await _clock(wechat), token, await _callback(settings, http)]
    if may(settings.wechat.kind, Right.OAUTH):
        lines += await _domain(settings, http)
    if token.mark is not Mark.OK:
        return [*lines, Line(Mark.LOOK, render("account/later"))]
    return [*lines, *await _address(settings, wechat), *await _account(settings, wechat)]


def _unanswered(what: str, error: OutcomeUnknown | WeChatRefused) -> Line:
    """What the platform does not answer is said, and stops nothing else."""
    code = error.code if isinstance(error, WeChatRefused) else None
    return Line(Mark.MISSING, render("account/unanswered", what=label("account_question", what), code=code))


async def _account(settings: Settings, wechat: WeChat) -> list[Line]:
    """Its kind, and what it keeps for us: menus and templates."""
    kind = settings.wechat.kind
    unanswered: dict[Right, Line] = {}
    account = _Account(
        await _allowed(Right.MENUS, wechat.menus(), unanswered),
        await _allowed(Right.TAGS, wechat.tags(), unanswered),
        await _allowed(Right.TEMPLATE, wechat.private_templates(), unanswered),
        frozenset(_SEEN) - unanswered.keys(),
    )
    lines = [_kind(kind, account), Line(Mark.OK, render("account/mode", kind=kind)), *unanswered.values()]
    if account.menus is not None and Right.TAGS not in unanswered:
        lines.append(_menu(*account.menus, account.tags))
    if account.templates is not None and may(kind, Right.TEMPLATE):
        now = datetime.now(CHINA)
        lines += [_template(one, settings.wechat.templates.get(one), account.templates, now) for one in PURPOSES]
    return lines


async def _allowed(right: Right, answer: Awaitable[T], unanswered: dict[Right, Line]) -> T | None:
    """The answer; None without the right to ask, and where none came, which is noted."""
    try:
        return await answer
    except (OutcomeUnknown, WeChatRefused) as error:
        if not isinstance(error, WeChatRefused) or error.code != _NO_RIGHT:
            unanswered[right] = _unanswered(right.value, error)
        return None


async def _clock(wechat: WeChat) -> Line:
    """The machine's own clock: a demonstration's moved one is nobody's business here."""
    theirs = await wechat.date()
    if theirs is None:
        return Line(Mark.LOOK, render("account/clock", state="unknown", seconds=0))
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > CLOCKS_APART:
        return Line(Mark.MISSING, render("account/clock", state="wrong", seconds=round(apart)))
    return Line(Mark.OK, render("account/clock", state="ok", seconds=CLOCKS_APART))


async def _token(wechat: WeChat) -> Line:
    state, address, code = "ok", None, None
    try:
        await wechat.try_credentials()
    except OutcomeUnknown:
        state = "silent"
    except WeChatRefused as refusal:
        address, code = refusal.address, refusal.code
        state = "silent" if code is None else _TOKEN.get(code, "refused")
    mark = Mark.OK if state == "ok" else Mark.MISSING
    return Line(mark, render("account/token", state=state, address=address, code=code))


async def _callback(settings: Settings, http: aiohttp.ClientSession) -> Line:
    """Ask our own public address as the platform does when the server address is saved in the console."""
    url = f"{settings.web.public_origin}/wechat"
    stamp, nonce, echo = str(int(time.time())), secrets.token_hex(5), str(secrets.randbelow(10**18))
    parts = sorted([settings.wechat.token.get_secret_value(), stamp, nonce])
    signature = hashlib.sha1("".join(parts).encode(), usedforsecurity=False).hexdigest()
    asked = {"signature": signature, "timestamp": stamp, "nonce": nonce, "echostr": echo}
    status, body = await _got(http, url, asked)
    state = "ok" if body == echo else "other"
    if status is None:
        state = "silent"
    elif status != _FINE:
        state = "status"
    mark = Mark.OK if state == "ok" else Mark.MISSING
    return Line(mark, render("account/callback", state=state, url=url, status=status))


async def _got(http: aiohttp.ClientSession, url: str, asked: dict[str, str] | None = None) -> tuple[int | None, str]:
    """Status and body of one of our own addresses, from outside; None when nothing answers."""
    try:
        async with http.get(url, params=asked, timeout=PATIENCE, allow_redirects=False) as answer:
            return answer.status, (await answer.content.read(1000)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None, ""


async def _domain(settings: Settings, http: aiohttp.ClientSession) -> list[Line]:
    """What can be seen from here of the sign-in's domain: https, and the files by which the platform checks it."""
    origin = settings.web.public_origin
    is_plain = not origin.startswith("https://") and not is_loopback(origin)
    host = urlsplit(origin).hostname
    mark, state = (Mark.MISSING, "plain") if is_plain else (Mark.LOOK, "look")
    lines = [Line(mark, render("account/domain", state=state, host=host))]
    for name, content in settings.wechat.verify_files.items():
        status, body = await _got(http, f"{origin}/{name}")
        is_there = status == _FINE and body.strip() == content.strip()
        mark, state = (Mark.OK, "ok") if is_there else (Mark.MISSING, "wrong")
        lines.append(Line(mark, render("account/verify_file", state=state, file=name)))
    if not settings.wechat.verify_files:
        lines.append(Line(Mark.LOOK, render("account/verify_file", state="none", file="")))
    return lines


async def _address(settings: Settings, wechat: WeChat) -> list[Line]:
    """Whether the console's server address leads to where our public address does."""
    try:
        theirs = set(await wechat.callback_addresses())
    except (OutcomeUnknown, WeChatRefused) as error:
        return [_unanswered("address", error)]
    if not theirs:
        return [Line(Mark.MISSING, render("account/address", state="none", theirs="", ours=""))]
    try:
        host = urlsplit(settings.web.public_origin).hostname
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    ours = {str(one[4][0]) for one in found}
    mark, state = (Mark.OK, "ok") if ours & theirs else (Mark.LOOK, "elsewhere")
    said = {"theirs": " ".join(sorted(theirs)), "ours": " ".join(sorted(ours)) or "?"}
    return [Line(mark, render("account/address", state=state, **said))]


def _kind(stated: Kind, account: _Account) -> Line:
    """By what is refused; a test account looks like a verified service account."""
    seen = account.rights()
    alike = [kind for kind, rights in KINDS.items() if rights & account.answered == seen]
    said = label("account_kind", stated)
    if stated in alike:
        is_whole = account.answered == set(_SEEN)
        mark, state = (Mark.OK, "ok") if is_whole else (Mark.LOOK, "partly")
        return Line(mark, render("account/kind", state=state, said=said, seen=""))
    looks = label("account_kind", alike[0]) if alike else ""
    return Line(Mark.MISSING, render("account/kind", state="wrong", said=said, seen=looks))


def _menu(default: list[Json] | None, by_tag: list[MenuOfTag], tags: dict[str, int] | None) -> Line:
    differing = menus.differing(default, by_tag, tags or {})
    wrong = [one for one in differing if tags is not None or one == menus.DEFAULT]
    state = "none" if default is None else "wrong" if wrong else "ok"
    mark = Mark.OK if state == "ok" else Mark.MISSING
    return Line(mark, render("account/menu", state=state, roles=[label("role", role) for role in wrong]))


def _template(purpose: Purpose, template: Template | None, approved: list[PrivateTemplate], now: datetime) -> Line:
    """One purpose: the template is the account's, and its fields and ours are the same."""
    found = next((one for one in approved if template and one.template_id == template.template_id), None)
    said = {
        "purpose": purpose, "title": found.title if found else "", "id": template.template_id if template else "",
        "absent": [], "unfilled": [], "fixed": [], "short": [], "sample": "",
    }  # fmt: skip
    if template is None or found is None:
        return Line(Mark.MISSING, render("account/template", state="unknown" if template else "unset", **said))
    keys = _FIELD.findall(found.content)
    said["absent"] = [key for key in template.fields if key not in keys and key not in DROPPED]
    said["unfilled"] = [key for key in keys if key not in template.fields and key not in DROPPED]
    if said["absent"] or said["unfilled"]:
        return Line(Mark.MISSING, render("account/template", state="differs", **said))
    text, known = _SAID[purpose]
    values = filled(template.fields, labels("template_sample") | {"what": render(text, **known)}, now)
    shown = _FIELD.sub(lambda match: values.get(match[1], ""), found.content)
    said["sample"] = " | ".join(line.strip() for line in shown.splitlines() if line.strip())
    said["fixed"] = [key for key in keys if kind_of(key) in _FIXED]
    said["short"] = [key for key in keys if kind_of(key) in _UNDOCUMENTED]
    mark = Mark.LOOK if said["fixed"] or said["short"] else Mark.OK
    return Line(mark, render("account/template", state="ok", **said))
