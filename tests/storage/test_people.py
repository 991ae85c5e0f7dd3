from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from storage import contacts, county, people, reports, sealing
from storage.areas import AreaLevel, add_area
from storage.contacts import Contact
from storage.county import PolicyVersion
from storage.people import Duty, Person, PersonRole, Role
from tests.storage.conftest import NOW, Ids

DAY = timedelta(days=1)


def bind(session: Session, contact: int, person: int) -> None:
    session.execute(update(Contact).where(Contact.id == contact).values(person_id=person))


def test_who_is_not_bound_is_not_reachable(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session:
        assert people.reachable(session, ids.person) is None
        assert people.reachable(session, None) is None


def test_who_is_bound_is_reachable_until_unreachable_unfollowed_or_gone(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        bind(session, ids.contact, ids.person)
        assert people.reachable(session, ids.person) == ids.contact
        contacts.unreachable(session.connection(), ids.contact, NOW)
        assert people.reachable(session, ids.person) is None
        contacts.hear(session.connection(), "o-wang", NOW)
        assert people.reachable(session, ids.person) == ids.contact
        session.get_one(Person, ids.person).left_at = NOW
        assert people.reachable(session, ids.person) is None
        assert people.person_of(session, ids.person) is None
        session.get_one(Person, ids.person).left_at = None
        contacts.erase(session.connection(), ids.contact, NOW)
        assert people.reachable(session, ids.person) is None


def test_of_two_phones_the_newer_one_is_used(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        bind(session, ids.contact, ids.person)
        bind(session, ids.other_contact, ids.person)
        assert people.reachable(session, ids.person) == max(ids.contact, ids.other_contact)


def test_one_nights_change_beats_the_roster_and_ends_by_itself(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        assert people.duty_of(session, ids.county, NOW) is None
        roster = Duty(area_id=ids.county, person_id=ids.person, since=NOW - 30 * DAY)
        night = Duty(area_id=ids.county, person_id=ids.other, since=NOW, until=NOW + DAY)
        other_area = add_area(session, AreaLevel.TOWNSHIP, "白沙镇")
        elsewhere = Duty(area_id=other_area.id, person_id=ids.other, since=NOW)
        session.add_all([roster, night, elsewhere])
        assert people.duty_of(session, ids.county, NOW - DAY) == roster
        assert people.duty_of(session, ids.county, NOW) == night
        assert people.duty_of(session, ids.county, NOW + DAY) == roster
        assert people.duty_of(session, other_area.id, NOW) == elsewhere


def test_of_two_duties_begun_at_once_the_one_written_last_counts(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        for person in (ids.person, ids.other):
            session.add(Duty(area_id=ids.county, person_id=person, since=NOW))
            session.flush()
        duty = people.duty_of(session, ids.county, NOW)
        assert duty is not None
        assert duty.person_id == ids.other


def test_roles_hold_from_their_first_to_before_their_last_moment(engine: Engine, ids: Ids) -> None:
    with Session(engine) as session, session.begin():
        session.add(
            PersonRole(
                person_id=ids.person, role=Role.VILLAGE_CHILD_OFFICER, area_id=ids.county, since=NOW, until=NOW + DAY
            )
        )

        def held(after: timedelta) -> list[str]:
            roles = [one.role for one in people.roles_of(session, ids.person, NOW + after)]
            holders = people.holders(session, Role.VILLAGE_CHILD_OFFICER, [ids.county], NOW + after)
            assert holders == ([ids.person] if roles else [])
            return roles

        assert held(timedelta(seconds=-1)) == []
        assert held(timedelta()) == [Role.VILLAGE_CHILD_OFFICER]
        assert held(DAY) == []
        session.get_one(Person, ids.person).left_at = NOW
        assert people.holders(session, Role.VILLAGE_CHILD_OFFICER, [ids.county], NOW) == []


@pytest.mark.parametrize(
    "written", ["13812345678", "138 1234 5678", "+86 138-1234-5678", "008613812345678", "１３８１２３４５６７８"]
)
def test_a_person_is_found_however_the_phone_is_written(engine: Engine, ids: Ids, written: str) -> None:
    with Session(engine) as session, session.begin():
        person = session.get_one(Person, ids.person)
        person.phone, person.phone_index = "13812345678", people.phone_index("13812345678")
        session.flush()
        assert people.by_phone(session, written) == person
        assert people.by_phone(session, "13812345679") is None


# --- what the processes share


def test_rules_get_a_new_version_only_when_they_change(engine: Engine) -> None:
    with engine.begin() as connection:
        first = county.policy_version(connection, '{"a":1}', NOW)
        assert county.policy_version(connection, '{"a":1}', NOW + DAY) == first
        second = county.policy_version(connection, '{"a":2}', NOW)
        assert second > first
        assert county.policy_version(connection, '{"a":1}', NOW) > second, "a version is a time, not a content"


def test_processes_that_start_at_once_agree_on_one_version(engine: Engine) -> None:
    def start() -> int:
        with engine.begin() as connection:
            return county.policy_version(connection, "{}", NOW)

    with ThreadPoolExecutor(6) as threads:
        assert len({future.result() for future in [threads.submit(start) for _ in range(6)]}) == 1
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(PolicyVersion)).scalar() == 1


def test_a_fact_is_the_last_one_set(engine: Engine) -> None:
    with engine.begin() as connection:
        assert county.fact(connection, "clock") is None
        county.set_fact(connection, "clock", "60")
        county.set_fact(connection, "clock", "120")
        assert county.fact(connection, "clock") == "120"


# --- reports


def test_a_report_is_found_by_its_receipt_only(engine: Engine, ids: Ids) -> None:
    ring = sealing.ring()
    with engine.begin() as connection:
        number = reports.open_report(
            connection, area_id=ids.county, now=NOW, kind="danger", urgency="immediate_danger", suggested="4,9",
            answers=None, policy_version=1,
        )  # fmt: skip
        index = ring.receipt_index("123456789012")
        assert reports.finish(connection, number, NOW, index)
        assert not reports.finish(connection, number, NOW + DAY, ring.receipt_index("999999999999"))
        found = reports.by_receipt(connection, index)
        assert found is not None
        assert (found.id, found.stage, found.case_id, found.finished_at) == (number, "draft", None, NOW)
        assert reports.by_receipt(connection, ring.receipt_index("123456789013")) is None


def test_an_account_is_kept_word_for_word_in_the_order_it_came(engine: Engine, ids: Ids) -> None:
    words = ["孩子", "身上有伤\n  老师看见了", "😢", ""]
    with Session(engine) as session, session.begin():
        connection = session.connection()
        number = reports.open_report(
            connection, area_id=ids.county, now=NOW, kind="other", urgency="unknown", suggested="", answers=None,
            policy_version=1,
        )  # fmt: skip
        for word in words:
            reports.append(connection, number, NOW, "text", text=word)
            reports.heard(
                connection, number, NOW + DAY, kind="danger", urgency="urgent", suggested="4", answers={"what": word}
            )
        assert [entry.text for entry in reports.entries_of(session, number)] == words
        report = session.get_one(reports.Report, number)
        assert (report.entries, report.heard_at, report.kind, report.answers) == (5, NOW + DAY, "danger", {"what": ""})
