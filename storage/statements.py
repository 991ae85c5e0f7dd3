"""Statements of the hot path: written in SQLAlchemy Core, compiled once, run on the driver itself.

`Connection.execute` looks up the compiled statement, its parameters' and columns' types and makes a cursor result anew
at every call: 80 to 90 µs, against 2 to 10 of the driver (docs/performance.md). A `Hot` does that once for each
dialect. What stays SQLAlchemy's: the SQL, the column types (sealing, UTC), the transaction, and its errors.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Column, Connection, Dialect, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from storage.pipelines import pipeline_of, wrapped

Values = Mapping[str, Any]
_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Hot:
    """One statement; `values` are its bound parameters by name, an insert's are all its columns.

    Given a function instead of a statement, it makes the statement of `insert(table)` of the dialect at hand, for
    `ON CONFLICT`, which Core spells by dialect.
    """

    def __init__(self, statement: Executable | Callable[[Any], Executable]) -> None:
        self._statement = statement
        self._made: dict[str, _Compiled] = {}

    def all(self, connection: Connection, values: Values) -> list[Any]:
        """Every row, as a named tuple."""
        made = self._for(connection, values)
        return [made.row(one) for one in made.asked(connection, values, "fetchall")]

    def first(self, connection: Connection, values: Values) -> Any | None:  # noqa: ANN401 - a row
        """The first row, or None."""
        made = self._for(connection, values)
        found = made.asked(connection, values, "fetchone")
        return None if found is None else made.row(found)

    def scalar(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 - a column's value
        """The first column of the first row, or None."""
        row = self.first(connection, values)
        return None if row is None else row[0]

    def scalars(self, connection: Connection, values: Values) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self.all(connection, values)]

    def write(self, connection: Connection, values: Values) -> int:
        """Run it; how many rows it changed."""
        return self._for(connection, values).counted(connection, values)

    def ask(self, connection: Connection, values: Values) -> Callable[[], Any | None]:
        """Run it; what is given back waits for its first row, so that another statement can be sent before."""
        made = self._for(connection, values)
        answer = made.sent(connection, values)

        def first() -> Any | None:  # noqa: ANN401 - a row
            found = answer()
            return None if found is None else made.row(found)

        return first

    def do(self, connection: Connection, values: Values) -> None:
        """Run it and ask nothing back: in a pipeline nobody waits, and its error comes up later."""
        self._for(connection, values).run(connection, values)

    def write_all(self, connection: Connection, several: Sequence[Values]) -> None:
        """Do it once for each of `several`, of which there is at least one."""
        self._for(connection, several[0]).run_all(connection, several)

    def _for(self, connection: Connection, values: Values) -> "_Compiled":
        name = connection.dialect.name
        made = self._made.get(name)
        if made is None:
            statement = self._statement if isinstance(self._statement, Executable) else self._statement(_INSERTS[name])
            made = self._made[name] = _compile(statement, connection.dialect, values)
        return made


Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in one dialect: its text, how to make its parameters, and how to read its rows."""

    text: str
    parameters: tuple[tuple[str, Processor, bool], ...]
    """In the order of the text: name, what makes the driver's value of ours, and whether it stands in `constants`."""
    constants: Mapping[str, Any]
    """Values that stand in the statement itself, as the driver takes them."""
    columns: tuple[tuple[int, Processor], ...]
    """Columns whose values have to be made ours."""
    row_of: Callable[[Any], Any]
    errors: type[Exception]

    def bound(self, values: Values) -> list[Any]:
        """The driver's parameters."""
        constants = self.constants
        return [
            constants[name] if fixed else make(values[name]) if make else values[name]
            for name, make, fixed in self.parameters
        ]

    def row(self, found: Sequence[Any]) -> Any:  # noqa: ANN401 - a row
        """A row as ours."""
        if self.columns:
            found = list(found)
            for number, read in self.columns:
                if read is not None:
                    found[number] = read(found[number])
        return self.row_of(found)

    def asked(self, connection: Connection, values: Values, fetch: str) -> Any:  # noqa: ANN401 - what the driver gives
        """The driver's row or rows."""
        try:
            return getattr(_driver(connection).execute(self.text, self.bound(values)), fetch)()
        except self.errors as error:
            raise wrapped(connection, self.text, error) from error

    def sent(self, connection: Connection, values: Values) -> Callable[[], Any]:
        """Send it; what is given back waits for the driver's row."""
        try:
            cursor = _driver(connection).execute(self.text, self.bound(values))
        except self.errors as error:
            raise wrapped(connection, self.text, error) from error

        def fetch() -> Any:  # noqa: ANN401 - as above
            try:
                return cursor.fetchone()
            except self.errors as error:
                raise wrapped(connection, self.text, error) from error

        return fetch

    def counted(self, connection: Connection, values: Values) -> int:
        """How many rows it changed."""
        try:
            return int(_driver(connection).execute(self.text, self.bound(values)).rowcount)
        except self.errors as error:
            raise wrapped(connection, self.text, error) from error

    def run(self, connection: Connection, values: Values) -> None:
        """Run it inside the connection's transaction."""
        try:
            _driver(connection).execute(self.text, self.bound(values))
        except self.errors as error:
            raise wrapped(connection, self.text, error) from error

    def run_all(self, connection: Connection, several: Sequence[Values]) -> None:
        """Run it for each of the values."""
        try:
            _driver(connection).executemany(self.text, [self.bound(one) for one in several])
        except self.errors as error:
            raise wrapped(connection, self.text, error) from error


