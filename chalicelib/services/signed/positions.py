"""A wallet's positions: what it has of each stock that the desk trades, and what it paid on average."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.signed.instruments import Instrument
from chalicelib.domain.signed.order import customer_of
from chalicelib.domain.signed.stored import StoredOrder

PRICED_ORDERS_MAX = 500
"""How many of a wallet's orders, those of the highest nonces, make its average prices (K55)."""


@dataclass(frozen=True, slots=True)
class Position:
    """A wallet's stock. balance: base units of the stock, held ones included."""

    instrument: Instrument
    balance: Balance

    @property
    def total(self) -> int:
        return self.balance.available + self.balance.held


def positions_in(instruments: Iterable[Instrument], balances: Iterable[Balance]) -> list[Position]:
    """Return the positions by ticker and exchange; a stock of which there is nothing is none."""
    by_asset = {balance.asset: balance for balance in balances}
    held = (Position(each, by_asset[each.stock.address]) for each in instruments if each.stock.address in by_asset)
    found = [position for position in held if position.total]
    return sorted(found, key=lambda position: (position.instrument.ticker, position.instrument.exchange))


def average_prices(orders: Iterable[StoredOrder], wallet: str) -> dict[tuple[int, str], int]:
    """Return what a wallet has paid on average for a share of each (exchange, ticker), rounded down.

    orders: its own, newest first. Those that bought for the wallet itself count, with what is filled of them, if they
    pay in the same asset as the newest of them: amounts of different assets do not add up.
    """
    assets: dict[tuple[int, str], str] = {}
    paid: dict[tuple[int, str], int] = {}
    bought: dict[tuple[int, str], int] = {}
    for stored in orders:
        order, filled = stored.order, stored.state.filled
        if not filled or not order.is_buy or customer_of(order.principal) != customer_of(wallet):
            continue
        named, asset = (order.exchange, order.ticker), customer_of(order.asset)
        if assets.setdefault(named, asset) == asset:
            paid[named] = paid.get(named, 0) + order.price * filled
            bought[named] = bought.get(named, 0) + filled
    return {named: paid[named] // bought[named] for named in paid}
