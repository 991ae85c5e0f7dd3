"""How a call to the platform can fail. No text here ever holds a token, a secret, an address or what was sent."""

import re

from bot.errcodes import Reaction, reaction

_RID = re.compile(r"rid: ([0-9a-f-]{8,40})")
_FIELD = re.compile(r"data\.(\w{1,40})\.value")
_ADDRESS = re.compile(r"invalid ip (\d{1,3}(?:\.\d{1,3}){3})")


class OutcomeUnknown(Exception):  # noqa: N818 - it is not known to be an error
    """The request was written, but no answer came: it may have been done or not."""


class WeChatRefused(Exception):  # noqa: N818 - a refusal is an ordinary answer
    """The platform did not do it, and will not without our changing something."""

    def __init__(self, call: str, code: int | None, said: str = "", react: Reaction | None = None) -> None:
        self.call = call
        """The endpoint, e.g. "message/template/send"."""
        self.code = code
        """The platform's errcode; None when the request did not get to the platform."""
        self.reaction = react or (Reaction.RETRY_LATER if code is None else reaction(code))
        self.rid = _found(_RID, said)
        """The platform's own id of the refusal, to ask it about."""
        self.field = _found(_FIELD, said)
        """The template field that was not accepted."""
        self.address = _found(_ADDRESS, said)
        """Our own address as the platform sees it, when that is not on the account's list."""
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        if self.code is None:
            return f"{self.call} did not reach the platform"
        more = "".join(f", {word}" for word in (self.field, self.address, self.rid and f"rid {self.rid}") if word)
        return f"{self.call} was refused with {self.code} ({self.reaction.value}{more})"


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None
