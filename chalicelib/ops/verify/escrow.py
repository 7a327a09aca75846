"""Checks escrow orders against each other, the outbox and the ledger.

They have no journal, but everything written in one transaction must agree: an order with its payins, payout and
refunds, with the events that led to its status, and with the ledger's rows; each name with its owner; counts and
counters with the rows counted. The amounts that orders hold are passed on, to be compared with their buyers' accounts.

Memory: about 3 KB for each order and customer, 1 KB for each other row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from chalicelib.domain.escrow.lifecycle import TRANSITIONS, UNPAID, UPDATED, Status
from chalicelib.domain.escrow.order import (
    Customer,
    Order,
    OtherWorldsAsset,
    Payin,
    PayinStatus,
    PayinType,
    Payout,
    PayoutStatus,
    Refund,
    Wallet,
    refuse_other_worlds_asset,
)
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.ledger.changes import Leg
from chalicelib.domain.ledger.feed import BALANCE_CHANGED
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.services.books.disagreements import NOTHING, Disagreement, difference, typed
from chalicelib.services.books.disagreements import UNREADABLE as CANNOT_BE_READ
from chalicelib.tables.escrow_rows import (
    CUSTOMER,
    ORDER,
    PAYIN,
    PAYOUT,
    WALLET,
    counter_key,
    customer_of,
    id_key,
    name_key,
    number_in,
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
RowKey = tuple[str, str]
"""Owner and entry."""
Legs = Mapping[tuple[str, str], list[Leg]]
"""By instance and reference: the ledger's transactions of orders."""
UNREADABLE = (*CANNOT_BE_READ, OtherWorldsAsset)
_COUNTED = {ORDER: "orders", PAYIN: "payins", PAYOUT: "payouts", WALLET: "wallets"}


class _Told(NamedTuple):
    """What an entry of the outbox tells of a step. events: the name of each, with the status that it enters."""

    log: str
    number: int
    command: str
    events: tuple[tuple[str, Status], ...]


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
    steps: defaultdict[tuple[str, int], list[_Told]] = field(default_factory=lambda: defaultdict(list))
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
            return Disagreement(_where(key), "a row that can be read", repr(error))
        return None

    def add_step(self, command: str, events: Sequence[FeedEvent]) -> None:
        """Add an entry of the outbox, of a lane of escrow orders. Raises one of UNREADABLE."""
        told: defaultdict[tuple[str, int], list[tuple[str, Status]]] = defaultdict(list)
        for event in events:
            if event.type != BALANCE_CHANGED:
                escrow: Any = event.body["escrow"]
                told[event.instance, int(escrow["id"])].append((event.type, Status(escrow["status"])))
        for order, of_order in told.items():
            self.steps[order].append(_Told(events[0].log, events[0].sequence, command, tuple(of_order)))

    def disagreements(self, legs: Legs) -> Iterator[Disagreement | None]:
        """Yield disagreements: orders first, by owner and id, then names, counts and counters."""
        payins, refunds = _by_order(self.payins.values()), _by_order(self.refunds.values())
        payouts = _by_order(self.payouts.values())
        for key, order in sorted(self.orders.items()):
            yield from _money(key, order, refunds.pop(key, []))
            yield from _payins(key, order, payins.pop(key, []))
            yield _payout(key, order, payouts.pop(key, []))
            yield from _steps(key, order, self.steps.pop((order.scope.instance, order.order_id), []))
            yield _legs(key, order, self.payins, legs)
        for orphans in (payins, payouts, refunds):
            for key in sorted(orphans):
                yield Disagreement(_where(key), "the order of a payin, payout or refund", "no row")
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
            customer = self.customers.get(_row_key(id_key(order.scope, CUSTOMER, party.customer_id)))
            wallet = customer.wallets.get(order.currency.code) if customer else None
            expected = (customer.uuid, wallet) if customer else NOTHING
            yield _same(f"{_where(key)}, {name}, uuid and wallet", expected, (party.uuid, party.wallet_id))

    def _wallets(self) -> Iterator[Disagreement | None]:
        """Compare customers with their wallets: each must name the other."""
        belonging: dict[RowKey, tuple[int, str, str]] = {}
        for customer in self.customers.values():
            for code, wallet_id in customer.wallets.items():
                key = _row_key(id_key(customer.scope, WALLET, wallet_id))
                belonging[key] = (customer.customer_id, customer.uuid, code)
        found = {
            key: (wallet.customer_id, wallet.customer_uuid, wallet.currency.code)
            for key, wallet in self.wallets.items()
        }
        for key in sorted({*belonging, *found}):
            if belonging.get(key) != found.get(key):
                expected = f"{belonging[key]}, by its customer" if key in belonging else NOTHING
                yield Disagreement(_where(key), expected, str(found.get(key, "no row")))

    def _others(self) -> Iterator[Disagreement | None]:
        """Compare names, counts and counters: all expected ones must exist, and no others."""
        expected = self._names() | self._counts()
        last_ids = self._last_ids()
        for key in sorted({*expected, *self.others, *last_ids}):
            row = self.others.get(key)
            if key in last_ids:
                counted = row["last"] if row else 0
                if counted < last_ids[key]:
                    yield Disagreement(f"{_where(key)}, last", f"{last_ids[key]} at least", str(counted))
            elif key in expected and row is not None:
                yield difference(_where(key), expected[key], row, 0)
            elif row is None:
                yield Disagreement(_where(key), "the row", "no row")
            elif not key[1].startswith("counter/"):
                yield Disagreement(_where(key), "no row: nothing has this name", "a row")

    def _names(self) -> dict[RowKey, Row]:
        names: list[Row] = []
        for customer in self.customers.values():
            uuid = name_key(customer.scope, "customer-uuid", customer.uuid)
            names += [pointer(key, customer.customer_id) for key in (uuid, *contact_keys(customer))]
        for wallet in self.wallets.values():
            names.append(pointer(name_key(wallet.scope, "wallet-uuid", wallet.uuid), wallet.wallet_id))
        for order in self.orders.values():
            names.append(pointer(public_id_key(order.scope.instance, order.public_id), order.order_id))
        return {(row["owner"], row["entry"]): row for row in names}

    def _counts(self) -> dict[RowKey, Row]:
        """Return the expected rows of counts; kinds with a count of 0 may be missing in the stored ones."""
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for owner, entry in [*self.orders, *self.payins, *self.payouts, *self.wallets]:
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
            key = _row_key(counter_key(owner.partition("/")[0], entry.partition("/")[0]))
            last[key] = max(last.get(key, 0), number_in(entry))
        return last


