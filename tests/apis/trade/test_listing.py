"""GET /orders: the list of a customer's orders, member by member, filter by filter, page by page (R15 to R22)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.trade.ids import shown
from chalicelib.desks.trade import new_trade_desk
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, fault_of, open_trade_desk
from tests.apis.trade.lists import DAY_MS, INVALID, LIST, NOW_MS, OPEN_LIST, ids_of, page, put_many
from tests.apis.trade.rows import an_order, id_at, put_orders
from tests.tables.test_listing_cost import Reads
from tests.world import BOOK_ID, World

QUOTE_UNIT = 10**18


def put(desk: SignedDesk, *rows: OrderRow) -> None:
    put_orders(desk.world.database, rows)


def numbers_as_sent(body: str) -> Any:
    return json.loads(body, parse_float=str, parse_int=str)


def partly_filled() -> OrderRow:
    return an_order(
        order_id="ord_01JNG70P2AGBSYKHMNVHNRT6RH",
        price=3500005 * QUOTE_UNIT // 10,
        quantity=1500000,
        filled=500000,
        notional=1750 * QUOTE_UNIT,
        fee=750,
        status=OrderStatus.PARTIALLY_FILLED,
        external_id="desk7-0042",
        sequence=7,
        updated_at_ms=1_741_079_731_004,
    )


def sold_at_market() -> OrderRow:
    return an_order(
        order_id="ord_01JNG6PKNRVDVZT0DFJNS2394R",
        side=Side.SELL,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.FOK,
        price=None,
        quantity=2000000,
        filled=2000000,
        notional=6998 * QUOTE_UNIT,
        fee=10497 * QUOTE_UNIT // 1000,
        status=OrderStatus.FILLED,
        sequence=5,
        updated_at_ms=1_741_079_400_180,
    )


def test_a_row_has_the_documented_members_in_the_documented_order(desk: SignedDesk) -> None:
    """R22"""
    put(desk, partly_filled(), sold_at_market())
    response = desk.get(LIST, {"pair": "B_Q"})
    answer = numbers_as_sent(response.body)
    assert list(answer["data"]) == ["orders", "pagination", "nc", "pc"]
    assert [list(row.items()) for row in answer["data"]["orders"]] == [
        [
            ("create_date", "2025-03-04T09:15:30.250Z"),
            ("executed_amount", "0.005"),
            ("external_id", "desk7-0042"),
            ("id", "01956070-584A-82F3-E9C6-95DC6B8D1B11"),
            ("pair", "B_Q"),
            ("price", "350000.5"),
            ("remaining_amount", "0.01"),
            ("remaining_value", "3500.005"),
            ("requested_amount", "0.015"),
            ("requested_value", "5250.0075"),
            ("side", "buy"),
            ("status", "executed_partially"),
            ("total_value", "1750"),
            ("type", "limit"),
            ("update_date", "2025-03-04T09:15:31.004Z"),
            ("fee", "0.0000075"),
            ("fill_or_kill", False),
        ],
        [
            ("create_date", "2025-03-04T09:10:00.120Z"),
            ("executed_amount", "0.02"),
            ("id", "0195606B-4EB8-DB77-FD01-AF957221A498"),
            ("pair", "B_Q"),
            ("price", "349900"),
            ("remaining_amount", "0"),
            ("remaining_value", "0"),
            ("requested_amount", "0.02"),
            ("requested_value", "6998"),
            ("side", "sell"),
            ("status", "executed_completely"),
            ("total_value", "6998"),
            ("type", "market"),
            ("update_date", "2025-03-04T09:10:00.180Z"),
            ("fee", "10.497"),
            ("fill_or_kill", True),
        ],
    ]
    pagination = {"current_page": "1", "registers_count": "2", "total_pages": "1", "page_size": "200"}
    assert answer["data"]["pagination"] == pagination
    assert list(answer["data"]["pagination"]) == list(pagination)
    assert (answer["data"]["nc"], answer["data"]["pc"]) == (None, None)


def test_an_order_is_listed_as_soon_as_its_creation_was_answered(memory_database: Database) -> None:
    """R21: of either desk, before it was matched, and whatever another host's clock said."""
    world = World(memory_database)
    desk = open_trade_desk(world, clock=lambda: NOW_MS)
    order_id = world.placed("ann", "BUY", 10, 5)  # dated by the real clock: long after the desk's
    (row,) = page(desk)["orders"]
    assert (row["id"], row["status"], row["executed_amount"]) == (shown(order_id), "open", 0)
    assert row["create_date"] == row["update_date"]
    assert "external_id" not in row


