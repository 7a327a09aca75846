"""Placing orders over the trade desk: every member, which fault comes first, and what is held (R14, R23 to R31)."""

from __future__ import annotations

import json
import time
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.tenancy.api_tokens import Permission
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import SignedDesk, data_of, fault_of, open_trade_desk
from tests.world import BASE, QUOTE, World

MS = 1_000_000
"""In ns."""
QD = 10**18
"""Quote base units of one whole quote asset; the base asset of these tests has no decimals."""
RICH = 10**6 * QD


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    """Ann and ben are given a million whole quote assets."""
    world = World(memory_database)
    desk = open_trade_desk(world)
    for customer in ("ann", "ben"):
        world.credit(customer, QUOTE, RICH)
    return desk


def refused(desk: SignedDesk, **members: Any) -> tuple[int, int, str]:
    """Place an order that must be refused; return why. No table may have changed."""
    before = desk.world.tables()
    fault = fault_of(desk.place(**members))
    assert desk.world.tables() == before
    return fault


def invalid(field: str) -> tuple[int, int, str]:
    return 400, 40000, f"Invalid parameters: {field}."


UNSUPPORTED = (400, 40090, "Unsupported operation.")
TOO_LITTLE = (400, 40010, "Minimum value not reached.")
NO_FUNDS = (400, 40011, "Insufficient funds.")
NO_PAIR = (404, 40400, "Pair not found.")


def test_a_placed_order_is_shown_as_admitted_member_by_member(desk: SignedDesk) -> None:
    """R22, R27: in this order; external_id only where the order has one."""
    data = data_of(desk.place(external_id="desk7-0042"))
    assert list(data) == [
        "id", "create_date", "executed_amount", "external_id", "pair", "remaining_amount", "remaining_value",
        "requested_amount", "requested_value", "side", "status",
    ]  # fmt: skip
    del data["id"], data["create_date"]
    assert data == {
        "executed_amount": 0, "external_id": "desk7-0042", "pair": "B_Q", "remaining_amount": 10, "remaining_value": 50,
        "requested_amount": 10, "requested_value": 50, "side": "buy", "status": "open",
    }  # fmt: skip
    assert "external_id" not in data_of(desk.place())
    assert desk.world.balance("ann", QUOTE)[1] == 100 * QD


def test_no_answer_is_older_than_the_order_that_it_tells_of(desk: SignedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """R11"""
    monkeypatch.setattr("time.time_ns", partial(next, count(time.time_ns(), MS)))  # it moves on with every look
    answer = json.loads(desk.place().body)
    created = datetime.fromisoformat(answer["data"]["create_date"].replace("Z", "+00:00"))
    assert created.timestamp() * 1000 <= answer["timestamp"]


@pytest.mark.parametrize("mount", ["trade", "v4"])
def test_both_mounts_take_orders(desk: SignedDesk, mount: str) -> None:
    """R1"""
    order = {"pair": "b_q", "side": "sell", "type": "limit", "amount": 1, "price": 2}
    assert data_of(desk.post(f"/{mount}/orders", order))["pair"] == "B_Q"


def test_an_order_may_be_as_small_as_the_assets_decimals(desk: SignedDesk) -> None:
    """R37: no digit is lost on the way in or out."""
    response = desk.place(price="1.000000000000000001", amount="1")
    assert '"remaining_value":1.000000000000000001,' in response.body
    assert desk.world.balance("ann", QUOTE)[1] == 10**18 + 1


@pytest.mark.parametrize("price", ["5", "5.0", 5, 5.0, "5.000000000000000000000000"])
def test_a_number_is_the_same_however_it_is_written(desk: SignedDesk, price: object) -> None:
    """R14: trailing zeros are no decimals."""
    data_of(desk.place(price=price))
    assert desk.world.balance("ann", QUOTE)[1] == 50 * QD


FAULTS: list[tuple[str, Any]] = [
    *(("pair", value) for value in (..., None, "", 5)),
    *(("side", value) for value in (..., None, "BUY", "", 1)),
    *(("type", value) for value in (..., None, "LIMIT", "stop", 1)),
    *(
        (name, value)
        for name in ("amount", "price")
        for value in (..., None, "", "-1", "1.", ".5", "01", "1e3", " 1", True, [1], -1, "9" * 39, "1" * 81)
    ),
    ("amount", "0.5"),
    ("amount", 0.5),
    ("price", "0.0000000000000000001"),
    ("amount", "0"),
    ("price", "0"),
    *(("post_only", value) for value in ("true", 1)),
    *(("immediate_or_cancel", value) for value in ("true", 1)),
    *(("fill_or_kill", value) for value in ("true", 0)),
    *(("external_id", value) for value in ("", "x" * 37, "a b", "é", "a\n", 5)),
]


@pytest.mark.parametrize(("name", "value"), FAULTS, ids=lambda value: repr(value)[:20])
def test_a_faulty_member_is_named_and_nothing_changes(desk: SignedDesk, name: str, value: Any) -> None:
    assert refused(desk, **{name: value}) == invalid(name)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"\xff", b'{"amount": NaN}'])
