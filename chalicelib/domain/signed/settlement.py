"""What each step of a signed order moves on the ledger: pure, integers, and nothing is made or lost (guarantee 1).

A maker's hold is what its order's state says it is. So a step's release is the difference of two holds, less what the
fill has taken from it; there is no second place to compute it.
"""

from __future__ import annotations

from chalicelib.domain.ledger.changes import Account, Changes, Leg, given_back, merged, received, spent
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
            given_back(Account(maker, customer_of(order.asset)), hold.quote),
            given_back(Account(maker, stock), hold.stock),
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
        received(Account(None, quote), charge.fee),
        spent(Account(maker, quote), taken.quote),
        spent(Account(maker, stock), taken.stock),
    ]
    if order.is_buy:
        moves += [
            received(Account(bidder, quote), taken.quote - charge.fee),
            received(Account(bidder, stock), -charge.quantity),
            received(Account(principal, stock), charge.quantity),
        ]
    else:
        moves += [
            received(Account(bidder, stock), charge.quantity),
            received(Account(bidder, quote), charge.incentive - charge.amount - charge.fee),
            received(Account(principal, quote), charge.amount),
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
