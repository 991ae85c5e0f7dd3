"""Kinds of questions. A kind knows three things: read (words → JSON value or `Unclear`), recall, and its options."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload
from zoneinfo import ZoneInfo

from handlers.message import Message
from handlers.turn import Turn
from messages import Command, answer_words, choose, labels, pattern, plain

if TYPE_CHECKING:
    from handlers.conversation import Flow

T = TypeVar("T")
CHINA = ZoneInfo("Asia/Shanghai")
_LONGEST_WORD_ANSWER = 12
"""A choice said in words is short; anything longer is an account."""


class Unclear(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """Words that do not answer the question."""


@dataclass(frozen=True)
class Option:
    """One way to answer: the digit shown, and its words."""

    number: int
    code: str
    label: str


class Question(Generic[T]):
    """A typed question of a flow; it learns its own name."""

    def __init__(
        self, *, when: Callable[[Any], bool] | None = None, skippable: bool = True, free: bool = False
    ) -> None:
        self.when, self.skippable, self.name = when, skippable, ""
        self.free = free
        """Whether any words are an answer."""

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name the class body gave."""
        self.name = name

    @overload
    def __get__(self, flow: None, owner: type) -> Self: ...
    @overload
    def __get__(self, flow: "Flow", owner: type) -> T | None: ...
    def __get__(self, flow: "Flow | None", owner: type) -> Self | T | None:
        """The answer, or None while there is none; on the class, the question itself."""
        if flow is None:
            return self
        value = flow.answers.get(self.name)
        return None if value is None else self.recall(value)

    def wanted(self, flow: "Flow") -> bool:
        """Whether the answers so far call for it."""
        return self.when is None or self.when(flow)

    def options(self, turn: Turn, flow: "Flow") -> Sequence[Option]:  # noqa: ARG002 - kinds with options need them
        """The answers that are offered by number."""
        return ()

    def recall(self, value: Any) -> T:  # noqa: ANN401 - JSON
        """The typed answer."""
        answer: T = value
        return answer

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> Any:  # noqa: ANN401 - JSON
        """The answer in a message; raises Unclear."""
        raise NotImplementedError


class Words(Question[str]):
    """Any words; what came as a picture, voice or pin is kept elsewhere and does not answer it."""

    def __init__(self, *, when: Callable[[Any], bool] | None = None, skippable: bool = True, limit: int = 600) -> None:
        super().__init__(when=when, skippable=skippable, free=True)
        self.limit = limit

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:  # noqa: ARG002
        """The words as they were typed."""
        if message.kind != "text" or not (message.text or "").strip():
            raise Unclear
        return (message.text or "")[: self.limit]


class Choice(Question[str]):
    """One code of a section of labels.toml, or of a list made for the moment; by digit, tap or words."""

    def __init__(
        self,
        kind: str = "",
        *,
        among: Callable[[Turn, Any], Sequence[tuple[str, str]]] | None = None,
        said_as: dict[str, str] | None = None,
        when: Callable[[Any], bool] | None = None,
        skippable: bool = True,
        besides: str | None = None,
    ) -> None:
        super().__init__(when=when, skippable=skippable)
        self.kind, self.among = kind, among
        self.besides = besides
        """The question that the rest of the words answers ("" for none), where an option may be named in a sentence."""
        self.said_as = said_as or {}
        """Section of words.toml → code, for codes that have ways of saying."""

    def options(self, turn: Turn, flow: "Flow") -> Sequence[Option]:
        """Digit, code and words of each."""
        pairs = self.among(turn, flow) if self.among else list(labels(self.kind).items())
        return [Option(number, code, label) for number, (code, label) in enumerate(pairs, 1)]

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """The code that a digit, a tap or the option's own words name."""
        said = plain(message.text or "") if message.kind == "text" else ""
        bare = re.sub(r"[\W_]+", "", said)
        options = self.options(turn, flow)
        for option in options:
            if bare == str(option.number) or bare in _names(option.label):
                return option.code
        if command and command.word in self.said_as and not command.argument:
            return self.said_as[command.word]
        if bare and len(bare) <= _LONGEST_WORD_ANSWER:
            for section, code in self.said_as.items():
                if bare in answer_words(section):
                    return code
        return self.take(turn, flow, said and (message.text or ""))

    def take(self, turn: Turn, flow: "Flow", words: str) -> str:
        """The one option that a sentence names; the rest of it answers the next question. Raises Unclear."""
        offered = {option.code: option.label for option in self.options(turn, flow)}
        found = choose(words, self.kind, offered) if self.besides is not None else None
        if found is None:
            raise Unclear
        code, rest = found
        if rest and self.besides:
            flow.answers.setdefault(self.besides, rest)
        return code


@lru_cache(maxsize=1024)  # labels are few, names of children to choose from are many
def _names(label: str) -> set[str]:
    """What an option may be called: its words, and those before and inside its brackets."""
    parts = [label, *pattern("bracket").split(label)]
    return {bare for part in parts if (bare := re.sub(r"[\W_]+", "", plain(part)))}


class YesNo(Choice):
    """Yes or no."""

    def __init__(self, *, when: Callable[[Any], bool] | None = None, skippable: bool = True) -> None:
        super().__init__("yes_no", said_as={"yes": "yes", "no": "no"}, when=when, skippable=skippable)


class Phone(Question[str]):
    """A telephone number in the words; the rest of the words does not matter."""

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:  # noqa: ARG002
        """The digits."""
        found = phone_in(message.text or "") if message.kind == "text" else None
        if not found:
            raise Unclear
        return found


_PHONE = re.compile(r"(?<!\d)(1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}|0\d{2,3}[\s-]?\d{7,8}|\d{7,8})(?!\d)")


def phone_in(text: str) -> str | None:
    """The digits of the first telephone number in the words."""
    found = _PHONE.search(text)
    return re.sub(r"\D", "", found[0]) if found else None


class Day(Question[date]):
    """A day, today or in the near past: by its word, so many days ago, or its date."""

    def recall(self, value: str) -> date:
        """The date."""
        return date.fromisoformat(value)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:  # noqa: ARG002
        """The day's ISO form; a day of the future is unclear."""
        said = re.sub(r"\s", "", plain(message.text or "")) if message.kind == "text" else ""
        today = turn.now.astimezone(CHINA).date()
        words = labels("day_word")
        if said in words:
            return (today - timedelta(days=int(words[said]))).isoformat()
        ago = pattern("days_ago").fullmatch(said)
        if ago:
            return (today - timedelta(days=int(ago[1]))).isoformat()
        named = pattern("date").fullmatch(said)
        if not named:
            raise Unclear
        return _last(today, int(named[1]) if named[1] else None, int(named[2])).isoformat()


def _last(today: date, month: int | None, day: int) -> date:
    """The latest day, not after today, that is called so."""
    for back in range(366):
        candidate = today - timedelta(days=back)
        if candidate.day == day and month in {None, candidate.month}:
            return candidate
    raise Unclear
