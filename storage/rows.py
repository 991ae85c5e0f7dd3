"""ORM rows without the ORM's price: read and written back by hot statements, and rows of the session all the same.

`Session.get` costs 150 to 300 µs, a query as much, and writing one changed row 400 with its savepoint; by a `Hot` it
is 20 to 40. Due work reads and changes a handful of rows a task, so this decides how much of it a
second holds. Whatever is not a whole row by its key or a change of plain columns stays the session's own.
"""

from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Executable, bindparam, inspect, select, update
from sqlalchemy.orm import InstanceState, Mapper, Session, configure_mappers
from sqlalchemy.orm.attributes import instance_state, set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from storage.database import Base
from storage.statements import Hot, Values

R = TypeVar("R", bound=Base)
Known = dict[Any, dict[int, Any]]
"""Mapped class → id → row."""


class Found(Generic[R]):
    """A statement that gives whole rows of one table: a `Hot` whose rows are the session's."""

    def __init__(self, entity: type[R], statement: Executable) -> None:
        self._hot = Hot(statement)
        self._table = _Table.of(entity)

    def all(self, session: Session, values: Values) -> list[R]:
        """Every row."""
        rows = self._hot.all(connection_of(session), values)
        return [self._table.row(session, one) for one in rows]

    def first(self, session: Session, values: Values) -> R | None:
        """The first row, or None."""
        row = self._hot.first(connection_of(session), values)
        return None if row is None else self._table.row(session, row)


class Rows(Session):
    """A session that reads rows by their key, and writes changed ones, with hot statements.

    `known`: tables (with an empty dict each) whose rows several sessions of one transaction read only once.
    """

    def __init__(self, *args: Any, known: Known | None = None, **options: Any) -> None:  # noqa: ANN401 - as Session's
        super().__init__(*args, **options)
        configure_mappers()  # SQLAlchemy's own first query does it; until then a row has no attributes
        self._known = known or {}

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:  # noqa: ANN401 - as Session has it
        """A row by its key, None when there is none; with options it is the session's own matter."""
        if options or not isinstance(ident, int):
            return super().get(entity, ident, **options)
        table = _Table.of(entity)
        held = self.identity_map.get(table.key(ident))
        if held is not None and not instance_state(held).expired:
            return held
        known = self._known.get(entity)
        if known is not None and ident in known:
            _attach(self, instance_state(known[ident]))
            return known[ident]
        found = table.by_id.first(_connection(self), {"id": ident})
        if found is None:
            return None
        row = table.row(self, found)
        if known is not None:
            known[ident] = row
        return row

    def get_one(self, entity: Any, ident: Any, **options: Any) -> Any:  # noqa: ANN401 - as Session has it
        """The same of a row that is there."""
        found = self.get(entity, ident, **options)
        return super().get_one(entity, ident, **options) if found is None else found

    def flush(self, objects: Any = None) -> None:  # noqa: ANN401 - as Session has it
        """Write what changed; new and deleted rows are the session's own matter, and what goes with them."""
        if self._is_clean():  # as the session's own begins
            return
        if objects is not None or self.new or self.deleted:
            super().flush(objects)
            return
        for row in self.dirty:
            state = instance_state(row)
            changed = tuple(sorted(name for name, old in state.committed_state.items() if old != state.dict[name]))
            if changed:
                table, values = _Table.of(type(row)), {name: state.dict[name] for name in changed}
                values["b_id"] = _id_of(state)
                if table.change(changed).write(_connection(self), values) != 1:
                    raise StaleDataError(f"a row of {table.name} is gone")
            state._commit_all(state.dict, self.identity_map)  # noqa: SLF001 - what a flush does, and has no other name


def connection_of(session: Session) -> Connection:
    """The connection whose transaction the session works in, for a query: what this turn changed is written first."""
    if session.autoflush:
        session.flush()
    return _connection(session)


def read_anew(session: Session, row: Base, name: str) -> None:
    """Read one column as it is now, and let nobody else change the row until the end of the transaction."""
    table, state = _Table.of(type(row)), instance_state(row)
    now = table.lock(name).first(connection_of(session), {"id": _id_of(state)})
    if now is None:
        raise StaleDataError(f"a row of {table.name} is gone")
    set_committed_value(row, name, now[0])


def _id_of(state: InstanceState[Any]) -> int:
    """The key of a row that is in the database."""
    return int((state.identity or ())[0])


def _attach(session: Session, state: InstanceState[Any]) -> None:
    """Make it a row of the session, as a query does."""
    state.session_id = session.hash_key
    session.identity_map.add(state)


def _connection(session: Session) -> Connection:
    return session.bind if isinstance(session.bind, Connection) else session.connection()


class _Table(Generic[R]):
    """What is known of one mapped table, once."""

    _known: dict[Any, "_Table[Any]"] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, entity: type[R]) -> None:
        mapper: Mapper[R] = inspect(entity)
        self._table, self._mapper = entity.__table__, mapper
        self.name = self._table.name
        self._id = mapper.primary_key[0]
        self._columns = tuple(column.key for column in self._table.c)
        self._place = self._columns.index(self._id.key)
        self.by_id = Hot(select(self._table).where(self._id == bindparam("id")))
        self._changes: dict[tuple[str, ...], Hot] = {}
        self._locks: dict[str, Hot] = {}

    @classmethod
    def of(cls, entity: type[R]) -> "_Table[R]":
        """The table of a mapped class."""
        known = cls._known.get(entity)
        if known is None:
            known = cls._known[entity] = cls(entity)
        return known

    def key(self, ident: int) -> Any:  # noqa: ANN401 - the session's own kind
        """What the session knows a row by."""
        return self._mapper.class_, (ident,), None

    def change(self, names: tuple[str, ...]) -> Hot:
        """The statement that writes these columns."""
        made = self._changes.get(names)
        if made is None:
            values = {name: bindparam(name, type_=self._table.c[name].type) for name in names}
            statement = update(self._table).where(self._id == bindparam("b_id")).values(values)
            made = self._changes[names] = Hot(statement)
        return made

    def lock(self, name: str) -> Hot:
        """The statement that locks a row and reads this column."""
        made = self._locks.get(name)
        if made is None:
            statement = select(self._table.c[name]).where(self._id == bindparam("id"))
            made = self._locks[name] = Hot(statement.with_for_update(key_share=True))
        return made

    def row(self, session: Session, found: Any) -> R:  # noqa: ANN401 - a row of all columns
        """The session's row; one it holds already is as this turn left it."""
        key = self.key(found[self._place])
        held: R | None = session.identity_map.get(key)
        if held is not None:
            if instance_state(held).expired:
                session.refresh(held)
            return held
        row: R = self._mapper.class_manager.new_instance()
        state: InstanceState[R] = instance_state(row)
        state.dict.update(zip(self._columns, found, strict=True))
        state.key = key
        _attach(session, state)
        return row
