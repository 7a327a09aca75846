"""Settlement: what the trades and closes of a journal entry move, netted to one change an account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

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
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.changes import Account, Changes, Move, given_back, merged, received, spent
from chalicelib.support.consistency import Inconsistent


def settle(events: Iterable[Event], base: str, quote: str) -> Changes:
    """Return what the events move, one change an account. base, quote: the book's assets.

    The sum over all accounts of an asset is zero, always (guarantee 1). A fee is kept of what its side receives and
    goes to the book's fee account (T43).
    """
    changes = merged(move for event in events for move in _moves(event, base, quote))
    for asset in {base, quote}:
        if sum(sum(change) for account, change in changes.items() if account.asset == asset) != 0:
            raise Inconsistent("money appeared")
    return changes


def _moves(event: Event, base: str, quote: str) -> Iterator[Move]:
    match event:
        case Traded():
            taker_buys = event.taker.side is Side.BUY
            fees = (event.taker_fee, event.maker_fee) if taker_buys else (event.maker_fee, event.taker_fee)
            buyer_fee, seller_fee = fees
            buyer, seller = event.buyer.customer, event.seller.customer
            yield given_back(Account(buyer, quote), event.released)
            yield spent(Account(buyer, quote), event.notional)
            yield received(Account(buyer, base), event.quantity - buyer_fee)
            yield spent(Account(seller, base), event.quantity)
            yield received(Account(seller, quote), event.notional - seller_fee)
            yield received(Account(None, base), buyer_fee)
            yield received(Account(None, quote), seller_fee)
        case Closed():
            yield given_back(Account(event.order.customer, _held(event.order.side, base, quote)), event.released)
        case Amended():
            yield given_back(Account(event.order.customer, _held(event.order.side, base, quote)), event.released)
        case AmendRefused():
            yield given_back(Account(event.customer, _held(event.side, base, quote)), event.extra)
        case Accepted() | Rested() | Sliced() | Parked() | Triggered() | CancelRefused():
            pass
        case CancelAllBegun() | CancelAllEnded() | BookChanged() | Halted() | Resumed():
            pass
        case _:
            assert_never(event)


def _held(side: Side, base: str, quote: str) -> str:
    return base if side is Side.SELL else quote
