"""Plays a journey: a chat between people and the bot in a text file, as it could stand in the county's training papers.

    # a note
    @孩子在册                       (a county setting of this journey, see SETTINGS)
    周老师: 什么什么                 (somebody says something)
    周老师: [照片]                   (… or sends or does something else, see _done)
    周老师同时: 1 | 2 | 1            (messages that were queued on the phone and arrive together)
    机器人→周老师: 答的话             (what appeared on a phone; further lines are indented)
    ——过了30分钟——

People's lines are played, the bot's lines are what is compared. Links read as 〔1 是〕, receipts as NNNN NNNN NNNN.
"""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from handlers import digest, pairs
from handlers.turn import Turn
from storage import sealing
from storage.areas import AreaLevel, UnitKind
from storage.children import Child, Side
from storage.people import Person, Role
from tests.world import Phone, World

BOT = "机器人→"
_INDENT = "    "
_UNITS = {"秒": "seconds", "分钟": "minutes", "小时": "hours", "天": "days", "周": "weeks"}
_PASSED = re.compile(r"——过了(\d+)(秒|分钟|小时|天|周)——")
_SAYS = re.compile(r"(?P<who>[^\s:：→]+?)(?P<queued>同时)?[:：] ?(?P<what>.*)")
_LINK = re.compile(r'<a href="weixin://bizmsgmenu\?msgmenucontent=[^"]*">([^<]*)</a>')
_RECEIPT = re.compile(r"\d{4} \d{4} \d{4}")
_EVENTS = {"关注": "subscribe", "取消关注": "unsubscribe"}


class County:
    """The county in which all journeys play."""

    def __init__(self, world: World) -> None:
        self.world = world
        county = world.area("青川县", AreaLevel.COUNTY)
        self.township = town = world.area("青山镇", AreaLevel.TOWNSHIP, county)
        self.village = world.area("柳河村", AreaLevel.VILLAGE, town)
        self.group = world.area("三组", AreaLevel.GROUP, self.village)
        self.school = world.unit("青山镇中心小学", UnitKind.SCHOOL, town)
        self.boss = world.person("王科长", Role.COUNTY_SUPERVISOR, county)
        self.supervisor = world.person("李督导", Role.TOWNSHIP_CHILD_SUPERVISOR, town)
        self.duty = world.person("赵值班", Role.TOWNSHIP_CHILD_SUPERVISOR, town)
        self.officer = world.person("陈主任", Role.VILLAGE_CHILD_OFFICER, self.village)
        self.teacher = world.person("周老师", Role.MANDATED_REPORTER, self.village, unit=self.school)
        world.duty(town, self.duty, self.supervisor)
        world.duty(county, self.boss)
        self.receipt = ""

    def child_on_file(self, name: str = "王小雨") -> None:
        """One child whom the officer and the teacher follow, last seen a week ago; and the supervisors' digests."""

        def add(turn: Turn) -> None:
            child = Child(
                number=f"T{name}", name=name, name_index=sealing.ring().index("child_name", name), sex="female",
                born=date(2016, 3, 5), area_id=self.group.id, level="yellow", level_since=turn.now,
                on_file_since=turn.now, school_id=self.school.id, last_contact_on=date(2026, 11, 16),
            )  # fmt: skip
            turn.session.add(child)
            turn.session.flush()
            pairs.pair(turn, child, turn.session.get_one(Person, self.officer.id), Side.CADRE)
            pairs.pair(turn, child, turn.session.get_one(Person, self.teacher.id), Side.TEACHER)
            digest.ensure_digests(turn)

        self.world.turn(add)

    def nobody_on_duty(self) -> None:
        """The duty person and the stand-in cannot be reached."""
        self.world.turn(lambda turn: _leave(turn, [self.duty.id, self.supervisor.id]))


def _leave(turn: Turn, people: list[int]) -> None:
    for one in people:
        turn.session.get_one(Person, one).left_at = turn.now


SETTINGS: dict[str, Callable[[County], None]] = {
    "孩子在册": County.child_on_file,
    "没人值班": County.nobody_on_duty,
}


def play(world: World, script: str) -> str:
    """Play the people's lines of a script; the script as it would read with what the bot really said."""
    county = County(world)
    played: list[str] = []
    said = False  # whether the last line was the bot's: blank lines after it are its own
    for line in script.splitlines():
        if line.startswith((BOT, _INDENT)) or (said and not line):
            said = True
            continue
        said = False
        played.append(line)
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            SETTINGS[line[1:].strip()](county)
        else:
            _act(county, line)
        played += [shown for openid, text in world.seen for shown in _lines(county, openid, text)]
        world.seen.clear()
    return "\n".join(played) + "\n"


def _act(county: County, line: str) -> None:
    passed = _PASSED.fullmatch(line)
    if passed:
        county.world.pass_(**{_UNITS[passed[2]]: float(passed[1])})
        return
    said = _SAYS.fullmatch(line)
    assert said, f"not a line of a journey: {line}"
    phone, what = county.world.phone(said["who"]), said["what"].replace("{回执号}", county.receipt)
    if said["queued"]:
        county.world.at_once(phone, [one.strip() for one in what.split("|")])
    elif what.startswith("["):
        _done(phone, what[1:-1])
    else:
        phone.says(what)


def _done(phone: Phone, what: str) -> None:
    """[照片] [语音] [位置 哪里] [表情] [关注] [取消关注] [菜单 report] [点 reports.danger 1]."""
    kind, _, rest = what.partition(" ")
    sent: dict[str, dict[str, Any]] = {
        "照片": {"kind": "image", "media_id": "m1"},
        "语音": {"kind": "voice", "media_id": "m2", "format": "amr"},
        "位置": {"kind": "location", "latitude": 27.1, "longitude": 109.2, "label": rest},
        "表情": {"kind": "unsupported"},
    }
    if kind in sent:
        phone.says(None, **sent[kind])
    elif kind in _EVENTS:
        phone.event(_EVENTS[kind])
    elif kind == "菜单":
        phone.event("click", rest)
    else:
        assert kind == "点", f"nobody knows how to do: {what}"
        menu, _, content = rest.partition(" ")
        phone.taps(menu, content)


def _lines(county: County, openid: str, text: str) -> list[str]:
    found = _RECEIPT.search(text)
    if found:
        county.receipt = found[0]
    shown = _RECEIPT.sub("NNNN NNNN NNNN", _LINK.sub(r"〔\1〕", text))
    first, *more = shown.split("\n")
    return [f"{BOT}{openid.removeprefix('o-')}: {first}", *(f"{_INDENT}{line}".rstrip() for line in more)]


def scripts(folder: Path) -> list[Path]:
    """All journeys of a folder."""
    return sorted(folder.glob("*.txt"))
