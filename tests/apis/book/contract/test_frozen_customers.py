"""A frozen customer places nothing and cancels all it likes (T96)."""

from __future__ import annotations

import pytest

from chalicelib.apis.book.routes import BATCH, CREDIT, LIST, PLACE, TRANSFER
from chalicelib.tables.frozen_customers import FrozenCustomers
from tests.apis.book.desk import ORDER, Desk, answer_of, data_of, json_body, outcome_of
from tests.waiting import Clock
from tests.world import INSTANCE

FROZEN = (403, "CUSTOMER_FROZEN")


@pytest.fixture
def frozen(desk: Desk) -> Desk:
    """A desk whose customer ann is frozen."""
    assert FrozenCustomers(desk.world.database).freeze(INSTANCE, "ann", "asked for by the regulator")
    return desk


def test_t96_it_places_nothing_from_the_next_request_on(frozen: Desk) -> None:
    before = frozen.world.tables()
    assert outcome_of(frozen.place()) == FROZEN
    assert outcome_of(frozen.place(orderType="MARKET", price=...)) == FROZEN
    assert frozen.world.tables() == before


def test_t96_each_order_of_its_batch_is_refused(frozen: Desk) -> None:
    orders = [ORDER, ORDER | {"side": "SELL"}, ORDER | {"quantity": "x"}]
    before = frozen.world.tables()
    results = data_of(frozen.send("POST", BATCH, body=json_body({"orders": orders})))["results"]
    assert [one["error"]["code"] for one in results] == ["CUSTOMER_FROZEN", "CUSTOMER_FROZEN", "VALIDATION_ERROR"]
    assert frozen.world.tables() == before


def test_t96_others_place_as_before_and_so_does_it_once_the_freeze_has_ended(frozen: Desk) -> None:
    assert frozen.place(customerRef="ben").status == 201
    assert FrozenCustomers(frozen.world.database).unfreeze(INSTANCE, "ann")
    assert frozen.place().status == 201


def test_t96_it_cancels_one_order_and_all(desk: Desk, clock: Clock) -> None:
    first, *_ = [desk.placed(quantity="1") for _ in range(3)]
    FrozenCustomers(desk.world.database).freeze(INSTANCE, "ann", None)
    clock.meanwhile = desk.match
    assert data_of(desk.cancel(first))["status"] == "CANCELLED"
    assert data_of(desk.send("DELETE", LIST, customerRef="ann"))["cancelled"] == 2


def test_t96_it_is_checked_behind_the_form_and_before_the_book(frozen: Desk) -> None:
    assert outcome_of(frozen.place(quantity="x")) == (400, "VALIDATION_ERROR")
    assert outcome_of(frozen.place(orderBookId="ob_none")) == FROZEN


def test_t96_its_resting_orders_trade_and_the_operator_moves_its_funds(desk: Desk) -> None:
    desk.placed(price="5", quantity="10")
    desk.match()
    FrozenCustomers(desk.world.database).freeze(INSTANCE, "ann", None)
    desk.placed(customerRef="ben", side="SELL", price="5", quantity="10")
    desk.match()
    assert desk.balance("ann")["balance"] == "1010"
    assert desk.post(CREDIT).status == desk.post(TRANSFER).status == 200


def test_t13_the_refusal_is_kept_under_its_key(frozen: Desk) -> None:
    assert outcome_of(frozen.post(PLACE, "order-0001")) == FROZEN
    FrozenCustomers(frozen.world.database).unfreeze(INSTANCE, "ann")
    replayed = frozen.post(PLACE, "order-0001")
    assert (outcome_of(replayed), replayed.headers["Idempotent-Replay"]) == (FROZEN, "true")
    assert answer_of(replayed)["error"]["message"]
