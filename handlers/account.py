"""The account of one report as the conversation knows it: what was told so far, appended piece by piece."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from handlers.message import Message
from handlers.questions import phone_in
from handlers.turn import Turn
from handlers.understanding import Understanding, understand
from storage import areas, media, reporters, reports, tasks
from storage.people import Role
from storage.reports import Report

MEDIA = frozenset({"image", "voice", "video", "shortvideo"})
SPOKEN = frozenset({"voice", "video", "shortvideo"})
NAMED = frozenset({"file", "link", "miniprogram"})
"""What comes as a title, and maybe an address."""
UNREADABLE = frozenset({*MEDIA, *NAMED, "unsupported"})
"""What no rule can read: its urgency is unknown and counts as urgent."""
QUIET_KINDS = frozenset({"greeting", "advert", "question", "benefit"})
"""Kept and listed, but they wake nobody (benefit: a task of the village officer)."""
AT_ONCE = timedelta(0)
_LONGEST_BURST = 3
"""Bursts' length after which even somebody who never pauses gets an answer."""
_DANGER: Final = "immediate_danger"
_SEALED_APART = "call_back"
"""The answer that is kept with the reporter, not with the report."""
_SHORT_NUMBER = 8
"""Digits of a telephone number without its area."""


@dataclass(frozen=True)
class Account:
    """The report a conversation is about; kept in the conversation, so that most messages need not read the row."""

    report: int
    kind: str
    urgency: str
    suggested: str
    heard: str
    """When something was added last (ISO)."""
    replied: str
    """When the bot answered last; what was added after it is owed a reply."""
    told: bool = False
    """Whether the account already holds what happened."""
    placed: bool = False
    """Whether it is known where it belongs; until then every word may say so."""
    finished: bool = False
    """Whether everything was asked and the receipt given."""
    spoken: bool = False
    """Whether it began with a voice: whoever speaks may not read."""
    thanked: bool = False
    """Whether the last reply was thanks for something added, outside questions: enough for the rest of its burst."""

    @classmethod
    def of(cls, turn: Turn) -> Self | None:
        """The conversation's report, if there was one."""
        kept = turn.talk.answers.get("report") if turn.talk else None
        return cls(**kept) if kept else None

    def keep(self, turn: Turn) -> None:
        """Store it in the conversation."""
        if turn.talk is not None:
            turn.talk.answers = turn.talk.answers | {"report": dict(vars(self))}

    @property
    def in_danger(self) -> bool:
        """Whether the rules or the reporter say that it is happening now."""
        return self.urgency == _DANGER

    @property
    def quiet(self) -> bool:
        """Whether it wakes nobody."""
        return self.kind in QUIET_KINDS

    def endangered(self) -> Self:
        """The same, now that the reporter says it is happening."""
        return replace(self, urgency=_DANGER, kind="danger")

    def joined(self, newer: Self) -> Self:
        """Both accounts as one, under this report: the weightier of each."""
        codes = dict.fromkeys(filter(None, f"{newer.suggested},{self.suggested}".split(",")))
        return replace(
            self, kind=min(self.kind, newer.kind, key=reports.KINDS.index),
            urgency=min(self.urgency, newer.urgency, key=reports.URGENCIES.index), suggested=",".join(list(codes)[:3]),
            heard=newer.heard, told=self.told or newer.told, spoken=self.spoken or newer.spoken,
        )  # fmt: skip

    def silent_since(self, now: datetime) -> timedelta:
        """How long nothing was added."""
        return now - datetime.fromisoformat(self.heard)

    def owed(self) -> bool:
        """Whether something was added that got no reply yet."""
        return datetime.fromisoformat(self.heard) > datetime.fromisoformat(self.replied)

    def in_burst(self, turn: Turn) -> bool:
        """Whether a message that comes now belongs to a burst, which gets one reply when it is over."""
        burst = timedelta(seconds=turn.policy.burst_seconds)
        answered = turn.now - datetime.fromisoformat(self.replied)
        return self.silent_since(turn.now) < burst and answered < burst * _LONGEST_BURST


def mark_replied(turn: Turn, *, thanks: bool = False) -> None:
    """Note that this turn answers, so that nothing is owed to the burst."""
    account = Account.of(turn)
    if account is not None and turn.said:
        replace(account, replied=turn.now.isoformat(), thanked=thanks).keep(turn)


def reading(turn: Turn, message: Message, role: str | None) -> Understanding:
    """What the rules make of a message; what they cannot read is unknown. An emergency number alone is danger."""
    text = message.text if message.kind == "text" else None
    read = understand(text or "", role)
    return replace(read, urgency=_DANGER) if turn.policy.numbers.is_emergency(text) else read


def begin(turn: Turn, message: Message) -> Account:
    """Open a report with this message as its first words; the duty list and the look at what follows come with it."""
    role = next(iter(turn.roles), None) or Role.CITIZEN
    read = reading(turn, message, role)
    kind = "report" if message.kind in UNREADABLE | {"location"} else read.kind
    suggested = ",".join(map(str, read.situations))
    area, placed = _area(turn, message)
    report = reports.open_report(
        turn.connection, area_id=area, now=turn.now, kind=kind, urgency=read.urgency, suggested=suggested,
        answers=None, policy_version=turn.policy.version,
    )  # fmt: skip
    if turn.talk is not None:
        unit = turn.person.unit_id if turn.person else None
        reporters.add(turn.connection, report, turn.talk.contact_id, role, unit, turn.now)
    _append(turn, report, message)
    leave_number(turn, report, message)
    moment = turn.now.isoformat()
    account = Account(
        report, kind, read.urgency, suggested, moment, moment, _tells(message, kind), placed,
        spoken=message.kind == "voice",
    )  # fmt: skip
    account.keep(turn)
    _watch(turn, account, area)
    return account


