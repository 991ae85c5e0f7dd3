"""What a reporter's words already answered: not asked again, shown once, and asked after all on one tap.

A question is answered only where the words answer all of it: which child, by age and a school or village of the county;
where the child is now; who did it and whether they still come near. In danger every question is asked.
"""

from collections.abc import Callable
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from handlers.facts import When, when
from handlers.message import Message
from handlers.questions import CHINA, Choice
from handlers.report_questions import in_danger
from handlers.turn import Turn
from handlers.understanding import told
from handlers.workdays import at
from messages import plain
from storage import areas

if TYPE_CHECKING:
    from handlers.conversation import Flow

_ANSWERS = {"child": ("age", "place"), "where": ("where",), "suspect": ("relation", "reach")}
"""Question → the facts that together answer it."""
_KNOWN = "known"
"""In `about`: the facts heard so far, by their names; None once the reporter said that they are wrong."""
_SHOWN = "shown"
"""In `about`: the questions that were said to be answered."""


class Understood(Choice):
    """Never put: the tap beside what the bot understood, which says that it is wrong."""

    def __init__(self) -> None:
        super().__init__("understood", when=lambda flow: False)  # noqa: ARG005 - every question's shape


def unless_told(question: str, wanted: Callable[[Any], bool] | None = None) -> Callable[[Any], bool]:
    """Whether a question is to be put: `wanted` by the answers, and not answered by the words before."""

    def when_untold(flow: "Flow") -> bool:
        if wanted is not None and not wanted(flow):
            return False
        return in_danger(flow) or question not in flow.about.get(_SHOWN, ())

    return when_untold


def hear(turn: Turn, flow: "Flow", message: Message) -> None:
    """Note what the words of `message` tell besides; the first time something is told counts."""
    known = flow.about.get(_KNOWN, {})
    facts = told(message.text or "") if message.kind == "text" and known is not None else None
    if facts is None:
        return
    heard: dict[str, Any] = {
        name: facts[name] for name in ("age", "where", "relation", "reach") if facts[name] is not None
    }
    moment = when(plain(message.text or ""), turn.now.astimezone(CHINA))
    if moment is not None:
        heard["when"] = _kept(moment)
    known = heard | known
    if "age" in known and "place" not in known and (place := _place(turn, message.text or "")):
        known["place"] = place
    if known:
        flow.about[_KNOWN] = known


def show(turn: Turn, flow: "Flow") -> None:
    """Say what the words answered since this was said last; those questions are not put any more."""
    known = flow.about.get(_KNOWN) or {}
    shown = flow.about.get(_SHOWN, [])
    new = [
        question for question, facts in _ANSWERS.items()
        if question not in shown and question not in flow.answers and not flow.asked.get(question)
        and all(fact in known for fact in facts)
    ]  # fmt: skip
    if in_danger(flow) or not new:
        return
    flow.about[_SHOWN] = [*shown, *new]
    options = flow.questions["understood"].options(turn, flow)
    facts = {fact: known[fact] for question in new for fact in _ANSWERS[question]}
    turn.say(
        "reports/understood", options=options, menu=f"{flow.name}.understood", heard=facts,
        when=_read(known.get("when")), **flow.values(turn),
    )  # fmt: skip


def is_wrong(flow: "Flow") -> None:
    """The reporter tapped that it is wrong: everything is asked, and nothing is heard out of words any more."""
    del flow.answers["understood"]
    flow.about[_KNOWN], flow.about[_SHOWN] = None, []
    following = flow.next()
    if following is not None:  # it comes once more, which is not asking once more
        flow.asked[following] = max(0, flow.asked.get(following, 1) - 1)


def _place(turn: Turn, words: str) -> str | None:
    """The village or township of the county that the words name."""
    found = turn.belonging(words)
    named = next((one for one in found if one.level != areas.AreaLevel.COUNTY), None)
    return turn.session.get_one(areas.Area, named.id).name if named is not None else None


def _kept(moment: When) -> dict[str, Any]:
    """As JSON: the words, the moment, and whether its hour is known."""
    exact = at(moment.day, time(moment.hour or 0, 30 if moment.half else 0))
    return {"said": moment.said, "at": exact.isoformat(), "clock": moment.hour is not None}


def _read(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    return kept and kept | {"at": datetime.fromisoformat(kept["at"])}