def test_a_body_that_is_no_object_is_a_fault(desk: SignedDesk, body: bytes) -> None:
    assert fault_of(desk.post("/trade/orders", body)) == invalid("body")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"post_only": True, "immediate_or_cancel": True}, "post_only"),
        ({"post_only": True, "fill_or_kill": True}, "post_only"),
        ({"immediate_or_cancel": True, "fill_or_kill": True}, "immediate_or_cancel"),
        ({"type": "market"}, None),
        ({"type": "market", "value": "5"}, "amount"),
        ({"type": "market", "amount": ...}, "amount"),
        ({"type": "market", "amount": None, "value": None}, "amount"),
        ({"side": "x", "amount": "x"}, "side"),
        ({"amount": "x", "price": "x", "external_id": ""}, "amount"),
    ],
)
def test_members_that_contradict_each_other_are_a_fault_of_the_first(
    desk: SignedDesk, members: dict[str, Any], field: str | None
) -> None:
    """R23"""
    response = desk.place(**members)
    assert response.status == 200 if field is None else fault_of(response) == invalid(field)


@pytest.mark.parametrize("absent", [False, None])
def test_a_flag_that_is_false_or_null_counts_as_absent(desk: SignedDesk, absent: object) -> None:
    """R23"""
    flags = dict.fromkeys(("post_only", "immediate_or_cancel", "fill_or_kill"), absent)
    assert data_of(desk.place(**flags))["status"] == "open"


def test_a_market_order_does_not_look_at_what_is_a_limit_orders(desk: SignedDesk) -> None:
    ignored = {"price": "x", "post_only": "x", "immediate_or_cancel": 5, "expiration": "x"}
    assert data_of(desk.place(type="market", **ignored))["remaining_value"] == 0


@pytest.mark.parametrize("kind", ["stop_limit", "trailing", "iceberg", "ceiling"])
def test_order_types_that_are_not_served_are_told(desk: SignedDesk, kind: str) -> None:
    """R2"""
    assert refused(desk, type=kind, pair=...) == UNSUPPORTED
    assert fault_of(desk.as_customer("ann", Permission.READ).place(type=kind)) == (403, 40300, "Forbidden access.")


def test_a_form_that_is_faulty_is_told_before_a_pair_that_there_is_not(desk: SignedDesk) -> None:
    """R10"""
    assert refused(desk, pair="NOPE_Q", amount="x") == invalid("amount")
    assert refused(desk, pair="NOPE_Q", amount="0") == NO_PAIR
    assert refused(desk, pair="NOPE") == NO_PAIR


def test_own_checks_come_in_their_order(memory_database: Database) -> None:
    """Paused; price; amount; least amount; least value; largest amount; external id; funds."""
    world = World(memory_database, tick_size=QD, order_size_min=5, order_size_max=50)
    desk = open_trade_desk(world)
    world.credit("ann", QUOTE, 100 * QD)
    data_of(desk.place(external_id="taken"))
    wrong: dict[str, Any] = {"amount": "1000", "price": "1.5", "external_id": "TAKEN"}
    assert refused(desk, **wrong) == invalid("price")
    assert refused(desk, **wrong | {"price": "2", "amount": "0"}) == invalid("amount")
    assert refused(desk, **wrong | {"price": "2", "amount": "4"}) == TOO_LITTLE
    assert refused(desk, **wrong | {"price": "2"}) == invalid("amount")
    assert refused(desk, **wrong | {"price": "2", "amount": "50"}) == invalid("external_id")
    assert refused(desk, **wrong | {"price": "2", "amount": "50", "external_id": "free"}) == NO_FUNDS
    world.change_status(BookStatus.PAUSED)
    assert refused(desk, **wrong) == UNSUPPORTED
    world.change_status(BookStatus.CLOSED)
    assert refused(desk, **wrong) == NO_PAIR


def test_an_order_that_is_worth_less_than_a_unit_is_too_small(memory_database: Database) -> None:
    """R35: with three decimals, 1 unit at the least price is worth a thousandth of a quote unit."""
    desk = open_trade_desk(World(memory_database, base_decimals=3))
    assert refused(desk, amount="0.001", price="0.000000000000000001") == TOO_LITTLE
    data_of(desk.place(amount="1", price="0.000000000000000001"))


