"""The figures of one area at one moment, split by place and kind, and the list behind each, without a child's name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from handlers import alarms
from handlers.policy import Policy
from handlers.turn import Turn
from handlers.workdays import at, is_workday, local_day
from messages import label, labels, plain
from storage import children, figures, reports
from storage.areas import Area
from storage.cases import Case
from storage.children import Child
from storage.figures import Span
from storage.reports import Report
from storage.tasks import Task

BEHIND: Mapping[str, figures.Figure] = {
    "new_reports": figures.new_reports,
    "immediate_danger": figures.immediate_danger,
    "unclaimed_alarms": figures.unclaimed_alarms,
    "without_police_receipt": figures.without_police_receipt,
    "red_without_contact": figures.red_without_contact,
    "visits_due": figures.visits_due,
    "visits_done": figures.visits_done,
    "visits_overdue": figures.visits_overdue,
    "tasks_overdue": figures.tasks_overdue,
    "unattended_rate": figures.unattended,
    "children_on_file": figures.children_on_file,
}
"""Figure → the list behind it; the place in this table is the figure's short number, so new ones go to the end."""
ALSO = {"visit_rate": "visits_done"}
"""Figures made of others → the list that shows them best."""
PART_OF = {"visits_done": ("visits_due", "seen")}
"""Figure → the one whose rows with this detail it is: they are counted once for both."""
NUMBERS = dict(enumerate(BEHIND, 1))
_LONGEST_HOLIDAY = 20


@dataclass(frozen=True)
class Figure:
    """One number: how many things, where (name → how many, most first), and of which kind (code → how many)."""

    number: int
    code: str
    count: int
    places: dict[str, int]
    details: dict[str, int]


@dataclass(frozen=True)
class Line:
    """One thing of the list behind a number; staff by name, children and reports by number."""

    number: str
    place: str
    kind: str
    """report, child, task, or late for a task whose day is over."""
    what: str
    holders: tuple[str, ...]
    """Who must act, or the adults of the pair."""
    since: datetime | date | None


def span(turn: Turn, area: Area, moment: datetime) -> Span:
    """What a digest of this area at this moment looks at."""
    policy, day = turn.policy, local_day(moment)
    return Span(
        path=area.path, moment=moment, midnight=at(day, time(0)), day=day, past=moment < turn.now,
        unclaimed_after=timedelta(minutes=policy.unclaimed_after_minutes),
        on_time_from={code: on_time_from(policy, code, day) for code in policy.levels},
        expected_since={
            code: moment - timedelta(hours=level.first_contact_hours) for code, level in policy.levels.items()
        },
    )  # fmt: skip


def on_time_from(policy: Policy, level: str, day: date) -> date:
    """The first day whose contact still counts on `day`: the level's interval back; days off put the next one later."""
    for _ in range(_LONGEST_HOLIDAY):
        if is_workday(policy, day - timedelta(days=1)):
            break
        day -= timedelta(days=1)
    return day - timedelta(days=policy.level(level).visit_every_days)


def count(turn: Turn, looked_at: Span) -> dict[str, Figure]:
    """Every figure by its code."""
    groups = figures.below(turn.connection, looked_at.path)
    whole = {
        code: figures.counted(turn.connection, behind, looked_at)
        for code, behind in BEHIND.items()
        if code not in PART_OF
    }
    parts = {code: [row for row in whole[of] if row[1] == detail] for code, (of, detail) in PART_OF.items()}
    rows = whole | parts
    return {code: _figure(number, code, rows[code], groups) for number, code in NUMBERS.items()}


def _figure(
    number: int, code: str, rows: Sequence[tuple[int, str, int]], groups: Mapping[int, tuple[int, str]]
) -> Figure:
    places: Counter[tuple[int, str]] = Counter()
    details: Counter[str] = Counter()
    top = next(iter(groups.values()), (0, ""))  # whose path is broken counts for the whole
    for area, detail, many in rows:
        places[groups.get(area, top)] += many
        details[detail] += many
    by_place = {name: many for (_, name), many in places.most_common()}
    return Figure(number, code, places.total(), by_place, dict(details.most_common()))


def rate(some: Figure, of_all: Figure) -> float:
    """One figure as a share of another; 0 of none."""
    return some.count / of_all.count if of_all.count else 0.0


def lines(turn: Turn, looked_at: Span, code: str, limit: int, start: int = 0) -> list[Line]:
    """A part of the list behind a figure, place by place."""
    rows = figures.listed(turn.connection, BEHIND[code], looked_at, limit, start)
    return [_line(turn, _row(turn, code, row.id), row.detail, looked_at) for row in rows]


def ids(turn: Turn, looked_at: Span, code: str) -> list[int]:
    """Everything behind a figure."""
    return [row.id for row in figures.listed(turn.connection, BEHIND[code], looked_at)]


def _row(turn: Turn, code: str, number: int) -> Report | Child | Task:
    if code in {"new_reports", "immediate_danger", "without_police_receipt"}:
        return turn.session.get_one(Report, number)
    if code in {"red_without_contact", "unattended_rate", "children_on_file"}:
        return turn.session.get_one(Child, number)
    return turn.session.get_one(Task, number)


def _line(turn: Turn, row: Report | Child | Task, detail: str | None, looked_at: Span) -> Line:
    place = alarms.place_of(turn, row.area_id)
    if isinstance(row, Report):
        holder = alarms.name_of(turn, reports.holder_of(turn.session, row))
        return Line(f"R{row.id}", place, "report", situation(detail), _known(holder), row.opened_at)
    if isinstance(row, Child):
        pair = dict.fromkeys(alarms.name_of(turn, one.person_id) for one in children.pair_of(turn.session, row.id))
        what = labels("unattended_why").get(detail or "") or label("level", row.level)
        return Line(row.number, place, "child", what, _known(*pair), row.last_contact_on)
    days = (looked_at.day - local_day(row.due_at)).days
    holder = alarms.name_of(turn, row.person_id) or (label("waits_for", row.role) if row.role else None)
    what = label("task_kind", row.kind)
    return Line(_about(turn, row), place, "late" if days > 0 else "task", what, _known(holder), row.due_at)


def _known(*names: str | None) -> tuple[str, ...]:
    return tuple(filter(None, names))


def _about(turn: Turn, task: Task) -> str:
    """The number of what a task is about."""
    if task.subject == "child":
        return turn.session.get_one(Child, task.subject_id).number
    if task.subject == "case":
        return turn.session.get_one(Case, task.subject_id).number
    return f"R{task.subject_id}" if task.subject == "report" else ""


def situation(detail: str | None) -> str:
    """The first situation of `4,9`, or that nobody knows yet."""
    return label("situation_short", (detail or "").partition(",")[0] or "none")


def number_of(code: str) -> int | None:
    """The short number of a figure; None when no list is behind it."""
    return next((number for number, one in NUMBERS.items() if one == code), None)


def named(words: str) -> str | None:
    """The figure that these words name, whole or by a part that belongs to no other; None when they name none."""
    asked = plain(words)
    known = {code: plain(name) for code, name in labels("figure").items()}
    exact = [code for code, name in known.items() if name == asked]
    partly = [code for code, name in known.items() if asked and (asked in name or name in asked)]
    return exact[0] if exact else partly[0] if len(partly) == 1 else None
