"""Members that would change what is executed, and are not served, are faults (T48)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.book.routes import BOOKS, SETTINGS
from chalicelib.apis.kit.http import HttpResponse
from tests.apis.book.desk import Desk, fields_of, json_body, outcome_of
from tests.case_tables import cases
from tests.world import BASE, BOOK_ID, QUOTE

NEUTRAL: list[Any] = [None, False, 0, 0.0, "", "0", "0.00", [], {}]


def make(desk: Desk, **members: Any) -> HttpResponse:
    """POST the pair of the desk's own book: a body that is right meets ORDER_BOOK_EXISTS."""
    usual = {"tokenAddress": BASE, "quoteTokenAddress": QUOTE, "name": "B", "symbol": "B/Q"}
    return desk.send("POST", BOOKS, body=json_body(usual | members))


def change(desk: Desk, **members: Any) -> HttpResponse:
    return desk.send("PATCH", SETTINGS, body=json_body(members), orderBookId=BOOK_ID)


ASKED = cases(
    ("another owner",             Desk.place, {"userAddress": "0x" + "1" * 40},               ["userAddress"]),
    ("a value",                   Desk.place, {"value": "100"},                               ["value"]),
    ("a stop",                    Desk.place, {"stopPrice": "45"},                            ["stopPrice"]),
    ("a distance, as a number",   Desk.place, {"distance": 5},                                ["distance"]),
    ("a shown slice",             Desk.place, {"stepAmount": "1"},                            ["stepAmount"]),
    ("an end, nonsense",          Desk.place, {"expiresAt": {"in": "an hour"}},               ["expiresAt"]),
    ("after the faults of form",  Desk.place, {"stopPrice": "45", "quantity": "x", "userAddress": "y"},
     ["quantity", "userAddress", "stopPrice"]),
    ("a custody contract",        make,       {"custodyContract": "0x" + "9" * 40},           ["custodyContract"]),
    ("a book on chain",           make,       {"settlementMode": "ON_CHAIN"},                 ["settlementMode"]),
    ("imports",                   make,       {"allowImport": True},                          ["allowImport"]),
    ("a book that is paused",     make,       {"status": "PAUSED"},                           ["status"]),
    ("a change to on chain",      change,     {"settlementMode": "ON_CHAIN", "makerFeeBps": 5}, ["settlementMode"]),
    ("a change of custody",       change,     {"custodyContract": "0x" + "9" * 40},           ["custodyContract"]),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "members", "fields"), ASKED)
def test_t48_what_is_not_served_is_a_fault_on_the_member(
    desk: Desk, ask: Any, members: dict[str, Any], fields: list[str]
) -> None:
    before = desk.world.tables()
    assert fields_of(ask(desk, **members)) == fields
    assert desk.world.tables() == before


@pytest.mark.parametrize("value", NEUTRAL)
def test_t48_what_asks_for_nothing_passes(desk: Desk, value: object) -> None:
    members = ("userAddress", "value", "stopPrice", "distance", "stepAmount", "expiresAt")
    assert desk.place(**dict.fromkeys(members, value)).status == 201
    made = make(desk, **dict.fromkeys(("custodyContract", "settlementMode", "allowImport", "status"), value))
    assert outcome_of(made) == (409, "ORDER_BOOK_EXISTS")
    assert change(desk, custodyContract=value, settlementMode=value).status == 200


def test_t48_so_does_what_is_done_anyway_and_what_nobody_documents(desk: Desk) -> None:
    assert outcome_of(make(desk, settlementMode="OFF_CHAIN", status="ACTIVE")) == (409, "ORDER_BOOK_EXISTS")
    assert change(desk, settlementMode="OFF_CHAIN").status == 200
    assert desk.place(note="mine", clientOrderId="7", quantityy="5").status == 201
