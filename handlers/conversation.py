"""The flow language: a flow is a class whose attributes are questions, in the order asked.

Only the answers are stored; the next question is the first that is wanted and unanswered. Cancel, back,
skip and restart belong to the language. A flow's name is its folder in `messages/`, a question's name its file there.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Self

from handlers.message import Message
from handlers.questions import Question, Unclear
from handlers.turn import Turn
from handlers.understanding import understand
from messages import Command
from storage.contacts import Talk

CONTROL = frozenset({"cancel", "back", "skip", "restart"})
"""Commands that belong to the language while a flow is open."""
MOST_ASKED = 2
"""No question is put a third time."""
_LONGEST_OPTION = 20
"""Characters; an option in longer words is named in a sentence."""
_STATE = "flow"
_AGAIN = "again"
"""In `about`: when a question was repeated because a digit may belong to something else."""


class Flow:
    """One conversation with one person; subclasses declare questions and say what follows."""

    name: ClassVar[str]
    questions: ClassVar[dict[str, Question[Any]]]
    keeps_words: ClassVar[bool] = False
    """Whether words given as an answer, or instead of one, become part of a report by themselves."""
    passes_on_originals: ClassVar[bool] = True
    """Whether a voice or picture in place of an answer, which no rule can read, or a bare 110 ends it: a report."""

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:  # noqa: ANN401 - passed on as it came
        """Learn the questions the class body declares."""
        super().__init_subclass__(**kwargs)
        cls.name = name
        cls.questions = {key: value for key, value in vars(cls).items() if isinstance(value, Question)}

    def __init__(
        self,
        answers: dict[str, Any] | None = None,
        about: dict[str, Any] | None = None,
        asked: dict[str, int] | None = None,
    ) -> None:
        self.answers = answers or {}
        """Question → JSON value; None for a skipped one."""
        self.about = about or {}
        """What the flow is about (ids), given when it was started."""
        self.asked = asked or {}
        """Question → how often it was put."""
        self.passed_on = False
        """Whether it ended without the message that came, which the caller has to hear as free words."""

    # What subclasses say.

    def finish(self, turn: Turn) -> None:
        """Everything wanted is answered."""
        raise NotImplementedError

    def answered(self, turn: Turn, question: str) -> None:
        """An answer was kept (before the next question is put)."""

    def unread(self, turn: Turn, question: str | None) -> None:
        """Words came that are no answer: say so and put the question again; what tells of harm does not wait for it.

        `question` is None when the one that is needed was put too often before something else was shown.
        """
        if tells_of_harm(turn):
            self.pass_on(turn)
        elif question is None:
            self.advance(turn)
        else:
            if self.asked.get(question, 0) < MOST_ASKED or self.questions[question].skippable:
                turn.say("common/unclear")
            self.put(turn, question)

    def unfinished(self, turn: Turn) -> None:
        """An answer that is needed was asked for too often: nothing is done, and nothing that was said is lost."""
        self.pass_on(turn)

    def is_no_answer(self, turn: Turn) -> bool:
        """Whether words of harm that came as the answer to a question for words are a report of their own."""
        del turn
        return not self.keeps_words

    def cancelled(self, turn: Turn) -> None:
        """The person cancelled."""
        turn.say("common/cancelled")

    def values(self, turn: Turn) -> dict[str, Any]:  # noqa: ARG002 - subclasses need it
        """Values the question texts take."""
        return {}

    # The engine.

    @classmethod
    def start(cls, turn: Turn, **about: Any) -> Self:  # noqa: ANN401 - ids and codes, JSON
        """Begin, and put the first question."""
        flow = cls(about=about)
        flow.advance(turn)
        return flow

    def next(self) -> str | None:
        """The first that is wanted and unanswered; one put too often is passed over, or ends a flow that needs it."""
        for key, question in self.questions.items():
            if key in self.answers or not question.wanted(self):
                continue
            if self.asked.get(key, 0) < MOST_ASKED:
                return key
            if not question.skippable:
                return None
        return None

    def advance(self, turn: Turn) -> None:
        """Put the next question, or finish."""
        following = self.next()
        if following is not None:
            self.put(turn, following)
            return
        close(turn)
        if any(
            key not in self.answers and not one.skippable and one.wanted(self) for key, one in self.questions.items()
        ):
            self.unfinished(turn)
        else:
            self.finish(turn)

    def pass_on(self, turn: Turn) -> None:
        """End here; the message is heard as free words."""
        close(turn)
        turn.say("common/given_up")
        self.passed_on = True

    def put(self, turn: Turn, key: str) -> None:
        """Put a question; one that was put too often makes way for the next."""
        if self.asked.get(key, 0) >= MOST_ASKED:
            self.advance(turn)
            return
        self.asked[key] = self.asked.get(key, 0) + 1
        options = self.questions[key].options(turn, self)
        turn.say(f"{self.name}/{key}", options=options, menu=f"{self.name}.{key}", **self.values(turn))
        turn.asks = f"{self.name}.{key}", self.questions[key].free
        self.keep(turn, key)

    def keep(self, turn: Turn, asked: str | None = None) -> None:
        """Store the flow in the conversation; `asked` is the question just shown."""
        talk = _talk(turn)
        talk.flow = self.name
        talk.answers = talk.answers | {_STATE: {"answers": self.answers, "about": self.about, "asked": self.asked}}
        if asked:
            talk.asked, talk.asked_at = f"{self.name}.{asked}", turn.now

    def repeat(self, turn: Turn, key: str | None = None) -> None:
        """Put the open question (or `key`) once more; repeating is not asking once more."""
        question = key or self.open_question(turn)
        if question is None:
            self.advance(turn)
            return
        self.asked[question] = max(0, self.asked.get(question, 1) - 1)
        self.put(turn, question)

    def open_question(self, turn: Turn) -> str | None:
        """The question shown last, while it has no answer, else the next one."""
        shown = (_talk(turn).asked or "").removeprefix(f"{self.name}.")
        return shown if shown in self.questions and shown not in self.answers else self.next()

    def hear(self, turn: Turn, message: Message, command: Command | None) -> None:
        """Read a message as the answer to the question shown last; a tap names its own, however old it is."""
        flow, _, tapped = (message.menu_id or "").partition(".")
        own = flow == self.name and tapped in self.questions
        question = tapped if own else self.open_question(turn)
        if command and command.word in CONTROL:
            self._control(turn, command.word, question)
        elif question is None:
            self.unread(turn, None)
        elif tapped and not own:
            turn.say("common/too_late")
            self.repeat(turn, question)
        elif not tapped and is_bare_digit(message) and stale(turn):
            self._ask_again(turn, question)
        else:
            self._answer(turn, question, message, command)

    def _ask_again(self, turn: Turn, question: str) -> None:
        """A digit may belong to something else: the question comes again, once for all digits on their way."""
        asked_at = _talk(turn).asked_at
        if asked_at is not None and self.about.get(_AGAIN) == asked_at.isoformat() and on_its_way(turn):
            self.keep(turn)
            return
        turn.say("common/again")
        self.about[_AGAIN] = turn.now.isoformat()
        self.repeat(turn, question)

    def _answer(self, turn: Turn, key: str, message: Message, command: Command | None) -> None:
        try:
            value = self.questions[key].read(turn, self, message, command)
        except Unclear:
            self.unread(turn, key)
            return
        if self._tells_something(key, message) and tells_of_harm(turn) and self.is_no_answer(turn):
            self.pass_on(turn)
            return
        self.answers[key] = value
        self.keep(turn)
        self.answered(turn, key)
        self.advance(turn)

    def _tells_something(self, key: str, message: Message) -> bool:
        """Whether the answer was more than an option's name."""
        question = self.questions[key]
        besides = getattr(question, "besides", None)
        if besides is None:
            return question.free
        return besides in self.answers if besides else len(message.text or "") > _LONGEST_OPTION

    def _control(self, turn: Turn, word: str, question: str | None) -> None:
        if word == "cancel":
            close(turn)
            self.cancelled(turn)
        elif word == "restart":
            self.answers, self.asked = {}, {}
            self.advance(turn)
        elif word == "back":
            given = [key for key in self.questions if key in self.answers]
            if given:
                del self.answers[given[-1]]
                self.asked.pop(given[-1], None)
                self.put(turn, given[-1])
            elif question:
                self.asked.pop(question, None)
                self.put(turn, question)
        elif question and self.questions[question].skippable:
            self.answers[question] = None
            self.keep(turn)
            self.answered(turn, question)
            self.advance(turn)
        elif question:
            turn.say("common/needed")
            self.put(turn, question)


