"""GET /orders (K28)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apis.taker.cases import (
    FILL,
    PAGE,
    SINGLE,
    UNKNOWN_HASH,
    id_of,
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
    Desk,
    data_of,
    faulty_fields,
    new_desk,
)
from tests.case_tables import cases


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
