"""Fixtures for the tests of the benchmarks."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _functions_do_what_their_policies_allow() -> None:
    """Overrides the policy check, since a meter reads rows while a function works."""