def command(connection: Connection, text: str) -> None:
    """Run SQL that has neither values nor rows: a savepoint and its end."""
    try:
        _driver(connection).execute(text)
    except connection.dialect.loaded_dbapi.Error as error:
        raise wrapped(connection, text, error) from error


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - sqlite3's connection or a pipeline, which share `execute`
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.dbapi_connection if connection.dialect.name == "sqlite" else pipeline_of(connection)


def _compile(statement: Executable, dialect: Dialect, values: Values) -> _Compiled:
    visitors.traverse(statement, {}, {"bindparam": _asked_later})  # type: ignore[call-overload]  # as below
    dialect = _numbered(dialect)
    keys = list(values) if isinstance(statement, Insert) and statement.select is None else None
    compiled = statement.compile(dialect=dialect, column_keys=keys, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]  # every statement is a ClauseElement
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - no DDL is hot
    in_statement = compiled.params | {column.key: _default(column) for column in compiled.insert_prefetch}
    names = list(compiled.positiontup or ())
    processors = {name: _bind(compiled, dialect, name) for name in names}
    constants = {
        name: make(in_statement[name]) if (make := processors[name]) else in_statement[name]
        for name in names
        if name not in values
    }
    columns = list(statement.exported_columns)  # type: ignore[attr-defined]  # empty where nothing comes back
    reads = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    return _Compiled(
        text=str(compiled),
        parameters=tuple((name, processors[name], name in constants) for name in names),
        constants=constants,
        columns=tuple((number, read) for number, read in enumerate(reads) if read is not None),
        row_of=_row_of([column.key for column in columns]),
        errors=dialect.loaded_dbapi.Error,
    )


def _numbered(dialect: Dialect) -> Dialect:
    """The dialect that writes parameters as libpq takes them: `$1`."""
    if dialect.name != "sqlite":
        dialect = copy(dialect)
        dialect.paramstyle, dialect.positional = "numeric_dollar", True
        dialect.identifier_preparer = dialect.preparer(dialect)  # where % is no longer doubled
    return dialect


def _row_of(names: Sequence[str]) -> Callable[[Any], Any]:
    """What makes a named tuple of a row; a column that has no plain name is reached by its place."""
    row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 - its names are known only now
    return row._make


def _asked_later(parameter: BindParameter[Any]) -> None:
    """Its value comes at each call: else rendering the lists of IN, which stand in the statement, asks for it now."""
    if parameter.required and parameter.expanding:
        raise TypeError("a list of changing length has no one statement")
    parameter.required = False


def _default(column: Column[Any]) -> Any:  # noqa: ANN401 - a column's value
    if not isinstance(column.default, ScalarElementColumnDefault):
        raise TypeError(f"nobody makes the default of {column} in a hot statement")
    return column.default.arg


def _bind(compiled: SQLCompiler, dialect: Dialect, name: str) -> Processor:
    """What makes the driver's value of a parameter; the parts of an IN list are of the list's type."""
    parameter = compiled.binds.get(name)
    if parameter is None:  # rendered from a list: state_1_2 of state_1
        parameter = compiled.binds[name.rpartition("_")[0]]
    return parameter.type.dialect_impl(dialect).bind_processor(dialect)
