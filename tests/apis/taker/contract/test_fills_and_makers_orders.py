"""GET /orders/filled (K27) and GET /orders (K28)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.kit.page_bytes import answer_bytes
from chalicelib.apis.taker.lists import FILL_BYTES_MAX, ORDER_BYTES_MAX
from chalicelib.apis.taker.objects import makers_fill_object, single_order
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import fill_id_of, order_id_of
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.support.canonical import compact
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.signed_rows import fill_rows, row_of
from tests.apis.taker.cases import (
    FILLS,
    SINGLE,
    UNKNOWN_HASH,
    id_of,
    locked,
    moment,
    new_order,
    nothing_changes,
    of_maker,
    partly_filled,
)
from tests.apis.taker.desk import (
    ASSET,
    MAKER,
    NOW_S,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    TAKER,
    Desk,
    data_of,
    faulty_fields,
    new_desk,
)
from tests.case_tables import cases

PAGE = ["total", "page", "page_size", "total_pages"]
FILL = [
    "id", "order_id", "order_hash", "taker", "fill_quantity", "fill_amount", "fee_amount", "incentive_amount", "status",
    "reference_id", "created_at",
]  # fmt: skip
TX_HASH = "0x" + "ab" * 32


def _fills(desk: Desk, query: str | dict[str, Any] = "") -> str:
    """Return the references of the fills that are listed."""
    return " ".join(fill["reference_id"] for fill in data_of(desk.get(FILLS, query))["fills"])


# --- fills -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four() -> dict[str, Any]:
    """Four fills ten seconds apart, two of each of two orders, at a fee of 1 %; F2 with tx_hash and block.

    F1: 100 of the first order, at 2. F2: 900 of it, its last. F3, F4: 500 and 300 of the second, at 1.
    """
    desk = new_desk()
    desk.change_settings(fee_bps=100)
    first, second = new_order(desk, price=str(2 * 10**18)), new_order(desk)
    for order_hash in (first, second):
        data_of(desk.lock(order_hash))
    data_of(desk.fill(first, 100, reference_id="F1"))
    desk.clock.advance(10)
    data_of(desk.fill(first, 900, reference_id="F2", tx_hash=TX_HASH, block_number=7))
    desk.clock.advance(10)
    data_of(desk.fill(second, 500, reference_id="F3", taker_incentive="1"))
    desk.clock.advance(10)
    data_of(desk.fill(second, 300, reference_id="F4", block_number=9))
    data_of(desk.unlock(second))
    data_of(desk.as_other.lock(second))
    data_of(desk.as_other.fill(second, 200, reference_id="theirs"))
    return {"desk": desk, "first": first, "second": second}


def test_the_members_of_a_fill(four: dict[str, Any]) -> None:
    desk, first = four["desk"], four["first"]
    answer = data_of(desk.get(FILLS))
    assert list(answer) == [*PAGE, "fills"]
    f4, f3, f2, f1 = answer["fills"]
    assert list(f1) == list(f2) == list(f3) == list(f4) == [*FILL, "tx_hash", "block_number"]
    assert [(fill["tx_hash"], fill["block_number"]) for fill in (f1, f2, f3, f4)] == [
        (None, None), (TX_HASH, 7), (None, None), (None, 9),
    ]  # fmt: skip
    assert len({fill["id"] for fill in answer["fills"]}) == 4
    assert f2 | {"id": ""} == {
        "id": "", "order_id": id_of(desk, first), "order_hash": first, "taker": TAKER, "fill_quantity": "900",
        "fill_amount": "1800", "fee_amount": "18", "incentive_amount": "90", "status": "filled", "reference_id": "F2",
        "created_at": moment(NOW_S + 10), "tx_hash": TX_HASH, "block_number": 7,
    }  # fmt: skip


def test_k27_a_fills_status_is_the_orders_right_after_it(four: dict[str, Any]) -> None:
    fills = {fill["reference_id"]: fill["status"] for fill in data_of(four["desk"].get(FILLS))["fills"]}
    assert fills == {"F1": "partially_filled", "F2": "filled", "F3": "partially_filled", "F4": "partially_filled"}
    assert of_maker(four["desk"], four["second"])["status"] == "filled"


# fill: quantity, amount, fee, incentive, seconds
# F1: 100 200 2 10 0; F2: 900 1800 18 90 10; F3: 500 500 5 1 20; F4: 300 300 3 30 30
LISTED: Any = cases(
    ("nothing",                  "",                                                                "F4 F3 F2 F1"),
    ("upwards",                  "sort_order=asc",                                                  "F1 F2 F3 F4"),
    ("by quantity",              "sort_by=fill_quantity",                                           "F2 F3 F4 F1"),
    ("by quantity, upwards",     "sort_by=fill_quantity&sort_order=asc",                            "F1 F4 F3 F2"),
    ("by amount",                "sort_by=fill_amount",                                             "F2 F3 F4 F1"),
    ("by time",                  "sort_by=created_at",                                              "F4 F3 F2 F1"),
    ("a page",                   "page=2&page_size=3",                                              "F1"),
    ("past the end",             "page=3&page_size=3",                                              ""),
    ("the caller",               f"taker={TAKER}",                                                  "F4 F3 F2 F1"),
    ("the caller in upper case", f"taker=0x{TAKER[2:].upper()}",                                    "F4 F3 F2 F1"),
    ("another taker",            f"taker={MAKER}",                                                  ""),
    ("a tx_hash",                f"tx_hash={TX_HASH}",                                              "F2"),
    ("another tx_hash",          f"tx_hash={UNKNOWN_HASH}",                                         ""),
    ("an order not there",       f"order_hash={UNKNOWN_HASH}",                                      ""),
    ("an id not there",          "order_id=00000000-0000-8000-8000-000000000000",                   ""),
    ("quantity from",            "fill_quantity_min=300",                                           "F4 F3 F2"),
    ("quantity to",              "fill_quantity_max=300",                                           "F4 F1"),
    ("quantity between",         "fill_quantity_min=300&fill_quantity_max=500",                     "F4 F3"),
    ("amount from",              "fill_amount_min=500",                                             "F3 F2"),
    ("amount to",                "fill_amount_max=200",                                             "F1"),
    ("fee from",                 "fee_amount_min=5",                                                "F3 F2"),
    ("fee to",                   "fee_amount_max=3",                                                "F4 F1"),
    ("incentive from",           "incentive_amount_min=30",                                         "F4 F2"),
    ("incentive to",             "incentive_amount_max=1",                                          "F3"),
    ("block from 0",             "block_number_min=0",                                              "F4 F2"),
    ("block from",               "block_number_min=8",                                              "F4"),
    ("block to",                 "block_number_max=7",                                              "F2"),
    ("bounds that exclude all",  "fill_quantity_min=6&fill_quantity_max=5",                         ""),
    ("filled",                   "status=filled",                                                   "F2"),
    ("partially filled",         "status=partially_filled",                                         "F4 F3 F1"),
    ("both",                     "status=filled, partially_filled",                                 "F4 F3 F2 F1"),
    ("after",                    f"created_after={NOW_S + 20}",                                     "F4 F3"),
    ("before",                   f"created_before={NOW_S + 10}",                                    "F2 F1"),
    ("after, ISO 8601",          "created_after=2025-01-17T03:00:44Z",                              "F4 F3"),
    ("before, ISO 8601",         "created_before=2025-01-17T03:00:34Z",                             "F2 F1"),
    ("after a part of a second", "created_after=2025-01-17T03:00:34.001Z",                          "F4 F3"),
    ("before a part of one",     "created_before=2025-01-17T03:00:34.999Z",                         "F2 F1"),
    ("before, in another zone",  "created_before=2025-01-17T04:00:34%2B01:00",                      "F2 F1"),
    ("before, its plus a blank", "created_before=2025-01-17T04:00:34+01:00",                        "F2 F1"),
    ("before, west of it",       "created_before=2025-01-16T22:00:34-05:00",                        "F2 F1"),
    ("before, without a zone",   "created_before=2025-01-17T03:00:34",                              "F2 F1"),
    ("of a day",                 "created_after=2025-01-17&created_before=2025-01-17",              "F4 F3 F2 F1"),
    ("of the day before",        "created_before=2025-01-16",                                       ""),
    ("between, each its way",    f"created_after={NOW_S + 10}&created_before=2025-01-17T03:00:44Z", "F3 F2"),
    ("two filters",              "status=partially_filled&fill_quantity_min=300",                   "F4 F3"),
    ("empty ones",               "order_id=&fill_quantity_min=&created_after=",                     "F4 F3 F2 F1"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "references"), LISTED)
def test_filters_sorts_and_pages_of_fills(four: dict[str, Any], query: str, references: str) -> None:
    assert _fills(four["desk"], query) == references


def test_totals_of_fills_are_exact(four: dict[str, Any]) -> None:
    desk = four["desk"]
    for query, total, pages in (("page_size=3", 4, 2), ("page=9&page_size=3", 4, 2), ("status=filled", 1, 1)):
        answer = data_of(desk.get(FILLS, query))
        assert (answer["total"], answer["total_pages"]) == (total, pages)
    assert data_of(desk.get(FILLS, "page_size=500"))["page_size"] == 100


def test_fills_of_one_order_by_hash_or_id(four: dict[str, Any]) -> None:
    desk, second = four["desk"], four["second"]
    order_id = id_of(desk, second)
    for query in ({"order_hash": second}, {"order_id": order_id}, {"order_id": order_id.upper()},
                  {"order_hash": second, "order_id": order_id}):  # fmt: skip
        assert _fills(desk, query) == "F4 F3"
    assert _fills(desk, {"order_hash": four["first"], "order_id": order_id}) == ""


def test_k45_fills_are_filtered_by_what_they_are_of(four: dict[str, Any]) -> None:
    """A third order, of another stock, is filled beside the two."""
    desk = new_desk()
    apple, tesla, sold = new_order(desk), new_order(desk, ticker="TSLA"), new_order(desk, ticker="TSLA", is_buy=False)
    for order_hash, reference in ((apple, "A"), (tesla, "T"), (sold, "S")):
        data_of(desk.lock(order_hash))
        data_of(desk.fill(order_hash, 100, reference_id=reference))
        desk.clock.advance(1)

    def shown(query: str) -> str:
        answer = data_of(desk.get(FILLS, query))
        names = [fill["reference_id"] for fill in answer["fills"]]
        assert answer["total"] == len(names)
        return "".join(names)

    assert shown("ticker=AAPL") == shown("ticker=aapl&exchange=0") == "A"
    assert shown("ticker=TSLA") == "ST"
    assert shown("ticker=TSLA&is_buy=true") == "T"
    assert shown("exchange=0") == "STA"
    assert shown("exchange=1") == shown("ticker=NONE") == ""
    assert shown(f"ticker=TSLA&order_hash={apple}") == ""
    assert shown(f"ticker=AAPL&order_hash={apple}") == "A"
    assert shown("ticker=TSLA&sort_order=asc&sort_by=fill_quantity")
    assert _fills(four["desk"], "ticker=AAPL") == _fills(four["desk"])
    for query, field in (("exchange=-1", "exchange"), ("exchange=x", "exchange"), ("is_buy=yes", "is_buy")):
        assert faulty_fields(desk.get(FILLS, query)) == [field]


def test_anothers_fills_are_never_shown(four: dict[str, Any]) -> None:
    desk, other = four["desk"], four["desk"].as_other
    assert _fills(other) == "theirs"
    assert "theirs" not in _fills(desk, {"order_hash": four["second"]})
    assert _fills(desk, {"taker": other.taker}) == ""


FAULTS = cases(
    ("page size 0",              "page_size=0",                         "page_size"),
    ("page 0",                   "page=0",                              "page"),
    ("an id that is none",       "order_id=5",                          "order_id"),
    ("a hash that is none",      "order_hash=0x12",                     "order_hash"),
    ("a tx_hash that is none",   "tx_hash=x",                           "tx_hash"),
    ("a taker that is none",     "taker=me",                            "taker"),
    ("a status of orders",       "status=locked",                       "status"),
    ("sorted by price",          "sort_by=price",                       "sort_by"),
    ("a negative quantity",      "fill_quantity_min=-1",                "fill_quantity_min"),
    ("a fraction",               "fill_amount_max=1.5",                 "fill_amount_max"),
    ("a zero in front",          "fee_amount_min=01",                   "fee_amount_min"),
    ("words",                    "incentive_amount_max=all",            "incentive_amount_max"),
    ("a negative block",         "block_number_min=-1",                 "block_number_min"),
    ("milliseconds",             "created_after=1737082801000",         "created_after"),
    ("a time that there is not", "created_before=2025-02-30T00:00:00Z", "created_before"),
    ("an hour that there is not", "created_after=2025-01-17T25:00:00Z", "created_after"),
    ("a zone that there is not", "created_before=2025-01-17T03:00:24%2B24:00", "created_before"),
    ("before the epoch",         "created_after=1969-12-31",            "created_after"),
    ("a block of 2^63",          "block_number_max=9223372036854775808", "block_number_max"),
    ("thousands of digits",      "fill_amount_min=" + "9" * 5000,       "fill_amount_min"),
    ("no time at all",           "created_before=yesterday",            "created_before"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "field"), FAULTS)
def test_bad_parameters_of_the_fills(four: dict[str, Any], query: str, field: str) -> None:
    with nothing_changes(four["desk"]):
        assert faulty_fields(four["desk"].get(FILLS, query)) == [field]


def test_fills_of_one_second_are_sorted_by_id(desk: Desk) -> None:
    order_hash = locked(desk)
    for number in range(6):
        data_of(desk.fill(order_hash, 5, reference_id=f"r{number}"))
    for query, is_ascending in (("sort_order=asc", True), ("", False), ("sort_by=fill_quantity&sort_order=asc", True)):
        ids = [fill["id"] for fill in data_of(desk.get(FILLS, query))["fills"]]
        assert ids == sorted(ids, reverse=not is_ascending)


# --- a maker's orders --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def makers() -> dict[str, Any]:
    """Five orders of one maker a second apart, O1 to O5, and one of another's."""
    desk = new_desk()
    members: list[dict[str, Any]] = [
        {"nonce": 11, "price": "1000000000000000000", "quantity": "1000", "incentive": "10", "deadline": NOW_S + 500},
        {"nonce": 12, "price": "3000000000000000000", "quantity": "900", "incentive": "9", "deadline": NOW_S + 900},
        {"nonce": 13, "price": "2000000000000000000", "quantity": "800", "incentive": "30", "ticker": "TSLA"},
        {"nonce": 14, "price": "900000000000000000", "quantity": "2000", "incentive": "0", "is_buy": False},
        {"nonce": 15, "price": "5000000000000000000", "quantity": "700", "incentive": "5", "principal": OTHER_MAKER},
    ]
    orders = []
    for one in members:
        orders.append(new_order(desk, **one))
        desk.clock.advance(1)
    new_order(desk.as_maker(OTHER_MAKER_KEY))
    data_of(desk.lock(orders[1]))
    data_of(desk.lock(orders[2]))
    for number in range(3):
        data_of(desk.fill(orders[2], 100, reference_id=f"f{number}"))
        desk.clock.advance(1)
    data_of(desk.unlock(orders[2]))
    data_of(desk.as_other.lock(orders[2]))
    data_of(desk.as_other.fill(orders[2], 500, taker_incentive="1"))
    data_of(desk.lock(orders[3]))
    data_of(desk.fill(orders[3], 200))
    data_of(desk.cancel(orders[4]))
    return {"desk": desk, "orders": orders}


