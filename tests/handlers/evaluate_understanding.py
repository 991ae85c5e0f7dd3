"""Measures the understanding of free words: `python -m tests.handlers.evaluate_understanding [dev|earlier|…]`.

The sets: the sixty of utterances.tsv ("dev"), the 330 of utterances_more.tsv ("earlier", all of them looked at by now),
and the messages of utterances_told.tsv, of which two thirds may be looked at while the lexicon is written ("seen") and
one third, by the hash of its words, may not ("unseen"; its misses are printed only when it is named).
"""

import csv
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from handlers.understanding import Understanding, understand

DATA = Path(__file__).parents[1] / "data"
ALSO_RIGHT = {
    "D012": {9}, "D020": {7}, "D025": {4}, "D029": {6}, "D032": {9}, "D038": {9}, "D039": {9}, "D040": {9},
    "D043": {5}, "D045": {5, 9}, "D051": {4}, "D055": {9}, "D059": {2},
}  # fmt: skip
"""Rows where another category is also right, from the notes on utterances.tsv; the other files have one label only."""


@dataclass(frozen=True)
class Message:
    id: str
    role: str
    text: str
    intent: str
    category: str
    urgency: str
    also: str = ""
    """Other categories that are right as well, with a stroke between them."""
    who: str = ""
    """Who says it: for the reader, the rules are not told."""
    age: str = ""
    sex: str = ""
    place: str = ""
    time: str = ""
    relation: str = ""
    injuries: str = ""

    @cached_property
    def heard(self) -> Understanding:
        return understand(self.text.replace("\\n", "\n"), self.role)

    @property
    def set_apart(self) -> bool:
        """Whether it is in the third that nobody looks at while the lexicon is written."""
        return int(hashlib.sha256(self.text.encode()).hexdigest(), 16) % 3 == 0

    @property
    def wanted(self) -> set[int]:
        if self.category == "none":
            return set()
        also = {int(code) for code in self.also.split("/") if code.isdecimal()}
        return {int(self.category)} | also | ALSO_RIGHT.get(self.id, set())

    @property
    def right_situation(self) -> bool:
        """One of the right categories is among the first two suggestions."""
        return bool(self.wanted & set(self.heard.situations[:2]))

    @property
    def raised(self) -> bool:
        """Whether somebody would be woken at once."""
        return self.heard.urgency in {"immediate_danger", "urgent"}


def messages(file: str) -> list[Message]:
    with (DATA / file).open(encoding="utf-8", newline="") as rows:
        return [Message(**row) for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)]


def sets() -> dict[str, list[Message]]:
    told = messages("utterances_told.tsv")
    return {
        "dev": messages("utterances.tsv"),
        "earlier": messages("utterances_more.tsv"),
        "seen": [message for message in told if not message.set_apart],
        "unseen": [message for message in told if message.set_apart],
    }


