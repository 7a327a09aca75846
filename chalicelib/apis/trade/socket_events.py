"""What the trade desk's messages say of trades, fills and orders, read from the feed's events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.vocabulary import OrderType
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.services.books.trades import PublicTrade
from chalicelib.services.push.recent import Entry


def trade_of(event: FeedEvent) -> PublicTrade:
    body: Any = event.body
    return PublicTrade(
        trade_id=body["tradeId"],
        at_ms=event.at_ms,
        price=int(body["price"]),
        quantity=int(body["quantity"]),
        notional=int(body["notional"]),
        maker_order_id=body["makerOrderId"],
        taker_order_id=body["takerOrderId"],
        taker_side=Side(body["takerSide"]),
        taker_type=OrderType(body["takerType"]),
        maker_type=OrderType(body["makerType"]),
    )


def fill_of(entry: Entry, event: FeedEvent) -> Fill:
    """Return the fill of an event, completed from its trade, which stands in the same entry."""
    body: Any = event.body
    trade = next(
        trade_of(one) for one in entry.events if one.type == "trade.executed" and one.body["tradeId"] == body["tradeId"]
    )
    is_maker = body["role"] == "maker"
    return Fill(
        owner=customer_key(event.instance, body["customerRef"]),
        trade_id=trade.trade_id,
        order_id=body["orderId"],
        book_id=body["bookId"],
        side=Side(body["side"]),
        is_maker=is_maker,
        order_type=trade.maker_type if is_maker else trade.taker_type,
        other_order_id=trade.taker_order_id if is_maker else trade.maker_order_id,
        counterparty="",
        price=trade.price,
        quantity=trade.quantity,
        notional=trade.notional,
        fee=int(body["fee"]),
        sequence=event.sequence,
        at_ms=event.at_ms,
    )


def filled_of(event: FeedEvent) -> int:
    return int(str(event.body.get("filledQuantity", "0")))


def price_then(entry: Entry, event: FeedEvent, of_row: int | None) -> int | None:
    """Return the limit price of an event's order at that event; None: it has none.

    of_row: that of its row, which a later amendment may have changed, unless the order ended by this event. An order
    that fills in part is a maker, whose price the trade has, or has its price in an earlier event of the entry.
    """
    price, order_id = of_row, event.body["orderId"]
    for one in entry.events[: event.part + 1]:
        named_by = "makerOrderId" if one.type == "trade.executed" else "orderId"
        if one.body.get(named_by) == order_id and one.type != "fill.created" and "price" in one.body:
            told = one.body["price"]
            price = None if told is None else int(str(told))
    return price


def fills_within(entry: Entry, event: FeedEvent) -> tuple[int, list[tuple[int, int]]]:
    """Return what was filled of an event's order before the entry, then quantity and notional of its fills in it, in
    order.
    """
    own = [one for one in entry.events if one.body.get("orderId") == event.body["orderId"]]
    fills: list[Any] = [one.body for one in own if one.type == "fill.created"]
    first = next((one for one in own if "tradeId" in one.body and "filledQuantity" in one.body), event)
    filled_before = filled_of(first) - (int(fills[0]["quantity"]) if fills else 0)
    return filled_before, [(int(fill["quantity"]), int(fill["notional"])) for fill in fills]


def notional_of(fills: Iterable[tuple[int, int]], filled: int) -> int:
    """Return what the first fills came to that make up a filled quantity."""
    notional = 0
    for quantity, its_notional in fills:
        if filled <= 0:
            break
        notional, filled = notional + its_notional, filled - quantity
    return notional


def events_in(entries: Sequence[Entry], type_: str, subjects: Sequence[str]) -> Iterator[tuple[Entry, FeedEvent]]:
    """Yield the events of a type that one of the subjects receives, with their entries."""
    for entry in entries:
        for event in entry.events:
            if event.type == type_ and event.is_for({*subjects}):
                yield entry, event