def test_a_customer_sees_its_own_orders_only(desk: SignedDesk) -> None:
    put_orders(desk.world.database, [an_order(order_id=id_at("ord", NOW_MS - 1), customer="ben")], customer="ben")
    put_orders(desk.world.database, [an_order(order_id=id_at("ord", NOW_MS - 2))], instance="inst_other000")
    assert page(desk)["orders"] == []
    assert len(page(desk.as_customer("ben"))["orders"]) == 1


def one_of_each_status(desk: SignedDesk) -> dict[str, str]:
    """Store an order in each status; return their ids as shown, by the status's name inside."""
    found = {}
    for number, status in enumerate(OrderStatus, 1):
        row = an_order(order_id=id_at("ord", NOW_MS - number), status=status)
        put(desk, row)
        found[status.value] = shown(row.order_id)
    return found


@pytest.mark.parametrize(
    ("words", "statuses"),
    [
        ("open", ["OPEN"]),
        ("executed_partially", ["PARTIALLY_FILLED"]),
        ("executed_completely", ["FILLED"]),
        ("canceled", ["CANCELLED", "EXPIRED", "REJECTED"]),
        ("open,executed_partially", ["OPEN", "PARTIALLY_FILLED"]),
        ("open,executed_completely", ["OPEN", "FILLED"]),
        ("", list(OrderStatus)),
        (" , ,", list(OrderStatus)),
    ],
)
def test_orders_are_found_by_status(desk: SignedDesk, words: str, statuses: list[str]) -> None:
    by_status = one_of_each_status(desk)
    found = page(desk, status=words)
    assert ids_of(found) == [by_status[status] for status in statuses]
    assert found["pagination"]["registers_count"] == len(statuses)


@pytest.mark.parametrize(
    "query",
    [
        "status=open,canceled",
        "status=open&status=canceled",
        "status[]=open&status[]=canceled",
        "status%5B0%5D=open&status%5B1%5D=canceled",
        "status=open%2C%20canceled",
        "status[]=open,open&status=canceled&status[7]=",
    ],
)
def test_a_list_of_words_may_be_written_in_each_of_the_usual_ways(desk: SignedDesk, query: str) -> None:
    """R19"""
    by_status = one_of_each_status(desk)
    found = data_of(desk.get(LIST, f"pair=B_Q&{query}"))
    assert ids_of(found) == [by_status[status] for status in ("OPEN", "CANCELLED", "EXPIRED", "REJECTED")]


def test_filters_combine_with_and(desk: SignedDesk) -> None:
    """R20"""
    sides, types = [Side.BUY, Side.SELL], [(OrderType.LIMIT, 5), (OrderType.MARKET, None)]
    rows = [
        an_order(order_id=id_at("ord", NOW_MS - DAY_MS, number), side=side, order_type=kind, price=price)
        for number, (side, (kind, price)) in enumerate((side, kind) for side in sides for kind in types)
    ]
    put(desk, *rows)
    assert len(page(desk)["orders"]) == 4
    assert len(page(desk, side="sell")["orders"]) == 2
    assert ids_of(page(desk, side="sell", type="market")) == [shown(rows[3].order_id)]
    assert page(desk, side="sell", type="market", status="canceled")["orders"] == []


@pytest.mark.parametrize("kind", ["stop_limit", "trailing", "ceiling", "iceberg"])
@pytest.mark.parametrize("status", ["", "open"])
def test_a_type_to_come_is_valid_and_matches_nothing(desk: SignedDesk, kind: str, status: str) -> None:
    put_many(desk, 1)
    found = page(desk, type=kind, status=status)
    assert found["orders"] == []
    assert found["pagination"]["registers_count"] == 0


