"""Who must act for an area: duty person, stand-in, township, county; only those who can be reached count."""

from handlers.turn import Turn
from storage import absences, areas, people
from storage.areas import Area, AreaLevel
from storage.people import Person, Role

RUNGS = 4
"""Duty person, stand-in, township supervisors, county supervisors."""


def on_duty(turn: Turn, area_id: int) -> list[int]:
    """The duty person of the area, or of the nearest above that has one: [person, stand-in], unreachable included."""
    for area in areas.chain(turn.session, area_id):
        duty = people.duty_of(turn.session, area.id, turn.now)
        if duty:
            return [duty.person_id, *([duty.stand_in_id] if duty.stand_in_id else [])]
    return []


def rung(turn: Turn, area_id: int, number: int) -> list[int]:
    """Whom rung `number` (0 to 3) of an area's ladder reaches; empty when nobody can be reached there."""
    if number <= 1:
        duty = on_duty(turn, area_id)
        found = duty[number : number + 1]
    elif number == 2:  # noqa: PLR2004  the third rung, see RUNGS
        found = supervisors(turn, area_id, Role.TOWNSHIP_CHILD_SUPERVISOR)
    else:
        found = supervisors(turn, area_id, Role.COUNTY_SUPERVISOR)
    acting = dict.fromkeys(acting_for(turn, one) for one in found)
    return [one for one in acting if turn.reach(one, "alarm") is not None]


def acting_for(turn: Turn, person_id: int) -> int:
    """The person, or who acts while they are on leave; where that one is on leave too, who acts for them."""
    asked: set[int] = set()
    while person_id not in asked and turn.session.get_one(Person, person_id).away_until is not None:
        asked.add(person_id)
        person_id = absences.acting_for(turn.session, person_id) or person_id
    return person_id


def is_a_post(turn: Turn, area_id: int, number: int) -> bool:
    """Whether somebody ought to be there: a roster without a stand-in is no gap, and the county has no township."""
    if number == 1:
        return len(on_duty(turn, area_id)) > 1
    return number != 2 or areas.township_of(turn.session, area_id) is not None  # noqa: PLR2004  see RUNGS


def supervisors(turn: Turn, area_id: int, role: Role) -> list[int]:
    """Who holds a supervising role for the area or anything above it."""
    above = [area.id for area in areas.chain(turn.session, area_id)]
    return people.holders(turn.session, role, above, turn.now)


def officer_of(turn: Turn, area_id: int) -> int | None:
    """The village child officer of the area's village; None when the post is vacant."""
    village = next((one for one in areas.chain(turn.session, area_id) if one.level == AreaLevel.VILLAGE), None)
    if village is None:
        return None
    held = people.holders(turn.session, Role.VILLAGE_CHILD_OFFICER, [village.id], turn.now)
    return held[0] if held else None


def covers(turn: Turn, area_id: int) -> bool:
    """Whether the speaking person's own areas contain this one."""
    above = {area.id for area in areas.chain(turn.session, area_id)}
    return bool(above & {held for held in turn.roles.values() if held is not None})


def own_area(turn: Turn) -> Area | None:
    """The highest area the speaking person supervises."""
    held = [turn.session.get(Area, one) for one in turn.roles.values() if one is not None]
    return min((area for area in held if area), key=lambda area: len(area.path), default=None)
