"""GET /orders/filled (K27)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apis.taker.cases import (
    FILL,
    FILLS,
    PAGE,
    TX_HASH,
    UNKNOWN_HASH,
    id_of,
    locked,
    moment,
    new_order,
    nothing_changes,
    of_maker,
)
from tests.apis.taker.desk import MAKER, NOW_S, TAKER, Desk, data_of, faulty_fields, new_desk
from tests.case_tables import cases


def _fills(desk: Desk, query: str | dict[str, Any] = "") -> str:
    """Return the references of the fills that are listed."""
    return " ".join(fill["reference_id"] for fill in data_of(desk.get(FILLS, query))["fills"])


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