def test_orders_are_found_by_ids_however_old_they_are(desk: SignedDesk) -> None:
    """In either case; the window is not looked at, its form neither; an unknown id, or another's, is absent (R16)."""
    old = an_order(order_id=id_at("ord", NOW_MS - 3 * 365 * DAY_MS))
    new = an_order(order_id=id_at("ord", NOW_MS - DAY_MS))
    put(desk, old, new, an_order(order_id=id_at("ord", NOW_MS - 2 * DAY_MS)))
    bens = an_order(order_id=id_at("ord", NOW_MS - 5), customer="ben")
    put_orders(desk.world.database, [bens], customer="ben")
    named = [shown(old.order_id).lower(), shown(new.order_id), shown(bens.order_id), shown(id_at("ord", 5))]
    found = page(desk, ids=",".join(named), start_date="today")
    assert ids_of(found) == [shown(new.order_id), shown(old.order_id)]
    assert found["pagination"]["registers_count"] == 2
    assert ids_of(page(desk, ids=",".join(named), side="sell")) == []


def test_an_id_in_two_cases_is_one_of_the_ten(desk: SignedDesk) -> None:
    ids = [shown(id_at("ord", number)) for number in range(0xABCDE, 0xABCDE + 10)]
    assert page(desk, ids=",".join([*ids, ids[0].lower()]))["orders"] == []


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ({}, [0, 1, 2]),
        ({"start_date": "2025-03-02"}, [0, 1]),
        ({"end_date": "2025-03-02"}, [1, 2, 3]),
        ({"start_date": "2025-03-02", "end_date": "2025-03-02T23:59:59.999Z"}, [1]),
        ({"start_date": "2025-03-03T02:59:59.999+03:00", "end_date": "2025-03-03T03:00+03:00"}, [0, 1]),
        ({"start_date": "2024-08-20", "end_date": "2024-09-05"}, [3]),
    ],
)
def test_orders_are_found_by_the_time_of_their_creation(
    desk: SignedDesk, window: dict[str, str], found: list[int]
) -> None:
    """R17: both ends inside. By default the last six months: the fourth order is a ms older than that."""
    march_third = NOW_MS - 36 * 3_600_000
    six_months_ago = 1_725_451_200_000
    times = [march_third, march_third - 1, march_third - 2 * DAY_MS, six_months_ago - 1]
    rows = [an_order(order_id=id_at("ord", at_ms)) for at_ms in times]
    put(desk, *rows)
    assert ids_of(page(desk, **window)) == [shown(rows[number].order_id) for number in found]
    assert ids_of(page(desk, status="open", **window)) == [shown(rows[number].order_id) for number in found]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"pair": None}, "pair"),
        ({"pair": ""}, "pair"),
        ({"pair": ["B_Q", "B_Q"]}, "pair"),
        ({"status": "open,waiting"}, "status"),
        ({"status": "OPEN"}, "status"),
        ({"status[1]": "closed"}, "status"),
        ({"side": "BUY"}, "side"),
        ({"side": ["buy", "buy"]}, "side"),
        ({"type": "stop"}, "type"),
        ({"ids": "123"}, "ids"),
        ({"ids": ",".join(shown(id_at("ord", number)) for number in range(11))}, "ids"),
        ({"start_date": "2024-08-01", "end_date": "2025-03-01"}, "end_date"),
        ({"start_date": "2024-01-01"}, "start_date"),
        ({"start_date": "today"}, "start_date"),
        ({"end_date": "2025-02-30"}, "end_date"),
        ({"start_date": "2025-02-02", "end_date": "2025-02-01"}, "end_date"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "1001"}, "page_size"),
        ({"page_size": "x"}, "page_size"),
        ({"page_size": "1.0"}, "page_size"),
        ({"page_size": "-1"}, "page_size"),
        ({"page_size": "9" * 5000}, "page_size"),
        ({"current_page": "0"}, "current_page"),
        ({"current_page": "1000001"}, "current_page"),
        ({"current_page": "0", "c": "zzz"}, "current_page"),
        ({"c": "zzz"}, "c"),
    ],
)
def test_a_faulty_parameter_is_named(desk: SignedDesk, query: dict[str, Any], field: str) -> None:
    sent = {name: value for name, value in ({"pair": "B_Q"} | query).items() if value is not None}
    assert fault_of(desk.get(LIST, sent)) == (400, 40000, INVALID.format(field))


