"""Escrow orders and their payins, payouts, refunds, customers and wallets (table ``escrows``): reads and writes.

Every write of an order is conditional on the version that was read, so one of two concurrent commands is refused.
Payins, payouts and refunds change in the transaction of their order's step. Names (uuids, e-mail addresses, phone
numbers, public ids) are rows of their own, each taken once.

Ids come from one atomic counter for each instance and kind, shared by the worlds. The orders' counter also keeps the
last creation time, which never decreases: orders by id are orders by creation time, so a page of the default list costs
its rows only, however many orders there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from heapq import merge
from typing import TypeVar

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Counts, Customer, Order, Scope, Wallet
from chalicelib.domain.escrow.payments import Payin, PayinStatus, Payout, PayoutStatus, Refund
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_rows import (
    CUSTOMER,
    ORDER,
    PAYIN,
    PAYOUT,
    REFUND,
    RELEASE_SHARDS,
    WALLET,
    Key,
    counter_key,
    counts_key,
    customer_of,
    email_key,
    id_key,
    link_row,
    name_key,
    number_in,
    open_payment,
    open_payment_key,
    order_of,
    owner_of,
    payin_of,
    payout_of,
    phone_key,
    pointer,
    public_id_key,
    refund_of,
    row_of_customer,
    row_of_order,
    row_of_payin,
    row_of_payout,
    row_of_refund,
    row_of_wallet,
    wallet_of,
)
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Put, Update, Write, as_refused

TABLE = "escrows"
DUE_INDEX = "releases_due"
PAGE_ROWS = 100
COUNTER_TRIES_MAX = 8
ID_MAX = 10**12 - 1

T = TypeVar("T")


class Escrows:
    def __init__(self, database: Database) -> None:
        self._database = database

    # --- reads, as of now

    def order(self, scope: Scope, order_id: int) -> Order | None:
        return self._by_id(scope, ORDER, order_id, order_of)

    def attached(self, order: Order) -> tuple[Payin | None, Payout | None]:
        """Return the order's latest payin and payout, with one read."""
        scope, payin_id, payout_id = order.scope, order.payin_id, order.payout_id
        keys = [id_key(scope, PAYIN, payin_id)] if payin_id is not None else []
        keys += [id_key(scope, PAYOUT, payout_id)] if payout_id is not None else []
        payin, payout = None, None
        for row in self._database.get_many(TABLE, keys):
            if row["entry"].startswith(f"{PAYIN}/"):
                payin = payin_of(row)
            else:
                payout = payout_of(row)
        return payin, payout

    def payin(self, scope: Scope, payin_id: int) -> Payin | None:
        return self._by_id(scope, PAYIN, payin_id, payin_of)

    def payout(self, scope: Scope, payout_id: int) -> Payout | None:
        return self._by_id(scope, PAYOUT, payout_id, payout_of)

    def refund(self, scope: Scope, refund_id: int) -> Refund | None:
        return self._by_id(scope, REFUND, refund_id, refund_of)

    def customer(self, scope: Scope, uuid: str) -> Customer | None:
        """Return a customer by uuid, hidden ones included."""
        number = self._pointed(name_key(scope, "customer-uuid", uuid))
        return None if number is None else self.customer_by_id(scope, number)

    def customer_by_id(self, scope: Scope, customer_id: int) -> Customer | None:
        return self._by_id(scope, CUSTOMER, customer_id, customer_of)

    def customers_by_id(self, scope: Scope, customer_ids: Iterable[int]) -> dict[int, Customer]:
        """Return the existing customers, by id: one read for each 100."""
        keys = [id_key(scope, CUSTOMER, number) for number in dict.fromkeys(customer_ids)]
        found = map(customer_of, self._database.get_many(TABLE, keys))
        return {customer.customer_id: customer for customer in found}

    def customer_with_email(self, scope: Scope, email: str) -> Customer | None:
        number = self._pointed(email_key(scope, email))
        return None if number is None else self.customer_by_id(scope, number)

    def customer_with_phone(self, scope: Scope, prefix: str, phone: str) -> Customer | None:
        number = self._pointed(phone_key(scope, prefix, phone))
        return None if number is None else self.customer_by_id(scope, number)

    def wallet(self, scope: Scope, uuid: str) -> Wallet | None:
        number = self._pointed(name_key(scope, "wallet-uuid", uuid))
        return None if number is None else self.wallet_by_id(scope, number)

    def wallet_by_id(self, scope: Scope, wallet_id: int) -> Wallet | None:
        return self._by_id(scope, WALLET, wallet_id, wallet_of)

    def wallets_of(self, customer: Customer) -> list[Wallet]:
        """Return a customer's wallets, by id."""
        keys = [id_key(customer.scope, WALLET, number) for number in customer.wallets.values()]
        found = map(wallet_of, self._database.get_many(TABLE, keys))
        return sorted(found, key=lambda wallet: wallet.wallet_id)

    def counts(self, scope: Scope) -> Counts:
        """Return the number of objects of each kind, with one read."""
        row = self._database.get(TABLE, counts_key(scope)) or {}
        return Counts(**{field.name: row.get(field.name, 0) for field in fields(Counts)})

    def orders(self, scope: Scope, *, newest_first: bool = True, page_rows: int = PAGE_ROWS) -> Iterator[Order]:
        """Yield all orders by id, which is by creation time. Reads a page of rows at a time."""
        return map(order_of, self._listed(scope, ORDER, newest_first, page_rows))

    def payins(self, scope: Scope, *, newest_first: bool = True, page_rows: int = PAGE_ROWS) -> Iterator[Payin]:
        return map(payin_of, self._listed(scope, PAYIN, newest_first, page_rows))

    def payouts(self, scope: Scope, *, newest_first: bool = True, page_rows: int = PAGE_ROWS) -> Iterator[Payout]:
        return map(payout_of, self._listed(scope, PAYOUT, newest_first, page_rows))

    def refunds(self, scope: Scope, *, newest_first: bool = True, page_rows: int = PAGE_ROWS) -> Iterator[Refund]:
        return map(refund_of, self._listed(scope, REFUND, newest_first, page_rows))

    def customers(self, scope: Scope, *, newest_first: bool = True, page_rows: int = PAGE_ROWS) -> Iterator[Customer]:
        """Yield all customers by id, except the merchant's own (E18)."""
        found = map(customer_of, self._listed(scope, CUSTOMER, newest_first, page_rows))
        return (customer for customer in found if not customer.is_hidden)

    def wallets(self, scope: Scope, *, newest_first: bool = True, page_rows: int = PAGE_ROWS) -> Iterator[Wallet]:
        """Yield all wallets by id, the merchant's own included."""
        return map(wallet_of, self._listed(scope, WALLET, newest_first, page_rows))

    def due_releases(self, now_s: int) -> Iterator[tuple[str, int]]:
        """Yield the orders (owner, id) that are due for release, the earliest due first.

        The index trails the table a little, so the releasing command reads the order again.
        """
        condition = "#release_shard = :shard AND #release_at_s <= :now"
        shards = [
            self._database.query(
                TABLE, condition, {":shard": f"release/{shard}", ":now": now_s}, IndexName=DUE_INDEX, Limit=PAGE_ROWS
            )
            for shard in range(RELEASE_SHARDS)
        ]
        for row in merge(*shards, key=lambda row: (row["release_at_s"], row["owner"], row["entry"])):
            yield row["owner"], number_in(row["entry"])

    def rows(self) -> Iterator[Row]:
        """Yield every row. For operators: scans the table."""
        return self._database.scan(TABLE)

    # --- counters

    def next_id(self, instance: str, kind: str, count: int = 1) -> int:
        """Take the next id of a kind, or the first of several consecutive ones. Unused ids leave gaps.

        So do attempts whose answers are lost: the next attempt takes higher ids. Raises Unavailable: ids may have been
        taken then, and nothing else is changed.
        """
        update = Update(TABLE, counter_key(instance, kind), "ADD #last :count", values={":count": count})
        return int(self._counted(update)["last"]) - count + 1

    def _counted(self, update: Update) -> Row:
        try:
            return self._database.write(update, as_refused)
        except OutcomeUnknown as unknown:
            raise Unavailable(str(unknown)) from unknown

    def next_order(self, instance: str, now_s: int) -> tuple[int, int]:
        """Take the next order id. Return it with the creation time: now, or the last order's if that is later.

        Raises Unavailable, as ``next_id`` does, and if the clocks of concurrent processes keep disagreeing.
        """
        key, one = counter_key(instance, ORDER), {":one": 1, ":now": now_s}
        no_order_yet, last_is_earlier = "attribute_not_exists(#created_at_s)", "#created_at_s <= :now"
        forward = f"{no_order_yet} OR {last_is_earlier}"
        last_is_later = "#created_at_s > :now"

        def once() -> tuple[int, int]:
            for expression, condition in (
                ("ADD #last :one SET #created_at_s = :now", forward),
                ("ADD #last :one", last_is_later),
            ):
                try:
                    row = self._counted(Update(TABLE, key, expression, condition, one))
                except ConditionFailed:  # this clock is behind another's, or no longer is: try the other update
                    continue
                return int(row["last"]), int(row["created_at_s"])
            raise Contended

        busy = Unavailable("the counter of orders keeps changing")
        return until_written(once, COUNTER_TRIES_MAX, self._database.pause, busy)

    # --- writes of a step

    def put_order(self, order: Order) -> list[Write]:
        """Return the writes that put a new order, take its public id and links (refused: taken) and count it."""
        order_not_exists, public_id_is_free = "attribute_not_exists(#entry)", "attribute_not_exists(#entry)"
        links_are_free = "attribute_not_exists(#entry)"
        public_id = public_id_key(order.scope.instance, order.public_id)
        return [
            Put(TABLE, row_of_order(order), order_not_exists),
            Put(TABLE, pointer(public_id, order.order_id), public_id_is_free),
            Put(TABLE, link_row(order), links_are_free),
            self.count(order.scope, orders=1),
        ]

    def change_order(self, before: Order, after: Order) -> Write:
        """Return the write of the order's next version. Refused if the order is no longer as it was read."""
        version_as_read, status_as_read = "#version = :read_version", "#status = :from"
        values = {":read_version": before.version, ":from": before.status.value}
        return Put(TABLE, row_of_order(after), f"{version_as_read} AND {status_as_read}", values)

    def put_payin(self, payin: Payin, before: PayinStatus | None) -> list[Write]:
        """Return the writes of a payin. before: its status before (refused: changed since); None: it is new."""
        was_open, is_open = before is PayinStatus.CREATED, payin.status is PayinStatus.CREATED
        marks = _marks(payin.scope, PAYIN, payin.payin_id, was_open, is_open)
        return [_put(row_of_payin(payin), before), *marks]

    def put_payout(self, payout: Payout, before: PayoutStatus | None) -> list[Write]:
        """Return the writes of a payout; as put_payin."""
        was_open = payout.is_external and before is PayoutStatus.CREATED
        is_open = payout.is_external and payout.status is PayoutStatus.CREATED
        marks = _marks(payout.scope, PAYOUT, payout.payout_id, was_open, is_open)
        return [_put(row_of_payout(payout), before), *marks]

    def put_refund(self, refund: Refund) -> Write:
        return _put(row_of_refund(refund), None)

    def put_customer(self, customer: Customer, wallets: Sequence[Wallet]) -> list[Write]:
        """Return the writes of a new customer, its wallets, its names (refused: taken) and their count."""
        not_exists = "attribute_not_exists(#entry)"
        uuid = name_key(customer.scope, "customer-uuid", customer.uuid)
        writes: list[Write] = [
            Put(TABLE, row_of_customer(customer), not_exists),
            Put(TABLE, pointer(uuid, customer.customer_id), not_exists),
            *(self._take(customer, key) for key in contact_keys(customer)),
            *(write for wallet in wallets for write in self.put_wallet(wallet)),
        ]
        customers = 0 if customer.is_hidden else 1
        return [*writes, self.count(customer.scope, customers=customers, wallets=len(wallets))]

    def change_customer(self, before: Customer, after: Customer) -> list[Write]:
        """Return the writes that change a customer (refused: changed since) and the names that it takes (refused:
        taken) or releases (refused: not its own).
        """
        version_as_read = "#version = :read_version"
        old, new = contact_keys(before), contact_keys(after)
        return [
            Put(TABLE, row_of_customer(after), version_as_read, {":read_version": before.version}),
            *(self._take(after, key) for key in new if key not in old),
            *(self._give_up(before, key) for key in old if key not in new),
        ]

    def put_wallet(self, wallet: Wallet) -> list[Write]:
        """Return the writes of a new wallet; ``count`` counts it."""
        not_exists = "attribute_not_exists(#entry)"
        uuid = name_key(wallet.scope, "wallet-uuid", wallet.uuid)
        return [
            Put(TABLE, row_of_wallet(wallet), not_exists),
            Put(TABLE, pointer(uuid, wallet.wallet_id), not_exists),
        ]

    def count(self, scope: Scope, **more: int) -> Write:
        """Return the write that adds to the scope's totals, by kind. Never refused."""
        adds = ", ".join(f"#{kind} :{kind}" for kind in more)
        return Update(TABLE, counts_key(scope), f"ADD {adds}", values={f":{kind}": n for kind, n in more.items()})

    def _take(self, customer: Customer, key: Key) -> Write:
        name_is_free = "attribute_not_exists(#entry)"
        return Put(TABLE, pointer(key, customer.customer_id), name_is_free)

    def _give_up(self, customer: Customer, key: Key) -> Write:
        name_is_its_own = "#of = :customer"
        return Delete(TABLE, key, name_is_its_own, {":customer": customer.customer_id})

    # --- reading rows

    def _by_id(self, scope: Scope, kind: str, number: int, thing_of: Callable[[Row], T]) -> T | None:
        if not 0 < number <= ID_MAX:
            return None
        row = self._database.get(TABLE, id_key(scope, kind, number))
        return None if row is None else thing_of(row)

    def _pointed(self, key: Key) -> int | None:
        row = self._database.get(TABLE, key)
        return None if row is None else int(row["of"])

    def _listed(self, scope: Scope, kind: str, newest_first: bool, page_rows: int) -> Iterator[Row]:
        condition = "#owner = :owner AND begins_with(#entry, :kind)"
        values = {":owner": owner_of(scope), ":kind": f"{kind}/"}
        options = {"ScanIndexForward": not newest_first, "Limit": page_rows}
        return self._database.query(TABLE, condition, values, **options)


def contact_keys(customer: Customer) -> list[Key]:
    """Return the keys of the names that identify a customer (E18)."""
    keys = [email_key(customer.scope, customer.email)] if customer.email is not None else []
    if customer.prefix is not None and customer.phone is not None:
        keys.append(phone_key(customer.scope, customer.prefix, customer.phone))
    return keys


def _marks(scope: Scope, kind: str, number: int, was_open: bool, is_open: bool) -> list[Write]:
    """Return the write that marks a payin or payout as open, or no longer."""
    if is_open == was_open:
        return []
    if is_open:
        return [Put(TABLE, open_payment(scope, kind, number))]
    return [Delete(TABLE, open_payment_key(scope, kind, number))]


def _put(row: Row, before: PayinStatus | PayoutStatus | Status | None) -> Write:
    not_exists, status_as_read = "attribute_not_exists(#entry)", "#status = :from"
    if before is None:
        return Put(TABLE, row, not_exists)
    return Put(TABLE, row, status_as_read, {":from": before.value})
