"""Unfinished reports: on the duty list from the first message, nudged after ten minutes and after a day, never dropped."""

from datetime import timedelta

from handlers import alarms, prompts, who
from handlers.kinds import TaskKind
from handlers.turn import Card, Turn
from messages import label, render
from storage import reporters, tasks
from storage.outbox import OutboxKind
from storage.reports import Report, ReportStage
from storage.tasks import Task

SECOND_NUDGE = timedelta(days=1)
_NUDGES = 2


def quiet(turn: Turn, task: Task) -> None:
    """Nothing was added for a while: what the rules know becomes an alarm, the rest is read by the duty person."""
    report = turn.session.get_one(Report, task.subject_id)
    if report.stage != ReportStage.DRAFT or report.finished_at is not None:
        tasks.end(turn.connection, task.id, turn.now)
        return
    known = report.kind in {"danger", "report"} or report.urgency in {"urgent", "unknown", "immediate_danger"}
    if known:
        urgency = alarms.RED if report.urgency == "immediate_danger" else alarms.URGENT
        alarms.open_alarm(turn, report.id, report.area_id, urgency)
    _nudge(turn, report, task)
    if task.rung > _NUDGES and known:
        report.file(turn.session, by=None, at=turn.now)
        tasks.end(turn.connection, task.id, turn.now)
        return
    if not known:
        _ask_duty(turn, task)
    task.next_at = turn.now + SECOND_NUDGE


def _nudge(turn: Turn, report: Report, task: Task) -> None:
    task.rung += 1
    contact = reporters.contact_of(turn.connection, report.id)
    if contact is not None and task.rung <= _NUDGES:
        card = Card("notice", {"what": render("reports/card_nudge")}, None)
        turn.push_to(contact, OutboxKind.PROMPT, "reports/nudge", card=card, finished=False)


def _ask_duty(turn: Turn, task: Task) -> None:
    """The first rung that reaches somebody is asked to read it, in the list rather than by an alarm."""
    for number in range(who.RUNGS):
        for person in who.rung(turn, task.area_id, number):
            if prompts.prompt(turn, task, person):
                tasks.tell(turn.session, task.id, person, task.rung, turn.now)
                return


def benefit(turn: Turn, task: Task) -> None:
    """A question about a benefit: prompt the officer, daily, then the township too."""
    people = [task.person_id] if task.person_id else []
    people += [one for number in range(who.RUNGS) for one in who.rung(turn, task.area_id, number)]
    for person in people:
        if prompts.prompt(turn, task, person):
            if person is not None and person != task.person_id:
                tasks.tell(turn.session, task.id, person, task.rung, turn.now)
            break
    task.rung += 1
    task.next_at = turn.now + timedelta(days=1)


def line(turn: Turn, task: Task) -> str:
    """How it reads in the list of tasks."""
    return render(
        "alarms/line", kind=label("task_kind", task.kind), urgency=task.urgency,
        place=alarms.place_of(turn, task.area_id), opened=task.opened_at, now=turn.now,
    )  # fmt: skip


def set_aside(turn: Turn, report_id: int, why: str) -> None:
    """A person decides that it is not a report about a child; what was opened for it ends."""
    report = turn.session.get_one(Report, report_id)
    by = turn.person.id if turn.person else None
    report.set_aside(turn.session, by=by, at=turn.now, why=why)
    for task in tasks.live_of_subject(turn.session, "report", report_id):
        tasks.end(turn.connection, task.id, turn.now)
    turn.audit("set_aside", "report", report_id, why)


TASKS = {
    "draft_report": TaskKind(due=quiet, line=line),
    "benefit": TaskKind(due=benefit, line=line),
}
