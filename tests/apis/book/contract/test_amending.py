"""PATCH offchain/orders/{orderId}: new terms of an open order, faults in their order, keys (O8, T117 to T119)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import ONE_ORDER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.requests import Requests
from tests.apis.book.desk import Desk, data_of, outcome_of
from tests.case_tables import cases
from tests.faults import unavailable
from tests.invariants import check_invariants
from tests.waiting import Clock
from tests.world import BASE, INSTANCE, QUOTE

NOT_FOUND, PENDING = (404, "ORDER_NOT_FOUND"), (503, "AMENDMENT_PENDING")
TOO_MANY = (400, "INVALID_QUANTITY")
KEY = {"idempotency-key": "amend-0001"}


def amend(
    desk: Desk, order_id: str, customer: str | None = "ann", headers: dict[str, str] | None = None, **terms: Any
) -> HttpResponse:
    body = json.dumps({"customerRef": customer} | terms).encode()
    return desk.send("PATCH", ONE_ORDER, body=body, headers=headers, orderId=order_id)


def queued(desk: Desk) -> int:
    return sum(row["kind"] == "amend" for row in desk.world.inbox_rows())


@pytest.fixture
def matched(desk: Desk, clock: Clock) -> Desk:
    """The desk, whose requests find their outcome as soon as they wait."""
    clock.meanwhile = desk.match
    return desk


TERMS = cases(
    ("a price",           {"price": "49"},                     ("49", "10")),
    ("a higher quantity", {"quantity": "15"},                  ("50", "15")),
    ("both",              {"price": "51", "quantity": "5"},    ("51", "5")),
    ("one null",          {"price": None, "quantity": "5"},    ("50", "5")),
    ("as they are",       {"price": "50", "quantity": "10"},   ("50", "10")),
    ("what asks nothing", {"price": "49", "stopPrice": "0", "side": None}, ("49", "10")),
)  # fmt: skip


@pytest.mark.parametrize(("asked", "terms"), TERMS)
@pytest.mark.parametrize("has_rested", [True, False], ids=["resting", "before its turn"])
def test_t117_an_amended_order_has_its_terms_and_their_hold(
    matched: Desk, asked: dict[str, Any], terms: tuple[str, str], has_rested: bool
) -> None:
    order_id = matched.placed()
    if has_rested:
        matched.match()
    price, quantity = terms
    data = data_of(amend(matched, order_id, **asked))
    name = data.pop("amendmentId")
    assert data == {"id": order_id, "status": "AMENDED", "price": price, "quantity": quantity}
    assert (name is None) == (terms == ("50", "10"))
    matched.match()
    (row,) = matched.rows()
    assert (row["price"], row["quantity"], row["status"]) == (price, quantity, "OPEN")
    shown = data_of(matched.get(ONE_ORDER, {"customerRef": "ann"}, orderId=order_id))
    assert (shown["price"], shown["quantity"]) == (price, quantity)
    assert matched.world.balance("ann", QUOTE)[1] == int(price) * int(quantity)
    check_invariants(matched.world, {BASE: 2000, QUOTE: 2000})


FORMS = cases(
    ("no customer",          {"customer": None, "price": "5"},                    ["customerRef"]),
    ("no terms",             {},                                                  ["quantity"]),
    ("null terms",           {"price": None, "quantity": None},                   ["quantity"]),
    ("numbers",              {"price": 5, "quantity": 6},                         ["price", "quantity"]),
    ("a negative price",     {"price": "-5"},                                     ["price"]),
    ("leading zero",         {"quantity": "05"},                                  ["quantity"]),
    ("members it has not",   {"price": "5", "side": "SELL", "stopPrice": "7"},    ["side", "stopPrice"]),
)  # fmt: skip


@pytest.mark.parametrize(("asked", "fields"), FORMS)
def test_t117_a_faulty_form_names_its_members_and_changes_nothing(
    matched: Desk, asked: dict[str, Any], fields: list[str]
) -> None:
    order_id = matched.placed()
    before = matched.world.tables()
    response = amend(matched, order_id, **asked)
    error = json.loads(response.body)["error"]
    assert (response.status, error["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in error["details"]] == fields
    assert matched.world.tables() == before


FAULTS = cases(
    ("price 0",              {"price": "0"},                      (400, "INVALID_PRICE")),
    ("off the tick",         {"price": "51"},                     (400, "INVALID_PRICE")),
    ("quantity 0",           {"quantity": "0"},                   (400, "INVALID_QUANTITY")),
    ("off the lot",          {"quantity": "11"},                  (400, "INVALID_QUANTITY")),
    ("too small",            {"quantity": "2"},                   (400, "ORDER_TOO_SMALL")),
    ("worth too little",     {"price": "5"},                      (400, "ORDER_TOO_SMALL")),
    ("too large",            {"quantity": "102"},                 (400, "ORDER_TOO_LARGE")),
    ("what is filled",       {"quantity": "4"},                   (400, "INVALID_QUANTITY")),
    ("more than there is",   {"price": "500"},                    (400, "INSUFFICIENT_BALANCE")),
    ("price before quantity", {"price": "0", "quantity": "0"},    (400, "INVALID_PRICE")),
)  # fmt: skip


@pytest.mark.parametrize(("asked", "outcome"), FAULTS)
def test_t117_what_no_new_order_may_be_changes_nothing(
    matched: Desk, asked: dict[str, Any], outcome: tuple[int, str]
) -> None:
    order_id = matched.placed()
    matched.rested((4, 50))
    bounds = {"order_size_min": 3, "order_size_max": 100, "lot_size": 2, "min_order_value": 51}
    matched.world.change(tick_size=5, **bounds)
    before = matched.world.tables()
    assert outcome_of(amend(matched, order_id, **asked)) == outcome
    assert matched.world.tables() == before


def test_t117_of_a_paused_book_nothing_is_amended(matched: Desk) -> None:
    order_id = matched.placed()
    matched.match()
    matched.world.change_status(BookStatus.PAUSED)
    before = matched.world.tables()
    assert outcome_of(amend(matched, order_id, price="0")) == (400, "ORDER_BOOK_INACTIVE")
    assert matched.world.tables() == before


def test_t117_an_order_that_is_unknown_anothers_or_closed_is_not_found(matched: Desk) -> None:
    order_id = matched.placed()
    before = matched.world.tables()
    assert outcome_of(amend(matched, order_id, "ben", price="49")) == NOT_FOUND
    assert outcome_of(amend(matched, "ord_1", price="49")) == NOT_FOUND
    assert outcome_of(amend(matched, f"amendment%2F{order_id}", price="49")) == NOT_FOUND
    assert matched.world.tables() == before
    assert matched.cancel(order_id).status == 200
    assert outcome_of(amend(matched, order_id, price="49")) == NOT_FOUND


AT_ITS_TURN = cases(
    ("it would cross",    {"price": "60"},     [(1, 60)],   (400, "INVALID_PRICE")),
    ("filled",            {"price": "49"},     [(10, 50)],  NOT_FOUND),
    ("filled so far",     {"quantity": "7"},   [(8, 50)],   (400, "INVALID_QUANTITY")),
)  # fmt: skip


@pytest.mark.parametrize(("asked", "asks", "outcome"), AT_ITS_TURN)
def test_t118_it_is_refused_at_its_turn_by_what_came_before(
    desk: Desk, clock: Clock, asked: dict[str, Any], asks: list[tuple[int, int]], outcome: tuple[int, str]
) -> None:
    order_id = desk.placed()
    desk.match()
    for quantity, price in asks:
        desk.placed(customerRef="ben", side="SELL", quantity=str(quantity), price=str(price))
    clock.meanwhile = desk.match
    told = amend(desk, order_id, headers=KEY, **asked)
    assert outcome_of(told) == outcome
    again = amend(desk, order_id, headers=KEY, **asked)
    assert (again.body, again.headers["Idempotent-Replay"]) == (told.body, "true")
    assert queued(desk) == 1
    check_invariants(desk.world, {BASE: 2000, QUOTE: 2000})


def test_t118_without_an_outcome_in_5_seconds_it_stays_queued_and_a_repeat_joins_it(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed()
    desk.match()
    response = amend(desk, order_id, quantity="15")
    assert (outcome_of(response), response.headers["Retry-After"]) == (PENDING, "1")
    assert round(clock.slept_s, 6) == 5
    before = desk.world.tables()
    other = amend(desk, order_id, quantity="16")
    assert (outcome_of(other), other.headers["Retry-After"]) == (PENDING, "1")
    assert desk.world.tables() == before
    clock.meanwhile = desk.match
    assert data_of(amend(desk, order_id, quantity="15", price="50"))["status"] == "AMENDED"
    assert queued(desk) == 1


def test_t119_under_a_key_it_is_done_once_also_when_others_came_since(matched: Desk) -> None:
    order_id = matched.placed(price="10")
    first = amend(matched, order_id, headers=KEY, quantity="15")
    assert amend(matched, order_id, quantity="16").status == 200
    again = amend(matched, order_id, headers=KEY, quantity="15")
    assert (again.status, again.body, again.headers["Idempotent-Replay"]) == (200, first.body, "true")
    assert [row["quantity"] for row in matched.rows()] == ["16"]
    assert outcome_of(amend(matched, order_id, headers=KEY, quantity="17")) == (409, "IDEMPOTENCY_MISMATCH")
    other = matched.placed(price="10")
    assert outcome_of(amend(matched, other, headers=KEY, quantity="15")) == (409, "IDEMPOTENCY_MISMATCH")
    malformed = {"idempotency-key": "short"}
    assert outcome_of(amend(matched, order_id, headers=malformed, quantity="5")) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_t119_a_repeat_before_the_outcome_waits_and_is_told_that_it_was_queued(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed()
    desk.match()
    assert outcome_of(amend(desk, order_id, headers=KEY, quantity="15")) == PENDING
    again = data_of(amend(desk, order_id, headers=KEY, quantity="15"))
    assert (again["status"], again["price"], again["quantity"]) == ("QUEUED", "50", "15")
    assert queued(desk) == 1
    clock.meanwhile = desk.match
    assert data_of(amend(desk, order_id, headers={"idempotency-key": "another1"}, quantity="15"))["status"] == "AMENDED"


@pytest.mark.parametrize(("asks", "outcome"), cases(("amended", 0, 200), ("filled before", 10, NOT_FOUND)))
def test_t119_a_repeat_after_the_outcome_is_told_it(desk: Desk, asks: int, outcome: int | tuple[int, str]) -> None:
    order_id = desk.placed()
    desk.match()
    if asks:
        desk.placed(customerRef="ben", side="SELL", quantity=str(asks))
    assert outcome_of(amend(desk, order_id, headers=KEY, quantity="15")) == PENDING
    desk.match()
    again = amend(desk, order_id, headers=KEY, quantity="15")
    assert (data_of(again)["status"] == "AMENDED" and 200 if again.status == 200 else outcome_of(again)) == outcome
    assert amend(desk, order_id, headers=KEY, quantity="15").body == again.body
    assert queued(desk) == 1


def test_t119_of_an_amendment_that_was_joined_the_answer_is_kept_too(desk: Desk, clock: Clock) -> None:
    order_id = desk.placed()
    desk.match()
    assert outcome_of(amend(desk, order_id, quantity="15")) == PENDING
    clock.meanwhile = desk.match
    told = amend(desk, order_id, headers=KEY, quantity="15")
    assert data_of(told)["status"] == "AMENDED"
    assert amend(desk, order_id, quantity="16").status == 200
    assert amend(desk, order_id, headers=KEY, quantity="15").body == told.body
    unchanged = amend(desk, order_id, headers={"idempotency-key": "another1"}, quantity="16")
    assert data_of(unchanged)["status"] == "AMENDED"
    assert amend(desk, order_id, headers={"idempotency-key": "another1"}, quantity="16").body == unchanged.body


def test_t119_an_answer_that_cannot_be_kept_is_given_all_the_same(
    matched: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = matched.placed()
    monkeypatch.setattr(Requests, "finish", unavailable)
    assert data_of(amend(matched, order_id, headers=KEY, quantity="15"))["status"] == "AMENDED"


def test_t96_a_frozen_customer_may_ask_for_less_alone(matched: Desk) -> None:
    order_id = matched.placed()
    matched.match()
    FrozenCustomers(matched.world.database).freeze(INSTANCE, "ann", None)
    before = matched.world.tables()
    for asked in ({"quantity": "11"}, {"price": "51"}):
        assert outcome_of(amend(matched, order_id, **asked)) == (403, "CUSTOMER_FROZEN")
    assert matched.world.tables() == before
    for asked in ({"quantity": "9"}, {"price": "49"}):
        assert amend(matched, order_id, **asked).status == 200


ADVANCED: list[Any] = cases(
    ("a parked order, any price", {"type": "STOP_LIMIT", "stopPrice": "70"}, {"price": "90"}, 200),
    ("an iceberg's slices",       {"type": "ICEBERG", "stepAmount": "2"}, {"quantity": "21"}, TOO_MANY),
    ("an iceberg",                {"type": "ICEBERG", "stepAmount": "2"}, {"quantity": "20", "price": "40"}, 200),
)  # fmt: skip


@pytest.mark.parametrize(("advanced", "asked", "outcome"), ADVANCED)
def test_t117_orders_of_other_types(
    matched: Desk, advanced: dict[str, str], asked: dict[str, str], outcome: int | tuple[int, str]
) -> None:
    matched.rested((1, 60))
    order_id = matched.placed(advanced=advanced)
    matched.match()
    told = amend(matched, order_id, **asked)
    assert (200 if told.status == 200 else outcome_of(told)) == outcome


def test_t117_a_trailing_order_without_a_price_gets_none(matched: Desk) -> None:
    order_id = matched.placed(
        side="SELL", orderType="MARKET", price=..., advanced={"type": "TRAILING", "distance": "2"}
    )
    assert outcome_of(amend(matched, order_id, price="49")) == (400, "INVALID_PRICE")
    assert data_of(amend(matched, order_id, quantity="12"))["price"] is None
