"""The demo county's people: officers, supervisors, liaisons, teachers, the duty rosters, and who is bound."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from sqlalchemy.orm import Session

from handlers import visit_ladder
from handlers.demo.chance import Chance
from handlers.demo.places import SCHOOLS, TOWNSHIPS, VILLAGES_EACH, Places, Township
from storage import contacts, people
from storage.areas import Area
from storage.contacts import Contact
from storage.people import Duty, Person, PersonRole, Role

TEACHERS_EACH = 4
COUNTY_SUPERVISORS = 3
_CLERKS_EACH = 2
FOLLOWER: Final = "o-sim-{:05d}"
"""Openids of everybody who has no phone on the page: the stand-in's own invented followers."""
PHONES: Final = {
    "teacher": "o-demo-teacher", "villager": "o-demo-villager", "officer": "o-demo-officer", "duty": "o-demo-duty",
    "county": "o-demo-county",
}  # fmt: skip
"""Name key in messages/demo/names.toml [phones] → openid, in the order shown."""
BOUND_FOLLOWERS: Final = (
    COUNTY_SUPERVISORS + 3  # with the duty person, the doctor and the auditor
    + TOWNSHIPS * (VILLAGES_EACH + 1 + _CLERKS_EACH + 1)  # officers, supervisor, clerks, police liaison
    + SCHOOLS * TEACHERS_EACH
    - (len(PHONES) - 1)
)  # fmt: skip
"""How many people are bound who have no phone on the page; the villager has no row at all."""


@dataclass
class Staff:
    """Who works where."""

    county: list[Person] = field(default_factory=list)
    officers: dict[int, Person] = field(default_factory=dict)
    """Village id → its child officer."""
    supervisors: dict[int, Person] = field(default_factory=dict)
    """Township id → its child supervisor."""
    clerks: dict[int, list[Person]] = field(default_factory=dict)
    """Township id → those on its duty roster."""
    teachers: dict[int, list[Person]] = field(default_factory=dict)
    """School's unit id → its teachers."""
    duty: Person = field(default_factory=Person)
    others: list[Person] = field(default_factory=list)
    roles: list[tuple[Person, Role, int]] = field(default_factory=list)

    @cached_property
    def stand_ins(self) -> dict[int, int]:
        """Person id → who stands in."""
        return {person.id: person.stand_in_id for person, _, _ in self.roles if person.stand_in_id}

    def told(self, step: int, village: Area, holder: int | None, now_holder: int | None) -> list[int]:
        """Whom a step of the ladder of a visit tells."""
        if step == visit_ladder.TOWNSHIP:
            return [self.supervisors[village.parent_id or 0].id]
        if step == visit_ladder.COUNTY:
            return [person.id for person in self.county]
        told = now_holder if step == visit_ladder.STAND_IN else holder
        return [told] if told is not None else []


class _Making:
    def __init__(self, chance: Chance, now: datetime) -> None:
        self.chance, self.now = chance, now
        self.staff = Staff()

    def person(self, role: Role, area_id: int, unit_id: int | None = None) -> Person:
        phone = self.chance.phone()
        made = Person(
            name=self.chance.adult(), phone=phone, phone_index=people.phone_index(phone), area_id=area_id,
            unit_id=unit_id, joined_at=self.now - timedelta(days=self.chance.number(200, 900)),
        )  # fmt: skip
        self.staff.roles.append((made, role, area_id))
        return made

    def of_township(self, one: Township) -> None:
        staff, area = self.staff, one.area.id
        for village in one.villages:
            staff.officers[village.id] = self.person(Role.VILLAGE_CHILD_OFFICER, village.id)
        staff.supervisors[area] = self.person(Role.TOWNSHIP_CHILD_SUPERVISOR, area, one.station.id)
        staff.clerks[area] = [self.person(Role.AGENCY_LIAISON, area, one.station.id) for _ in range(_CLERKS_EACH)]
        staff.others.append(self.person(Role.AGENCY_LIAISON, area, one.police.id))
        for school in (one.middle, *one.primaries):
            staff.teachers[school.id] = [
                self.person(Role.MANDATED_REPORTER, area, school.id) for _ in range(TEACHERS_EACH)
            ]


def make(session: Session, chance: Chance, places: Places, now: datetime) -> Staff:
    """People with roles, stand-ins, rosters, and a WeChat identity for each."""
    making = _Making(chance, now)
    staff, county = making.staff, places.county.id
    staff.county = [making.person(Role.COUNTY_SUPERVISOR, county, places.centre.id) for _ in range(COUNTY_SUPERVISORS)]
    staff.duty = making.person(Role.AGENCY_LIAISON, county, places.centre.id)
    staff.others = [
        making.person(Role.MANDATED_REPORTER, county, places.hospital.id),
        making.person(Role.AUDITOR, county),
    ]
    for one in places.townships:
        making.of_township(one)
    everybody = [person for person, _, _ in staff.roles]
    session.add_all(everybody)
    session.flush()  # gives the ids
    _stand_ins(staff, places)
    session.add_all(
        PersonRole(person_id=person.id, role=role, area_id=area, since=person.joined_at)
        for person, role, area in staff.roles
    )
    _rosters(session, staff, places, now)
    _bind(session, staff, places, now)
    session.flush()  # the children's pairs point to these rows
    return staff


def _stand_ins(staff: Staff, places: Places) -> None:
    """Everybody's work has somebody who takes it: a colleague of the same rank and place."""
    circles = [staff.county, *staff.teachers.values()]
    for one in places.townships:
        circles.append([staff.officers[village.id] for village in one.villages])
        circles.append([staff.supervisors[one.area.id], *staff.clerks[one.area.id]])
    for circle in circles:
        for person, following in zip(circle, [*circle[1:], circle[0]], strict=True):
            person.stand_in_id = following.id
    staff.duty.stand_in_id = staff.county[1].id


def _rosters(session: Session, staff: Staff, places: Places, now: datetime) -> None:
    """The page's duty person answers for the county and the first township, so that its phone rings in the story."""
    since = now - timedelta(days=60)
    session.add(Duty(area_id=places.county.id, person_id=staff.duty.id, stand_in_id=staff.county[1].id, since=since))
    for number, one in enumerate(places.townships):
        first, second = staff.clerks[one.area.id]
        on_duty = staff.duty if number == 0 else first
        session.add(Duty(area_id=one.area.id, person_id=on_duty.id, stand_in_id=second.id, since=since))


def _bind(session: Session, staff: Staff, places: Places, now: datetime) -> None:
    first = places.townships[0]
    shown = {
        id(staff.teachers[first.middle.id][0]): PHONES["teacher"],
        id(staff.officers[first.villages[0].id]): PHONES["officer"],
        id(staff.duty): PHONES["duty"],
        id(staff.county[0]): PHONES["county"],
    }
    number = 0
    for person, _, _ in staff.roles:
        openid = shown.get(id(person))
        if openid is None:
            number += 1
            openid = FOLLOWER.format(number)
        session.add(
            Contact(
                openid=openid, openid_index=contacts.openid_index(openid), person_id=person.id,
                followed_at=now - timedelta(days=60), bind_tries=0, receipt_tries=0,
            )
        )  # fmt: skip
