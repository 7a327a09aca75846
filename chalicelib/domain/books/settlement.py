"""What the trades of an entry move on which accounts."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.books.events import Closed, Event, Traded
from chalicelib.domain.ledger.amounts import (
    FEES,
    Delta,
    Party,
    Side,
)
from chalicelib.support.consistency import Inconsistent


def settle(events: Iterable[Event]) -> dict[tuple[Party, Side], Delta]:
    """Net the money that the events move, one delta an account: key is (party, SELL for base / BUY for quote).

    The asset is named by the side that holds it: Side.SELL means the base asset, Side.BUY the quote asset.
    The sum over all accounts of an asset is zero, always (guarantee 1).
    """
    totals: dict[tuple[Party, Side], list[int]] = {}

    def move(party: Party, asset: Side, available: int, held: int) -> None:
        total = totals.setdefault((party, asset), [0, 0])
        total[0] += available
        total[1] += held

    for event in events:
        if isinstance(event, Traded):
            taker_buys = event.taker.side is Side.BUY
            buyer, seller = (event.taker, event.maker) if taker_buys else (event.maker, event.taker)
            buyer_fee, seller_fee = (
                (event.taker_fee, event.maker_fee) if taker_buys else (event.maker_fee, event.taker_fee)
            )
            move(Party(buyer.customer), Side.BUY, event.released, -event.notional - event.released)
            move(Party(buyer.customer), Side.SELL, event.quantity - buyer_fee, 0)
            move(Party(seller.customer), Side.SELL, 0, -event.quantity)
            move(Party(seller.customer), Side.BUY, event.notional - seller_fee, 0)
            move(FEES, Side.SELL, buyer_fee, 0)
            move(FEES, Side.BUY, seller_fee, 0)
        elif isinstance(event, Closed):
            move(Party(event.order.customer), event.order.side, event.released, -event.released)
    for asset in Side:
        if sum(sum(total) for (_, held_by), total in totals.items() if held_by is asset) != 0:
            raise Inconsistent("money appeared")
    return {account: Delta(*total) for account, total in totals.items() if total != [0, 0]}
