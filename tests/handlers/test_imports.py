"""Lists as offices keep them: what is read in a row, what becomes of it, and that a second time changes nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import pytest
from sqlalchemy import func, select
from stdnum.cn import ric

from handlers import import_rows, imports
from handlers.import_cells import Cell, Faulty, day, phone, words
from handlers.import_rows import Kind
from handlers.imports import Outcome
from handlers.turn import Turn
from storage import children, people, rolls
from storage.areas import Area, AreaLevel, UnitKind
from storage.children import Child, Pairing
from storage.people import Duty, Person, PersonRole, Role
from storage.tasks import LIVE, Task
from tests.support.databases import Databases
from tests.support.visiting import make_tables
from tests.world import World

T = TypeVar("T")
Rows = Sequence[Sequence[Cell]]
PEOPLE: tuple[Cell, ...] = ("姓名", "手机", "身份/职务", "单位", "乡镇", "村", "组", "替班人", "值班")
CHILDREN: tuple[Cell, ...] = (
    "姓名", "性别", "身份证号", "出生日期", "乡镇", "村", "组", "学校", "班级", "类别", "监护人", "监护人电话", "地址",
    "等级", "儿童主任", "老师", "志愿者", "童伴妈妈", "爱心妈妈", "五老",
)  # fmt: skip


def id_number(born: str, serial: int = 2) -> str:
    digits = f"530000{born}{serial:03d}"
    return digits + ric.calc_check_digit(f"{digits}0")


@dataclass
class Office:
    world: World

    def turn(self, act: Callable[[Turn], T]) -> T:
        answer: T = self.world.turn(act)
        return answer

    def take(self, kind: Kind, rows: Rows, *, dry: bool = False, create: bool = False, sheet: str = "") -> Outcome:
        listed = import_rows.listed(kind, [(sheet, rows)])
        assert listed is not None
        return imports.all_of(self.world.turn, kind, listed, create=create, dry=dry)

    def count(self, row: type[Person | Child | Area | Task | PersonRole | Pairing | Duty]) -> int:
        return self.turn(lambda turn: turn.session.scalar(select(func.count(row.id)))) or 0

    def child(self, number: str) -> Child:
        found = self.turn(lambda turn: turn.session.scalar(select(Child).where(Child.number == number)))
        assert found is not None
        return found


@pytest.fixture
def office(databases: Databases) -> Iterator[Office]:
    world = World.on(databases.copy(make_tables))
    county = world.area("青禾县", AreaLevel.COUNTY)
    for name, villages in (("柳湾镇", ("石坪村", "桃岭村")), ("荷塘镇", ("石坪村", "竹洼村"))):
        township = world.area(name, AreaLevel.TOWNSHIP, county)
        made = [world.area(village, AreaLevel.VILLAGE, township) for village in villages]
        world.unit(f"{name[:-1]}小学", UnitKind.SCHOOL, made[0])
    yield Office(world)
    world.close()


STAFF: Rows = (
    PEOPLE,
    ("赵国华", 13900000001.0, "儿童主任", "", "柳湾镇", "石坪村", "", "钱秀芳", ""),
    ("钱秀芳", "139 0000 0002", "儿童主任", None, "柳湾", "桃岭", "", "", ""),
    ("孙老师", "13900000003/0876-1234567", "班主任", "柳湾小学", "柳湾镇", "", "", "", ""),
    ("李督导", "13900000004", "乡镇儿童督导员", "", "柳湾镇", "", "", "", "是"),
)
PUPIL = id_number("20160401")
YOUNG: Rows = (
    CHILDREN,
    ("王小朵", "女", PUPIL, "2016.4.1", "柳湾镇", "石坪村", "3", "柳湾小学", "四年级1班", "留守儿童、困境儿童",
     "王奶奶", 13900000011.0, "石坪村3组12号", "黄", "", "孙老师"),
    ("李天宇", "男", "", 43831.0, "柳湾镇", "桃岭村", "", "", "", "孤儿", "", "", "", "", "", ""),
)  # fmt: skip


# Cells.


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2015.9.1", date(2015, 9, 1)),
        ("2015年9月1日", date(2015, 9, 1)),
        ("2015-09-01", date(2015, 9, 1)),
        ("2015/9/1", date(2015, 9, 1)),
        ("20150901", date(2015, 9, 1)),
        ("2015-09-01 00:00:00", date(2015, 9, 1)),
        (words(42248.0), date(2015, 9, 1)),
        (words(date(2015, 9, 1)), date(2015, 9, 1)),
    ],
)
def test_dates_are_read_in_every_shape(said: str, meant: date) -> None:
    assert day(said) == meant


@pytest.mark.parametrize("said", ["2015.13.1", "去年", "2015", "2015.2.30"])
def test_a_date_that_is_none_is_faulty(said: str) -> None:
    with pytest.raises(Faulty):
        day(said)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [(13900000001.0, "13900000001"),
     ("电话：13900000001（妈妈）", "13900000001"),
     ("13900000001/13900000002", "13900000001"), ("139 0000 0001", "13900000001"),
     ("139-0000-0001", "13900000001"), ("0876-1234567", "08761234567"), ("1390000", None)],
)  # fmt: skip
def test_phones_come_as_numbers_and_in_company(cell: Cell, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(Faulty):
            phone(words(cell))
    else:
        assert phone(words(cell)) == meant


def test_the_header_is_found_below_titles_and_under_other_names() -> None:
    rows: Rows = (
        ("青禾县儿童主任花名册", None, None),
        (None, None, None),
        ("填表单位：柳湾镇", None, "2026年"),
        ("序号", "姓 名", "联系电话（手机）", "岗位"),
        (1.0, "赵国华", 13900000001.0, "儿童主任"),
    )
    listed = import_rows.listed("people", [("", rows)])
    assert listed is not None
    assert [line.said for line in listed.lines] == [{"name": "赵国华", "phone": "13900000001", "role": "儿童主任"}]
    assert listed.lines[0].number == 5


def test_a_sheet_without_a_header_in_the_first_ten_rows_is_none() -> None:
    assert import_rows.listed("people", [("", [*[("随便", "写写")] * 10, PEOPLE])]) is None


def test_merged_places_and_the_same_as_above_are_filled_down() -> None:
    rows: Rows = (
        PEOPLE,
        ("甲", "13900000001", "儿童主任", "一校", "柳湾镇", "石坪村"),
        ("乙", "13900000002", "〃", "同上", None, None),
        ("丙", "13900000003", "儿童主任", None, "荷塘镇", None),
    )
    listed = import_rows.listed("people", [("", rows)])
    assert listed is not None
    second, third = listed.lines[1].said, listed.lines[2].said
    assert (second["role"], second["unit"]) == ("儿童主任", "一校")
    assert (second["township"], second["village"]) == ("柳湾镇", "石坪村")
    assert (third["unit"], third["village"]) == ("", "")


# People.


def test_people_come_with_roles_units_stand_ins_and_duty(office: Office) -> None:
    outcome = office.take("people", STAFF)
    assert (outcome.new, outcome.changed, outcome.same, outcome.faulty) == (4, 0, 0, [])

    def known(turn: Turn) -> tuple[str | None, str | None, str, list[str]]:
        officer = people.by_phone(turn.session, "13900000001")
        teacher = people.by_phone(turn.session, "13900000003")
        supervisor = people.by_phone(turn.session, "13900000004")
        assert officer
        assert teacher
        assert supervisor
        stand_in = turn.session.get(Person, officer.stand_in_id)
        duty = turn.session.scalars(select(Duty)).one()
        area = turn.session.get_one(Area, duty.area_id)
        assert duty.person_id == supervisor.id
        roles = [one.role for one in people.roles_of(turn.session, supervisor.id, turn.now)]
        return stand_in.name if stand_in else None, teacher.phone, area.name, roles

    assert office.turn(known) == ("钱秀芳", "13900000003", "柳湾镇", [Role.TOWNSHIP_CHILD_SUPERVISOR])


def test_the_same_people_twice_change_nothing(office: Office) -> None:
    office.take("people", STAFF)
    before = [office.count(row) for row in (Person, PersonRole, Duty, Area)]
    outcome = office.take("people", STAFF)
    assert (outcome.new, outcome.changed, outcome.same) == (0, 0, 4)
    assert [office.count(row) for row in (Person, PersonRole, Duty, Area)] == before


def test_a_changed_person_is_found_by_the_telephone_number(office: Office) -> None:
    office.take("people", STAFF)
    outcome = office.take("people", (PEOPLE, ("赵国桦", "13900000001", "儿童主任", "", "柳湾镇", "石坪村")))
    assert (outcome.new, outcome.changed) == (0, 1)
    assert outcome.gone == 3
    assert office.count(Person) == 4


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("", "13900000001", "儿童主任", "", "柳湾镇", "石坪村"), "没有姓名"),
        (("甲", "", "儿童主任", "", "柳湾镇", "石坪村"), "没有手机号"),
        (("甲", "12345", "儿童主任", "", "柳湾镇", "石坪村"), "手机号不对：12345"),
        (("甲", "13900000001", "神仙", "", "柳湾镇", "石坪村"), "不认识的身份或职务：神仙"),
        (("甲", "13900000001", "儿童主任", "", "柳湾镇", "云上村"), "柳湾镇没有叫“云上村”的村"),
        (("甲", "13900000001", "儿童主任", "", "天上镇", "石坪村"), "没有叫“天上镇”的乡镇"),
        (("甲", "13900000001", "儿童主任", "", "", "石坪村"), "叫“石坪村”的村不止一个，请写上乡镇"),
        (("甲", "13900000001", "老师", "云上小学", "柳湾镇", ""), "没有叫“云上小学”的单位"),
        (("甲", "13900000001", "督导员", "", "", ""), "没有写哪个乡镇"),
        (("甲", "13900000001", "儿童主任", "", "柳湾镇", "石坪村", "", "乙"), "替班人“乙”不在名单上"),
    ],
)
def test_a_faulty_person_has_one_reason(office: Office, row: tuple[Cell, ...], reason: str) -> None:
    assert [why for _, why in office.take("people", (PEOPLE, row)).faulty] == [reason]


def test_one_faulty_row_does_not_stop_the_others(office: Office) -> None:
    outcome = office.take("people", (*STAFF, ("甲", "1", "儿童主任", "", "柳湾镇", "石坪村")))
    assert (outcome.new, len(outcome.faulty)) == (4, 1)


def test_the_second_row_with_a_telephone_number_is_faulty(office: Office) -> None:
    outcome = office.take("people", (*STAFF, ("别人", "13900000001", "儿童主任", "", "柳湾镇", "石坪村")))
    assert [why for _, why in outcome.faulty] == ["和第2行是同一个人"]


def test_places_and_units_are_made_only_when_that_is_allowed(office: Office) -> None:
    row = ("甲", "13900000001", "儿童主任", "云上小学", "天上镇", "云上村")
    assert len(office.take("people", (PEOPLE, row)).faulty) == 1
    assert office.take("people", (PEOPLE, row), create=True).new == 1
    assert office.take("people", (PEOPLE, row)).same == 1


def test_a_sheet_may_be_named_after_its_township(office: Office) -> None:
    header: tuple[Cell, ...] = ("姓名", "手机", "身份", "村")
    outcome = office.take("people", (header, ("甲", "13900000001", "儿童主任", "石坪村")), sheet="荷塘镇")
    assert outcome.new == 1


# Children.


def test_children_come_with_places_schools_categories_pairs_and_visits(office: Office) -> None:
    office.take("people", STAFF)
    outcome = office.take("children", YOUNG)
    assert (outcome.new, outcome.faulty) == (2, [])
    child = office.child("C00001")
    assert (child.name, child.sex, child.born, child.level) == ("王小朵", "female", date(2016, 4, 1), "yellow")
    assert (child.id_number, child.guardian, child.guardian_phone) == (PUPIL, "王奶奶", "13900000011")

    def known(turn: Turn) -> tuple[str, set[str], set[str], int]:
        group = turn.session.get_one(Area, child.area_id)
        held = {one.category for one in rolls.categories_of(turn.session, child.id)}
        pair = {turn.session.get_one(Person, one.person_id).name for one in children.pair_of(turn.session, child.id)}
        live = select(func.count(Task.id)).where(Task.kind == "visit", Task.state.in_(LIVE))
        mine = turn.session.scalar(live.where(Task.subject_id == child.id))
        return group.name, held, pair, mine or 0

    assert office.turn(known) == ("3", {"left_behind", "in_difficulty"}, {"赵国华", "孙老师"}, 2)
    assert office.child("C00002").born == date(2020, 1, 1)


JOINERS: Rows = (
    PEOPLE,
    ("周小燕", "13900000021", "志愿者", "", "柳湾镇", "石坪村"),
    ("马兰·古丽", "13900000022", "志愿者", "", "柳湾镇", ""),
    ("郑大妈", "13900000023", "童伴妈妈", "", "柳湾镇", "石坪村"),
    ("吴阿姨", "13900000024", "爱心妈妈", "", "柳湾镇", "石坪村"),
    ("冯老", "13900000025", "五老", "", "柳湾镇", "石坪村"),
)


def joined_by(*cells: str) -> tuple[Cell, ...]:
    """The first child's row with the cells of those who join its pair."""
    return (*YOUNG[1], *cells)


