"""Menus at the platform: the citizens' as default, one more per role, matched by a tag of the role's name."""

from bot.wechat import WeChat
from messages import menu
from storage.people import Role

DEFAULT = Role.CITIZEN


async def push_menus(wechat: WeChat) -> None:
    """Create the default menu and one conditional menu per role; tags are made where they are missing."""
    await wechat.create_menu(menu(DEFAULT))
    tags = await wechat.tags()
    for role in Role:
        if role == DEFAULT:
            continue
        tag = tags.get(role) or await wechat.create_tag(role)
        await wechat.add_conditional_menu(menu(role) | {"matchrule": {"tag_id": str(tag)}})
