"""/m/tasks: one's tasks as a page, in the order and groups of the chat's list; each line leads to where it is done."""

from itertools import groupby

from handlers import subscription_page
from handlers.page import Answer, Fields, Page
from handlers.tasklist import every_task, place_in_list
from handlers.turn import Turn
from storage import reports
from storage.tasks import Task
from storage.visits import TASK_KIND


def my_tasks(turn: Turn, path: Fields, form: Fields) -> Answer:  # noqa: ARG001 - the same for everybody
    """The whole list."""
    every = every_task(turn)
    rows = sorted(((place_in_list(turn, task), task) for task in every), key=lambda row: row[0])
    groups = [
        {"place": place, "urgent": urgency != 0, "lines": [_line(turn, task) for _, task in group]}
        for (urgency, place), group in groupby(rows, key=lambda row: row[0])
    ]
    turn.audit("look", "tasks")
    return Page("tasks", {"groups": groups, "total": len(every), "wanting": subscription_page.wanting(turn)})


def _line(turn: Turn, task: Task) -> dict[str, object]:
    late = task.due_at < turn.now
    return {"text": turn.kinds[task.kind].line(turn, task), "to": _page_of(turn, task), "late": late}


def _page_of(turn: Turn, task: Task) -> str | None:
    """Where a task is done; None when that is only the chat."""
    if task.subject == "report":
        return f"/m/case/{task.subject_id}"
    if task.subject == "case":
        found = reports.of_case(turn.session, task.subject_id)
        return f"/m/case/{found[0].id}" if found else None
    return f"/m/visit/{task.id}" if task.kind == TASK_KIND else None