def _payins(key: RowKey, order: Order, payins: list[Payin]) -> Iterator[Disagreement | None]:
    where = _where(key)
    yield _same(f"{where}, payins", len(payins), order.payins)
    latest = next((payin for payin in payins if payin.payin_id == order.payin_id), None)
    if latest is None and (payins or order.payin_id is not None):
        yield Disagreement(f"{where}, payin_id", "that of one of its payins", str(order.payin_id))
    yield _same(f"{where}, payin_amount", order.payin_amount is not None, order.is_paid)
    for payin in payins:
        is_latest = payin is latest
        if is_latest and order.is_paid:
            may_be = {PayinStatus.CONFIRMED, PayinStatus.REFUNDED}
            yield _same(f"{where}, amount of payin {payin.payin_id}", order.payin_amount, payin.amount)
            yield _same(f"{where}, value", payin.amount, order.value)
            yield _same(f"{where}, buyer", payin.buyer, order.buyer)
            yield _same(f"{where}, seller", payin.seller, order.seller)
            wallet_id = order.buyer and order.buyer.wallet_id if payin.type is PayinType.WALLET else None
            yield _same(f"{where}, wallet of payin {payin.payin_id}", wallet_id, payin.wallet_id)
        elif is_latest and order.status is Status.PENDING_PUBLISH:
            may_be = {PayinStatus.CREATED}
        else:
            may_be = {PayinStatus.DENIED, PayinStatus.CANCELLED}
        if payin.status not in may_be:
            expected = " or ".join(sorted(may_be))
            yield Disagreement(f"{where}, status of payin {payin.payin_id}", expected, payin.status.value)
        is_confirmed = payin.status in (PayinStatus.CONFIRMED, PayinStatus.REFUNDED)
        yield _same(f"{where}, payin {payin.payin_id} confirmed", is_confirmed, payin.confirmed_at_s is not None)
        is_denied = payin.status is PayinStatus.DENIED
        yield _same(f"{where}, payin {payin.payin_id} denied", is_denied, payin.denied_at_s is not None)
    is_refunded = latest is not None and latest.status is PayinStatus.REFUNDED
    gave_all_back = order.is_paid and order.hold == 0 and order.released is None and order.refunds > 0
    yield _same(f"{where}, all of its payin refunded", gave_all_back, is_refunded)


