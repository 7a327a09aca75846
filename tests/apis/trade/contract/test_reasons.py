"""What a bot must tell apart is told apart by a sentence behind the message (R62)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.support.canonical import Number, exact
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import desk_of_ben, open_market, order, place, placed, refusal_of
from tests.apis.trade.desk import SignedDesk
from tests.case_tables import cases

VALUE: dict[str, Any] = {"type": "market", "price": ..., "amount": ...}
NOISE = "It looks like a sum of binary floats: round it before it is sent."


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    """A pair with prices in steps of 0.5, amounts of 0.002 up to 2 in steps of 0.001, orders of 10 BRL and more."""
    return open_market(
        memory_database,
        tick_size=50,
        lot_size=100_000,
        order_size_min=200_000,
        order_size_max=200_000_000,
        min_order_value=10_00,
    )


# members of the order, error_code, field (none: the minimum's message), reason
REASONS: list[Any] = cases(
    ("off the price tick", {"price": "350000.25"}, 40000, "price", "It is no multiple of the price tick 0.5."),
    ("a price of too many decimals", {"price": "350000.255"}, 40000, "price", "It has more than 2 decimals."),
    ("no price", {"price": "0"}, 40000, "price", "It must be above 0."),
    ("a price too high", {"price": "1" + "0" * 30}, 40000, "price", f"It is above the maximum {'9' * 26}.99."),
    ("off the amount tick", {"amount": "0.0105"}, 40000, "amount", "It is no multiple of the amount tick 0.001."),
    ("an amount of too many decimals", {"amount": "0.123456789"}, 40000, "amount", "It has more than 8 decimals."),
    ("no amount", {"amount": "0"}, 40000, "amount", "It must be above 0."),
    ("an amount too small", {"amount": "0.001"}, 40010, None, "The amount is below the minimum 0.002."),
    ("an amount too large", {"amount": "2.001"}, 40000, "amount", "The amount is above the maximum 2."),
    ("39 digits", {"amount": "1" * 31}, 40000, "amount", "It has more than 38 digits in base units."),
    ("82 characters", {"amount": "0." + "0" * 80}, 40000, "amount", "It has more than 80 characters."),
    ("worth too little", {"price": "999.5"}, 40010, None, "The order is worth less than the minimum 10."),
    ("a value too small", VALUE | {"value": "9.99"}, 40010, None, "The order is worth less than the minimum 10."),
    ("no value", VALUE | {"value": "0"}, 40000, "value", "It must be above 0."),
    ("nobody on the other side", VALUE | {"value": "10"}, 40000, "value", "There is nothing to trade against."),
    ("negative", {"amount": "-1"}, 40000, "amount", ""),
    ("no number", {"amount": "much"}, 40000, "amount", ""),
)  # fmt: skip


@pytest.mark.parametrize(("members", "code", "field", "reason"), REASONS)
def test_r62_a_refusal_says_what_is_wrong(
    desk: SignedDesk, members: dict[str, Any], code: int, field: str | None, reason: str
) -> None:
    message = "Minimum value not reached." if field is None else f"Invalid parameters: {field}."
    assert refusal_of(place(desk, **members)) == (code, message, reason)


def test_r62_a_value_that_buys_too_much_names_the_amount(desk: SignedDesk) -> None:
    for _ in range(2):
        placed(desk_of_ben(desk), side="sell", amount="2", price="100000")
    desk.match()
    told = refusal_of(place(desk, **VALUE, value="200100"))
    assert told == (40000, "Invalid parameters: value.", "The amount is above the maximum 2.")
    told = refusal_of(place(desk, **VALUE, value="50"))
    assert told == (40010, "Minimum value not reached.", "The value pays for nothing.")


# a sum as clients make it, and whether it is one of binary floats
SUMS = cases(
    ("0.1 + 0.2",       repr(0.1 + 0.2),    NOISE),
    ("1.1 * 3",         repr(1.1 * 3),      NOISE),
    ("0.57 * 100",      repr(0.57 * 100),   NOISE),
    ("nine decimals",   "0.300000001",      ""),
)  # fmt: skip


@pytest.mark.parametrize("form", cases(("a number", Number), ("a text", str)))
@pytest.mark.parametrize(("amount", "noise"), SUMS)
def test_r62_an_amount_with_binary_noise_is_refused_and_told_so(
    desk: SignedDesk, form: Any, amount: str, noise: str
) -> None:
    response = desk.post("/trade/orders", exact(order(amount=form(amount))).encode())
    reason = f"It has more than 8 decimals. {noise}".rstrip()
    assert refusal_of(response) == (40000, "Invalid parameters: amount.", reason)


def test_r62_an_external_id_in_use_names_its_order(desk: SignedDesk) -> None:
    order_id = placed(desk, external_id="Mine-1")
    told = refusal_of(place(desk, external_id="mine-1"))
    assert told == (40000, "Invalid parameters: external_id.", f"The order {order_id} has it.")
    malformed = refusal_of(place(desk, external_id="two words"))
    assert malformed == (40000, "Invalid parameters: external_id.", "")
