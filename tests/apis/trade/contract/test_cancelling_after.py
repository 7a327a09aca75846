"""POST orders/cancel-all-after: the dead man's switch of a customer (O10)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.tenancy.keys import Permission
from chalicelib.services.books.expiry import Expiring
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.switches import Switches
from tests.apis.trade.cases import LIST, outcome_of, placed
from tests.apis.trade.desk import UNLIMITED, SignedClient, SignedDesk, data_of, fault_of, make_token, open_trade_desk
from tests.apis.trade.rows import NOW_MS
from tests.case_tables import cases
from tests.world import INSTANCE, QUOTE, World

AFTER = f"{LIST}/cancel-all-after"
NEITHER = " It is neither 0 nor from 5 to 86400."


def invalid(field: str, sentence: str = "") -> tuple[int, int, str]:
    return 400, 40000, f"Invalid parameters: {field}.{sentence}"


def look(desk: SignedDesk, at_ms: int) -> None:
    """Have the scheduled function look at this time, and what it queues decided."""
    Expiring(desk.world.database, desk.world.matcher(), lambda: at_ms).check()
    desk.match()


@pytest.fixture
def noon(memory_database: Database) -> SignedDesk:
    """Ann's desk at noon of 2025-03-04."""
    desk = open_trade_desk(World(memory_database), clock=lambda: NOW_MS)
    desk.world.credit("ann", QUOTE, 10**21)
    return desk


@pytest.mark.parametrize("timeout", cases(("a number", 60), ("a text", "60"), ("with an exponent", 6e1)))
def test_o10_the_answer_says_when_all_orders_are_cancelled(noon: SignedDesk, timeout: Any) -> None:
    assert data_of(noon.post(AFTER, {"timeout": timeout})) == {"cancel_at": iso(NOW_MS + 60_000)}


def test_o10_zero_switches_it_off_also_where_it_is_off(noon: SignedDesk) -> None:
    for timeout in (0, 5, "0", 86_400, 0.0):
        expected = iso(NOW_MS + int(timeout) * 1000) if int(timeout) else None
        assert data_of(noon.post(AFTER, {"timeout": timeout})) == {"cancel_at": expected}
    assert Switches(noon.world.database).get(customer_key(INSTANCE, "ann")) is None


def test_o10_at_its_time_the_orders_are_cancelled_and_the_book_desk_says_why(noon: SignedDesk) -> None:
    order_id = data_of(noon.place(price="1"))["id"]
    noon.match()
    data_of(noon.post(AFTER, {"timeout": 5}))
    look(noon, NOW_MS + 4_999)
    assert data_of(noon.get(f"{LIST}/{order_id}"))["status"] == "open"
    look(noon, NOW_MS + 5_000)
    assert data_of(noon.get(f"{LIST}/{order_id}"))["status"] == "canceled"
    assert [row["reason"] for row in noon.world.order_rows()] == ["DEAD_MAN"]
    assert fault_of(noon.delete(f"{LIST}/all"))[1] == 40021


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    cases(
        ("none", None, "body", ""),
        ("a list", [], "body", ""),
        ("no timeout", {}, "timeout", ""),
        ("null", {"timeout": None}, "timeout", ""),
        ("true", {"timeout": True}, "timeout", ""),
        ("a word", {"timeout": "soon"}, "timeout", ""),
        ("below 0", {"timeout": -5}, "timeout", ""),
        ("a fraction", {"timeout": 5.5}, "timeout", NEITHER),
        ("too short", {"timeout": 4}, "timeout", NEITHER),
        ("too long", {"timeout": "86401"}, "timeout", NEITHER),
        ("forty digits", {"timeout": "1" * 40}, "timeout", NEITHER),
        ("a pair, which would be passed over", {"timeout": 60, "pair": "B_Q"}, "pair", ""),
    ),
)
def test_o10_a_faulty_timeout_changes_nothing(noon: SignedDesk, body: Any, field: str, sentence: str) -> None:
    data_of(noon.post(AFTER, {"timeout": 60}))
    before = noon.world.tables()
    assert fault_of(noon.post(AFTER, body)) == invalid(field, sentence)
    assert noon.world.tables() == before


