"""`tongban check`: every open record for which nobody acts is named, and a county in order gives an empty list."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from handlers import alarms, check, digest, pairs
from handlers.turn import Turn
from storage import contacts, media, renditions, reporters, reports, sealing, tables, tasks
from storage.areas import AreaLevel
from storage.cases import Case
from storage.children import Child, Pairing, Side
from storage.contacts import Contact
from storage.database import connect
from storage.inbox import Inbox, InboxState
from storage.media import Media, MediaState
from storage.outbox import Outbox, OutboxState
from storage.people import Person, Role
from storage.reports import Report, ReportStage
from storage.tasks import Task
from tests.support.databases import Databases
from tests.world import World, ring


def prepare(url: str) -> None:
    ring()
    engine = connect(url)
    tables.METADATA.create_all(engine)
    engine.dispose()


class County:
    """A township with a duty person, supervisors, an officer, and one child with its pair."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.top = world.area("柳河县", AreaLevel.COUNTY)
        self.stone = world.area("石桥镇", AreaLevel.TOWNSHIP, self.top)
        self.village = world.area("上河村", AreaLevel.VILLAGE, self.stone)
        self.chief = world.person("周县", Role.COUNTY_SUPERVISOR, self.top)
        self.liu = world.person("刘镇", Role.TOWNSHIP_CHILD_SUPERVISOR, self.stone)
        self.officer = world.person("陈村", Role.VILLAGE_CHILD_OFFICER, self.village)
        world.duty(self.stone, self.officer, self.liu)
        self.child = self.add_child("E0001")
        self.turn(lambda turn: pairs.pair(turn, turn.session.get_one(Child, self.child), self.officer, Side.CADRE))

    def turn(self, act: Callable[[Turn], object]) -> None:
        self.world.turn(act)

    def add_child(self, number: str) -> int:
        def add(turn: Turn) -> int:
            child = Child(
                number=number,
                name="李小明",
                name_index=sealing.ring().index("name", number),
                sex="male",
                area_id=self.village.id,
                level="green",
                level_since=turn.now,
                on_file_since=turn.now,
            )
            turn.session.add(child)
            turn.session.flush()
            return child.id

        made: int = self.world.turn(add)
        return made

    def found(self) -> list[tuple[str, str]]:
        """What `tongban check` finds: (subject, kind)."""
        return [(one.subject, one.kind) for one in self.findings()]

    def findings(self) -> list[check.Finding]:
        found: list[check.Finding] = self.world.turn(check.findings)
        return found

    def lose(self, *people: Person) -> None:
        """They block the account: the platform says that they cannot be reached."""

        def mark(turn: Turn) -> None:
            for person in people:
                contact = turn.session.scalars(select(Contact).where(Contact.person_id == person.id)).one()
                contacts.unreachable(turn.connection, contact.id, turn.now)

        self.turn(mark)

    def report(self) -> int:
        """A villager's report, on the duty list; its id."""

        def open_report(turn: Turn) -> int:
            contact = contacts.hear(turn.connection, "o-村民", turn.now)
            contacts.keep(turn.connection, contact)
            report = reports.open_report(
                turn.connection,
                area_id=self.top.id,
                now=turn.now,
                kind="report",
                urgency="urgent",
                suggested="4",
                answers=None,
                policy_version=1,
            )
            reporters.add(turn.connection, report, contact.contact_id, "citizen", None, turn.now)
            quiet = turn.now + timedelta(minutes=10)
            turn.open_task("draft_report", "report", report, self.top.id, due_at=quiet, next_at=quiet, role="duty")
            return report

        made: int = self.world.turn(open_report)
        return made

    def claimed(self) -> int:
        """The same, taken by the officer; the case's id."""
        report = self.report()
        self.end_tasks("draft_report")

        def take(turn: Turn) -> int:
            case = Case(
                number="G2611-0001",
                area_id=self.village.id,
                level="yellow",
                holder_id=self.officer.id,
                opened_at=turn.now,
            )
            turn.session.add(case)
            turn.session.flush()
            row = turn.session.get_one(Report, report)
            row.case_id, row.stage = case.id, ReportStage.ACCEPTED
            due = turn.now + timedelta(days=3)
            holder = self.officer.id
            turn.open_task("first_contact", "case", case.id, self.village.id, due_at=due, next_at=due, person_id=holder)
            return case.id

        made: int = self.world.turn(take)
        return made

    def end_tasks(self, kind: str) -> None:
        def end(turn: Turn) -> None:
            for task in turn.session.scalars(select(Task).where(Task.kind == kind)):
                tasks.end(turn.connection, task.id, turn.now)

        self.turn(end)

    def change(self, row: type[Report | Case | Task | Media | Outbox | Inbox], **values: object) -> None:
        """Set columns of the newest row of a table."""

        def change(turn: Turn) -> None:
            found = turn.session.scalars(select(row).order_by(row.id.desc()).limit(1)).one()
            for name, value in values.items():
                setattr(found, name, value)

        self.turn(change)