def current(turn: Turn, flows: Iterable[type[Flow]]) -> Flow | None:
    """The flow that is open in this conversation, filled with its answers."""
    talk = _talk(turn)
    kind = next((one for one in flows if one.name == talk.flow), None)
    state = talk.answers.get(_STATE)
    if kind is None or state is None:
        return None
    return kind(dict(state["answers"]), dict(state["about"]), dict(state["asked"]))


def close(turn: Turn) -> None:
    """No flow is open any more; what else the conversation knows stays."""
    end(_talk(turn))


def end(talk: Talk) -> None:
    """The same in a conversation that need not be the speaker's; the caller keeps it."""
    talk.flow = talk.asked = talk.asked_at = None
    talk.answers = {key: value for key, value in talk.answers.items() if key != _STATE}


def is_answered(talk: Talk, question: str) -> bool:
    """Whether a question that was put, `flow.question`, has its answer, or its flow is over."""
    name, _, key = question.partition(".")
    state = talk.answers.get(_STATE)
    return talk.flow != name or state is None or key in state["answers"]


def show(turn: Turn, name: str) -> None:
    """Note that a list or a question outside flows was shown, which a bare digit may answer."""
    talk = _talk(turn)
    talk.asked, talk.asked_at = name, turn.now


def tells_of_danger(turn: Turn) -> bool:
    """Whether the rules hear danger at this moment in the words that came."""
    return _urgency(turn) == "immediate_danger"


