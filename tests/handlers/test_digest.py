"""The digest as a supervisor reads it: at half past seven, on demand, late, the list behind each number, the page."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from handlers import digest, digest_words, figures
from handlers.policy import Policy
from handlers.turn import Refused, Turn
from handlers.workdays import CHINA
from storage import contacts, tables, tasks
from storage.areas import Area, AreaLevel
from storage.children import Child, Pairing, note_pair
from storage.contacts import Contact
from storage.database import connect
from storage.outbox import Outbox, OutboxKind
from storage.people import Person, PersonRole, Role
from storage.reports import Report
from storage.tasks import Task
from tests.support.databases import Databases
from tests.world import World, outbox_rows, ring

SECRET = ("小豆豆", "举报人赵某")
"""The child's name and the reporter's: never in a digest."""


def prepare(url: str) -> None:
    ring()
    engine = connect(url)
    tables.METADATA.create_all(engine)
    engine.dispose()


class County:
    """Two townships, a supervisor each and one for the county, all on WeChat, a village and its officer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.top = world.area("柳河县", AreaLevel.COUNTY)
        self.stone, self.willow = (world.area(n, AreaLevel.TOWNSHIP, self.top) for n in ("石桥镇", "柳林镇"))
        self.village = world.area("上河村", AreaLevel.VILLAGE, self.stone)
        self.chief = world.person("周县", Role.COUNTY_SUPERVISOR, self.top)
        self.liu = world.person("刘镇", Role.TOWNSHIP_CHILD_SUPERVISOR, self.stone)
        self.ma = world.person("马镇", Role.TOWNSHIP_CHILD_SUPERVISOR, self.willow)
        self.officer = world.person("陈村", Role.VILLAGE_CHILD_OFFICER, self.village)
        world.turn(digest.ensure_digests)

    def reads(self, person: Person) -> list[str]:
        """What appeared on somebody's phone."""
        return self.world.phone(person.name).reads

    def says(self, person: Person, words: str) -> str:
        return self.world.phone(person.name).says(words)

    def morning(self, day: int, hour: int = 7, minute: int = 30) -> None:
        """Let time pass until that moment of November, in China."""
        until = datetime(2026, 11, day, hour, minute, tzinfo=CHINA)
        self.world.pass_(seconds=(until - self.world.now).total_seconds())

    def switched_off_until(self, day: int, hour: int) -> None:
        """The clock goes on, nothing runs; then everything does."""
        self.world.now = datetime(2026, 11, day, hour, tzinfo=CHINA).astimezone(UTC)
        self.world.settle()

    def report(self, area: Area, ago: timedelta, situation: int | None = 4, urgency: str = "urgent") -> int:
        def add(turn: Turn) -> int:
            opened = turn.now - ago
            row = Report(
                area_id=area.id,
                opened_at=opened,
                heard_at=opened,
                stage="filed",
                kind="report",
                urgency=urgency,
                suggested="",
                situation=situation,
                answers={"who": SECRET[1]},
            )
            turn.session.add(row)
            turn.session.flush()
            return row.id

        number: int = self.world.turn(add)
        return number

    def alarm(self, area: Area, report: int, ago: timedelta) -> None:
        """An alarm nobody took; its ladder is played elsewhere."""

        def add(turn: Turn) -> None:
            opened = turn.now - ago
            turn.session.add(
                Task(
                    key=f"alarm:report:{report}",
                    kind="alarm",
                    subject="report",
                    subject_id=report,
                    area_id=area.id,
                    role="duty",
                    state="open",
                    opened_at=opened,
                    due_at=opened + timedelta(minutes=30),
                )
            )

        self.world.turn(add)

    def child(self, number: str, area: Area, level: str = "green", *, paired: bool = True) -> Child:
        def add(turn: Turn) -> Child:
            long_ago = turn.now - timedelta(days=400)
            child = Child(
                number=number,
                name=SECRET[0],
                name_index=b"",
                sex="unknown",
                area_id=area.id,
                level=level,
                level_since=long_ago,
                on_file_since=long_ago,
                last_contact_on=turn.now.date(),
            )
            turn.session.add(child)
            turn.session.flush()
            if paired:
                turn.session.add(Pairing(child_id=child.id, person_id=self.officer.id, side="cadre", since=long_ago))
                note_pair(turn.session, child, long_ago)
            return child

        made: Child = self.world.turn(add)
        return made

    def visit_task(self, child: Child, due: datetime) -> None:
        def add(turn: Turn) -> None:
            turn.session.add(
                Task(
                    key=f"visit:child:{child.id}:cadre.0",
                    kind="visit",
                    subject="child",
                    subject_id=child.id,
                    area_id=child.area_id,
                    person_id=self.officer.id,
                    state="open",
                    opened_at=turn.now,
                    due_at=due,
                )
            )

        self.world.turn(add)

    def digests(self) -> list[Outbox]:
        return [row for row in outbox_rows(self.world) if row.kind == OutboxKind.DIGEST]

    def busy(self, hours: int = 2) -> int:
        """Something to read about in the stone bridge township; the report's number."""
        number = self.report(self.village, timedelta(hours=hours), urgency="immediate_danger")
        self.alarm(self.village, number, timedelta(hours=hours))
        return number


