"""Rows read and written by hot statements are the session's rows: the same values, one object each, written once."""

import pytest
from sqlalchemy import Connection, Engine, bindparam, inspect, select, text
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from storage.areas import Area
from storage.database import Base
from storage.people import Person
from storage.rows import Found, Rows
from tests.storage.conftest import NOW, Ids

HERE = Found(Person, lambda query: query.where(Person.area_id == bindparam("area")).order_by(Person.id))


def rows_of(connection: Connection) -> Rows:
    return Rows(bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False)


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
