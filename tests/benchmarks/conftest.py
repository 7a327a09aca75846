"""Fixtures for the tests of the benchmarks."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _functions_do_what_their_policies_allow() -> None:
    """Not asked here: a meter reads rows of its own while a function works."""
