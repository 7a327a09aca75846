"""Makers cancel their orders (K16, K26), and ask which nonce comes next (K17)."""

from __future__ import annotations

import pytest

from tests.apis.taker.desk import (
    MAKER,
    NOW_S,
    OTHER_MAKER_KEY,
    QUOTE,
    UNIT,
    Desk,
    data_of,
    details_of,
    fault_of,
)

NOT_FOUND, FORBIDDEN, CONFLICT = (404, 404), (403, 403), (409, 409)
ORDER_ID = "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f"


def unchanged(desk: Desk, order: str) -> tuple[int, int]:
    """Cancel what must be refused; return status and code."""
    before = desk.tables()
    fault = fault_of(desk.cancel(order))
    assert desk.tables() == before
    return fault


def notes_of(desk: Desk, order_hash: str) -> object:
    return data_of(desk.seen(order_hash))["notes"]


@pytest.mark.parametrize("write", [str, str.upper])
def test_an_open_order_is_cancelled_by_its_id_in_any_case(desk: Desk, write: type[str]) -> None:
    before = desk.balance(MAKER, QUOTE)
    desk.created()
    answer = {"success": True, "order_id": ORDER_ID, "message": "cancelled"}
    assert data_of(desk.cancel(write(ORDER_ID))) == answer
    assert desk.balance(MAKER, QUOTE) == before
    assert unchanged(desk, ORDER_ID) == CONFLICT


@pytest.mark.parametrize("write", [str, str.upper])
def test_an_order_is_cancelled_by_its_hash_too(desk: Desk, write: type[str]) -> None:
    """K16"""
    assert data_of(desk.cancel(write(desk.created())))["order_id"] == ORDER_ID


def test_a_body_is_not_looked_at(desk: Desk) -> None:
    desk.created()
    assert desk.maker_post(f"/orders/{ORDER_ID}/cancel", b"no json").status == 200


def test_of_a_locked_order_the_cancel_is_asked_for_once(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    assert data_of(desk.cancel(ORDER_ID))["message"] == "cancellation_requested"
    assert notes_of(desk, order_hash) == "cancel_requested"
    before = desk.tables()
    assert data_of(desk.cancel(ORDER_ID))["message"] == "cancellation_requested"
    assert desk.tables() == before
    assert data_of(desk.seen(order_hash))["status"] == "locked"


def test_the_holder_gives_the_order_back_and_it_is_cancelled(desk: Desk) -> None:
    """K26: its notes are null."""
    before = desk.balance(MAKER, QUOTE)
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.fill(order_hash, 1)
    desk.cancel(ORDER_ID)
    assert data_of(desk.unlock(order_hash))["message"] == "cancelled"
    seen = data_of(desk.seen(order_hash))
    assert (seen["status"], seen["notes"], seen["filled_quantity"]) == ("cancelled", None, "1")
    assert desk.balance(MAKER, QUOTE) == (before[0] - 150, 0)


def test_the_holder_fills_all_of_it_and_it_is_filled(desk: Desk) -> None:
    """K24: a fill is allowed while a cancel request is open."""
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.cancel(ORDER_ID)
    assert data_of(desk.fill(order_hash, 10 * UNIT))["status"] == "filled"
    assert unchanged(desk, ORDER_ID) == CONFLICT


def test_a_request_that_is_not_answered_ends_with_the_lock(desk: Desk) -> None:
    before = desk.balance(MAKER, QUOTE)
    order_hash = desk.created()
    desk.lock(order_hash, lock_duration=60)
    desk.cancel(ORDER_ID)
    desk.clock.advance(60)
    again = desk.cancel(ORDER_ID)
    assert (fault_of(again), details_of(again)) == (CONFLICT, {"status": "cancelled"})
    assert desk.balance(MAKER, QUOTE) == before


def test_the_holder_says_whether_the_cancel_is_granted(desk: Desk) -> None:
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.cancel(ORDER_ID)
    kept = data_of(desk.cancel_result(order_hash, False, "on its way"))
    assert kept == {"success": True, "message": "kept", "order_hash": order_hash}
    assert notes_of(desk, order_hash) is None
    assert fault_of(desk.cancel_result(order_hash, True, "x")) == CONFLICT, "no request is open any more"
    desk.cancel(ORDER_ID)
    desk.fill(order_hash, 1)
    granted = data_of(desk.cancel_result(order_hash, True, "taken back: \u00e9"))
    assert granted == {"success": True, "message": "cancelled", "order_hash": order_hash}
    assert notes_of(desk, order_hash) == "taken back: \u00e9"


@pytest.mark.parametrize(
    "order",
    [
        "5ec4bac3-a43c-89e8-b85b-ac8c991bb900",
        "0x" + "5" * 64,
        "0x5ec4bac3a43ce9e8785bac8c991bb90f" + "0" * 32,
        ORDER_ID.replace("-", ""),
        f"{{{ORDER_ID}}}",
        "5ec4bac3",
        "maker",
        "%35ec4bac3-a43c-89e8-b85b-ac8c991bb90f",
        "\u00e9",
    ],
)
def test_an_order_that_is_not_there_is_not_found(desk: Desk, order: str) -> None:
    """A hash that shares with another what an id is made of is an unknown hash all the same."""
    desk.created()
    assert unchanged(desk, order) == NOT_FOUND


def test_an_order_is_cancelled_by_its_own_maker_only(desk: Desk) -> None:
    order_hash = desk.created()
    other = desk.as_maker(OTHER_MAKER_KEY)
    assert unchanged(other, ORDER_ID) == FORBIDDEN
    desk.cancel(order_hash)
    assert unchanged(other, ORDER_ID) == FORBIDDEN, "whose it is comes before its state"


def test_a_suspended_order_is_not_cancelled(desk: Desk) -> None:
    desk.created()
    desk.commands().suspend(desk.instance, ORDER_ID)
    refused = desk.cancel(ORDER_ID)
    assert (fault_of(refused), details_of(refused)) == (CONFLICT, {"status": "suspended"})


def test_the_next_nonce_is_the_highest_ever_used_and_one_more(desk: Desk) -> None:
    """K17"""

    def next_nonce(desk: Desk) -> int:
        answer = data_of(desk.maker_get("/orders/maker/next-nonce"))
        assert list(answer) == ["maker", "next_nonce"]
        assert answer["maker"] == desk.maker
        return int(answer["next_nonce"])

    assert next_nonce(desk) == 1
    order_hash = desk.created(nonce=7)
    desk.created(nonce=3)
    assert next_nonce(desk) == 8
    desk.cancel(order_hash)
    assert next_nonce(desk) == 8, "a nonce stays used"
    desk.created(nonce=2**63 - 1)
    assert next_nonce(desk) == 8, "there is none above the highest, and this one is free"
    desk.created(nonce=8)
    assert next_nonce(desk) == 9
    assert next_nonce(desk.as_maker(OTHER_MAKER_KEY)) == 1


def test_a_nonce_of_zero_is_followed_by_one(desk: Desk) -> None:
    """K17"""
    desk.created(nonce=0)
    assert data_of(desk.maker_get("/orders/maker/next-nonce"))["next_nonce"] == 1


def test_an_order_past_its_deadline_is_expired_and_its_hold_released(desk: Desk) -> None:
    before = desk.balance(MAKER, QUOTE)
    order_hash = desk.created(deadline=NOW_S + 60)
    desk.lock(order_hash)
    desk.clock.advance(60)
    expired = desk.cancel(order_hash)
    assert (fault_of(expired), details_of(expired)) == (CONFLICT, {"status": "expired"})
    assert desk.balance(MAKER, QUOTE) == before