def _named(makers: dict[str, Any], query: str | dict[str, Any]) -> str:
    rows = data_of(makers["desk"].maker_get("/orders", query))["orders"]
    return " ".join(f"O{makers['orders'].index(row['order_hash']) + 1}" for row in rows)


# O1 pending; O2 locked; O3 TSLA, filled 800; O4 sell, filled 200, locked; O5 cancelled, principal is another
MAKERS: Any = cases(
    ("nothing",                 "",                                                           "O5 O4 O3 O2 O1"),
    ("upwards",                 "sort_order=asc",                                             "O1 O2 O3 O4 O5"),
    ("by price",                "sort_by=price",                                              "O5 O2 O3 O1 O4"),
    ("by quantity",             "sort_by=quantity",                                           "O4 O1 O2 O3 O5"),
    ("by incentive",            "sort_by=incentive",                                          "O3 O1 O2 O5 O4"),
    ("by deadline, upwards",    "sort_by=deadline&sort_order=asc&deadline_before=1737083724", "O1 O2"),
    ("a page",                  "page=2&page_size=2",                                         "O3 O2"),
    ("a ticker",                "ticker=TSLA",                                                "O3"),
    ("a ticker in lower case",  "ticker=tsla",                                                "O3"),
    ("a part of a ticker",      "ticker=SL",                                                  ""),
    ("a part that may be",      "ticker=sl&ticker_like=true",                                 "O3"),
    ("parts of all",            "ticker=A&ticker_like=1",                                     "O5 O4 O3 O2 O1"),
    ("a part that must not be", "ticker=SL&ticker_like=false",                                ""),
    ("an exchange",             "exchange=0",                                                 "O5 O4 O3 O2 O1"),
    ("another exchange",        "exchange=1",                                                 ""),
    ("an asset",                f"asset={ASSET}",                                             "O5 O4 O3 O2 O1"),
    ("an asset in lower case",  f"asset={ASSET.lower()}",                                     "O5 O4 O3 O2 O1"),
    ("another asset",           f"asset={MAKER}",                                             ""),
    ("a principal",             f"principal={OTHER_MAKER.lower()}",                           "O5"),
    ("sells",                   "is_buy=false",                                               "O4"),
    ("a nonce",                 "nonce=12",                                                   "O2"),
    ("a nonce not used",        "nonce=99",                                                   ""),
    ("an order not there",      f"order_hash={UNKNOWN_HASH}",                                 ""),
    ("price from",              "price_min=2000000000000000000",                              "O5 O3 O2"),
    ("price to",                "price_max=1000000000000000000",                              "O4 O1"),
    ("quantity between",        "quantity_min=800&quantity_max=1000",                         "O3 O2 O1"),
    ("incentive from",          "incentive_min=10",                                           "O3 O1"),
    ("incentive to",            "incentive_max=0",                                            "O4"),
    ("filled from",             "filled_quantity_min=1",                                      "O4 O3"),
    ("filled to",               "filled_quantity_max=200",                                    "O5 O4 O2 O1"),
    ("deadline to",             f"deadline_before={NOW_S + 900}",                             "O2 O1"),
    ("deadline from",           f"deadline_after={NOW_S + 501}",                              "O5 O4 O3 O2"),
    ("created from",            f"created_after={NOW_S + 3}",                                 "O5 O4"),
    ("created to",              f"created_before={NOW_S + 1}",                                "O2 O1"),
    ("a status",                "status=locked",                                              "O2"),
    ("statuses",                "status=pending,cancelled,filled",                            "O5 O3 O1"),
    ("filters together",        "is_buy=true&status=filled&ticker=TSLA",                      "O3"),
    ("empty ones",              "nonce=&price_min=&ticker_like=&status=",                     "O5 O4 O3 O2 O1"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "names"), MAKERS)
