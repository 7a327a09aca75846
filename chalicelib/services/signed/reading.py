"""Reads of signed orders, and of the terms, nonces and balances that a new order needs, as of now."""

from __future__ import annotations

from itertools import islice

from chalicelib.domain.ledger.tokens import Token
from chalicelib.domain.signed.instruments import Stock, Terms
from chalicelib.domain.signed.lifecycle import Phase, live_lock, phase_at
from chalicelib.domain.signed.order import Hold, SignedOrder, customer_of, order_id_of
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.services.signed.fill_listing import TakerFills
from chalicelib.services.signed.listing import OrderFilter, TakerOrders, open_orders
from chalicelib.services.signed.maker_listing import MakerOrders
from chalicelib.services.signed.positions import PRICED_ORDERS_MAX, Position, average_prices, positions_in
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders


class SignedReading:
    """Reads of the taker desk. Makers and takers are addresses in any case. at_s: now, for locks and deadlines."""

    def __init__(self, database: Database) -> None:
        self._orders = SignedOrders(database)
        self._instruments = Instruments(database)
        self._ledger = LedgerReading(database)

    def order(self, instance: str, order_hash: str) -> StoredOrder | None:
        """Return the order with the id of this hash. The id has only a part of the hash: compare the order's hash."""
        return self._orders.get(instance, order_id_of(order_hash))

    def open_orders(self, instance: str, order_filter: OrderFilter, at_s: int) -> list[StoredOrder]:
        return open_orders(self._orders, instance, order_filter, at_s)

    def of_taker(self, instance: str, taker: str, at_s: int) -> TakerOrders:
        return TakerOrders(self._orders, instance, taker, at_s)

    def fills_of_taker(self, instance: str, taker: str) -> TakerFills:
        return TakerFills(self._orders, instance, taker)

    def of_maker(self, instance: str, maker: str, at_s: int) -> MakerOrders:
        return MakerOrders(self._orders, instance, maker, at_s)

    def may_know_of(self, stored: StoredOrder, taker: str, at_s: int) -> bool:
        """Tell whether an order is open, or visible to the taker (K2)."""
        lock = live_lock(stored.state, at_s)
        is_open = phase_at(stored.order, stored.state, at_s) is Phase.OPEN
        is_holder = lock is not None and lock.is_held_by(taker)
        return is_open or is_holder or self._orders.has_filled(stored.instance, taker, stored)

    def terms(self, instance: str, asset: str, exchange: int, ticker: str) -> Terms:
        """Return the terms of an order's asset and instrument, with one read."""
        return self._instruments.terms(instance, asset, exchange, ticker)

    def stock(self, instance: str, exchange: int, ticker: str) -> Token | None:
        """Return the token of an instrument's stock; None if there is no such instrument."""
        stock = self._instruments.stock(instance, exchange, ticker)
        return None if stock is None else self._ledger.tokens_by_address(instance, [stock.address])[stock.address]

    def quotes(self, instance: str) -> list[Token]:
        """Return the tokens that orders may be paid in."""
        return list(self._ledger.tokens_by_address(instance, self._instruments.quotes(instance)).values())

    def positions(self, instance: str, wallet: str) -> list[Position]:
        """Return what a wallet has of each stock that the desk trades, by ticker and exchange."""
        balances = self._ledger.balances(instance, customer_of(wallet))
        return positions_in(self._instruments.of_instance(instance), balances)

    def average_prices(self, instance: str, wallet: str) -> dict[tuple[int, str], int]:
        """Return what a wallet has paid on average for a share of each (exchange, ticker) (K55)."""
        newest = self._orders.orders_of_maker(instance, customer_of(wallet), newest_first=True)
        return average_prices(islice(newest, PRICED_ORDERS_MAX), wallet)

    def next_nonce(self, instance: str, maker: str) -> int:
        """Return the maker's next unused nonce (K17)."""
        return self._orders.next_nonce(instance, maker)

    def is_nonce_left(self, instance: str, order: SignedOrder, order_hash: str) -> bool:
        """Tell whether the order's nonce is unused, or used by the order with this hash."""
        user = self._orders.order_of_nonce(instance, customer_of(order.maker), order.nonce)
        return user is None or user[1] == order_hash

    def available(self, instance: str, order: SignedOrder, stock: Stock | None) -> Hold:
        """Return the maker's available balances of the order's asset and of the stock."""
        maker = customer_of(order.maker)
        quote = self._ledger.balance(instance, maker, customer_of(order.asset)).available
        return Hold(quote, 0 if stock is None else self._ledger.balance(instance, maker, stock.address).available)