@pytest.fixture
def county(databases: Databases) -> Iterator[County]:
    world = World.on(databases.copy(prepare))
    yield County(world)
    world.close()


def test_a_county_in_order_has_no_findings_at_any_step_of_a_report(county: County) -> None:
    county.turn(digest.ensure_digests)
    assert county.found() == []
    county.world.phone("村民").says("隔壁的孩子天天被他爸打")
    for minutes in (0, 2, 11, 40, 100):
        county.world.pass_(minutes=minutes)
        assert county.found() == []
    county.world.phone("陈村").says("我接了")
    assert county.found() == []


def test_a_holder_whom_no_channel_reaches_counts_as_nobody(county: County) -> None:
    county.claimed()
    county.lose(county.officer)
    assert set(county.found()) == {("task", "unreachable_holder"), ("case", "unreachable_holder")}
    assert all(f"person {county.officer.id} cannot be reached" in one.sentence for one in county.findings()[:2])


def test_somebody_who_left_counts_as_nobody(county: County) -> None:
    county.turn(lambda turn: setattr(turn.session.get_one(Person, county.officer.id), "left_at", turn.now))
    assert county.found() == [("task", "unreachable_holder")]


def test_duty_is_the_whole_ladder_and_only_an_empty_one_is_found(county: County) -> None:
    county.report()
    county.lose(county.officer, county.liu)
    assert ("task", "empty_role") not in county.found()
    county.lose(county.chief)
    empty = [one for one in county.findings() if one.kind == "empty_role"]
    assert [one.sentence for one in empty] == [
        f"task {empty[0].id}: draft_report: role duty reaches nobody in area {county.top.id}."
    ]


def test_a_role_that_nobody_holds_is_found(county: County) -> None:
    def ask(turn: Turn) -> None:
        for role in (Role.COUNTY_SUPERVISOR, Role.AGENCY_LIAISON):
            turn.open_task(
                "empty_rung", "area", 1, county.village.id, due_at=turn.now, next_at=None, role=role, again=role
            )
        turn.open_task("empty_rung", "area", 1, county.village.id, due_at=turn.now, next_at=None, again="nobody")

    county.turn(ask)
    assert county.found() == [("task", "empty_role"), ("task", "nobody")]


def test_a_task_that_asks_a_reporter_who_is_gone_is_found(county: County) -> None:
    report = county.report()

    def ask(turn: Turn) -> None:
        later = turn.now + timedelta(days=1)
        turn.open_task("police_receipt", "report", report, county.top.id, due_at=later, next_at=later, role="reporter")

    county.turn(ask)
    assert county.found() == []

    def forget(turn: Turn) -> None:
        contacts.erase(turn.connection, contacts.hear(turn.connection, "o-村民", turn.now).contact_id, turn.now)

    county.turn(forget)
    assert county.found() == [("task", "lost_reporter")]


