"""The turn behind a page. A form is one like a message's: it is claimed, acts and is committed as a whole.

A look only reads, beside the turns and without holding them up; what of it has to be logged is committed before it is
shown (design 3).
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot import faults
from bot.signin import Problem
from handlers import routes
from handlers.page import Answer, Goto, Route
from handlers.policy import Policy
from handlers.turn import Turn
from storage import contacts, inbox, sessions

Looks = list[Callable[[Connection], None]]
"""What writes down who looked at what."""


@dataclass(frozen=True)
class Asked:
    """One request, as the database thread needs it."""

    route: Route
    path: dict[str, str]
    form: dict[str, str]
    session: bytes
    """Hash of the session cookie."""
    now: datetime
    once: str | None = None
    """What is equal when the same form comes twice."""


@dataclass(frozen=True)
class Done:
    """What the person is shown, and what the turn said besides."""

    answer: Answer
    said: str = ""


def look(connection: Connection, asked: Asked, policy: Policy) -> tuple[Done | None, Looks]:
    """One page that is looked at: what it shows, and what has to be logged first; None when nobody is signed in."""
    looks: Looks = []
    turn = _turn(connection, asked, policy)
    if turn is None:
        return None, looks
    turn.looks = looks
    try:
        answer = asked.route.act(turn, asked.path, asked.form)
    finally:
        turn.abandon()
    return Done(answer), looks


def log(connection: Connection, looks: Looks) -> None:
    """Write down what was looked at."""
    for log_look in looks:
        log_look(connection)
    faults.reach("page_before_commit")


def act(connection: Connection, asked: Asked, policy: Policy) -> Done | None:
    """One form, in one transaction: who it is, the act, and what was said; None when nobody is signed in."""
    turn = _turn(connection, asked, policy)
    if turn is None or turn.talk is None:
        return None
    talk = turn.talk
    if asked.route.twice and _came_before(connection, talk.contact_id, asked):
        return Done(Goto(asked.route.twice.format(**asked.path)))
    before = copy(talk)
    try:
        answer = asked.route.act(turn, asked.path, asked.form)
        turn.settle()
    finally:
        turn.abandon()
    if talk != before:
        contacts.keep(connection, talk)
    faults.reach("page_before_commit")
    return Done(answer, "\n\n".join(turn.said))


def _turn(connection: Connection, asked: Asked, policy: Policy) -> Turn | None:
    """The turn of whoever is signed in; None when nobody is, any more."""
    signed_in = sessions.live(connection, asked.session, asked.now)
    is_form = asked.once is not None
    talk = contacts.talk_with(connection, signed_in.contact_id, asked.now, lock=is_form) if signed_in else None
    if talk is None:
        return None
    turn = Turn(connection, asked.now, policy, talk, kinds=routes.TASKS)
    if turn.person is None:
        turn.abandon()
        raise Problem("not_bound", 403)
    return turn


def _came_before(connection: Connection, contact_id: int, asked: Asked) -> bool:
    """Whether this very form was handled already; like a message, it is claimed in the inbox by what it is."""
    key = inbox.key_of(f"page {contact_id} {asked.once}")
    return inbox.claim(connection, key, contact_id, asked.now, {"kind": "page"}) is None
