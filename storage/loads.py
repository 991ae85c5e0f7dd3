"""How much one person has: the children they follow or are asked to visit, and their open cases."""

from dataclasses import dataclass

from sqlalchemy import func, or_, select, union
from sqlalchemy.orm import Session

from storage.cases import Case, CaseStage, held_by
from storage.children import Child, Pairing
from storage.people import Person
from storage.tasks import LIVE, Task
from storage.visits import TASK_KIND


@dataclass(frozen=True)
class Load:
    """Children and cases, by id."""

    children: frozenset[int] = frozenset()
    cases: frozenset[int] = frozenset()

    def __or__(self, other: "Load") -> "Load":
        """Both together; what is in both counts once."""
        return Load(self.children | other.children, self.cases | other.cases)


def of(session: Session, person_id: int) -> Load:
    """What one person has now."""
    followed = (
        select(Pairing.child_id)
        .join(Child, Child.id == Pairing.child_id)
        .where(Pairing.person_id == person_id, Pairing.until.is_(None), Child.off_file_at.is_(None))
    )
    asked = select(Task.subject_id).where(
        Task.person_id == person_id, Task.kind == TASK_KIND, Task.state.in_(LIVE)
    )  # fmt: skip
    children = session.scalars(followed.union(asked))
    return Load(frozenset(children), frozenset(held_by(session, person_id)))


def over(session: Session, most_children: int, most_cases: int) -> list[int]:
    """Everybody who has more than the county allows (person ids); 0: no limit."""
    followed = (
        select(Pairing.person_id.label("person"), Pairing.child_id.label("one"))
        .join(Child, Child.id == Pairing.child_id)
        .where(Pairing.until.is_(None), Child.off_file_at.is_(None))
    )
    asked = select(Task.person_id, Task.subject_id).where(
        Task.kind == TASK_KIND, Task.person_id.is_not(None), Task.state.in_(LIVE)
    )
    children = union(followed, asked).subquery()
    live = Case.stage != CaseStage.CLOSED
    holders = select(Case.holder_id.label("person"), Case.id.label("one")).where(live)
    officers = select(Case.officer_id, Case.id).where(live, Case.officer_id.is_not(None))
    cases = union(holders, officers).subquery()
    too_many = [
        select(had.c.person).group_by(had.c.person).having(func.count() > most)
        for had, most in ((children, most_children), (cases, most_cases))
        if most
    ]
    if not too_many:
        return []
    among = or_(*(Person.id.in_(one) for one in too_many))
    return list(session.scalars(select(Person.id).where(Person.left_at.is_(None), among).order_by(Person.id)))
