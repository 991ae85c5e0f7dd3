"""Two questions only a report asks: whether the police were told, and how the reporter may be asked back."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from handlers.conversation import MOST_ASKED
from handlers.message import Message
from handlers.questions import Choice, Option, Phone, Question, Unclear
from handlers.turn import Turn
from messages import Command, label, pattern
from messages import command as command_in

if TYPE_CHECKING:
    from handlers.conversation import Flow

_RECEIPT = re.compile(r"[A-Za-z0-9-]{4,30}")
_NOT_A_RECEIPT = re.compile(r"1[3-9]\d{9}|0\d{2,3}-?\d{7,8}")
"""Telephones."""
_DAY = re.compile(r"20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
"""A day written as one number: a note may begin with it; who is asked for a number does not answer with it."""


class DangerNow(Choice):
    """Whether the child is in danger at this moment; who answers with an emergency number says so."""

    def __init__(self, *, when: Callable[[Any], bool] | None = None) -> None:
        super().__init__("danger_now", said_as={"yes": "yes", "no": "no"}, when=when)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """`yes` or `no`."""
        return "yes" if turn.policy.numbers.is_emergency(message.text) else super().read(turn, flow, message, command)


class PoliceTold(Choice):
    """Told already (with the receipt number where there is one), or not yet: `yes`, `yes:NUMBER` or `no`."""

    def __init__(self, *, when: Callable[[Any], bool] | None = None) -> None:
        super().__init__("police_told", said_as={"yes": "yes", "no": "no"}, when=when)

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """A digit or words, or a receipt number, which says that they were told."""
        try:
            return super().read(turn, flow, message, command)
        except Unclear:
            number = receipt_in(message.text or "")
            if not number:
                raise
            return f"yes:{number}"


class ReceiptNumber(Question[str]):
    """The number of a receipt of the police, or that it has none (an empty answer)."""

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:  # noqa: ARG002
        """The number in the words."""
        said = message.text or ""
        number = receipt_in(said)
        if number is None and not says_none(said):
            raise Unclear
        return number or ""


NUMBER_PLEASE = "number_please"
"""The value of a mere yes in danger, when the question for the number has to come again."""


class CallBack(Choice):
    """By WeChat, anonymous, or a telephone number; the value is `wechat`, `anonymous` or the digits.

    A mere yes names no number. In danger minutes count, and somebody who may be rung is asked for it once more; at
    leisure it means WeChat, which reaches the reporter as well without another question.
    """

    def __init__(self, *, when: Callable[[Any], bool] | None = None) -> None:
        super().__init__("call_back", said_as={"yes": NUMBER_PLEASE, "no": "anonymous"}, when=when)
        self._phone = Phone()

    def options(self, turn: Turn, flow: "Flow") -> Sequence[Option]:  # noqa: ARG002 - every question's shape
        """In danger the number comes first: only WeChat is offered beside it."""
        codes = ["wechat"] if in_danger(flow) else ["wechat", "anonymous"]
        return [Option(number, code, label("call_back", code)) for number, code in enumerate(codes, 1)]

    def read(self, turn: Turn, flow: "Flow", message: Message, command: Command | None) -> str:
        """A telephone number in any words, else a choice."""
        try:
            return str(self._phone.read(turn, flow, message, command))
        except Unclear:
            chosen = super().read(turn, flow, message, command)
        again = in_danger(flow) and flow.asked.get(self.name, 0) < MOST_ASKED
        return "wechat" if chosen == NUMBER_PLEASE and not again else chosen


def in_danger(flow: "Flow") -> bool:
    """Whether the rules or the reporter say that it is happening now."""
    return bool(flow.about.get("danger")) or flow.answers.get("danger") == "yes"


def receipt_in(text: str) -> str | None:
    """A police receipt number in the words: letters and digits, at least four of them digits; no telephone, no date."""
    for found in _RECEIPT.findall(pattern("full_date").sub(" ", text)):
        digits = sum(character.isdigit() for character in found)
        if digits >= 4 and not _NOT_A_RECEIPT.fullmatch(found):  # noqa: PLR2004  see docstring
            return str(found)
    return None


def receipt_noted(text: str) -> str | None:
    """The receipt in a note about it: one that says little else, or calls it a number of that kind."""
    number = receipt_in(text)
    if number is None or _DAY.fullmatch(number) or pattern("no_receipt").search(text):
        return None
    is_named = pattern("names_receipt").search(text) is not None
    return number if is_named or len(text) <= len(number) + 20 else None


def says_none(text: str) -> bool:
    """Whether the words say that there is no number."""
    said = command_in(text)
    return said is not None and said.word in {"no", "no_number"}