def test_filters_sorts_and_pages_of_a_makers_orders(makers: dict[str, Any], query: str, names: str) -> None:
    assert _named(makers, query) == names


def test_a_makers_order_is_found_by_its_hash(makers: dict[str, Any]) -> None:
    for number, order_hash in enumerate(makers["orders"], 1):
        assert _named(makers, {"order_hash": order_hash}) == f"O{number}"
        assert _named(makers, {"order_hash": order_hash, "nonce": 99}) == ""


def test_another_makers_orders_are_not_shown(makers: dict[str, Any]) -> None:
    other = makers["desk"].as_maker(OTHER_MAKER_KEY)
    for query in ({"order_hash": makers["orders"][0]}, {"nonce": 11}):
        assert data_of(other.maker_get("/orders", query))["total"] == 0
    assert data_of(other.maker_get("/orders"))["total"] == 1


def test_k28_fills_come_with_orders_that_are_partially_filled_or_filled(makers: dict[str, Any]) -> None:
    answer = data_of(makers["desk"].maker_get("/orders"))
    assert list(answer) == [*PAGE, "orders"]
    o5, o4, o3, o2, o1 = answer["orders"]
    assert list(o1) == list(o2) == list(o5) == SINGLE
    assert list(o3) == list(o4) == [*SINGLE, "fills"]
    assert [fill["fill_quantity"] for fill in o3["fills"]] == ["500", "100", "100", "100"]
    (fill,) = o4["fills"]
    assert list(fill) == [*FILL, "taker_incentive"]


