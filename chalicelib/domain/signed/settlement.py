"""Settlement of signed orders: what each step moves on the ledger; money is conserved (guarantee 1).

The order's state says what its maker's hold is. So a step releases the difference of two holds, less what a fill has
taken; nothing else computes it.
"""

from __future__ import annotations

from chalicelib.domain.ledger.changes import Account, Changes, Leg, given_back, merged, received, spent
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.signed.order import NOTHING, FillAmounts, Hold, SignedOrder, customer_of


def held(order: SignedOrder, stock: str, hold: Hold) -> Changes:
    """Return the changes that hold a new order's funds. stock: the token that (exchange, ticker) stands for."""
    return released(order, stock, NOTHING - hold)


def released(order: SignedOrder, stock: str, hold: Hold) -> Changes:
    """Return the changes that release these held funds."""
    maker = customer_of(order.maker)
    return merged(
        [
            given_back(Account(maker, customer_of(order.asset)), hold.quote),
            given_back(Account(maker, stock), hold.stock),
        ]
    )


def filled(order: SignedOrder, stock: str, taker: str, amounts: FillAmounts, residue: Hold) -> Changes:
    """Return the changes of a fill. residue: what the last fill leaves of the hold, and releases.

    The taker's own payments and receipts are one change: an incentive received in the same fill counts towards what it
    pays (K33).
    """
    quote = customer_of(order.asset)
    maker, principal, bidder = customer_of(order.maker), customer_of(order.principal), customer_of(taker)
    taken = order.taken_by(amounts)
    moves = [
        received(Account(None, quote), amounts.fee),
        spent(Account(maker, quote), taken.quote),
        spent(Account(maker, stock), taken.stock),
    ]
    if order.is_buy:
        moves += [
            received(Account(bidder, quote), taken.quote - amounts.fee),
            received(Account(bidder, stock), -amounts.quantity),
            received(Account(principal, stock), amounts.quantity),
        ]
    else:
        moves += [
            received(Account(bidder, stock), amounts.quantity),
            received(Account(bidder, quote), amounts.incentive - amounts.amount - amounts.fee),
            received(Account(principal, quote), amounts.amount),
        ]
    return merged([*moves, *released(order, stock, residue).items()])


def legs_of(order: SignedOrder, stock: str, taker: str, amounts: FillAmounts) -> list[Leg]:
    """Return a fill's ledger rows: its two trade legs, the incentive, the fee; no row for 0."""
    quote = customer_of(order.asset)
    maker, principal, bidder = customer_of(order.maker), customer_of(order.principal), customer_of(taker)
    if order.is_buy:
        trades = [(stock, bidder, principal, amounts.quantity), (quote, maker, bidder, amounts.amount)]
    else:
        trades = [(stock, maker, bidder, amounts.quantity), (quote, bidder, principal, amounts.amount)]
    legs = [Leg(TransactionType.TRADE, *trade) for trade in trades]
    legs.append(Leg(TransactionType.TRANSFER, quote, maker, bidder, amounts.incentive))
    legs.append(Leg(TransactionType.FEE, quote, bidder, None, amounts.fee))
    return [leg for leg in legs if leg.amount]