def test_the_first_faulty_parameter_of_the_table_is_named_and_before_an_unknown_pair(desk: SignedDesk) -> None:
    """R10: form before existence."""
    faults = ["status", "side", "type", "ids", "start_date", "end_date", "page_size", "current_page", "c"]
    query = dict.fromkeys(reversed(faults), "?")
    for field in faults:
        assert fault_of(desk.get(LIST, query | {"pair": "NOPE_Q"})) == (400, 40000, INVALID.format(field))
        del query[field]
    assert fault_of(desk.get(LIST, {"pair": "NOPE_Q"})) == (404, 40400, "Pair not found.")


def test_parameters_that_are_unknown_or_empty_count_for_nothing(desk: SignedDesk) -> None:
    ids = put_many(desk, 2)
    query = dict.fromkeys(["side", "type", "ids", "start_date", "end_date", "page_size", "current_page", "c"], "")
    assert ids_of(page(desk, **query, side_dish="fries")) == ids


def test_a_list_covers_every_book_that_has_or_had_the_pair_and_no_other(desk: SignedDesk) -> None:
    """R15: closed books too."""
    other = replace(desk.world.config, book_id="ob_closed", status=BookStatus.CLOSED)
    hidden = replace(desk.world.config, book_id="ob_hidden", symbol="B-Q", quote_asset="0x" + "d" * 40)
    for book in (other, hidden):
        desk.world.books.create(book)
    times = {BOOK_ID: NOW_MS - 1, "ob_closed": NOW_MS - 2, "ob_hidden": NOW_MS - 3}
    put(desk, *(an_order(order_id=id_at("ord", at_ms), book_id=book) for book, at_ms in times.items()))
    ids = [shown(id_at("ord", NOW_MS - 1)), shown(id_at("ord", NOW_MS - 2))]
    assert ids_of(page(desk)) == ids_of(page(desk, OPEN_LIST)) == ids_of(page(desk, OPEN_LIST, pair="b_q")) == ids


def test_both_mounts_show_the_same(desk: SignedDesk) -> None:
    """R1"""
    put_many(desk, 3)
    assert data_of(desk.get("/v4/orders", {"pair": "b_q"})) == page(desk)


def test_the_list_of_open_orders_holds_what_can_still_trade(desk: SignedDesk) -> None:
    """Without a window."""
    by_status = one_of_each_status(desk)
    (old,) = put_many(desk, 1, NOW_MS - 900 * DAY_MS, side=Side.SELL)
    assert ids_of(page(desk, OPEN_LIST)) == [by_status["OPEN"], by_status["PARTIALLY_FILLED"], old]
    assert ids_of(page(desk, OPEN_LIST, side="sell", pair="B_Q")) == [old]
    assert page(desk, OPEN_LIST, page_size=2)["pagination"]["registers_count"] == 3
    second = page(desk, OPEN_LIST, page_size=2, c=page(desk, OPEN_LIST, page_size=2)["nc"])
    assert (ids_of(second), second["nc"], second["pc"] is None) == ([old], None, False)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"pair": "NOPE_Q"}, (404, 40400, "Pair not found.")),
        ({"pair": "NOPE_Q", "side": "up"}, (400, 40000, INVALID.format("side"))),
        ({"page_size": "0"}, (400, 40000, INVALID.format("page_size"))),
        ({"c": "x"}, (400, 40000, INVALID.format("c"))),
    ],
)
def test_faults_of_the_list_of_open_orders(
    desk: SignedDesk, query: dict[str, str], fault: tuple[int, int, str]
) -> None:
    assert fault_of(desk.get(OPEN_LIST, query)) == fault


@pytest.mark.parametrize("query", [{"status": "open"}, {"status": "open,executed_partially", "type": "limit"}])
def test_live_orders_are_counted_without_reading_the_history(desk: SignedDesk, query: dict[str, str]) -> None:
    put_many(desk, 500, status=OrderStatus.FILLED)
    put_many(desk, 5, NOW_MS - 2 * DAY_MS)
    reads = Reads(desk.world.database)
    counted = replace(desk, desk=new_trade_desk(reads.database, master_key=lambda: MASTER_KEY, clock=lambda: NOW_MS))
    assert page(counted, **query)["pagination"]["registers_count"] == 5
    assert reads.rows < 20
