"""A report and its case as the case page shows them: plain values, nothing that tells who reported."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers import alarms, approvals, cases
from handlers.case_flows import AssignFlow
from handlers.report_sight import Sight
from handlers.turn import Turn
from messages import label, labels
from storage import cases as case_rows
from storage import lifecycle, media, renditions, reporters, reports, tasks
from storage.cases import Case, CaseStage
from storage.reports import Entry, Report

NONE_OF_THE_NINE = 0
_PIN_PARTS = 3


@dataclass(frozen=True)
class Told:
    """One thing of the account, as it came."""

    at: datetime
    by: str
    kind: str
    text: str | None = None
    media: int | None = None
    state: str = ""
    """Of the original: waiting, kept, lost or refused."""
    asked: bool = False
    """Whether words went out that ask its sender to send it again."""
    playable: bool = False
    """Whether a voice can be played in any browser."""
    blurred: str = ""
    """A picture, small and blurred (base64)."""
    pin: tuple[str, str, str] | None = None
    """Latitude, longitude, and the words of the pin."""


@dataclass(frozen=True)
class Happened:
    """One line of what was done."""

    at: datetime
    what: str
    who: str | None
    note: str | None = None


def values(turn: Turn, sight: Sight, show: int | None) -> dict[str, Any]:
    """Values of pages/case.html; `show` is the picture that is to be seen."""
    report, case = sight.report, sight.case
    kind, number_left = reporters.wishes(turn.connection, report.id)
    person_id = turn.person.id if turn.person else None
    open_case = case is not None and case.stage != CaseStage.CLOSED
    return {
        "report": report.id, "stage": report.stage, "urgency": report.urgency, "opened": report.opened_at,
        "place": alarms.place_of(turn, report.area_id), "case": _case(turn, case) if case else None,
        "told": account(turn, report.id), "show": show, "answers": answers(report),
        "reporter": kind, "number_left": number_left and case is not None and case.holder_id == person_id,
        "situations": situations(report),
        "may_confirm": sight.unclaimed or (open_case and case is not None and cases.may_confirm(turn, case)),
        "police_told": report.police_told_at, "police_receipt": report.police_receipt,
        "steps": steps(turn, case) if case else [], "history": history(turn, report, case),
        "unclaimed": sight.unclaimed, "open": open_case, "red": _red(turn, report),
        "others": [one.id for one in reports.of_case(turn.session, case.id) if one.id != report.id] if case else [],
        "forms": forms(turn, case) if case and open_case else None, "now": turn.now,
        "numbers": turn.policy.numbers, "fetches": turn.policy.fetches,
    }  # fmt: skip


def _red(turn: Turn, report: Report) -> bool:
    """Whether it was heard, or is alarmed, as danger."""
    live = tasks.live_of_subject(turn.session, "report", report.id)
    return report.urgency == "immediate_danger" or any(task.urgency == alarms.RED for task in live)


def account(turn: Turn, report_id: int) -> list[Told]:
    """Everything that was told, word for word, oldest first."""
    entries = reports.entries_of(turn.session, report_id)
    ids = [one.media_id for one in entries if one.media_id]
    known, made = media.described(turn.connection, ids), renditions.made(turn.connection, ids)
    blurred = renditions.blurred(turn.connection, ids)
    return [
        _told(one, known.get(number), made.get(number, ""), blurred.get(number, b""))
        for one in entries
        for number in [one.media_id or 0]
    ]


def _told(entry: Entry, original: Any | None, rendition: str, blurred: bytes) -> Told:  # noqa: ANN401 - a row
    if entry.kind == "location":
        parts = (entry.text or "").split(" ", _PIN_PARTS - 1)
        pin = (*parts, "", "", "")[:_PIN_PARTS]
        return Told(entry.at, entry.by, entry.kind, pin=(pin[0], pin[1], pin[2]))
    if original is None:
        return Told(entry.at, entry.by, entry.kind, entry.text)
    return Told(
        entry.at, entry.by, entry.kind, entry.text, original.id, original.state,
        asked=original.told_at is not None, playable=rendition.startswith("audio/"),
        blurred=b64encode(blurred).decode(),
    )  # fmt: skip


def answers(report: Report) -> list[tuple[str, str]]:
    """Question → answer, in words; a telephone number is left out: only the holder may ask for it."""
    given = report.answers or {}
    known = labels("report_question")
    return [(known[key], _answer(key, str(given[key]))) for key in known if given.get(key) is not None]


def _answer(question: str, given: str) -> str:
    if question == "danger":
        return label("danger_now", given)
    if question == "police":
        told, _, number = given.partition(":")
        return " ".join(filter(None, (label("police_answer", told), number)))
    if question == "call_back":
        return label("call_back_answer", "number" if given.isdecimal() else given)
    return given


def situations(report: Report) -> list[dict[str, Any]]:
    """The nine and none of them, the suggested ones first."""
    suggested = report.situations_suggested
    rest = [int(code) for code in labels("situation") if int(code) not in suggested]
    return [
        {
            "code": code, "suggested": code in suggested, "chosen": report.situation == code,
            "name": label("situation", code) if code else label("situation_none", code),
        }
        for code in [*suggested, *rest, NONE_OF_THE_NINE]
    ]  # fmt: skip


def _case(turn: Turn, case: Case) -> dict[str, Any]:
    mine = turn.person is not None and case.pending_by_id == turn.person.id
    return {
        "id": case.id, "number": case.number, "stage": case.stage, "level": case.level, "opened": case.opened_at,
        "holder": alarms.name_of(turn, case.holder_id), "officer": alarms.name_of(turn, case.officer_id),
        "seen": case.seen_at, "pending": case.pending, "pending_by": alarms.name_of(turn, case.pending_by_id),
        "pending_why": case.pending_why, "pending_mine": mine,
    }  # fmt: skip


def steps(turn: Turn, case: Case) -> list[Happened]:
    """What was done in a case, oldest first."""
    return [
        Happened(one.at, label("case_step", one.kind), alarms.name_of(turn, one.by_id), one.note)
        for one in case_rows.steps_of(turn.session, case.id)
    ]


def history(turn: Turn, report: Report, case: Case | None) -> list[Happened]:
    """Every move of the report and its case, oldest first."""
    moves = lifecycle.history(turn.session, "report", report.id)
    if case is not None:
        moves += lifecycle.history(turn.session, "case", case.id)
    return [
        Happened(one.at, _moved(one), alarms.name_of(turn, one.by_id), one.why)
        for one in sorted(moves, key=lambda one: (one.at, one.id))
    ]


def _moved(one: lifecycle.Step) -> str:
    if one.move == "set_level":
        return label("history_move", one.move).format(label("level", one.after))
    return label("history_move", f"{one.subject}_{one.move}")


def forms(turn: Turn, case: Case) -> dict[str, Any]:
    """What the forms offer: the same options as in the chat."""
    assign = AssignFlow(about={"case": case.id})
    offered = AssignFlow.questions["officer"].options(turn, assign)
    return {
        "steps": labels("case_step"), "levels": [(code, label("level", code)) for code in reversed(approvals.LEVELS)],
        "officers": [(one.code, one.label) for one in offered],
        "may_close": case.stage in {CaseStage.VISITED, CaseStage.CLOSING},
    }  # fmt: skip