def pair(office: Office, number: str = "C00001") -> set[tuple[str, str]]:
    child = office.child(number).id

    def known(turn: Turn) -> set[tuple[str, str]]:
        held = children.pair_of(turn.session, child)
        return {(one.side, turn.session.get_one(Person, one.person_id).name) for one in held}

    return office.turn(known)


def test_volunteers_mothers_and_elders_join_a_pair_by_columns_of_their_own(office: Office) -> None:
    office.take("people", STAFF)
    office.take("people", JOINERS)
    row = joined_by("周小燕、马兰·古丽", "13900000023", "吴阿姨", "冯老")
    outcome = office.take("children", (CHILDREN, row))
    assert (outcome.new, outcome.faulty) == (1, [])
    assert pair(office) == {
        ("cadre", "赵国华"), ("teacher", "孙老师"), ("volunteer", "周小燕"), ("volunteer", "马兰·古丽"),
        ("companion_mother", "郑大妈"), ("caring_mother", "吴阿姨"), ("elder_volunteer", "冯老"),
    }  # fmt: skip
    assert office.count(Task) == 2  # those who join owe no visits
    before = office.count(Pairing)
    again = office.take("children", (CHILDREN, row))
    assert (again.changed, again.same, office.count(Pairing)) == (0, 1, before)


