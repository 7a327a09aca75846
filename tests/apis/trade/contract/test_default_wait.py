"""Orders that answer with their outcome because their token says so (R64)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.trade.ids import internal
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import API_TOKENS
from chalicelib.tables.credentials import Credentials
from tests.apis.trade.cases import place, rested
from tests.apis.trade.desk import SignedDesk, data_of
from tests.case_tables import cases
from tests.waiting import Waiting


@pytest.fixture
def asked(desk: SignedDesk) -> SignedDesk:
    """The desk with an ask of 0.5 at 350000."""
    rested(desk, "sell", ("0.5", "350000"))
    return desk


# orders by their members, and whether their turn tells how they end
BY_DEFAULT: list[Any] = cases(
    ("market",            {"type": "market", "price": ...},             "executed_completely"),
    ("IOC",               {"immediate_or_cancel": True},                "executed_completely"),
    ("IOC, nothing there", {"immediate_or_cancel": True, "price": "1"}, "canceled"),
    ("FOK",               {"fill_or_kill": True},                       "executed_completely"),
    ("FOK, too little there", {"fill_or_kill": True, "amount": "1"},    "canceled"),
    ("post-only, resting", {"post_only": True, "price": "1"},           "open"),
    ("post-only, crossing", {"post_only": True},                        "canceled"),
    ("a limit order",     {},                                           None),
    ("one that expires",  {"expiration": 4_102_444_800},                None),
)  # fmt: skip


@pytest.mark.parametrize(("members", "status"), BY_DEFAULT)
def test_r64_with_a_default_wait_orders_that_end_at_their_turn_answer_with_their_outcome(
    asked: SignedDesk, clock: Waiting, members: dict[str, Any], status: str | None
) -> None:
    Credentials(asked.world.database, API_TOKENS).change(digest_of(asked.token), wait_default_ms=250)
    slow = place(asked, **members)
    assert (data_of(slow)["status"], round(clock.slept_s, 6)) == ("open", 0.25 if status else 0)
    clock.meanwhile = asked.match
    quick = place(asked, **members)
    assert data_of(quick)["status"] == (status or "open")
    assert "Preference-Applied" not in quick.headers
    is_matched = asked.world.order("ann", internal(data_of(quick)["id"], "ord")).sequence is not None
    assert is_matched == (status is not None)


def test_r64_a_preference_wins_over_the_default(asked: SignedDesk, clock: Waiting) -> None:
    Credentials(asked.world.database, API_TOKENS).change(digest_of(asked.token), wait_default_ms=10_000)
    for seconds in (0, 2):
        before_s = clock.slept_s
        assert data_of(place(asked, {"prefer": f"wait={seconds}"}, type="market", price=...))["status"] == "open"
        assert round(clock.slept_s - before_s, 6) == seconds
    clock.meanwhile = asked.match
    response = place(asked, {"prefer": "wait=2"}, type="market", price=..., amount="0.001")
    assert response.headers["Preference-Applied"] == "wait=2"
