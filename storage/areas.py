"""Areas (county, township, village, group) and units (schools, police stations, …) in them."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, ForeignKey, String, UniqueConstraint, and_, bindparam, literal, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id
from storage.rows import Found
from storage.statements import Hot


class AreaLevel(StrEnum):
    """The four floors of the grid."""

    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    GROUP = "group"


class UnitKind(StrEnum):
    """Kinds of units; their Chinese names are in labels.toml."""

    SCHOOL = "school"
    HOSPITAL = "hospital"
    POLICE_STATION = "police_station"
    OFFICE = "office"
    ENTERPRISE = "enterprise"
    PLACE = "place"


class Area(Base):
    """One area; `path` is `/county/township/…/` in ids, so an area's subtree is one prefix."""

    __tablename__ = "area"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(60))
    path: Mapped[str] = mapped_column(String(80), index=True)


class Unit(Base):
    """A school, hospital, police station, office, enterprise or place."""

    __tablename__ = "unit"
    __table_args__ = (UniqueConstraint("area_id", "kind", "name"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(80))


def add_area(session: Session, level: AreaLevel, name: str, parent: Area | None = None) -> Area:
    """A new area below `parent`."""
    area = Area(parent_id=parent.id if parent else None, level=level, name=name, path="")
    session.add(area)
    session.flush()  # gives the id that its path ends with
    area.path = f"{parent.path if parent else '/'}{area.id}/"
    return area


def county(session: Session) -> Area | None:
    """The county itself; None before anything was set up."""
    return _COUNTY.first(session, {})


_COUNTY = Found(Area, select(Area.__table__).where(Area.level == AreaLevel.COUNTY).order_by(Area.id).limit(1))


def named(session: Session, name: str, *, within: Area | None = None) -> list[Area]:
    """Areas of that name, inside `within` when given."""
    query = select(Area).where(Area.name == name)
    if within is not None:
        query = query.where(Area.path.startswith(within.path))
    return list(session.scalars(query.order_by(Area.id)))


def chain(session: Session, area_id: int | None) -> list[Area]:
    """The area and everything above it, lowest first; empty without an area.

    Each is read by its id, which a session does once.
    """
    if area_id is None:
        return []
    area = session.get(Area, area_id)
    if area is None:
        return []
    ids = [int(one) for one in area.path.strip("/").split("/")]
    return [one for number in reversed(ids) if (one := session.get(Area, number)) is not None]


def township_of(session: Session, area_id: int | None) -> Area | None:
    """The township an area lies in."""
    return next((one for one in chain(session, area_id) if one.level == AreaLevel.TOWNSHIP), None)


def mentioned(session: Session, text: str) -> list[Area]:
    """Townships and villages whose name stands in `text`, the smallest first."""
    named_in = literal(text).contains(Area.name, autoescape=False)
    query = select(Area).where(named_in, Area.level.in_([AreaLevel.TOWNSHIP, AreaLevel.VILLAGE]))
    return sorted(session.scalars(query), key=lambda area: (-len(area.path), area.id))


_BELONGING = Hot(
    select(Area.id, Area.level, Area.path).where(
        or_(
            and_(
                bindparam("text", type_=String).contains(Area.name, autoescape=False),
                Area.level.in_([AreaLevel.TOWNSHIP, AreaLevel.VILLAGE]),
            ),
            Area.level == AreaLevel.COUNTY,
        )
    )
)


def belonging(connection: Connection, text: str) -> list[Any]:
    """Where words belong (id, level, path): townships and villages they name, the smallest first, the county last.

    Of villages with the same name the one whose township is named too comes first.
    """
    found = _BELONGING.all(connection, {"text": text})
    paths = [one.path for one in found]
    return sorted(found, key=lambda one: (-sum(one.path.startswith(path) for path in paths), -len(one.path), one.id))
