"""What the tests of clients written elsewhere share: requests carried to the stand-in, and steps to be counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests.sessions
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from tests.bot.simulator.tiny_bot import ONCE, TEMPLATE, Table

REAL = ("https://api.weixin.qq.com", "http://api.weixin.qq.com", "https://mp.weixin.qq.com")
OPENID, OTHER = "o" + "A" * 27, "o" + "B" * 27
"""As long as real ones: by the length wechatpy tells an openid from a name."""
FRAME = b"\x3c" + bytes(31)
JPG, AMR, MP4 = b"\xff\xd8\xff\xe0" + b"picture" * 20, b"#!AMR\n" + FRAME * 50, b"\x00\x00\x00\x18ftypmp42" + bytes(99)
MENU = {"button": [{"type": "click", "name": "我的任务", "key": "tasks"}]}
TAGGED = {"button": [{"type": "click", "name": "教师", "key": "t"}]}
QR = {"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "x"}}}
DATA = {"thing1": {"value": "走访"}, "time2": {"value": "07:30"}, "number3": {"value": "3"}}
NOTICE = {"thing1": {"value": "走访"}, "time2": {"value": "07:30"}}
OK = 0


class Kept(dict[str, Any]):
    """What earlier steps brought: ids, mostly."""

    def article(self) -> dict[str, Any]:
        return {"title": "日报", "content": "<p>三件</p>", "digest": "三件", "thumb_media_id": self["thumb"]}


@dataclass(frozen=True)
class Step:
    """One call: its name in the client, how it is made, what of its answer is kept, and what that should be.

    With `keep` the value is remembered under that name, and only that there is one is expected.
    """

    name: str
    call: Callable[[Any, Kept], Any]
    value: Callable[[Any], Any]
    expected: Any = OK
    keep: str = ""


def ok(answer: dict[str, Any]) -> int:
    """The errcode of an answer, which many good ones do not have."""
    return int(answer.get("errcode", OK))


@dataclass
class Made:
    """Which calls were made, and what they brought that was not expected."""

    names: list[str] = field(default_factory=list)
    wrong: list[tuple[str, Any, Any]] = field(default_factory=list)

    def make(self, step: Step, client: Any, kept: Kept) -> None:  # noqa: ANN401 - any client
        """Make a call that blocks, and note it."""
        self.note(step, step.call(client, kept), kept)

    def note(self, step: Step, answer: Any, kept: Kept) -> None:  # noqa: ANN401 - any client's answer
        value = step.value(answer)
        self.names.append(step.name)
        if step.keep:
            kept[step.keep] = value
        good = bool(value) if step.keep else value == step.expected
        if not good:
            self.wrong.append((step.name, value, step.expected))


def to_stand_in(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """Carry whatever `requests` would send to the real platform to the stand-in; nothing else is changed."""

    class ToStandIn(HTTPAdapter):
        def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - handed on
            real = next(one for one in REAL if str(request.url).startswith(one))
            request.url = origin + str(request.url).removeprefix(real)
            return super().send(request, *args, **{**options, "proxies": {}})

    monkeypatch.setattr(requests.sessions, "HTTPAdapter", ToStandIn)


def people(one: Table) -> None:
    """Two followers; the first has said yes to a notice."""
    first = one.platform.add_phone("田老师", OPENID)
    one.platform.add_phone("王主任", OTHER)
    first.user.notices[ONCE.template_id] = 1


def seen(one: Table, openid: str = OPENID) -> list[tuple[str, str, str]]:
    """What the account showed a person, without the replies."""
    return [
        (item.source, item.kind, item.title or item.text)
        for item in one.platform.phone(openid).screen
        if item.side == "account"
    ]


SETTINGS: dict[str, object] = {"templates": (TEMPLATE,), "notices": (ONCE,)}
