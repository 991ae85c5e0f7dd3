"""`pytest tests/journeys --update` writes into each journey what the bot says now, for somebody to read."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", default=False, help="rewrite the journeys as they play now")
