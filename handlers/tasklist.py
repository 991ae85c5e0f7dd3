"""The list of tasks: what a person must do, most urgent first, then by village and group, under numbers that last."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from handlers import alarms, cases
from handlers.conversation import show
from handlers.turn import Refused, Turn
from messages import Command
from storage import shown_numbers, tasks
from storage.cases import Case, CaseStage
from storage.people import Person
from storage.reports import Report
from storage.tasks import LIVE, Task

LONGEST_LIST = 20
"""Lines of one list; the rest by the word for more."""


def my_tasks(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone
    """The first page of the list."""
    _page(turn, 0)


def more(turn: Turn, command: Command) -> None:  # noqa: ARG001 - the word alone
    """The next page of the list that was shown last."""
    asked = turn.talk.asked if turn.talk else None
    shown = int(asked.partition(":")[2] or 0) if asked and asked.startswith("tasks") else 0
    _page(turn, shown + LONGEST_LIST if asked else 0)


def _page(turn: Turn, start: int) -> None:
    every = every_task(turn)
    if not every:
        turn.say("tasks/none")
        return
    show_tasks(turn, every[start : start + LONGEST_LIST], "tasks/list", left=max(0, len(every) - start - LONGEST_LIST))
    show(turn, f"tasks:{start}")


def every_task(turn: Turn) -> list[Task]:
    """What the speaking person may take or holds, most urgent and oldest due first."""
    person = _somebody(turn)
    waiting = tasks.told_and_open(turn.session, person.id)
    held = tasks.live_of_person(turn.session, person.id)
    every = (task for task in dict.fromkeys([*waiting, *held]) if task.kind not in tasks.SERVICE)
    return sorted(every, key=lambda task: (-task.urgency, task.due_at, task.id))


def place_in_list(turn: Turn, task: Task) -> tuple[int, str]:
    """The group a task stands in, sorted so: the urgent ones first, the others by place."""
    return -task.urgency, alarms.place_of(turn, task.area_id) if task.urgency == alarms.ORDINARY else ""


def show_tasks(turn: Turn, some: Sequence[Task], name: str, left: int = 0) -> None:
    """Say a list of tasks, urgent ones first, then by place; each keeps its number for seven days."""
    contact = turn.talk.contact_id if turn.talk else 0
    until = turn.now + timedelta(days=turn.policy.shown_number_days)
    rows = []
    for task in some:
        number = shown_numbers.number_for(turn.connection, contact, "task", task.id, turn.now, until)
        rows.append((*place_in_list(turn, task), number, turn.kinds[task.kind].line(turn, task)))
    ordered = sorted(rows, key=lambda row: row[:2])
    groups = [
        {"place": key[1], "urgent": key[0] != 0, "lines": [{"number": row[2], "text": row[3]} for row in group]}
        for key, group in groupby(ordered, key=lambda row: (row[0], row[1]))
    ]
    turn.say(name, groups=groups, left=left, total=len(some) + left)
    show(turn, "tasks:0")


def task_of_number(turn: Turn, number: int) -> Task:
    """What a number that this person was shown stands for now.

    A task that ended is followed to the case that came of it while that is open, and from there to what is asked about
    it; or to what waits to be claimed of the same report.
    """
    task = shown_task(turn, number)
    if task.state in LIVE:
        return task
    report = turn.session.get(Report, task.subject_id) if task.subject == "report" else None
    case = turn.session.get(Case, _case_id(task, report) or 0)
    if case is not None and case.stage != CaseStage.CLOSED:
        return _of_case(turn, task, case)
    again = tasks.live_of_subject(turn.session, "report", report.id, cases.CLAIMABLE) if report else []
    if again:
        return again[0]
    if case is not None:
        raise Refused("tasks/case_closed", number=number, case=case.number)
    raise Refused("tasks/ended", number=number, holder=alarms.name_of(turn, task.person_id), state=task.state)


def _case_id(task: Task, report: Report | None) -> int | None:
    if report is not None:
        return report.case_id
    return task.subject_id if task.subject == "case" else None


def _of_case(turn: Turn, task: Task, case: Case) -> Task:
    if not cases.has(turn, case):  # somebody else took what both were told about
        holder = alarms.name_of(turn, case.holder_id)
        raise Refused("alarms/held", holder=holder, mine=False, at=task.claimed_at or case.opened_at)
    return cases.task_of(turn, case.id) or task


def shown_task(turn: Turn, number: int) -> Task:
    """The task this person was shown under a number, whatever became of it."""
    contact = turn.talk.contact_id if turn.talk else 0
    meant = shown_numbers.meant_by(turn.connection, contact, number, turn.now)
    if meant is None or meant[0] != "task":
        raise Refused("tasks/unknown_number", number=number)
    return turn.session.get_one(Task, meant[1])


def _somebody(turn: Turn) -> Person:
    if turn.person is None:
        raise Refused("tasks/only_staff")
    return turn.person


COMMANDS = {"my_tasks": my_tasks, "more": more}
