"""Recording visits by chat: the record word, the tasks that ask for them, the questions; all fine is one tap."""

from datetime import date
from typing import Any

from handlers import children, pairs, reports, rounds, visit_asking
from handlers import visit_ladder as ladder
from handlers.conversation import MOST_ASKED, Flow, close
from handlers.kinds import TaskKind
from handlers.message import Message
from handlers.plans import side_of
from handlers.questions import Words
from handlers.turn import Refused, Turn
from handlers.visit_filing import (
    TOPICS,
    Filed,
    Told,
    alarming,
    answered_by_another,
    file,
    sounds_alarming,
    speaker,
    task_for,
    topics_of,
)
from handlers.visit_questions import (
    NextTry,
    Opening,
    Other,
    PastDay,
    Topic,
    Which,
    Why,
    child_of_number,
    choice,
    turned_page,
)
from handlers.visit_words import Spoken
from handlers.workdays import at, local_day
from messages import Command, label, labels
from storage.children import Child
from storage.tasks import LIVE, Task
from storage.visits import CONTACT

_OUTCOMES = {"all_fine": "all_fine", "not_met": "not_met", "phone_contact": "phone"}
"""Commands that say how it went → code of [visit_opening]."""
_WORTH_KEEPING = 5
"""Words from this length on that answer nothing are kept with the visit."""


def _words(topic: str) -> Words:
    return Words(when=lambda flow: flow.answers.get(topic) in {"worry", "problem"})


class Visit(Flow, name="visits"):
    """One visit: which child, how it went, the topics of this person's side, a sentence for anything not fine."""

    keeps_words = True
    child = Which(when=lambda flow: "child" not in flow.about, skippable=False)
    day = PastDay(when=lambda flow: flow.about.get("earlier", False), skippable=False)
    kind = Opening()
    why = Why()
    next_try = NextTry()
    guardianship = Topic("guardianship")
    guardianship_words = _words("guardianship")
    study = Topic("study")
    study_words = _words("study")
    body_and_mind = Topic("body_and_mind")
    body_and_mind_words = _words("body_and_mind")
    other = Other()

    def asks_about(self, topic: str) -> bool:
        """Whether a topic is this person's to be asked about, or was added by them."""
        met = self.answers.get("kind") in CONTACT
        return met and (topic in self.about["topics"] or self.answers.get("other") == topic)

    def may_add(self) -> bool:
        """Once something is not fine and every topic was asked, the other side's topic may be added."""
        asked = self.about.get("topics", TOPICS)
        told = [self.answers.get(topic) for topic in asked]
        return len(asked) < len(TOPICS) and None not in told and bool({"worry", "problem"} & set(told))

    def values(self, turn: Turn) -> dict[str, Any]:
        """Which child, on which day when not today, and how many more there are to choose from."""
        child = turn.session.get(Child, self.about["child"]) if "child" in self.about else None
        day = self.about.get("day")
        return {
            "who": children.line(turn, child) if child else "",
            "on": at(date.fromisoformat(day), turn.policy.prompts_from) if day else None,
            "left": 0 if child else Which().left(turn, self),
        }  # fmt: skip

    def hear(self, turn: Turn, message: Message, command: Command | None) -> None:
        """Words like record with a number are about that number, no answer; the word for more turns the page."""
        if command and command.word in _OUTCOMES and command.numbers:
            close(turn)
            COMMANDS[command.word](turn, command)
        elif not turned_page(turn, self, command):
            super().hear(turn, message, command)

    def answered(self, turn: Turn, question: str) -> None:
        """Turn short cuts into answers."""
        given = self.answers[question]
        if question == "child":
            self.about_child(turn, turn.session.get_one(Child, given[0]), given[1])
        elif question == "day":
            self.on_day(given)
        elif question == "kind":
            self._opened(given)
        elif question == "why":
            self._reason(given)
        elif given == "all_fine":
            self.answers |= dict.fromkeys(self.about["topics"], "fine")
        elif question.endswith("_words") and alarming(turn, self._told(turn)):
            self.asked |= dict.fromkeys(self.questions, MOST_ASKED)  # nothing more is asked: the report comes next
        self.keep(turn)

    def _opened(self, given: str) -> None:
        if given == "all_fine":
            self.answers |= {"kind": "seen"} | dict.fromkeys(self.about["topics"], "fine")
        elif given == "earlier":
            self.about["earlier"] = True
            self._ask_kind_again()
        elif given not in {*CONTACT, "not_met"}:
            self.on_day(given)
            self._ask_kind_again()

    def _reason(self, given: str | None) -> None:
        """Words that are none of the codes are kept with the visit."""
        if given is not None and given not in labels("visit_why"):
            self.answers["why"] = "other"
            self._keep_words(given)

    def _keep_words(self, words: str) -> None:
        self.about["words"] = "\n".join(filter(None, (self.about.get("words"), words)))

    def _ask_kind_again(self) -> None:
        del self.answers["kind"]
        self.asked.pop("kind", None)

    def on_day(self, day: str) -> None:
        """It happened on this day (ISO)."""
        self.about |= {"day": day, "earlier": False}

    def about_child(self, turn: Turn, child: Child, side: str | None = None) -> None:
        """It is about this child, for a side of its pair if one was named; what was said beforehand now counts."""
        task, topics = task_for(turn, child, side), topics_of(turn, child, side)
        self.about |= {"child": child.id, "side": side, "task": task.id if task else None, "topics": list(topics)}
        if "kind" in self.about:
            self.answers["kind"] = self.about.pop("kind")
            self._opened(self.answers["kind"])

    def unread(self, turn: Turn, question: str | None) -> None:
        """Words that answer nothing are kept with the visit; words of danger open the report at once."""
        words = turn.message.text if turn.message and turn.message.kind == "text" else None
        again = question is not None and self.asked.get(question, 0) < MOST_ASKED
        if words is not None and sounds_alarming(turn, words):
            self._report(turn, words)
            return
        if words is not None and len(words) >= _WORTH_KEEPING:
            self._keep_words(words)
            turn.say("visits/words_kept")
        elif again:
            turn.say("common/unclear" if words else "visits/words_only")
        if again and question is not None:
            self.put(turn, question)
        else:
            self.advance(turn)

    def unfinished(self, turn: Turn) -> None:
        """What was answered is filed if it says enough."""
        self.finish(turn)

    def _report(self, turn: Turn, words: str) -> None:
        close(turn)
        turn.say("visits/report_first")
        if "child" in self.about:
            reports.open_from_visit(turn, self.about["child"], words)
        elif turn.message is not None:
            reports.first_words(turn, turn.message)

    def finish(self, turn: Turn) -> None:
        """File it; a problem in a red place goes on as a report, else the next child named has its turn."""
        if self.answers.get("kind") is None or "child" not in self.about:
            self._not_filed(turn)
            return
        child, told = turn.session.get_one(Child, self.about["child"]), self._told(turn)
        other = answered_by_another(turn, self.about.get("task"))
        filed = file(turn, child, told, self.about["side"])
        say_filed(turn, filed)
        if other is not None and not filed.repeated:
            turn.say("visits/by_another", on=at(other.happened_on, turn.policy.prompts_from))
        words = None if filed.repeated else alarming(turn, told)
        if words is not None:
            reports.open_from_visit(turn, child.id, words)
        elif self.about.get("then"):
            begin(turn, Spoken(tuple(self.about["then"])))

    def _not_filed(self, turn: Turn) -> None:
        """Too little was answered; words that came in between are not lost."""
        turn.say("visits/not_filed")
        words = self.about.get("words")
        if words:
            reports.first_words(turn, Message("text", text=words))
        self.passed_on = not (words and turn.message and (turn.message.text or "") in words)

    def _told(self, turn: Turn) -> Told:
        day = date.fromisoformat(self.about["day"]) if self.about.get("day") else local_day(turn.now)
        answers = {topic: self.answers[topic] for topic in TOPICS if self.answers.get(topic)}
        notes = {topic: said for topic in TOPICS if (said := self.answers.get(f"{topic}_words"))}
        extra = {"why": self.answers.get("why"), "words": self.about.get("words")}
        next_try = self.answers.get("next_try")
        return Told(
            str(self.answers["kind"]), day, answers, notes | {key: said for key, said in extra.items() if said},
            date.fromisoformat(next_try) if next_try else None,
        )  # fmt: skip


