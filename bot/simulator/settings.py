"""What the stand-in is told before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from bot.simulator.assumptions import Assumed


class Mode(StrEnum):
    """How pushes and passive replies travel."""

    PLAIN = "plain"
    COMPATIBLE = "compatible"
    SAFE = "safe"


class Kind(StrEnum):
    """The sort of account; it decides which calls answer 48001."""

    VERIFIED_SERVICE = "verified-service"
    UNVERIFIED_SERVICE = "unverified-service"
    VERIFIED_SUBSCRIPTION = "verified-subscription"
    UNVERIFIED_SUBSCRIPTION = "unverified-subscription"
    TEST = "test"


@dataclass(frozen=True)
class TemplateSpec:
    """One approved message template: its keys (thing1, time2 ...) in the order the card shows them.

    `constants` are the values that a const or enum key may have; `long_term` concerns subscription notices only.
    """

    template_id: str
    title: str
    keys: tuple[str, ...]
    labels: tuple[str, ...] = ()
    constants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    long_term: bool = False

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Self:
        """Read `{template_id, title, keys: [...], labels?: [...]}`; raises KeyError when a part is missing."""
        keys, labels, constants = data["keys"], data.get("labels", []), data.get("constants", {})
        if not isinstance(keys, (list, tuple)) or not isinstance(labels, (list, tuple)):
            msg = "keys and labels of a template are lists"
            raise TypeError(msg)
        if not isinstance(constants, dict) or not all(isinstance(one, (list, tuple)) for one in constants.values()):
            msg = "constants of a template are lists of values by key"
            raise TypeError(msg)
        allowed = {str(key): tuple(map(str, values)) for key, values in constants.items()}
        given = str(data["template_id"]), str(data["title"]), tuple(map(str, keys)), tuple(map(str, labels))
        return cls(*given, allowed, data.get("long_term") is True)


@dataclass(frozen=True)
class SimulatorSettings:
    """The account and the manners of the platform; times in seconds. `assumed` holds what nobody could prove."""

    app_id: str
    app_secret: str
    token: str
    encoding_aes_key: str
    mode: Mode | str = Mode.SAFE
    bot_url: str = "http://127.0.0.1:8080"
    public_origin: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    followers: int = 0
    templates: tuple[TemplateSpec, ...] = ()
    state_file: Path | None = None
    kind: Kind | str = Kind.VERIFIED_SERVICE
    original_id: str = "gh_standin0001"
    previous_encoding_aes_key: str | None = None
    retries: int = 3
    patience: float = 5.0
    retry_pause: float | None = None
    retry_bad_answers: bool = False
    overlap: bool = False
    mark_fail_threshold: int = 80
    finish_delay: float = 0.2
    ip_white_list: tuple[str, ...] = ()
    oauth_domain: str | None = None
    daily_limits: Mapping[str, int] = field(default_factory=dict)
    gateway_secret: str | None = None
    notices: tuple[TemplateSpec, ...] = ()
    assumed: Assumed = field(default_factory=Assumed)