def test_k28_a_fill_is_confirmed_and_its_incentive_what_was_charged(makers: dict[str, Any]) -> None:
    (o3,) = data_of(makers["desk"].maker_get("/orders", "nonce=13"))["orders"]
    assert {fill["status"] for fill in o3["fills"]} == {"confirmed"}
    assert [(fill["taker_incentive"], fill["incentive_amount"]) for fill in o3["fills"]] == [
        ("1", "1"), ("3", "3"), ("3", "3"), ("3", "3")]  # fmt: skip
    assert {fill["taker"].lower() for fill in o3["fills"]} == {
        makers["desk"].taker, makers["desk"].as_other.taker.lower()}  # fmt: skip


ENDED: Any = cases(
    ("cancelled", lambda desk, one: (desk.unlock(one), desk.cancel(one)),                     False),
    ("expired",   lambda desk, _: desk.clock.advance(100),                                    False),
    ("suspended", lambda desk, one: desk.commands().suspend(desk.instance, id_of(desk, one)), False),
    ("open",      lambda desk, one: desk.unlock(one),                                         True),
)  # fmt: skip


@pytest.mark.parametrize(("end", "has_fills"), ENDED)
def test_k28_orders_that_ended_otherwise_come_without_their_fills(
    desk: Desk, end: Callable[[Desk, str], Any], has_fills: bool
) -> None:
    order_hash = partly_filled(desk, deadline=NOW_S + 100)
    end(desk, order_hash)
    assert ("fills" in of_maker(desk, order_hash)) == has_fills


