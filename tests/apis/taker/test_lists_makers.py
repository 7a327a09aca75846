"""GET orders: the maker's own orders, each with its fills."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apis.taker.desk import (
    ASSET,
    MAKER,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    TAKER,
    UNIT,
    UNLIMITED,
    Desk,
    data_of,
    fault_of,
    faulty_fields,
)
from tests.apis.taker.lists import own_desk
from tests.apis.taker.test_lists_fills import MEMBERS as FILL_MEMBERS
from tests.apis.taker.test_lists_single import MEMBERS
from tests.case_tables import cases

PATH = "/orders"
NOW_S = 1_737_082_824
LATE, SOON = 4_102_444_800, NOW_S + 10_000


@pytest.fixture(scope="module")
def listed() -> Desk:
    """A desk with the maker's four orders. Nothing here changes it."""
    desk = own_desk().change_settings(allowance=UNLIMITED)
    four_orders(desk)
    return desk


@pytest.fixture
def hashes(desk: Desk) -> dict[int, str]:
    return four_orders(desk)


def four_orders(desk: Desk) -> dict[int, str]:
    """Make a pending order, one filled in part, a cancelled one and a sell, a second apart; return them by nonce."""
    made = {}
    for nonce, members in {
        1: {},
        2: {"price": str(9 * UNIT), "quantity": str(20 * UNIT), "incentive": "0"},
        3: {"price": str(300 * UNIT), "quantity": str(UNIT), "deadline": SOON},
        4: {"ticker": "TSLA", "is_buy": False, "quantity": str(3 * UNIT), "principal": OTHER_MAKER, "incentive": "7"},
    }.items():
        made[nonce] = desk.created(nonce=nonce, **members)
        desk.clock.advance(1)
    desk.lock(made[2])
    desk.fill(made[2], 4 * UNIT, reference_id="r4")
    desk.unlock(made[2])
    desk.cancel(made[3])
    return made


def orders(desk: Desk, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(desk.maker_get(PATH, query))["orders"]
    return found


def nonces(desk: Desk, query: str = "") -> list[int]:
    answer = data_of(desk.maker_get(PATH, query))
    assert answer["total"] == len(answer["orders"])
    return [order["nonce"] for order in answer["orders"]]


def test_an_order_has_the_members_of_the_single_one_and_its_fills_where_it_is_filled_in_part_or_whole(
    listed: Desk,
) -> None:
    by_nonce = {order["nonce"]: order for order in orders(listed)}
    for nonce in (1, 3, 4):
        assert list(by_nonce[nonce]) == MEMBERS
    assert list(by_nonce[2]) == [*MEMBERS, "fills"]
    (fill,) = by_nonce[2]["fills"]
    assert list(fill) == [*FILL_MEMBERS, "taker_incentive"]
    assert (fill["status"], fill["taker"], fill["fill_quantity"]) == ("confirmed", TAKER, str(4 * UNIT))


def test_fills_are_newest_first_and_of_every_taker_with_what_each_charged(desk: Desk) -> None:
    order_hash = desk.created()
    for taker, reference, incentive in ((desk, "b", "1"), (desk.as_other, "a", "2"), (desk, "c", "3")):
        taker.lock(order_hash)
        taker.fill(order_hash, 3 * UNIT, reference_id=reference, taker_incentive=incentive)
        taker.unlock(order_hash)
        desk.clock.advance(1)
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT, reference_id="aa", taker_incentive="4", tx_hash="0x" + "ab" * 32, block_number=0)
    (order,) = orders(desk)
    assert order["status"] == "filled"
    charged = [(fill["reference_id"], fill["taker_incentive"], fill["incentive_amount"]) for fill in order["fills"]]
    assert charged == [("aa", "4", "4"), ("c", "3", "3"), ("a", "2", "2"), ("b", "1", "1")]
    assert {fill["status"] for fill in order["fills"]} == {"confirmed"}
    assert list(order["fills"][0]) == [*FILL_MEMBERS, "tx_hash", "block_number", "taker_incentive"]


def test_a_cancelled_order_with_fills_shows_its_quantity_and_no_fills(desk: Desk, hashes: dict[int, str]) -> None:
    desk.cancel(hashes[2])
    order = next(order for order in orders(desk) if order["nonce"] == 2)
    assert (order["status"], order["filled_quantity"]) == ("cancelled", str(4 * UNIT))
    assert "fills" not in order


def test_a_page_has_these_members(listed: Desk) -> None:
    answer = data_of(listed.maker_get(PATH, "page=2&page_size=3"))
    assert [order["nonce"] for order in answer.pop("orders")] == [1]
    assert answer == {"total": 4, "page": 2, "page_size": 3, "total_pages": 2}


def test_nobody_elses_orders_are_listed(desk: Desk, hashes: dict[int, str]) -> None:
    other = desk.as_maker(OTHER_MAKER_KEY)
    theirs = other.created(nonce=1)
    assert nonces(desk) == [4, 3, 2, 1]
    assert nonces(other) == [1]
    assert nonces(other, f"order_hash={hashes[1]}") == []
    assert orders(other, "nonce=1")[0]["order_hash"] == theirs
    assert nonces(other, "nonce=2") == []


