"""Reads the package's own data files, each once."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(path: str) -> dict[str, Any]:
    """The TOML file at `path` inside this package, e.g. "labels.toml"; read once, so never change the result."""
    return tomllib.loads(files("messages").joinpath(path).read_text(encoding="utf-8"))
