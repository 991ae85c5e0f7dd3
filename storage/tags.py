"""Which menu tag the platform was told for each contact, and whose it should be told anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, select, update

from storage.contacts import Contact
from storage.people import PersonRole

_C, _R = Contact.__table__, PersonRole.__table__
_NO_TAG = "-"
"""In place of the id of a tag that the platform does not have: nobody wears it."""


@dataclass(frozen=True)
class Tagging:
    """A contact whose menu tag at the platform is not that of its role."""

    contact_id: int
    openid: str
    tag: str | None
    """The id of the tag that the platform was told last."""
    role: str | None


def wrongly_tagged(connection: Connection, ranking: Sequence[str], tags: Mapping[str, int]) -> list[Tagging]:
    """Contacts that do not wear the tag of their role; of several roles the first of `ranking` counts.

    `tags` are the platform's ids by role: a tag that was deleted there and made anew has another id.
    """
    rank = case({role: number for number, role in enumerate(ranking)}, value=_R.c.role)
    held = select(_R.c.person_id, func.min(rank).label("best")).where(_R.c.until.is_(None))
    best = held.group_by(_R.c.person_id).subquery()
    role = case(dict(enumerate(ranking)), value=best.c.best)
    right = case({number: str(tags.get(name, _NO_TAG)) for number, name in enumerate(ranking)}, value=best.c.best)
    query = (
        select(_C.c.id, _C.c.openid, _C.c.tag, role)
        .select_from(_C.outerjoin(best, best.c.person_id == _C.c.person_id))
        .where(_C.c.openid_index.is_not(None), func.coalesce(_C.c.tag, "") != func.coalesce(right, ""))
    )
    return [Tagging(*row) for row in connection.execute(query)]


_TAG = update(_C).where(_C.c.id == bindparam("b_id")).values(tag=bindparam("new_tag"))


def note_tag(connection: Connection, contact_id: int, tag: str | None) -> None:
    """The platform was told this tag."""
    connection.execute(_TAG, {"b_id": contact_id, "new_tag": tag})
