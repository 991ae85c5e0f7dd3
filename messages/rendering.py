"""Turns a template and values into the words a person reads."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from messages.files import table

_ZONE = ZoneInfo("Asia/Shanghai")
_WEEKDAYS = "一二三四五六日"


def render(name: str, **values: object) -> str:
    """The text of `messages/<name>.txt` with `values`, without blank edges.

    Raises jinja2.TemplateNotFound for an unknown name and jinja2.UndefinedError for a missing value.
    """
    return _texts.get_template(f"{name}.txt").render(values).strip()


def render_page(name: str, **values: object) -> str:
    """The HTML of `messages/pages/<name>.html`; every value is escaped."""
    return _pages.get_template(f"pages/{name}.html").render(values)


def label(kind: str, code: object) -> str:
    """The Chinese word for `code` in section `kind` of labels.toml; KeyError when there is none."""
    try:
        return str(table("labels.toml")[kind][str(code)])
    except KeyError:
        raise KeyError(f"labels.toml has no [{kind}] {code}") from None


def labels(kind: str) -> dict[str, str]:
    """Every code of section `kind` of labels.toml with its word, in the order of the file."""
    return dict(table("labels.toml")[kind])


def lexicon(name: str) -> dict[str, Any]:
    """The word list `messages/lexicon/<name>.toml`."""
    return table(f"lexicon/{name}.toml")


def day(moment: datetime) -> str:
    """11月24日 周二, in China."""
    local = moment.astimezone(_ZONE)
    return f"{local.month}月{local.day}日 周{_WEEKDAYS[local.weekday()]}"


def clock(moment: datetime) -> str:
    """14:05, in China."""
    return moment.astimezone(_ZONE).strftime("%H:%M")


def ago(moment: datetime, now: datetime) -> str:
    """How long before `now`, as people say it: 刚刚, 5分钟前, 3小时前, 昨天 14:05, 3天前, then the date."""
    passed = now - moment
    nights = (now.astimezone(_ZONE).date() - moment.astimezone(_ZONE).date()).days
    if passed < timedelta(minutes=1):
        return "刚刚"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)}分钟前"
    if nights == 0:
        return f"{passed // timedelta(hours=1)}小时前"
    if nights == 1:
        return f"昨天 {clock(moment)}"
    if nights <= 30:  # noqa: PLR2004  a month is how far back people count days
        return f"{nights}天前"
    return day(moment)


def receipt(number: object) -> str:
    """Twelve digits in groups of four, as they are read aloud."""
    digits_only = str(number)
    return " ".join(digits_only[start : start + 4] for start in range(0, len(digits_only), 4))


def percent(share: float) -> str:
    """0.873 → 87.3%."""
    return f"{share * 100:.1f}%"


def digits(number: object) -> str:
    """A digit spelled for speaking: 110 → 1 1 0."""
    return " ".join(str(number))


def _nothing_for_none(value: object) -> object:
    """A value that is not known leaves a gap rather than the word None."""
    return "" if value is None else value


def _environment(*, autoescape: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("messages", "."),
        undefined=StrictUndefined,
        autoescape=autoescape,  # noqa: S701 - chat texts are no HTML; pages are escaped
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        finalize=_nothing_for_none,
    )
    made.filters |= {
        "label": lambda code, kind: label(kind, code),
        "day": day,
        "clock": clock,
        "ago": ago,
        "receipt": receipt,
        "percent": percent,
        "digits": digits,
    }
    return made


_texts = _environment(autoescape=False)
_pages = _environment(autoescape=True)
