"""Menus: the default one and one per tag, with the platform's limits in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.links import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.simulator.call import Call
    from bot.simulator.jsons import Json
    from bot.simulator.state import Phone
    from bot.simulator.world import World

KEYED = frozenset(
    {
        "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin",
        "location_select",
    }
)  # fmt: skip
TYPES = KEYED | {"view", "miniprogram", "media_id", "article_id", "article_view_limited", "view_limited"}
EXTRAS = ("appid", "pagepath", "media_id", "article_id")
NEEDED = {
    "miniprogram": ("appid", "pagepath"),
    "media_id": ("media_id",),
    "view_limited": ("media_id",),
    "article_id": ("article_id",),
    "article_view_limited": ("article_id",),
}
TOP, SUB = 3, 5
KEY_BYTES, URL_BYTES = 128, 1024
FOREIGN_DOMAINS = 3
TOP_NAME, SUB_NAME = 16, 60
OK: Json = {"errcode": 0, "errmsg": "ok"}


def _button(button: Json, *, sub: bool) -> Json:
    """Check one button and keep only what counts; codes differ for sub buttons by seven or so."""
    name = jsons.text(button, "name", "")
    if not 0 < len(name.encode()) <= (SUB_NAME if sub else TOP_NAME):
        raise ApiError(40025 if sub else 40018)
    if children := jsons.rows(button, "sub_button"):
        if sub or len(children) > SUB:
            raise ApiError(40023)
        return {"name": name, "sub_button": [_button(child, sub=True) for child in children]}
    kind = jsons.text(button, "type", "")
    if kind not in TYPES:
        raise ApiError(40024 if sub else 40017)
    kept = {"type": kind, "name": name, **_target(button, kind, sub=sub)}
    kept |= {extra: jsons.text(button, extra) for extra in EXTRAS if extra in button}
    if not all(kept.get(name) for name in NEEDED.get(kind, ())):
        raise ApiError(40035)
    return {**kept, "sub_button": []}


def _target(button: Json, kind: str, *, sub: bool) -> Json:
    """The key or the address, which one depends on the type."""
    if kind in KEYED:
        key = jsons.text(button, "key", "")
        if not 0 < len(key.encode()) <= KEY_BYTES:
            raise ApiError(40026 if sub else 40019)
        return {"key": key}
    if kind in {"view", "miniprogram"}:
        url = jsons.text(button, "url", "")
        if not 0 < len(url.encode()) <= URL_BYTES or not host_of(url):
            raise ApiError(40027 if sub else 40020)
        return {"url": url}
    return {}


def _buttons(data: Json) -> list[Json]:
    buttons = jsons.rows(data, "button")
    if not 0 < len(buttons) <= TOP:
        raise ApiError(40016)
    return [_button(button, sub=False) for button in buttons]


def _read(call: Call) -> Json:
    if call.escapes_stand and jsons.has_escapes(call.body):
        raise ApiError(40033)
    return call.json()


async def create(world: World, call: Call) -> Json:
    """POST /cgi-bin/menu/create."""
    world.state.menu = {"button": _buttons(_read(call)), "menuid": _next_id(world)}
    world.changes.bump()
    return dict(OK)


def _next_id(world: World) -> int:
    world.state.next_menu += 1
    return world.state.next_menu


async def get(world: World, _call: Call) -> Json:
    """GET /cgi-bin/menu/get."""
    if world.state.menu is None:
        raise ApiError(46003)
    answer: Json = {"menu": world.state.menu}
    if world.state.conditional_menus:
        answer["conditionalmenu"] = world.state.conditional_menus
    return answer


async def delete(world: World, _call: Call) -> Json:
    """GET /cgi-bin/menu/delete: the default menu and all conditional ones."""
    world.state.menu = None
    world.state.conditional_menus.clear()
    world.changes.bump()
    return dict(OK)


async def add_conditional(world: World, call: Call) -> Json:
    """POST /cgi-bin/menu/addconditional: only by tag."""
    data = _read(call)
    if world.state.menu is None:
        raise ApiError(65303)
    buttons, rule = _buttons(data), jsons.obj(data, "matchrule")
    if any(value for name, value in rule.items() if name not in {"tag_id", "group_id"}):
        raise ApiError(65320)
    tag = jsons.text(rule, "tag_id", "") or jsons.text(rule, "group_id", "")
    if not tag:
        raise ApiError(65304)
    if not tag.isdecimal() or int(tag) not in world.state.tags:
        raise ApiError(45159)
    every: list[Json] = [*world.state.conditional_menus, {"button": buttons}]
    if len({host for menu in every for host in _hosts(menu)}) > FOREIGN_DOMAINS:
        raise ApiError(65316)
    menuid = _next_id(world)
    world.state.conditional_menus.append({"button": buttons, "matchrule": {"tag_id": tag}, "menuid": menuid})
    world.changes.bump()
    return {"menuid": str(menuid)}


def _hosts(menu: Json) -> Iterator[str]:
    """The domains that a menu's links lead to."""
    for button in jsons.rows(menu, "button"):
        for one in [button, *jsons.rows(button, "sub_button")]:
            if host := host_of(jsons.text(one, "url", "")):
                yield host


async def delete_conditional(world: World, call: Call) -> Json:
    """POST /cgi-bin/menu/delconditional."""
    menuid = jsons.text(call.json(), "menuid", "")
    left = [menu for menu in world.state.conditional_menus if str(menu["menuid"]) != menuid]
    if len(left) == len(world.state.conditional_menus):
        raise ApiError(65301)
    world.state.conditional_menus = left
    world.changes.bump()
    return dict(OK)


def seen_by(world: World, phone: Phone) -> Json | None:
    """The menu a user sees: the newest conditional one for the tag applied last, else the default."""
    if phone.tags:
        for menu in reversed(world.state.conditional_menus):
            if str(jsons.obj(menu, "matchrule")["tag_id"]) == str(phone.tags[-1]):
                return menu
    return world.state.menu


async def try_match(world: World, call: Call) -> Json:
    """POST /cgi-bin/menu/trymatch."""
    phone = world.state.phones.get(jsons.text(call.json(), "user_id", ""))
    if phone is None:
        raise ApiError(40003)
    menu = seen_by(world, phone)
    if menu is None:
        raise ApiError(46003)
    return {"button": menu["button"]}


async def current(world: World, _call: Call) -> Json:
    """GET /cgi-bin/get_current_selfmenu_info."""
    if world.state.menu is None:
        return {"is_menu_open": 0}
    buttons = [
        {**button, "sub_button": {"list": jsons.rows(button, "sub_button")}}
        for button in jsons.rows(world.state.menu, "button")
    ]
    return {"is_menu_open": 1, "selfmenu_info": {"button": buttons}}


def is_submenu(menu: Json | None, key: str) -> bool:
    """Whether this is the name of a button that only opens its submenu."""
    return any(jsons.rows(one, "sub_button") and one["name"] == key for one in jsons.rows(menu or {}, "button"))


def find(menu: Json | None, key: str) -> Json | None:
    """The button with that key, address or name."""
    for button in jsons.rows(menu, "button") if menu else []:
        for one in [*jsons.rows(button, "sub_button"), button]:
            if "type" in one and key in (one.get("key"), one.get("url"), one.get("name")):
                return one
    return None