@dataclass(frozen=True)
class Figures:
    """The three measures, in the order of their weight, and what goes with them."""

    rows: Sequence[Message]

    @cached_property
    def dangers(self) -> list[Message]:
        return [row for row in self.rows if row.urgency == "immediate_danger"]

    @cached_property
    def missed_danger(self) -> list[Message]:
        return [row for row in self.dangers if row.heard.urgency != "immediate_danger"]

    @cached_property
    def too_much_danger(self) -> list[Message]:
        return [row for row in self.rows if row.urgency != "immediate_danger" and row.heard.kind == "danger"]

    @cached_property
    def coded(self) -> list[Message]:
        return [row for row in self.rows if row.category != "none"]

    @cached_property
    def wrong_situation(self) -> list[Message]:
        return [row for row in self.coded if not row.right_situation]

    @cached_property
    def harmless(self) -> list[Message]:
        return [row for row in self.rows if row.intent in {"chitchat", "spam"}]

    @cached_property
    def false_alarms(self) -> list[Message]:
        return [row for row in self.harmless if row.raised]

    @cached_property
    def everyday(self) -> list[Message]:
        return [row for row in self.rows if row.urgency == "normal" and row not in self.harmless]

    @cached_property
    def everyday_alarms(self) -> list[Message]:
        return [row for row in self.everyday if row.raised]

    @cached_property
    def wrong_intent(self) -> list[Message]:
        return [row for row in self.rows if row.heard.intent != row.intent]

    @property
    def situations_right(self) -> float:
        return 1 - len(self.wrong_situation) / len(self.coded)

    @property
    def false_alarm_rate(self) -> float:
        return len(self.false_alarms) / len(self.harmless)

    @property
    def facts(self) -> str:
        """Of what the labels say is told, how much is heard rightly, and how much is heard at all."""
        told = [row for row in self.coded if row.who]
        shares = []
        for fact in ("age", "sex", "place", "time", "relation", "injuries"):
            pairs = [(getattr(row, fact), _heard(row, fact)) for row in told]
            right = sum(bool(label) and _agrees(label, heard) for label, heard in pairs)
            heard = sum(bool(heard) for _, heard in pairs)
            shares.append(f"{fact} {_share(right, sum(bool(label) for label, _ in pairs))} of {heard} heard")
        return ", ".join(shares)

    def report(self, name: str) -> str:
        found = len(self.dangers) - len(self.missed_danger)
        first = sum(bool(row.wanted & set(row.heard.situations[:1])) for row in self.coded)
        suggested = [row for row in self.rows if row.heard.situations]
        right = len(self.coded) - len(self.wrong_situation)
        lines = [
            f"{name}: {len(self.rows)} messages",
            f"  danger recall       {_share(found, len(self.dangers))}",
            f"  danger precision    {_share(found, found + len(self.too_much_danger))}",
            f"  situation, first 2  {_share(right, len(self.coded))}",
            f"  situation, first    {_share(first, len(self.coded))}",
            f"  situation precision {_share(sum(row.right_situation for row in suggested), len(suggested))}",
            f"  alarm on small talk {_share(len(self.false_alarms), len(self.harmless))}",
            f"  alarm on everyday   {_share(len(self.everyday_alarms), len(self.everyday))}",
            f"  intent right        {_share(len(self.rows) - len(self.wrong_intent), len(self.rows))}",
            f"  told besides        {self.facts}",
            "  urgency, label→heard: " + _confusion((row.urgency, row.heard.urgency) for row in self.rows),
            "  wrong intents:        " + _confusion((row.intent, row.heard.intent) for row in self.wrong_intent),
            "  wrong situations:     " + _confusion((row.category, _first_two(row)) for row in self.wrong_situation),
        ]
        return "\n".join(lines)

    def misses(self) -> str:
        kinds = {
            "danger missed": self.missed_danger,
            "situation missed": self.wrong_situation,
            "false alarm": self.false_alarms + self.everyday_alarms,
            "danger for urgent": [row for row in self.too_much_danger if row.urgency == "urgent"],
            "intent": self.wrong_intent,
        }
        return "\n".join(
            f"  {kind:18}{row.id} {row.text!r}: {row.intent} {row.category} {row.urgency} → {row.heard.intent} "
            f"{_first_two(row)} {row.heard.urgency} because {'; '.join(row.heard.because) or 'no rule'}"
            for kind, rows in kinds.items()
            for row in rows
        )


def _heard(row: Message, fact: str) -> str:
    heard = row.heard
    words = {"time": " ".join(heard.times), "injuries": ",".join(heard.injuries), "age": str(heard.age or "")}
    return words.get(fact, str(getattr(heard, fact, None) or ""))


def _agrees(label: str, heard: str) -> bool:
    """Whether what was heard is the label, holds it or is held by it; of several injuries one is enough."""
    if not heard:
        return False
    return label in heard or heard in label or bool(set(label.split(",")) & set(heard.split(",")))


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({part / whole:.0%})" if whole else "0/0"


def _first_two(row: Message) -> str:
    return "+".join(map(str, row.heard.situations[:2])) or "none"


def _confusion(pairs: Iterable[tuple[str, str]]) -> str:
    counted = sorted(Counter(pairs).items())
    return ", ".join(f"{said}→{heard} {count}" for (said, heard), count in counted) or "none"


def milliseconds_per_message(rows: Sequence[Message], rounds: int = 3) -> float:
    """The mean, after the lexicon has been read."""
    understand("1")
    started = time.perf_counter()
    for _ in range(rounds):
        for row in rows:
            understand(row.text, row.role)
    return (time.perf_counter() - started) * 1000 / (rounds * len(rows))


def main(names: Sequence[str]) -> None:
    chosen = {name: rows for name, rows in sets().items() if name in names or not names}
    for name, rows in chosen.items():
        print(Figures(rows).report(name))  # noqa: T201 - printing is what this is for
        if name != "unseen" or names:
            print(Figures(rows).misses())  # noqa: T201 - the same
    print(f"{milliseconds_per_message(next(iter(chosen.values()))):.2f} ms a message")  # noqa: T201 - the same


if __name__ == "__main__":
    main(sys.argv[1:])
