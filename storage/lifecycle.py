"""Lifecycles as named moves in the class body of the row: the class body is the diagram.

    close = move(Stage.VISITED, to=Stage.CLOSED)

`case.close(turn.session, by=…, at=…, why=…)` checks the stage, changes it and appends a `Step` (who, when, why).
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self, overload

from sqlalchemy import String, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from storage.database import Base, Id, Sealed
from storage.rows import connection_of, read_anew
from storage.statements import Hot


class Step(Base):
    """One move that was made: what happened to which row, by whom, when and why."""

    __tablename__ = "step"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subject: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int] = mapped_column(Id, index=True)
    move: Mapped[str] = mapped_column(String(40))
    before: Mapped[str] = mapped_column(String(20))
    after: Mapped[str] = mapped_column(String(20))
    by_id: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(index=True)
    why: Mapped[str | None] = mapped_column(Sealed("step.why"))


_STEP = Hot(insert(Step.__table__))


class NotAllowed(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """A move from a stage it does not start from."""

    def __init__(self, subject: str, name: str, stage: str) -> None:
        super().__init__(f"{subject} cannot {name} from {stage}")
        self.subject, self.move, self.stage = subject, name, stage


class Make(Protocol):
    """A move bound to its row; raises NotAllowed when the row's stage is not one it starts from."""

    def __call__(self, session: Session, *, by: int | None, at: datetime, why: str | None = None) -> None:
        """Make the move, noting who (a person id), when and why."""
        ...


class move:  # noqa: N801 - reads as a word of the lifecycle language
    """A named move of a row with a `stage` column; it learns its own name."""

    def __init__(self, *before: StrEnum, to: StrEnum) -> None:
        self.before, self.to, self.name = before, to, ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name the class body gave."""
        self.name = name

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...

    @overload
    def __get__(self, row: object, owner: type) -> "Make": ...

    def __get__(self, row: Any, owner: type) -> "Make | Self":
        """The bound move, or the move itself when asked on the class."""
        if row is None:
            return self

        def make(session: Session, *, by: int | None, at: datetime, why: str | None = None) -> None:
            read_anew(session, row, "stage")  # of two at once, the second sees the first's move
            if row.stage not in self.before:
                raise NotAllowed(row.__tablename__, self.name, row.stage)
            _STEP.write(connection_of(session), {
                "subject": row.__tablename__, "subject_id": row.id, "move": self.name, "before": str(row.stage),
                "after": str(self.to), "by_id": by, "at": at, "why": why,
            })  # fmt: skip
            row.stage = self.to

        return make


def moves(row: type) -> Iterator[move]:
    """All moves of a row's class body, in its order."""
    return (value for value in vars(row).values() if isinstance(value, move))


def diagram(row: type) -> str:
    """The lifecycle as a mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for one in moves(row):
        lines += [f"    {before} --> {one.to}: {one.name}" for before in one.before]
    return "\n".join(lines)


def history(session: Session, subject: str, subject_id: int) -> list[Step]:
    """Every move of one row, oldest first."""
    query = select(Step).where(Step.subject == subject, Step.subject_id == subject_id)
    return list(session.scalars(query.order_by(Step.id)))
