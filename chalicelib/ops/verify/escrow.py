"""Checks escrow orders against each other, the outbox and the ledger.

They have no journal, but everything written in one transaction must agree: an order with its payins, payout and
refunds, with the events that led to its status, and with the ledger's rows; each name with its owner; counts and
counters with the rows counted. The amounts that orders hold are passed on, to be compared with their buyers' accounts.

Memory: about 3 KB for each order and customer, 1 KB for each other row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Customer, Order, OtherWorldsAsset, Wallet, refuse_other_worlds_asset
from chalicelib.domain.escrow.payments import Payin, PayinStatus, Payout, PayoutStatus, Refund
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.ledger.feed import BALANCE_CHANGED
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.ops.verify.escrow_orders import Legs, RowKey, Told, order_disagreements, row_key, same, where_of
from chalicelib.services.books.disagreements import NOTHING, Disagreement, difference, typed
from chalicelib.services.books.disagreements import UNREADABLE as CANNOT_BE_READ
from chalicelib.tables.escrow_rows import (
    CUSTOMER,
    ORDER,
    PAYIN,
    PAYOUT,
    REFUND,
    WALLET,
    counter_key,
    customer_of,
    id_key,
    link_row,
    name_key,
    number_in,
    open_payment,
    order_of,
    payin_of,
    payout_of,
    pointer,
    public_id_key,
    refund_of,
    wallet_of,
)
from chalicelib.tables.escrows import contact_keys
from chalicelib.tables.rows import Row, whole

Account = tuple[str, str]
UNREADABLE = (*CANNOT_BE_READ, OtherWorldsAsset)
_COUNTED = {ORDER: "orders", PAYIN: "payins", PAYOUT: "payouts", REFUND: "refunds", WALLET: "wallets"}


@dataclass(slots=True)
class EscrowCheck:
    """The rows of one reading. orders: without metadata and template, which no other row repeats."""

    orders: dict[RowKey, Order] = field(default_factory=dict)
    payins: dict[RowKey, Payin] = field(default_factory=dict)
    payouts: dict[RowKey, Payout] = field(default_factory=dict)
    refunds: dict[RowKey, Refund] = field(default_factory=dict)
    customers: dict[RowKey, Customer] = field(default_factory=dict)
    wallets: dict[RowKey, Wallet] = field(default_factory=dict)
    others: dict[RowKey, Row] = field(default_factory=dict)
    """Names, counts and counters."""
    steps: defaultdict[tuple[str, int], list[Told]] = field(default_factory=lambda: defaultdict(list))
    """By instance and order: what the outbox tells of its steps."""

    def has_rows_of(self, other: EscrowCheck) -> bool:
        """Return whether the rows of the table ``escrows`` are the same in both readings."""
        kinds = ("orders", "payins", "payouts", "refunds", "customers", "wallets", "others")
        return all(getattr(self, kind) == getattr(other, kind) for kind in kinds)

    def add(self, row: Row) -> Disagreement | None:
        """Add a row of the table ``escrows``."""
        key = row["owner"], row["entry"]
        try:
            match row["entry"].partition("/")[0]:
                case "order":
                    for name in ("images", "payin_types", "payin_fallback"):
                        if not isinstance(row[name], list) or not all(isinstance(one, str) for one in row[name]):
                            raise TypeError(f"{name}: {row[name]!r}")
                    order = typed(replace(order_of(row), metadata={}, template={}))
                    refuse_other_worlds_asset("the order", order.scope.world, order.currency)
                    self.orders[key] = order
                case "payin":
                    self.payins[key] = typed(payin_of(row))
                case "payout":
                    self.payouts[key] = typed(payout_of(row))
                case "refund":
                    self.refunds[key] = typed(refund_of(row))
                case "customer":
                    self.customers[key] = typed(customer_of(row))
                case "wallet":
                    wallet = typed(wallet_of(row))
                    refuse_other_worlds_asset("the wallet", wallet.scope.world, wallet.currency)
                    self.wallets[key] = wallet
                case "counter":
                    whole(row, "last")
                    if row["entry"] == f"counter/{ORDER}":
                        whole(row, "created_at_s")
                    self.others[key] = row
                case _:
                    self.others[key] = row
        except UNREADABLE as error:
            return Disagreement(where_of(key), "a row that can be read", repr(error))
        return None

    def add_step(self, command: str, events: Sequence[FeedEvent]) -> None:
        """Add an entry of the outbox, of a lane of escrow orders. Raises one of UNREADABLE."""
        told: defaultdict[tuple[str, int], list[tuple[str, Status]]] = defaultdict(list)
        for event in events:
            if event.type != BALANCE_CHANGED:
                escrow: Any = event.body["escrow"]
                told[event.instance, int(escrow["id"])].append((event.type, Status(escrow["status"])))
        for order, of_order in told.items():
            self.steps[order].append(Told(events[0].log, events[0].sequence, command, tuple(of_order)))

    def disagreements(self, legs: Legs) -> Iterator[Disagreement | None]:
        """Yield disagreements: orders first, by owner and id, then names, counts and counters."""
        payins, refunds = _by_order(self.payins.values()), _by_order(self.refunds.values())
        payouts = _by_order(self.payouts.values())
        for key, order in sorted(self.orders.items()):
            told = self.steps.pop((order.scope.instance, order.order_id), [])
            of_order = payins.pop(key, []), payouts.pop(key, []), refunds.pop(key, [])
            yield from order_disagreements(key, order, *of_order, told, legs)
        for orphans in (payins, payouts, refunds):
            for key in sorted(orphans):
                yield Disagreement(where_of(key), "the order of a payin, payout or refund", "no row")
        for instance, order_id in sorted(self.steps):
            yield Disagreement(f"outbox of {instance}", f"order {order_id}, which it names", "no row")
        yield from self._wallets()
        for key, order in sorted(self.orders.items()):
            yield from self._parties(key, order)
        yield from self._others()

    def holds(self) -> Iterator[tuple[Account, int]]:
        """Yield the amount that each order holds, with the account that holds it."""
        for order in self.orders.values():
            if order.hold:
                account = order.buyer_account
                yield (customer_key(order.scope.instance, str(account.customer)), account.asset), order.hold

    def _parties(self, key: RowKey, order: Order) -> Iterator[Disagreement | None]:
        """Compare an order's parties with their customers."""
        for name, party in (("buyer", order.buyer), ("seller", order.seller)):
            if party is None:
                continue
            customer = self.customers.get(row_key(id_key(order.scope, CUSTOMER, party.customer_id)))
            wallet = customer.wallets.get(order.currency.code) if customer else None
            expected = (customer.uuid, wallet) if customer else NOTHING
            yield same(f"{where_of(key)}, {name}, uuid and wallet", expected, (party.uuid, party.wallet_id))

    def _wallets(self) -> Iterator[Disagreement | None]:
        """Compare customers with their wallets: each must name the other."""
        belonging: dict[RowKey, tuple[int, str, str]] = {}
        for customer in self.customers.values():
            for code, wallet_id in customer.wallets.items():
                key = row_key(id_key(customer.scope, WALLET, wallet_id))
                belonging[key] = (customer.customer_id, customer.uuid, code)
        found = {
            key: (wallet.customer_id, wallet.customer_uuid, wallet.currency.code)
            for key, wallet in self.wallets.items()
        }
        for key in sorted({*belonging, *found}):
            if belonging.get(key) != found.get(key):
                expected = f"{belonging[key]}, by its customer" if key in belonging else NOTHING
                yield Disagreement(where_of(key), expected, str(found.get(key, "no row")))

    def _others(self) -> Iterator[Disagreement | None]:
        """Compare names, counts and counters: all expected ones must exist, and no others."""
        expected = self._names() | self._counts()
        last_ids = self._last_ids()
        for key in sorted({*expected, *self.others, *last_ids}):
            row = self.others.get(key)
            if key in last_ids:
                counted = row["last"] if row else 0
                if counted < last_ids[key]:
                    yield Disagreement(f"{where_of(key)}, last", f"{last_ids[key]} at least", str(counted))
            elif key in expected and row is not None:
                yield difference(where_of(key), expected[key], row, 0)
            elif row is None:
                yield Disagreement(where_of(key), "the row", "no row")
            elif not key[1].startswith("counter/"):
                yield Disagreement(where_of(key), "no row: nothing has this name", "a row")

    def _names(self) -> dict[RowKey, Row]:
        names: list[Row] = []
        for customer in self.customers.values():
            uuid = name_key(customer.scope, "customer-uuid", customer.uuid)
            names += [pointer(key, customer.customer_id) for key in (uuid, *contact_keys(customer))]
        for wallet in self.wallets.values():
            names.append(pointer(name_key(wallet.scope, "wallet-uuid", wallet.uuid), wallet.wallet_id))
        for order in self.orders.values():
            names.append(pointer(public_id_key(order.scope.instance, order.public_id), order.order_id))
            names.append(link_row(order))
        for payin in self.payins.values():
            if payin.status is PayinStatus.CREATED:
                names.append(open_payment(payin.scope, PAYIN, payin.payin_id))
        for payout in self.payouts.values():
            if payout.is_external and payout.status is PayoutStatus.CREATED:
                names.append(open_payment(payout.scope, PAYOUT, payout.payout_id))
        return {(row["owner"], row["entry"]): row for row in names}

    def _counts(self) -> dict[RowKey, Row]:
        """Return the expected rows of counts; kinds with a count of 0 may be missing in the stored ones."""
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for owner, entry in [*self.orders, *self.payins, *self.payouts, *self.refunds, *self.wallets]:
            counted[owner][_COUNTED[entry.partition("/")[0]]] += 1
        for (owner, _), customer in self.customers.items():
            counted[owner]["customers"] += not customer.is_hidden
        rows: dict[RowKey, Row] = {}
        for owner, kinds in counted.items():
            shown = self.others.get((owner, "count"), {})
            zeros = {name: 0 for name in shown if name not in ("owner", "entry")}
            rows[owner, "count"] = {"owner": owner, "entry": "count"} | zeros | {k: n for k, n in kinds.items() if n}
        return rows

    def _last_ids(self) -> dict[RowKey, int]:
        """Return the highest id of each kind of an instance, by counter."""
        last: dict[RowKey, int] = {}
        things = [*self.orders, *self.payins, *self.payouts, *self.refunds, *self.customers, *self.wallets]
        for owner, entry in things:
            key = row_key(counter_key(owner.partition("/")[0], entry.partition("/")[0]))
            last[key] = max(last.get(key, 0), number_in(entry))
        return last


def _by_order(things: Iterable[Payin | Payout | Refund]) -> dict[RowKey, list]:  # type: ignore[type-arg]
    found: defaultdict[RowKey, list] = defaultdict(list)  # type: ignore[type-arg]
    for thing in things:
        found[row_key(id_key(thing.scope, ORDER, thing.order_id))].append(thing)
    return found
