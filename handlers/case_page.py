"""/m/case/…: one report and its case on a page; every look is logged before it is shown."""

from handlers import alarms
from handlers.page import Answer, Download, Fields, Goto, Page
from handlers.report_sight import Sight, look_at, whole
from handlers.report_view import values
from handlers.turn import Refused, Turn
from storage import media, renditions, reporters
from storage.reports import Report

INLINE = {
    "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp", "image/bmp": "bmp",
    "image/heic": "heic", "image/avif": "avif", "audio/amr": "amr", "audio/mpeg": "mp3", "audio/mp4": "m4a",
    "audio/aac": "aac", "audio/ogg": "ogg", "audio/wav": "wav", "audio/speex": "speex", "video/mp4": "mp4",
    "video/webm": "webm",
}  # fmt: skip
"""What a browser may show by itself, and how such a file is called; anything else is only handed over."""
_HANDED_OVER = "application/octet-stream"


def case(turn: Turn, path: Fields, form: Fields) -> Answer:
    """The page. Words that were merged into an older report are found there."""
    sight = look_at(turn, int(path["report"]))
    if sight.report.merged_into_id:
        return Goto(f"/m/case/{sight.report.merged_into_id}")
    if not sight.whole:
        return Page("held", held(turn, sight))
    turn.audit("look", "report", sight.report.id)
    shown = form.get("show", "")
    return Page("case", values(turn, sight, int(shown) if shown.isdecimal() else None))


def held(turn: Turn, sight: Sight) -> dict[str, object]:
    """Values for whoever was told about what another person has by now: a name, nothing of what was told."""
    holder = alarms.name_of(turn, sight.case.holder_id) if sight.case else None
    return {"holder": holder, "at": sight.case.opened_at if sight.case else None}


def original(turn: Turn, path: Fields, form: Fields) -> Answer:
    """One picture, voice or film as it came; `?save` hands it over as a file, `?play` is what any browser plays."""
    number = int(path["media"])
    of_report = media.report_of(turn.connection, number)
    if of_report is None:
        raise Refused("common/not_yours")
    report = turn.session.get_one(Report, of_report)
    whole(turn, report.merged_into_id or report.id)
    played = renditions.opened(turn.connection, number) if "play" in form else None
    shown = played or media.opened(turn.connection, number)
    if shown is None:
        raise Refused("common/not_yours")
    content_type = (shown.content_type or "").partition(";")[0].strip().lower()
    ending = INLINE.get(content_type)
    turn.audit("look_media", "media", number)
    name = f"R{report.id}-{number}.{ending or 'bin'}"
    return Download(
        shown.content, content_type if ending else _HANDED_OVER, name, inline=bool(ending) and "save" not in form
    )


def callback(turn: Turn, path: Fields, form: Fields) -> Answer:  # noqa: ARG001 - a button alone
    """The reporter's number, for the holder of the case alone, and logged."""
    sight = whole(turn, int(path["report"]))
    person = turn.person
    if sight.case is None or person is None or sight.case.holder_id != person.id:
        raise Refused("common/not_yours")
    number = reporters.callback_of(turn.connection, sight.report.id)
    if number is None:
        raise Refused("common/not_yours")
    turn.audit("look_callback", "report", sight.report.id)
    return Page("callback", {"report": sight.report.id, "number": number})
