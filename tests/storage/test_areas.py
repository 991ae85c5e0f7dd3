from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage import areas
from storage.areas import Area, AreaLevel


def test_the_chain_goes_from_the_village_up_to_the_county(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        county = areas.add_area(session, AreaLevel.COUNTY, "青禾县")
        township = areas.add_area(session, AreaLevel.TOWNSHIP, "白沙镇", county)
        village = areas.add_area(session, AreaLevel.VILLAGE, "柳树村", township)
        areas.add_area(session, AreaLevel.VILLAGE, "河口村", township)
        assert [one.name for one in areas.chain(session, village.id)] == ["柳树村", "白沙镇", "青禾县"]
        assert areas.township_of(session, village.id) == township
        assert areas.township_of(session, county.id) is None
        assert areas.county(session) == county
        assert areas.chain(session, None) == []


def test_areas_1_and_11_are_not_taken_for_each_other(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        county = areas.add_area(session, AreaLevel.COUNTY, "青禾县")
        townships = [areas.add_area(session, AreaLevel.TOWNSHIP, f"{n}号镇", county) for n in range(12)]
        inside = [areas.add_area(session, AreaLevel.VILLAGE, "中心村", township) for township in townships]
        first, eleventh = (next(one for one in townships if one.id == number) for number in (2, 12))
        more = [areas.add_area(session, AreaLevel.GROUP, "一组", village) for village in inside]
        near = next(one for one in inside if one.parent_id == first.id)
        far = next(one for one in inside if one.parent_id == eleventh.id)
        assert str(first.id) in str(eleventh.id)
        assert areas.named(session, "中心村", within=first) == [near]
        assert areas.named(session, "中心村", within=eleventh) == [far]
        assert len(areas.named(session, "中心村")) == 12
        group = next(one for one in more if one.parent_id == far.id)
        assert [one.id for one in areas.chain(session, group.id)] == [group.id, far.id, eleventh.id, county.id]
        assert session.get_one(Area, group.id).path == f"/{county.id}/{eleventh.id}/{far.id}/{group.id}/"