BAD = cases(
    ("page 0",                   "page=0",                       "page"),
    ("a hash that is none",      "order_hash=x",                 "order_hash"),
    ("a principal that is none", "principal=x",                  "principal"),
    ("an asset that is none",    "asset=USD",                    "asset"),
    ("exchange 65536",           "exchange=65536",               "exchange"),
    ("is_buy maybe",             "is_buy=maybe",                 "is_buy"),
    ("ticker_like maybe",        "ticker_like=maybe",            "ticker_like"),
    ("nonce -1",                 "nonce=-1",                     "nonce"),
    ("nonce 2^63",               "nonce=9223372036854775808",    "nonce"),
    ("a price below 0",          "price_min=-1",                 "price_min"),
    ("a fraction of a quantity", "quantity_max=0.5",             "quantity_max"),
    ("an incentive as words",    "incentive_min=x",              "incentive_min"),
    ("a filled quantity",        "filled_quantity_max=01",       "filled_quantity_max"),
    ("a deadline as a date",     "deadline_after=2025-01-17",    "deadline_after"),
    ("milliseconds",             "created_before=1737082801000", "created_before"),
    ("status foo",               "status=foo",                   "status"),
    ("sorted by locked_at",      "sort_by=locked_at",            "sort_by"),
    ("order up",                 "sort_order=up",                "sort_order"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "field"), BAD)
