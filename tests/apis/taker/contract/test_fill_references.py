"""POST /orders/fill: a fill's reference, and the same fill again (K22, K24)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    NOT_FOUND,
    TX_HASH,
    HttpClient,
    id_of,
    locked,
    new_order,
    nothing_changes,
    of_maker,
    outcome_of,
    partly_filled,
    single,
    totals,
)
from tests.apis.taker.desk import AAPL, API, QUOTE, TAKER, Desk, data_of
from tests.case_tables import cases

# --- K22: references ---------------------------------------------------------------------------------------------

MADE_BY_SERVER = re.compile(r"Taker-1737082824[0-9a-f]{6}")
REFERENCES: Any = cases(
    ("its own",                          {"reference_id": "mine"}, "request", "mine"),
    ("the request's id",                 {},                       "request", "request"),
    ("null counts as none",              {"reference_id": None},   "request", "request"),
    ("a request's id that does not fit", {},                       "a b",     MADE_BY_SERVER),
    ("a request's id that is too long",  {},                       "x" * 65,  MADE_BY_SERVER),
    ("neither",                          {},                       ...,       MADE_BY_SERVER),
)  # fmt: skip


@pytest.mark.parametrize(("members", "request_id", "reference"), REFERENCES)
def test_k22_the_reference_of_a_fill(shared: Desk, members: dict[str, Any], request_id: Any, reference: Any) -> None:
    body = {"order_hash": locked(shared), "fill_quantity": "5"} | members
    answer = data_of(shared.post("/orders/fill", body, {"x-request-id": request_id}))
    made = answer["reference_id"]
    assert made == reference if isinstance(reference, str) else reference.fullmatch(made)


def test_k22_references_that_the_server_makes_are_new_ones(shared: Desk) -> None:
    order_hash = locked(shared)
    made = {data_of(shared.fill(order_hash, 1))["reference_id"] for _ in range(10)}
    assert len(made) == 10
    assert single(shared, order_hash)["filled_quantity"] == "10"


def test_k22_a_request_id_makes_a_fill_repeatable(shared: Desk) -> None:
    order_hash = locked(shared)
    body = {"order_hash": order_hash, "fill_quantity": "5"}
    answers = [shared.post("/orders/fill", body, {"x-request-id": "once"}).body for _ in range(3)]
    assert len(set(answers)) == 1
    assert single(shared, order_hash)["filled_quantity"] == "5"


def test_k22_the_request_id_is_read_through_the_app(client: HttpClient) -> None:
    desk = client.desk
    order_hash = new_order(desk)
    headers = {"X-API-Key": desk.api_key, "X-Request-Id": "over-http"}
    desk.clock.advance(10**9)  # the app takes the machine's time, which is later
    assert client.outcome("POST", f"{API}/orders/lock", {"order_hash": order_hash}, headers) == 200
    answer = client.request("POST", f"{API}/orders/fill", {"order_hash": order_hash, "fill_quantity": "5"}, headers)
    assert answer.json_body["data"]["reference_id"] == "over-http"
    assert answer.headers["X-REQUEST-ID"] == "over-http"


# --- K24: the same fill again ------------------------------------------------------------------------------------

FILL = {"reference_id": "r", "taker_incentive": "5", "tx_hash": TX_HASH, "block_number": 7}
AGAIN: Any = cases(
    ("the same",              {},                            200),
    ("another block",         {"block_number": 8},           200),
    ("no block",              {"block_number": None},        200),
    ("tx_hash in upper case", {"tx_hash": "0x" + "AB" * 32}, 200),
    ("another quantity",      {"fill_quantity": "401"},      CONFLICT),
    ("more than is left",     {"fill_quantity": "999"},      CONFLICT),
    ("another incentive",     {"taker_incentive": "6"},      CONFLICT),
    ("no incentive",          {"taker_incentive": None},     CONFLICT),
    ("another tx_hash",       {"tx_hash": "0x" + "cd" * 32}, CONFLICT),
    ("no tx_hash",            {"tx_hash": None},             CONFLICT),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), AGAIN)
def test_k24_a_reference_with_the_same_values_gets_the_first_answer_and_with_others_a_conflict(
    shared: Desk, members: dict[str, Any], outcome: Any
) -> None:
    order_hash = locked(shared)
    first = shared.fill(order_hash, 400, **FILL)
    data_of(first)
    with nothing_changes(shared):
        body = {"order_hash": order_hash, "fill_quantity": "400"} | FILL | members
        again = shared.post("/orders/fill", body)
        assert outcome_of(again) == outcome
        if outcome == 200:
            assert again.body == first.body


def test_k24_the_whole_allowance_asked_for_is_not_the_same_as_asking_for_nothing(shared: Desk) -> None:
    order_hash = locked(shared)
    assert data_of(shared.fill(order_hash, 400, reference_id="r"))["incentive_amount"] == "40"
    with nothing_changes(shared):
        assert outcome_of(shared.fill(order_hash, 400, reference_id="r", taker_incentive="40")) == CONFLICT


def _filled_by_another(desk: Desk, order_hash: str) -> None:
    data_of(desk.unlock(order_hash))
    data_of(desk.as_other.lock(order_hash))
    data_of(desk.as_other.fill(order_hash, 600))


LATER: Any = cases(
    ("after the next fill",   lambda desk, one: desk.fill(one, 100)),
    ("after the last fill",   lambda desk, one: desk.fill(one, 600)),
    ("after the unlock",      lambda desk, one: desk.unlock(one)),
    ("under another's lock",  lambda desk, one: (desk.unlock(one), desk.as_other.lock(one))),
    ("after another's fill",  _filled_by_another),
    ("after the lock's end",  lambda desk, _: desk.clock.advance(3600)),
    ("after the deadline",    lambda desk, _: desk.clock.advance(5000)),
    ("after the cancel",      lambda desk, one: (desk.unlock(one), desk.cancel(one))),
    ("while it is suspended", lambda desk, one: desk.commands().suspend(desk.instance, id_of(desk, one))),
    ("without funds",         lambda desk, _: desk.debit(TAKER, AAPL, desk.balance(TAKER, AAPL)[0])),
)  # fmt: skip


@pytest.mark.parametrize("later", LATER)
def test_k24_the_first_answer_is_given_whatever_has_become_of_the_order(desk: Desk, later: Any) -> None:
    order_hash = new_order(desk, deadline=desk.clock.now_s + 5000)
    data_of(desk.lock(order_hash))
    first = desk.fill(order_hash, 400, reference_id="r")
    later(desk, order_hash)
    filled = of_maker(desk, order_hash)["filled_quantity"]
    before = totals(desk), desk.balance(TAKER, QUOTE), desk.balance(TAKER, AAPL)
    assert desk.fill(order_hash, 400, reference_id="r").body == first.body
    assert of_maker(desk, order_hash)["filled_quantity"] == filled
    assert (totals(desk), desk.balance(TAKER, QUOTE), desk.balance(TAKER, AAPL)) == before
    assert outcome_of(desk.fill(order_hash, 401, reference_id="r")) == CONFLICT


def test_k24_a_reference_is_free_for_another_order(shared: Desk) -> None:
    orders = [locked(shared) for _ in range(2)]
    for order_hash in orders:
        assert data_of(shared.fill(order_hash, 5, reference_id="same"))["order_hash"] == order_hash


def test_k24_a_reference_of_another_taker_is_tested_after_access(desk: Desk) -> None:
    order_hash = partly_filled(desk, 5)
    data_of(desk.fill(order_hash, 5, reference_id="theirs"))
    other = desk.as_other
    with nothing_changes(desk):
        assert outcome_of(other.fill(order_hash, 5, reference_id="theirs")) == NOT_FOUND
    data_of(desk.unlock(order_hash))
    assert outcome_of(other.fill(order_hash, 5, reference_id="theirs")) == CONFLICT
    data_of(other.lock(order_hash))
    with nothing_changes(desk):
        assert outcome_of(other.fill(order_hash, 5, reference_id="theirs")) == CONFLICT
    assert outcome_of(other.fill(order_hash, 5, reference_id="ours")) == 200


def test_k24_a_fill_goes_through_while_the_maker_asks_for_a_cancel(desk: Desk) -> None:
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    assert data_of(desk.fill(order_hash, 400))["status"] == "partially_filled"
    assert single(desk, order_hash)["notes"] == "cancel_requested"
    assert data_of(desk.fill(order_hash, 600))["status"] == "filled"
    assert single(desk, order_hash)["notes"] is None
