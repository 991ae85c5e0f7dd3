"""Children on file, their categories, and the pairs of adults who follow them one to one."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CTE, ColumnElement, ForeignKey, Index, String, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from storage.areas import Area
from storage.audit import Audit
from storage.contacts import Contact
from storage.database import Base, Id, Sealed, due_index, live_index
from storage.people import Person
from storage.rows import connection_of
from storage.statements import Hot


class Side(StrEnum):
    """Who an adult of the pair is to the child: the county paper's village cadre and teacher, and those who join."""

    CADRE = "cadre"
    TEACHER = "teacher"
    VOLUNTEER = "volunteer"
    COMPANION_MOTHER = "companion_mother"
    CARING_MOTHER = "caring_mother"
    ELDER_VOLUNTEER = "elder_volunteer"


class Child(Base):
    """One child file."""

    __tablename__ = "child"
    __table_args__ = (
        live_index("ix_child_on_file", "off_file_at", "area_id", "level", "on_file_since", "id"),
        live_index(
            "ix_child_contact", "off_file_at",
            "level", "last_contact_on", "level_since", "on_file_since", "area_id", "id",
        ),
        live_index("ix_child_unpaired", "off_file_at", "area_id", "on_file_since", "id", only="paired_since"),
        due_index("ix_child_off_file", "off_file_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    """What may stand in a push or a digest list instead of the name."""
    name: Mapped[str] = mapped_column(Sealed("child.name"))
    name_index: Mapped[bytes] = mapped_column(index=True)
    sex: Mapped[str] = mapped_column(String(10))
    born: Mapped[date | None]
    id_number: Mapped[str | None] = mapped_column(Sealed("child.id_number"))
    id_number_index: Mapped[bytes | None] = mapped_column(unique=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("area.id"))
    """The village or group."""
    school_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    school_class: Mapped[str | None] = mapped_column(String(30))
    address: Mapped[str | None] = mapped_column(Sealed("child.address"))
    guardian: Mapped[str | None] = mapped_column(Sealed("child.guardian"))
    guardian_phone: Mapped[str | None] = mapped_column(Sealed("child.guardian_phone"))
    level: Mapped[str] = mapped_column(String(10), default="green")
    level_since: Mapped[datetime]
    level_why: Mapped[str | None] = mapped_column(Sealed("child.level_why"))
    last_contact_on: Mapped[date | None]
    """The last day the child was seen or spoken to."""
    paired_since: Mapped[datetime | None]
    """Since when each side of its pair that owes visits has had somebody (`note_pair`); None: one has nobody."""
    on_file_since: Mapped[datetime]
    off_file_at: Mapped[datetime | None]
    off_file_reason: Mapped[str | None] = mapped_column(String(20))
    policy_version: Mapped[int] = mapped_column(default=0)


class ChildCategory(Base):
    """A category a child belongs to (orphan, de_facto_unattended, …), with dates."""

    __tablename__ = "child_category"
    __table_args__ = (Index("ix_child_category_child", "child_id"), Index("ix_child_category_category", "category"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("child.id"))
    category: Mapped[str] = mapped_column(String(30))
    since: Mapped[date]
    until: Mapped[date | None]


class Pairing(Base):
    """One adult of a child's pair."""

    __tablename__ = "pairing"
    __table_args__ = (live_index("ix_pairing_live", "until", "child_id", "side", "person_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("child.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    side: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime]
    until: Mapped[datetime | None]


def pair_of(session: Session, child_id: int) -> list[Pairing]:
    """The adults who follow this child now."""
    query = select(Pairing).where(Pairing.child_id == child_id, Pairing.until.is_(None))
    return list(session.scalars(query.order_by(Pairing.id)))


def paired_with(session: Session, person_id: int) -> list[Child]:
    """The children this person follows now."""
    query = (
        select(Child)
        .join(Pairing)
        .where(Pairing.person_id == person_id, Pairing.until.is_(None), Child.off_file_at.is_(None))
    )
    return list(session.scalars(query.distinct().order_by(Child.area_id, Child.id)))


def adult_of(session: Session, child_id: int, side: str) -> Pairing | None:
    """Who follows the child on this side now; of several the newest."""
    query = select(Pairing).where(Pairing.child_id == child_id, Pairing.side == side, Pairing.until.is_(None))
    return session.scalars(query.order_by(Pairing.id.desc()).limit(1)).first()


def pairing_of(session: Session, child_id: int, person_id: int) -> Pairing | None:
    """How this person follows the child now; somebody who does so on two sides counts for the one begun first."""
    query = select(Pairing).where(Pairing.child_id == child_id, Pairing.person_id == person_id, Pairing.until.is_(None))
    return session.scalars(query.order_by(Pairing.id).limit(1)).first()


def note_pair(session: Session, child: Child, now: datetime) -> None:
    """Note whether each side that owes visits has somebody, after the child's pair or school changed.

    The teacher's side owes them once the child goes to school.
    """
    wanted = {Side.CADRE, *([Side.TEACHER] if child.school_id is not None else [])}
    if wanted <= set(_SIDES.scalars(connection_of(session), {"child_id": child.id})):
        child.paired_since = child.paired_since or now
    else:
        child.paired_since = None


_SIDES = Hot(select(Pairing.side).where(Pairing.child_id == bindparam("child_id"), Pairing.until.is_(None)))


def without_reach() -> list[ColumnElement[bool]]:
    """For queries over `Child`, each found by few rows: a side that owes visits has nobody, or nobody in reach."""
    reached = exists().where(
        Contact.person_id == Person.id, Contact.openid_index.is_not(None), Contact.unreachable_since.is_(None)
    )
    gone = select(Person.id).where(or_(Person.left_at.is_not(None), ~reached)).cte("gone")
    return [
        Child.paired_since.is_(None),
        _out_of_reach(Side.CADRE, gone),
        and_(Child.school_id.is_not(None), _out_of_reach(Side.TEACHER, gone)),
    ]


def _out_of_reach(side: Side, gone: CTE) -> ColumnElement[bool]:
    """Somebody of this side is gone or out of reach, and nobody else is there: few people are."""
    lost, other = select(gone.c.id), aliased(Pairing)
    theirs = select(Pairing.child_id).where(Pairing.person_id.in_(lost), Pairing.side == side, Pairing.until.is_(None))
    others = select(other.id).where(
        other.child_id == Child.id, other.side == side, other.until.is_(None), other.person_id.not_in(lost)
    )
    return and_(Child.id.in_(theirs), ~others.exists())


def without_reachable_pair(session: Session, path: str = "/") -> list[Child]:
    """Children on file whose pair reaches nobody on a side, in the area with this path."""
    query = (
        select(Child)
        .join(Area, Area.id == Child.area_id)
        .where(Child.off_file_at.is_(None), Area.path.startswith(path), or_(*without_reach()))
    )
    return list(session.scalars(query.order_by(Child.id)))


PROPOSE = "propose_level:"
"""How the act in the audit begins by which a first person proposes to lower a red child's level."""


def lowering_proposed_by(session: Session, child_id: int, level: str, since: datetime) -> int | None:
    """Who first proposed this level for the child, after its present one was set."""
    query = select(Audit.person_id).where(
        Audit.subject == "child", Audit.subject_id == child_id, Audit.act == f"{PROPOSE}{level}", Audit.at >= since
    )
    return session.scalars(query.order_by(Audit.id).limit(1)).first()
