"""Posts that change hands: what somebody holds, and moving all of it to another person when they leave."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update
from sqlalchemy.orm import Session

from storage import absences
from storage.areas import Area
from storage.cases import Case, CaseStage
from storage.children import Child, Pairing
from storage.contacts import Contact
from storage.people import Duty, Person, PersonRole
from storage.tasks import LIVE, Task

_P, _R, _D, _A, _K, _T, _H = (
    Person.__table__, PersonRole.__table__, Duty.__table__, Pairing.__table__, Case.__table__, Task.__table__,
    Child.__table__,
)  # fmt: skip


@dataclass(frozen=True)
class Held:
    """What one person holds, in numbers."""

    tasks: int
    children: int
    cases: int
    duties: int

    def anything(self) -> bool:
        """Whether somebody has to take it over."""
        return bool(self.tasks or self.children or self.cases or self.duties)


def held(session: Session, person_id: int, now: datetime) -> Held:
    """What somebody has to take over when this person leaves."""

    def count(query: ColumnElement[int]) -> int:
        return int(session.execute(select(query)).scalar_one())

    return Held(
        tasks=count(_count(_T.c.id, _T.c.person_id == person_id, _T.c.state.in_(LIVE))),
        children=count(
            select(func.count(_A.c.child_id.distinct()))
            .select_from(_A.join(_H, _H.c.id == _A.c.child_id))
            .where(_A.c.person_id == person_id, _A.c.until.is_(None), _H.c.off_file_at.is_(None))
            .scalar_subquery()
        ),
        cases=count(
            _count(
                _K.c.id, _K.c.stage != CaseStage.CLOSED, or_(_K.c.holder_id == person_id, _K.c.officer_id == person_id)
            )
        ),
        duties=count(
            _count(
                _D.c.id,
                or_(_D.c.person_id == person_id, _D.c.stand_in_id == person_id),
                or_(_D.c.until.is_(None), _D.c.until > now),
            )
        ),
    )


def _count(column: ColumnElement[int], *where: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count(column)).where(*where).scalar_subquery()


def move(connection: Connection, from_person: int, to_person: int, now: datetime) -> None:
    """Give children, cases and duty of one person to another; both halves stay on record with their dates."""
    _move_pairings(connection, from_person, to_person, now)
    live = _K.c.stage != CaseStage.CLOSED
    connection.execute(update(_K).where(_K.c.holder_id == from_person, live).values(holder_id=to_person))
    connection.execute(update(_K).where(_K.c.officer_id == from_person, live).values(officer_id=to_person))
    holds = or_(_D.c.until.is_(None), _D.c.until > now)
    connection.execute(update(_D).where(_D.c.person_id == from_person, holds).values(person_id=to_person))
    connection.execute(update(_D).where(_D.c.stand_in_id == from_person, holds).values(stand_in_id=to_person))
    connection.execute(update(_D).where(_D.c.stand_in_id == _D.c.person_id, holds).values(stand_in_id=None))
    connection.execute(
        update(_P).where(_P.c.stand_in_id == from_person, _P.c.id != to_person).values(stand_in_id=to_person)
    )
    connection.execute(update(_P).where(_P.c.stand_in_id == from_person).values(stand_in_id=None))
    absences.passed_on(connection, from_person, to_person)


def _move_pairings(connection: Connection, from_person: int, to_person: int, now: datetime) -> None:
    mine = connection.execute(
        select(_A.c.child_id, _A.c.side).where(_A.c.person_id == from_person, _A.c.until.is_(None))
    ).all()
    theirs = select(_A.c.child_id, _A.c.side).where(_A.c.person_id == to_person, _A.c.until.is_(None))
    has = {(row.child_id, row.side) for row in connection.execute(theirs)}
    connection.execute(update(_A).where(_A.c.person_id == from_person, _A.c.until.is_(None)).values(until=now))
    rows = [
        {"child_id": child, "person_id": to_person, "side": side, "since": now}
        for child, side in mine
        if (child, side) not in has
    ]
    if rows:
        connection.execute(insert(_A), rows)


def take_roles(connection: Connection, from_person: int, to_person: int, now: datetime, passed_on: list[str]) -> None:
    """End every role of one person; those in `passed_on` go to the other for the same area."""
    mine = connection.execute(
        select(_R.c.role, _R.c.area_id).where(_R.c.person_id == from_person, _R.c.until.is_(None))
    ).all()
    theirs = select(_R.c.role, _R.c.area_id).where(_R.c.person_id == to_person, _R.c.until.is_(None))
    has = {(row.role, row.area_id) for row in connection.execute(theirs)}
    rows = [
        {"person_id": to_person, "role": role, "area_id": area, "since": now}
        for role, area in mine
        if role in passed_on and (role, area) not in has
    ]
    end_roles(connection, from_person, now)
    if rows:
        connection.execute(insert(_R), rows)


def end_roles(connection: Connection, person_id: int, now: datetime) -> None:
    """End every role of a person."""
    connection.execute(update(_R).where(_R.c.person_id == person_id, _R.c.until.is_(None)).values(until=now))


def left(connection: Connection, person_id: int, now: datetime) -> None:
    """The person is no longer here; what they did stays."""
    connection.execute(update(_P).where(_P.c.id == person_id).values(left_at=now, stand_in_id=None, away_until=None))


def all_here(session: Session) -> list[Person]:
    """Everybody who has not left, by area (a county's staff is some hundred people; names are sealed, so no filter)."""
    return list(session.scalars(select(Person).where(Person.left_at.is_(None)).order_by(Person.area_id, Person.id)))


def reachable_with_role(session: Session, roles: list[str], within: Area | None, now: datetime) -> list[Person]:
    """Who can be reached and holds one of these roles inside an area (anywhere without one), by area."""
    query = (
        select(Person)
        .join(PersonRole, PersonRole.person_id == Person.id)
        .join(Contact, Contact.person_id == Person.id)
        .where(
            PersonRole.role.in_(roles), PersonRole.since <= now, PersonRole.until.is_(None), Person.left_at.is_(None),
            Contact.openid_index.is_not(None), Contact.unreachable_since.is_(None),
        )
    )  # fmt: skip
    if within is not None:
        query = query.join(Area, Area.id == PersonRole.area_id).where(Area.path.startswith(within.path))
    return list(session.scalars(query.distinct().order_by(Person.area_id, Person.id)))


def bound_by(session: Session, openid_index: bytes) -> Person | None:
    """The person a WeChat identity is bound to."""
    query = select(Person).join(Contact, Contact.person_id == Person.id).where(Contact.openid_index == openid_index)
    return session.scalars(query).first()
