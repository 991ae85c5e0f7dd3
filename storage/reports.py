"""Reports: what people told us, word for word, and where each report stands.

Nothing here says who told it; that is in `storage.reporters`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.cases import Case
from storage.database import Base, Id, Sealed, SealedJson
from storage.lifecycle import Step, move
from storage.rows import Found, connection_of
from storage.statements import Hot
from storage.tasks import live_of_subject


class ReportStage(StrEnum):
    """`draft` is already on the duty list; only people set aside or resolve."""

    DRAFT = "draft"
    FILED = "filed"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    SET_ASIDE = "set_aside"


class Report(Base):
    """One report, from the first word on."""

    __tablename__ = "report"
    __table_args__ = (
        Index("ix_report_opened", "opened_at"),
        Index("ix_report_stage", "stage", "opened_at", "police_receipt_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"))
    opened_at: Mapped[datetime]
    heard_at: Mapped[datetime]
    """When the reporter last added something."""
    stage: Mapped[str] = mapped_column(String(12), default=ReportStage.DRAFT)
    kind: Mapped[str] = mapped_column(String(12))
    """What the rules take it for: danger, report, benefit, greeting, advert, question, other."""
    urgency: Mapped[str] = mapped_column(String(20))
    suggested: Mapped[str] = mapped_column(String(20), default="")
    """Suggested situations, best first: "4,9"."""
    situation: Mapped[int | None] = mapped_column(SmallInteger)
    """The situation 1-9 that a person confirmed; 0 means none of the nine."""
    answers: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("report.answers"))
    finished_at: Mapped[datetime | None]
    receipt_index: Mapped[bytes | None] = mapped_column(unique=True)
    police_told_at: Mapped[datetime | None]
    police_receipt: Mapped[str | None] = mapped_column(Sealed("report.police_receipt"))
    police_receipt_at: Mapped[datetime | None]
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case.id"), index=True)
    child_id: Mapped[int | None] = mapped_column(ForeignKey("child.id"), index=True)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("report.id"))
    entries: Mapped[int] = mapped_column(default=0)
    policy_version: Mapped[int] = mapped_column(default=0)

    @property
    def situations_suggested(self) -> list[int]:
        """The suggested situations, best first."""
        return [int(code) for code in self.suggested.split(",") if code]

    file = move(ReportStage.DRAFT, to=ReportStage.FILED)
    accept = move(ReportStage.DRAFT, ReportStage.FILED, to=ReportStage.ACCEPTED)
    resolve = move(ReportStage.ACCEPTED, to=ReportStage.RESOLVED)
    set_aside = move(ReportStage.DRAFT, ReportStage.FILED, to=ReportStage.SET_ASIDE)
    put_aside = move(ReportStage.ACCEPTED, to=ReportStage.SET_ASIDE)
    take_up_again = move(ReportStage.SET_ASIDE, ReportStage.RESOLVED, to=ReportStage.FILED)


class Entry(Base):
    """One thing added to a report: words, a picture, a voice message, a pin; or words from staff to the reporter."""

    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), index=True)
    inbox_id: Mapped[int | None] = mapped_column(ForeignKey("inbox.id"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(10))
    """`reporter` or `staff`; who of the staff is in the audit."""
    kind: Mapped[str] = mapped_column(String(12))
    text: Mapped[str | None] = mapped_column(Sealed("entry.text"))
    media_id: Mapped[int | None] = mapped_column(ForeignKey("media.id"))


URGENCIES = ("immediate_danger", "urgent", "unknown", "normal")
"""Worst first."""
KINDS = ("danger", "report", "benefit", "other", "question", "greeting", "advert")
"""Weightiest first: what began with a greeting becomes a report, never the other way round."""


def _weightier(known: ColumnElement[str], said: str, order: Sequence[str]) -> ColumnElement[str]:
    """The weightier of what is known and what is said now: words from another phone never lower a report."""
    new = bindparam(said, type_=String)

    def rank(
        value: ColumnElement[str],
    ) -> ColumnElement[int]:  # in literals: as parameters they would be bound every time
        names = {name: literal_column(str(number), Integer) for number, name in enumerate(order)}
        return case(
            *((value == literal_column(f"'{name}'", String), number) for name, number in names.items()),
            else_=literal_column(str(len(names)), Integer),
        )

    return case((rank(known) <= rank(new), known), else_=new)


_R, _E = Report.__table__, Entry.__table__
_NEW = Hot(insert(_R).returning(_R.c.id))
_APPEND = Hot(insert(_E))
_TOUCH = Hot(update(_R).where(_R.c.id == bindparam("b_id")).values(
    heard_at=bindparam("now"), entries=_R.c.entries + 1, kind=_weightier(_R.c.kind, "kind", KINDS),
    urgency=_weightier(_R.c.urgency, "urgency", URGENCIES), suggested=bindparam("suggested"),
    answers=func.coalesce(bindparam("answers", type_=_R.c.answers.type), _R.c.answers),
))  # fmt: skip
_FINISH = Hot(
    update(_R)
    .where(_R.c.id == bindparam("b_id"), _R.c.finished_at.is_(None))
    .values(finished_at=bindparam("now"), receipt_index=bindparam("index"))
)
_BY_RECEIPT = Hot(
    select(_R.c.id, _R.c.stage, _R.c.case_id, _R.c.finished_at).where(_R.c.receipt_index == bindparam("index"))
)


def open_report(
    connection: Connection,
    *,
    area_id: int,
    now: datetime,
    kind: str,
    urgency: str,
    suggested: str,
    answers: dict[str, Any] | None,
    policy_version: int,
) -> int:
    """Open a draft; its id."""
    number: int = _NEW.scalar(connection, {
        "area_id": area_id, "opened_at": now, "heard_at": now, "stage": ReportStage.DRAFT, "kind": kind,
        "urgency": urgency, "suggested": suggested, "answers": answers, "entries": 1,
        "policy_version": policy_version,
    })  # fmt: skip
    return number


def append(
    connection: Connection,
    report_id: int,
    now: datetime,
    kind: str,
    *,
    text: str | None = None,
    media_id: int | None = None,
    inbox_id: int | None = None,
    by: str = "reporter",
) -> None:
    """Add one entry as it came."""
    _APPEND.do(connection, {
        "report_id": report_id, "inbox_id": inbox_id, "at": now, "by": by, "kind": kind, "text": text,
        "media_id": media_id,
    })  # fmt: skip


def heard(
    connection: Connection,
    report_id: int,
    now: datetime,
    *,
    kind: str,
    urgency: str,
    suggested: str,
    answers: dict[str, Any] | None,
) -> None:
    """Note that something was added and what the rules now make of the whole."""
    _TOUCH.do(
        connection,
        {"b_id": report_id, "now": now, "kind": kind, "urgency": urgency, "suggested": suggested, "answers": answers},
    )


def entries_of(session: Session, report_id: int) -> list[Entry]:
    """The account as it came, oldest first."""
    return _ENTRIES.all(session, {"report_id": report_id})


_ENTRIES = Found(Entry, select(Entry.__table__).where(Entry.report_id == bindparam("report_id")).order_by(Entry.id))


def by_receipt(connection: Connection, index: bytes) -> Any | None:  # noqa: ANN401 - a row
    """The report with this receipt: id, stage, case_id, finished_at."""
    return _BY_RECEIPT.first(connection, {"index": index})


def merge(session: Session, newer: int, older: int) -> None:
    """The newer account becomes part of the older report; the newer report is set aside."""
    session.execute(update(Entry).where(Entry.report_id == newer).values(report_id=older))
    gone, kept = session.get_one(Report, newer), session.get_one(Report, older)
    kept.entries, kept.heard_at = kept.entries + gone.entries, gone.heard_at
    gone.entries, gone.merged_into_id = 0, older
    gone.stage = ReportStage.SET_ASIDE


def about_child(session: Session, report_id: int, child_id: int) -> None:
    """Note which child on file a report is about."""
    session.get_one(Report, report_id).child_id = child_id


def drafts(session: Session, area_ids: Sequence[int], since: datetime) -> list[Report]:
    """Reports that nobody took yet, newest first: the duty list."""
    query = select(Report).where(
        Report.area_id.in_(area_ids),
        Report.stage.in_([ReportStage.DRAFT, ReportStage.FILED]),
        Report.opened_at >= since,
    )
    return list(session.scalars(query.order_by(Report.id.desc())))


def holder_of(session: Session, report: Report) -> int | None:
    """Who holds the case of a report; None while nobody does."""
    return session.get_one(Case, report.case_id).holder_id if report.case_id else None


def of_case(session: Session, case_id: int) -> list[Report]:
    """The reports of a case, oldest first."""
    return list(session.scalars(select(Report).where(Report.case_id == case_id).order_by(Report.id)))


def last_words_to(session: Session, report_id: int) -> str | None:
    """The last free words of staff to the reporter."""
    query = select(Entry).where(Entry.report_id == report_id, Entry.by == "staff", Entry.kind == "text")
    entry = session.scalars(query.order_by(Entry.id.desc()).limit(1)).first()
    return entry.text if entry else None


def finish(connection: Connection, report_id: int, now: datetime, receipt_index: bytes) -> bool:
    """Everything was asked; False when it was finished before (its receipt stays)."""
    return _FINISH.write(connection, {"b_id": report_id, "now": now, "index": receipt_index}) == 1


def settled_at(session: Session, report_id: int) -> datetime | None:
    """When a person last moved the report from one stage to another; None when nobody did."""
    found: datetime | None = _SETTLED.scalar(connection_of(session), {"report_id": report_id})
    return found


_S = Step.__table__
_SETTLED = Hot(
    select(func.max(_S.c.at)).where(_S.c.subject == Report.__tablename__, _S.c.subject_id == bindparam("report_id"))
)


def holds_unreadable(session: Session, report_id: int, kinds: Iterable[str]) -> bool:
    """Whether something was sent that no rule can read."""
    return not set(kinds).isdisjoint(_KINDS_SENT.scalars(connection_of(session), {"report_id": report_id}))


_KINDS_SENT = Hot(select(_E.c.kind).where(_E.c.report_id == bindparam("report_id")).distinct())


def move_to(session: Session, report: Report, area_id: int) -> None:
    """The report turned out to belong to another area: whoever must act for it is asked there."""
    report.area_id = area_id
    for task in live_of_subject(session, "report", report.id):
        task.area_id = area_id