def _money(key: RowKey, order: Order, refunds: list[Refund]) -> Iterator[Disagreement | None]:
    """Compare the amount that an order holds with its payins, payout and refunds."""
    where = _where(key)
    yield _same(f"{where}, refunds", list(range(1, order.refunds + 1)), sorted(refund.number for refund in refunds))
    wallets = {refund.wallet_id for refund in refunds}
    if wallets and order.buyer is not None:
        yield _same(f"{where}, wallet of its refunds", {order.buyer.wallet_id}, wallets)
    out = order.released.paid + order.released.fee if order.released else 0
    left = (order.payin_amount or 0) - sum(refund.amount for refund in refunds) - out
    yield _same(f"{where}, hold", left, order.hold)
    yield _same(f"{where}, released", order.status is Status.RELEASED, order.released is not None)
    yield _same(f"{where}, released_at_s", order.released is not None, order.released_at_s is not None)
    yield _same(f"{where}, cancelled_at_s", order.status is Status.CANCELLED, order.cancelled_at_s is not None)
    if order.status is not Status.CANCELLED:
        yield _same(f"{where}, buyer named", order.status is not Status.PENDING_DETAILS, order.buyer is not None)
        yield _same(f"{where}, paid", order.status not in UNPAID, order.is_paid)
    if order.released is not None:
        yield _same(f"{where}, fee", order.fee_terms.fee(order.currency).of(out), order.released.fee)
    if order.status in (Status.RELEASED, Status.CANCELLED):
        yield _same(f"{where}, hold", 0, order.hold)


def _payout(key: RowKey, order: Order, payouts: list[Payout]) -> Disagreement | None:
    by_status = {Status.RELEASED: PayoutStatus.CONFIRMED, Status.CANCELLED: PayoutStatus.CANCELLED}
    status = by_status.get(order.status, PayoutStatus.CREATED)
    is_confirmed = status is PayoutStatus.CONFIRMED
    payout = (order.payout_id, status.value, order.seller.wallet_id, is_confirmed)
    expected = [] if order.payout_id is None else [payout]
    found = [(one.payout_id, one.status.value, one.wallet_id, one.confirmed_at_s is not None) for one in payouts]
    return _same(f"{_where(key)}, payouts", expected, found)


def _steps(key: RowKey, order: Order, steps: list[_Told]) -> Iterator[Disagreement | None]:
    """Compare the outbox: one entry a version, events that lead from status to status up to the order's, and a last
    entry by the command that wrote the order.
    """
    status: Status | None = None
    for log, number, _, events in sorted(steps):
        for name, entered in events:
            if not _leads(status, name, entered):
                yield Disagreement(
                    f"outbox {log}, entry {number}", f"an event that leaves {status}", f"{name} {entered}"
                )
            status = entered
    yield _same(f"{_where(key)}, status", status, order.status)
    yield _same(f"{_where(key)}, entries of the outbox", order.version, len(steps))
    if steps:
        yield _same(f"{_where(key)}, command", max(steps).command, order.command)


def _leads(left: Status | None, name: str, entered: Status) -> bool:
    """Return whether an event of this name leads from one status to another."""
    if left is None or (name == UPDATED and left is entered):
        return name == UPDATED
    found = (one for (status, _), one in TRANSITIONS.items() if status is left)
    return any(one.event == name and one.target in (entered, None) for one in found)


def _legs(key: RowKey, order: Order, payins: Mapping[RowKey, Payin], legs: Legs) -> Disagreement | None:
    """Compare the ledger's rows of an order. Other transactions may use its reference, but only an order's fee is a
    fee.
    """
    expected: list[Leg] = []
    payin = payins.get(_row_key(id_key(order.scope, PAYIN, order.payin_id or 0)))
    asset, buyer, seller = order.currency.asset, order.buyer, order.seller_account.customer
    if order.payin_amount and payin and payin.type is PayinType.BANKWIRE:
        expected.append(Leg(TransactionType.CREDIT, asset, None, order.buyer_account.customer, order.payin_amount))
    if order.released is not None and buyer is not None:
        amount = order.released.paid + order.released.fee
        expected.append(Leg(TransactionType.TRANSFER, asset, order.buyer_account.customer, seller, amount))
        expected.append(Leg(TransactionType.FEE, asset, seller, None, order.released.fee))
    found = Counter(legs.get((order.scope.instance, f"order:{order.order_id}"), []))
    missing = Counter(leg for leg in expected if leg.amount) - found
    where = f"{_where(key)}, transactions"
    for leg in missing:
        return Disagreement(where, str(leg), NOTHING)
    too_many = [leg for leg in found if leg.kind is TransactionType.FEE and leg not in expected]
    return Disagreement(where, NOTHING, str(too_many[0])) if too_many else None


def _by_order(things: Iterable[Payin | Payout | Refund]) -> dict[RowKey, list]:  # type: ignore[type-arg]
    found: defaultdict[RowKey, list] = defaultdict(list)  # type: ignore[type-arg]
    for thing in things:
        found[_row_key(id_key(thing.scope, ORDER, thing.order_id))].append(thing)
    return found


def _same(where: str, expected: object, found: object) -> Disagreement | None:
    return None if expected == found else Disagreement(where, str(expected), str(found))


def _row_key(key: Mapping[str, str]) -> RowKey:
    return key["owner"], key["entry"]


def _where(key: RowKey) -> str:
    return f"escrow row {key[1]} of {key[0]}"
