"""Turns what pydantic found into one sentence for an operator: which setting, what is wrong, never its value."""

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class SettingsError(Exception):
    """The settings cannot be used; the text is one sentence. The command line exits with 2."""


def sentence(error: ValidationError, settings: type[BaseModel]) -> str:
    """What to change first, and how many more problems there are."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = _problem(problems[0], settings)
    more = f" ({len(problems) - 1} more to mend after that.)" if len(problems) > 1 else ""
    return f"{first}.{more}"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint to put behind a sentence about an unknown name; "" when nothing is near."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _problem(problem: ErrorDetails, settings: type[BaseModel]) -> str:
    place = [str(part) for part in problem["loc"]]
    name = f"[{place[0]}] {'.'.join(place[1:])}".strip() if place else ""
    if problem["type"] == "missing" and len(place) == 1:
        return f"The section {name} is missing: config.example.toml shows what belongs into it"
    if problem["type"] == "missing":
        variable = "TONGBAN__" + "__".join(place).upper()
        return f"{name} is missing: set it in the settings file or as {variable}"
    if problem["type"] == "extra_forbidden" and len(place) == 1:
        hint = did_you_mean(place[0], settings.model_fields).rstrip("?")
        return f"{name} is not a section of the settings{hint}"
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(place[-1], _keys(settings, place[:-1])).rstrip("?")
        return f"{name} is not a setting{hint}"
    said = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{name}: {said}" if name else said


def _keys(settings: type[BaseModel], place: list[str]) -> list[str]:
    """The keys of the section that `place` begins with; [] when it is not a section."""
    field = settings.model_fields.get(place[0])
    section: object = field.annotation if field else None
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
