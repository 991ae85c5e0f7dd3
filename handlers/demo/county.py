"""One call fills an empty database with a county at the size of the paper and weeks of its history."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers.demo import children, places, reports, staff, visits
from handlers.demo.chance import Chance
from handlers.demo.reports import VILLAGERS
from handlers.demo.staff import FOLLOWER, PHONES
from handlers.turn import Turn
from messages.files import table
from storage import areas, contacts, posts
from storage.people import Person

FOUNDED = datetime(2026, 9, 1, tzinfo=UTC)
"""The date its key file is given."""


@dataclass(frozen=True)
class DemoPhone:
    """A phone of the page: its openid, the key and words of its name, and who it is bound to from the start."""

    openid: str
    key: str
    label: str
    person: Person | None


@dataclass(frozen=True)
class DemoPhones:
    """The page's phones, and the openids of everybody else who follows the account from the start."""

    phones: list[DemoPhone]
    followers: list[str]

    def __iter__(self) -> Iterator[DemoPhone]:
        """The page's phones, in the order shown."""
        return iter(self.phones)


def build(turn: Turn) -> DemoPhones:
    """Fill an empty database; on a filled one only say which phones there are."""
    if areas.county(turn.session) is None:
        chance, session = Chance(), turn.session
        where = places.make(session, chance)
        who = staff.make(session, chance, where, turn.now)
        young = children.make(session, chance, where, who, turn.now)
        officer = who.officers[where.townships[0].villages[0].id]
        visits.make(session, chance, turn.policy, who, young, officer.id, turn.now)
        reports.make(session, chance, turn.policy, where, who, young, turn.now)
        turn.audit("demo_county", "area", where.county.id)
    return DemoPhones(demo_phones(turn), followers())


def demo_phones(turn: Turn) -> list[DemoPhone]:
    """A teacher, a villager, a village child officer, a duty person and a county supervisor."""
    names = table("demo/names.toml")["phones"]
    return [
        DemoPhone(openid, key, names[key], posts.bound_by(turn.session, contacts.openid_index(openid)))
        for key, openid in PHONES.items()
    ]


def followers() -> list[str]:
    """Openids that the stand-in has to know as followers besides the page's phones, in order and without a gap."""
    return [FOLLOWER.format(number) for number in range(1, staff.BOUND_FOLLOWERS + VILLAGERS + 1)]
