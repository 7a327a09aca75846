"""Order rows: an order as lists show it, and how a journal entry updates it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from chalicelib.domain.books.events import (
    Accepted,
    Amended,
    AmendRefused,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Halted,
    Parked,
    Rested,
    Resumed,
    Sliced,
    Traded,
    Triggered,
)
from chalicelib.domain.books.vocabulary import CloseReason, OrderStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.ids import time_of


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as of one moment.

    sequence: the journal entry it shows, None before its turn came.
    cancel_refused: its cancel came too late, or could not be decided.
    notional: quote base units that its trades came to. fee: what was kept of what it received, in that asset.
    value, external_id, expires_at_ms, stop_price, distance, step: as in PlaceOrder.
    triggered: whether a parked order's turn to be matched has come (O3).
    """

    order_id: str
    book_id: str
    customer: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: int | None
    quantity: int
    filled: int
    status: OrderStatus
    reason: CloseReason | None
    sequence: int | None
    updated_at_ms: int | None
    cancel_refused: bool = False
    notional: int = 0
    fee: int = 0
    value: int | None = None
    external_id: str | None = None
    expires_at_ms: int | None = None
    stop_price: int | None = None
    distance: int | None = None
    step: int | None = None
    triggered: bool = False

    @property
    def plain_type(self) -> OrderType:
        """LIMIT or MARKET, whichever the order is once it trades (O16)."""
        return OrderType.MARKET if self.price is None else OrderType.LIMIT

    @property
    def created_at_ms(self) -> int:
        """Admission time: the time part of the order's ULID (T15)."""
        return time_of(self.order_id)

    @property
    def changed_at_ms(self) -> int:
        """When the entry came that the row shows, or the order's admission before its turn."""
        return self.created_at_ms if self.updated_at_ms is None else self.updated_at_ms


def as_admitted(book_id: str, order: PlaceOrder) -> OrderRow:
    """Return the order as its row shows it before its turn: OPEN, nothing filled (T20)."""
    return OrderRow(
        order_id=order.order_id,
        book_id=book_id,
        customer=order.customer,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        price=order.price,
        quantity=order.quantity,
        filled=0,
        status=OrderStatus.OPEN,
        reason=None,
        sequence=None,
        updated_at_ms=None,
        value=order.value,
        external_id=order.external_id,
        expires_at_ms=order.expires_at_ms,
        stop_price=order.stop_price,
        distance=order.distance,
        step=order.step,
    )


class TradeSums(NamedTuple):
    """What all trades of an order came to. notional, fee: as in OrderRow."""

    notional: int = 0
    fee: int = 0

    def plus(self, notional: int, fee: int) -> TradeSums:
        return TradeSums(self.notional + notional, self.fee + fee)


NO_TRADES = TradeSums()


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An order after a journal entry. sums: of all its trades up to then. triggered: as in OrderRow.

    amended: whether the entry gave it a new price or quantity (O8).
    """

    status: OrderStatus
    filled: int
    reason: CloseReason | None
    sums: TradeSums = NO_TRADES
    triggered: bool = False
    amended: bool = False


def order_updates(events: Iterable[Event], before: Mapping[str, TradeSums]) -> list[tuple[PlaceOrder, OrderUpdate]]:
    """Return each order that an entry's events touched with its update, in the order of their first event.

    A parked order is triggered once it trades or rests, so the entry alone tells.

    before: sums of the orders that traded before the entry, by id (``BookState.traded``).
    """
    updates: dict[str, tuple[PlaceOrder, OrderUpdate]] = {}

    def show(
        order: PlaceOrder,
        remaining: int,
        notional: int = 0,
        fee: int = 0,
        closed: tuple[OrderStatus, CloseReason] | None = None,
        *,
        is_matched: bool = True,
        is_amended: bool = False,
    ) -> None:
        shown = updates.get(order.order_id)
        sums = before.get(order.order_id, NO_TRADES) if shown is None else shown[1].sums
        filled = order.quantity - remaining
        live = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN
        status, reason = closed or (live if remaining else OrderStatus.FILLED, None)
        was_triggered, was_amended = (False, False) if shown is None else (shown[1].triggered, shown[1].amended)
        triggered = was_triggered or (is_matched and order.order_type.is_parked)
        amended, total = was_amended or is_amended, sums.plus(notional, fee)
        updates[order.order_id] = order, OrderUpdate(status, filled, reason, total, triggered, amended)

    for event in events:
        match event:
            case Accepted(order):
                show(order, order.quantity, is_matched=False)
            case Triggered(order):
                show(order, order.quantity)
            case Traded():
                show(event.maker, event.maker_remaining, event.notional, event.maker_fee)
                show(event.taker, event.taker_remaining, event.notional, event.taker_fee)
            case Rested(order, remaining):
                show(order, remaining)
            case Closed(order, status, reason, remaining, _, level):
                show(order, remaining, closed=(status, reason), is_matched=level is not None)
            case Amended():
                show(event.after, event.remaining, is_matched=event.level is not None, is_amended=True)
            case Sliced() | Parked() | CancelRefused() | AmendRefused():
                pass
            case CancelAllBegun() | CancelAllEnded() | BookChanged() | Halted() | Resumed():
                pass
            case _:
                assert_never(event)
    return list(updates.values())
