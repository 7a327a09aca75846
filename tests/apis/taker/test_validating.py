"""What would become of an order: every reason against it, and nothing created (K19)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.tables.dynamodb import Database
from tests.apis.taker.desk import (
    AAPL,
    FUNDS,
    MAKER,
    NOW_S,
    ORDER,
    QUOTE,
    UNIT,
    Desk,
    data_of,
    fault_of,
    faulty_fields,
    hash_of,
    open_taker_desk,
)
from tests.domain.signed.test_eip712 import SIGNATURE_OF_B, VECTORS

HASH = VECTORS["B"][2]
HOLD = 1503_500000000000000000
GOOD = {
    "valid": True,
    "order_hash": HASH,
    "errors": [],
    "maker_balance": str(FUNDS),
    "maker_allowance": str(FUNDS),
    "nonce_valid": True,
    "signature_valid": True,
    "not_expired": True,
}


def validated(desk: Desk, body: Any = None, **members: Any) -> Any:
    """Return what the usual order with some members changed is told; see that nothing is created."""
    before = desk.tables()
    answer = data_of(desk.post("/orders/validate", body or desk.order_body(**members)))
    assert desk.tables() == before
    assert list(answer) == list(GOOD)
    assert answer["valid"] == (answer["errors"] == [])
    assert answer["maker_allowance"] == answer["maker_balance"]
    return answer


def errors(desk: Desk, body: Any = None, **members: Any) -> list[str]:
    found: list[str] = validated(desk, body, **members)["errors"]
    return found


def test_a_good_order_is_valid(desk: Desk) -> None:
    assert validated(desk) == GOOD
    assert validated(desk, is_buy=False, ticker="TSLA")["valid"]


def test_each_reason_has_its_name(desk: Desk) -> None:
    other = {"order": ORDER | {"nonce": 5}, "signature": SIGNATURE_OF_B}
    assert validated(desk, other) == GOOD | {
        "valid": False,
        "order_hash": hash_of(other["order"], desk.settings),  # type: ignore[arg-type]
        "errors": ["signature_invalid"],
        "signature_valid": False,
    }
    assert errors(desk, deadline=NOW_S) == ["deadline_passed"]
    assert validated(desk, deadline=NOW_S)["not_expired"] is False
    assert errors(desk, asset=AAPL) == ["asset_unknown"]
    assert errors(desk, ticker="MSFT") == ["instrument_unknown"]
    assert errors(desk, price=str(10**24)) == ["insufficient_balance"]
    desk.change_settings(min_validity_seconds=60)
    assert errors(desk, deadline=NOW_S + 59) == ["deadline_too_short"]
    assert errors(desk, deadline=NOW_S) == ["deadline_passed"]
    assert errors(desk, deadline=NOW_S + 60) == []


@pytest.mark.parametrize("signature", ["", "x", SIGNATURE_OF_B[:-2], SIGNATURE_OF_B[:-2] + "24"])
def test_a_signature_in_no_form_is_invalid_like_a_wrong_one(desk: Desk, signature: str) -> None:
    assert errors(desk, {"order": ORDER, "signature": signature}) == ["signature_invalid"]


def test_all_reasons_come_at_once_and_in_their_order(memory_database: Database) -> None:
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, HOLD)
    desk.created()
    body = {"order": ORDER | {"deadline": NOW_S, "asset": AAPL, "ticker": "MSFT"}, "signature": "x"}
    names = ["signature_invalid", "nonce_used", "deadline_passed", "asset_unknown", "instrument_unknown"]
    assert errors(desk, body) == [*names, "insufficient_balance"]


def test_a_nonce_is_valid_unless_another_order_has_used_it(desk: Desk) -> None:
    desk.created()
    assert validated(desk)["nonce_valid"]
    used = validated(desk, price="1000000000000000000")
    assert (used["nonce_valid"], used["errors"]) == (False, ["nonce_used"])


def test_the_balance_is_the_makers_available_amount_of_what_it_gives(memory_database: Database) -> None:
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, 7)
    desk.credit(MAKER, AAPL, 5)
    assert validated(desk)["maker_balance"] == "7"
    assert validated(desk, is_buy=False)["maker_balance"] == "5"
    assert validated(desk, is_buy=False, ticker="MSFT")["maker_balance"] == "0"


@pytest.mark.parametrize(("quote", "stock", "is_enough"), [(1, 10, True), (1, 9, False), (0, 10, False)])
def test_every_part_of_a_sells_hold_must_be_there(
    memory_database: Database, quote: int, stock: int, is_enough: bool
) -> None:
    """K19"""
    desk = open_taker_desk(memory_database, funds=0)
    for asset, units in ((QUOTE, quote), (AAPL, stock)):
        if units:
            desk.credit(MAKER, asset, units * UNIT)
    assert errors(desk, is_buy=False) == ([] if is_enough else ["insufficient_balance"])


def test_a_stored_order_is_judged_as_if_its_hold_were_available(memory_database: Database) -> None:
    """K19: while it holds anything; once it is closed, like a new one."""
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, HOLD)
    desk.credit(desk.taker, AAPL, 10 * UNIT)
    desk.created()
    assert errors(desk) == []
    assert validated(desk)["maker_balance"] == "0"
    desk.lock(HASH)
    desk.fill(HASH, UNIT)
    assert errors(desk) == []
    desk.unlock(HASH)
    desk.cancel(HASH)
    assert errors(desk) == ["insufficient_balance"]


def test_an_order_whose_lock_and_cancel_have_lapsed_holds_nothing(memory_database: Database) -> None:
    """K30: nobody has written that down yet."""
    desk = open_taker_desk(memory_database, funds=0)
    desk.credit(MAKER, QUOTE, HOLD)
    desk.created()
    desk.lock(HASH)
    desk.cancel(HASH)
    desk.clock.advance(3600)
    assert errors(desk) == ["insufficient_balance"]


def test_without_ledger_settlement_no_balance_is_asked_for(desk: Desk) -> None:
    """K19"""
    desk.change_settings(has_ledger_settlement=False)
    answer = validated(desk, price=str(10**24))
    assert (answer["valid"], answer["maker_balance"]) == (True, "0")


def test_bad_fields_are_told_as_on_creation(desk: Desk) -> None:
    assert faulty_fields(desk.post("/orders/validate", {"order": ORDER | {"price": 1}})) == ["price", "signature"]
    assert fault_of(desk.maker_post("/orders/validate", desk.order_body())) == (401, 10010012)
