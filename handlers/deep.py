"""`tongban check --deep`: whether the whole database is sound, and the digest's numbers against a recount by rows."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine

from handlers import enrolment, figures
from handlers.check import Finding
from handlers.policy import Policy
from handlers.turn import Turn
from storage import areas, contacts, deep, people, recount
from storage import figures as stored
from storage.deep import Wrong

INDEXES: deep.Indexes = {
    "contact": {"openid": ("openid_index", contacts.openid_index)},
    "person": {"phone": ("phone_index", people.phone_index)},
    "child": {
        "name": ("name_index", enrolment.name_index),
        "id_number": ("id_number_index", enrolment.id_number_index),
    },
}
LOOKS: tuple[Callable[[Engine], Iterator[Wrong]], ...] = (
    deep.damaged, deep.dangling, partial(deep.unreadable, indexes=INDEXES), deep.misplaced, deep.broken_chains,
    deep.miscounted,
)  # fmt: skip
"""In this order: what comes later believes what came before."""


def findings(engine: Engine, now: datetime, policy: Policy) -> Iterator[Finding]:
    """Everything, as it is found; `engine` is `storage.deep.reading`'s."""
    for look in LOOKS:
        for wrong in look(engine):
            yield Finding(wrong.kind, wrong.subject, wrong.id, f"{wrong.subject} {wrong.id}: {wrong.what}.")
    with engine.connect() as connection:
        yield from numbers(connection, now, policy)


def numbers(connection: Connection, now: datetime, policy: Policy) -> Iterator[Finding]:
    """The county's figures of the last 24 hours and of this moment, counted twice."""
    turn = Turn(connection, now, policy)
    county = areas.county(turn.session)
    if county is None:
        return
    looked_at = figures.span(turn, county, now)
    again = recount.figures_again(connection, looked_at, county.id)
    for number, code in figures.NUMBERS.items():
        told = sum(many for _, _, many in stored.counted(connection, figures.BEHIND[code], looked_at))
        if code in again and told != again[code]:
            what = f"{code} is {told} in a digest, and {again[code]} when the rows are counted"
            yield Finding("wrong_number", "figure", number, f"figure {number}: {what}.")