def test_an_external_id_is_given_once_and_for_ever_whatever_its_case(desk: SignedDesk) -> None:
    """R31: also when the order is long closed; another customer may use it."""
    data_of(desk.place(external_id="Mine", immediate_or_cancel=True))
    desk.match()
    assert refused(desk, external_id="mINE") == invalid("external_id")
    data_of(desk.as_customer("ben").place(external_id="mine"))


def test_every_time_in_force_does_what_it_says(desk: SignedDesk) -> None:
    """R24, R28"""
    ben = desk.as_customer("ben")
    data_of(ben.place(side="sell", amount="4"))
    for members, status in (
        ({"fill_or_kill": True}, "canceled"), ({"post_only": True}, "canceled"),
        ({"immediate_or_cancel": True, "amount": "5"}, "canceled"), ({"amount": "1"}, "open"),
    ):  # fmt: skip
        placed = data_of(desk.place(**members))
        desk.match()
        assert data_of(desk.get(f"/trade/orders/{placed['id']}"))["status"] == status


def test_with_a_wish_to_wait_the_first_result_is_shown(desk: SignedDesk) -> None:
    """R27: no result comes here within the second, so the order is shown as admitted."""
    response = desk.place(headers={"prefer": "wait=1"})
    assert data_of(response)["status"] == "open"
    assert "Preference-Applied" not in response.headers


# --- market orders by value (R25) --------------------------------------------------------------------------------


@pytest.fixture
def coins(memory_database: Database) -> SignedDesk:
    """Eight base decimals; ben offers 0.01 at 350,000 and 0.02 at 351,000, and bids for 0.01 and 0.02 below."""
    world = World(memory_database, base_decimals=8)
    desk = open_trade_desk(world)
    for customer in ("ann", "ben"):
        world.credit(customer, QUOTE, RICH)
        world.credit(customer, BASE, 10**8)
    ben = desk.as_customer("ben")
    for side, amount, price in (
        ("sell", "0.01", 350_000), ("sell", "0.02", 351_000), ("buy", "0.01", 349_000), ("buy", "0.02", 348_000),
    ):  # fmt: skip
        data_of(ben.place(side=side, amount=amount, price=price))
    desk.match()
    return desk


def by_value(desk: SignedDesk, value: str, **members: Any) -> dict[str, Any]:
    placed = data_of(desk.place(type="market", amount=..., price=..., value=value, **members))
    assert placed["requested_value"] == json.loads(value)
    desk.match()
    shown: dict[str, Any] = data_of(desk.get(f"/trade/orders/{placed['id']}"))
    return shown


def test_a_market_buy_by_value_holds_exactly_the_value_and_gives_back_what_it_does_not_spend(
    coins: SignedDesk,
) -> None:
    before = coins.world.balance("ann", QUOTE)
    placed = data_of(coins.place(type="market", amount=..., value="5000"))
    assert (placed["requested_amount"], placed["requested_value"]) == (0.0142735, 5000)
    assert coins.world.balance("ann", QUOTE) == (before[0] - 5000 * QD, before[1] + 5000 * QD)
    coins.match()
    order = data_of(coins.get(f"/trade/orders/{placed['id']}"))
    assert (order["status"], order["executed_amount"], order["remaining_value"]) == (
        "executed_completely",
        0.0142735,
        0,
    )
    spent = 3500 * QD + 351_000 * QD * 427_350 // 10**8
    assert coins.world.balance("ann", QUOTE) == (before[0] - spent, before[1])


def test_a_market_sell_by_value_sells_what_brings_the_value_in(coins: SignedDesk) -> None:
    order = by_value(coins, "5000", side="sell")
    assert (order["requested_amount"], order["status"]) == (0.01433909, "executed_completely")
    assert 5000 <= order["total_value"] < 5000.004


def test_a_value_beyond_the_other_side_comes_to_all_of_it(coins: SignedDesk) -> None:
    order = by_value(coins, "100000")
    assert (order["requested_amount"], order["total_value"], order["status"]) == (0.03, 10520, "executed_completely")
    assert coins.world.balance("ann", QUOTE)[1] == 0


def test_a_value_that_cannot_be_is_refused(coins: SignedDesk) -> None:
    base: dict[str, Any] = {"type": "market", "amount": ...}
    assert refused(coins, **base, value="0") == invalid("value")
    assert refused(coins, **base, value="0.000000000000000001") == TOO_LITTLE
    assert refused(coins, **base, value="0.0000000000000000001") == invalid("value")
    assert refused(coins, **base, value="10000000") == NO_FUNDS
    by_value(coins, "100000")
    assert refused(coins, **base, value="5") == invalid("value")
