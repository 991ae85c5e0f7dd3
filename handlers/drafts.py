"""Unfinished reports: on the duty list from the first word, nudged after ten minutes and after a day, never dropped."""

from datetime import timedelta

from handlers import alarms, prompts, who
from handlers.kinds import TaskKind
from handlers.nudges import nudge
from handlers.turn import Refused, Turn
from handlers.workdays import in_window
from messages import label, render
from storage import tasks
from storage.reports import Report, ReportStage
from storage.tasks import Task

SECOND_NUDGE = timedelta(days=1)
_NUDGES = 2
_DAY = timedelta(days=1)
_KNOWN_KINDS = frozenset({"danger", "report"})
_KNOWN_URGENCIES = frozenset({"urgent", "unknown", "immediate_danger"})
_DAYS_A_RUNG = 2
"""Days until somebody higher is asked too to read what nobody has read."""


def quiet(turn: Turn, task: Task) -> None:
    """Nothing was added for a while: what the rules know becomes an alarm, the rest is read by a person."""
    report = turn.session.get_one(Report, task.subject_id)
    if report.stage != ReportStage.DRAFT or report.finished_at is not None:
        tasks.end(turn.connection, task.id, turn.now)
        return
    over = report.heard_at + timedelta(minutes=turn.policy.report_quiet_minutes)
    if over > turn.now:
        task.next_at = over
        return
    if report.kind in _KNOWN_KINDS or report.urgency in _KNOWN_URGENCIES:
        danger = report.urgency == "immediate_danger"
        alarms.open_alarm(turn, report.id, report.area_id, alarms.RED if danger else alarms.URGENT)
    else:
        _open_reading(turn, report)
    if task.rung < _NUDGES:
        task.rung += 1
        nudge(turn, report.id, finished=False)
        task.next_at = in_window(turn.policy, turn.now + SECOND_NUDGE)
        return
    report.file(turn.session, by=None, at=turn.now)
    tasks.end(turn.connection, task.id, turn.now)


def _open_reading(turn: Turn, report: Report) -> None:
    """What the rules make nothing of: a person reads it, by day, since they miss some that matter."""
    at = in_window(turn.policy, turn.now)
    turn.open_task("read_report", "report", report.id, report.area_id, due_at=at + _DAY, next_at=at, role="duty")


def open_benefit(turn: Turn, report_id: int, area_id: int) -> None:
    """A question about a benefit is the village officer's; where there is none, the duty person's."""
    officer = who.officer_of(turn, area_id)
    at = in_window(turn.policy, turn.now)
    turn.open_task(
        "benefit", "report", report_id, area_id, due_at=at + timedelta(days=3), next_at=at, person_id=officer,
        role="duty",
    )  # fmt: skip


def ask(turn: Turn, task: Task) -> None:
    """Ask the officer or the first rung that can be reached, daily; every other day one rung more is asked too."""
    if turn.reach(task.person_id) is None and not turn.policy.only_answers:
        task.person_id = None  # an officer who cannot be reached: it is the duty's. Where nobody can be, each looks
    opens = in_window(turn.policy, turn.now)
    if opens > turn.now:
        task.next_at = opens
        return
    wanted = 1 + task.rung // _DAYS_A_RUNG
    rungs = [[task.person_id] if task.person_id else [], *(who.rung(turn, task.area_id, n) for n in range(who.RUNGS))]
    for people in rungs:
        reached = [one for one in people if prompts.prompt(turn, task, one)]
        for person in reached:
            if person != task.person_id:
                tasks.tell(turn.session, task.id, person, task.rung, turn.now)
        wanted -= bool(reached)
        if not wanted:
            break
    task.rung += 1
    task.next_at = in_window(turn.policy, turn.now + _DAY)


def line(turn: Turn, task: Task) -> str:
    """How it reads in the list of tasks."""
    return render(
        "alarms/line", kind=label("task_kind", task.kind), urgency=task.urgency,
        place=alarms.place_of(turn, task.area_id), opened=task.opened_at, now=turn.now,
    )  # fmt: skip


def set_aside(turn: Turn, report_id: int, why: str) -> None:
    """A person decides that it is not about a child; what was heard as danger is claimed, and closed by two."""
    report = turn.session.get_one(Report, report_id)
    live = tasks.live_of_subject(turn.session, "report", report_id)
    if report.urgency == "immediate_danger" or any(task.urgency == alarms.RED for task in live if task.kind != "burst"):
        raise Refused("cases/danger_needs_two")
    by = turn.person.id if turn.person else None
    report.set_aside(turn.session, by=by, at=turn.now, why=why)
    turn.session.flush()  # what follows goes past the ORM
    for task in live:
        tasks.end(turn.connection, task.id, turn.now)
    turn.audit("set_aside", "report", report_id, why)


TASKS = {
    "draft_report": TaskKind(due=quiet, line=line),
    "read_report": TaskKind(due=ask, line=line),
    "benefit": TaskKind(due=ask, line=line),
}
