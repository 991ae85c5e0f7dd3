"""Menus at the platform: the citizens' as default, one more per role, matched by a tag of the role's name.

Only what differs is pushed. A role whose menu is the citizens' needs none of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from bot.account import Right
from bot.clock import Clock
from bot.engine import Database, Lane
from bot.errcodes import Reaction
from bot.transport import Json
from bot.wechat import MenuOfTag, OutcomeUnknown, WeChat, WeChatRefused
from handlers.binding import RANK
from messages import menu
from storage import tags as rows
from storage.people import Role
from storage.tags import Tagging

log = structlog.get_logger()

DEFAULT = Role.CITIZEN
BY_TAG = [role for role in Role if role != DEFAULT]
_COMPARED = ("type", "name", "key", "url", "appid", "pagepath", "media_id", "article_id")
_TOP, _SUB = 3, 5
"""Buttons side by side, and in one of them."""
_BYTES = {"key": 128, "url": 1024}
_TOP_NAME_BYTES, _SUB_NAME_BYTES = 16, 60
_TRUSTED = timedelta(hours=1)
"""How long the platform's word holds, on its tags and on a person whom it refused: one may follow again."""
_FIRST_WAIT = timedelta(seconds=10)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_OF_EVERYBODY = frozenset({Reaction.RETRY_LATER, Reaction.REFRESH, Reaction.CONFIG})
_OF_EVERY_CALL = frozenset({45009, 45159})
"""The day's quota of this call, and a tag that is not there: no other person would fare better."""


class UnfitMenu(ValueError):  # noqa: N818 - reads as a sentence where it is caught
    """The platform would refuse this menu; the text says why in one sentence."""


async def push_menus(wechat: WeChat) -> list[tuple[Role, str]]:
    """Give every role its menu; what was done for whom: added, replaced or removed. Raises UnfitMenu before any call.

    Replacing the default menu may take the others away (deleting it does), so they are looked at again after it.
    """
    if not wechat.may(Right.MENUS):
        return []
    wanted = {role: _shape(menu(role)["button"]) for role in Role}
    for role, buttons in wanted.items():
        check_limits(role, buttons)
    done = []
    default, by_tag = await wechat.menus()
    if default is None or _shape(default) != wanted[DEFAULT]:
        await wechat.create_menu({"button": wanted[DEFAULT]})
        done.append((DEFAULT, "added" if default is None else "replaced"))
        by_tag = (await wechat.menus())[1]
    if wechat.may(Right.TAGS):
        tags = await wechat.tags()
        for role in BY_TAG:
            own = wanted[role] if wanted[role] != wanted[DEFAULT] else None
            there = [one for one in by_tag if one.tag_id == tags.get(role)]
            if what := await _push_one(wechat, role, tags.get(role), own, there):
                done.append((role, what))
    return done


async def _push_one(
    wechat: WeChat, role: Role, tag: int | None, wanted: list[Json] | None, there: Sequence[MenuOfTag]
) -> str:
    """One role's menu; the new one is added before an old one goes, so that nobody is without."""
    same = [one for one in there if _shape(one.buttons) == wanted]
    is_new = wanted is not None and not same
    if is_new:
        tag = tag or await wechat.create_tag(role)
        await wechat.add_conditional_menu({"button": wanted, "matchrule": {"tag_id": str(tag)}})
    old = [one for one in there if one not in same[-1:]]
    for one in old:
        await wechat.delete_conditional_menu(one.menu_id)
    if is_new:
        return "replaced" if old else "added"
    return "removed" if old else ""


def differing(default: list[Json] | None, by_tag: Iterable[MenuOfTag], tags: Mapping[str, int]) -> list[Role]:
    """The roles for which the platform would not show our menu; DEFAULT stands for everybody without one."""
    shown = {one.tag_id: _shape(one.buttons) for one in by_tag}  # the newest of a tag counts
    everybody = _shape(default or [])
    seen = {role: shown.get(tags[role], everybody) if role in tags else everybody for role in BY_TAG}
    seen[DEFAULT] = everybody
    return [role for role in Role if seen[role] != _shape(menu(role)["button"])]


