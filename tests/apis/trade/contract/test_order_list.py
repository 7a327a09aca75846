"""GET orders: its parameters, its rows, whose orders it has (R19 to R22)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.trade.ids import shown as shown_id
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import API_KEY, Desk
from tests.apis.trade.cases import LIST, PAIR, exact, invalid, outcome_of, placed, shown
from tests.apis.trade.desk import SignedDesk, data_of
from tests.apis.trade.rows import DAY_MS, NOW_MS, an_order, id_at, ids_of, page, put_many, put_orders
from tests.case_tables import cases
from tests.world import INSTANCE

OLD_MS = NOW_MS - 3 * 365 * DAY_MS


# --- parameters --------------------------------------------------------------------------------------------------

VALUES = cases(
    *((f"{name}={value}", name, value, True) for name, values in {
        "status": ("open", "executed_partially", "executed_completely", "canceled"),
        "side": ("buy", "sell"),
        "type": ("limit", "market", "stop_limit", "trailing", "ceiling", "iceberg"),
    }.items() for value in values),
    *((f"{name}={value}", name, value, False) for name, values in {
        "status": ("OPEN", "Open", "waiting", "cancelled", "filled", "open,waiting", "waiting,open", "open;canceled"),
        "side": ("BUY", "both", "buy,sell", " buy"),
        "type": ("LIMIT", "stop", "limit,market", "stop-limit"),
    }.items() for value in values),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value", "is_valid"), VALUES)
def test_r20_values_are_exact_lower_case(archive: SignedDesk, name: str, value: str, is_valid: bool) -> None:
    assert outcome_of(archive.get(LIST, {"pair": "B_Q", name: value})) == (200 if is_valid else invalid(name))


def test_r20_filters_combine_with_and(archive: SignedDesk) -> None:
    facts = [
        {"side": side, "order_type": kind, "price": price, "status": status}
        for side in Side
        for kind, price in ((OrderType.LIMIT, 5), (OrderType.MARKET, None))
        for status in (OrderStatus.OPEN, OrderStatus.FILLED)
    ]
    for number, each in enumerate(facts):
        put_many(archive, 1, NOW_MS - 1000 - number, **each)
    for query, count in (
        ({}, 8), ({"side": "buy"}, 4), ({"type": "market"}, 4), ({"status": "open"}, 4),
        ({"side": "sell", "type": "limit"}, 2), ({"side": "sell", "type": "limit", "status": "open"}, 1),
        ({"status": "canceled", "side": "buy"}, 0), ({"status": "open", "type": "iceberg"}, 0),
    ):  # fmt: skip
        assert page(archive, **query)["pagination"]["registers_count"] == count


LISTS = cases(
    ("one value",             "status=open,canceled"),
    ("repeated",              "status=open&status=canceled"),
    ("brackets",              "status[]=open&status[]=canceled"),
    ("numbered brackets",     "status[0]=open&status[1]=canceled"),
    ("encoded brackets",      "status%5B%5D=open&status%5B%5D=canceled"),
    ("mixed",                 "status=open&status[]=canceled,open&status[7]=open"),
    ("trimmed",               "status=%20open%20,%20canceled"),
    ("empty items",           "status=,open,,canceled,&status="),
    ("doubled",               "status=open,open,canceled,canceled"),
)  # fmt: skip


@pytest.mark.parametrize("query", LISTS)
def test_r19_a_list_may_be_written_in_many_ways(archive: SignedDesk, query: str) -> None:
    wanted = [*put_many(archive, 1, NOW_MS - 1), *put_many(archive, 1, NOW_MS - 2, status=OrderStatus.CANCELLED)]
    put_many(archive, 1, NOW_MS - 3, status=OrderStatus.FILLED)
    assert ids_of(data_of(archive.get(LIST, f"pair=B_Q&{query}"))) == wanted
    ids = query.replace("status", "ids").replace("open", wanted[0]).replace("canceled", wanted[1])
    assert ids_of(data_of(archive.get(LIST, f"pair=B_Q&{ids}"))) == wanted


IDS = cases(
    ("10",                          range(10),                   200),
    ("11",                          range(11),                   invalid("ids")),
    ("11 of which two are one",     [*range(10), 9],             200),
    ("100 of one",                  [5] * 100,                   200),
)  # fmt: skip


@pytest.mark.parametrize(("numbers", "outcome"), IDS)
def test_there_may_be_10_different_ids(archive: SignedDesk, numbers: Any, outcome: object) -> None:
    ids = [shown_id(id_at("ord", 1, 0xABC0 + number)) for number in numbers]
    mixed = [each.lower() if number % 2 else each for number, each in enumerate(ids)]
    assert outcome_of(archive.get(LIST, {"pair": "B_Q", "ids": ",".join(mixed)})) == outcome


def test_with_ids_the_window_is_not_looked_at(archive: SignedDesk) -> None:
    (old,) = put_many(archive, 1, OLD_MS)
    for window in ({}, {"start_date": "2025-01-01"}, {"end_date": "2018-01-01"}, {"start_date": "2017-01-01"}):
        assert ids_of(page(archive, ids=old, **window)) == [old]
    assert ids_of(page(archive)) == []


def test_the_window_is_of_the_creation_not_of_the_last_change(archive: SignedDesk) -> None:
    put_many(archive, 1, NOW_MS - 200 * DAY_MS, updated_at_ms=NOW_MS - 1, sequence=5)
    assert page(archive)["orders"] == []


# --- R21: whose orders -------------------------------------------------------------------------------------------


def test_r21_an_order_is_listed_as_soon_as_its_creation_was_answered(desk: SignedDesk) -> None:
    order_id = placed(desk)
    for query in ("", "&status=open", "&side=buy", "&type=limit", f"&ids={order_id}"):
        assert ids_of(data_of(desk.get(LIST, f"pair={PAIR}{query}"))) == [order_id]


def test_r21_orders_of_the_other_surface_are_there_too(desk: SignedDesk) -> None:
    desk.world.tenants().add_key(INSTANCE, "key_1", API_KEY, rate_limit=0)
    book_desk = Desk(desk.world, new_book_desk(desk.world.database))
    there = book_desk.placed(orderBookId="ob_btc", price="35000000", quantity="1000000")
    (row,) = exact(desk.get(LIST, {"pair": PAIR}))["orders"]
    assert row["id"] == shown_id(there)
    assert (row["type"], row["price"], row["requested_amount"]) == ("limit", "350000", "0.01")


def test_r21_no_one_elses(archive: SignedDesk) -> None:
    put_orders(archive.world.database, [an_order(order_id=id_at("ord", NOW_MS - 1), customer="ben")], customer="ben")
    put_orders(archive.world.database, [an_order(order_id=id_at("ord", NOW_MS - 2))], instance="inst_other001")
    assert page(archive)["orders"] == []


# --- R22: a row --------------------------------------------------------------------------------------------------

MEMBERS = (
    "create_date", "executed_amount", "external_id", "id", "pair", "price", "remaining_amount", "remaining_value",
    "requested_amount", "requested_value", "side", "status", "total_value", "type", "update_date", "fee",
    "fill_or_kill",
)  # fmt: skip
NUMBERS = (
    "executed_amount", "price", "remaining_amount", "remaining_value", "requested_amount", "requested_value",
    "total_value", "fee",
)  # fmt: skip


def test_r22_a_row_has_the_documented_members_in_their_order(desk: SignedDesk) -> None:
    placed(desk, external_id="desk7-0042")
    placed(desk)
    without, row = data_of(desk.get(LIST, {"pair": PAIR}))["orders"]
    assert tuple(row) == MEMBERS
    assert [name for name in MEMBERS if name not in without] == ["external_id"]
    assert row["external_id"] == "desk7-0042"
    assert all(isinstance(row[name], int | float) for name in NUMBERS)


def test_r22_an_order_that_was_never_touched_was_changed_when_it_was_made(desk: SignedDesk) -> None:
    row = shown(desk, placed(desk))
    assert row["create_date"] == row["update_date"]


def test_r22_fill_or_kill_is_told_of_limit_and_market_orders(archive: SignedDesk) -> None:
    forces = [(force, kind, price) for force in TimeInForce for kind, price in (("LIMIT", 5), ("MARKET", None))]
    for number, (force, kind, price) in enumerate(forces):
        put_many(archive, 1, NOW_MS - 1 - number, time_in_force=force, order_type=OrderType(kind), price=price)
    told = [row["fill_or_kill"] for row in page(archive)["orders"]]
    assert told == [force is TimeInForce.FOK for force, *_ in forces]
