"""Binding a WeChat identity to a person on the county's list: one-time codes, moving, unbinding."""

import re
import secrets
from datetime import timedelta

from handlers import moving, subscription_page
from handlers.conversation import Flow, end
from handlers.questions import Words, YesNo
from handlers.turn import Turn
from messages import Command, plain
from storage import bindings, contacts, people, sealing, sessions, shown_numbers, unsaid
from storage.contacts import Talk
from storage.outbox import OutboxKind
from storage.people import Invite, Person, Role

CODE_LENGTH = 8
SCENE = "invite-"
"""Beginning of the scene in an invitation's QR code; the code follows."""
_FIRST = "34679"
"""A code begins with a digit, so that it is recognised even when typed right behind the word."""
_LETTERS = "ACDEFGHJKMNPQRTUVWXY34679"
"""Nothing that looks like something else: no 0 O, 1 I L, 2 Z, 5 S, 8 B."""
RANK = (
    Role.COUNTY_SUPERVISOR, Role.TOWNSHIP_CHILD_SUPERVISOR, Role.VILLAGE_CHILD_OFFICER, Role.AGENCY_LIAISON,
    Role.AUDITOR, Role.MANDATED_REPORTER, Role.CARE_PARTNER,
)  # fmt: skip
"""Who holds several roles is addressed by the first of these."""


def main_role(roles: dict[str, int | None]) -> Role:
    """The role by which menu and words are chosen; whoever has none is a citizen."""
    return next((role for role in RANK if role in roles), Role.CITIZEN)


def invite(turn: Turn, person: Person) -> str:
    """A fresh one-time code for this person, kept only as an index; earlier codes of this person lapse."""
    code = secrets.choice(_FIRST) + "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH - 1))
    until = turn.now + timedelta(days=turn.policy.invite_days)
    bindings.invite(turn.session, person.id, _index(code), turn.now, until)
    turn.audit("invite", "person", person.id)
    return code


def use_code(turn: Turn, said: str) -> None:
    """Bind the speaking contact by a code, or say in one sentence why not.

    Says rather than raises, because a refusal would undo the counting of wrong tries.
    """
    talk = _talk(turn)
    count, blocked_until = bindings.tries(turn.connection, talk.contact_id)
    if blocked_until is not None and blocked_until > turn.now:
        turn.say("binding/blocked", until=blocked_until)
        return
    found = people.invite_of(turn.session, _index(said))
    person = people.person_of(turn.session, found.person_id) if found else None
    if found and person and found.expires_at > turn.now and bindings.use(turn.connection, found.id, turn.now):
        bind(turn, person)
    elif found and found.used_at and talk.person_id == found.person_id:
        turn.say("binding/already")
    else:
        _wrong(turn, talk, count + 1, found)


def _wrong(turn: Turn, talk: Talk, count: int, found: Invite | None) -> None:
    if count >= turn.policy.bind_tries:
        until = turn.now + timedelta(minutes=turn.policy.bind_block_minutes)
        bindings.set_tries(turn.connection, talk.contact_id, 0, until)
        turn.say("binding/blocked", until=until)
        return
    bindings.set_tries(turn.connection, talk.contact_id, count, None)
    if found and found.used_at:
        turn.say("binding/used")
    elif found:
        turn.say("binding/expired")
    else:
        turn.say("binding/wrong", left=turn.policy.bind_tries - count)


def bind(turn: Turn, person: Person) -> None:
    """Make the speaking contact this person; a binding elsewhere moves here, and the old phone is told."""
    talk = _talk(turn)
    before = talk.person_id
    if before is not None and before != person.id:
        let_go(turn, talk.contact_id)
    for other in bindings.contacts_of(turn.connection, person.id):
        if other != talk.contact_id:
            let_go(turn, other, to=talk.contact_id)
            turn.push_to(other, OutboxKind.NOTICE, "binding/moved")
    bindings.bind(turn.connection, talk.contact_id, person.id)
    _speaks_as(turn, person.id)
    turn.audit("bind", "person", person.id)
    if before is not None and before != person.id:
        moving.lost(turn, before)
    bound(turn, person)


