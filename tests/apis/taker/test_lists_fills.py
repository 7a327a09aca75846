"""GET orders/filled: the caller's fills, filtered by each of their members."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.signed.order import fill_id_of
from tests.apis.taker.desk import OTHER_TAKER, TAKER, UNIT, Desk, data_of, fault_of, faulty_fields
from tests.apis.taker.lists import own_desk
from tests.case_tables import cases

PATH = "/orders/filled"
FIRST, SECOND = 1_737_082_824, 1_737_082_884
"""When the fills are made: 2025-01-17T03:00:24Z, 03:01:24Z."""
ORDER_HASH = "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11"
TX_HASH = "0x" + "ab" * 32
MEMBERS = [
    "id", "order_id", "order_hash", "taker", "fill_quantity", "fill_amount", "fee_amount", "incentive_amount", "status",
    "reference_id", "created_at",
]  # fmt: skip


@pytest.fixture(scope="module")
def filled() -> Desk:
    """The usual order with three fills: two of the taker (4, then the last 5), one of another (1), at fees of 1 %.

    Nothing here changes it.
    """
    desk = own_desk()
    changed = desk.change_settings(fee_bps=100)
    made = changed.created()
    changed.lock(made)
    changed.fill(made, 4 * UNIT, reference_id="r4", tx_hash=TX_HASH, block_number=7)
    changed.unlock(made)
    changed.as_other.lock(made)
    changed.as_other.fill(made, UNIT, reference_id="theirs")
    changed.as_other.unlock(made)
    desk.clock.advance(SECOND - FIRST)
    changed.lock(made)
    changed.fill(made, 5 * UNIT, reference_id="r5", taker_incentive="0")
    assert made == ORDER_HASH
    return desk


def fills(desk: Desk, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(desk.get(PATH, query))["fills"]
    return found


def references(desk: Desk, query: str = "") -> str:
    answer = data_of(desk.get(PATH, query))
    assert answer["total"] == len(answer["fills"])
    return " ".join(fill["reference_id"] for fill in answer["fills"])


def test_a_fill_has_these_members(filled: Desk) -> None:
    last, first = fills(filled)
    assert first == {
        "id": fill_id_of(ORDER_HASH, "r4"),
        "order_id": "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f",
        "order_hash": ORDER_HASH,
        "taker": TAKER,
        "fill_quantity": "4000000000000000000",
        "fill_amount": "601000000000000000000",
        "fee_amount": "6010000000000000000",
        "incentive_amount": "400000000000000000",
        "status": "partially_filled",
        "reference_id": "r4",
        "created_at": "2025-01-17T03:00:24Z",
        "tx_hash": TX_HASH,
        "block_number": 7,
    }
    assert list(first) == [*MEMBERS, "tx_hash", "block_number"]
    assert list(last) == MEMBERS
    assert (last["status"], last["incentive_amount"]) == ("filled", "0")


def test_a_page_has_these_members(filled: Desk) -> None:
    answer = data_of(filled.get(PATH, "page_size=1&page=2"))
    assert [fill["reference_id"] for fill in answer.pop("fills")] == ["r4"]
    assert answer == {"total": 2, "page": 2, "page_size": 1, "total_pages": 2}
    assert data_of(filled.get(PATH, "page_size=1&page=3"))["fills"] == []


def test_nobody_elses_fills_are_listed(filled: Desk) -> None:
    assert references(filled) == "r5 r4"
    assert references(filled.as_other) == "theirs"
    assert references(filled.as_other, f"order_hash={ORDER_HASH}") == "theirs"
    assert references(filled.as_other, f"tx_hash={TX_HASH}") == ""


def test_the_alias_is_the_same_list(filled: Desk) -> None:
    assert filled.get("/takers/fills", "sort_order=asc") == filled.get(PATH, "sort_order=asc")


def test_a_fill_shows_at_once(desk: Desk) -> None:
    order_hash = desk.created()
    assert references(desk) == ""
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT, reference_id="now")
    assert references(desk) == "now"


@pytest.mark.parametrize(
    ("query", "expected"),
    cases(
        ("ascending", "sort_order=asc", "r4 r5"),
        ("by quantity", "sort_by=fill_quantity", "r5 r4"),
        ("by amount, ascending", "sort_by=fill_amount&sort_order=asc", "r4 r5"),
        ("order id", "order_id=5EC4BAC3-A43C-89E8-B85B-AC8C991BB90F", "r5 r4"),
        ("another order id", "order_id=00000000-0000-8000-8000-000000000000", ""),
        ("another order hash", "order_hash=0x" + "00" * 32, ""),
        ("own address", f"taker=0x{TAKER[2:].upper()}", "r5 r4"),
        ("another's address", f"taker={OTHER_TAKER}", ""),
        ("tx hash in upper case", f"tx_hash=0x{'AB' * 32}", "r4"),
        ("another tx hash", "tx_hash=0x" + "cd" * 32, ""),
        ("quantity from", f"fill_quantity_min={5 * UNIT}", "r5"),
        ("quantity above", f"fill_quantity_min={5 * UNIT + 1}", ""),
        ("quantity to", f"fill_quantity_max={4 * UNIT}", "r4"),
        ("amount from", f"fill_amount_min={751_250 * 10**15}", "r5"),
        ("amount to", f"fill_amount_max={601 * UNIT}", "r4"),
        ("amount below", f"fill_amount_max={601 * UNIT - 1}", ""),
        ("fee from", f"fee_amount_min={6_010_000_000_000_000_001}", "r5"),
        ("fee to", "fee_amount_max=6010000000000000000", "r4"),
        ("incentive from", "incentive_amount_min=1", "r4"),
        ("incentive to", "incentive_amount_max=0", "r5"),
        ("block from", "block_number_min=0", "r4"),
        ("block to", "block_number_max=7", "r4"),
        ("block below", "block_number_max=6", ""),
        ("status filled", "status=filled", "r5"),
        ("status partially filled", "status=partially_filled", "r4"),
        ("both", "status=filled, partially_filled", "r5 r4"),
        ("since", f"created_after={FIRST + 1}", "r5"),
        ("since, inclusive", f"created_after={FIRST}", "r5 r4"),
        ("until, inclusive", f"created_before={FIRST}", "r4"),
        ("since a time", "created_after=2025-01-17T03:00:25Z", "r5"),
        ("since a time, inclusive", "created_after=2025-01-17T03:00:24Z", "r5 r4"),
        ("since a part of a second later", "created_after=2025-01-17T03:00:24.001Z", "r5"),
        ("until a part of a second later", "created_before=2025-01-17T03:00:24.999Z", "r4"),
        ("until a time in another zone", "created_before=2025-01-17T04:00:24%2B01:00", "r4"),
        ("until a time whose plus became a blank", "created_before=2025-01-17T04:00:24+01:00", "r4"),
        ("west of it", "created_before=2025-01-16T22:00:24-05:00", "r4"),
        ("without a zone", "created_before=2025-01-17T03:00:24", "r4"),
        ("of a day", "created_after=2025-01-17&created_before=2025-01-17", "r5 r4"),
        ("of the day before", "created_before=2025-01-16", ""),
        ("the wrong way round", f"created_after={SECOND}&created_before={FIRST}", ""),
        ("all together", f"order_hash=0X5EC4BAC3A43CE9E8785BAC8C991BB90F1334909555AD04B4B903E140F9261C11&status=filled"
         f"&fill_quantity_min=1&created_after={FIRST}", "r5"),
        ("of an order, since", f"order_hash={ORDER_HASH}&created_after={FIRST + 1}", "r5"),
        ("empty ones", "order_id=&order_hash=&taker=&tx_hash=&fill_amount_min=&status=&created_after=", "r5 r4"),
    ),
)  # fmt: skip
def test_a_query_gets_its_fills(filled: Desk, query: str, expected: str) -> None:
    assert references(filled, query.replace(" ", "%20")) == expected


def test_ties_are_in_the_order_of_their_ids(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    for number in range(5):
        desk.fill(order_hash, UNIT, reference_id=f"r{number}")
    ids = sorted(fill_id_of(order_hash, f"r{number}") for number in range(5))
    for sort_by in ("created_at", "fill_quantity", "fill_amount"):
        assert [fill["id"] for fill in fills(desk, f"sort_by={sort_by}&sort_order=asc")] == ids
        assert [fill["id"] for fill in fills(desk, f"sort_by={sort_by}")] == ids[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "order_id=x", "order_id=5ec4bac3a43c89e8b85bac8c991bb90f", "order_hash=0x12", "taker=0x12", "tx_hash=12",
        "fill_quantity_min=-1", "fill_quantity_max=1.5", "fill_amount_min=01", "fill_amount_max=x", "fee_amount_min=+1",
        "incentive_amount_max=1e3", "block_number_min=-1", "block_number_max=9223372036854775808", "status=pending",
        "status=filled,locked", "created_after=yesterday", "created_before=2025-02-30", "created_after=1737082801000",
        "created_after=2025-01-17T25:00:00Z", "created_before=2025-01-17T03:00:24%2B24:00", "created_after=1969-12-31",
        "sort_by=price", "sort_order=x", "page=0", "page_size=0", "fill_amount_min=" + "9" * 5000,
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(filled: Desk, query: str) -> None:
    assert faulty_fields(filled.get(PATH, query)) == [query.partition("=")[0]]


def test_it_needs_a_takers_key(desk: Desk) -> None:
    assert fault_of(desk.maker_get(PATH)) == (401, 10010012)