def test_it_needs_the_makers_jwt(desk: Desk) -> None:
    assert fault_of(desk.get(PATH)) == (401, 401)


@pytest.mark.parametrize(
    ("query", "expected"),
    cases(
        ("ascending", "sort_order=asc", [1, 2, 3, 4]),
        ("by price", "sort_by=price", [3, 1, 4, 2]),
        ("by quantity", "sort_by=quantity&sort_order=asc", [3, 4, 1, 2]),
        ("by incentive", "sort_by=incentive&sort_order=asc", [2, 4, 1, 3]),
        ("principal", f"principal={OTHER_MAKER.lower()}", [4]),
        ("principal that is the maker", f"principal={MAKER}", [3, 2, 1]),
        ("ticker", "ticker=tsla", [4]),
        ("part of a ticker", "ticker=ap", []),
        ("like a ticker", "ticker=ap&ticker_like=true", [3, 2, 1]),
        ("like a ticker, not", "ticker=aap&ticker_like=0", []),
        ("like without a ticker", "ticker_like=true", [4, 3, 2, 1]),
        ("exchange", "exchange=0", [4, 3, 2, 1]),
        ("another exchange", "exchange=9", []),
        ("asset", f"asset={ASSET.lower()}", [4, 3, 2, 1]),
        ("another asset", "asset=0x" + "00" * 20, []),
        ("sells", "is_buy=false", [4]),
        ("nonce", "nonce=3", [3]),
        ("unused nonce", "nonce=9223372036854775807", []),
        ("nonce and another filter", "nonce=3&is_buy=false", []),
        ("unknown hash", "order_hash=0x" + "00" * 32, []),
        ("price from", f"price_min={300 * UNIT}", [3]),
        ("price to", f"price_max={9 * UNIT}", [2]),
        ("quantity within", f"quantity_min={3 * UNIT}&quantity_max={10 * UNIT}", [4, 1]),
        ("incentive within", "incentive_min=7&incentive_max=7", [4]),
        ("filled from", "filled_quantity_min=1", [2]),
        ("filled to", f"filled_quantity_max={4 * UNIT - 1}", [4, 3, 1]),
        ("deadline from", f"deadline_after={SOON + 1}", [4, 2, 1]),
        ("deadline to", f"deadline_before={SOON}", [3]),
        ("created from", f"created_after={NOW_S + 2}", [4, 3]),
        ("created to", f"created_before={NOW_S + 1}", [2, 1]),
        ("created the wrong way round", f"created_after={NOW_S + 1}&created_before={NOW_S}", []),
        ("statuses", "status=cancelled,pending", [4, 3, 1]),
        ("a status that none has", "status=locked", []),
        ("empty ones", "order_hash=&nonce=&price_min=&ticker_like=&status=&sort_by=", [4, 3, 2, 1]),
    ),
)
def test_a_query_gets_its_orders(listed: Desk, query: str, expected: list[int]) -> None:
    found = nonces(listed, query)
    if query.startswith("sort_by=incentive"):  # two are alike: their hashes decide
        assert (found[:2], sorted(found[2:])) == ([2, 4], [1, 3])
    elif query == "sort_by=price":
        assert (found[0], sorted(found[1:3]), found[3]) == (3, [1, 4], 2)
    else:
        assert found == expected


def test_it_is_found_by_its_hash_in_any_case(desk: Desk, hashes: dict[int, str]) -> None:
    assert nonces(desk, f"order_hash={hashes[2].upper()}") == [2]
    assert nonces(desk, f"order_hash={hashes[2]}&nonce=2") == [2]
    assert nonces(desk, f"order_hash={hashes[2]}&nonce=1") == []


@pytest.mark.parametrize("sort_by", ["created_at", "price", "quantity", "incentive", "deadline"])
def test_ties_are_in_the_order_of_their_hashes(desk: Desk, sort_by: str) -> None:
    hashes = sorted(desk.created(nonce=nonce) for nonce in range(5))
    assert [order["order_hash"] for order in orders(desk, f"sort_by={sort_by}&sort_order=asc")] == hashes
    assert [order["order_hash"] for order in orders(desk, f"sort_by={sort_by}")] == hashes[::-1]


def test_status_and_filled_quantity_go_by_the_clock(desk: Desk, hashes: dict[int, str]) -> None:
    desk.lock(hashes[1], lock_duration=60)
    assert nonces(desk, "status=locked") == [1]
    desk.clock.advance(60)
    assert nonces(desk, "status=locked") == []
    assert nonces(desk, "status=pending") == [4, 1]


@pytest.mark.parametrize(
    "query",
    [
        "order_hash=1", "principal=x", "asset=0x1", "exchange=65536", "is_buy=2", "ticker_like=x", "nonce=-1",
        "nonce=9223372036854775808", "price_min=x", "price_max=01", "quantity_min=1.0", "quantity_max=-1",
        "incentive_min=x", "incentive_max=x", "filled_quantity_min=x", "filled_quantity_max=x", "deadline_after=x",
        "deadline_before=-1", "created_after=2025-01-17", "created_before=1737082801000", "status=confirmed",
        "sort_by=locked_at", "sort_order=x", "page=0", "page_size=0",
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(listed: Desk, query: str) -> None:
    assert faulty_fields(listed.maker_get(PATH, query)) == [query.partition("=")[0]]
