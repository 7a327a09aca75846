"""The matching core conforms to tracebook's profiles of first in, first out; a core with a fault does not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tracebook.conformance import CampaignResult, run_campaign

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Amended
from chalicelib.domain.books.levels import OpenOrder, PriceLevel
from tests.conformance.adapter import MatchingCore

PROFILES = ["fifo-limit-v1", "fifo-full-v1"]
SEED = 42


def campaign(profile: str) -> CampaignResult:
    return run_campaign(MatchingCore, profile, SEED, traces=25, events_per_trace=200, max_minimize_runs=20)


def category(result: CampaignResult) -> str:
    """What the first trace that fails shows first."""
    assert result.failure is not None
    assert result.failure.original_report.divergence is not None
    return result.failure.original_report.divergence.category


@pytest.mark.parametrize("profile", PROFILES)
def test_the_core_decides_every_trace_as_the_profile_says(profile: str) -> None:
    result = campaign(profile)
    assert result.failure is None, [event.to_dict() for event in result.failure.minimization.events]
    assert result.semantic_coverage.uncovered_capabilities == ()
    assert result.semantic_coverage.compared_events == 25 * 200


@pytest.mark.parametrize("profile", PROFILES)
def test_a_core_in_which_the_newest_order_of_a_level_trades_first_is_caught(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def newest(level: PriceLevel) -> OpenOrder:
        return list(level)[-1]

    monkeypatch.setattr(PriceLevel, "oldest", newest)
    assert category(campaign(profile)) == "trades"


@pytest.mark.parametrize("fault", ["a lower quantity loses its place", "a higher quantity keeps its place"])
def test_a_core_whose_amendments_treat_time_priority_wrongly_is_caught(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Book.amend

    def amend(book: Book, event: Amended) -> None:
        keeps_place = fault.startswith("a higher") and event.price == event.level
        right(book, replace(event, keeps_place=keeps_place))

    monkeypatch.setattr(Book, "amend", amend)
    assert category(campaign("fifo-limit-v1")) == "book_state"