def _tells(message: Message, kind: str) -> bool:
    """Whether it says what happened: words that the rules know, or a voice."""
    return message.kind in SPOKEN or (message.kind == "text" and kind in {"danger", "report"})


def _watch(turn: Turn, account: Account, area: int) -> None:
    """Two clocks: the draft is on the duty list until it is quiet; what follows from the words is looked at at once."""
    silence = turn.now + timedelta(minutes=turn.policy.report_quiet_minutes)
    shared = {
        "subject": "report", "subject_id": account.report, "area_id": area, "opened_at": turn.now,
        "policy_version": turn.policy.version,
    }  # fmt: skip
    draft = {
        "key": f"draft_report:report:{account.report}", "kind": "draft_report", "role": "duty", "due_at": silence,
        "next_at": None if account.quiet else silence, "state": "done" if account.quiet else "open",
        "ended_at": turn.now if account.quiet else None,
    }  # fmt: skip
    burst = {
        "key": f"burst:report:{account.report}", "kind": "burst", "role": "reporter", "due_at": turn.now,
        "next_at": turn.now, "urgency": 2,
    }  # fmt: skip
    tasks.open_several(turn.connection, shared, draft, burst)


def grow(turn: Turn, account: Account, message: Message) -> Account:
    """Append a message to the account and read the whole anew; nothing is ever lowered. `note` writes the rest."""
    read = reading(turn, message, None)
    kind = "report" if message.kind in UNREADABLE else read.kind
    codes = dict.fromkeys([*map(str, read.situations), *filter(None, account.suggested.split(","))])
    _append(turn, account.report, message)
    leave_number(turn, account.report, message)
    grown = replace(
        account,
        kind=min(account.kind, kind, key=reports.KINDS.index),
        urgency=min(account.urgency, read.urgency, key=reports.URGENCIES.index),
        suggested=",".join(list(codes)[:3]),
        heard=turn.now.isoformat(),
        told=account.told or _tells(message, kind),
    )
    grown.keep(turn)
    return grown


def note(
    turn: Turn, account: Account, answers: Mapping[str, object] | None, *, follow: timedelta | None = None
) -> None:
    """Write what is known now; the silence begins anew. `follow`: when to look at what the words mean for others."""
    account.keep(turn)
    known = {key: _apart(key, value) for key, value in answers.items()} if answers is not None else None
    silence = turn.now + timedelta(minutes=turn.policy.report_quiet_minutes)
    at = None if follow is None else turn.now + follow
    # The task first, as due work does: two that lock in different orders would wait for each other.
    tasks.heard(turn.connection, account.report, quiet_at=silence, follow_at=at)
    reports.heard(
        turn.connection, account.report, turn.now, kind=account.kind, urgency=account.urgency,
        suggested=account.suggested, answers=known,
    )  # fmt: skip


def add_from_elsewhere(turn: Turn, report: Report, message: Message) -> None:
    """More of a report from a phone that has only its receipt."""
    read = reading(turn, message, None)
    kind = "report" if message.kind in UNREADABLE else read.kind
    _append(turn, report.id, message)
    silence = turn.now + timedelta(minutes=turn.policy.report_quiet_minutes)
    tasks.heard(turn.connection, report.id, quiet_at=silence, follow_at=turn.now)
    reports.heard(
        turn.connection, report.id, turn.now, kind=min(report.kind, kind, key=reports.KINDS.index),
        urgency=min(report.urgency, read.urgency, key=reports.URGENCIES.index), suggested=report.suggested,
        answers=None,
    )  # fmt: skip


def number_in(message: Message) -> str | None:
    """The telephone number in a message; so few digits that they may be a receipt's count only if nothing else is."""
    text = message.text or "" if message.kind == "text" else ""
    number = phone_in(text)
    alone = re.sub(r"\D", "", text) == re.sub(r"[\W_]", "", text)
    return number if number and (alone or len(number) > _SHORT_NUMBER) else None


def leave_number(turn: Turn, report: int, message: Message) -> None:
    """A telephone number in the words is where to ring back, unasked, during a report or after it."""
    number = number_in(message)
    if number and reporters.leave_number(turn.connection, report, number):
        row = turn.session.get_one(Report, report, populate_existing=True)
        row.answers = (row.answers or {}) | {_SEALED_APART: _apart(_SEALED_APART, number)}
        turn.session.flush()  # what follows goes past the ORM


def _apart(question: str, value: object) -> object:
    """Of a telephone number the report only knows that there is one: who reported is kept apart."""
    return "number" if question == _SEALED_APART and str(value).isdecimal() else value


def _append(turn: Turn, report: int, message: Message) -> None:
    media_id = None
    if message.media_id:
        media_id = media.expect(turn.connection, report, message.kind, message.media_id, turn.now)
    text = message.text
    if message.kind == "location":
        text = " ".join(str(part) for part in (message.latitude, message.longitude, message.label) if part is not None)
    elif message.kind in NAMED:
        text = " ".join(filter(None, (message.title, message.url)))
    reports.append(
        turn.connection, report, turn.now, message.kind, text=text, media_id=media_id, inbox_id=turn.inbox_id
    )


def _area(turn: Turn, message: Message) -> tuple[int, bool]:
    """Where it belongs, and whether that is known: the place named, else where the reporter works, else the county."""
    said = message.text or "" if message.kind == "text" else message.label or ""
    found = turn.belonging(said)
    named = next((one for one in found if one.level != areas.AreaLevel.COUNTY), None)
    if named is not None:
        return named.id, True
    if turn.person and turn.person.area_id:
        return turn.person.area_id, True
    return (found[-1].id if found else turn.county_id()), False