def test_o10_a_timeout_in_the_query_is_a_fault(noon: SignedDesk) -> None:
    assert fault_of(noon.send("POST", AFTER, query={"timeout": "60"}, body={"timeout": 60})) == invalid("timeout")


def test_o10_all_tokens_of_a_customer_have_one_switch(noon: SignedDesk) -> None:
    make_token(noon.world.database, "another-of-ann", "ann", rate_limit=UNLIMITED)
    other = replace(noon, token="another-of-ann")
    data_of(noon.post(AFTER, {"timeout": 5}))
    assert data_of(other.post(AFTER, {"timeout": 60})) == {"cancel_at": iso(NOW_MS + 60_000)}
    data_of(noon.place(price="1"))
    noon.match()
    look(noon, NOW_MS + 5_000)
    assert [row["status"] for row in noon.world.order_rows()] == ["OPEN"]
    assert data_of(noon.post(AFTER, {"timeout": 0})) == {"cancel_at": None}
    look(noon, NOW_MS + 60_000)
    assert [row["status"] for row in noon.world.order_rows()] == ["OPEN"]


def test_o10_another_customers_switch_is_its_own(noon: SignedDesk) -> None:
    data_of(noon.place(price="1"))
    noon.match()
    data_of(noon.as_customer("ben").post(AFTER, {"timeout": 5}))
    look(noon, NOW_MS + 5_000)
    assert [row["status"] for row in noon.world.order_rows()] == ["OPEN"]


def test_o10_it_takes_a_token_that_may_trade(noon: SignedDesk) -> None:
    reader = noon.as_customer("ann", Permission.READ)
    assert fault_of(reader.post(AFTER, {"timeout": 0})) == (403, 40300, "Forbidden access.")


def test_o10_a_frozen_customer_keeps_its_switch(noon: SignedDesk) -> None:
    data_of(noon.place(price="1"))
    noon.match()
    FrozenCustomers(noon.world.database).freeze(INSTANCE, "ann", None)
    assert data_of(noon.post(AFTER, {"timeout": 5}))["cancel_at"]
    look(noon, NOW_MS + 5_000)
    assert [row["reason"] for row in noon.world.order_rows()] == ["DEAD_MAN"]


def test_o10_the_word_is_no_orders_id(client: SignedClient) -> None:
    """R1: for any method."""
    assert client.outcome("GET", AFTER) == (404, 40400, "Not found.")
    response = client.request("POST", AFTER, json.dumps({"timeout": 0}).encode())
    assert json.loads(response.body)["data"] == {"cancel_at": None}


def test_o10_while_it_fires_it_cannot_be_set(noon: SignedDesk) -> None:
    """It fires in several transactions where there are very many books; nothing is changed by the refusal."""
    data_of(noon.post(AFTER, {"timeout": 5}))
    table = Switches(noon.world.database)
    armed = table.get(customer_key(INSTANCE, "ann"))
    assert armed is not None
    noon.world.database.write(table.replace(armed, replace(armed, step="dms_2", told_books="ob_a")))
    assert fault_of(noon.post(AFTER, {"timeout": 5})) == (503, 503, "Maintenance in course.")
    assert outcome_of(noon.get(LIST, "pair=B_Q")) == 200


def test_o10_an_order_placed_after_it_fired_stays(desk: SignedDesk) -> None:
    first = placed(desk, price="1")
    cancel_at = data_of(desk.post(AFTER, {"timeout": 5}))["cancel_at"]
    switch = Switches(desk.world.database).get(customer_key(INSTANCE, desk.customer))
    assert switch is not None
    assert iso(switch.cancel_at_ms) == cancel_at
    look(desk, switch.cancel_at_ms)
    second = placed(desk, price="1")
    look(desk, switch.cancel_at_ms + 60_000)
    shown = {row["id"]: row["status"] for row in data_of(desk.get(LIST, "pair=BTC_BRL"))["orders"]}
    assert (shown[first], shown[second]) == ("canceled", "open")
