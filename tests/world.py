"""A small county on a real database, real turns, and phones that say what a person would read.

Turns run as the process runs them (claim, handler, words, commit), without HTTP; the whole program over HTTP is tested
in `tests/bot` and `tests/crash`.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, func, select

from bot import turns
from bot.inbound import Inbound
from handlers import delivery, prompts, routes
from handlers.policy import Policy
from handlers.turn import Turn
from storage import areas, contacts, outbox, sealing
from storage.areas import Area, AreaLevel, Unit, UnitKind
from storage.contacts import Contact
from storage.database import connect
from storage.inbox import Inbox
from storage.outbox import Outbox, OutboxState
from storage.people import Duty, Person, PersonRole, Role, phone_index
from storage.tasks import Task

MONDAY_MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""09:00 in China, a workday."""
TYPING = timedelta(seconds=3)
"""How long people take for a message here."""
_counter = itertools.count(1)
T = TypeVar("T")


def ring() -> None:
    """Give this process a key ring of its own."""
    sealing.use(sealing.KeyRing([sealing.Key(1, b"k" * 32, "2026-11-24")]))


@dataclass
class Phone:
    """One WeChat user; `reads` is everything that appeared on the screen."""

    world: "World"
    openid: str
    reads: list[str] = field(default_factory=list)

    def says(self, text: str | None = None, **fields: Any) -> str:  # noqa: ANN401 - fields of Inbound
        """Send words (or, with `kind=`, something else) after a moment's typing; what is answered."""
        self.world.now += TYPING
        reply = self.world.deliver(self, Inbound_of(self.openid, text, self.world.now, **fields))
        self.world.settle()
        return reply

    def taps(self, menu: str, content: str) -> str:
        """Tap a link in a message."""
        return self.says(content, menu_id=menu)

    def event(self, event: str, key: str = "") -> str:
        """A menu key, a follow, a scan."""
        return self.says(None, kind="event", event=event, event_key=key)

    @property
    def last(self) -> str:
        """What appeared last."""
        return self.reads[-1] if self.reads else ""


def Inbound_of(openid: str, text: str | None, now: datetime, **fields: Any) -> Inbound:  # noqa: ANN401, N802 - reads like a type
    """A message as the codec would have made it."""
    number = next(_counter)
    values: dict[str, Any] = {
        "openid": openid, "to": "gh_test", "kind": "text", "msg_id": str(number), "create_time": int(now.timestamp()),
        "text": text, "raw": "",
    } | fields  # fmt: skip
    if values["kind"] == "event":
        values["msg_id"] = None
        values.setdefault("job_id", str(number))
    return Inbound(**values)


