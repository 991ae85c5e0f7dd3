"""Set queries for `tongban check`: open records for which nobody may be there to act; one query for all of a kind."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, and_, exists, literal, not_, or_, select
from sqlalchemy import cast as sql_cast

from storage.cases import TASK_KINDS, Case, CaseStage
from storage.children import Child, Pairing
from storage.contacts import Contact, Conversation
from storage.inbox import Inbox, InboxState
from storage.media import Media, MediaState
from storage.outbox import Outbox, OutboxState
from storage.people import Person
from storage.renditions import Rendition
from storage.reporters import Reporter
from storage.reports import Report, ReportStage
from storage.tasks import LIVE, SERVICE, Task, TaskState

WAKES_NOBODY = ("greeting", "advert", "question")
REPORT_TASKS = ("alarm", "listen", "draft_report", "read_report", "benefit", "unread_message")
SEEN_FOR = timedelta(days=7)
"""How long a message without a known outcome is worth looking at."""
_NOT_TAKEN = (ReportStage.DRAFT, ReportStage.FILED)


def reachable_people(connection: Connection, *, telephone: bool) -> set[int]:
    """The people whom a channel reaches; `telephone`: a number is one."""
    return set(connection.execute(_reachable_ids(telephone=telephone)).scalars())


def held_by_unreachable(connection: Connection, *, telephone: bool) -> list[Any]:
    """Live tasks of somebody whom no channel reaches: id, kind, area_id, role, person_id."""
    query = select(Task.id, Task.kind, Task.area_id, Task.role, Task.person_id).where(
        Task.state.in_(LIVE), Task.kind.not_in(SERVICE), Task.person_id.is_not(None),
        not_(exists(_reachable_ids(telephone=telephone).where(Person.id == Task.person_id))),
    )  # fmt: skip
    return list(connection.execute(query.order_by(Task.id)))


def waiting_for_role(connection: Connection) -> list[Any]:
    """Live tasks without a person: id, kind, area_id, role (None: nobody at all)."""
    query = select(Task.id, Task.kind, Task.area_id, Task.role).where(
        Task.state.in_(LIVE),
        Task.kind.not_in(SERVICE),
        Task.person_id.is_(None),
        or_(Task.role.is_(None), Task.role != "reporter"),
    )
    return list(connection.execute(query.order_by(Task.id)))


def waiting_for_lost_reporter(connection: Connection) -> list[Any]:
    """Live tasks that ask a reporter who is gone: id, kind."""
    there = exists().where(
        Reporter.report_id == Task.subject_id, Contact.id == Reporter.contact_id, Contact.openid_index.is_not(None)
    )
    query = select(Task.id, Task.kind).where(
        Task.state.in_(LIVE), Task.kind.not_in(SERVICE), Task.person_id.is_(None), Task.role == "reporter", not_(there)
    )
    return list(connection.execute(query.order_by(Task.id)))


def cases_without_holder(connection: Connection, *, telephone: bool) -> list[int]:
    """Open cases whose holder no channel reaches."""
    reached = exists(_reachable_ids(telephone=telephone).where(Person.id == Case.holder_id))
    query = select(Case.id).where(Case.stage != CaseStage.CLOSED, not_(reached))
    return list(connection.execute(query.order_by(Case.id)).scalars())


def cases_without_task(connection: Connection) -> list[int]:
    """Open cases of which nothing is asked of anybody; a second person's word that is waited for is not enough."""
    asked = exists().where(
        Task.subject == "case", Task.subject_id == Case.id, Task.kind.in_(TASK_KINDS), Task.state.in_(LIVE)
    )
    query = select(Case.id).where(Case.stage != CaseStage.CLOSED, not_(asked))
    return list(connection.execute(query.order_by(Case.id)).scalars())


def reports_without_task(connection: Connection, before: datetime) -> list[int]:
    """Reports nobody took, older than `before`, for which nothing is asked of anybody."""
    task = and_(Task.subject == "report", Task.subject_id == Report.id)
    asked = exists().where(task, Task.kind.in_(REPORT_TASKS), Task.state.in_(LIVE))
    answered = exists().where(task, Task.kind == "benefit", Task.state == TaskState.DONE)
    query = select(Report.id).where(
        Report.stage.in_(_NOT_TAKEN), Report.opened_at < before, Report.kind.not_in(WAKES_NOBODY), not_(asked),
        or_(Report.kind != "benefit", not_(answered)),
    )  # fmt: skip
    return list(connection.execute(query.order_by(Report.id)).scalars())


def reports_without_case(connection: Connection) -> list[int]:
    """Reports somebody took whose case is missing or closed."""
    going_on = exists().where(Case.id == Report.case_id, Case.stage != CaseStage.CLOSED)
    query = select(Report.id).where(Report.stage == ReportStage.ACCEPTED, not_(going_on))
    return list(connection.execute(query.order_by(Report.id)).scalars())


