"""A digest's numbers counted again row by row, by no index and no path: what they would be if nothing but rows counted.

The definitions stand once more in plain Python on purpose: what the queries of `storage.figures` take from an index, a
path or a join is taken here from the rows alone, so the two differ where one of those is wrong.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from storage.areas import Area
from storage.children import Child
from storage.figures import CLIMBING, DAY, NO_REPORT, VISIT, WEEK, Span
from storage.reports import Report, ReportStage
from storage.tasks import LIVE, Task, TaskState
from storage.visits import Visit

AT_A_TIME = 1000
"""Rows that are in memory."""


def figures_again(connection: Connection, span: Span, top: int) -> Counter[str]:
    """The figures of the area with the id `top` at a moment that is not over: figure → number."""
    within = _below(connection, top)
    found: Counter[str] = Counter()
    for report in _rows(connection, select(
        Report.id, Report.area_id, Report.opened_at, Report.kind, Report.merged_into_id, Report.stage, Report.urgency
    )):  # fmt: skip
        counts = report.area_id in within and span.moment - DAY <= report.opened_at < span.moment
        counts = counts and report.kind not in NO_REPORT and report.merged_into_id is None
        if counts and report.stage != ReportStage.SET_ASIDE:
            found["new_reports"] += 1
            found["immediate_danger"] += report.urgency == "immediate_danger"
    for child in _rows(connection, select(Child.id, Child.area_id, Child.on_file_since, Child.off_file_at)):
        on_file = child.on_file_since <= span.moment and child.off_file_at is None
        found["children_on_file"] += on_file and child.area_id in within
    week: set[int] = set()
    for task in _rows(connection, select(Task.id, Task.area_id, Task.kind, Task.state, Task.opened_at, Task.due_at)):
        if task.area_id in within and task.opened_at <= span.moment:
            _count_task(task, span, found, week)
    for visit in _rows(connection, select(Visit.id, Visit.task_id, Visit.kind, Visit.recorded_at)):
        found["visits_done"] += visit.task_id in week and visit.kind == "seen" and visit.recorded_at <= span.moment
    return found


def _count_task(task: Any, span: Span, found: Counter[str], week: set[int]) -> None:  # noqa: ANN401 - a row
    if task.kind in CLIMBING:
        out_for = span.moment - task.opened_at
        found["unclaimed_alarms"] += out_for > span.unclaimed_after and task.state == TaskState.OPEN
    if task.kind != VISIT or task.due_at >= span.midnight:
        return
    found["visits_overdue"] += task.state in LIVE
    if task.due_at >= span.midnight - WEEK and task.state != TaskState.CANCELLED:
        week.add(task.id)
        found["visits_due"] += 1


def _below(connection: Connection, top: int) -> set[int]:
    """An area and all below it, by who is above whom."""
    above = {row.id: row.parent_id for row in _rows(connection, select(Area.id, Area.parent_id))}
    return {area for area in above if top in set(_up(area, above))}


def _up(area: int | None, above: dict[int, int | None]) -> Iterator[int]:
    for _ in range(len(above) + 1):  # a ring has no end
        if area is None:
            return
        yield area
        area = above.get(area)


def _rows(connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[Any]:
    """Every row in the order of its id, some at a time."""
    [key, *_] = query.selected_columns
    yield from connection.execution_options(yield_per=AT_A_TIME).execute(query.order_by(key))