def test_who_joins_later_is_added_and_an_empty_cell_takes_nobody_away(office: Office) -> None:
    office.take("people", STAFF)
    office.take("people", JOINERS)
    office.take("children", YOUNG[:2])
    dry = office.take("children", (CHILDREN, joined_by("", "郑大妈")), dry=True)
    assert (dry.changed, pair(office)) == (1, {("cadre", "赵国华"), ("teacher", "孙老师")})
    assert office.take("children", (CHILDREN, joined_by("", "郑大妈"))).changed == 1
    assert office.take("children", YOUNG[:2]).same == 1
    assert ("companion_mother", "郑大妈") in pair(office)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("周小燕、无此人",), "名单上没有叫“无此人”的人，请先导入人员"),
        (("", "13900000099"), "名单上没有叫“13900000099”的人，请先导入人员"),
        (("", "", "139"), "手机号不对：139"),
        (("", "", "", "同名人"), "叫“同名人”的人不止一个，请改写手机号"),
    ],
)
def test_somebody_who_joins_and_is_not_known_is_one_reason(office: Office, cells: tuple[str, ...], reason: str) -> None:
    office.take("people", STAFF)
    office.take("people", JOINERS)
    same = [("同名人", f"1390000003{number}", "五老", "", "柳湾镇", "石坪村") for number in range(2)]
    office.take("people", (PEOPLE, *same))
    outcome = office.take("children", (CHILDREN, joined_by(*cells)))
    assert [why for _, why in outcome.faulty] == [reason]
    assert office.count(Child) == 0


