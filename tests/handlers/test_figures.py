"""The figures against a naive recount in Python, on random counties; the list behind each number; the morning kept."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from handlers import figures
from handlers.policy import Policy
from handlers.turn import Turn
from handlers.workdays import CHINA
from storage import areas, sealing, tables, tasks
from storage.areas import Area, AreaLevel, Unit, UnitKind
from storage.children import Child, Pairing, note_pair
from storage.contacts import Contact
from storage.database import connect
from storage.people import Person
from storage.reports import Report, ReportStage
from storage.tasks import Task, TaskState
from storage.visits import Visit
from tests.support.databases import Databases

MOMENT = datetime(2026, 11, 25, 7, 30, tzinfo=CHINA)
DAY = date(2026, 11, 25)
POLICY = Policy(version=3)
KINDS = ("alarm", "listen", "unread_message", "visit", "visit", "visit", "benefit", "police_receipt", "digest")


def prepare(url: str) -> None:
    sealing.use(sealing.KeyRing([sealing.Key(1, b"k" * 32, "2026-11-24")]))
    engine = connect(url)
    tables.METADATA.create_all(engine)
    engine.dispose()


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    made = connect(databases.copy(prepare))
    yield made
    made.dispose()


class County:
    """Three townships with everything in them drawn by lot."""

    def __init__(self, turn: Turn, draw: random.Random) -> None:
        self.turn, self.session, self.draw = turn, turn.session, draw
        self.top = areas.add_area(self.session, AreaLevel.COUNTY, "柳河县")
        self.townships = [areas.add_area(self.session, AreaLevel.TOWNSHIP, f"{n}乡", self.top) for n in "甲乙丙"]
        villages = [
            areas.add_area(self.session, AreaLevel.VILLAGE, f"{n}村", one) for one in self.townships for n in "东西"
        ]
        groups = [areas.add_area(self.session, AreaLevel.GROUP, "1组", one) for one in villages[:2]]
        self.places = [self.top, *self.townships, *villages, *groups]
        self.school = Unit(area_id=self.top.id, kind=UnitKind.SCHOOL, name="柳河小学")
        self.session.add(self.school)
        self.session.flush()
        self.people = [self._person() for _ in range(5)]
        self.children = [self._child() for _ in range(draw.randrange(9))]
        for _ in range(draw.randrange(9)):
            self._report()
        for _ in range(draw.randrange(20)):
            self._task()
        self.session.flush()

    def _ago(self, hours: int = 24 * 12) -> datetime:
        """Some minute before the moment, often near one that counts."""
        near = self.draw.choice([0, 24 * 60, 30, 450, 450 + 3 * 1440, 450 + 7 * 1440, 7 * 1440, None, None])
        minutes = self.draw.randrange(hours * 60) if near is None else max(0, near + self.draw.randrange(-2, 3))
        return MOMENT - timedelta(minutes=minutes)

    def _person(self) -> Person:
        person = Person(name="王某", joined_at=self._ago(), left_at=self._ago() if self.draw.random() < 0.2 else None)
        self.session.add(person)
        self.session.flush()
        if self.draw.random() < 0.8:
            lost = self._ago() if self.draw.random() < 0.2 else None
            index = self.draw.randbytes(8)
            self.session.add(Contact(openid="o", openid_index=index, person_id=person.id, unreachable_since=lost))
        return person

    def _child(self) -> Child:
        draw = self.draw
        child = Child(
            number=f"E{draw.randrange(10**9)}",
            name="李某",
            name_index=b"",
            sex="unknown",
            area_id=draw.choice(self.places).id,
            level=draw.choice(["red", "red", "yellow", "blue", "green", "dropped"]),
            level_since=self._ago(24 * 60),
            on_file_since=self._ago(24 * 60),
            off_file_at=self._ago() if draw.random() < 0.15 else None,
            school_id=draw.choice([None, self.school.id]),
        )
        self.session.add(child)
        self.session.flush()
        for person in draw.sample(self.people, draw.randrange(4)):
            until = self._ago() if draw.random() < 0.2 else None
            side = draw.choice(["cadre", "cadre", "teacher"])
            self.session.add(Pairing(child_id=child.id, person_id=person.id, side=side, since=self._ago(), until=until))
        note_pair(self.session, child, self._ago())
        for _ in range(draw.randrange(3)):
            self._visit(child, None)
        return child

    def _visit(self, child: Child, task: Task | None) -> None:
        day = DAY - timedelta(days=self.draw.choice([0, 6, 7, 8, 13, 14, 15, 30, 31, 91, 92]))
        kind = self.draw.choice(["seen", "phone", "not_met"])
        self.session.add(
            Visit(
                child_id=child.id,
                task_id=task.id if task else None,
                person_id=self.people[0].id,
                area_id=child.area_id,
                kind=kind,
                side="cadre",
                happened_on=day,
                recorded_at=self._ago(),
            )
        )
        if kind != "not_met":
            child.last_contact_on = max(child.last_contact_on or day, day)

    def _report(self) -> Report:
        draw, opened = self.draw, self._ago(72)
        report = Report(
            area_id=draw.choice(self.places).id,
            opened_at=opened,
            heard_at=opened,
            stage=draw.choice(list(ReportStage)),
            kind=draw.choice(["report", "report", "danger", "other", "greeting", "benefit"]),
            urgency=draw.choice(["immediate_danger", "urgent", "normal"]),
            suggested=draw.choice(["", "4", "4,9"]),
            situation=draw.choice([None, None, 0, 6]),
            police_receipt_at=self._ago() if draw.random() < 0.3 else None,
        )
        self.session.add(report)
        return report

    def _task(self, *, may_be_visited: bool = True) -> Task:
        draw, kind = self.draw, self.draw.choice(KINDS)
        child = draw.choice(self.children) if self.children else None
        due = self._ago() if draw.random() < 0.8 else MOMENT + timedelta(days=1)
        ended = None if draw.random() < 0.6 else self._ago()
        state = draw.choice([TaskState.OPEN, TaskState.CLAIMED])
        if ended:
            state = draw.choice([TaskState.DONE, TaskState.CANCELLED])
        task = Task(
            key=f"{kind}:{draw.randrange(10**12)}",
            kind=kind,
            subject="child" if child else "area",
            subject_id=child.id if child else 1,
            area_id=draw.choice(self.places).id,
            state=state,
            opened_at=self._ago(),
            due_at=due,
            ended_at=ended,
            role="reporter" if kind == "police_receipt" else None,
            claimed_at=self._ago() if state == TaskState.CLAIMED else None,
        )
        self.session.add(task)
        self.session.flush()
        if may_be_visited and kind == "visit" and child and draw.random() < 0.5:
            self._visit(child, task)
        return task


def recounted(session: Session, area: Area) -> dict[str, set[int]]:
    """The definitions of domain.md 4.2, told once more in plain Python over every row: figure → ids of its list."""
    inside = {one.id for one in session.scalars(select(Area)) if one.path.startswith(area.path)}
    reports = [
        one
        for one in session.scalars(select(Report))
        if one.area_id in inside and one.kind in {"report", "danger", "other"} and one.merged_into_id is None
    ]
    children = [
        one
        for one in session.scalars(select(Child))
        if one.area_id in inside and one.on_file_since <= MOMENT and one.off_file_at is None
    ]
    work = [one for one in session.scalars(select(Task)) if one.area_id in inside and one.opened_at <= MOMENT]
    visits = list(session.scalars(select(Visit)))
    live = [one for one in work if one.state in {"open", "claimed"}]
    answered = {one.task_id: one.kind for one in visits}

    def local(moment: datetime) -> date:
        return moment.astimezone(CHINA).date()

    new = {
        one.id: one
        for one in reports
        if MOMENT - timedelta(days=1) <= one.opened_at < MOMENT and one.stage != ReportStage.SET_ASIDE
    }
    due = [
        one
        for one in work
        if one.kind == "visit" and one.state != "cancelled" and 1 <= (DAY - local(one.due_at)).days <= 7
    ]
    climbing = {"alarm", "listen", "unread_message"}
    late = [
        one
        for one in live
        if local(one.due_at) < DAY and one.kind != "digest" and one.role != "reporter"
        and not (one.kind in climbing and one.state == "claimed")
    ]  # fmt: skip
    seen = {one.child_id for one in visits if one.kind == "seen" and (DAY - one.happened_on).days <= 7}
    contacts = {one.person_id for one in session.scalars(select(Contact)) if one.unreachable_since is None}
    here = {one.id for one in session.scalars(select(Person)) if one.left_at is None} & contacts
    followed = {
        (one.child_id, one.side)
        for one in session.scalars(select(Pairing))
        if one.until is None and one.person_id in here
    }
    every = {"red": 7, "yellow": 14, "blue": 30, "green": 91, "dropped": 7}  # by no rule of the county: the strictest
    first = {"red": 24, "yellow": 72, "blue": 168, "green": 720, "dropped": 24}

    def has_pair(child: Child) -> bool:
        sides = ["cadre", "teacher"] if child.school_id else ["cadre"]
        return all((child.id, side) in followed for side in sides)

    def on_time(child: Child) -> bool:
        if MOMENT - child.level_since <= timedelta(hours=first[child.level]):
            return True
        return child.last_contact_on is not None and (DAY - child.last_contact_on).days <= every[child.level]

    return {
        "new_reports": set(new),
        "immediate_danger": {one.id for one in new.values() if one.urgency == "immediate_danger"},
        "unclaimed_alarms": {
            one.id
            for one in live
            if one.kind in climbing and one.state == "open" and MOMENT - one.opened_at > timedelta(minutes=30)
        },
        "without_police_receipt": {
            one.id
            for one in reports
            if one.opened_at < MOMENT and one.stage in {"draft", "filed", "accepted"}
            and one.police_receipt_at is None and one.situation != 0
        },
        "red_without_contact": {
            one.id
            for one in children
            if one.level == "red" and MOMENT - one.on_file_since > timedelta(days=7) and one.id not in seen
        },
        "visits_due": {one.id for one in due},
        "visits_done": {one.id for one in due if answered.get(one.id) == "seen"},
        "visits_overdue": {one.id for one in late if one.kind == "visit"},
        "tasks_overdue": {one.id for one in late},
        "unattended_rate": {one.id for one in children if not has_pair(one) or not on_time(one)},
        "children_on_file": {one.id for one in children},
    }  # fmt: skip


def on_random_counties(engine: Engine, holds: Callable[[County], None], now: datetime = MOMENT) -> None:
    """Try a sentence on counties drawn by lot; each is rolled back."""

    @settings(max_examples=25)
    @given(st.integers(0, 2**32))
    def tried(seed: int) -> None:
        with engine.connect() as connection:
            transaction = connection.begin()
            turn = Turn(connection, now, POLICY)
            holds(County(turn, random.Random(seed)))
            turn.abandon()
            transaction.rollback()

    tried()


def test_every_number_equals_a_naive_recount_and_the_list_behind_it(engine: Engine) -> None:
    def holds(county: County) -> None:
        for area in (county.top, *county.townships):
            span = figures.span(county.turn, area, MOMENT)
            counted, expected = figures.count(county.turn, span), recounted(county.session, area)
            for code, one in counted.items():
                behind = figures.ids(county.turn, span, code)
                assert set(behind) == expected[code]
                assert len(behind) == one.count == len(expected[code])
                assert sum(one.places.values()) == sum(one.details.values()) == one.count

    on_random_counties(engine, holds)


def test_the_townships_and_the_county_itself_add_up_to_the_county(engine: Engine) -> None:
    def holds(county: County) -> None:
        def counted(area: Area) -> dict[str, figures.Figure]:
            return figures.count(county.turn, figures.span(county.turn, area, MOMENT))

        whole, below = counted(county.top), {one.name: counted(one) for one in county.townships}
        for code, one in whole.items():
            parts = {name: found[code].count for name, found in below.items()}
            assert {name: one.places.get(name, 0) for name in parts} == parts
            assert one.count == sum(parts.values()) + one.places.get(county.top.name, 0)

    on_random_counties(engine, holds)


def test_the_morning_stays_as_it_was_whatever_happens_after_it(engine: Engine) -> None:
    """The page opened at noon says what the digest said at half past seven."""

    def holds(county: County) -> None:
        morning = figures.span(county.turn, county.top, MOMENT)
        county.turn.now = MOMENT
        before = {code: figures.ids(county.turn, morning, code) for code in figures.BEHIND}
        county.turn.now = MOMENT + timedelta(hours=4)
        _a_busy_forenoon(county)
        later = figures.span(county.turn, county.top, MOMENT)
        assert later.past
        assert {code: figures.ids(county.turn, later, code) for code in figures.BEHIND} == before

    on_random_counties(engine, holds)


def _a_busy_forenoon(county: County) -> None:
    now = county.turn.now - timedelta(hours=1)
    _tasks_move_on(county, now)
    _reports_move_on(county, now)
    county._report().opened_at = now
    county._task(may_be_visited=False).opened_at = now  # its visit would have been recorded before the forenoon
    _children_are_met(county, now)
    county.session.flush()


def _tasks_move_on(county: County, now: datetime) -> None:
    draw, session = county.draw, county.session
    for task in session.scalars(select(Task)).all():
        act = draw.randrange(4)
        if act == 0:
            tasks.claim(county.turn.connection, task.id, county.people[0].id, now)
        if act in {0, 1}:
            tasks.end(county.turn.connection, task.id, now, draw.choice([TaskState.DONE, TaskState.CANCELLED]))
    session.expire_all()


def _reports_move_on(county: County, now: datetime) -> None:
    draw, session = county.draw, county.session
    for report in session.scalars(select(Report)).all():
        act = draw.randrange(4)
        if act == 0 and report.police_receipt_at is None:
            report.police_receipt_at = now
        elif act == 1 and report.stage in {ReportStage.DRAFT, ReportStage.FILED}:
            report.set_aside(session, by=1, at=now)
        elif act == 2 and report.stage == ReportStage.ACCEPTED:
            report.resolve(session, by=1, at=now)


def _children_are_met(county: County, now: datetime) -> None:
    draw, session = county.draw, county.session
    for child in county.children:
        if draw.random() < 0.3 and child.off_file_at is None:
            child.off_file_at = now
        elif draw.random() < 0.3:
            visit = Visit(
                child_id=child.id,
                person_id=county.people[0].id,
                area_id=child.area_id,
                kind="seen",
                side="cadre",
                happened_on=DAY,
                recorded_at=now,
            )
            session.add(visit)
            child.last_contact_on = DAY


def test_days_off_before_today_put_the_next_contact_later() -> None:
    monday, wednesday = date(2026, 11, 23), date(2026, 11, 25)
    assert figures.on_time_from(POLICY, "red", wednesday) == date(2026, 11, 18)
    assert figures.on_time_from(POLICY, "red", monday) == date(2026, 11, 14)
    festival = Policy(holidays=(date(2026, 11, 23), date(2026, 11, 24)))
    assert figures.on_time_from(festival, "red", wednesday) == date(2026, 11, 14)


def test_a_figure_is_found_by_its_name_or_a_part_that_is_its_own() -> None:
    assert figures.named("逾期任务") == "tasks_overdue"
    assert figures.named("失管") == "unattended_rate"
    assert figures.named("新报告") == "new_reports"
    assert figures.named("走访") is None
    assert figures.named("天气") is None


def test_places_are_counted_from_the_level_below(engine: Engine) -> None:
    with engine.begin() as connection:
        turn = Turn(connection, MOMENT.astimezone(UTC), POLICY)
        county = County(turn, random.Random(1))
        village = next(one for one in county.places if one.level == AreaLevel.VILLAGE)
        township = county.townships[0]
        for area in (county.top, township, village, village):
            report = county._report()
            report.area_id, report.opened_at, report.kind = area.id, MOMENT - timedelta(hours=1), "report"
            report.stage = ReportStage.FILED
        turn.session.flush()
        before = Counter(figures.count(turn, figures.span(turn, township, MOMENT))["new_reports"].places)
        assert before[village.name] >= 2
        assert before[township.name] >= 1
        whole = Counter(figures.count(turn, figures.span(turn, county.top, MOMENT))["new_reports"].places)
        assert whole[county.top.name] >= 1
        assert whole[township.name] == before.total()
        turn.settle()
