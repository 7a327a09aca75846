"""GET takers/orders/{order_hash}: all members of an order, to the takers that may see it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apis.taker.desk import MAKER, UNIT, Desk, data_of, fault_of

MEMBERS = [
    "id", "maker", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive", "deadline",
    "nonce", "signature", "order_hash", "status", "filled_quantity", "notes", "created_at", "updated_at",
]  # fmt: skip


@pytest.fixture
def order_hash(desk: Desk) -> str:
    """An order that the taker has locked, for an hour."""
    created = desk.created()
    desk.lock(created)
    return created


def shown(desk: Desk, order_hash: str) -> dict[str, Any]:
    found: dict[str, Any] = data_of(desk.seen(order_hash))
    assert list(found) == MEMBERS
    assert [name for name, value in found.items() if value is None] in ([], ["notes"])
    return found


def test_the_example_of_the_contract_comes_out_member_by_member(desk: Desk) -> None:
    body = desk.order_body()
    order_hash = desk.created()
    desk.clock.advance(276)
    desk.lock(order_hash)
    desk.clock.advance(300)
    desk.fill(order_hash, 4 * UNIT)
    assert shown(desk, order_hash) == {
        "id": "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f",
        "maker": MAKER,
        "principal": MAKER,
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
        "order_hash": "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11",
        "status": "partially_filled",
        "filled_quantity": "4000000000000000000",
        "notes": None,
        "created_at": "2025-01-17T03:00:24Z",
        "updated_at": "2025-01-17T03:10:00Z",
    }


def test_a_hash_in_upper_case_gets_the_same_answer(desk: Desk, order_hash: str) -> None:
    assert desk.seen(order_hash.upper()) == desk.seen(order_hash)
    assert desk.seen("0x" + order_hash[2:].upper()) == desk.seen(order_hash)


@pytest.mark.parametrize(
    "segment",
    ["0x" + "00" * 32, "0x12", "x", "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f", "%", "%FF", "0x" + "00" * 33, "..."],
)
@pytest.mark.usefixtures("order_hash")
def test_a_malformed_hash_is_an_unknown_one(desk: Desk, segment: str) -> None:
    assert desk.seen(segment) == desk.seen("0x" + "11" * 32)
    assert fault_of(desk.seen(segment)) == (404, 404)


def test_an_unknown_order_and_another_takers_get_the_same_answer(desk: Desk, order_hash: str) -> None:
    answer = desk.as_other.seen(order_hash)
    assert answer == desk.seen("0x" + "11" * 32)
    assert answer.body == '{"code":404,"message":"Order not found"}'


def test_the_old_holder_sees_no_more_what_lapsed_without_a_fill(desk: Desk, order_hash: str) -> None:
    desk.clock.advance(3599)
    assert shown(desk, order_hash)["status"] == "locked"
    desk.clock.advance(1)
    assert fault_of(desk.seen(order_hash)) == (404, 404)
    data_of(desk.as_other.lock(order_hash))
    assert fault_of(desk.seen(order_hash)) == (404, 404)
    assert shown(desk.as_other, order_hash)["status"] == "locked"


def test_the_old_holder_still_sees_what_it_has_a_fill_of(desk: Desk, order_hash: str) -> None:
    desk.fill(order_hash, UNIT)
    desk.clock.advance(3600)
    found = shown(desk, order_hash)
    assert (found["status"], found["updated_at"]) == ("partially_filled", "2025-01-17T04:00:24Z")


def test_notes_are_of_the_moment(desk: Desk, order_hash: str) -> None:
    desk.cancel(order_hash)
    assert shown(desk, order_hash)["notes"] == "cancel_requested"
    desk.cancel_result(order_hash, succeeded=False)
    assert shown(desk, order_hash)["notes"] is None
    desk.fill(order_hash, UNIT)
    desk.cancel(order_hash)
    desk.cancel_result(order_hash, succeeded=True, message="as asked")
    assert (shown(desk, order_hash)["notes"], shown(desk, order_hash)["status"]) == ("as asked", "cancelled")


def test_a_cancel_that_came_with_the_lapse_is_dated_by_it_and_has_no_notes(desk: Desk, order_hash: str) -> None:
    """K26, K30: nobody has written it down."""
    desk.fill(order_hash, UNIT)
    desk.cancel(order_hash)
    desk.clock.advance(10_000)
    found = shown(desk, order_hash)
    assert (found["status"], found["notes"], found["updated_at"]) == ("cancelled", None, "2025-01-17T04:00:24Z")
    assert found["filled_quantity"] == str(UNIT)


def test_an_expired_order_is_dated_by_its_deadline(desk: Desk) -> None:
    order_hash = desk.created(deadline=desk.clock.now_s + 60)
    desk.lock(order_hash)
    desk.fill(order_hash, UNIT)
    desk.clock.advance(500)
    found = shown(desk, order_hash)
    assert (found["status"], found["updated_at"]) == ("expired", "2025-01-17T03:01:24Z")


def test_reading_changes_nothing_not_even_what_has_lapsed(desk: Desk, order_hash: str) -> None:
    desk.clock.advance(10_000)
    before = desk.tables()
    desk.seen(order_hash)
    assert desk.tables() == before
