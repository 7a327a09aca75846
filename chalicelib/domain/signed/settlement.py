"""What each step of a signed order moves on the ledger: pure, integers, and nothing is made or lost (guarantee 1).

A maker's hold is what its order's state says it is. So a step's release is the difference of two holds, less what the
fill has taken from it; there is no second place to compute it.
"""

from __future__ import annotations

from chalicelib.domain.ledger.changes import Account, Change, Changes, Leg, merged
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.signed.order import NOTHING, Charge, Hold, SignedOrder, customer_of


def held(order: SignedOrder, stock: str, hold: Hold) -> Changes:
    """Return what setting aside a new order's funds moves. stock: the token that (exchange, ticker) stands for."""
    return released(order, stock, NOTHING - hold)


def released(order: SignedOrder, stock: str, hold: Hold) -> Changes:
    """Return what giving back these held funds moves."""
    maker = customer_of(order.maker)
    return merged(
        [
            (Account(maker, customer_of(order.asset)), Change(hold.quote, -hold.quote)),
            (Account(maker, stock), Change(hold.stock, -hold.stock)),
        ]
    )


def filled(order: SignedOrder, stock: str, taker: str, charge: Charge, residue: Hold) -> Changes:
    """Return what a fill moves, with what it leaves of the hold where it was the last one.

    The taker's own payments and receipts are one change: an incentive received in the same fill counts towards what it
    pays (K33).
    """
    quote = customer_of(order.asset)
    maker, principal, bidder = customer_of(order.maker), customer_of(order.principal), customer_of(taker)
    taken = order.taken_by(charge)
    moves = [
        (Account(None, quote), Change(charge.fee)),
        (Account(maker, quote), Change(held=-taken.quote)),
        (Account(maker, stock), Change(held=-taken.stock)),
    ]
    if order.is_buy:
        moves += [
            (Account(bidder, quote), Change(taken.quote - charge.fee)),
            (Account(bidder, stock), Change(-charge.quantity)),
            (Account(principal, stock), Change(charge.quantity)),
        ]
    else:
        moves += [
            (Account(bidder, stock), Change(charge.quantity)),
            (Account(bidder, quote), Change(charge.incentive - charge.amount - charge.fee)),
            (Account(principal, quote), Change(charge.amount)),
        ]
    return merged([*moves, *released(order, stock, residue).items()])


def legs_of(order: SignedOrder, stock: str, taker: str, charge: Charge) -> list[Leg]:
    """Return a fill's rows of the ledger, none for a zero: its two trade legs, the incentive, the fee."""
    quote = customer_of(order.asset)
    maker, principal, bidder = customer_of(order.maker), customer_of(order.principal), customer_of(taker)
    if order.is_buy:
        trades = [(stock, bidder, principal, charge.quantity), (quote, maker, bidder, charge.amount)]
    else:
        trades = [(stock, maker, bidder, charge.quantity), (quote, bidder, principal, charge.amount)]
    legs = [Leg(TransactionType.TRADE, *trade) for trade in trades]
    legs.append(Leg(TransactionType.TRANSFER, quote, maker, bidder, charge.incentive))
    legs.append(Leg(TransactionType.FEE, quote, bidder, None, charge.fee))
    return [leg for leg in legs if leg.amount]
