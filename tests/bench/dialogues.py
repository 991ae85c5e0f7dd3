"""What people say: whole report dialogues, each with its own names and numbers, so that nothing can be remembered."""

import random
import re
import tomllib
from pathlib import Path
from typing import TypedDict

_RECEIPT = re.compile(r"回执号 \d{4} \d{4} \d{4}")


class _Dialogue(TypedDict):
    texts: list[str]


class _Book(TypedDict):
    names: list[str]
    given: list[str]
    villages: list[str]
    dialogues: list[_Dialogue]


def _read() -> _Book:
    return tomllib.loads(Path(__file__).with_name("dialogues.toml").read_text("utf-8"))  # type: ignore[return-value]  # our own file


_BOOK = _read()


def texts(number: int) -> list[str]:
    """The messages of dialogue `number`, always the same for the same number."""
    chance = random.Random(number)
    values = {
        "child": chance.choice(_BOOK["names"]) + chance.choice(_BOOK["given"]),
        "village": chance.choice(_BOOK["villages"]),
        "age": chance.randint(6, 12),
        "grade": chance.randint(1, 6),
        "phone": f"1{chance.randint(3_000_000_000, 9_999_999_999)}",
    }
    chosen = _BOOK["dialogues"][number % len(_BOOK["dialogues"])]
    return [text.format(**values) for text in chosen["texts"]]


def mean_length() -> float:
    """Messages per dialogue."""
    lengths = [len(dialogue["texts"]) for dialogue in _BOOK["dialogues"]]
    return sum(lengths) / len(lengths)


def is_right(number: int, turn: int, reply: str) -> bool:
    """Whether the bot's reply is what the person should read: danger first, the receipt last, a question between."""
    if turn == 0:
        return "110" in reply.partition("\n")[0] and _RECEIPT.search(reply) is None
    if turn == len(texts(number)) - 1:
        return _RECEIPT.search(reply) is not None
    return bool(reply) and _RECEIPT.search(reply) is None