def tells_of_harm(turn: Turn) -> bool:
    """The same, or one of the situations that have to be reported."""
    return _urgency(turn) in {"immediate_danger", "urgent"}


def _urgency(turn: Turn) -> str | None:
    words = turn.message.text if turn.message and turn.message.kind == "text" else None
    return understand(words, next(iter(turn.roles), None)).urgency if words else None


def is_bare_digit(message: Message) -> bool:
    """A message that is one short number and no tap."""
    text = (message.text or "").strip()
    return message.kind == "text" and not message.menu_id and text.isdecimal() and len(text) <= 3  # noqa: PLR2004


def is_plain_answer(turn: Turn, message: Message) -> bool:
    """A digit or a tap: it means something only to what was asked, and is no account by itself.

    An emergency number is one: whoever types it here instead of dialling it is in need.
    """
    return bool(message.menu_id) or (is_bare_digit(message) and not turn.policy.numbers.is_emergency(message.text))


def stale(turn: Turn) -> bool:
    """Whether a bare digit may belong to something else than the question shown last (issue: three queued digits).

    It does when an hour passed, when something was pushed in between, or when the digit was already on its way
    before the question was shown.
    """
    talk = _talk(turn)
    if talk.asked_at is None or on_its_way(turn):
        return True
    pushed = talk.pushed_at is not None and talk.pushed_at > talk.asked_at
    return pushed or turn.now - talk.asked_at > timedelta(minutes=turn.policy.question_fresh_minutes)


def on_its_way(turn: Turn) -> bool:
    """Whether the message reached our door before the question shown last was put."""
    asked_at, arrived_at = _talk(turn).asked_at, turn.message.arrived_at if turn.message else None
    return asked_at is not None and arrived_at is not None and arrived_at <= asked_at


def _talk(turn: Turn) -> Talk:
    assert turn.talk is not None, "a conversation belongs to a contact"  # noqa: S101 - a bug of ours, not input
    return turn.talk
