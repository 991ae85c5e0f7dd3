"""One table of the settings file: what is empty is not set, and a secret may be in a file of its own."""

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    secrets: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: object) -> object:
        """Drop what is empty and replace `<secret>_file` by the text of that file."""
        if not isinstance(given, dict):
            return given
        kept = {key: value for key, value in given.items() if value != ""}
        for name in cls.secrets:
            path = kept.pop(f"{name}_file", None)
            if path is None:
                continue
            if name in kept:
                raise ValueError(f"{name} and {name}_file are both set; keep one of them")
            try:
                kept[name] = Path(str(path)).read_text(encoding="utf-8").strip()
            except (OSError, ValueError):
                raise ValueError(f"{name}_file names a file that cannot be read") from None
            if not kept[name]:
                raise ValueError(f"{name}_file names an empty file")
        return kept