def test_a_report_that_nobody_is_asked_to_take_is_found_after_a_minute(county: County) -> None:
    report = county.report()
    county.end_tasks("draft_report")
    assert county.found() == []
    county.world.now += timedelta(seconds=90)
    assert [(one.kind, one.id) for one in county.findings()] == [("unwatched_report", report)]
    county.change(Report, kind="greeting")
    assert county.found() == []


def test_a_report_whose_case_is_gone_is_found(county: County) -> None:
    county.claimed()
    county.change(Case, stage="closed")
    county.end_tasks("first_contact")
    assert county.found() == [("report", "no_case")]


def test_an_open_case_of_which_nothing_is_asked_is_found_until_a_step_is_recorded(county: County) -> None:
    case = county.claimed()
    county.end_tasks("first_contact")
    assert [(one.kind, one.id) for one in county.findings()] == [("unwatched_case", case)]
    county.turn(
        lambda turn: turn.open_task(
            "approval", "case", case, county.village.id, due_at=turn.now, next_at=None, role="county_supervisor"
        )
    )
    assert county.found() == [("case", "unwatched_case")]
    officer = county.world.phone(county.officer.name)
    for words in ("步骤", "9", "跳过"):
        officer.says(words)
    assert county.found() == []
    county.change(Case, stage="closed")
    assert ("case", "unwatched_case") not in county.found()


def test_an_answered_question_about_benefits_is_not_found(county: County) -> None:
    report = county.report()
    county.end_tasks("draft_report")
    county.change(Report, kind="benefit")
    county.world.now += timedelta(minutes=5)
    assert county.found() == [("report", "unwatched_report")]

    def answer(turn: Turn) -> None:
        turn.open_task("benefit", "report", report, county.top.id, due_at=turn.now, next_at=None, role="duty")

    county.turn(answer)
    assert county.found() == []
    county.end_tasks("benefit")
    assert county.found() == []


def test_a_side_of_a_pair_without_a_planned_visit_is_found(county: County) -> None:
    county.end_tasks("visit")
    assert [one.sentence for one in county.findings()] == [f"child {county.child}: no visit is planned for its cadre."]


def test_a_live_task_of_one_side_does_not_cover_the_other(county: County) -> None:
    teacher = county.world.person("林老师", Role.MANDATED_REPORTER, county.village)
    volunteer = county.world.person("高阿姨", Role.CARE_PARTNER, county.village)

    def join(turn: Turn) -> None:
        for person, side in ((teacher, Side.TEACHER), (volunteer, Side.VOLUNTEER)):
            turn.session.add(Pairing(child_id=county.child, person_id=person.id, side=side, since=turn.now))

    county.turn(join)
    assert [one.sentence for one in county.findings()] == [
        f"child {county.child}: no visit is planned for its teacher."
    ]


def test_a_child_whom_nobody_follows_is_found_unless_somebody_is_asked_about_it(county: County) -> None:
    child = county.add_child("E0002")
    assert [(one.kind, one.id) for one in county.findings()] == [("no_pair", child)]

    def ask(turn: Turn) -> None:
        turn.open_task(
            "visit", "child", child, county.village.id, due_at=turn.now, next_at=None, person_id=county.officer.id
        )

    county.turn(ask)
    assert county.found() == []
    county.end_tasks("visit")
    county.turn(lambda turn: setattr(turn.session.get_one(Child, child), "off_file_at", turn.now))
    assert ("child", "no_pair") not in county.found()


def test_what_was_given_up_is_found(county: County) -> None:
    county.world.phone("周县").says("帮助")
    county.report()
    county.change(Inbox, state=InboxState.PARKED, error="KeyError in first_words line 3")
    county.change(Task, failures=5, next_at=None, error="KeyError in look line 9")
    sentences = [one.sentence for one in county.findings()]
    assert len(sentences) == 2
    assert "KeyError in first_words line 3" in sentences[0]
    assert "draft_report failed and is not looked at again (KeyError in look line 9)" in sentences[1]


