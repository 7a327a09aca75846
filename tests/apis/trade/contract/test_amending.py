"""PUT orders: the terms that an open order gets, what is refused in which order, what is answered (O8, R68 to R70)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import ceil
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.trade.query import order_id_of
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.tenancy.keys import Permission
from chalicelib.tables.frozen_customers import FrozenCustomers
from tests.apis.trade.cases import (
    BRL,
    BTC,
    CANCELED,
    EXECUTED,
    FORBIDDEN,
    LIST,
    NO_FUNDS,
    NO_ORDER,
    RICH_BRL,
    TOO_LITTLE,
    UNSUPPORTED,
    change_book,
    desk_of_ben,
    invalid,
    outcome_of,
    placed,
    refusal_of,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of
from tests.case_tables import cases
from tests.waiting import Waiting
from tests.world import INSTANCE

UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
PENDING = (500, 50003, "Amendment is pending, repeat the request.")


def amend(desk: SignedDesk, order: str, **members: Any) -> HttpResponse:
    return desk.send("PUT", LIST, body={"order_id": order} | members)


@pytest.fixture
def matched(desk: SignedDesk, clock: Waiting) -> SignedDesk:
    """The desk, whose requests find their outcome as soon as they wait."""
    clock.meanwhile = desk.match
    return desk


TERMS = cases(
    ("a price",            {"unit_price": "351000"},                    ("351000", "0.01")),
    ("a number",           {"unit_price": 351000.5},                    ("351000.5", "0.01")),
    ("more",               {"amount": "0.02"},                          ("350000", "0.02")),
    ("less",               {"amount": 0.005, "unit_price": None},       ("350000", "0.005")),
    ("both",               {"unit_price": "1", "amount": "0.5"},        ("1", "0.5")),
    ("both as they are",   {"unit_price": "350000", "amount": "0.01"},  ("350000", "0.01")),
    ("unknown ignored",    {"amount": "0.02", "comment": "more", "value": None, "stop_price": 0}, ("350000", "0.02")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "terms"), TERMS)
@pytest.mark.parametrize("has_rested", [True, False], ids=["resting", "before its turn"])
def test_an_amended_order_has_its_new_terms_and_their_hold(
    matched: SignedDesk, members: dict[str, Any], terms: tuple[str, str], has_rested: bool
) -> None:
    order_id = placed(matched)
    if has_rested:
        matched.match()
    response = amend(matched, order_id.lower(), **members)
    assert data_of(response) is None
    row = shown(matched, order_id)
    assert (row["price"], row["requested_amount"], row["status"]) == (*terms, "open")
    available, held = matched.world.balance("ann", BRL)
    assert held == ceil(Decimal(terms[0]) * Decimal(terms[1]) * 100)
    assert available == RICH_BRL - held
    (listed,) = data_of(matched.get(LIST, "pair=BTC_BRL"))["orders"]
    assert (listed["price"], listed["requested_amount"]) == (float(terms[0]), float(terms[1]))
    (live,) = data_of(matched.get(f"{LIST}/open"))["orders"]
    assert live == listed


def test_a_partly_filled_order_keeps_what_is_executed(matched: SignedDesk) -> None:
    order_id = placed(matched, amount="0.02")
    rested(matched, "sell", ("0.005", "350000"))
    assert outcome_of(amend(matched, order_id, amount="0.015", unit_price="340000")) == 200
    row = shown(matched, order_id)
    assert (row["executed_amount"], row["remaining_amount"], row["status"]) == ("0.005", "0.01", "executed_partially")
    assert row["total_value"] == "1750"
    assert matched.world.balance("ann", BRL)[1] == 340_000


def test_level_2_and_level_3_show_the_new_terms(matched: SignedDesk) -> None:
    order_id = placed(matched)
    matched.match()
    assert outcome_of(amend(matched, order_id, amount="0.03", unit_price="349000")) == 200
    (bid,) = data_of(matched.get("/trade/public/orders/level-2", "pair=BTC_BRL"))["bids"]
    assert (bid["price"], bid["amount"]) == (349000, 0.03)
    (order,) = data_of(matched.get("/trade/public/orders/level-3", "pair=BTC_BRL"))["bids"]
    assert (order["price"], order["amount"]) == (349000, 0.03)


FAULTS = cases(
    ("no order",               {"order_id": None, "amount": "1"},                  "order_id"),
    ("a number for an order",  {"order_id": 5, "amount": "1"},                     "order_id"),
    ("a malformed order",      {"order_id": "123", "amount": "1"},                 "order_id"),
    ("nothing to change",      {},                                                 "unit_price"),
    ("nulls alone",            {"unit_price": None, "amount": None},               "unit_price"),
    ("a price of words",       {"unit_price": "much", "amount": "1"},              "unit_price"),
    ("a price below 0",        {"unit_price": "-1"},                               "unit_price"),
    ("an amount that is true", {"amount": True},                                   "amount"),
    ("a price under its name", {"price": "351000", "amount": "1"},                 "price"),
    ("a value",                {"value": "5", "amount": "1"},                      "value"),
    ("a stop price",           {"stop_price": "5", "amount": "1"},                 "stop_price"),
    ("a distance",             {"distance": 5, "unit_price": "1"},                 "distance"),
    ("a step",                 {"step_amount": "0.01", "amount": "1"},             "step_amount"),
    ("decimals of a price",    {"unit_price": "351000.001"},                       "unit_price"),
    ("decimals of an amount",  {"amount": "0.000000001"},                          "amount"),
    ("price 0",                {"unit_price": 0},                                  "unit_price"),
    ("off the tick",           {"unit_price": "350001", "amount": "0"},            "unit_price"),
    ("too high",               {"unit_price": "9" * 30},                           "unit_price"),
    ("amount 0",               {"amount": "0.00"},                                 "amount"),
    ("off the lot",            {"amount": "0.0100001"},                            "amount"),
    ("above the maximum",      {"amount": "2"},                                    "amount"),
    ("what is executed",       {"amount": "0.005"},                                "amount"),
    ("less than that",         {"amount": "0.004"},                                "amount"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "field"), FAULTS)
def test_faulty_terms_are_named_and_change_nothing(matched: SignedDesk, members: dict[str, Any], field: str) -> None:
    change_book(matched, tick_size=500, lot_size=100_000, order_size_max=10**8)
    order_id = placed(matched)
    rested(matched, "sell", ("0.005", "350000"))
    before = matched.world.tables()
    assert outcome_of(amend(matched, order_id, **members)) == invalid(field)
    assert matched.world.tables() == before


REFUSALS = cases(
    ("under the least amount",  {"order_size_min": 10**6},    {"amount": "0.009"},          TOO_LITTLE),
    ("worth too little",        {"min_order_value": 1000},    {"unit_price": "999.99"},     TOO_LITTLE),
    ("worth nothing",           {},                           {"unit_price": "0.99"},       TOO_LITTLE),
    ("more than there is",      {},                           {"unit_price": "100350000"},  NO_FUNDS),
    ("of a paused book",        {"status": BookStatus.PAUSED}, {"unit_price": "0"},         UNSUPPORTED),
)  # fmt: skip


@pytest.mark.parametrize(("settings", "members", "outcome"), REFUSALS)
def test_what_a_new_order_may_not_be_no_order_becomes(
    matched: SignedDesk, settings: dict[str, Any], members: dict[str, Any], outcome: object
) -> None:
    order_id = placed(matched)
    matched.match()
    change_book(matched, **settings)
    before = matched.world.tables()
    assert outcome_of(amend(matched, order_id, **members)) == outcome
    assert matched.world.tables() == before


def test_the_reason_names_what_is_executed(matched: SignedDesk) -> None:
    order_id = placed(matched)
    rested(matched, "sell", ("0.005", "350000"))
    reason = "It must be above 0.005, which is executed."
    assert refusal_of(amend(matched, order_id, amount="0.005")) == (40000, "Invalid parameters: amount.", reason)


def test_a_price_that_crosses_at_its_turn_is_refused_and_the_order_stays(matched: SignedDesk) -> None:
    order_id = placed(matched)
    rested(matched, "sell", ("0.005", "350001"))
    assert outcome_of(amend(matched, order_id, unit_price="350001")) == invalid("unit_price")
    assert shown(matched, order_id)["price"] == "350000"
    assert matched.world.balance("ann", BRL)[1] == 350_000


ENDS: list[Any] = cases(
    ("filled",                     EXECUTED, lambda desk, _: rested(desk, "sell", ("0.01", "350000"))),
    ("filled while it waits",      EXECUTED, lambda desk, _: placed(desk_of_ben(desk), side="sell")),
    ("canceled",                   CANCELED, lambda desk, order_id: desk.delete(LIST, {"id": order_id})),
    ("canceled while it waits",    CANCELED, lambda desk, order_id: desk.world.admission.cancel(
        INSTANCE, "ann", order_id_of(order_id, "id"))),
)  # fmt: skip


@pytest.mark.parametrize(("outcome", "end"), ENDS)
def test_an_order_that_has_ended_is_told(
    matched: SignedDesk, outcome: object, end: Callable[[SignedDesk, str], object]
) -> None:
    order_id = placed(matched)
    matched.match()
    end(matched, order_id)
    assert outcome_of(amend(matched, order_id, unit_price="1", amount="0.5")) == outcome
    assert outcome_of(amend(matched, order_id, unit_price="1", amount="0.5")) == outcome
    held = matched.world.balance("ann", BRL)[1]
    assert held == 0


def test_an_amount_that_fills_while_it_waits_is_refused(matched: SignedDesk) -> None:
    order_id = placed(matched)
    matched.match()
    placed(desk_of_ben(matched), side="sell", amount="0.006")
    assert outcome_of(amend(matched, order_id, amount="0.006")) == invalid("amount")
    assert shown(matched, order_id)["remaining_amount"] == "0.004"


def test_an_unknown_order_and_anothers_are_not_found(matched: SignedDesk) -> None:
    order_id = placed(desk_of_ben(matched))
    before = matched.world.tables()
    assert outcome_of(amend(matched, order_id, amount="1")) == outcome_of(amend(matched, UUID, amount="1")) == NO_ORDER
    assert matched.world.tables() == before


def test_without_an_outcome_in_5_seconds_it_stays_queued_and_a_repeat_joins_it(
    desk: SignedDesk, clock: Waiting
) -> None:
    order_id = placed(desk)
    desk.match()
    response = amend(desk, order_id, amount="0.02")
    assert (outcome_of(response), response.headers["Retry-After"]) == (PENDING, "1")
    assert round(clock.slept_s, 6) == 5
    before = desk.world.tables()
    other = amend(desk, order_id, amount="0.03")
    assert (outcome_of(other), other.headers["Retry-After"]) == (PENDING, "1")
    assert desk.world.tables() == before
    clock.meanwhile = desk.match
    assert outcome_of(amend(desk, order_id, amount="0.02", unit_price="350000")) == 200
    assert [row["kind"] for row in desk.world.inbox_rows()].count("amend") == 1
    assert outcome_of(amend(desk, order_id, amount="0.03")) == 200
    assert shown(desk, order_id)["requested_amount"] == "0.03"


def test_an_order_that_ends_at_its_turn_is_answered_with_its_end_afterwards(desk: SignedDesk) -> None:
    order_id = placed(desk, immediate_or_cancel=True)
    assert outcome_of(amend(desk, order_id, amount="0.02")) == PENDING
    desk.match()
    assert outcome_of(amend(desk, order_id, amount="0.02")) == CANCELED


def test_a_book_that_pauses_before_its_turn_refuses_it(desk: SignedDesk, clock: Waiting) -> None:
    order_id = placed(desk)
    desk.match()
    assert outcome_of(amend(desk, order_id, amount="0.02")) == PENDING
    change_book(desk, status=BookStatus.PAUSED)
    desk.world.stream_new_commands()
    desk.world.records[-2:] = reversed(desk.world.records[-2:])
    clock.meanwhile = desk.world.deliver
    assert outcome_of(amend(desk, order_id, amount="0.02")) == UNSUPPORTED
    assert desk.world.balance("ann", BRL)[1] == 350_000


def test_an_iceberg_order_has_ten_slices_at_most_and_a_parked_one_any_limit(matched: SignedDesk) -> None:
    iceberg = placed(matched, side="sell", type="iceberg", amount="1", step_amount="0.1", price="360000")
    stopped = placed(matched, type="stop_limit", stop_price="370000", price="371000")
    trailing = placed(matched, side="sell", type="trailing", distance="500", price=...)
    matched.match()
    assert outcome_of(amend(matched, iceberg, amount="1.1")) == invalid("amount")
    assert outcome_of(amend(matched, iceberg, unit_price="0.00000009")) == invalid("unit_price")
    assert outcome_of(amend(matched, iceberg, amount="0.9", unit_price="361000")) == 200
    assert outcome_of(amend(matched, stopped, unit_price="380000")) == 200
    assert (shown(matched, stopped)["price"], shown(matched, stopped)["type"]) == ("380000", "stop_limit")
    assert outcome_of(amend(matched, trailing, unit_price="350000")) == invalid("unit_price")
    assert outcome_of(amend(matched, trailing, amount="0.02")) == 200
    assert matched.world.balance("ann", BTC)[1] == 92_000_000


def test_t96_a_frozen_customer_may_ask_for_less_alone(matched: SignedDesk) -> None:
    order_id = placed(matched)
    matched.match()
    FrozenCustomers(matched.world.database).freeze(INSTANCE, "ann", None)
    before = matched.world.tables()
    for members in ({"amount": "0.02"}, {"unit_price": "350001"}, {"amount": "0.02", "unit_price": "1"}):
        assert outcome_of(amend(matched, order_id, **members)) == FORBIDDEN
    assert matched.world.tables() == before
    assert outcome_of(amend(matched, order_id, amount="0.005")) == 200
    assert outcome_of(amend(matched, order_id, unit_price="340000")) == 200


def test_a_token_that_may_read_alone_amends_nothing(desk: SignedDesk) -> None:
    order_id = placed(desk)
    reader = desk.as_customer("ann", Permission.READ)
    assert outcome_of(amend(reader, order_id, amount="0.02")) == FORBIDDEN


def test_both_mounts_amend(matched: SignedDesk) -> None:
    order_id = placed(matched)
    assert data_of(matched.send("PUT", "/v4/orders", body={"order_id": order_id, "amount": 0.02})) is None
