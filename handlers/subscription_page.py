"""/m/notices: where people agree to be sent subscription notices, and how they are led there.

The question itself is put by the platform's own script on that page; what was answered comes back as an event.
"""

from handlers.page import Answer, Fields, Page
from handlers.turn import Card, Refused, Turn
from messages import Command, label, render
from storage import optins
from storage.outbox import OutboxKind

PATH = "/m/notices"


def notices(turn: Turn, path: Fields, form: Fields) -> Answer:  # noqa: ARG001 - the same for everybody
    """Every notice of the county with whether one will come: one line for each template, which may serve several."""
    if turn.talk is None or not turn.policy.notices:
        raise Refused("common/not_yours")
    agreed = optins.open_of(turn.connection, turn.talk.contact_id)
    rows: dict[str, dict[str, object]] = {}
    for purpose, notice in turn.policy.notices.items():
        named = label("notice_purpose", purpose)
        row = rows.setdefault(notice.template_id, {
            "template": notice.template_id, "names": [], "agreed": notice.template_id in agreed,
            "long_term": notice.long_term,
        })  # fmt: skip
        row["names"] = [*row["names"], named]  # type: ignore[misc]  # a list, as three lines up
    return Page("notices", {"rows": list(rows.values())}, uses_script=True)


def wanting(turn: Turn) -> bool:
    """Whether there is a notice that the speaker has not agreed to, or whose yes is used up."""
    if turn.talk is None or not turn.policy.notices:
        return False
    agreed = optins.open_of(turn.connection, turn.talk.contact_id)
    return any(notice.template_id not in agreed for notice in turn.policy.notices.values())


def offer(turn: Turn) -> None:
    """Send the speaker the link, if there is anything to agree to; nobody misses it where no window is open."""
    if turn.talk is not None and wanting(turn):
        content = {"text": render("subscriptions/offer"), "by": ["custom"], "besides": True}
        turn.push_content(turn.talk.contact_id, OutboxKind.NOTICE, content, Card("notice", {}, PATH))


def on_word(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """The link on demand."""
    if turn.person is None or not turn.policy.notices:
        turn.say("subscriptions/none")
    elif wanting(turn):
        turn.say("subscriptions/follows")
        offer(turn)
    else:
        turn.say("subscriptions/all_agreed")


COMMANDS = {"notices": on_word}
