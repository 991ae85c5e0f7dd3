"""Which menu tag the platform was told for each contact, and whose it should be told anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, select, update

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


def wrongly_tagged(connection: Connection, ranking: Sequence[str]) -> list[Tagging]:
    """Contacts whose role changed since the platform was last told; of several roles the first of `ranking` counts."""
    rank = case({role: number for number, role in enumerate(ranking)}, value=_R.c.role)
    held = select(_R.c.person_id, func.min(rank).label("best")).where(_R.c.until.is_(None))
    best = held.group_by(_R.c.person_id).subquery()
    role = case(dict(enumerate(ranking)), value=best.c.best)
    query = (
        select(_C.c.id, _C.c.openid, _C.c.tag, role)
        .select_from(_C.outerjoin(best, best.c.person_id == _C.c.person_id))
        .where(_C.c.openid_index.is_not(None), func.coalesce(_C.c.tag, "") != func.coalesce(role, ""))
    )
    return [Tagging(*row) for row in connection.execute(query)]


_TAG = update(_C).where(_C.c.id == bindparam("b_id")).values(tag=bindparam("new_tag"))


def note_tag(connection: Connection, contact_id: int, tag: str | None) -> None:
    """The platform was told this tag."""
    connection.execute(_TAG, {"b_id": contact_id, "new_tag": tag})