def bound(turn: Turn, person: Person) -> None:
    """Welcome a person who has just been bound, with the four words of the role, and offer them notices."""
    turn.say("binding/welcome", who=person.name, role=main_role(turn.roles))
    subscription_page.offer(turn)


def let_go(turn: Turn, contact_id: int, to: int | None = None) -> None:
    """A contact is nobody in particular any more: no sign-in, no flow and no words for the person are left to it.

    `to`: the contact the person has now, which gets the words, and knows the numbers in them.
    """
    talk = turn.talk if turn.talk and turn.talk.contact_id == contact_id else None
    other = None if talk else contacts.talk_with(turn.connection, contact_id, turn.now, lock=True)
    if talk is not None:
        end(talk)
    elif other is not None and (other.flow or other.asked):
        end(other)
        contacts.keep(turn.connection, other)
    if to is None:
        unsaid.cancel_of(turn.connection, contact_id)
    else:
        unsaid.move(turn.connection, contact_id, to)
        shown_numbers.move(turn.connection, contact_id, to)
    bindings.release(turn.connection, contact_id)
    sessions.revoke_of_contact(turn.connection, contact_id, turn.now)


def let_go_of(turn: Turn, person_id: int) -> None:
    """Unbind a person wherever bound; codes given out lapse."""
    for contact_id in bindings.contacts_of(turn.connection, person_id):
        let_go(turn, contact_id)
    bindings.lapse(turn.connection, person_id, turn.now)
    if turn.talk is not None and turn.talk.person_id == person_id:
        _speaks_as(turn, None)


class Binding(Flow, name="binding"):
    """Asks for the code when only the word was said."""

    code = Words(skippable=False, limit=40)

    def finish(self, turn: Turn) -> None:
        """Try the code."""
        use_code(turn, self.code or "")


class Unbinding(Flow, name="unbinding"):
    """Unbind after a confirmation."""

    sure = YesNo(skippable=False)

    def finish(self, turn: Turn) -> None:
        """Unbind, and see to it that what the person holds is noticed."""
        person = turn.person
        if self.sure != "yes" or person is None:
            turn.say("unbinding/kept")
            return
        turn.audit("unbind", "person", person.id)
        let_go(turn, _talk(turn).contact_id)
        _speaks_as(turn, None)
        moving.lost(turn, person.id)
        turn.say("unbinding/done")


def on_bind(turn: Turn, command: Command) -> None:
    """The word with a code, or alone."""
    if command.argument:
        use_code(turn, command.argument)
    else:
        Binding.start(turn)


def on_unbind(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """Ask before unbinding."""
    if turn.person is None:
        turn.say("unbinding/not_bound")
    else:
        Unbinding.start(turn)


def on_lost(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """A phone that was lost, or borrowed: every browser that is signed in through this WeChat is cut off at once."""
    contact_id = _talk(turn).contact_id
    sessions.revoke_of_contact(turn.connection, contact_id, turn.now)
    turn.audit("sign_out", "contact", contact_id)
    turn.say("binding/signed_out", bound=turn.person is not None)


def unbind(turn: Turn, person: Person) -> None:
    """Somebody's phone is lost, as others say: binding, codes and sign-ins end, and what they hold is noticed."""
    turn.audit("unbind", "person", person.id)
    let_go_of(turn, person.id)
    moving.lost(turn, person.id)


def _index(said: str) -> bytes:
    return sealing.ring().index("invite", re.sub(r"[\W_]+", "", plain(said)).upper())


def _speaks_as(turn: Turn, person_id: int | None) -> None:
    """From here on this turn is that person's: what was looked up about the speaker before is forgotten."""
    _talk(turn).person_id = person_id
    for looked_up in ("person", "roles"):
        turn.__dict__.pop(looked_up, None)


def _talk(turn: Turn) -> Talk:
    assert turn.talk is not None, "only a contact can be bound"  # noqa: S101 - a bug of ours, not input
    return turn.talk