def test_the_same_children_twice_change_nothing(office: Office) -> None:
    office.take("people", STAFF)
    office.take("children", YOUNG)
    before = [office.count(row) for row in (Child, Pairing, Task, Area)]
    outcome = office.take("children", YOUNG)
    assert (outcome.new, outcome.changed, outcome.same, outcome.gone) == (0, 0, 2, 0)
    assert [office.count(row) for row in (Child, Pairing, Task, Area)] == before


def test_an_empty_cell_takes_nothing_away(office: Office) -> None:
    office.take("people", STAFF)
    office.take("children", YOUNG)
    outcome = office.take("children", (CHILDREN, ("王小朵", "", PUPIL, "", "柳湾镇", "石坪村", "3")))
    assert (outcome.changed, outcome.same, outcome.gone) == (0, 1, 1)
    assert office.child("C00001").guardian == "王奶奶"
    assert office.count(Child) == 2


def test_a_child_without_a_number_is_found_by_name_birthday_and_village(office: Office) -> None:
    office.take("children", (CHILDREN, YOUNG[2]))
    changed = ("李天宇", "男", "", "2020.1.1", "柳湾镇", "桃岭村", "", "", "", "", "李爷爷")
    assert office.take("children", (CHILDREN, changed)).changed == 1
    assert office.child("C00001").guardian == "李爷爷"
    elsewhere = ("李天宇", "男", "", "2020.1.1", "柳湾镇", "石坪村")
    assert office.take("children", (CHILDREN, elsewhere)).new == 1