@pytest.fixture
def county(databases: Databases) -> Iterator[County]:
    world = World.on(databases.copy(prepare))
    yield County(world)
    world.close()


def test_at_half_past_seven_each_supervisor_reads_one_message_about_their_own_area(county: County) -> None:
    county.morning(24, 7, 29)
    county.busy(hours=10)
    assert county.digests() == []
    county.morning(24, 7, 31)
    assert [len(county.reads(one)) for one in (county.chief, county.liu, county.ma, county.officer)] == [1, 1, 0, 0]
    assert county.reads(county.liu)[0] == (
        "石桥镇日报 11月24日 周二 07:30\n"
        "今天要做：\n"
        "· 有 1 个警报没人接：请现在接下，或打电话催人接\n"
        "· 有 1 个报告没有报警回执：请问接手的人\n"
        "\n"
        "1 新报告 1：殴打虐待欺凌1；上河村1\n"
        "2 其中马上有危险 1\n"
        "3 没人接的警报 1：上河村1\n"
        "4 没有报警回执 1\n"
        "5 红色7天未见面 0\n"
        "走访（前7天）：6 应访 0，7 实访 0（电话 0），8 逾期走访 0\n"
        "9 逾期任务 1：1至3天1；上河村1\n"
        "10 失管率 0.0%（0／0）\n"
        "看名单：发“名单 3”，或点开网页。"
    )
    assert county.reads(county.chief)[0].startswith("柳河县日报 11月24日 周二 07:30")
    assert "1 新报告 1：殴打虐待欺凌1；石桥镇1\n" in county.reads(county.chief)[0]


def test_the_card_fits_the_platform_and_opens_the_page_of_the_day(county: County) -> None:
    county.morning(24, 7, 29)
    for _ in range(120):
        county.busy(hours=10)
    county.morning(24, 7, 31)
    for row in county.digests():
        assert row.content is not None
        card = row.content["card"]
        assert (card["purpose"], card["path"]) == ("digest", "/m/digest/2026-11-24")
        assert card["values"]["what"] == "警报没人接99件 逾期120件"
        assert all(0 < len(value) <= 20 for value in card["values"].values())


def test_a_digest_has_at_most_three_things_to_do_and_eight_lines_of_figures(county: County) -> None:
    county.morning(24, 7, 0)
    county.busy()
    county.child("E0001", county.village, "red")
    county.visit_task(county.child("E0002", county.village), county.world.now - timedelta(days=9))
    county.morning(24, 7, 31)
    for person in (county.chief, county.liu):
        todo, lines = county.reads(person)[0].split("\n\n")
        assert len(re.findall("^· ", todo, re.MULTILINE)) == 3
        assert len(lines.splitlines()) == 8 + 1  # and how to go on
        assert not any(secret in county.reads(person)[0] for secret in SECRET)


def test_a_quiet_day_sends_nothing_and_the_next_day_is_planned(county: County) -> None:
    county.morning(26, 7, 31)
    assert county.digests() == []
    county.busy()
    county.morning(27, 7, 31)
    assert len(county.digests()) == 2


def test_a_quiet_day_is_one_line_where_the_county_wants_it(county: County) -> None:
    county.world.policy = Policy(version=1, quiet_digest=True)
    county.morning(24, 7, 31)
    assert county.reads(county.ma) == [
        "柳林镇日报 11月24日 周二：没有新报告，没有没人接的警报，没有逾期。\n看名单：发“名单 3”，或点开网页。"
    ]


