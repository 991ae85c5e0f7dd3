"""Following and unfollowing, help in the words of the role, who is on duty; binding and leaving are beside this."""

from handlers import away, binding, leaving, moving, signing, subscription_page, who
from handlers.binding import SCENE, main_role
from handlers.binding import bound as bound  # noqa: PLC0414 - part of what this topic offers
from handlers.message import Message
from handlers.turn import Turn
from messages import Command
from storage import areas, bindings, contacts, inbox, people, sessions, tasks
from storage.contacts import Talk
from storage.people import Role
from storage.tasks import TaskState

NOT_THE_PERSON = frozenset({
    "templatesendjobfinish", "unsubscribe", "user_authorization_cancellation", "user_authorization_revoke",
    "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event",
})  # fmt: skip
"""Events that do not say that somebody reads us again; what is asked about notices, a stranger answers too."""


def on_subscribe(turn: Turn, message: Message) -> None:
    """Greet in two lines, danger first; whoever came by an invitation's QR code is bound at once."""
    turn.say("people/greeting", police=turn.policy.numbers.police)
    on_scan(turn, message)


def on_scan(turn: Turn, message: Message) -> None:
    """A scene QR code was scanned: an invitation binds, any other scene says nothing."""
    scene = message.event_key or ""
    if scene.startswith(SCENE):
        binding.use_code(turn, scene.removeprefix(SCENE))


def on_unsubscribe(turn: Turn, message: Message) -> None:
    """Forget the WeChat identity; reports and cases stay, and what a bound person holds is noticed at once."""
    talk = turn.talk
    if talk is None or _is_back(turn, talk, message):
        return
    person_id, talk.person_id = talk.person_id, None
    bindings.release(turn.connection, talk.contact_id)
    for report_id in bindings.forget_reporter(turn.connection, talk.contact_id):
        for task in tasks.live_of_subject(turn.session, "report", report_id):
            if task.role == "reporter":  # nobody is left to ask
                tasks.end(turn.connection, task.id, turn.now, TaskState.CANCELLED)
    sessions.revoke_of_contact(turn.connection, talk.contact_id, turn.now)
    contacts.erase(turn.connection, talk.contact_id, turn.now)
    inbox.forget_openid(turn.connection, talk.contact_id, talk.openid)
    talk.flow = talk.asked = talk.asked_at = None
    talk.answers = {}
    turn.audit("unfollow", "contact", talk.contact_id)
    if person_id is not None:
        moving.lost(turn, person_id)


def _is_back(turn: Turn, talk: Talk, left: Message) -> bool:
    """Whether the person did something after leaving, both by the platform's clock: the event came late."""
    return any(
        kept.get("create_time", 0) > left.create_time and kept.get("event") not in NOT_THE_PERSON  # a form has none
        for kept in inbox.messages_of(turn.connection, talk.contact_id)
    )


def on_revoke(turn: Turn, message: Message) -> None:  # noqa: ARG001 - every event has this shape
    """What was allowed to our pages is taken back: sign-ins rest on it, and nothing else that we keep."""
    if turn.talk is not None:
        sessions.revoke_of_contact(turn.connection, turn.talk.contact_id, turn.now)


def on_help(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """The words of the speaker's role; a villager reads four of them."""
    turn.say("people/help", role=main_role(turn.roles), police=turn.policy.numbers.police)


def on_duty(turn: Turn, command: Command) -> None:  # noqa: ARG001 - every command has this shape
    """Who is on duty where the speaker works; a citizen reads the county's number."""
    number = turn.policy.numbers.county_duty
    own = turn.person.area_id if turn.person else None
    area_id = own or next((one for one in turn.roles.values() if one is not None), None)
    if area_id is None:
        turn.say("people/duty_citizen", number=number, police=turn.policy.numbers.police)
        return
    acting = dict.fromkeys(who.acting_for(turn, one) for one in who.on_duty(turn, area_id))
    found = [one for one in (people.person_of(turn.session, one) for one in acting) if one]
    named = [
        (one.name, main_role({held.role: held.area_id for held in people.roles_of(turn.session, one.id, turn.now)}))
        for one in found
    ]
    area = areas.township_of(turn.session, area_id) or areas.county(turn.session)
    turn.say("people/duty", area=area.name if area else "", on_duty=named, number=number)


def role_of(turn: Turn, person_id: int) -> Role:
    """The role by which a person's menu is chosen."""
    return main_role({one.role: one.area_id for one in people.roles_of(turn.session, person_id, turn.now)})


COMMANDS = {
    "bind": binding.on_bind,
    "unbind": binding.on_unbind,
    "lost": binding.on_lost,
    "leave": leaving.on_leave,
    **away.COMMANDS,
    **signing.COMMANDS,
    **subscription_page.COMMANDS,
    "help": on_help,
    "duty": on_duty,
}
EVENTS = {
    "subscribe": on_subscribe,
    "unsubscribe": on_unsubscribe,
    "user_authorization_cancellation": on_unsubscribe,  # the WeChat account itself is gone
    "user_authorization_revoke": on_revoke,
    "scan": on_scan,
}
FLOWS = (binding.Binding, binding.Unbinding, leaving.Leaving, leaving.Handover, *away.FLOWS, *signing.FLOWS)
TASKS = {**leaving.TASKS, **away.TASKS, **signing.TASKS}
