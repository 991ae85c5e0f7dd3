"""The platform's public library in small: industries, templates and notices that an account may add to its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from bot.simulator import jsons
from bot.simulator.settings import TemplateSpec
from bot.simulator.world import STATIC

if TYPE_CHECKING:
    from bot.simulator.jsons import Json

LIBRARY: Json = json.loads((STATIC / "library.json").read_text(encoding="utf-8"))
INDUSTRIES = cast("dict[str, list[str]]", LIBRARY["industries"])
TEMPLATES = {str(row["short"]): row for row in jsons.rows(LIBRARY, "templates")}
CATEGORIES = jsons.rows(LIBRARY, "categories")
NOTICES = {jsons.integer(row, "tid"): row for row in jsons.rows(LIBRARY, "notices")}


def industry(number: str) -> tuple[str, str]:
    """The two names of an industry; empty for one that does not exist."""
    first, second = INDUSTRIES.get(number, ["", ""])
    return first, second


def template(short: str, template_id: str) -> TemplateSpec | None:
    """A template of the library under an id of this account's own."""
    row = TEMPLATES.get(short)
    return TemplateSpec.of({**row, "template_id": template_id}) if row else None


def keywords(tid: int) -> list[Json]:
    """What a notice of the library can tell; raises KeyError."""
    return jsons.rows(NOTICES[tid], "keywords")


def notice(tid: int, kids: list[int], template_id: str) -> TemplateSpec:
    """A notice of the library with some of its keywords, in the order wanted; raises KeyError."""
    row, known = NOTICES[tid], {jsons.integer(one, "kid"): one for one in keywords(tid)}
    chosen = [known[kid] for kid in kids]
    return TemplateSpec(
        template_id,
        str(row["title"]),
        tuple(f"{one['rule']}{one['kid']}" for one in chosen),
        tuple(str(one["name"]) for one in chosen),
        long_term=row["type"] == LONG_TERM,
    )


ONE_TIME, LONG_TERM = 2, 3