def say_filed(turn: Turn, filed: Filed) -> None:
    """What became of a visit, in a line or two."""
    turn.say("visits/already" if filed.repeated else "visits/filed", **filed.values(turn))


def record(turn: Turn, command: Command) -> None:
    """Record [numbers] [how it went] [when]."""
    begin(turn, Spoken.of(turn, command))


def _outcome(turn: Turn, command: Command) -> None:
    """All fine, not met, by phone, each with or without numbers."""
    begin(turn, Spoken(command.numbers, _OUTCOMES[command.word]))


def begin(turn: Turn, spoken: Spoken) -> None:
    """Ask what is not said yet. Several children that are all fine are confirmed once, others come one by one."""
    person = speaker(turn)
    named = [_named(turn, number) for number in dict.fromkeys(spoken.numbers)]
    if not named and not pairs.followed(turn, person.id):
        raise Refused("visits/nobody")
    if spoken.outcome == "all_fine" and len(named) > 1:
        rounds.Round.start(turn, children=[[child.id, side] for child, side in named], day=spoken.day)
        return
    flow = Visit(about={"kind": spoken.outcome} if spoken.outcome else {})
    if spoken.day:
        flow.on_day(spoken.day)
    if named:
        flow.about_child(turn, *named[0])
        flow.about["then"] = list(spoken.numbers[1:])
    flow.advance(turn)


def _named(turn: Turn, number: int) -> tuple[Child, str | None]:
    found = child_of_number(turn, number)
    if found is None:
        raise Refused("visits/unknown_number", number=number)
    return found


def pick(turn: Turn, task: Task) -> None:
    """A visit was picked from the list of tasks."""
    flow = Visit()
    flow.about_child(turn, turn.session.get_one(Child, task.subject_id), side_of(task))
    flow.advance(turn)


def line(turn: Turn, task: Task) -> str:
    """How a visit reads in the list of tasks."""
    who = choice(turn, turn.session.get_one(Child, task.subject_id), task if task.state in LIVE else None)
    return f"{label('task_kind', task.kind)} {who}"


COMMANDS = {
    "record": record,
    "all_fine": _outcome,
    "not_met": _outcome,
    "phone_contact": _outcome,
    "postpone": rounds.postpone,
}
TASKS = {"visit": TaskKind(due=ladder.look, line=line, pick=pick, together=visit_asking.ask)}
FLOWS: tuple[type[Flow], ...] = (Visit, rounds.Round, rounds.Postpone)
