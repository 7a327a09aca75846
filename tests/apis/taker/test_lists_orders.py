"""GET takers/orders: the contract's list and table of queries, literally; every parameter; what is in a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.signed.order import SignedOrder
from chalicelib.services.signed.desk import FillRequest, Signed
from tests.apis.taker.desk import (
    ASSET,
    INSTANCE,
    MAKER,
    OTHER_INSTANCE,
    OTHER_TAKER,
    TAKER,
    UNIT,
    Clock,
    Desk,
    data_of,
    details_of,
    fault_of,
    faulty_fields,
    make_key,
    open_instance,
)
from tests.apis.taker.lists import own_desk
from tests.case_tables import cases

PATH = "/takers/orders"
DAY_S = 1_737_072_000
"""2025-01-17T00:00:00Z."""
FACTS = SignedOrder(MAKER, MAKER, True, "AAPL", 0, ASSET, 0, UNIT, 0, 4_102_444_800, 0)
MEMBERS = [
    "order_hash", "maker", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive",
    "deadline", "nonce", "signature", "status", "created_at",
]  # fmt: skip
OPTIONAL_MEMBERS = ["locked_by", "locked_at", "reference_id", "tx_hash"]


def at(hours: int, minutes: int, seconds: int = 0) -> int:
    return (DAY_S + hours * 3600 + minutes * 60 + seconds) * 1000


def hash_of(number: int) -> str:
    return f"0x{number:02x}" + "00" * 31


def names(answer: dict[str, Any]) -> str:
    """Return the orders of a list by their names, O1 to O5."""
    return " ".join(f"O{int(order['order_hash'][2:4], 16)}" for order in answer["orders"])


@pytest.fixture(scope="module")
def five() -> Desk:
    """The desk at 04:05:00: the taker has a fill of O3, O4, O5, the live locks of O1, O2. Nothing here changes it."""
    desk = own_desk(Clock(at(3, 0)))
    commands, settings, clock = desk.commands(), desk.settings, desk.clock

    def lock(number: int, *when: int) -> None:
        clock.now_ms = at(*when)
        commands.lock(INSTANCE, settings, hash_of(number), TAKER, None, None)

    def fill(number: int, quantity: int) -> None:
        commands.fill(INSTANCE, settings, TAKER, FillRequest(hash_of(number), quantity, None, f"ref-{number}"))

    for number, second, price in ((1, 0, 9), (2, 1, 100), (3, 1, 20), (4, 2, 20), (5, 3, 3)):
        clock.now_ms = at(3, 0, second)
        order = replace(FACTS, price=price, nonce=number)
        commands.create(INSTANCE, settings, Signed(order, hash_of(number), "0x" + "ab" * 65))
    lock(5, 3, 5)
    fill(5, UNIT // 2)
    commands.unlock(INSTANCE, hash_of(5), TAKER)
    desk.cancel(hash_of(5))
    lock(3, 3, 6)
    fill(3, UNIT // 2)
    commands.unlock(INSTANCE, hash_of(3), TAKER)
    lock(4, 3, 10)
    fill(4, UNIT)
    lock(2, 3, 30)
    lock(1, 4, 0)
    clock.now_ms = at(4, 5)
    return desk


@pytest.mark.parametrize(
    ("number", "created_at", "locked_at", "price", "status"),
    [
        (1, "2025-01-17T03:00:00Z", "2025-01-17T04:00:00Z", "9", "locked"),
        (2, "2025-01-17T03:00:01Z", "2025-01-17T03:30:00Z", "100", "locked"),
        (3, "2025-01-17T03:00:01Z", None, "20", "partially_filled"),
        (4, "2025-01-17T03:00:02Z", "2025-01-17T03:10:00Z", "20", "filled"),
        (5, "2025-01-17T03:00:03Z", None, "3", "cancelled"),
    ],
)
def test_the_five_orders_are_as_the_table_has_them(
    five: Desk, number: int, created_at: str, locked_at: str | None, price: str, status: str
) -> None:
    rows = {order["order_hash"]: order for order in data_of(five.get(PATH))["orders"]}
    row = rows[hash_of(number)]
    found = (row["created_at"], row.get("locked_at"), row["price"], row["status"])
    assert found == (created_at, locked_at, price, status)
    assert ("locked_at" in row) == ("locked_by" in row) == (locked_at is not None)


@pytest.mark.parametrize(
    ("query", "expected", "paging"),
    cases(
        ("none", "", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("ascending", "sort_order=asc", "O1 O2 O3 O4 O5", (5, 1, 20, 1)),
        ("by price", "sort_by=price", "O2 O4 O3 O1 O5", (5, 1, 20, 1)),
        ("by lock", "sort_by=locked_at", "O1 O2 O4 O5 O3", (5, 1, 20, 1)),
        ("by lock, ascending", "sort_by=locked_at&sort_order=asc", "O4 O2 O1 O3 O5", (5, 1, 20, 1)),
        ("two statuses", "status=locked, partially_filled", "O3 O2 O1", (3, 1, 20, 1)),
        ("a span", "created_after=1737082801&created_before=1737082802", "O4 O3 O2", (3, 1, 20, 1)),
        ("second page", "page=2&page_size=2", "O3 O2", (5, 2, 2, 3)),
        ("past the end", "page=9&page_size=2", "", (5, 9, 2, 3)),
        ("too large a page", "page_size=500", "O5 O4 O3 O2 O1", (5, 1, 100, 1)),
        # beyond the contract's table
        ("third page", "page=3&page_size=2", "O1", (5, 3, 2, 3)),
        ("a page of a status", "status=locked&page=2&page_size=1", "O1", (2, 2, 1, 2)),
        ("by price, ascending", "sort_by=price&sort_order=asc", "O5 O1 O3 O4 O2", (5, 1, 20, 1)),
        ("a final status", "status=cancelled", "O5", (1, 1, 20, 1)),
        ("a status that none has", "status=pending,rejected,suspended,expired", "", (0, 1, 20, 0)),
        ("empty items and repeats", "status=,filled,,filled, ", "O4", (1, 1, 20, 1)),
        ("only empty items", "status=, ,", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("empty parameters", "status=&ticker=&exchange=&is_buy=&page=&sort_by=", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("unknown parameters", "foo=1&pageSize=1&sortBy=price", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("the last one counts", "page_size=1&page_size=2&page=x&page=1", "O5 O4", (5, 1, 2, 3)),
        ("the last one is empty", "page_size=x&page_size=", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("since", "created_after=1737082802", "O5 O4", (2, 1, 20, 1)),
        ("until", "created_before=1737082800", "O1", (1, 1, 20, 1)),
        ("the wrong way round", "created_after=1737082802&created_before=1737082801", "", (0, 1, 20, 0)),
        ("all time", "created_after=0&created_before=253402300799", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("a ticker in small letters", "ticker=aapl", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("a part of a ticker", "ticker=AAP", "", (0, 1, 20, 0)),
        ("an exchange", "exchange=0", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("another exchange", "exchange=65535", "", (0, 1, 20, 0)),
        ("buys", "is_buy=TRUE", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("buys by number", "is_buy=1", "O5 O4 O3 O2 O1", (5, 1, 20, 1)),
        ("sells", "is_buy=False", "", (0, 1, 20, 0)),
        ("sells by number", "is_buy=0", "", (0, 1, 20, 0)),
        ("all filters", "status=locked&ticker=AAPL&is_buy=true&created_after=1737082801", "O2", (1, 1, 20, 1)),
        ("far past the end", "page=999999999999", "", (5, 999999999999, 20, 1)),
        ("further than any order", f"page={10**40}&page_size={10**1000}", "", (5, 10**40, 100, 1)),
        ("far past the end of some", "page=999999999999&sort_by=price", "", (5, 999999999999, 20, 1)),
    ),
)
def test_a_query_gets_its_page(five: Desk, query: str, expected: str, paging: tuple[int, int, int, int]) -> None:
    answer = data_of(five.get(PATH, query.replace(" ", "%20")))
    assert names(answer) == expected
    assert list(answer) == ["total", "page", "page_size", "total_pages", "orders"]
    assert (answer["total"], answer["page"], answer["page_size"], answer["total_pages"]) == paging


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0", "page=0", "page=x", "status=Locked", "status=open", "sort_by=id", "sort_order=up", "is_buy=yes",
        "exchange=-1", "created_after=1737082801000",
        # beyond the contract's table
        "page_size=-1", "page_size=1.5", "page=1e3", "page=%2B1", "page=%D9%A1", "exchange=65536", "exchange=0x0",
        "created_before=253402300800", "created_after=-1", "created_before=2025-01-17T03:00:24Z", "sort_order=DESC",
        "sort_by=Price", "status=locked;filled", "page_size=" + "9" * 5000,
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(five: Desk, query: str) -> None:
    answer = five.get(PATH, query)
    assert faulty_fields(answer) == [query.partition("=")[0]]


def test_all_bad_parameters_are_named_at_once_each_with_a_reason(five: Desk) -> None:
    bad = {
        "status": "open", "exchange": "-1", "is_buy": "yes", "created_after": "x", "created_before": "y",
        "sort_by": "id", "sort_order": "up", "page": "0", "page_size": "0",
    }  # fmt: skip
    details = details_of(five.get(PATH, bad))
    assert set(details) == set(bad)
    assert details["page_size"] == "must be at least 1"
    assert details["sort_order"] == "must be one of asc, desc"


def test_a_list_needs_a_takers_key(five: Desk) -> None:
    assert fault_of(five.send("GET", PATH)) == (401, 10010012)
    assert fault_of(five.maker_get(PATH)) == (401, 10010012)


def test_the_key_is_looked_at_before_the_parameters(five: Desk) -> None:
    assert fault_of(replace(five, api_key="unknown").get(PATH, "page=0")) == (401, 10010009)


def test_a_list_changes_nothing(five: Desk) -> None:
    before = five.tables()
    five.get(PATH, "status=locked")
    five.get(PATH, "page=0")
    assert five.tables() == before


# --- what is in a row


def rows_of(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(desk.get(PATH))["orders"]
    return found


def test_the_example_of_the_contract_comes_out_member_by_member(desk: Desk) -> None:
    body = desk.order_body()
    order_hash = desk.created()
    desk.clock.advance(276)
    desk.lock(order_hash, reference_id="REF123456")
    answer = data_of(desk.get(PATH))
    expected = {
        "order_hash": "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11",
        "maker": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        "principal": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        "is_buy": True,
        "ticker": "AAPL",
        "exchange": 0,
        "asset": "0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91",
        "price": "150250000000000000000",
        "quantity": "10000000000000000000",
        "incentive": "1000000000000000000",
        "deadline": 4102444800,
        "nonce": 1,
        "signature": body["signature"],
        "status": "locked",
        "created_at": "2025-01-17T03:00:24Z",
        "locked_by": "0xabcdefabcdefabcdefabcdefabcdefabcdefabcd",
        "locked_at": "2025-01-17T03:05:00Z",
        "reference_id": "REF123456",
    }
    assert answer == {"total": 1, "page": 1, "page_size": 20, "total_pages": 1, "orders": [expected]}
    assert list(answer["orders"][0]) == list(expected)


def test_what_has_no_value_is_absent_and_never_null(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    (row,) = rows_of(desk)
    assert list(row) == [*MEMBERS, "locked_by", "locked_at"]
    desk.fill(order_hash, UNIT, reference_id="r1")
    desk.unlock(order_hash)
    (row,) = rows_of(desk)
    assert list(row) == [*MEMBERS, "reference_id"]
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT, reference_id="r2", tx_hash="0x" + "ab" * 32)
    (row,) = rows_of(desk)
    assert list(row) == MEMBERS + OPTIONAL_MEMBERS
    assert None not in row.values()


def test_a_row_has_the_latest_reference_and_tx_hash_of_the_calling_taker_alone(desk: Desk) -> None:
    order_hash, tx_hash = desk.created(), "0x" + "ab" * 32
    desk.lock(order_hash, reference_id="lock-1")
    assert rows_of(desk)[0]["reference_id"] == "lock-1"
    desk.fill(order_hash, UNIT, reference_id="fill-1", tx_hash=tx_hash.upper().replace("X", "x"))
    desk.fill(order_hash, UNIT, reference_id="fill-2")
    desk.unlock(order_hash)
    other = desk.as_other
    other.lock(order_hash, reference_id="theirs")
    other.fill(order_hash, UNIT, reference_id="theirs-2", tx_hash="0x" + "cd" * 32)
    assert (rows_of(desk)[0]["reference_id"], rows_of(desk)[0]["tx_hash"]) == ("fill-2", tx_hash)
    assert rows_of(other)[0]["reference_id"] == "theirs-2"
    other.unlock(order_hash)
    desk.lock(order_hash, reference_id="lock-2")
    assert (rows_of(desk)[0]["reference_id"], rows_of(desk)[0]["tx_hash"]) == ("lock-2", tx_hash)


def test_the_lock_is_shown_whoever_holds_it_to_a_taker_with_a_fill(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    desk.unlock(order_hash)
    desk.as_other.lock(order_hash)
    (row,) = rows_of(desk)
    assert (row["locked_by"], row["status"]) == (OTHER_TAKER, "partially_filled")


def test_a_filled_order_shows_the_lock_under_which_the_last_fill_was_made(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    desk.unlock(order_hash)
    desk.clock.advance(10)
    desk.as_other.lock(order_hash)
    desk.as_other.fill(order_hash, 9 * UNIT)
    desk.clock.advance(10**6)
    (row,) = rows_of(desk)
    assert (row["status"], row["locked_by"], row["locked_at"]) == ("filled", OTHER_TAKER, "2025-01-17T03:00:34Z")


def test_an_ended_lock_is_not_shown(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash, lock_duration=60)
    desk.fill(order_hash, UNIT)
    desk.clock.advance(59)
    assert "locked_by" in rows_of(desk)[0]
    desk.clock.advance(1)
    assert "locked_by" not in rows_of(desk)[0]


def test_status_filters_go_by_the_clock(desk: Desk) -> None:
    order_hash = desk.created(deadline=desk.clock.now_s + 100)
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    desk.clock.advance(99)
    assert data_of(desk.get(PATH, "status=partially_filled"))["total"] == 1
    desk.clock.advance(1)
    assert data_of(desk.get(PATH, "status=partially_filled"))["total"] == 0
    assert data_of(desk.get(PATH, "status=expired"))["total"] == 1


def test_price_sorts_as_a_number(desk: Desk) -> None:
    """As text 9 would be above 10."""
    for nonce, price in ((1, 9 * UNIT), (2, 10 * UNIT)):
        desk.lock(desk.created(nonce=nonce, price=str(price)))
    assert [row["price"] for row in data_of(desk.get(PATH, "sort_by=price"))["orders"]] == [
        str(10 * UNIT),
        str(9 * UNIT),
    ]


def test_traits_filter_what_is_mixed(desk: Desk) -> None:
    desk.lock(desk.created(nonce=1))
    desk.lock(desk.created(nonce=2, ticker="TSLA", is_buy=False))
    for query, nonces in (("ticker=tsla", [2]), ("is_buy=true", [1]), ("is_buy=0&ticker=AAPL", []), ("", [2, 1])):
        assert sorted(row["nonce"] for row in data_of(desk.get(PATH, query))["orders"]) == sorted(nonces)


def test_a_takers_own_doings_show_at_once(desk: Desk) -> None:
    def totals() -> tuple[int, int]:
        return data_of(desk.get(PATH))["total"], data_of(desk.get(PATH, "status=locked"))["total"]

    order_hash = desk.created()
    assert totals() == (0, 0)
    desk.lock(order_hash)
    assert totals() == (1, 1)
    desk.unlock(order_hash)
    assert totals() == (0, 0)
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    assert totals() == (1, 0)
    desk.fill(order_hash, UNIT)
    assert totals() == (1, 0)
    desk.unlock(order_hash)
    assert totals() == (1, 0)


def test_another_instances_orders_are_not_listed(desk: Desk) -> None:
    desk.lock(desk.created())
    open_instance(desk.database, OTHER_INSTANCE)
    make_key(desk.database, "key-elsewhere", TAKER, instance=OTHER_INSTANCE)
    elsewhere = replace(desk, api_key="key-elsewhere")
    assert data_of(elsewhere.get(PATH))["total"] == 0