def check_limits(role: str, buttons: Sequence[Json], most: int = _TOP) -> None:
    """Raises UnfitMenu for what the platform would refuse: too many buttons, names or keys of too many bytes."""
    if not 0 < len(buttons) <= most:
        raise UnfitMenu(f"The menu of {role} has {len(buttons)} buttons in one place, and 1 to {most} fit.")
    limits = _BYTES | {"name": _TOP_NAME_BYTES if most == _TOP else _SUB_NAME_BYTES}
    for button in buttons:
        for part, limit in limits.items():
            size = len(str(button.get(part, "")).encode())
            if size > limit:
                raise UnfitMenu(f"The menu of {role}: a {part} has {size} bytes, and {limit} fit.")
        if inner := button.get("sub_button"):
            check_limits(role, inner, _SUB)  # type: ignore[arg-type]  # buttons in a button


def _shape(buttons: Iterable[Json]) -> list[Json]:
    """A menu as it can be compared: without the empty lists and ids that the platform adds."""
    return [
        {part: button[part] for part in _COMPARED if button.get(part)}
        | ({"sub_button": _shape(inner)} if (inner := button.get("sub_button")) else {})  # type: ignore[arg-type]  # buttons in a button
        for button in buttons
    ]


class Tagger:
    """Gives everybody the tag of their role, so that their menu is the one of their role."""

    def __init__(self, database: Database, wechat: WeChat, clock: Clock) -> None:
        self._database, self._wechat, self._clock = database, wechat, clock
        self._tags: dict[str, int] = {}
        self._tags_until = self._not_before = _LONG_AGO
        self._failures = 0
        self._refused: dict[Tagging, datetime] = {}
        """Whom the platform does not let us tag, and until when they are not asked about again."""

    async def drain(self) -> int:
        """Tell the platform of roles that changed; how many. What fails is tried again, each time a little later."""
        now = self._clock.now()
        if not self._wechat.may(Right.MENUS, Right.TAGS) or now < self._not_before:
            return 0
        done = 0
        try:
            if now >= self._tags_until:
                self._tags, self._tags_until = await self._wechat.tags(), now + _TRUSTED
            for one in await self._waiting(now):
                done += await self._retag(one, now)
        except (OutcomeUnknown, WeChatRefused) as error:
            code = error.code if isinstance(error, WeChatRefused) else None
            self._tags_until, self._failures = now, self._failures + 1
            self._not_before = now + min(_FIRST_WAIT * 2 ** (self._failures - 1), _TRUSTED)
            log.warning("tags_not_told", code=code, told=done)
        else:
            self._failures = 0
        return done

    async def _waiting(self, now: datetime) -> list[Tagging]:
        """Who wears the wrong tag; without those whom the platform refused within the hour."""
        look = partial(rows.wrongly_tagged, ranking=[*map(str, RANK)], tags=self._tags)
        wrong = await self._database.read(look)
        self._refused = {one: until for one in wrong if (until := self._refused.get(one, now)) > now}
        return sorted((one for one in wrong if one not in self._refused), key=lambda one: one.contact_id)

    async def _retag(self, one: Tagging, now: datetime) -> int:
        """Take the old tag off and put the new one on; 0 when the platform refuses this person, which stops nobody."""
        if one.role and one.role not in self._tags:
            self._tags[one.role] = await self._wechat.create_tag(one.role)
        own = self._tags[one.role] if one.role else None
        worn = (tag for name, tag in self._tags.items() if one.tag in {str(tag), name})  # names were noted once
        old = next((tag for tag in worn if tag != own), None)
        try:
            if old is not None:
                await self._wechat.untag_users(old, [one.openid])
            if own is not None:
                await self._wechat.tag_users(own, [one.openid])
        except WeChatRefused as refusal:
            if refusal.reaction in _OF_EVERYBODY or refusal.code in _OF_EVERY_CALL:
                raise
            self._refused[one] = now + _TRUSTED
            log.info("tag_refused", code=refusal.code, contact=one.contact_id)
            return 0
        note = partial(rows.note_tag, contact_id=one.contact_id, tag=None if own is None else str(own))
        await self._database.run(note, Lane.BULK)
        return 1