def test_a_list_never_lowers_red(office: Office) -> None:
    red = ("王小朵", "女", PUPIL, "", "柳湾镇", "石坪村", "", "", "", "", "", "", "", "红")
    office.take("children", (CHILDREN, red))
    outcome = office.take("children", (CHILDREN, (*red[:-1], "绿")))
    assert [why for _, why in outcome.faulty] == ["红色不能由名单调低，请由两位督导员在“定级”里办"]
    assert office.child("C00001").level == "red"


WRONG_NUMBER = PUPIL[:-1] + ("0" if PUPIL[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("甲", "女", WRONG_NUMBER, "", "柳湾镇", "石坪村"), "身份证号不对，请对照证件核对"),
        (
            ("甲", "女", float(PUPIL[:-1] + "0"), "", "柳湾镇", "石坪村"),
            "身份证号被表格软件改成了数字，后几位已经丢了，请把这一格设成文本后重新输入",
        ),
        (("甲", "男", PUPIL, "", "柳湾镇", "石坪村"), "性别和身份证号里的不一样"),
        (("甲", "女", PUPIL, "2016.4.2", "柳湾镇", "石坪村"), "出生日期和身份证号里的不一样"),
        (("甲", "女", "", "", "柳湾镇", "石坪村"), "身份证号和出生日期至少要有一个"),
        (("甲", "女", "", "2001.1.1", "柳湾镇", "石坪村"), "已满十八岁，不再建档"),
        (("甲", "女", "", "2030.1.1", "柳湾镇", "石坪村"), "出生日期在今天以后：2030-01-01"),
        (("甲", "女", PUPIL, "", "柳湾镇", ""), "没有写哪个村"),
        (("甲", "女", PUPIL, "", "柳湾镇", "石坪村", "", "", "", "神童"), "不认识的类别：神童"),
        (("甲", "女", PUPIL, "", "柳湾镇", "石坪村", "", "", "", "", "", "", "", "紫"), "不认识的等级：紫"),
        (
            ("甲", "女", PUPIL, "", "柳湾镇", "石坪村", *[""] * 7, "", "无此人"),
            "名单上没有叫“无此人”的人，请先导入人员",
        ),
    ],
)  # fmt: skip
def test_a_faulty_child_has_one_reason(office: Office, row: tuple[Cell, ...], reason: str) -> None:
    assert [why for _, why in office.take("children", (CHILDREN, row)).faulty] == [reason]
    assert office.count(Child) == 0


def test_a_dry_run_says_what_would_happen_and_writes_nothing(office: Office) -> None:
    office.take("people", STAFF)
    office.take("children", YOUNG[:2])
    before = [office.count(row) for row in (Person, PersonRole, Child, Pairing, Task, Area)]
    moved = [*YOUNG[1]]
    moved[10] = "王爷爷"
    wrong, elsewhere = ("甲", "女", "1", "", "柳湾镇", "石坪村"), ("乙", "女", "", "2019.1.1", "天上镇", "云上村")
    rows = (CHILDREN, moved, YOUNG[2], wrong, elsewhere)
    outcome = office.take("children", rows, dry=True, create=True)
    assert (outcome.new, outcome.changed, len(outcome.faulty), outcome.gone) == (2, 1, 1, 0)
    staff = office.take("people", (*STAFF, ("丁", "13900000009", "老师", "", "荷塘镇", "")), dry=True)
    assert (staff.new, staff.changed, staff.same, staff.faulty) == (1, 0, 4, [])
    assert [office.count(row) for row in (Person, PersonRole, Child, Pairing, Task, Area)] == before
