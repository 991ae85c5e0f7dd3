"""Menus at the platform: the citizens' as default, one more per role, matched by a tag of the role's name."""

from functools import partial

import structlog

from bot.engine import Database, Lane
from bot.wechat import WeChat
from bot.wechat_errors import OutcomeUnknown, WeChatRefused
from messages import menu
from storage import tags as rows
from storage.people import Role

log = structlog.get_logger()

DEFAULT = Role.CITIZEN


async def push_menus(wechat: WeChat) -> None:
    """Create the default menu and one conditional menu per role; tags are made where they are missing.

    Creating the default menu again deletes the conditional ones, so that pushing twice leaves one of each.
    """
    await wechat.create_menu(menu(DEFAULT))
    tags = await wechat.tags()
    for role in Role:
        if role == DEFAULT:
            continue
        tag = tags.get(role) or await wechat.create_tag(role)
        await wechat.add_conditional_menu(menu(role) | {"matchrule": {"tag_id": str(tag)}})


class Tagger:
    """Gives everybody the tag of their role, so that their menu is the one of their role."""

    def __init__(self, database: Database, wechat: WeChat) -> None:
        self._database, self._wechat = database, wechat

    async def drain(self) -> int:
        """Tell the platform of roles that changed; how many. What the platform refuses is tried at the next tick."""
        changed = await self._database.read(rows.wrongly_tagged)
        if not changed:
            return 0
        try:
            tags = await self._wechat.tags()
            for role in sorted({one.role for one in changed if one.role} - tags.keys()):
                tags[role] = await self._wechat.create_tag(role)
            for one in changed:
                if one.tag in tags:
                    await self._wechat.untag_users(tags[one.tag], [one.openid])
                if one.role:
                    await self._wechat.tag_users(tags[one.role], [one.openid])
                await self._database.run(partial(rows.note_tag, contact_id=one.contact_id, tag=one.role), Lane.BULK)
        except (OutcomeUnknown, WeChatRefused) as error:
            code = error.code if isinstance(error, WeChatRefused) else None
            log.warning("tags_not_told", code=code, waiting=len(changed))
        return 0
