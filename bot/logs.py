"""Logging: one JSON object a line with a fixed event word, ids and figures; nothing that a person typed or is called.

Three nets, since one is never enough: personal keys are dropped, values that look personal are withheld, and an
exception is told by its kind and place, never by its text. Records of libraries keep only their first words.
"""

import logging
import re
import sys
import traceback
from pathlib import Path
from typing import IO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.syslog import Address, Syslog

PERSONAL = frozenset({
    "access_token", "address", "answers", "body", "content", "data", "description", "encrypted", "id_number", "label",
    "message", "name", "nonce", "openid", "path_qs", "payload", "person", "phone", "query", "raw", "recognition",
    "secret", "signature", "text", "title", "token", "url", "xml",
})  # fmt: skip
"""Keys that are never written, whatever is in them."""

WITHHELD = "[withheld]"
_ROOT = Path(__file__).parents[1]
_LONGEST = 200
_PERSONAL_LOOKS = re.compile(
    r"[^\x20-\x7e]"  # a county's people have Chinese names; event words, ids and places do not
    r"|\bo[A-Za-z0-9_-]{20,}"  # an openid
    r"|(?<!\d)1[3-9]\d{9}(?!\d)|(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{4} ?\d{4} ?\d{4}(?!\d)"  # phone, ID card, receipt
    r"|access_token=|secret=|code="
)


def place(error: BaseException) -> str:
    """The kind of an exception and where it was raised, e.g. "ValueError at handlers/visits.py:41": never its text."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT) and ".venv" not in frame.filename]
    if not frames:
        return kind
    frame = ours[-1] if ours else frames[-1]
    name = Path(frame.filename).relative_to(_ROOT).as_posix() if ours else Path(frame.filename).name
    return f"{kind} at {name}:{frame.lineno}"


def set_up(
    level: str = "info", style: str = "json", stream: IO[str] | None = None, syslog: Address | None = None
) -> None:
    """Send all logging of this process, libraries' included, to `stream` (standard error) in `style` json or text.

    `syslog`: and to the system's log, as JSON.
    """
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _told_by_place,
        _withhold,
    ]
    last = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    for chatty in ("apscheduler", "alembic"):  # a line per tick or migration says nothing
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
    handlers[0].setFormatter(_formatter(before, last))
    if syslog is not None:
        handlers.append(Syslog(syslog, Syslog.LOG_DAEMON))
        handlers[1].setFormatter(_formatter(before, structlog.processors.JSONRenderer()))
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, Syslog):
            old.close()
    root.handlers[:] = handlers
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)  # its lines hold addresses with codes in them
    logging.captureWarnings(capture=True)


def _formatter(before: list[Processor], last: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_first_words, *before],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _first_words(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A library's record: its logger and the first line of its pattern, without the values put into it."""
    record: logging.LogRecord = event["_record"]
    event["event"] = str(record.msg).splitlines()[0][:_LONGEST] if str(record.msg) else ""
    event["logger"] = record.name
    return event


def _told_by_place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = place(error)
    return event


def _withhold(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key in [key for key in event if key in PERSONAL]:
        del event[key]
    for key, value in event.items():
        if key not in {"_record", "_from_structlog", "timestamp"}:
            event[key] = _bare(value)
    return event


def _bare(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, BaseException):
        return place(value)
    text = str(value) if isinstance(value, str | Path) else type(value).__name__
    return WITHHELD if len(text) > _LONGEST or _PERSONAL_LOOKS.search(text) else text
