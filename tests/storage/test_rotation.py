import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, LargeBinary, select, text, type_coerce
from sqlalchemy.orm import Session

from storage import audit, contacts, media, renditions, rotation, sealing
from storage.audit import Audit
from storage.children import Child
from storage.contacts import Contact
from storage.people import Person
from storage.rotation import BATCH, sealed_columns, sealed_tables
from tests.storage.conftest import NOW, Ids, settle_county
from tests.support.ring import ring_of, using
from tests.support.waiting import eventually

PEOPLE = 2 * BATCH + 7


@pytest.fixture
def filled(engine: Engine, ids: Ids) -> Engine:
    """More than two batches of people, some originals, an audit and a child with empty columns."""
    with engine.begin() as connection, Session(connection, join_transaction_mode="create_savepoint") as session:
        session.add_all(Person(name=f"某人{n}", phone=f"1380000{n:04d}", joined_at=NOW) for n in range(PEOPLE))
        session.add(
            Child(
                number="C1",
                name="小雨",
                name_index=b"i",
                sex="x",
                area_id=ids.county,
                level_since=NOW,
                on_file_since=NOW,
            )
        )
        session.commit()
        for number in range(6):
            one = media.expect(connection, None, "image", f"id{number}", NOW)
            media.keep(connection, one, media.Original.of(b"photo" * 100, "image/jpeg"), NOW)
            renditions.expect(connection, one, NOW)
            renditions.keep(connection, one, b"blur", "image/jpeg", NOW)
        audit.add(connection, at=NOW, act="look", subject="child", note="说明")
    return engine


def key_ids(engine: Engine) -> set[int]:
    """The key ids of every sealed value, read one by one."""
    with engine.begin() as connection:
        return {
            sealing.key_id(bytes(value))
            for table in sealed_tables()
            for column in sealed_columns(table)
            for value in connection.execute(
                select(type_coerce(column, LargeBinary)).where(column.is_not(None))
            ).scalars()
        }


def test_afterwards_no_value_carries_an_old_key_and_all_can_be_read(filled: Engine) -> None:
    assert key_ids(filled) == {1}
    with using(ring_of(1, 2)):
        batches = list(rotation.rotate(filled))
        with filled.begin() as connection:
            assert rotation.usage(connection) == {2: sum(batches)}
    assert key_ids(filled) == {2}
    assert max(batches) <= 2 * BATCH, "a batch is at most 50 rows of two values"
    with using(ring_of(2)), Session(filled) as session:
        assert session.get_one(Person, PEOPLE).name == f"某人{PEOPLE - 3}"
        assert session.get_one(media.Media, 6).content == b"photo" * 100
        assert session.get_one(renditions.Rendition, 6).content == b"blur"
        assert session.query(Audit).one().note == "说明"


def test_look_ups_find_the_same_contact_after_it(filled: Engine, ids: Ids) -> None:
    with using(ring_of(1, 2)):
        list(rotation.rotate(filled))
        with filled.begin() as connection:
            assert contacts.hear(connection, "o-wang", NOW).contact_id == ids.contact


def test_stopped_after_one_batch_it_goes_on_where_it_was(filled: Engine) -> None:
    with using(ring_of(1, 2)):
        first: Iterator[int] = rotation.rotate(filled)
        done = next(first)
        first.close()  # type: ignore[attr-defined]  # a generator
        with filled.begin() as connection:
            between = rotation.usage(connection)
        assert between[2] == done
        rest = sum(rotation.rotate(filled))
        assert rest == between[1]
        assert list(rotation.rotate(filled)) == []


def test_what_the_bot_writes_meanwhile_with_the_old_key_is_sealed_anew_too(filled: Engine) -> None:
    with using(ring_of(1, 2)):
        for number, _ in enumerate(rotation.rotate(filled)):
            if number in {2, 4}:  # the audit is among the first tables: by then it is done with
                with using(ring_of(1)), filled.begin() as connection:
                    audit.add(connection, at=NOW, act="look", subject="child", note="又看了一次")
    assert key_ids(filled) == {2}


@pytest.mark.postgres
async def test_a_row_that_a_turn_holds_is_not_waited_for_in_a_batch_and_not_left_out(postgres_engine: Engine) -> None:
    ids = settle_county(postgres_engine)
    waiting = text("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
    with using(ring_of(1, 2)):
        held = postgres_engine.connect()
        held.execute(select(Contact.id).where(Contact.id == ids.contact).with_for_update())
        with postgres_engine.begin() as connection:
            assert rotation.reseal(connection, Contact.__table__).values == 1, "the other contact"
        rotating = asyncio.create_task(asyncio.to_thread(lambda: list(rotation.rotate(postgres_engine))))
        with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
            await eventually(lambda: looking.execute(waiting).scalar())
        held.rollback()
        held.close()
        await rotating
    assert key_ids(postgres_engine) == {2}
