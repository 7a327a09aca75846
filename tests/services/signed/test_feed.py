"""The feed of signed orders: one event a step for those concerned, and balances that add up to the accounts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from chalicelib.domain.feed.event import ALL_TAKERS, FeedEvent, maker_subject, taker_subject
from chalicelib.domain.feed.logs import LEDGER_AREA, SIGNED_AREA, lanes_of
from chalicelib.domain.feed.outbox import events_of
from chalicelib.domain.signed.order import lock_id_of
from chalicelib.tables.outbox import Outbox
from tests.services.signed.market import BUY, BUY_HASH, INSTANCE, MAKER, OTHER, SELL, TAKER, UNIT, Market

MAKERS, TAKERS = maker_subject(MAKER.lower()), taker_subject(TAKER)


def events(market: Market) -> list[FeedEvent]:
    """Return all events of the instance, lane by lane."""
    outbox, lanes = Outbox(market.database), [*lanes_of(LEDGER_AREA), *lanes_of(SIGNED_AREA)]
    entries = [entry for lane in lanes for entry in outbox.after(INSTANCE, lane, 0)]
    return [event for entry in entries for event in events_of(INSTANCE, entry)]


def steps(market: Market, order_hash: str = BUY_HASH) -> list[FeedEvent]:
    of_order = [event for event in events(market) if event.body.get("orderHash") == order_hash]
    return [event for event in of_order if event.type.startswith("signed_order.")]


def test_each_step_is_one_event_for_those_whom_it_concerns(market: Market) -> None:
    market.create()
    market.lock()
    market.fill(UNIT)
    market.unlock()
    market.lock()
    market.cancel()
    market.unlock()
    assert [(event.type.partition(".")[2], event.receivers) for event in steps(market)] == [
        ("pending", {MAKERS, ALL_TAKERS}),
        ("locked", {MAKERS, TAKERS}),
        ("partially_filled", {MAKERS, TAKERS}),
        ("partially_filled", {MAKERS, TAKERS, ALL_TAKERS}),
        ("partially_filled", {MAKERS, TAKERS}),
        ("cancel_requested", {MAKERS, TAKERS}),
        ("cancelled", {MAKERS, TAKERS}),
    ]


def test_an_event_tells_what_changed(market: Market) -> None:
    stored = market.create()
    locked = market.lock()
    fill = market.fill(UNIT, "mine", tx_hash="0x" + "cd" * 32)
    about = {"orderHash": BUY_HASH, "orderId": stored.order_id, "maker": MAKER, "taker": TAKER}
    lock_id = lock_id_of(BUY_HASH, TAKER, market.now_s, market.now_s + 600)
    facts = {"ticker": BUY.ticker, "isBuy": True, "quantity": str(BUY.quantity), "lockId": lock_id}
    told: list[Any] = [event.body for event in steps(market)]
    assert told[1] == about | facts | {
        "fromStatus": "pending", "toStatus": "locked", "filledQuantity": "0", "fill": None,
        "expiresAt": "2025-01-17T03:10:24Z",
    }  # fmt: skip
    assert locked.state.lock is not None
    assert told[2] == about | facts | {
        "fromStatus": "locked", "toStatus": "partially_filled", "filledQuantity": str(UNIT),
        "expiresAt": "2025-01-17T03:10:24Z",
        "fill": {
            "reference": "mine", "quantity": str(UNIT), "amount": str(fill.amount), "fee": str(fill.fee),
            "incentive": str(fill.incentive), "txHash": "0x" + "cd" * 32,
        },
    }  # fmt: skip
    market.cancel()
    request = steps(market)[-1]
    assert request.body == about | {
        "reason": "user_requested",
        "requestId": market.stored().written_by,
        "expiresAt": "2025-01-17T03:10:24Z",
    }


def test_a_lapse_is_told_when_it_is_written(market: Market) -> None:
    market.create()
    market.lock(seconds=60)
    market.now_s += 60
    assert market.desk.sweep() == 1
    last = steps(market)[-1]
    assert (last.body["fromStatus"], last.body["toStatus"]) == ("locked", "pending")
    assert last.receivers == {MAKERS, TAKERS, ALL_TAKERS}


def test_changes_of_balances_add_up_to_the_accounts(market: Market) -> None:
    for order in (BUY, SELL):
        market.create(order)
        market.lock(order)
        market.fill(UNIT, order=order)
        market.unlock(order)
    market.cancel(SELL)
    sums: defaultdict[tuple[Any, Any], list[int]] = defaultdict(lambda: [0, 0])
    for event in events(market):
        if event.type == "balance.changed":
            body: dict[str, Any] = dict(event.body)
            total = sums[body["customerRef"], body["asset"]]
            total[0] += int(body["available"])
            total[1] += int(body["held"])
    customers = {customer for customer, _ in sums} - {None}
    assert {MAKER.lower(), TAKER, OTHER.lower()} <= customers
    for (customer, asset), total in sums.items():
        found = (market.fees(asset), 0) if customer is None else market.funds(customer, asset)
        assert tuple(total) == found, (customer, asset)
