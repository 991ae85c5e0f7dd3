"""The demo county's reports of the past weeks, in every stage, with their alarms, cases and steps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from handlers import alarms
from handlers.demo.chance import Chance
from handlers.demo.children import OnFile
from handlers.demo.places import Places
from handlers.demo.staff import BOUND_FOLLOWERS, FOLLOWER, Staff
from handlers.policy import Policy
from handlers.workdays import local_day
from messages.files import table
from storage import cases, contacts, people, sealing
from storage.cases import Case, CaseStage, CaseStep
from storage.contacts import Contact
from storage.people import Person, Role
from storage.reporters import Reporter
from storage.reports import Entry, Report
from storage.tasks import Task, TaskState, TaskTold

VILLAGERS = 10
"""Followers without a role, who made some of the reports."""
_SEEN = ("visited", "closed")
_ASSIGNED = ("assigned", *_SEEN)
_CLAIMED = ("open", *_ASSIGNED)
_CLAIM, _ASSIGN, _SEE, _CHECK_IN, _CLOSE = (
    timedelta(minutes=21), timedelta(hours=3), timedelta(hours=20), timedelta(days=7), timedelta(days=9),
)  # fmt: skip
_AGAIN = timedelta(days=1)
_NUDGES_END = timedelta(days=3)
_FRESH = (timedelta(minutes=50), timedelta(minutes=20), timedelta(minutes=4))
"""How long ago the reports of today came: one alarm past its half hour, one before, one draft."""


@dataclass
class History:
    """What writing one report after another needs."""

    session: Session
    chance: Chance
    policy: Policy
    staff: Staff
    now: datetime

    def ago(self, days: int) -> datetime:
        """That many days ago, in working hours."""
        return self.now - timedelta(days=days, minutes=self.chance.number(5, 300))

    def step(self, case: Case, kind: str, at: datetime, by: Person) -> None:
        """Something that was done."""
        note = table("demo/sentences.toml")["step"][kind]
        self.session.add(CaseStep(case_id=case.id, kind=kind, at=at, by_id=by.id, note=note))

    def task(  # noqa: PLR0913 - a task's row has as many columns
        self, kind: str, subject: str, row: Report | Case, opened: datetime, due: datetime, *,
        person: Person | None = None, role: str | None = None, urgency: int = 0, ended: datetime | None = None,
        next_at: datetime | None = None, rung: int = 0,
    ) -> Task:  # fmt: skip
        """A task as the flows would have left it; a live one is looked at again at `next_at`."""
        task = Task(
            key=f"{kind}:{subject}:{row.id}", kind=kind, subject=subject, subject_id=row.id, area_id=row.area_id,
            person_id=person.id if person else None, role=role, urgency=urgency, opened_at=opened, due_at=due,
            state=TaskState.DONE if ended else TaskState.OPEN, ended_at=ended, late=bool(ended and ended > due),
            next_at=None if ended else next_at, rung=rung, failures=0, policy_version=self.policy.version,
        )  # fmt: skip
        self.session.add(task)
        self.session.flush()  # gives the id for who was told
        return task

    def told(self, task: Task, rung: int, person: Person, at: datetime) -> None:
        """This person was alarmed."""
        self.session.add(TaskTold(task_id=task.id, person_id=person.id, rung=rung, told_at=at))


def make(
    session: Session, chance: Chance, policy: Policy, places: Places, staff: Staff, children: list[OnFile],
    now: datetime,
) -> None:  # fmt: skip
    """All reports, oldest first, so that case numbers count up."""
    history = History(session, chance, policy, staff, now)
    villagers = _villagers(session, now)
    teachers = [person for group in staff.teachers.values() for person in group[1:]]
    fresh = iter(_FRESH)
    written = table("demo/reports.toml")["report"]
    # The first township is left to the page's phones: their story begins with nothing waiting.
    elsewhere = [one for one in children if not one.village.path.startswith(places.townships[0].area.path)]
    for number, one in reversed(list(enumerate(written))):
        opened = now - next(fresh) if one["days"] == 0 else history.ago(one["days"])
        about = chance.one(elsewhere)
        by_teacher = number % 3 != 1
        reporter = chance.one(teachers) if by_teacher else None
        report = _report(history, one, opened, about)
        _reporter(session, report, reporter, chance.one(villagers))
        _police(history, report, one, opened)
        _onward(history, report, one, opened, about)
    session.flush()  # nothing of the history is left to the caller


def _villagers(session: Session, now: datetime) -> list[Contact]:
    made = []
    for number in range(BOUND_FOLLOWERS + 1, BOUND_FOLLOWERS + VILLAGERS + 1):
        openid = FOLLOWER.format(number)
        made.append(
            Contact(
                openid=openid, openid_index=contacts.openid_index(openid), followed_at=now - timedelta(days=40),
                bind_tries=0, receipt_tries=0,
            )
        )  # fmt: skip
    session.add_all(made)
    session.flush()  # gives the ids
    return made


def _report(history: History, one: dict[str, Any], opened: datetime, about: OnFile) -> Report:
    filed = one["stage"] not in {"draft", "aside"}
    receipt = "".join(str(history.chance.number(0, 9)) for _ in range(12))
    report = Report(
        area_id=about.village.id, opened_at=opened, heard_at=opened + timedelta(minutes=3),
        kind=one.get("kind", "report"),
        urgency=one["urgency"], suggested=str(one["situation"] or ""), entries=1, policy_version=history.policy.version,
        situation=one["situation"] if one["stage"] in _CLAIMED else None, stage="draft",
        finished_at=opened + timedelta(minutes=4) if filed else None,
        receipt_index=sealing.ring().receipt_index(receipt) if filed else None,
    )  # fmt: skip
    history.session.add(report)
    history.session.flush()  # gives the id
    history.session.add(Entry(report_id=report.id, at=opened, by="reporter", kind="text", text=one["text"]))
    if filed:
        report.file(history.session, by=None, at=opened + timedelta(minutes=4))
    return report


def _reporter(session: Session, report: Report, teacher: Person | None, villager: Contact) -> None:
    """Who reported: a teacher by the contact bound to them, or a villager."""
    contact = people.reachable(session, teacher.id) if teacher else villager.id
    session.add(
        Reporter(
            report_id=report.id, contact_id=contact, kind="named" if teacher else "anonymous",
            role=Role.MANDATED_REPORTER if teacher else Role.CITIZEN, unit_id=teacher.unit_id if teacher else None,
            since=report.opened_at,
        )
    )  # fmt: skip


def _police(history: History, report: Report, one: dict[str, Any], opened: datetime) -> None:
    """Told with a receipt, or the reporter is still asked for one."""
    if one["receipt"]:
        report.police_told_at = opened + timedelta(minutes=6)
        report.police_receipt = f"J{opened:%y%m%d}{history.chance.number(1000, 9999)}"
        report.police_receipt_at = opened + timedelta(minutes=50)
        return
    if report.finished_at is None:
        return
    asked = report.finished_at + timedelta(minutes=history.policy.police_receipt_minutes)
    days = (history.now - asked) // _AGAIN
    over = history.now - asked > _NUDGES_END
    task = history.task(
        "police_receipt", "report", report, report.finished_at, asked, role="reporter",
        ended=asked + _NUDGES_END if over else None, next_at=max(asked, asked + _AGAIN * (days + 1)),
        rung=max(0, days + 1),
    )  # fmt: skip
    if over:
        task.state = TaskState.CANCELLED


def _onward(history: History, report: Report, one: dict[str, Any], opened: datetime, about: OnFile) -> None:
    stage = one["stage"]
    township = int(about.village.path.split("/")[2])
    clerks = history.staff.clerks[township]
    supervisor = history.staff.supervisors[township]
    if stage == "draft":
        quiet = report.heard_at + timedelta(minutes=history.policy.report_quiet_minutes)
        history.task("draft_report", "report", report, opened, quiet, role="duty", next_at=quiet)
    elif stage == "aside":
        why = table("demo/sentences.toml")["why"]["aside"]
        report.set_aside(history.session, by=supervisor.id, at=opened + timedelta(hours=2), why=why)
    else:
        _alarm(history, report, clerks, claimed=stage in _CLAIMED)
    if stage in _CLAIMED:
        _case(history, report, one, clerks[0], about)


def _alarm(history: History, report: Report, clerks: list[Person], *, claimed: bool) -> None:
    raised = report.finished_at or report.opened_at
    urgency = alarms.RED if report.urgency == "immediate_danger" else alarms.URGENT
    due = raised + timedelta(minutes=history.policy.unclaimed_after_minutes)
    if claimed:
        task = history.task(
            "alarm", "report", report, raised, due, person=clerks[0], urgency=urgency, ended=raised + _CLAIM, rung=1
        )
        task.claimed_at = task.ended_at
        history.told(task, 0, clerks[0], raised)
        return
    ladder = [raised + timedelta(minutes=minutes) for minutes in history.policy.alarm_ladder_minutes]
    climbed = [at for at in ladder if at <= history.now][: len(clerks)]
    task = history.task(
        "alarm", "report", report, raised, due, role="duty", urgency=urgency, next_at=ladder[len(climbed)],
        rung=len(climbed),
    )  # fmt: skip
    for rung, at in enumerate(climbed):
        history.told(task, rung, clerks[rung], at)


def _case(history: History, report: Report, one: dict[str, Any], holder: Person, about: OnFile) -> None:
    session, stage = history.session, one["stage"]
    opened = (report.finished_at or report.opened_at) + _CLAIM
    officer = history.staff.officers[about.village.id]
    case = Case(
        number=cases.next_number(session, f"{local_day(opened):%y%m}"), area_id=report.area_id, child_id=about.child.id,
        level=one["level"], situation=one["situation"] or None, holder_id=holder.id, opened_at=opened,
        stage=CaseStage.OPEN, policy_version=history.policy.version,
    )  # fmt: skip
    session.add(case)
    session.flush()  # gives the id
    report.case_id, report.child_id = case.id, about.child.id
    report.accept(session, by=holder.id, at=opened)
    history.step(case, "police_told", opened + timedelta(minutes=5), holder)
    seen = opened + _SEE if stage in _SEEN else None
    if stage in _ASSIGNED:
        case.officer_id = officer.id
        case.assign(session, by=holder.id, at=opened + _ASSIGN)
    due = opened + timedelta(hours=history.policy.level(case.level).first_contact_hours)
    history.task(
        "first_contact", "case", case, opened, due, person=officer if case.officer_id else holder, ended=seen,
        next_at=_next(history, due), urgency=alarms.RED if case.level == "red" else alarms.URGENT,
    )  # fmt: skip
    if seen is None:
        return
    case.see(session, by=officer.id, at=seen)
    case.seen_at = seen
    history.step(case, "child_seen", seen, officer)
    also = history.chance.one(["guardian_reached", "safe_place", "doctor"])
    history.step(case, also, seen + timedelta(hours=2), holder)
    closed = opened + _CLOSE if stage == "closed" else None
    check = seen + _CHECK_IN
    history.task("case", "case", case, seen, check, person=officer, ended=closed, next_at=_next(history, check))
    if closed is not None:
        case.close(session, by=holder.id, at=closed, why=table("demo/sentences.toml")["why"]["closed"])
        case.closed_at = closed
        report.resolve(session, by=holder.id, at=closed)


def _next(history: History, due: datetime) -> datetime:
    """When an open task is looked at again: at its time, or a day after its last reminder."""
    days = max(0, -((due - history.now) // _AGAIN))
    return due + _AGAIN * days
