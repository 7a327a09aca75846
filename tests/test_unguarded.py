"""The list behind ``make unguarded`` is in step: each guard stands where it says, and the page names it."""

from __future__ import annotations

import pytest

from benchmarks.guards import GUARDS
from benchmarks.guards.guard import Guard
from infra.settings import ROOT

PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_it_says_and_has_a_test_that_the_page_names(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.code) == 1
    assert guard.code != guard.without
    file, _, function = guard.test.partition("[")[0].partition("::")
    assert function in (ROOT / file).read_text(encoding="utf-8")
    assert guard.name in PAGE
    assert f"`{file.removeprefix('tests/')}`" in PAGE
