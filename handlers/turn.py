"""`Turn`: the one object a handler gets. One message, one due thing or one page, at one instant, in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from handlers.message import Message
from handlers.policy import Policy
from messages import render
from storage import areas, audit, outbox, people, tasks
from storage.contacts import Talk
from storage.outbox import OutboxKind, OutboxState
from storage.people import Person, Role
from storage.rows import Known, Rows

if TYPE_CHECKING:
    from handlers.kinds import TaskKind

PASSIVE_PATIENCE = timedelta(seconds=20)
"""A passive reply not known to be written after this becomes an ordinary send (design 3.3)."""
RECEIPT_KEPT = timedelta(hours=24)
"""How long words that hold a receipt are kept (design 7)."""


class Refused(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """A rule says no and the person may know why: what the turn did is undone and the named text is said."""

    def __init__(self, name: str, **values: object) -> None:
        super().__init__(name)
        self.name, self.values = name, values


class NotSetUp(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """There is no county yet. No refusal: a message that meets it is kept and tried again, since it may be a report."""


@dataclass(frozen=True)
class Card:
    """A push outside a reply: a purpose of `[wechat] templates`, short values (20 characters), and a page."""

    purpose: str
    values: Mapping[str, str]
    path: str | None = None


@dataclass
class Turn:
    """What a handler may touch. It cannot commit, send, or ask the time."""

    connection: Connection
    now: datetime
    policy: Policy
    talk: Talk | None = None
    """The conversation this turn belongs to; None for due work."""
    message: Message | None = None
    inbox_id: int | None = None
    since: datetime | None = None
    """Of due work: when it should have been done."""
    said: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    """The texts that were said, by name."""
    asks: tuple[str, bool] | None = None
    """The question of a flow that was put last, as `flow.question`, and whether any words are an answer to it."""
    holds_receipt: bool = False
    """Whether what was said holds a receipt and has to be erased after a day."""
    kinds: "Mapping[str, TaskKind]" = field(default_factory=dict)
    """Every kind of task by name; `handlers.routes` gives it, since a list shows tasks of all topics."""
    looks: list[Callable[[Connection], None]] | None = None
    """Of a turn that may only read: what has to be logged, for the shell to commit before anything is shown."""
    ahead: Any = None
    """What the task's kind read ahead of its turn, if it did."""
    known: Known | None = None
    """Rows that this turn need not read, since another one of the same transaction did."""
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """ORM access inside this turn's transaction; made when first needed, since the hot path does without."""
        if self._session is None:
            self._session = Rows(
                bind=self.connection,
                join_transaction_mode="create_savepoint",
                expire_on_commit=False,
                autoflush=True,
                known=self.known,
            )
        return self._session

    def settle(self) -> None:
        """Write what the ORM still holds; the shell calls it once, before it commits."""
        if self._session is not None:
            self._session.flush()  # the turn ends here, nobody else would
            if self._session.in_transaction():
                self._session.commit()  # releases the session's own savepoint, not the transaction
            self._session.close()
            self._session = None

    def abandon(self) -> None:
        """Drop what the ORM holds; the shell rolls the rest back."""
        if self._session is not None:
            self._session.rollback()
            self._session.close()
            self._session = None
        self.named.clear()
        self.asks = None
        for known in ("person", "roles"):  # rows of the session that is gone
            self.__dict__.pop(known, None)

    # Who is speaking.

    @cached_property
    def person(self) -> Person | None:
        """The bound person who speaks; None for a citizen."""
        return people.person_of(self.session, self.talk.person_id) if self.talk and self.talk.person_id else None

    @cached_property
    def roles(self) -> dict[str, int | None]:
        """Role → area id of the speaking person; empty for a citizen."""
        if self.person is None:
            return {}
        return {one.role: one.area_id for one in people.roles_of(self.session, self.person.id, self.now)}

    @cached_property
    def _places(self) -> dict[str, list[Any]]:
        return {}

    def belonging(self, words: str) -> list[Any]:
        """Where words belong (`storage.areas.belonging`); the same words are looked up once a turn."""
        if words not in self._places:
            self._places[words] = areas.belonging(self.connection, words)
        return self._places[words]

    def require(self, *roles: Role) -> Person:
        """The speaking person, who must hold one of these roles; a denied act reads like one that does not exist."""
        if self.person is None or not self.roles.keys() & set(roles):
            raise Refused("common/not_yours")
        return self.person

    def reach(self, person_id: int | None, purpose: str = "task") -> int | None:
        """The contact by which a person can be asked now: WeChat's, else their telephone; None: it is nobody.

        Somebody on leave is nobody.
        """
        found = people.at_work(self.session, person_id)
        if found is None and self.policy.by_telephone(purpose):
            return people.telephone(self.session, person_id, self.now)
        return found

    # Speaking.

    def say(self, name: str, /, **values: object) -> None:
        """Answer the speaking person with `messages/<name>.txt`; several are joined into one reply."""
        self.said.append(render(name, **values))
        self.named.append(name)

    def say_first(self, name: str, /, **values: object) -> None:
        """The same, above everything else that is said in this turn: danger comes first."""
        self.said.insert(0, render(name, **values))
        self.named.insert(0, name)

    def push(
        self, person_id: int | None, kind: OutboxKind, name: str, /, card: Card | None = None, **values: object
    ) -> bool:
        """Say something to another person; False when no contact reaches them (the caller must go on to the next)."""
        must = kind in {OutboxKind.ALARM, OutboxKind.PROMPT}  # the rest is not worth an SMS
        contact_id = self.reach(person_id) if must else people.reachable(self.session, person_id)
        if contact_id is None:
            return False
        self.push_to(contact_id, kind, name, card=card, **values)
        return True

    def push_to(
        self,
        contact_id: int,
        kind: OutboxKind,
        name: str,
        /,
        card: Card | None = None,
        **values: object,
    ) -> None:
        """Queue words (and the card for when only a template reaches the person) to a contact."""
        self.push_content(contact_id, kind, {"text": render(name, **values)}, card)

    def push_content(self, contact_id: int, kind: OutboxKind, content: dict[str, Any], card: Card | None) -> None:
        """The same with words that were rendered already, and marks of the caller's own beside them."""
        if card:
            content["card"] = {"purpose": card.purpose, "values": dict(card.values), "path": card.path}
        outbox.add(
            self.connection, contact_id=contact_id, kind=kind, state=OutboxState.QUEUED, content=content,
            now=self.now, next_at=self.now,
        )  # fmt: skip

    # Later.

    def open_task(  # noqa: PLR0913 - a task's row has as many columns
        self,
        kind: str,
        subject: str,
        subject_id: int,
        area_id: int,
        *,
        due_at: datetime,
        next_at: datetime | None,
        person_id: int | None = None,
        role: str | None = None,
        urgency: int = 0,
        again: str = "",
    ) -> int:
        """Open a task (or find the one already open); `again` tells repeating ones apart, e.g. by date."""
        return tasks.open_task(
            self.connection,
            key=":".join(filter(None, (kind, subject, str(subject_id), again))),
            kind=kind, subject=subject, subject_id=subject_id, area_id=area_id, now=self.now, due_at=due_at,
            next_at=next_at, person_id=person_id, role=role, urgency=urgency, policy_version=self.policy.version,
        )  # fmt: skip

    def audit(self, act: str, subject: str, subject_id: int | None = None, note: str | None = None) -> None:
        """Log who did or looked at what."""
        log = partial(
            audit.add, at=self.now, act=act, subject=subject, subject_id=subject_id,
            person_id=self.talk.person_id if self.talk else None, note=note,
        )  # fmt: skip
        if self.looks is None:
            log(self.connection)
        else:
            self.looks.append(log)

    def county_id(self) -> int:
        """The county's area: where a matter belongs whose place is not known."""
        county = areas.county(self.session)
        if county is None:
            raise NotSetUp("there is no county in the database yet")
        return county.id