def test_bad_parameters_of_a_makers_orders(makers: dict[str, Any], query: str, field: str) -> None:
    with nothing_changes(makers["desk"]):
        assert faulty_fields(makers["desk"].maker_get("/orders", query)) == [field]


def test_a_ticker_like_is_no_pattern(makers: dict[str, Any]) -> None:
    for text in (".", "%", "*", "T.LA"):
        assert _named(makers, {"ticker": text, "ticker_like": "true"}) == ""


# --- pages by their bytes ----------------------------------------------------------------------------------------


def _many_fills(desk: Desk, order_hash: str, count: int, counted: int | None) -> None:
    """Put so many rows of fills beside a filled order's own one, each as long as one can be."""
    orders = SignedOrders(desk.database)
    stored = orders.get(desk.instance, order_id_of(order_hash))
    assert stored is not None
    rows = []
    for number in range(count - 1):
        reference = f"{number:064d}"
        fill = _longest_fill(stored, reference, desk.clock.now_s + number)
        rows.append(fill_rows(stored, fill)[0])
    desk.database.put_many("signed-orders", rows)
    row = row_of(replace(stored, state=replace(stored.state, fills=counted)))
    desk.database.put_many("signed-orders", [row])


def _longest_fill(stored: StoredOrder, reference: str, at_s: int) -> Fill:
    return Fill(
        fill_id=fill_id_of(stored.order_hash, reference),
        order_id=stored.order_id,
        order_hash=stored.order_hash,
        taker="0x" + "f" * 40,
        quantity=10**27,
        amount=10**36,
        fee=10**35,
        incentive=10**27,
        asked_incentive=None,
        status=Status.PARTIALLY_FILLED,
        reference_id=reference,
        created_at_s=at_s,
        tx_hash="0x" + "f" * 64,
        block_number=2**63 - 1,
    )


