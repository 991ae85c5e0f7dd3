"""Rows read and written by hot statements are the session's rows: the same values, one object each, written once."""

import subprocess
import sys

import pytest
from sqlalchemy import Connection, Engine, bindparam, inspect, select, text
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from storage.areas import Area
from storage.database import Base
from storage.people import Person
from storage.rows import Found, Known, Rows, read_anew
from tests.storage.conftest import NOW, Ids

HERE = Found(Person, select(Person.__table__).where(Person.area_id == bindparam("area")).order_by(Person.id))


def rows_of(connection: Connection, known: Known | None = None) -> Rows:
    return Rows(bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False, known=known)


def test_every_table_names_its_attributes_as_its_columns() -> None:
    for mapper in Base.registry.mappers:
        assert [one.key for one in mapper.column_attrs] == [column.key for column in mapper.local_table.c]


def test_a_row_is_what_the_session_would_have_read(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        found = rows_of(connection).get_one(Person, ids.person)
        asked = Session(connection).get_one(Person, ids.person)
        assert {one.key: getattr(found, one.key) for one in inspect(Person).column_attrs} == {
            one.key: getattr(asked, one.key) for one in inspect(Person).column_attrs
        }
        assert rows_of(connection).get(Person, 999) is None


def test_the_first_row_of_a_process_is_read_like_any_other(ids: Ids, url: str) -> None:
    program = """
import sys
from storage.areas import county
from storage.database import connect
from storage.rows import Rows
print(county(Rows(bind=connect(sys.argv[1]).connect())).id)
"""
    found = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout.strip()) == (0, str(ids.county)), found.stderr


def test_one_row_is_one_object_however_it_is_found(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        rows = rows_of(connection)
        person = rows.get_one(Person, ids.person)
        person.prompt_hour = 9
        assert rows.get_one(Person, ids.person) is person
        assert HERE.all(rows, {"area": ids.county})[0] is person
        assert rows.scalars(select(Person).order_by(Person.id)).first() is person
        assert person.prompt_hour == 9, "what was changed is not read over"


def test_what_changed_is_written_before_a_query_and_kept(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        rows = rows_of(connection)
        person = rows.get_one(Person, ids.person)
        person.area_id, person.phone = None, "139"
        assert [one.id for one in HERE.all(rows, {"area": ids.county})] == [ids.other]
        first = HERE.first(rows, {"area": ids.county})
        assert first is not None
        assert first.id == ids.other
        assert not rows.dirty
        rows.commit()
    with Session(engine) as session:
        person = session.get_one(Person, ids.person)
        assert (person.area_id, person.phone, person.name) == (None, "139", "王老师")


def test_a_new_row_and_a_changed_one_are_written_together(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        rows = rows_of(connection)
        rows.get_one(Person, ids.person).prompt_hour = 7
        new = Area(parent_id=ids.county, level="township", name="东乡", path="/1/2/")
        rows.add(new)
        rows.flush()
        rows.get_one(Person, ids.other).area_id = new.id
        rows.commit()
    with Session(engine) as session:
        assert session.get_one(Person, ids.person).prompt_hour == 7
        assert session.get_one(Person, ids.other).area_id == new.id


def test_a_row_that_was_rolled_back_is_read_anew(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        rows = rows_of(connection)
        person = rows.get_one(Person, ids.person)
        rows.scalars(select(Area)).all()  # begins the session's own savepoint
        person.prompt_hour = 7
        rows.flush()
        rows.rollback()
        assert rows.get_one(Person, ids.person) is person
        assert person.prompt_hour is None


def test_a_row_that_is_gone_is_not_written_in_silence(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        rows = rows_of(connection)
        person = rows.get_one(Person, ids.other)
        connection.execute(text("DELETE FROM contact"))
        connection.execute(text("DELETE FROM person WHERE id = :one"), {"one": ids.other})
        person.joined_at = NOW.replace(hour=5)
        with pytest.raises(StaleDataError):
            rows.flush()
        rows.close()


def test_what_one_session_read_another_of_the_transaction_need_not(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        known: Known = {Person: {}}
        first, second = (rows_of(connection, known) for _ in range(2))
        person = first.get_one(Person, ids.person)
        first.close()
        connection.execute(text("UPDATE person SET prompt_hour = 5"))
        assert second.get_one(Person, ids.person) is person
        assert person.prompt_hour is None, "it was not read again"
        person.prompt_hour = 8
        second.flush()
        assert connection.execute(text("SELECT prompt_hour FROM person ORDER BY id")).scalars().all() == [8, 5]
        assert second.get_one(Area, ids.county) is not first.get_one(Area, ids.county)
        second.close()


def test_a_row_is_read_anew_under_a_lock(engine: Engine, ids: Ids) -> None:
    with engine.begin() as connection:
        rows = rows_of(connection)
        person = rows.get_one(Person, ids.person)
        connection.execute(text("UPDATE person SET prompt_hour = 5"))
        read_anew(rows, person, "prompt_hour")
        assert person.prompt_hour == 5
        assert not rows.dirty
        rows.close()
