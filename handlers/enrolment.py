"""A child comes on file: its number, the indexes by which it is found again, its categories and its visits."""

from collections.abc import Iterable

from handlers.turn import Turn
from handlers.workdays import local_day
from storage import rolls, sealing
from storage.children import Child, ChildCategory


def name_index(name: str) -> bytes:
    """The blind index of a child's name."""
    return sealing.ring().index("child_name", "".join(name.split()))


def id_number_index(number: str) -> bytes:
    """The blind index of an ID number."""
    return sealing.ring().index("id_number", number.strip().upper())


def enrol(turn: Turn, child: Child, categories: Iterable[str]) -> None:
    """Put a new child on file; the visits of its pair are planned when the pair is formed."""
    child.number = rolls.next_child_number(turn.session)
    child.on_file_since = child.level_since = turn.now
    child.policy_version = turn.policy.version
    turn.session.add(child)
    turn.session.flush()  # gives the id that categories and plans point to
    _add(turn, child, categories)
    turn.audit("enrol", "child", child.id)


def categorise(turn: Turn, child: Child, categories: Iterable[str]) -> bool:
    """Add categories to those a child has; a list never ends one. Whether anything changed."""
    held = {one.category for one in rolls.categories_of(turn.session, child.id)}
    new = [one for one in dict.fromkeys(categories) if one not in held]
    _add(turn, child, new)
    return bool(new)


def _add(turn: Turn, child: Child, categories: Iterable[str]) -> None:
    today = local_day(turn.now)
    turn.session.add_all(
        ChildCategory(child_id=child.id, category=one, since=today) for one in dict.fromkeys(categories)
    )
