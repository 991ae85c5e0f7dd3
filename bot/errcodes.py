"""What to do about each error code of the platform: one table (wechat-platform.md section 9)."""

from enum import Enum


class Reaction(Enum):
    """What the caller does next."""

    OK = "ok"
    """It is done, or was done before."""
    REFRESH = "refresh"
    """The token is no longer good: get another one, once."""
    RETRY_LATER = "retry_later"
    """The platform is busy or counts too many calls: wait, longer each time."""
    OTHER_CHANNEL = "other_channel"
    """This way to this person is shut: try the next one."""
    CONTACT_GONE = "contact_gone"
    """WeChat does not reach this person at all: note it, use something else."""
    CONFIG = "config"
    """Nothing works until an operator acts: tell them, stop trying at speed."""
    BUG = "bug"
    """The same call will never work: tell a developer; whoever was to be reached must be reached otherwise."""
    SIGN_IN_AGAIN = "sign_in_again"
    """A web sign-in's code is used up: start it anew."""


_CODES: dict[Reaction, tuple[int, ...]] = {
    Reaction.OK: (
        0,
        45065,  # mass message sent before
        45072, 45080, 45081,  # typing sign not shown
    ),
    Reaction.REFRESH: (40001, 40014, 42001),
    Reaction.RETRY_LATER: (
        -1,  # busy
        45011,  # too many calls this minute
        45066,  # mass message tried again too soon
        48006,  # quota cleared too often
    ),
    Reaction.OTHER_CHANNEL: (
        40200,  # the account may not send menu messages
        43101,  # no opt-in left
        45009,  # the day's quota of this call is used up
        45015,  # the window is closed, or they unfollowed: the platform does not say which
        45047,  # the window's messages are used up
        48002,  # the person switched messages off
        50001, 50002,  # the person withdrew or is restricted
    ),
    Reaction.CONTACT_GONE: (
        40003,  # not an openid of this account
        43004, 50005,  # not following
        43019,  # on the account's blacklist
        49003,  # an openid of another account
    ),
    Reaction.CONFIG: (
        40013, 40125, 40243,  # app id, secret, frozen secret
        40036, 40037,  # template id
        40164, 61004, 45035,  # our address is not on the account's list
        45087,  # customer-service messages blocked for this account
        48001, 48004,  # the account has no right to this call, or is punished
        89501, 89503, 89506, 89507,  # an administrator has to confirm our address
    ),
    Reaction.BUG: (
        40002, 40004, 40005, 40006, 40007, 40008, 40009, 40010, 40011, 40012,  # media and types; 40007: media expired
        40015, 40016, 40017, 40018, 40019, 40020, 40021, 40022, 40023, 40024, 40025, 40026, 40027, 40028,  # menus
        40032, 40033, 40035, 40038, 40039, 40054, 40055, 40130, 40132, 40165,  # malformed calls; 40033: escaped text
        41001, 41002, 41003, 41004, 41005, 41006, 41007, 41008, 41009, 41030,  # something is missing
        43001, 43002, 43003, 44001, 44002, 44003, 44004,  # wrong method, empty body
        45001, 45002, 45003, 45004, 45005, 45006, 45007, 45008,  # too long or too large
        45056, 45057, 45058, 45059, 45157, 45158, 45159,  # tags
        45067,  # the id of a mass message is too long
        46001, 46002, 46003, 46004,  # no such media, menu or user
        47001, 47003,  # not JSON; a template's field
        65301, 65302, 65303, 65304, 65305, 65306, 65307, 65308, 65309, 65310,  # menus by tag
        65311, 65312, 65313, 65314, 65315, 65316, 65317, 65318, 65319, 65320,
    ),
    Reaction.SIGN_IN_AGAIN: (40029, 40030, 40163, 42002, 42003),
}  # fmt: skip

_REACTIONS = {code: reaction for reaction, codes in _CODES.items() for code in codes}


def reaction(code: int) -> Reaction:
    """What to do about `code`. A code nobody knows counts as a shut channel: the person must still be reached."""
    return _REACTIONS.get(code, Reaction.OTHER_CHANNEL)


def known() -> dict[int, Reaction]:
    """The whole table."""
    return dict(_REACTIONS)
