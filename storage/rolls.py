"""Look-ups for lists that are read in: areas and units by name, people and children as they are on file."""

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from storage.areas import Area, Unit
from storage.children import Child, ChildCategory, Pairing
from storage.database import alone
from storage.people import Duty, Person, PersonRole


def areas_below(session: Session, path: str) -> list[Area]:
    """Every area inside the one with this path, itself included."""
    query = select(Area).where(Area.path.startswith(path))
    return list(session.scalars(query.order_by(func.length(Area.path), Area.id)))


def child_by_id_number(session: Session, index: bytes) -> Child | None:
    """The child with this ID number."""
    return session.scalar(select(Child).where(Child.id_number_index == index))


def children_like(session: Session, name_index: bytes, born: date | None, village_path: str) -> list[Child]:
    """Children of this name and birth date in one village: what identifies a child without an ID number."""
    query = (
        select(Child)
        .join(Area, Area.id == Child.area_id)
        .where(Child.name_index == name_index, Child.born == born, Area.path.startswith(village_path))
    )
    return list(session.scalars(query.order_by(Child.id)))


def next_child_number(session: Session) -> str:
    """The next child's number, e.g. C01201."""
    alone(session.connection(), "child number")
    last = session.scalar(select(func.max(Child.number)).where(Child.number.startswith("C")))
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


def follows(session: Session, child_id: int, person_id: int, side: str) -> bool:
    """Whether a person follows a child on a side now."""
    query = select(Pairing.id).where(
        Pairing.child_id == child_id, Pairing.person_id == person_id, Pairing.side == side, Pairing.until.is_(None)
    )
    return session.scalar(query.limit(1)) is not None
