"""People who report, all of them at once, and what may be asked of their phones and of the database afterwards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from bot.simulator.handles import PhoneHandle
from storage.contacts import Contact, openid_index
from storage.outbox import Outbox
from storage.reporters import Reporter
from storage.reports import Entry
from storage.tasks import LIVE, Task
from tests.crash.town import Town
from tests.support.waiting import eventually

PATIENCE = 120.0
ON_ITS_WAY = 5.0
"""Seconds within which a copy may still come that was sent before the answer was taken."""
FIRST_WORDS = (
    "快来人 他爸提起菜刀在堂屋门口 娃儿还在里头",
    "隔壁的娃儿身上全是伤，说是他后爸打的",
    "我们班上有个男生背上都是皮带印\n他说是他爸打的",
    "村头有个娃儿 我看着不对头",
    "  我想说个事，不晓得该不该说 😟 ",
    'she said "他打我" & <b>哭了</b> ]]> 100% \\n {x}',
)
"""Danger, known to the rules, unknown to them; with what is easily spoilt on the way."""
QUESTIONS = {
    "孩子现在正有危险吗": "2",
    "出了什么事？什么时候的事": "上个星期开始的",
    "哪个孩子？几岁": "九岁，三年级",
    "孩子现在在哪里": "在屋里，跟奶奶一起",
    "可能是谁做的": "不晓得",
    "打110报警了吗": "2",
    "回您哪个电话": "1",
}
"""What the bot asks, and how everybody answers; words, where they are asked for, are a sentence of the person's own."""
RECEIPT = "回执号 "
ON_THE_LIST = ("draft_report", "alarm", "read_report")


@dataclass
class Person:
    """Somebody with a phone who reports."""

    phone: PhoneHandle
    first: str
    answers: int
    """How many questions are answered before the phone is put away, if so many are put."""
    said: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Of what was said, the sentences: all of them belong to the account."""
        return [one for one in self.said if not one.isdecimal()]

    def read(self) -> list[str]:
        """What came as the answer to something, without the second copy that a kill may cause later."""
        return [item.text for item in self.phone.screen if item.side == "account" and item.source == "reply"]

    def screen(self) -> list[str]:
        """Everything that the account said."""
        return [item.text for item in self.phone.screen if item.side == "account"]

    async def reports(self, place: Town) -> None:
        """The first sentence, then an answer to whatever is asked, until enough is said or nothing is asked."""
        await self._says(self.first)
        assert is_on_the_list(place, self.phone.openid), "answered, and not on the duty list"
        for _ in range(self.answers):
            question = self._asked()
            if question is None:
                return
            answer = QUESTIONS[question]
            await self._says(answer if answer.isdecimal() else f"{answer}（{self.phone.openid}）")

    async def _says(self, words: str) -> None:
        before = len(self.screen())
        await self.phone.say(words)
        await eventually(lambda: len(self.screen()) > before, PATIENCE)
        self.said.append(words)

    def _asked(self) -> str | None:
        """The question that is open; None after the receipt."""
        last = self.screen()[-1]
        return next((one for one in QUESTIONS if one in last), None)


def is_on_the_list(place: Town, openid: str) -> bool:
    """Whether somebody has to act for what this person reported."""
    mine = (
        select(Task.id)
        .join(Reporter, Reporter.report_id == Task.subject_id)
        .join(Contact, Contact.id == Reporter.contact_id)
        .where(
            Contact.openid_index == openid_index(openid), Task.subject == "report", Task.kind.in_(ON_THE_LIST),
            Task.state.in_(LIVE),
        )
    )  # fmt: skip
    with place.reader.connect() as connection:
        return connection.execute(mine).first() is not None


def accounts(place: Town) -> dict[str, list[list[str]]]:
    """Openid → the words of each report that this person made, as they are kept."""
    query = (
        select(Contact.openid, Reporter.report_id, Entry.text)
        .join(Reporter, Reporter.contact_id == Contact.id)
        .join(Entry, Entry.report_id == Reporter.report_id)
        .order_by(Entry.id)
    )
    found: dict[str, dict[int, list[str]]] = {}
    with place.reader.connect() as connection:
        for openid, report, text in connection.execute(query):
            found.setdefault(str(openid), {}).setdefault(report, []).append(str(text))
    return {openid: list(reports.values()) for openid, reports in found.items()}


def outbox(place: Town) -> dict[str, list[str]]:
    """Openid → everything that the bot ever wanted to say there."""
    query = select(Contact.openid, Outbox.content).join(Outbox, Outbox.contact_id == Contact.id).order_by(Outbox.id)
    found: dict[str, list[str]] = {}
    with place.reader.connect() as connection:
        for openid, content in connection.execute(query):
            found.setdefault(openid, []).append(content["text"])
    return found


def said_again(place: Town, people: Sequence[Person]) -> int:
    """How many replies a person saw once more, since the process died before it had noted them (design 3.3)."""
    wanted, doubled = outbox(place), 0
    for one in people:
        again = Counter(one.screen()) - Counter(wanted[one.phone.openid])
        assert not Counter(wanted[one.phone.openid]) - Counter(one.screen()), "something was never said"
        assert max(again.values(), default=0) <= max(1, place.kills), again  # it may die while it says it once more
        doubled += again.total()
    return doubled


def asked_in_vain(person: Person) -> list[str]:
    """Questions that came again though their answer had been taken, as another message showed."""
    asked: set[str] = set()
    taken: dict[str, float] = {}
    again: list[str] = []
    is_said = False
    for item in person.phone.screen:
        if item.side == "me":
            is_said = True
            continue
        if is_said and item.source == "reply":
            taken |= dict.fromkeys(asked - taken.keys(), item.at)
            asked, is_said = set(), False
        questions = {one for one in QUESTIONS if one in item.text}
        again += [one for one in questions & taken.keys() if item.at - taken[one] > ON_ITS_WAY]
        asked |= questions
    return again
