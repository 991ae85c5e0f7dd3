"""Binding a WeChat identity to a person and letting go of it: the acts on `contact` and `invite`."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.orm import Session

from storage import shown_numbers
from storage.contacts import Contact
from storage.people import Invite, Person, PersonRole
from storage.reporters import Reporter

_C, _I, _R = Contact.__table__, Invite.__table__, Reporter.__table__
_TRIES = select(_C.c.bind_tries, _C.c.bind_blocked_until).where(_C.c.id == bindparam("id"))
_SET_TRIES = (
    update(_C)
    .where(_C.c.id == bindparam("b_id"))
    .values(bind_tries=bindparam("tries"), bind_blocked_until=bindparam("until"))
)
_CONTACTS = (
    select(_C.c.id)
    .where(_C.c.person_id == bindparam("person_id"), _C.c.openid_index.is_not(None))
    .order_by(_C.c.id)
    .with_for_update()
)
_BIND = (
    update(_C)
    .where(_C.c.id == bindparam("b_id"))
    .values(person_id=bindparam("b_person"), bind_tries=0, bind_blocked_until=None)
)
_USE = update(_I).where(_I.c.id == bindparam("b_id"), _I.c.used_at.is_(None)).values(used_at=bindparam("now"))
_LAPSE = (
    update(_I)
    .where(_I.c.person_id == bindparam("b_person"), _I.c.used_at.is_(None), _I.c.expires_at > bindparam("now"))
    .values(expires_at=bindparam("now"))
)


def tries(connection: Connection, contact_id: int) -> tuple[int, datetime | None]:
    """Wrong codes this contact sent, and until when it may not try again."""
    row = connection.execute(_TRIES, {"id": contact_id}).one()
    return row.bind_tries, row.bind_blocked_until


def set_tries(connection: Connection, contact_id: int, count: int, blocked_until: datetime | None) -> None:
    """Note a wrong code, or that there were too many."""
    connection.execute(_SET_TRIES, {"b_id": contact_id, "tries": count, "until": blocked_until})


def contacts_of(connection: Connection, person_id: int) -> list[int]:
    """The contacts bound to a person, locked; one at most, unless something went wrong."""
    return list(connection.execute(_CONTACTS, {"person_id": person_id}).scalars())


def bind(connection: Connection, contact_id: int, person_id: int) -> None:
    """This contact is this person from now on; its menu has to be set again."""
    connection.execute(_BIND, {"b_id": contact_id, "b_person": person_id})


def release(connection: Connection, contact_id: int) -> None:
    """This contact is nobody in particular any more; the numbers it was shown mean nothing now."""
    connection.execute(_BIND, {"b_id": contact_id, "b_person": None})
    shown_numbers.forget(connection, contact_id)


def forget_reporter(connection: Connection, contact_id: int) -> list[int]:
    """Reports stay, but no longer lead to the contact that made them; the ids of those reports."""
    forget = update(_R).where(_R.c.contact_id == contact_id).values(contact_id=None)
    return list(connection.execute(forget.returning(_R.c.report_id)).scalars())


def invite(session: Session, person_id: int, code_index: bytes, now: datetime, expires_at: datetime) -> None:
    """Keep a one-time code by its index; earlier ones of this person lapse."""
    lapse(session.connection(), person_id, now)
    session.execute(
        insert(_I), {"person_id": person_id, "code_index": code_index, "made_at": now, "expires_at": expires_at}
    )


def use(connection: Connection, invite_id: int, now: datetime) -> bool:
    """Use a code; False when somebody used it before (one update decides)."""
    return connection.execute(_USE, {"b_id": invite_id, "now": now}).rowcount == 1


def lapse(connection: Connection, person_id: int, now: datetime) -> None:
    """Codes given out to this person count no longer."""
    connection.execute(_LAPSE, {"b_person": person_id, "now": now})


def unbound(session: Session) -> list[Person]:
    """Everybody who is here, holds a role and has no WeChat identity yet."""
    bound = select(Contact.person_id).where(Contact.person_id.is_not(None), Contact.openid_index.is_not(None))
    query = (
        select(Person)
        .join(PersonRole, PersonRole.person_id == Person.id)
        .where(Person.left_at.is_(None), PersonRole.until.is_(None), Person.id.not_in(bound))
    )
    return list(session.scalars(query.distinct().order_by(Person.area_id, Person.id)))