class World:
    """The county, its clock and its phones."""

    def __init__(self, engine: Engine, policy: Policy | None = None) -> None:
        self.engine = engine
        self.policy = policy or Policy(version=1)
        self.now = MONDAY_MORNING
        self.phones: dict[int, Phone] = {}
        self.by_openid: dict[str, Phone] = {}
        self.seen: list[tuple[str, str]] = []
        """Everything that appeared on any phone, in order: openid, words."""
        self.dead: set[str] = set()
        """Openids that the platform refuses to write to."""

    @classmethod
    def on(cls, url: str, policy: Policy | None = None) -> "World":
        """A world on an empty migrated database."""
        ring()
        return cls(connect(url), policy)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def phone(self, name: str) -> Phone:
        """The phone of a WeChat user."""
        openid = f"o-{name}"
        return self.by_openid.setdefault(openid, Phone(self, openid))

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run in one transaction."""
        with self.engine.begin() as connection:
            return work(connection)

    def turn(self, act: Callable[[Turn], T]) -> T:
        """Run `act(turn)` as a turn without a conversation."""

        def work(connection: Connection) -> T:
            turn = Turn(connection, self.now, self.policy, kinds=routes.TASKS)
            result = act(turn)
            turn.settle()
            return result

        return self.run(work)

    def at_once(self, phone: Phone, texts: Sequence[str]) -> list[str]:
        """Messages that were queued on the phone and reach our door together; what each is answered."""
        self.now += TYPING
        inbounds = [Inbound_of(phone.openid, text, self.now) for text in texts]
        replies = [self.deliver(phone, one) for one in inbounds]
        self.settle()
        return replies

    def say_only(self, phone: Phone, text: str) -> str:
        """One message and its turn, without what follows from it."""
        return self.deliver(phone, Inbound_of(phone.openid, text, self.now), handed=False)

    def deliver(self, phone: Phone, inbound: Inbound, *, handed: bool = True) -> str:
        """One delivery of one message; what the passive reply says. `handed`: noted as written to the platform."""
        reply = self.run(partial(turns.take, inbound=inbound, arrived_at=self.now, now=self.now, policy=self.policy))
        if handed and reply.inbox_id is not None:
            self.run(partial(outbox.mark_handed, inbox_ids=[reply.inbox_id], now=self.now))
        if reply.text:
            self.show(phone.openid, reply.text)
        return reply.text or ""

    def show(self, openid: str, text: str) -> None:
        """Words appear on a phone."""
        self.by_openid.setdefault(openid, Phone(self, openid)).reads.append(text)
        self.seen.append((openid, text))

    def settle(self) -> None:
        """Run what is due now and deliver what is queued, until nothing is left."""
        for _ in range(5000):
            done = self.run(partial(turns.run_kept, now=self.now, policy=self.policy))
            done += self.run(partial(turns.run_due, now=self.now, policy=self.policy))
            done += self.run(self._send)
            if not done:
                return
        raise AssertionError("due work does not come to an end")

    def pass_(self, **time: float) -> None:
        """Let time pass, stepping through everything that falls due."""
        until = self.now + timedelta(**time)
        self.settle()
        while (step := self.run(partial(next_due, after=self.now, until=until))) is not None:
            self.now = step
            self.settle()
        self.now = until
        self.settle()

    def _send(self, connection: Connection) -> int:
        rows = outbox.claim(connection, self.now, 50)
        for row in rows:
            talk = contacts.talk_with(connection, row.contact_id, self.now)
            if talk is None or talk.openid in self.dead:
                outbox.settle(connection, row.id, OutboxState.UNDELIVERABLE, now=self.now)
                turn = Turn(connection, self.now, self.policy, kinds=routes.TASKS)
                delivery.undelivered(turn, row.contact_id, row.kind)
                turn.settle()
                continue
            content = prompts.still_true(connection, row.id, row.content, self.now)
            if content is None:
                outbox.settle(connection, row.id, OutboxState.CANCELLED, now=self.now)
                continue
            waits_until = prompts.waits_until(connection, talk, row, content, self.now, self.policy)
            if waits_until is not None:
                outbox.settle(connection, row.id, OutboxState.QUEUED, now=self.now, next_at=waits_until)
                continue
            if row.kind != "reply":
                talk.pushed_at = self.now
                contacts.keep(connection, talk)
            self.show(talk.openid, content["text"])
            outbox.settle(connection, row.id, OutboxState.ACCEPTED, now=self.now, channel="custom")
        return len(rows)

    # A county.

    def area(self, name: str, level: AreaLevel, parent: Area | None = None) -> Area:
        """An area."""
        return self.turn(lambda turn: areas.add_area(turn.session, level, name, parent))

    def unit(self, name: str, kind: UnitKind, area: Area) -> Unit:
        """A unit."""

        def add(turn: Turn) -> Unit:
            unit = Unit(area_id=area.id, kind=kind, name=name)
            turn.session.add(unit)
            turn.session.flush()
            return unit

        return self.turn(add)

    def person(
        self,
        name: str,
        role: Role,
        area: Area,
        *,
        phone: str | None = None,
        unit: Unit | None = None,
        bound: bool = True,
    ) -> Person:
        """Somebody with a role, bound to the phone of the same name."""

        def add(turn: Turn) -> Person:
            person = Person(
                name=name, phone=phone, phone_index=phone_index(phone) if phone else None, area_id=area.id,
                unit_id=unit.id if unit else None, joined_at=turn.now,
            )  # fmt: skip
            turn.session.add(person)
            turn.session.flush()
            turn.session.add(PersonRole(person_id=person.id, role=role, area_id=area.id, since=turn.now))
            if bound:
                talk = contacts.hear(turn.connection, f"o-{name}", turn.now)
                turn.session.get_one(Contact, talk.contact_id).person_id = person.id
            return person

        return self.turn(add)

    def duty(self, area: Area, person: Person, stand_in: Person | None = None) -> None:
        """Who is on duty for an area."""
        row = Duty(area_id=area.id, person_id=person.id, stand_in_id=stand_in.id if stand_in else None, since=self.now)
        self.turn(lambda turn: turn.session.add(row))


_NEXT = [
    select(func.min(row.next_at)).where(row.next_at > bindparam("after", type_=row.next_at.type))
    for row in (Inbox, Outbox, Task)
]
"""Media are not among them: nothing fetches them here."""


def next_due(connection: Connection, after: datetime, until: datetime) -> datetime | None:
    """The next moment at which something falls due, up to `until`.

    What was due before waits for something else, as words do for earlier ones to the same person.
    """
    found = (connection.execute(query, {"after": after}).scalar() for query in _NEXT)
    moments = [moment for moment in found if moment is not None]
    return min((moment for moment in moments if moment <= until), default=None)


def outbox_rows(world: World) -> list[Outbox]:
    """Everything that was or will be said."""
    return world.turn(lambda turn: list(turn.session.scalars(select(Outbox).order_by(Outbox.id))))


def key_file(folder: Path) -> Path:
    """A fresh key file."""
    path = folder / "test.keys"
    sealing.append_new_key(path, MONDAY_MORNING)
    return path