def test_after_an_outage_only_the_latest_day_is_sent_late_and_marked(county: County) -> None:
    county.morning(23, 20, 0)
    county.switched_off_until(27, 10)
    county.busy()
    assert county.digests() == []  # nothing had happened before it went down
    county.morning(27, 20, 0)
    county.busy()
    county.switched_off_until(30, 10)
    assert len(county.digests()) == 2
    said = county.reads(county.liu)[0]
    assert said.startswith("石桥镇日报 11月30日 周一 07:30（迟发）\n前 2 天系统停过，日报没有发出。\n")
    county.world.settle()
    assert len(county.digests()) == 2


def test_what_comes_back_in_the_small_hours_waits_for_the_fresh_digest(county: County) -> None:
    county.morning(23, 20, 0)
    county.busy()
    county.switched_off_until(25, 3)
    assert county.digests() == []
    county.morning(25, 7, 31)
    assert [row.created_at.astimezone(CHINA).strftime("%d %H:%M") for row in county.digests()] == ["25 07:30"] * 2
    assert "前 1 天系统停过" in county.reads(county.liu)[0]
    assert "迟发" not in county.reads(county.liu)[0]


def test_opening_digests_twice_and_a_clock_that_goes_back_send_nothing_twice(county: County) -> None:
    assert county.world.turn(digest.ensure_digests) == 0
    county.morning(24, 7, 29)
    county.busy()
    county.morning(24, 7, 31)
    county.world.now -= timedelta(hours=1)
    assert county.world.turn(digest.ensure_digests) == 0
    county.morning(24, 9, 0)
    assert len(county.digests()) == 2


def test_another_hour_set_by_the_county_is_kept_to(county: County) -> None:
    county.busy()
    county.world.policy = Policy(version=2, digest_at=datetime(2026, 1, 1, 9, 0, tzinfo=CHINA).time())
    county.morning(24, 8, 59)
    assert county.digests() == []
    county.morning(24, 9, 1)
    assert county.reads(county.liu)[0].startswith("石桥镇日报 11月24日 周二 09:00\n")


def test_whoever_left_or_cannot_be_reached_has_no_digest_until_they_can(county: County) -> None:
    county.busy()

    def lose(turn: Turn) -> None:
        contact = turn.session.scalars(select(Contact).where(Contact.person_id == county.liu.id)).one()
        contacts.unreachable(turn.connection, contact.id, turn.now)
        turn.session.get_one(Person, county.chief.id).left_at = turn.now

    county.world.turn(lose)
    county.morning(24, 8, 0)
    assert county.digests() == []
    county.says(county.liu, "帮助")  # reachable again
    assert county.world.turn(digest.ensure_digests) == 1
    county.busy()
    county.morning(25, 7, 31)
    assert [row.content["card"]["values"]["place"] for row in county.digests() if row.content] == ["石桥镇"]


def test_a_supervisor_of_a_new_area_reads_about_that_one(county: County) -> None:
    county.busy()

    def move(turn: Turn) -> None:
        role = turn.session.scalars(select(PersonRole).where(PersonRole.person_id == county.liu.id)).one()
        role.until = turn.now
        turn.session.add(PersonRole(person_id=county.liu.id, role=role.role, area_id=county.willow.id, since=turn.now))

    county.world.turn(move)
    county.report(county.willow, timedelta(minutes=1))
    county.morning(24, 7, 31)
    assert county.reads(county.liu)[0].startswith("柳林镇日报")
    assert "石桥" not in county.reads(county.liu)[0]


def test_a_number_opens_its_list_with_numbers_and_staff_but_no_child(county: County) -> None:
    number = county.busy()
    county.visit_task(county.child("E0007", county.village), county.world.now - timedelta(days=5))
    shown = county.says(county.liu, "日报")
    assert "9 逾期任务 1：4至7天1；上河村1\n" in shown
    assert shown.endswith("发前面的数字看名单，比如 3。想知道怎么算的，发“什么是失管率”。")
    assert county.says(county.liu, "3") == (
        f"没人接的警报 1（11月23日 周一 09:00）\nR{number} 石桥镇上河村 警报 值班人"
    )
    assert county.says(county.liu, "9") == (
        "逾期任务 1（11月23日 周一 09:00）\nE0007 石桥镇上河村 走访 应在11月18日 周三 陈村"
    )
    assert county.says(county.liu, "1").endswith(f"R{number} 石桥镇上河村 殴打虐待欺凌 11月23日 周一 07:00")


