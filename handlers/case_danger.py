"""Harm to a child in the words of whoever works on a case: 110 comes first, and the words stay with its account.

Why a level was set, or what was seen, often sounds like that; it answers the question and is no new report.
"""

from handlers.conversation import Flow, close, tells_of_danger
from handlers.turn import Refused, Turn
from storage import reports


class CaseFlow(Flow):
    """A flow about a case, in whose words harm is nothing new, and a picture most likely belongs to the case."""

    passes_on_originals = False

    def is_no_answer(self, turn: Turn) -> bool:
        """It is the answer, and an entry of the account too, for it may have been about another child."""
        if not self.keeps_words and turn.message is not None:
            for report in reports.of_case(turn.session, self.about["case"])[:1]:
                reports.append(turn.connection, report.id, turn.now, "note", text=turn.message.text, by="staff")
        turn.say_first("cases/danger_noted", numbers=turn.policy.numbers, danger=tells_of_danger(turn))
        return False

    def advance(self, turn: Turn) -> None:
        """A refusal, which comes before any change, ends it: what is said next is no second try, and none is undone."""
        try:
            super().advance(turn)
        except Refused as refusal:
            close(turn)
            turn.say(refusal.name, **refusal.values)
