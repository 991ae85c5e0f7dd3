"""The typed fields of templates and notices, checked one by one as the manual's table has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.simulator import jsons
from bot.simulator.errors import ApiError
from bot.simulator.jsons import ShapeError

if TYPE_CHECKING:
    from bot.simulator.jsons import Json
    from bot.simulator.settings import TemplateSpec

OLD_LIMIT = 20
DROPPED_OLD_KEYS = frozenset({"first", "remark"})
OLD_KEY = re.compile(r"keyword\d+")
KEY = re.compile(r"([a-z_]+?)\d+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
EMOJI = re.compile("[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")
HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
YEAR, MONTH, DAY = "\u5e74", "\u6708", "\u65e5"
MONTHS, DAYS = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12][0-9]|3[01])"
DATE = (
    rf"(?:[0-9]{{4}}(?:{YEAR}{MONTHS}{MONTH}{DAYS}{DAY}|-{MONTHS}-{DAYS}|/{MONTHS}/{DAYS}|\.{MONTHS}\.{DAYS}"
    rf"|,{MONTHS},{DAYS}))"
)
MOMENT = rf"(?:{DATE}\s*)?{CLOCK}"
RULES: dict[str, re.Pattern[str]] = {
    "thing": re.compile(r".{1,20}", re.DOTALL),
    "short_thing": re.compile(r".{1,20}", re.DOTALL),
    "number": re.compile(r"(?!.{34})(?!(?:\.?[0-9]){33})[0-9]+(?:\.[0-9]+)?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(rf"[^\w\s{HAN}]{{1,5}}"),
    "character_string": re.compile(r"[\x21-\x7e]{1,32}"),
    "time": re.compile(rf"{MOMENT}(?:\s*~\s*{MOMENT})?"),
    "date": re.compile(rf"{DATE}(?:\s*{CLOCK})?(?:\s*~\s*{DATE}(?:\s*{CLOCK})?)?"),
    "amount": re.compile(r"[\u00a5\uffe5$\u20ac\u00a3][0-9]{1,10}(?:\.[0-9]+)?\u5143?"),
    "phone_number": re.compile(r"[0-9+\-()*#]{1,17}"),
    "car_number": re.compile(rf"[{HAN}A-Z0-9a-z]{{1,8}}"),
    "phrase": re.compile(rf"[{HAN}]{{1,5}}"),
    "const": re.compile(r".{1,20}"),
    "enum": re.compile(r".{1,20}"),
}
NAME_HAN, NAME_LATIN = 10, 20


def fits(kind: str, value: str) -> bool:
    """Whether a field of this kind takes the value."""
    if not value.strip() or CONTROL.search(value):
        return False
    if kind == "name":
        return len(value) <= (NAME_HAN if re.search(f"[{HAN}]", value) else NAME_LATIN) and not re.search(r"\d", value)
    rule = RULES.get(kind)
    return rule is not None and rule.fullmatch(value) is not None


def _refuse(key: str, why: str = "invalid") -> ApiError:
    return ApiError(47003, what=f"data.{key}.value {why}")


def fields_of(spec: TemplateSpec, data: Json) -> list[Json]:
    """The card's fields in the template's order; raises ApiError 47003 naming the first bad one."""
    for key in data:
        if key not in spec.keys and key not in DROPPED_OLD_KEYS:
            raise _refuse(key, "is not a key of the template")
    labels = dict(zip(spec.keys, spec.labels, strict=False))
    fields: list[Json] = []
    for key in spec.keys:
        if key in DROPPED_OLD_KEYS:
            continue
        try:
            value = jsons.text(jsons.obj(data, key), "value", "")
        except ShapeError as error:
            raise _refuse(key, "is empty") from error
        fields.append({"key": key, "label": labels.get(key, ""), "value": _shown(spec, key, value)})
    return fields


def _shown(spec: TemplateSpec, key: str, value: str) -> str:
    """What the card shows of a value: of an old key what is left of it, of a typed one all or nothing."""
    if OLD_KEY.fullmatch(key):
        return EMOJI.sub("", CONTROL.sub("", value))[:OLD_LIMIT]
    typed = KEY.fullmatch(key)
    if not value:
        raise _refuse(key, "is empty")
    if typed is None or not fits(typed[1], value) or value not in spec.constants.get(key, (value,)):
        raise _refuse(key)
    return EMOJI.sub("", value)