def test_a_list_opens_by_name_by_number_and_page_by_page(county: County) -> None:
    for place in range(45):
        county.child(f"E{place:04}", county.village, paired=False)
    first = county.says(county.chief, "名单 失管率")
    assert first.startswith("失管的孩子 45（")
    assert "E0000 石桥镇上河村 结对人有一边联系不上 上次联系0天前\n" in first
    assert first.endswith("还有 30 条，发“名单 10 2”。")
    assert "E0015" in county.says(county.chief, "名单 10 2")
    last = county.says(county.chief, "名单 失管率 3")
    assert len(re.findall("E00", last)) == 15
    assert "还有" not in last
    assert county.says(county.chief, "名单").startswith("看哪个数字的名单？发它前面的数字：\n1 新报告\n")
    assert county.says(county.chief, "1").startswith("新报告 0")


def test_the_list_shows_what_the_digest_counted_even_when_it_is_no_longer_so(county: County) -> None:
    county.busy()
    county.says(county.liu, "日报")

    def claim(turn: Turn) -> None:
        task = turn.session.scalars(select(Task).where(Task.kind == "alarm")).one()
        tasks.claim(turn.connection, task.id, county.officer.id, turn.now)

    county.world.now += timedelta(minutes=5)
    county.world.turn(claim)
    assert county.says(county.liu, "3").startswith("没人接的警报 1（")
    assert "3 没人接的警报 0\n" in county.says(county.liu, "日报")


def test_a_township_supervisor_never_opens_a_list_of_another_township(county: County) -> None:
    county.busy()
    assert county.says(county.ma, "名单 新报告").startswith("新报告 0")
    assert county.says(county.officer, "日报") == county.says(county.officer, "名单 1")
    assert "石桥镇" not in county.says(county.officer, "名单 1")


def test_an_auditor_reads_the_digest_but_is_sent_none(county: County) -> None:
    auditor = county.world.person("孙审", Role.AUDITOR, county.top)
    assert county.world.turn(digest.ensure_digests) == 0
    assert county.says(auditor, "日报").startswith("柳河县日报")


def test_every_figure_of_the_digest_can_be_asked_for_with_its_version(county: County) -> None:
    assert county.says(county.liu, "什么是走访率") == "走访率：实访除以应访。\n按本县规则第 1 版。看名单发“名单 7”。"
    assert "本县定的是30分钟。" in county.says(county.liu, "没人接的警报是什么意思")
    for code in figures.BEHIND:
        said = county.world.turn(partial(digest_words.meaning, code=code))
        assert said["version"] == 1
        assert len(said["meaning"]) > 5


def test_the_page_says_the_same_as_the_message_with_meaning_and_list(county: County) -> None:
    county.morning(24, 7, 29)
    number = county.busy()
    county.morning(24, 7, 31)

    def open_page(turn: Turn, day: date = date(2026, 11, 24)) -> dict[str, Any]:
        turn.talk = contacts.hear(turn.connection, "o-刘镇", turn.now)
        return digest.digest_page(turn, day)

    county.morning(24, 12, 0)
    county.report(county.village, timedelta(minutes=5))
    page = county.world.turn(open_page)
    by_code = {one["code"]: one for one in page["figures"]}
    assert (page["area"], page["day"], page["version"]) == ("石桥镇", date(2026, 11, 24), 1)
    assert by_code["new_reports"]["value"] == 1
    assert by_code["new_reports"]["lines"][0]["number"] == f"R{number}"
    assert by_code["new_reports"]["details"] == {"殴打虐待欺凌": 1}
    assert by_code["unclaimed_alarms"]["minutes"] == 30
    assert all(one["value"] == len(one["lines"]) and one["meaning"] for one in page["figures"])
    assert not any(secret in str(page) for secret in SECRET)
    with pytest.raises(Refused, match="digest/no_such_day"):
        county.world.turn(lambda turn: open_page(turn, date(2026, 11, 25)))
