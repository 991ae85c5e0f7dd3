"""Writing the state to a file and media to a folder beside it, and reading them back."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from bot.simulator.jsons import dump
from bot.simulator.state import State

if TYPE_CHECKING:
    from pathlib import Path


def thaw(kind: object, value: object) -> object:
    """Rebuild a value of the declared type from its JSON form; unknown parts are left as they are."""
    if value is None:
        return None
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        data = cast("dict[str, object]", value)
        return kind(**{name: thaw(hints[name], part) for name, part in data.items() if name in hints})
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return thaw(next(arg for arg in args if arg is not type(None)), value)
    if origin in {list, tuple}:
        rows = [thaw(args[0], one) for one in cast("list[object]", value)]
        return rows if origin is list else tuple(rows)
    if origin in {dict, Mapping}:
        pairs = cast("dict[str, object]", value).items()
        return {(int(key) if args[0] is int else key): thaw(args[1], part) for key, part in pairs}
    return value


class StateFileError(ValueError):
    """The state file holds something else; the text says which file."""


class Keeper:
    """Keeps the state in one JSON file (written beside and renamed) and each medium in a file of its own."""

    def __init__(self, path: Path | None) -> None:
        """With no path everything lives in memory only."""
        self.path = path
        self._bytes: dict[str, bytes] = {}
        self._folder = path.with_name(path.name + ".media") if path else None
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> State:
        """The state of the last run, or a new one; raises StateFileError."""
        if self.path is None or not self.path.exists():
            return State()
        try:
            return cast("State", thaw(State, json.loads(self.path.read_text(encoding="utf-8"))))
        except (AttributeError, TypeError, ValueError) as error:
            msg = f"{self.path} is not a state file of the stand-in: {error}"
            raise StateFileError(msg) from error

    def save(self, state: State) -> None:
        """Write the state whole; a stop in between leaves the old file."""
        if self.path is None:
            return
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text(dump(dataclasses.asdict(state)), encoding="utf-8")
        beside.replace(self.path)

    def put(self, media_id: str, data: bytes) -> None:
        """Keep the bytes of a medium."""
        if self._folder:
            (self._folder / media_id).write_bytes(data)
        else:
            self._bytes[media_id] = data

    def get(self, media_id: str) -> bytes:
        """The bytes of a medium; raises KeyError when they are gone."""
        if not self._folder:
            return self._bytes[media_id]
        try:
            return (self._folder / media_id).read_bytes()
        except OSError as error:
            raise KeyError(media_id) from error

    def drop(self, media_id: str) -> None:
        """Forget the bytes of a medium."""
        self._bytes.pop(media_id, None)
        if self._folder:
            (self._folder / media_id).unlink(missing_ok=True)
