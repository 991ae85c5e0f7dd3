"""Which menu tag the platform was told for each contact, and whose it should be told anew."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from storage.contacts import Contact
from storage.people import PersonRole

_C, _R = Contact.__table__, PersonRole.__table__


@dataclass(frozen=True)
class Tagging:
    """A contact whose menu tag at the platform is not that of its role."""

    contact_id: int
    openid: str
    tag: str | None
    role: str | None


def wrongly_tagged(connection: Connection) -> list[Tagging]:
    """Contacts whose role changed since the platform was last told; the first role a person holds counts."""
    roles = select(_R.c.person_id, func.min(_R.c.id).label("first")).where(_R.c.until.is_(None))
    first = roles.group_by(_R.c.person_id).subquery()
    query = (
        select(_C.c.id, _C.c.openid, _C.c.tag, _R.c.role)
        .select_from(_C.outerjoin(first, first.c.person_id == _C.c.person_id).outerjoin(_R, _R.c.id == first.c.first))
        .where(
            _C.c.openid_index.is_not(None),
            func.coalesce(_C.c.tag, "") != func.coalesce(_R.c.role, ""),
        )
    )
    return [Tagging(*row) for row in connection.execute(query)]


_TAG = update(_C).where(_C.c.id == bindparam("b_id")).values(tag=bindparam("new_tag"))


def note_tag(connection: Connection, contact_id: int, tag: str | None) -> None:
    """The platform was told this tag."""
    connection.execute(_TAG, {"b_id": contact_id, "new_tag": tag})
