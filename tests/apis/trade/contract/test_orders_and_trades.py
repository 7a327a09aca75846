"""Open orders, one order with its trades, a customer's trades (R32)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    LIST,
    NO_ORDER,
    TRADES,
    desk_of_ben,
    exact,
    invalid,
    open_market,
    outcome_of,
    place,
    placed,
    rested,
    shown,
)
from tests.apis.trade.desk import SignedDesk, data_of
from tests.apis.trade.rows import DAY_MS, NOW_MS, OPEN_LIST, a_fill, ids_of, page, put_fills, put_many
from tests.case_tables import cases
from tests.waiting import Waiting

UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
OF_ORDER = "/trade/orders/trades"


@pytest.fixture
def priced(memory_database: Database, clock: Waiting) -> SignedDesk:  # noqa: ARG001 - nothing waits in earnest
    """A book with fees: 5 bps for makers, 15 for takers."""
    return open_market(memory_database, maker_fee_bps=5, taker_fee_bps=15)


# --- open orders -------------------------------------------------------------------------------------------------


def test_open_orders_are_those_that_can_still_trade_without_a_window(archive: SignedDesk) -> None:
    wanted = put_many(archive, 1, NOW_MS - 1)
    wanted += put_many(archive, 1, NOW_MS - 2, status=OrderStatus.PARTIALLY_FILLED)
    wanted += put_many(archive, 1, NOW_MS - 900 * DAY_MS, side=Side.SELL)
    for number, status in enumerate(status for status in OrderStatus if not status.is_live):
        put_many(archive, 1, NOW_MS - 10 - number, status=status)
    assert ids_of(page(archive, OPEN_LIST)) == wanted
    assert ids_of(page(archive, OPEN_LIST, pair="b_q", side="sell")) == wanted[2:]
    assert ids_of(page(archive, OPEN_LIST, start_date="nonsense", status="canceled")) == wanted
    second = page(archive, OPEN_LIST, page_size=1, current_page=2)
    assert (ids_of(second), second["pagination"]["total_pages"]) == (wanted[1:2], 3)
    assert page(archive, OPEN_LIST)["orders"][0] == page(archive)["orders"][0]


def test_open_orders_of_every_pair(desk: SignedDesk) -> None:
    ids = [placed(desk, side="sell", pair=pair, amount="1", price="9") for pair in ("B_Q", "BTC_BRL")]
    assert ids_of(data_of(desk.get(OPEN_LIST))) == ids[::-1]
    assert ids_of(data_of(desk.get(OPEN_LIST, "pair=B_Q"))) == ids[:1]
    assert outcome_of(desk.get(OPEN_LIST, "side=BUY")) == invalid("side")


# --- one order ---------------------------------------------------------------------------------------------------


def test_an_order_has_a_rows_members_then_its_average_price_and_its_trades_oldest_first(priced: SignedDesk) -> None:
    rested(priced, "sell", ("0.005", "349000"), ("0.01", "350000"))
    order_id = placed(priced, external_id="mine", amount="0.02")
    priced.match()
    data = shown(priced, order_id)
    (row,) = exact(priced.get(LIST, "pair=BTC_BRL"))["orders"]
    assert list(data.items())[:17] == list(row.items())
    assert list(data)[17:] == ["average_execution_price", "transactions"]
    assert data["average_execution_price"] == "349666.66"
    assert [list(each) for each in data["transactions"]] == [
        ["amount", "create_date", "fee", "fee_currency", "price", "total_value"]
    ] * 2
    assert [{n: v for n, v in each.items() if n != "create_date"} for each in data["transactions"]] == [
        {"amount": "0.005", "fee": "0.0000075", "fee_currency": "BTC", "price": "349000", "total_value": "1745"},
        {"amount": "0.01", "fee": "0.000015", "fee_currency": "BTC", "price": "350000", "total_value": "3500"},
    ]


def test_an_order_that_never_traded_has_no_average_price_and_no_trades(desk: SignedDesk) -> None:
    data = shown(desk, placed(desk))
    assert "average_execution_price" not in data
    assert data["transactions"] == []


NAMES = cases(
    ("as it is",                   "order~42",          200),
    ("in another case",            "ORDER~42",          200),
    ("percent-encoded",            "order%7E42",        200),
    ("unknown",                    "order42",           NO_ORDER),
    ("36 characters",              "x" * 36,            NO_ORDER),
    ("37 characters",              "x" * 37,            invalid("external_id")),
    ("36 characters, encoded",     "%78" * 36,          NO_ORDER),
    ("37 characters, encoded",     "%78" * 37,          invalid("external_id")),
    ("faulty encoding",            "%zz",               invalid("external_id")),
    ("no UTF-8",                   "%ff",               invalid("external_id")),
)  # fmt: skip


@pytest.mark.parametrize(("name", "outcome"), NAMES)
def test_an_order_is_found_by_its_external_id(desk: SignedDesk, name: str, outcome: object) -> None:
    placed(desk, external_id="order~42")
    assert outcome_of(desk.get(f"/trade/orders/by-external-id/{name}")) == outcome


# --- R32: trades -------------------------------------------------------------------------------------------------

MEMBERS = [
    "amount", "id", "price", "timestamp", "total_value", "date", "side", "type", "fee", "fee_currency", "pair_code",
    "taker_or_maker", "maker_order_id", "taker_order_id",
]  # fmt: skip


def trades(desk: SignedDesk, **query: Any) -> Any:
    data = exact(desk.get(TRADES, {"pair": "BTC_BRL"} | query))
    assert list(data) == ["trades", "pagination", "nc", "pc"]
    return data["trades"]


def test_r32_a_row_shows_the_customers_own_side_type_fee_and_role(priced: SignedDesk) -> None:
    (maker,) = rested(priced, "sell", ("0.01", "350000"))
    taker = placed(priced, type="market", price=...)
    priced.match()
    (anns,), (bens,) = trades(priced), trades(desk_of_ben(priced))
    assert list(anns) == list(bens) == MEMBERS
    own = ("side", "type", "fee", "fee_currency", "taker_or_maker")
    assert [anns[name] for name in own] == ["buy", "market", "0.000015", "BTC", "taker"]
    assert [bens[name] for name in own] == ["sell", "limit", "1.75", "BRL", "maker"]
    for row in (anns, bens):
        assert (row["amount"], row["price"], row["total_value"], row["pair_code"]) == (
            "0.01", "350000", "3500", "BTC_BRL",
        )  # fmt: skip
        assert (row["maker_order_id"], row["taker_order_id"]) == (maker, taker)
        assert row["date"] == iso(int(row["timestamp"]))
    assert anns["id"] == bens["id"]
    assert exact(priced.get(OF_ORDER, {"order_id": taker}))["trades"] == [anns]


def test_r32_a_trade_with_itself_is_two_rows_taker_first(priced: SignedDesk) -> None:
    maker = placed(priced, side="sell")
    priced.match()
    taker = placed(priced)
    priced.match()
    rows = trades(priced)
    assert [(row["taker_or_maker"], row["side"]) for row in rows] == [("taker", "buy"), ("maker", "sell")]
    assert rows[0]["id"] == rows[1]["id"]
    assert [row["taker_or_maker"] for row in trades(priced, order_id=maker)] == ["maker"]
    assert [row["taker_or_maker"] for row in trades(priced, order_id=taker)] == ["taker"]
    first = exact(priced.get(TRADES, {"pair": "BTC_BRL", "page_size": 1}))
    second = exact(priced.get(TRADES, {"pair": "BTC_BRL", "page_size": 1, "c": first["nc"]}))
    assert first["trades"] + second["trades"] == rows


FILTERS = cases(
    ("none",                         {},                                        1),
    ("its order",                    {"order_id": "own"},                       1),
    ("its external id",              {"external_id": "MINE"},                   1),
    ("both",                         {"order_id": "own", "external_id": "mine"}, 1),
    ("an unknown order",             {"order_id": UUID},                        0),
    ("another's order",              {"order_id": "bens"},                      0),
    ("an unknown external id",       {"external_id": "none"},                   0),
    ("an impossible external id",    {"external_id": "x" * 99},                 0),
    ("two that contradict",          {"order_id": UUID, "external_id": "mine"}, 0),
    ("another pair",                 {"pair": "B_Q"},                           0),
    ("the day",                      {"start_date": "today"},                   None),
)  # fmt: skip


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_r32_filters_that_match_nothing_give_an_empty_list(
    desk: SignedDesk, query: dict[str, str], count: int | None
) -> None:
    (bens,) = rested(desk, "sell", ("0.01", "350000"))
    own = placed(desk, external_id="mine")
    desk.match()
    ids = {"own": own, "bens": bens}
    sent = {name: ids.get(value, value) for name, value in query.items()}
    response = desk.get(TRADES, {"pair": "BTC_BRL"} | sent)
    if count is None:
        assert outcome_of(response) == invalid("start_date")
    else:
        data = data_of(response)
        assert len(data["trades"]) == data["pagination"]["registers_count"] == count


def test_r32_only_the_order_of_its_trades_is_not_found(desk: SignedDesk) -> None:
    order_id = data_of(place(desk))["id"]
    empty = data_of(desk.get(OF_ORDER, {"order_id": order_id}))
    assert (empty["trades"], empty["nc"], empty["pc"]) == ([], None, None)
    assert outcome_of(desk.get(OF_ORDER, {"order_id": UUID})) == NO_ORDER
    assert outcome_of(desk.get(OF_ORDER)) == outcome_of(desk.get(OF_ORDER, "order_id=x")) == invalid("order_id")
    assert outcome_of(desk.get(TRADES, {"pair": "BTC_BRL", "order_id": "x"})) == invalid("order_id")


def test_trades_are_found_by_the_time_of_their_execution(archive: SignedDesk) -> None:
    put_fills(archive.world.database, [a_fill(NOW_MS - days * DAY_MS) for days in (0, 1, 2, 200)])
    for query, count in (({}, 3), ({"start_date": "2025-03-03"}, 2), ({"end_date": "2025-03-03"}, 2)):
        found = data_of(archive.get(TRADES, {"pair": "B_Q"} | query))
        assert len(found["trades"]) == count
