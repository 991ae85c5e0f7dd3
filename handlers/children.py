"""Children on file: how one reads inside a requested reply, and its risk level."""

from datetime import date

from handlers import plans, who
from handlers.turn import Refused, Turn
from handlers.workdays import local_day
from messages import labels, lexicon, render
from storage import children
from storage.areas import Area
from storage.children import Child
from storage.people import Role

LEVELS = ("green", "blue", "yellow", "red")
"""Lowest first."""


def line(turn: Turn, child: Child) -> str:
    """A child inside a requested reply, by the county's setting; never in a push, never the full name."""
    if turn.policy.child_line == "number":
        return render("children/line_number", number=child.number)
    area = turn.session.get(Area, child.area_id)
    return render(
        "children/line", place=area.name if area else "", surname=_surname(child.name),
        age=_age(child.born, local_day(turn.now)),
    )  # fmt: skip


def _surname(name: str) -> str:
    two: list[str] = lexicon("surnames")["two_characters"]
    return name[:2] if name[:2] in two and len(name) > len(name[:2]) else name[:1]


def _age(born: date | None, today: date) -> int | None:
    """Full years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day)) if born else None


def set_level(turn: Turn, child: Child, level: str, why: str) -> bool:
    """Set a child's level by a supervisor of its area; lowering red waits for a second one. Whether it is set now."""
    person = turn.require(Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR)
    if not who.covers(turn, child.area_id) or level not in labels("level"):
        raise Refused("common/not_yours")
    if child.level == "red" and level != "red":
        first = children.lowering_proposed_by(turn.session, child.id, level, child.level_since)
        if first is None or first == person.id:
            turn.audit(f"{children.PROPOSE}{level}", "child", child.id, why)
            return False
    change_level(turn, child, level, why)
    return True


def change_level(turn: Turn, child: Child, level: str, why: str) -> None:
    """The level itself, decided elsewhere (a case, a list): every future visit is planned anew in this turn."""
    if child.level == level:
        return
    child.level, child.level_since, child.level_why = level, turn.now, why
    child.policy_version = turn.policy.version
    turn.session.flush()  # the plan below reads it
    turn.audit("set_level", "child", child.id, why)
    plans.replan(turn, child)
