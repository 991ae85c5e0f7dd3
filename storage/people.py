"""People, their roles with dates, the duty roster, and invitations to bind a WeChat identity."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    and_,
    bindparam,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage import sealing
from storage.areas import Area
from storage.contacts import Contact
from storage.database import Base, Id, Sealed, alone
from storage.rows import Found, connection_of
from storage.statements import Hot

_MOBILE_DIGITS = 11


class Role(StrEnum):
    """What a person is to the bot (domain.md 1.3); a citizen needs no row."""

    MANDATED_REPORTER = "mandated_reporter"
    CITIZEN = "citizen"
    VILLAGE_CHILD_OFFICER = "village_child_officer"
    TOWNSHIP_CHILD_SUPERVISOR = "township_child_supervisor"
    COUNTY_SUPERVISOR = "county_supervisor"
    AGENCY_LIAISON = "agency_liaison"
    AUDITOR = "auditor"
    CARE_PARTNER = "care_partner"


STAFF = frozenset(
    {Role.VILLAGE_CHILD_OFFICER, Role.TOWNSHIP_CHILD_SUPERVISOR, Role.COUNTY_SUPERVISOR, Role.AGENCY_LIAISON}
)


class Person(Base):
    """Somebody on the county's lists. The WeChat identity is apart, in `contact`."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Sealed("person.name"))
    phone: Mapped[str | None] = mapped_column(Sealed("person.phone"))
    phone_index: Mapped[bytes | None] = mapped_column(unique=True)
    """Index of the normalised phone; a person is found again by it when a list is imported twice."""
    area_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"), index=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    stand_in_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    """Who acts when this person does not."""
    prompt_hour: Mapped[int | None] = mapped_column(SmallInteger)
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    """Set while a leave runs: this person is asked for nothing, somebody else acts."""


class PersonRole(Base):
    """A role somebody holds for an area, with dates."""

    __tablename__ = "person_role"
    __table_args__ = (
        Index("ix_person_role_person", "person_id", "role"),
        Index("ix_person_role_area", "area_id", "role"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str] = mapped_column(String(30))
    area_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"))
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class Duty(Base):
    """Who is on duty for an area, and who stands in; without an end it holds until replaced."""

    __tablename__ = "duty"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    stand_in_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class Invite(Base):
    """A one-time code or scene QR that binds a WeChat identity to a person."""

    __tablename__ = "invite"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    code_index: Mapped[bytes] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def person_of(session: Session, person_id: int | None) -> Person | None:
    """A person who has not left."""
    person = session.get(Person, person_id) if person_id else None
    return person if person and person.left_at is None else None


def roles_of(session: Session, person_id: int, now: datetime) -> list[PersonRole]:
    """The roles a person holds now."""
    query = select(PersonRole).where(PersonRole.person_id == person_id, _holds(PersonRole, now))
    return list(session.scalars(query.order_by(PersonRole.id)))


def _holds(row: type[PersonRole | Duty], now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(row.since <= now, or_(row.until.is_(None), row.until > now))


def holders(session: Session, role: Role, area_ids: Sequence[int], now: datetime) -> list[int]:
    """Who holds a role in any of these areas (up to four: an area and all above it) now, in the order they joined."""
    if not area_ids:
        return []
    areas = {place: area_ids[min(number, len(area_ids) - 1)] for number, place in enumerate(_PLACES)}
    return _HOLDERS.scalars(connection_of(session), {"role": role, "now": now, **areas})


_PLACES = ("first", "second", "third", "fourth")
_HOLDERS = Hot(
    select(Person.__table__.c.id)
    .join(PersonRole.__table__, PersonRole.person_id == Person.id)
    .where(
        PersonRole.role == bindparam("role"),
        PersonRole.area_id.in_([bindparam(one) for one in _PLACES]),
        _holds(PersonRole, bindparam("now")),
        Person.left_at.is_(None),
    )
    .distinct()
    .order_by(Person.__table__.c.id)
)


def duty_of(session: Session, area_id: int, now: datetime) -> Duty | None:
    """The duty that counts now for exactly this area: the one begun last (one night's change beats the roster)."""
    return _DUTY.first(session, {"area_id": area_id, "now": now})


_DUTY = Found(
    Duty,
    select(Duty.__table__)
    .where(Duty.area_id == bindparam("area_id"), _holds(Duty, bindparam("now")))
    .order_by(Duty.since.desc(), Duty.id.desc())
    .limit(1),
)


def reachable(session: Session, person_id: int | None) -> int | None:
    """The contact by which this person can be reached now; None when there is none (it counts as nobody)."""
    if person_id is None:
        return None
    found: int | None = _REACHABLE.scalar(connection_of(session), {"person_id": person_id})
    return found


_REACHES = (
    select(Contact.__table__.c.id)
    .join(Person.__table__, Person.__table__.c.id == Contact.__table__.c.person_id)
    .where(
        Contact.__table__.c.person_id == bindparam("person_id"), Contact.__table__.c.openid_index.is_not(None),
        Contact.__table__.c.unreachable_since.is_(None), Person.__table__.c.left_at.is_(None),
    )
    .order_by(Contact.__table__.c.id.desc())
    .limit(1)
)  # fmt: skip


_REACHABLE = Hot(_REACHES)
_AT_WORK = Hot(_REACHES.where(Person.__table__.c.away_until.is_(None)))


def at_work(session: Session, person_id: int | None) -> int | None:
    """The same contact, of somebody who is not on leave."""
    if person_id is None:
        return None
    found: int | None = _AT_WORK.scalar(connection_of(session), {"person_id": person_id})
    return found


TELEPHONE_AGAIN = timedelta(days=1)
"""After that a number that failed is tried again."""
_TELEPHONE = Hot(
    select(Contact.__table__.c.id, Contact.__table__.c.unreachable_since).where(
        Contact.__table__.c.person_id == bindparam("person_id"), Contact.__table__.c.openid_index.is_(None)
    )
)
_PHONE = Hot(
    select(Person.__table__.c.phone)
    .join(Contact.__table__, Contact.__table__.c.person_id == Person.__table__.c.id)
    .where(Contact.__table__.c.id == bindparam("contact_id"), Person.__table__.c.left_at.is_(None))
)


def telephone(session: Session, person_id: int | None, now: datetime) -> int | None:
    """The contact that stands for this person's telephone; None without a number, or when it failed within a day."""
    person = person_of(session, person_id)
    if person is None or not person.phone or person.away_until is not None:
        return None
    connection = connection_of(session)
    row = _TELEPHONE.first(connection, {"person_id": person.id})
    if row is None:
        alone(connection, f"telephone {person.id}")  # two turns must not make two
        row = _TELEPHONE.first(connection, {"person_id": person.id})
    if row is None:
        contact = Contact(person_id=person.id, followed_at=now)
        session.add(contact)
        session.flush()  # its id is wanted
        return contact.id
    failed = row.unreachable_since
    return int(row.id) if failed is None or now - failed > TELEPHONE_AGAIN else None


def phone_of_contact(connection: Connection, contact_id: int) -> str | None:
    """The number by which the person bound to a contact can be rung; None when there is none."""
    found: str | None = _PHONE.scalar(connection, {"contact_id": contact_id})
    return found


def by_phone(session: Session, phone: str) -> Person | None:
    """The person with this phone number (digits only)."""
    return session.scalar(select(Person).where(Person.phone_index == phone_index(phone)))


def phone_index(phone: str) -> bytes:
    """The blind index of a phone number: digits only, of any width, without 86 or 0086 of the country before it."""
    digits = "".join(str(int(character)) for character in phone if character.isdecimal())
    if len(digits) > _MOBILE_DIGITS:
        digits = digits.removeprefix("00").removeprefix("86")
    return sealing.ring().index("phone", digits)


def invite_of(session: Session, code_index: bytes) -> Invite | None:
    """The invitation with this code."""
    return session.scalar(select(Invite).where(Invite.code_index == code_index))


def holders_below(session: Session, role: Role, path: str, now: datetime) -> list[Person]:
    """Who holds a role anywhere inside the area with this path."""
    query = (
        select(Person)
        .join(PersonRole, PersonRole.person_id == Person.id)
        .join(Area, Area.id == PersonRole.area_id)
        .where(PersonRole.role == role, Area.path.startswith(path), _holds(PersonRole, now), Person.left_at.is_(None))
    )
    return list(session.scalars(query.distinct().order_by(Person.id)))


_HERE = Hot(
    select(Person.__table__.c.id).where(Person.__table__.c.id == bindparam("id"), Person.__table__.c.left_at.is_(None))
)


def is_here(connection: Connection, person_id: int) -> bool:
    """Whether a person has not left."""
    return _HERE.first(connection, {"id": person_id}) is not None
