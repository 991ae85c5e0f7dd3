"""What the record word says at once: whose visit, how it went, on which day."""

import re
from dataclasses import dataclass
from typing import Self

from handlers.message import Message
from handlers.questions import Unclear
from handlers.turn import Refused, Turn
from handlers.visit_questions import PastDay
from messages import Command, answer_words, plain

_OUTCOMES = {"all_fine": "all_fine", "not_met": "not_met", "phone_contact": "phone"}


@dataclass(frozen=True)
class Spoken:
    """Numbers as shown, code of [visit_opening] or None, ISO day or None for today."""

    numbers: tuple[int, ...] = ()
    outcome: str | None = None
    day: str | None = None

    @classmethod
    def of(cls, turn: Turn, command: Command) -> Self:
        """Read the words after the record word; `messages.command` let nothing else through than these."""
        rest, outcome = re.sub(r"[\W_]+", "", plain(command.then)), None
        for word, code in _OUTCOMES.items():
            said = max(
                (one for one in answer_words(word) if rest.endswith(one) or rest.startswith(one)), key=len, default=""
            )
            if said:
                outcome, rest = code, rest.removesuffix(said) if rest.endswith(said) else rest.removeprefix(said)
        return cls(command.numbers, outcome, _day(turn, rest) if rest else None)


def _day(turn: Turn, said: str) -> str:
    try:
        return PastDay().read(turn, None, Message("text", text=said), None)  # type: ignore[arg-type]  # it asks no flow
    except Unclear:
        raise Refused("visits/no_such_day") from None
