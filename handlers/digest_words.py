"""What a digest says: the lines for today, the figures and what they are split by, in words."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from handlers import figures
from handlers.figures import Figure
from handlers.turn import Turn
from messages import label, labels, render
from storage import figures as stored
from storage import people, tasks
from storage.areas import Area
from storage.figures import OLDEST, Span
from storage.people import Role
from storage.tasks import SERVICE

MOST_TO_DO = 3
"""Lines of what must be done today."""
_DECIDING = frozenset({Role.COUNTY_SUPERVISOR, Role.TOWNSHIP_CHILD_SUPERVISOR})
_LOUD = (
    "new_reports", "unclaimed_alarms", "without_police_receipt", "red_without_contact", "visits_overdue",
    "tasks_overdue",
)  # fmt: skip
"""A day without any of these is a quiet one."""
_SPLIT_BY = {
    "unclaimed_alarms": "task_kind", "visits_due": "visit_outcome", "visits_done": "visit_outcome",
    "visits_overdue": "overdue_age", "tasks_overdue": "overdue_age", "unattended_rate": "unattended_why",
    "red_without_contact": "level", "children_on_file": "level",
}  # fmt: skip
"""Figure → the labels of what it is split by; the rest are reports, split by situation."""


def text(
    area: Area,
    looked_at: Span,
    counted: dict[str, Figure],
    today: Sequence[str],
    *,
    late: bool = False,
    missed: int = 0,
    silent: Sequence[dict[str, Any]] = (),
) -> str:
    """The whole digest; `missed` is on how many days before it none was sent, `silent` when the system was."""
    split = {code: details(one) for code, one in counted.items()}
    return render(
        "digest/digest", moment=looked_at.moment, area=area.name, to_do=today, figures=counted, split=split,
        rate=rate(counted), late=late, missed=missed, silent=[render("silences/line", **one) for one in silent],
    )  # fmt: skip


def to_do(turn: Turn, looked_at: Span, counted: dict[str, Figure], person_id: int) -> list[str]:
    """What this person must do today, the most urgent first."""
    tomorrow = looked_at.midnight + timedelta(days=1)
    held = tasks.live_of_person(turn.session, person_id)
    roles = {one.role for one in people.roles_of(turn.session, person_id, turn.now)} & _DECIDING
    matters = [stored.counted(turn.connection, stored.role_matters(role), looked_at) for role in roles]
    found = {
        "unclaimed_alarms": counted["unclaimed_alarms"].count,
        "waiting_for_role": sum(many for rows in matters for _, _, many in rows),
        "red_without_contact": counted["red_without_contact"].count,
        "own_tasks": sum(task.kind not in SERVICE and task.due_at < tomorrow for task in held),
        "without_police_receipt": counted["without_police_receipt"].count,
        "long_overdue": counted["tasks_overdue"].details.get(OLDEST, 0),
    }
    return [label("digest_must", code).format(many) for code, many in found.items() if many][:MOST_TO_DO]


def quiet(counted: dict[str, Figure], today: Sequence[str]) -> bool:
    """Whether nothing happened that a supervisor need know."""
    return not today and not any(counted[code].count for code in _LOUD)


def rate(counted: dict[str, Figure]) -> float:
    """The share of children on file who are unattended."""
    return figures.rate(counted["unattended_rate"], counted["children_on_file"])


def details(one: Figure) -> dict[str, int]:
    """What a number is split by, in words, most first; a suggestion counts under the first of several situations."""
    words = labels(_SPLIT_BY[one.code]) if one.code in _SPLIT_BY else {}
    found: dict[str, int] = {}
    for code, many in one.details.items():
        name = words[code] if code in words else figures.situation(code)
        found[name] = found.get(name, 0) + many
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def meaning(turn: Turn, code: str) -> dict[str, Any]:
    """Code, name and definition of a figure, the county's minutes where it has some, and the version of the rules."""
    minutes = turn.policy.unclaimed_after_minutes if code == "unclaimed_alarms" else None
    return {
        "code": code, "figure": label("figure", code), "meaning": label("figure_meaning", code), "minutes": minutes,
        "version": turn.policy.version, "behind": figures.number_of(figures.ALSO.get(code, code)),
    }  # fmt: skip


def names() -> dict[int, str]:
    """Short number → name of every figure that has a list."""
    return {number: label("figure", code) for number, code in figures.NUMBERS.items()}