def test_k43_bounds_of_an_orders_and_a_fills_bytes_hold(desk: Desk) -> None:
    order_hash = new_order(desk)
    stored = SignedOrders(desk.database).get(desk.instance, order_id_of(order_hash))
    assert stored is not None
    fill = _longest_fill(stored, "r" * 64, 253_402_300_799)
    assert answer_bytes(compact(makers_fill_object(fill))) < FILL_BYTES_MAX
    longest = replace(
        stored,
        order=replace(stored.order, ticker="A" * 16, exchange=65_535, price=10**27, quantity=10**27, incentive=10**27,
                      deadline=253_402_300_799, nonce=2**63 - 1),
        state=replace(stored.state, status=Status.PARTIALLY_FILLED, notes="\U0001f600" * 256, filled=10**27),
    )  # fmt: skip
    assert answer_bytes(compact(single_order(longest) | {"fills": [], "fills_total": 10**9})) < ORDER_BYTES_MAX


@pytest.mark.parametrize("counted", [True, False])
def test_k43_a_page_ends_before_its_bytes_are_too_many_and_the_next_one_goes_on(desk: Desk, counted: bool) -> None:
    """Eight orders of a thousand fills: some 6 MB. counted: whether their rows say how many fills there are."""
    hashes = [locked(desk) for _ in range(8)]
    for order_hash in hashes:
        data_of(desk.fill(order_hash, 1000))
        _many_fills(desk, order_hash, 1000, 1000 if counted else None)
    found: list[str] = []
    fills = 0
    for number in range(1, 10):
        answer = desk.maker_get("/orders", {"page": number, "page_size": 100})
        assert len(json.dumps(answer.body)) < 6 * 1024 * 1024
        page = data_of(answer)
        assert (page["total"], page["page"], page["page_size"]) == (8, number, 100)
        found += [order["order_hash"] for order in page["orders"]]
        fills += sum(len(order["fills"]) for order in page["orders"])
        assert page["total_pages"] >= number
        if page["total_pages"] == number:
            break
    assert sorted(found) == sorted(hashes)
    assert number > 1
    assert fills == 8 * 1000
    past = data_of(desk.maker_get("/orders", {"page": number + 1, "page_size": 100}))
    assert (past["orders"], past["total"], past["total_pages"]) == ([], 8, number)


def test_k43_of_an_order_with_very_many_fills_the_newest_come_first_and_the_others_on_their_pages(desk: Desk) -> None:
    order_hash = locked(desk)
    data_of(desk.fill(order_hash, 1000, reference_id="first"))
    _many_fills(desk, order_hash, 7000, 7000)
    shown = []
    for number, expected in ((1, 5000), (2, 2000), (3, 0)):
        (order,) = data_of(desk.maker_get("/orders", {"order_hash": order_hash, "fills_page": number}))["orders"]
        assert (len(order["fills"]), order["fills_total"]) == (expected, 7000)
        shown += [fill["id"] for fill in order["fills"]]
    assert len(set(shown)) == 7000
    assert faulty_fields(desk.maker_get("/orders", {"fills_page": 0})) == ["fills_page"]


def test_k43_an_order_counts_its_fills(desk: Desk) -> None:
    order_hash = locked(desk)
    for number in range(3):
        data_of(desk.fill(order_hash, 100, reference_id=f"r{number}"))
    stored = SignedOrders(desk.database).get(desk.instance, order_id_of(order_hash))
    assert stored is not None
    assert stored.state.fills == 3
    Verifier(desk.database).verify(None)
    desk.database.put_many("signed-orders", [row_of(replace(stored, state=replace(stored.state, fills=2)))])
    with pytest.raises(Disproved, match="fills"):
        Verifier(desk.database).verify(None)
