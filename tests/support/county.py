"""A county whose people do random things for weeks: two villages, a township, and phones that get lost and found again.

One county supervisor (the chief) is never lost: where nobody at all is left, nobody can act.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import event, select

from handlers import binding, check, children, leaving, pairs
from handlers.turn import Refused, Turn
from storage import people, sealing
from storage.areas import Area, AreaLevel, UnitKind
from storage.cases import Case
from storage.children import Child, Pairing, Side
from storage.contacts import Contact
from storage.inbox import Inbox
from storage.people import Person, PersonRole, Role
from storage.reports import Report
from storage.tasks import LIVE, Task
from tests.world import Phone, World, next_due

T = TypeVar("T")
NOT_ABOUT_HOLDERS = frozenset({"unseen_message", "over_limit"})
"""Findings that are no open record without somebody: words that did not arrive, and more than the limit."""


_WHO_HAS_WHAT = (
    select(Task.id, Task.person_id, Task.role, Task.failures).where(Task.state.in_(LIVE)),
    select(Case.id, Case.holder_id, Case.stage), select(Report.id, Report.stage, Report.kind, Report.case_id),
    select(Contact.person_id, Contact.openid_index.is_(None), Contact.unreachable_since.is_(None)),
    select(Person.id, Person.left_at, Person.away_until), select(Inbox.id, Inbox.state).where(Inbox.error.is_not(None)),
    select(Pairing.id, Pairing.until), select(PersonRole.id, PersonRole.until),
)  # fmt: skip


@dataclass
class Weeks:
    """The county, who is there, and what was looked at."""

    world: World
    staff: list[int] = field(default_factory=list)
    """Everybody who may come and go (person ids)."""
    kids: list[int] = field(default_factory=list)
    phones: dict[int, str] = field(default_factory=dict)
    """Whose phone is which (the names of `World.phone`)."""
    looked: int = 0
    seen: list[tuple[object, ...]] = field(default_factory=list)
    """How often the whole county was checked."""
    made: int = 0

    @classmethod
    def begin(cls, url: str) -> "Weeks":
        """Everybody in place, three children with their pairs."""
        weeks = cls(World.on(url))
        if url.startswith("sqlite"):  # the disk is not what is tested here
            event.listen(weeks.world.engine, "connect", lambda one, _: one.execute("PRAGMA synchronous=OFF"))
        # What nobody takes rings every four hours instead of every half one: sixty days are long.
        weeks.world.policy = replace(weeks.world.policy, unclaimed_after_minutes=240)
        weeks._settle_people()
        return weeks

    def _settle_people(self) -> None:
        world = self.world
        self.top = world.area("柳河县", AreaLevel.COUNTY)
        self.town = world.area("石桥镇", AreaLevel.TOWNSHIP, self.top)
        self.villages = [world.area(name, AreaLevel.VILLAGE, self.town) for name in ("上河村", "下河村")]
        self.school = world.unit("石桥小学", UnitKind.SCHOOL, self.town)
        self.chief = world.person("周县", Role.COUNTY_SUPERVISOR, self.top)
        self.phones[self.chief.id] = self.chief.name
        second = self.add("吴县", Role.COUNTY_SUPERVISOR, self.top)
        on_duty = self.add("刘镇", Role.TOWNSHIP_CHILD_SUPERVISOR, self.town)
        other = self.add("钱镇", Role.TOWNSHIP_CHILD_SUPERVISOR, self.town)
        officers = [self.add(f"陈村{n}", Role.VILLAGE_CHILD_OFFICER, one) for n, one in enumerate(self.villages)]
        teacher = self.add("林老师", Role.MANDATED_REPORTER, self.villages[0])
        deputy = self.add("高阿姨", Role.CARE_PARTNER, self.villages[1])
        self.stand_in(officers[0], deputy)
        self.stand_in(officers[1], officers[0])
        self.stand_in(on_duty, other)
        self.stand_in(teacher, officers[0])
        world.duty(self.town, self.person(on_duty), self.person(other))
        world.duty(self.top, self.chief, self.person(second))
        for number, level in enumerate(("red", "yellow", "green")):
            self.enrol(officers[number % 2], teacher, level)

    def close(self) -> None:
        """Give the connections back."""
        self.world.close()

    # Who is there.

    def add(self, name: str, role: Role, area: Area) -> int:
        """Somebody new, bound to a phone."""
        found = self.world.person(name, role, area)
        self.staff.append(found.id)
        self.phones[found.id] = name
        return found.id

    def person(self, number: int) -> Person:
        """A person as the database has them now."""
        return self.turn(lambda turn: turn.session.get_one(Person, number))

    def stand_in(self, number: int, other: int | None) -> None:
        """Who acts when somebody does not."""
        self.turn(lambda turn: setattr(turn.session.get_one(Person, number), "stand_in_id", other))

    def phone(self, number: int) -> Phone:
        """Somebody's phone."""
        return self.world.phone(self.phones[number])

    def turn(self, act: Callable[[Turn], T]) -> T:
        """Run `act` as a turn without a conversation."""
        return self.world.turn(act)

    def enrol(self, officer: int, teacher: int, level: str) -> None:
        """One more child on file."""
        self.made += 1
        village = self.villages[self.made % 2]

        def put(turn: Turn) -> int:
            number = f"E{self.made:04d}"
            child = Child(
                number=number, name="李小明", name_index=sealing.ring().index("name", number), sex="male",
                born=date(2016, 3, 5), area_id=village.id, level=level, level_since=turn.now, on_file_since=turn.now,
                school_id=self.school.id,
            )  # fmt: skip
            turn.session.add(child)
            turn.session.flush()
            for one, side in ((officer, Side.CADRE), (teacher, Side.TEACHER)):
                person = people.person_of(turn.session, one)
                if person is not None:
                    pairs.pair(turn, child, person, side)
            if not turn.session.scalars(select(Task.id).where(Task.subject_id == child.id, Task.kind == "visit")).all():
                pairs.pair(turn, child, turn.session.get_one(Person, self.chief.id), Side.CADRE)
            return child.id

        self.kids.append(self.turn(put))
        self.world.settle()

    # What happens to phones and people.

    def come_back(self, number: int) -> None:
        """Whoever has no phone that works gets a code and binds a new one."""
        code = self.turn(lambda turn: binding.invite(turn, turn.session.get_one(Person, number)))
        self.made += 1
        self.phones[number] = f"{number}的第{self.made}个手机"
        self.phone(number).says(f"绑定 {code}")

    def here(self, number: int) -> bool:
        """Whether somebody has not left."""
        return self.person(number).left_at is None

    def dismiss(self, number: int, successor: int) -> bool:
        """An operator lets somebody leave; whether that was possible."""

        def act(turn: Turn) -> None:
            leaving.leave(turn, turn.session.get_one(Person, number), turn.session.get_one(Person, successor))

        try:
            self.turn(act)
        except Refused:
            return False
        self.world.settle()
        return True

    def lose(self, number: int) -> None:
        """An operator hears that a phone was lost."""
        self.turn(lambda turn: binding.unbind(turn, turn.session.get_one(Person, number)))
        self.world.settle()

    def set_level(self, kid: int, level: str) -> None:
        """A case or a list decided on a child's level."""
        self.turn(lambda turn: children.change_level(turn, turn.session.get_one(Child, kid), level, "名单"))
        self.world.settle()

    # The promise.

    def pass_(self, hours: float) -> None:
        """Time passes; after everything that falls due the county is looked at."""
        until = self.world.now + timedelta(hours=hours)
        self.world.settle()
        while (step := self.world.run(partial(next_due, after=self.world.now, until=until))) is not None:
            self.world.now = step
            self.world.settle()
            if self._who_has_what() != self.seen:
                self.look()
        self.world.now = until
        self.world.settle()
        self.look()

    def look(self) -> None:
        """At this minute every open record has somebody who must act, and no turn failed."""
        self.looked += 1
        self.seen = self._who_has_what()
        found = [one for one in self.turn(self._findings) if one.kind not in NOT_ABOUT_HOLDERS]
        assert not found, f"{self.world.now}: {[(one.kind, one.sentence) for one in found]}"
        failed = self.turn(lambda turn: list(turn.session.scalars(select(Inbox.error).where(Inbox.error.is_not(None)))))
        failed += self.turn(lambda turn: list(turn.session.scalars(select(Task.error).where(Task.error.is_not(None)))))
        assert not failed, failed

    @staticmethod
    def _findings(turn: Turn) -> list[check.Finding]:
        """What `tongban check` finds, without what is held by somebody who is on the county's list as unreachable."""
        listed = set(
            turn.session.scalars(select(Task.subject_id).where(Task.kind == "unreachable", Task.state.in_(LIVE)))
        )

        def holder(one: check.Finding) -> int | None:
            if one.subject == "case":
                return turn.session.get_one(Case, one.id).holder_id
            return turn.session.get_one(Task, one.id).person_id

        return [
            one for one in check.findings(turn) if one.kind != "unreachable_holder" or holder(one) not in listed
        ]  # fmt: skip

    def _who_has_what(self) -> list[tuple[object, ...]]:
        """Everything on which it depends who must act: nothing is looked at twice."""
        return self.world.run(
            lambda connection: [tuple(row) for query in _WHO_HAS_WHAT for row in connection.execute(query)]
        )

    def openid(self, number: int) -> str:
        """The identity of somebody's phone."""
        return self.phone(number).openid
