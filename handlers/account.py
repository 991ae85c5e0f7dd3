"""The account of one report as the conversation knows it: what was told so far, appended piece by piece."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from handlers.message import Message
from handlers.turn import Turn
from handlers.understanding import Understanding, understand
from storage import areas, media, reporters, reports, tasks
from storage.people import Role

MEDIA = frozenset({"image", "voice", "video", "shortvideo"})
UNREADABLE = frozenset({*MEDIA, "unsupported", "file", "link"})
"""What no rule can read: its urgency is unknown and counts as urgent."""
_WORST = ("immediate_danger", "urgent", "unknown", "normal")
_KINDS = ("danger", "report", "benefit", "other", "question", "greeting", "advert")
"""Weightiest first: an account that began with a greeting becomes a report, never the other way round."""


@dataclass(frozen=True)
class Account:
    """The report a conversation is about; kept in the conversation, so that most messages need not read the row."""

    report: int
    area: int
    kind: str
    urgency: str
    suggested: str
    opened: str
    heard: str
    replied: str
    told: bool = False
    """Whether the account already holds words about what happened."""

    @classmethod
    def of(cls, turn: Turn) -> Self | None:
        """The conversation's report, if there was one."""
        kept = turn.talk.answers.get("report") if turn.talk else None
        return cls(**kept) if kept else None

    def keep(self, turn: Turn) -> None:
        """Store it in the conversation."""
        if turn.talk is not None:
            turn.talk.answers = turn.talk.answers | {"report": asdict(self)}

    @property
    def in_danger(self) -> bool:
        """Whether the rules or the reporter say that it is happening now."""
        return self.urgency == "immediate_danger"

    def silent_since(self, now: datetime) -> timedelta:
        """How long nothing was added."""
        return now - datetime.fromisoformat(self.heard)

    def was_answered_just_now(self, turn: Turn) -> bool:
        """Whether the burst this message belongs to already got its one reply."""
        return turn.now - datetime.fromisoformat(self.replied) < timedelta(seconds=turn.policy.burst_seconds)


def reading(message: Message, role: str | None) -> Understanding:
    """What the rules make of a message; what they cannot read is unknown."""
    text = message.text if message.kind == "text" else None
    return understand(text or "", role)


def begin(turn: Turn, message: Message) -> Account:
    """Open a report with this message as its first words."""
    role = next(iter(turn.roles), None) or Role.CITIZEN
    read = reading(message, role)
    kind = "report" if message.kind in UNREADABLE | {"location"} else read.kind
    suggested = ",".join(map(str, read.situations))
    area = _area(turn, message)
    report = reports.open_report(
        turn.connection, area_id=area, now=turn.now, kind=kind, urgency=read.urgency, suggested=suggested,
        answers=None, policy_version=turn.policy.version,
    )  # fmt: skip
    if turn.talk is not None:
        unit = turn.person.unit_id if turn.person else None
        reporters.add(turn.connection, report, turn.talk.contact_id, role, unit, turn.now)
    _append(turn, report, message)
    moment = turn.now.isoformat()
    told = kind in {"danger", "report"} and message.kind == "text"
    account = Account(report, area, kind, read.urgency, suggested, moment, moment, moment, told)
    account.keep(turn)
    return account


def add(turn: Turn, account: Account, message: Message, *, answers: dict[str, object] | None = None) -> Account:
    """Append a message to the account and read the whole anew; nothing is ever lowered."""
    read = reading(message, None)
    kind = "report" if message.kind in UNREADABLE else read.kind
    codes = dict.fromkeys([*map(str, read.situations), *filter(None, account.suggested.split(","))])
    grown = replace(
        account,
        kind=min(account.kind, kind, key=_KINDS.index),
        urgency=min(account.urgency, read.urgency, key=_WORST.index),
        suggested=",".join(list(codes)[:3]),
        heard=turn.now.isoformat(),
        told=account.told or (message.kind == "text" and kind in {"danger", "report"}),
    )
    _append(turn, account.report, message)
    note(turn, grown, answers)
    return grown


def note(turn: Turn, account: Account, answers: dict[str, object] | None) -> None:
    """Write what is known now to the report and the conversation, and let the silence begin anew."""
    account.keep(turn)
    reports.heard(
        turn.connection, account.report, turn.now, kind=account.kind, urgency=account.urgency,
        suggested=account.suggested, answers=answers,
    )  # fmt: skip
    quiet = turn.now + timedelta(minutes=turn.policy.report_quiet_minutes)
    tasks.put_off(turn.connection, f"draft_report:report:{account.report}", quiet)


def _append(turn: Turn, report: int, message: Message) -> None:
    media_id = None
    if message.media_id:
        media_id = media.expect(turn.connection, report, message.kind, message.media_id, turn.now)
    text = message.text
    if message.kind == "location":
        text = " ".join(str(part) for part in (message.latitude, message.longitude, message.label) if part is not None)
    elif message.kind in {"link", "file"}:
        text = " ".join(filter(None, (message.title, message.url)))
    reports.append(
        turn.connection, report, turn.now, message.kind, text=text, media_id=media_id, inbox_id=turn.inbox_id
    )


def _area(turn: Turn, message: Message) -> int:
    """Where it belongs: the place named in the words, else where the reporter works, else the county."""
    named = areas.mentioned(turn.session, message.text or "") if message.kind == "text" else []
    if named:
        return named[0].id
    if turn.person and turn.person.area_id:
        return turn.person.area_id
    return turn.county_id()