def test_a_failed_message_is_found_unless_it_is_on_the_duty_list(county: County) -> None:
    county.world.phone("周县").says("帮助")
    county.change(Inbox, state=InboxState.FAILED, error="KeyError in first_words line 3")
    assert county.found() == [("inbox", "unlisted_message")]
    message = county.findings()[0].id
    county.turn(lambda turn: alarms.open_unread(turn, message, parked=False))
    assert county.found() == []


def test_a_message_nobody_saw_is_found_for_a_week_or_until_its_reader_is_heard(county: County) -> None:
    county.world.phone("村民").says("帮助")
    county.world.now += timedelta(minutes=1)
    county.change(Outbox, state=OutboxState.UNKNOWN, created_at=county.world.now)
    assert county.found() == [("outbox", "unseen_message")]
    county.world.now += timedelta(days=7, minutes=1)
    assert ("outbox", "unseen_message") not in county.found()
    county.change(Outbox, state=OutboxState.UNDELIVERABLE, created_at=county.world.now)
    assert ("outbox", "unseen_message") in county.found()
    county.world.phone("村民").says("帮助")
    assert ("outbox", "unseen_message") not in county.found()


def test_a_picture_that_was_lost_is_found_while_its_report_goes_on(county: County) -> None:
    report = county.report()
    county.turn(lambda turn: media.expect(turn.connection, report, "image", "media-1", turn.now))
    county.change(Media, state=MediaState.LOST, next_at=None)
    assert county.found() == [("media", "lost_media")]
    county.turn(lambda turn: setattr(turn.session.get_one(Report, report), "stage", ReportStage.SET_ASIDE))
    assert county.found() == [("media", "lost_media")]
    county.world.now += timedelta(days=8)
    assert ("media", "lost_media") not in county.found()


def test_a_picture_that_is_too_large_and_one_without_a_rendition_are_found_likewise(county: County) -> None:
    report = county.report()

    def send(turn: Turn) -> int:
        number = media.expect(turn.connection, report, "image", "media-1", turn.now)
        media.keep(turn.connection, number, media.Original.of(b"x", "image/png"), turn.now)
        renditions.expect(turn.connection, number, turn.now)
        return number

    number: int = county.world.turn(send)
    assert county.found() == [], "it is still to be made"
    county.turn(lambda turn: renditions.later(turn.connection, number, None))
    assert county.found() == [("media", "no_rendition")]
    county.turn(lambda turn: renditions.keep(turn.connection, number, b"y", "image/jpeg", turn.now))
    assert county.found() == []
    county.change(Media, state=MediaState.REFUSED)
    assert county.found() == [("media", "refused_media")]
    county.change(Report, stage=ReportStage.SET_ASIDE)
    county.world.now += timedelta(days=8)
    assert ("media", "refused_media") not in county.found()


def test_no_sentence_names_anybody_or_holds_words(county: County) -> None:
    county.claimed()
    county.lose(county.officer, county.liu, county.chief)
    county.add_child("E0002")
    text = " ".join(one.sentence for one in county.findings())
    assert text.isascii()


def test_many_children_take_no_more_statements_than_one(county: County) -> None:
    def statements() -> int:
        counted: list[str] = []

        def count(*arguments: object) -> None:
            counted.append(str(arguments[2]))

        event.listen(county.world.engine, "before_cursor_execute", count)
        county.findings()
        event.remove(county.world.engine, "before_cursor_execute", count)
        return len(counted)

    before = statements()

    def add(turn: Turn) -> None:
        for number in range(300):
            child = Child(
                number=f"T{number}",
                name="李小明",
                name_index=b"",
                sex="male",
                area_id=county.village.id,
                level="green",
                level_since=turn.now,
                on_file_since=turn.now,
            )
            turn.session.add(child)

    county.turn(add)
    assert len(county.findings()) == 300
    assert statements() == before
