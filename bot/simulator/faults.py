"""Switches that make the platform misbehave on demand; a count of -1 means until it is reset."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from bot.simulator import jsons
from bot.simulator.jsons import Json, ShapeError

COUNTED = (
    "wrong_signature", "wrong_appid", "old_key", "broken_padding", "drop_before", "drop_after", "double_callback",
    "same_msgid", "template_failed",
)  # fmt: skip
KINDS = ("errcode", "slow", "drop_before", "drop_after", "http")


@dataclass
class Duplicate:
    """The next `pushes` messages are each delivered `times` times, one after another or all at once."""

    times: int = 1
    concurrent: bool = False
    pushes: int = 0


@dataclass
class ApiFault:
    """The next `times` calls of `path` fail in one way; `seconds` is for slow, `status` for http.

    `every`: only each so-many-th call is one of them.
    """

    path: str
    kind: str
    errcode: int = -1
    errmsg: str = ""
    seconds: float = 0.0
    status: int = 502
    times: int = 1
    every: int = 1
    seen: int = 0

    def comes(self) -> bool:
        """Count a call; whether it fails."""
        self.seen += 1
        return self.seen % self.every == 0


@dataclass
class Faults:
    """What is switched on now. Crypto faults count messages, dropped connections count attempts."""

    wrong_signature: int = 0
    wrong_appid: int = 0
    old_key: int = 0
    broken_padding: int = 0
    drop_before: int = 0
    drop_after: int = 0
    double_callback: int = 0
    same_msgid: int = 0
    template_failed: int = 0
    duplicate: Duplicate = field(default_factory=Duplicate)
    api: list[ApiFault] = field(default_factory=list)
    media_fails_until: float = 0.0
    frozen_secret: bool = False

    def take(self, name: str) -> bool:
        """Use up one of a counted fault; False when it is off."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0

    def take_duplicate(self) -> Duplicate:
        """How the next message is delivered."""
        if self.duplicate.pushes == 0:
            return Duplicate()
        if self.duplicate.pushes > 0:
            self.duplicate.pushes -= 1
        return self.duplicate

    def take_api(self, path: str) -> ApiFault | None:
        """The fault waiting for a call of `path`, if any; `*` is every path of the platform, not of the gateway."""
        every = "gateway/*" if path.startswith("gateway/") else "*"
        mine = [one for one in self.api if one.path in (path, every) and one.times]
        fault = next((one for one in mine if one.comes()), None)
        if fault is not None and fault.times > 0:
            fault.times -= 1
            self.api = [one for one in self.api if one.times]
        return fault

    def change(self, data: Json, now: float) -> None:
        """Apply a control request; raises ShapeError for a name or kind that does not exist."""
        known = {*COUNTED, "duplicate", "api", "media_fails_for", "frozen_secret"}
        if unknown := set(data) - known:
            msg = f"unknown fault {min(unknown)}; known: {', '.join(sorted(known))}"
            raise ShapeError(msg)
        for name in COUNTED:
            if name in data:
                setattr(self, name, jsons.integer(data, name))
        if "duplicate" in data:
            spec = jsons.obj(data, "duplicate")
            self.duplicate = Duplicate(
                jsons.integer(spec, "times", 2), bool(spec.get("concurrent")), jsons.integer(spec, "pushes", 1)
            )
        for spec in jsons.rows(data, "api"):
            self.api.append(_api_fault(spec))
        if "media_fails_for" in data:
            self.media_fails_until = now + jsons.number(data, "media_fails_for")
        self.frozen_secret = bool(data.get("frozen_secret", self.frozen_secret))

    def show(self) -> Json:
        """Everything that is switched on, as JSON."""
        return asdict(self)


def _api_fault(spec: Json) -> ApiFault:
    kind = jsons.text(spec, "kind", "errcode")
    if kind not in KINDS:
        msg = f"an api fault is one of {', '.join(KINDS)}"
        raise ShapeError(msg)
    return ApiFault(
        path=jsons.text(spec, "path"),
        kind=kind,
        errcode=jsons.integer(spec, "errcode", -1),
        errmsg=jsons.text(spec, "errmsg", ""),
        seconds=jsons.number(spec, "seconds", 0),
        status=jsons.integer(spec, "status", 502),
        times=jsons.integer(spec, "times", 1),
        every=max(1, jsons.integer(spec, "every", 1)),
    )
