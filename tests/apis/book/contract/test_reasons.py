"""Every end of an order has a reason: the single order shows it as cancelReason, and the feed tells it (O14, T28)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.apis.book.routes import EVENTS, LIST, ONE_ORDER, SETTINGS
from chalicelib.domain.books.feed import CLOSED_AS
from chalicelib.domain.books.vocabulary import BookStatus, CloseReason, OrderStatus, SelfTradePrevention
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, data_of, json_body, open_desk
from tests.waiting import Clock
from tests.world import BOOK_ID, INSTANCE, World

End = Callable[[Desk, Clock, pytest.MonkeyPatch], str]
"""Has an order of ann's end; returns its id."""


def at_its_turn(*asks: tuple[int, int], settings: dict[str, Any] | None = None, **members: Any) -> End:
    """Return an end at the order's own turn, against asks of (quantity, price), in a book with these settings."""

    def end(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
        data_of(desk.send("PATCH", SETTINGS, body=json_body(settings or {"minOrderSize": "1"}), orderBookId=BOOK_ID))
        desk.rested(*asks)
        order_id = desk.placed(**members)
        desk.match()
        return order_id

    return end


def look_in_a_minute(desk: Desk) -> None:
    """Have the scheduled function look at what is due in a minute."""
    desk.world.now_ms += 60_000
    Expiring(desk.world.database, desk.world.matcher(), lambda: desk.world.now_ms).check()


def user_cancelled(desk: Desk, clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    order_id = desk.placed()
    clock.meanwhile = desk.match
    assert desk.cancel(order_id).status == 200
    return order_id


def cancel_all(desk: Desk, clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    order_id = desk.placed()
    clock.meanwhile = desk.match
    answer = data_of(desk.send("DELETE", LIST, customerRef="ann"))
    assert answer == {"cancelled": 1, "orderIds": [order_id]}
    return order_id


def dead_man(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    order_id = desk.placed()
    DeadManSwitches(desk.world.database, lambda: desk.world.now_ms).set(INSTANCE, "ann", 60)
    look_in_a_minute(desk)
    desk.match()
    return order_id


def book_closed(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    order_id = desk.placed()
    desk.match()
    desk.world.change_status(BookStatus.CLOSED)
    desk.match()
    return order_id


def book_inactive(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    """The pause overtakes the order."""
    order_id = desk.placed()
    desk.world.change_status(BookStatus.PAUSED)
    assert desk.world.deliver(records=desk.world.records[-1:]) == []
    desk.match()
    return order_id


def expired(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    order_id = desk.world.placed("ann", "BUY", 10, 50, expires_at_ms=desk.world.now_ms + 60_000)
    desk.match()
    look_in_a_minute(desk)
    return order_id


def self_trade(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    desk.world.change(self_trade_prevention=SelfTradePrevention.CANCEL_TAKER)
    desk.placed(side="SELL")
    order_id = desk.placed()
    desk.match()
    return order_id


def dust(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    """Three base units of a tenth of the price 3 are worth nothing."""
    order_id = desk.placed(side="SELL", price="3", quantity="10")
    desk.placed(customerRef="ben", price="3", quantity="7")
    desk.match()
    return order_id


def price_band(desk: Desk, _clock: Clock, _patch: pytest.MonkeyPatch) -> str:
    """The trade at 50 is the reference of the order behind it."""
    desk.world.change(price_band_bps=1000)
    desk.rested((1, 50), (5, 60))
    desk.placed(customerRef="ann", price="50", quantity="1")
    order_id = desk.placed(price="60", quantity="5")
    desk.match()
    return order_id


def internal_error(desk: Desk, _clock: Clock, patch: pytest.MonkeyPatch) -> str:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    order_id = desk.placed()
    patch.setattr("chalicelib.domain.books.commands.place", fail)
    desk.match()
    return order_id


MARKET = {"orderType": "MARKET", "price": ...}
BREAKER = {"haltBps": 1000, "haltWindowSeconds": 60, "haltSeconds": 300}
CANCELLED, EXPIRED, REJECTED = OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED
ENDS: dict[CloseReason, tuple[OrderStatus, End]] = {
    CloseReason.USER_CANCELLED: (CANCELLED, user_cancelled),
    CloseReason.CANCEL_ALL: (CANCELLED, cancel_all),
    CloseReason.DEAD_MAN: (CANCELLED, dead_man),
    CloseReason.IOC_REMAINDER: (CANCELLED, at_its_turn((5, 50), timeInForce="IOC")),
    CloseReason.MARKET_REMAINDER: (CANCELLED, at_its_turn((5, 50), **MARKET)),
    CloseReason.FOK_UNFILLABLE: (CANCELLED, at_its_turn((5, 50), timeInForce="FOK")),
    CloseReason.POST_ONLY_WOULD_CROSS: (CANCELLED, at_its_turn((5, 50), postOnly=True)),
    CloseReason.SELF_TRADE_PREVENTED: (CANCELLED, self_trade),
    CloseReason.BOOK_CLOSED: (CANCELLED, book_closed),
    CloseReason.DUST: (CANCELLED, dust),
    CloseReason.BELOW_MINIMUM: (CANCELLED, at_its_turn((100, 5), settings={"minOrderValue": "100"})),
    CloseReason.PRICE_BAND: (CANCELLED, price_band),
    CloseReason.CIRCUIT_BREAKER: (CANCELLED, at_its_turn((5, 50), (5, 60), settings=BREAKER, price="60", quantity="6")),
    CloseReason.EXPIRED: (EXPIRED, expired),
    CloseReason.BOOK_INACTIVE: (REJECTED, book_inactive),
    CloseReason.INTERNAL_ERROR: (REJECTED, internal_error),
}


@pytest.fixture
def desk_of(clock: Clock, memory_database: Database) -> Callable[[int], Desk]:  # noqa: ARG001 - asked for before a desk
    return lambda decimals: open_desk(World(memory_database, base_decimals=decimals))


@pytest.mark.parametrize("reason", CloseReason)
def test_o14_the_single_order_and_the_feed_say_why_an_order_ended(
    reason: CloseReason, desk_of: Callable[[int], Desk], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of(int(reason is CloseReason.DUST))
    desk.world.now_ms = now_ms()  # the feed shows thirty days
    status, end = ENDS[reason]
    with monkeypatch.context() as patch:
        order_id = end(desk, clock, patch)
    shown = data_of(desk.get(ONE_ORDER, {"customerRef": "ann"}, orderId=order_id))
    assert (shown["status"], shown["cancelReason"]) == (status, reason)
    told = data_of(desk.get(EVENTS, {"after": "start"}))["events"]
    ends = [one for one in told if one["body"].get("orderId") == order_id and one["type"] in CLOSED_AS.values()]
    assert [(one["type"], one["body"]["reason"]) for one in ends] == [(CLOSED_AS[status], reason)]
