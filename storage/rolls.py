"""Look-ups for lists that are read in: areas and units by name, people and children as they are on file."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from storage.areas import Area, Unit
from storage.children import Child, ChildCategory, Pairing
from storage.database import alone
from storage.people import Duty, Person, PersonRole, Role


def areas_below(session: Session, path: str) -> list[Area]:
    """Every area inside the one with this path, itself included."""
    query = select(Area).where(Area.path.startswith(path))
    return list(session.scalars(query.order_by(func.length(Area.path), Area.id)))


def next_child_number(session: Session) -> str:
    """The next child's number, e.g. C01201."""
    alone(session.connection(), "child number")
    newest = select(Child.number).where(Child.number.startswith("C")).order_by(Child.id.desc())
    last = session.scalar(newest.limit(1))  # numbers count up with ids, so the newest row has the highest
    return f"C{int(last[1:]) + 1 if last else 1:05d}"


def categories_of(session: Session, child_id: int) -> list[ChildCategory]:
    """The categories a child belongs to now."""
    query = select(ChildCategory).where(ChildCategory.child_id == child_id, ChildCategory.until.is_(None))
    return list(session.scalars(query.order_by(ChildCategory.id)))


def role_held(session: Session, person_id: int, role: str, area_id: int) -> bool:
    """Whether the person holds this role for this area."""
    query = select(PersonRole.id).where(
        PersonRole.person_id == person_id, PersonRole.role == role, PersonRole.area_id == area_id,
        PersonRole.until.is_(None),
    )  # fmt: skip
    return session.scalar(query.limit(1)) is not None


def duty_held(session: Session, person_id: int, area_id: int, now: datetime) -> Duty | None:
    """The duty of this person for this area that has not ended."""
    query = select(Duty).where(
        Duty.person_id == person_id, Duty.area_id == area_id, or_(Duty.until.is_(None), Duty.until > now)
    )
    return session.scalars(query.order_by(Duty.id.desc()).limit(1)).first()


def children_in(session: Session, paths: Iterable[str]) -> set[int]:
    """Ids of the children on file inside any of these areas."""
    inside = or_(*[Area.path.startswith(path) for path in paths], false())
    query = select(Child.id).join(Area, Area.id == Child.area_id).where(Child.off_file_at.is_(None), inside)
    return set(session.scalars(query))


def people_in(session: Session, paths: Iterable[str]) -> set[int]:
    """Ids of everybody with a telephone number who works inside any of these areas."""
    inside = or_(*[Area.path.startswith(path) for path in paths], false())
    query = select(Person.id).join(Area, Area.id == Person.area_id).where(Person.left_at.is_(None), inside)
    return set(session.scalars(query.where(Person.phone_index.is_not(None))))


def all_units(session: Session) -> list[Unit]:
    """Every unit of the county."""
    return list(session.scalars(select(Unit).order_by(Unit.id)))


def children_by(session: Session, id_numbers: Iterable[bytes], names: Iterable[bytes]) -> list[Child]:
    """Children with any of these ID numbers or any of these names."""
    query = select(Child).where(or_(Child.id_number_index.in_(list(id_numbers)), Child.name_index.in_(list(names))))
    return list(session.scalars(query.order_by(Child.id)))


def categories_held(session: Session, child_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(child, category) of everybody among these who has one now."""
    query = select(ChildCategory.child_id, ChildCategory.category).where(
        ChildCategory.child_id.in_(list(child_ids)), ChildCategory.until.is_(None)
    )
    return {(row.child_id, row.category) for row in session.execute(query)}


def followed(session: Session, child_ids: Iterable[int]) -> set[tuple[int, int, str]]:
    """(child, person, side) of everybody who follows one of these now."""
    query = select(Pairing.child_id, Pairing.person_id, Pairing.side).where(
        Pairing.child_id.in_(list(child_ids)), Pairing.until.is_(None)
    )
    return {(row.child_id, row.person_id, row.side) for row in session.execute(query)}


def village_officers(session: Session, now: datetime) -> dict[int, int]:
    """Village → its child officer, the one who has been it longest."""
    query = select(PersonRole.area_id, PersonRole.person_id).join(Person, Person.id == PersonRole.person_id).where(
        PersonRole.role == Role.VILLAGE_CHILD_OFFICER, PersonRole.since <= now,
        or_(PersonRole.until.is_(None), PersonRole.until > now), Person.left_at.is_(None),
    )  # fmt: skip
    return {row.area_id: row.person_id for row in session.execute(query.order_by(PersonRole.person_id.desc()))}
