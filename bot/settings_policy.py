"""Fills the county's `Policy` from `[policy]`: only what is named there differs from the defaults."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from bot.settings_errors import did_you_mean
from handlers.policy import Policy

_POLICY = TypeAdapter(Policy)


def read_policy(given: object) -> Policy:
    """The policy with the rules in `given`; ValueError with a sentence that names a wrong key or value."""
    if isinstance(given, Policy):
        return given
    defaults = asdict(Policy())
    for told in ("version", "ways", "notices"):  # by the database, by the account and the gateway
        del defaults[told]
    rules = _overlaid(defaults, given, ())
    try:
        policy = _POLICY.validate_python(rules)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{name}: {problem['msg'].replace('Input should', 'it should')}") from None
    if below := _below_nought(asdict(policy)):
        raise ValueError(f"{below} should not be below 0")
    if policy.prompts_from >= policy.prompts_until:
        raise ValueError("prompts_from should be earlier than prompts_until")
    return policy


def _overlaid(defaults: Mapping[str, object], given: object, place: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{'.'.join(place) or 'policy'} should be a table")  # noqa: TRY004 - pydantic reads ValueError
    result = dict(defaults)
    for key, value in given.items():
        name = ".".join((*place, str(key)))
        if key not in defaults:
            raise ValueError(f"{name} is not a rule{did_you_mean(str(key), defaults).rstrip('?')}")
        default = defaults[key]
        if isinstance(default, Mapping):
            result[key] = _overlaid(default, value, (*place, str(key)))
        else:
            result[key] = _plain(value, default, name)
    return result


def _plain(value: object, default: object, name: str) -> object:
    """`value`, with a list that came by the environment read as JSON."""
    if isinstance(default, tuple) and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(f"{name} should be a JSON list like [1, 2]") from None
    return value


def _below_nought(rules: Mapping[str, object], prefix: str = "") -> str:
    """The name of a rule with a negative number in it, or ""."""
    for key, value in rules.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if below := _below_nought(value, f"{name}."):
                return below
            continue
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, int | float) and number < 0 for number in numbers):
            return name
    return ""
