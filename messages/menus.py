"""The menu of each role, as the platform wants it. The key of a button is the command it stands for."""

from typing import Any

from messages.files import table


def menu(role: str) -> dict[str, Any]:
    """WeChat's menu JSON for `role`; a role without a menu of its own gets the citizens'."""
    menus = table("menu.toml")
    return {"button": [_button(item) for item in menus.get(role, menus["citizen"])["buttons"]]}


def _button(item: dict[str, Any]) -> dict[str, Any]:
    if "items" in item:
        return {"name": item["name"], "sub_button": [_button(inner) for inner in item["items"]]}
    return {"type": "click", "name": item["name"], "key": item["key"]}
