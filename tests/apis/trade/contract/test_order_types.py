"""Stop-limit, trailing, iceberg and ceiling orders: their bodies, checks, and what becomes of them (O1 to O7, O16)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.tenancy.keys import Permission
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    BRL,
    BTC,
    DEPTH,
    FORBIDDEN,
    LIST,
    PUBLIC_TRADES,
    RICH_BRL,
    RICH_BTC,
    TOO_LITTLE,
    data_of,
    desk_of_ben,
    exact,
    invalid,
    open_market,
    outcome_of,
    place,
    placed,
    rested,
    shown,
    unauthorized,
)
from tests.apis.trade.desk import SignedDesk, open_trade_desk
from tests.apis.trade.rows import ids_of
from tests.case_tables import cases
from tests.world import NOW_MS, World

LEVEL_3 = "/trade/public/orders/level-3"
STOP: dict[str, Any] = {"type": "stop_limit", "stop_price": "360000"}
TRAILING: dict[str, Any] = {"type": "trailing", "distance": "1000"}
ICEBERG: dict[str, Any] = {"type": "iceberg", "step_amount": "0.002"}
CEILING: dict[str, Any] = {"type": "ceiling", "value": "3500", "amount": ..., "price": ...}
FREELY = TRAILING | {"side": "sell", "price": ...}


@pytest.fixture
def asked(desk: SignedDesk) -> SignedDesk:
    """The desk with a bid of 0.5 at 340000 and an ask of 0.5 at 350000."""
    rested(desk, "buy", ("0.5", "340000"))
    rested(desk, "sell", ("0.5", "350000"))
    return desk


def held(desk: SignedDesk) -> tuple[int, int]:
    return desk.world.balance("ann", BTC)[1], desk.world.balance("ann", BRL)[1]


def trade_at(desk: SignedDesk, price: str, amount: str = "0.001") -> None:
    """Have ben trade with himself at a price."""
    ben = desk_of_ben(desk)
    placed(ben, side="sell", amount=amount, price=price)
    placed(ben, side="buy", amount=amount, price=price)
    desk.match()


def levels(desk: SignedDesk, side: str) -> list[tuple[str, str]]:
    return [(level["price"], level["amount"]) for level in exact(desk.get(DEPTH, "pair=BTC_BRL"))[side]]


# --- the twelve bodies -------------------------------------------------------------------------------------------

# the vendor's bodies by type and side, with what ann holds for each afterwards (BTC, BRL)
BODIES: list[Any] = cases(
    ("limit buy",        {"side": "buy"},                                          (0, 350_000)),
    ("limit sell",       {"side": "sell"},                                         (10**6, 0)),
    ("market buy",       {"side": "buy", "type": "market", "price": ...},          (0, 367_500)),
    ("market sell",      {"side": "sell", "type": "market", "price": ...},         (10**6, 0)),
    ("stop_limit buy",   STOP | {"side": "buy"},                                   (0, 350_000)),
    ("stop_limit sell",  STOP | {"side": "sell"},                                  (10**6, 0)),
    ("trailing buy",     TRAILING | {"side": "buy"},                               (0, 350_000)),
    ("trailing sell",    FREELY,                                                   (10**6, 0)),
    ("ceiling buy",      CEILING | {"side": "buy"},                                (0, 350_000)),
    ("ceiling sell",     CEILING | {"side": "sell"},                               (1_029_412, 0)),
    ("iceberg buy",      ICEBERG | {"side": "buy"},                                (0, 350_000)),
    ("iceberg sell",     ICEBERG | {"side": "sell"},                               (10**6, 0)),
)  # fmt: skip


@pytest.mark.parametrize(("members", "holds"), BODIES)
def test_the_vendors_twelve_bodies_are_admitted_with_their_holds(
    asked: SignedDesk, members: dict[str, Any], holds: tuple[int, int]
) -> None:
    order_id = placed(asked, external_id="mine", **members)
    assert held(asked) == holds
    kind = members.get("type", "limit")
    row = shown(asked, order_id)
    assert (row["type"], row["side"], row["status"]) == (kind, members["side"], "open")
    assert ids_of(data_of(asked.get(LIST, {"pair": "BTC_BRL", "type": kind}))) == [order_id]
    asked.match()
    assert outcome_of(asked.delete(f"{LIST}/all")) in (200, (400, 40021, "No orders to cancel."))
    assert shown(asked, order_id)["type"] == kind


NOT_TRUE = {"post_only": False, "immediate_or_cancel": False, "fill_or_kill": None}
FORM: list[Any] = cases(
    ("stop_limit without amount",     STOP | {"amount": ...},                     invalid("amount")),
    ("stop_limit without price",      STOP | {"price": ...},                      invalid("price")),
    ("stop_limit without stop_price", STOP | {"stop_price": ...},                 invalid("stop_price")),
    ("stop_price is no number",       STOP | {"stop_price": "x"},                 invalid("stop_price")),
    ("stop_price, 3 decimals",        STOP | {"stop_price": "1.001"},             invalid("stop_price")),
    ("price before stop_price",       STOP | {"price": "x", "stop_price": "x"},   invalid("price")),
    ("stop_price before the flags",   STOP | {"stop_price": ..., "post_only": True}, invalid("stop_price")),
    ("stop_limit, distance",          STOP | {"distance": "1"},                   invalid("distance")),
    ("stop_limit, value is ignored",  STOP | {"value": "nonsense"},               200),
    ("trailing buy without price",    TRAILING | {"price": ...},                  invalid("price")),
    ("trailing sell with a price",    TRAILING | {"side": "sell"},                200),
    ("trailing sell, a faulty price", FREELY | {"price": "x"},                    invalid("price")),
    ("trailing without distance",     TRAILING | {"distance": ...},               invalid("distance")),
    ("trailing, stop_price",          TRAILING | {"stop_price": 1},               invalid("stop_price")),
    ("iceberg without step_amount",   ICEBERG | {"step_amount": ...},             invalid("step_amount")),
    ("iceberg without price",         ICEBERG | {"price": ...},                   invalid("price")),
    ("step_amount, 9 decimals",       ICEBERG | {"step_amount": "0.000000001"},   invalid("step_amount")),
    ("ceiling without value",         CEILING | {"value": ...},                   invalid("value")),
    ("ceiling by amount",             CEILING | {"value": ..., "amount": "1"},    invalid("value")),
    ("ceiling with both",             CEILING | {"amount": "1"},                  invalid("amount")),
    ("ceiling, price is ignored",     CEILING | {"price": "nonsense"},            200),
    ("ceiling, FOK",                  CEILING | {"fill_or_kill": True},           200),
    *((f"{base['type']}, {flag}", base | {flag: True}, invalid(flag)) for base, flags in (
        (STOP, ("post_only", "immediate_or_cancel", "fill_or_kill")),
        (TRAILING, ("post_only", "immediate_or_cancel", "fill_or_kill")),
        (ICEBERG, ("immediate_or_cancel", "fill_or_kill")),
        (CEILING, ("post_only", "immediate_or_cancel", "expiration")),
    ) for flag in flags),
    *((f"{base['type']}, no flag is true", base | NOT_TRUE, 200) for base in (STOP, TRAILING, ICEBERG, CEILING)),
    *((f"{base['type']}, expires", base | {"expiration": 4_102_444_800}, 200) for base in (STOP, FREELY, ICEBERG)),
    ("iceberg, post_only",            ICEBERG | {"post_only": True},              200),
    ("an expiration that has passed", STOP | {"expiration": 1},                   invalid("expiration")),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), FORM)
def test_o21_each_type_has_its_members_and_flags(asked: SignedDesk, members: dict[str, Any], outcome: object) -> None:
    before = asked.world.tables()
    assert outcome_of(place(asked, **members)) == outcome
    assert outcome == 200 or asked.world.tables() == before


# --- values ------------------------------------------------------------------------------------------------------

# on a book of ticks of 0.5, lots of 0.001, amounts of 0.002 at least, orders worth 100 at least
VALUES: list[Any] = cases(
    ("stop_price zero",               STOP | {"stop_price": "0"},                     invalid("stop_price")),
    ("stop_price off the tick",       STOP | {"stop_price": "360000.25"},             invalid("stop_price")),
    ("stop_price too high",           STOP | {"stop_price": "1" + "0" * 26},          invalid("stop_price")),
    ("price before it",               STOP | {"stop_price": "0", "price": "0"},       invalid("price")),
    ("stop_price before the amount",  STOP | {"stop_price": "0", "amount": "0"},      invalid("stop_price")),
    ("distance zero",                 TRAILING | {"distance": "0.00"},                invalid("distance")),
    ("distance off the tick",         FREELY | {"distance": "0.75"},                  invalid("distance")),
    ("step_amount zero",              ICEBERG | {"step_amount": "0"},                 invalid("step_amount")),
    ("step_amount off the lot",       ICEBERG | {"step_amount": "0.0025"},            invalid("step_amount")),
    ("ten slices",                    ICEBERG | {"amount": "0.02"},                   200),
    ("more than ten",                 ICEBERG | {"amount": "0.021"},                  invalid("step_amount")),
    ("the amount before the slices",  ICEBERG | {"amount": "0.001", "step_amount": "0"}, TOO_LITTLE),
    ("a stop worth too little",       STOP | {"price": "9999.5"},                     TOO_LITTLE),
    ("a trailing worth too little",   TRAILING | {"price": "9999.5"},                 TOO_LITTLE),
    ("an iceberg worth too little",   ICEBERG | {"price": "9999.5"},                  TOO_LITTLE),
    ("a ceiling worth too little",    CEILING | {"value": "99.99"},                   TOO_LITTLE),
    ("trailing freely",               FREELY,                                         200),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), VALUES)
def test_o15_values_keep_tick_lot_and_worth(
    memory_database: Database, members: dict[str, Any], outcome: object
) -> None:
    desk = open_market(memory_database, tick_size=50, lot_size=10**5, order_size_min=2 * 10**5, min_order_value=100_00)
    rested(desk, "sell", ("0.5", "350000"))
    before = desk.world.tables()
    assert outcome_of(place(desk, **members)) == outcome
    assert outcome == 200 or desk.world.tables() == before


def test_o6_a_slice_is_worth_a_least_unit_of_quote(desk: SignedDesk) -> None:
    tiny = ICEBERG | {"amount": "0.0000001", "price": "100000"}
    assert outcome_of(place(desk, **tiny | {"step_amount": "0.00000009"})) == invalid("step_amount")
    assert outcome_of(place(desk, **tiny | {"step_amount": "0.0000001"})) == 200


@pytest.mark.parametrize("members", [STOP, TRAILING, ICEBERG, CEILING], ids=lambda members: str(members["type"]))
def test_the_types_need_a_signature_and_the_permission(desk: SignedDesk, members: dict[str, Any]) -> None:
    assert outcome_of(place(desk, {"signature": "x"}, **members)) == unauthorized("Signature is invalid.")
    assert outcome_of(place(desk.as_customer("ann", Permission.READ), **members)) == FORBIDDEN


# --- what becomes of them ----------------------------------------------------------------------------------------


def test_o2_a_stop_waits_for_its_trade_and_takes_then(asked: SignedDesk) -> None:
    trade_at(asked, "345000")
    order_id = placed(asked, **STOP | {"stop_price": "346000", "amount": "0.1"})
    asked.match()
    assert shown(asked, order_id)["status"] == "open"
    assert levels(asked, "bids") == [("340000", "0.5")]
    trade_at(asked, "346000")
    row = shown(asked, order_id)
    assert (row["status"], row["type"], row["price"], row["total_value"]) == (
        "executed_completely", "stop_limit", "350000", "35000",
    )  # fmt: skip
    (trade, *_) = exact(asked.get(PUBLIC_TRADES, "pair=BTC_BRL"))["trades"]
    assert (trade["taker_type"], trade["maker_type"]) == ("stop_limit", "limit")


def test_o5_a_trailing_sell_follows_the_price_up_and_sells_at_the_market_when_it_turns(asked: SignedDesk) -> None:
    trade_at(asked, "345000")
    order_id = placed(asked, **FREELY | {"amount": "0.1"})
    asked.match()
    for price in ("348000", "347000.01"):
        trade_at(asked, price)
        assert shown(asked, order_id)["status"] == "open"
    trade_at(asked, "347000")
    row = shown(asked, order_id)
    assert (row["status"], row["price"], row["requested_value"]) == ("executed_completely", "340000", "34000")


def test_o6_an_iceberg_shows_one_slice_in_depth_and_level_3(asked: SignedDesk) -> None:
    order_id = placed(asked, **ICEBERG | {"side": "sell", "price": "349000"})
    asked.match()
    assert levels(asked, "asks")[0] == ("349000", "0.002")
    (first, *_) = exact(asked.get(LEVEL_3, "pair=BTC_BRL"))["asks"]
    assert (first["id"], first["amount"]) == (order_id, "0.002")
    placed(desk_of_ben(asked), amount="0.003", price="349000")
    asked.match()
    assert levels(asked, "asks")[0] == ("349000", "0.001")
    assert exact(asked.get(LEVEL_3, "pair=BTC_BRL"))["asks"][0]["amount"] == "0.001"
    row = shown(asked, order_id)
    assert (row["status"], row["remaining_amount"], row["requested_value"]) == ("executed_partially", "0.007", "3490")
    (trade, *_) = exact(asked.get(PUBLIC_TRADES, "pair=BTC_BRL"))["trades"]
    assert (trade["taker_type"], trade["maker_type"]) == ("limit", "iceberg")
    assert held(asked) == (700_000, 0)


def test_o7_a_ceiling_order_spends_its_value(asked: SignedDesk) -> None:
    order_id = placed(asked, **CEILING)
    asked.match()
    row = shown(asked, order_id)
    figures = row["status"], row["executed_amount"], row["requested_value"], row["total_value"], row["price"]
    assert figures == ("executed_completely", "0.01", "3500", "3500", "350000")


@pytest.mark.parametrize("members", [STOP, FREELY, ICEBERG], ids=lambda members: str(members["type"]))
def test_what_waits_can_be_cancelled_and_gives_its_hold_back(
    asked: SignedDesk, clock: Any, members: dict[str, Any]
) -> None:
    order_id = placed(asked, **members | ({} if members is FREELY else {"price": "330000"}))
    asked.match()
    clock.meanwhile = asked.match
    assert data_of(asked.delete(LIST, {"id": order_id}))["status"] == "canceled"
    assert asked.world.balance("ann", BTC) == (RICH_BTC, 0)
    assert asked.world.balance("ann", BRL) == (RICH_BRL, 0)


@pytest.mark.parametrize("members", [STOP, FREELY, ICEBERG], ids=lambda members: str(members["type"]))
def test_r24_what_waits_or_hides_expires_whole(
    memory_database: Database,
    clock: Any,  # noqa: ARG001 - nothing waits in earnest
    members: dict[str, Any],
) -> None:
    worlds = [World(memory_database)]
    desk = open_market(memory_database, desk=open_trade_desk(worlds[0], clock=lambda: worlds[-1].now_ms))
    worlds.append(desk.world)
    order_id = placed(desk, **members, expiration=NOW_MS + 1_000)
    desk.match()
    assert shown(desk, order_id)["status"] == "open"
    assert len(list(memory_database.scan("expiries"))) == 1
    desk.world.now_ms += 1_000
    desk.world.matcher().expire_due(desk.world.book)
    row = shown(desk, order_id)
    assert (row["status"], row["remaining_amount"]) == ("canceled", "0.01")
    assert held(desk) == (0, 0)