def sides_without_visit(connection: Connection, sides: tuple[str, ...]) -> list[Any]:
    """Children on file with an adult on one of these sides whom no live task asks to visit: id, side."""
    key = literal("visit:child:") + sql_cast(Child.id, String) + ":" + Pairing.side + ".%"
    asked = exists().where(
        Task.subject == "child", Task.subject_id == Child.id, Task.kind == "visit", Task.state.in_(LIVE),
        Task.key.like(key),
    )  # fmt: skip
    query = (
        select(Child.id, Pairing.side)
        .join(Pairing, Pairing.child_id == Child.id)
        .where(Child.off_file_at.is_(None), Pairing.until.is_(None), Pairing.side.in_(sides), not_(asked))
    )
    return list(connection.execute(query.distinct().order_by(Child.id, Pairing.side)))


def children_without_pair(connection: Connection) -> list[int]:
    """Children on file whom nobody follows and about whom nothing is asked of anybody."""
    followed = exists().where(Pairing.child_id == Child.id, Pairing.until.is_(None))
    asked = exists().where(Task.subject == "child", Task.subject_id == Child.id, Task.state.in_(LIVE))
    query = select(Child.id).where(Child.off_file_at.is_(None), not_(followed), not_(asked))
    return list(connection.execute(query.order_by(Child.id)).scalars())


def parked_messages(connection: Connection) -> list[Any]:
    """Messages whose turn was given up: id, error (its kind and place)."""
    query = select(Inbox.id, Inbox.error).where(Inbox.state == InboxState.PARKED)
    return list(connection.execute(query.order_by(Inbox.id)))


def unlisted_messages(connection: Connection) -> list[Any]:
    """Messages whose turn failed and that are not on the duty list either: id, error."""
    listed = exists().where(Task.subject == "inbox", Task.subject_id == Inbox.id)
    query = select(Inbox.id, Inbox.error).where(Inbox.state == InboxState.FAILED, not_(listed))
    return list(connection.execute(query.order_by(Inbox.id)))


def parked_tasks(connection: Connection) -> list[Any]:
    """Tasks that failed and are not looked at again: id, kind, error."""
    query = select(Task.id, Task.kind, Task.error).where(
        Task.state == TaskState.OPEN, Task.failures > 0, Task.next_at.is_(None)
    )
    return list(connection.execute(query.order_by(Task.id)))


def unseen_messages(connection: Connection, now: datetime) -> list[Any]:
    """Messages of the last days that were not or perhaps not delivered, to people not heard since: id, kind, state."""
    heard = exists().where(Conversation.contact_id == Outbox.contact_id, Conversation.heard_at > Outbox.created_at)
    known = exists().where(
        Contact.id == Outbox.contact_id, or_(Contact.openid_index.is_not(None), Contact.person_id.is_not(None))
    )
    query = select(Outbox.id, Outbox.kind, Outbox.state).where(
        Outbox.state.in_([OutboxState.UNKNOWN, OutboxState.UNDELIVERABLE, OutboxState.REFUSED]),
        Outbox.created_at > now - SEEN_FOR, known, not_(heard),
    )  # fmt: skip
    return list(connection.execute(query.order_by(Outbox.id)))


def missing_media(connection: Connection, now: datetime) -> list[Any]:
    """Originals that will not come, of reports still going on or of the last days: id, report_id, state."""
    query = select(Media.id, Media.report_id, Media.state).where(
        Media.state.in_([MediaState.LOST, MediaState.REFUSED]), _matters(now)
    )
    return list(connection.execute(query.order_by(Media.id)))


def media_without_rendition(connection: Connection, now: datetime) -> list[Any]:
    """Originals, of the same reports, of which nothing could be made that every browser shows: id, report_id."""
    query = (
        select(Media.id, Media.report_id)
        .join(Rendition, Rendition.media_id == Media.id)
        .where(Rendition.made_at.is_(None), Rendition.next_at.is_(None), _matters(now))
    )
    return list(connection.execute(query.order_by(Media.id)))


def _matters(now: datetime) -> Any:  # noqa: ANN401 - a condition
    going_on = exists().where(Report.id == Media.report_id, Report.stage.in_([*_NOT_TAKEN, ReportStage.ACCEPTED]))
    return or_(going_on, Media.received_at > now - SEEN_FOR)


def _reachable_ids(*, telephone: bool) -> Any:  # noqa: ANN401 - a select that callers narrow
    by_wechat = exists().where(
        Contact.person_id == Person.id, Contact.openid_index.is_not(None), Contact.unreachable_since.is_(None)
    )
    broken = exists().where(
        Contact.person_id == Person.id, Contact.openid_index.is_(None), Contact.unreachable_since.is_not(None)
    )
    way = or_(by_wechat, and_(Person.phone.is_not(None), not_(broken))) if telephone else by_wechat
    return select(Person.id).where(Person.left_at.is_(None), Person.away_until.is_(None), way)
