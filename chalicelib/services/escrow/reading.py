"""Reads of a merchant's escrow orders, payments, customers and wallets, as of now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from chalicelib.domain.escrow.links import handle_of
from chalicelib.domain.escrow.order import Counts, Customer, Order, Scope, Wallet
from chalicelib.domain.escrow.payments import Payin, Payout, Refund
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.domain.tenancy.instances import World
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_finder import EscrowFinder
from chalicelib.tables.escrow_rows import PAYIN, PAYOUT
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.transactions import Transactions

ROWS_AT_ONCE = 100
T = TypeVar("T")
Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """The rows of a list. rows: (newest first, rows a read) to all rows by id. count, one: each costs one read."""

    rows: Callable[[bool, int], Iterator[T]]
    count: Callable[[], int]
    one: Callable[[int], T | None]


class _Rows(Protocol[Row]):
    def __call__(self, scope: Scope, *, newest_first: bool, page_rows: int) -> Iterator[Row]: ...


class EscrowReading:
    """Reads of the escrow desk's tables, as of now."""

    def __init__(self, database: Database) -> None:
        self._escrows = Escrows(database)
        self._finder = EscrowFinder(database)
        self._desks = EscrowDesks(database)
        self._ledger = LedgerReading(database)
        self._transactions = Transactions(database)

    def orders(self, scope: Scope) -> Source[Order]:
        return self._source(scope, self._escrows.orders, lambda counts: counts.orders, self._escrows.order)

    def order_behind(self, token: str) -> Order | None:
        """Return the order that a link's token finds; its page still compares the token (``links``)."""
        handle = handle_of(token)
        return None if handle is None else self._finder.order_behind(handle)

    def payins(self, scope: Scope) -> Source[Payin]:
        return self._source(scope, self._escrows.payins, lambda counts: counts.payins, self._escrows.payin)

    def payouts(self, scope: Scope) -> Source[Payout]:
        return self._source(scope, self._escrows.payouts, lambda counts: counts.payouts, self._escrows.payout)

    def refunds(self, scope: Scope) -> Source[Refund]:
        return self._source(scope, self._escrows.refunds, lambda counts: counts.refunds, self._escrows.refund)

    def wallets(self, scope: Scope) -> Source[Wallet]:
        return self._source(scope, self._escrows.wallets, lambda counts: counts.wallets, self._escrows.wallet_by_id)

    def customers(self, scope: Scope) -> Source[Customer]:
        """Return the merchant's customers; its own is not among them (E18)."""

        def one(scope: Scope, customer_id: int) -> Customer | None:
            found = self._escrows.customer_by_id(scope, customer_id)
            return None if found is None or found.is_hidden else found

        return self._source(scope, self._escrows.customers, lambda counts: counts.customers, one)

    def customer(self, scope: Scope, uuid: str) -> Customer | None:
        """Return a customer, the merchant's own too."""
        return self._escrows.customer(scope, uuid)

    def customers_by_id(self, scope: Scope, customer_ids: Iterable[int]) -> dict[int, Customer]:
        """Return the customers that exist, by id. One read for each hundred."""
        return self._escrows.customers_by_id(scope, customer_ids)

    def wallet(self, scope: Scope, uuid: str) -> Wallet | None:
        return self._escrows.wallet(scope, uuid)

    def wallets_of(self, customer: Customer) -> Source[Wallet]:
        wallets = self._escrows.wallets_of(customer)

        def rows(newest_first: bool, _at_once: int) -> Iterator[Wallet]:
            return reversed(wallets) if newest_first else iter(wallets)

        return Source(rows, lambda: len(wallets), lambda _wallet_id: None)

    def available(self, instance: str, wallets: Sequence[Wallet]) -> list[int]:
        """Return the available balance of each wallet, in base units."""
        accounts = [(str(wallet.account.customer), wallet.account.asset) for wallet in wallets]
        return [balance.available for balance in self._ledger.balances_of(instance, accounts)]

    def transactions(self, wallet: Wallet) -> Iterator[Transaction]:
        """Yield the ledger's rows of a wallet, newest first; trades of books are not among them."""
        owner = customer_key(wallet.scope.instance, str(wallet.account.customer))
        return (row for row in self._transactions.newest_first(owner) if row.asset == wallet.currency.asset)

    # --- for operators, whose requests name no merchant

    def scope_of_order(self, instance: str, world: World, order_id: int) -> Scope | None:
        """Return the scope of an order, searched under each merchant; None where there is no such order."""
        return self._finder.scope_of_order(self._scopes(instance, world), order_id)

    def scope_of_payin(self, instance: str, world: World, payin_id: int) -> Scope | None:
        return self._finder.scope_of_payin(self._scopes(instance, world), payin_id)

    def scope_of_payout(self, instance: str, world: World, payout_id: int) -> Scope | None:
        return self._finder.scope_of_payout(self._scopes(instance, world), payout_id)

    def open_payins(self, instance: str, world: World) -> Source[Payin]:
        """Return the payins of all merchants that wait for the operator, or for a callback."""
        return self._open(instance, world, PAYIN, self._finder.payins_at, lambda payin: payin.payin_id)

    def open_payouts(self, instance: str, world: World) -> Source[Payout]:
        """Return the payouts of all merchants that wait for the operator: those that leave the ledger (E42)."""
        return self._open(instance, world, PAYOUT, self._finder.payouts_at, lambda payout: payout.payout_id)

    def orders_of(self, payments: Sequence[Payin | Payout]) -> dict[int, Order]:
        """Return the orders of payments, by id: unique in an instance."""
        found = self._finder.orders_at(list({(one.scope, one.order_id): None for one in payments}))
        return {order.order_id: order for order in found}

    def scope_of_wallet(self, instance: str, world: World, uuid: str) -> Scope | None:
        return self._finder.scope_of_wallet(self._scopes(instance, world), uuid)

    def _open(
        self,
        instance: str,
        world: World,
        kind: str,
        at: Callable[[Sequence[tuple[Scope, int]]], list[T]],
        id_of: Callable[[T], int],
    ) -> Source[T]:
        def rows(newest_first: bool, at_once: int) -> Iterator[T]:
            places = self._finder.open_payments(instance, world, kind, newest_first=newest_first)
            for first in range(0, len(places), at_once):
                found = {id_of(one): one for one in at(places[first : first + at_once])}
                yield from (found[number] for _, number in places[first : first + at_once] if number in found)

        def one(number: int) -> T | None:
            return next((thing for thing in rows(True, ROWS_AT_ONCE) if id_of(thing) == number), None)

        return Source(rows, lambda: len(self._finder.open_payments(instance, world, kind, newest_first=True)), one)

    def _scopes(self, instance: str, world: World) -> list[Scope]:
        return [merchant.scope(world) for merchant in self._desks.merchants(instance)]

    def _source(
        self, scope: Scope, rows: _Rows[T], count: Callable[[Counts], int], one: Callable[[Scope, int], T | None]
    ) -> Source[T]:
        return Source(
            lambda newest_first, at_once: rows(scope, newest_first=newest_first, page_rows=at_once),
            lambda: count(self._escrows.counts(scope)),
            partial(one, scope),
        )
