"""Checks signed orders, their fills and takers' lists against each other and the ledger.

They have no journal, but each fact is stored in several places in one transaction: a fill under its order, under its
taker and as transactions; filled and held amounts in the order's row and in its fills. From orders and fills all other
rows are computed anew: exactly these rows must exist.

Memory: about 5 KB for each order with a fill.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.ledger.amounts import worth
from chalicelib.domain.ledger.changes import Leg
from chalicelib.domain.ledger.fees import Fee
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.transactions import TransactionType
from chalicelib.domain.signed.lifecycle import CANCEL_REQUESTED_NOTES, FINAL, Status
from chalicelib.domain.signed.order import DECIMALS_MAX, NOTHING, FillAmounts, Hold, customer_of, fill_id_of
from chalicelib.domain.signed.settings import FEE_BPS_MAX
from chalicelib.domain.signed.settlement import legs_of
from chalicelib.domain.signed.stored import UNFINISHED_TAKERS_MAX, Fill, StoredOrder
from chalicelib.services.books.disagreements import UNREADABLE, Disagreement, difference, typed
from chalicelib.tables.rows import Row
from chalicelib.tables.signed_rows import (
    ORDER,
    count_key,
    fill_of,
    fill_rows,
    filled_row,
    locked_row,
    nonce_row,
    order_of,
    order_owner,
    row_of,
    seen_key,
    unfinished_row,
)

Account = tuple[str, str]
RowKey = tuple[str, str]
"""Owner and entry."""
Legs = Mapping[tuple[str, str], list[Leg]]
"""By instance and reference: the ledger's transactions of fills."""
_HASH = re.compile(r"0x[0-9a-f]{64}")
_WITH_FILLS = {Status.PARTIALLY_FILLED, Status.FILLED}
_WITHOUT_FILLS = {Status.PENDING, Status.LOCKED, Status.REJECTED}
_MAY_BE_LOCKED = {Status.LOCKED, Status.PARTIALLY_FILLED, Status.FILLED}


@dataclass(frozen=True, slots=True)
class _Told:
    """What an entry of the outbox tells of a step. left, entered: statuses, None where it tells none."""

    log: str
    number: int
    command: str
    left: str | None
    entered: str | None
    filled: str | None


@dataclass(slots=True)
class SignedCheck:
    """The table as read."""

    orders: dict[str, StoredOrder] = field(default_factory=dict)
    fills: dict[str, list[Fill]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[str, list[_Told]] = field(default_factory=lambda: defaultdict(list))
    """By order: what the outbox tells of its steps."""
    _rows: dict[RowKey, Row] = field(default_factory=dict)

    def add(self, row: Row) -> Disagreement | None:
        """Add a row. Return a disagreement if it is unreadable."""
        owner, entry = row["owner"], row["entry"]
        self._rows[owner, entry] = row
        try:
            if not isinstance(row.get("reference_id"), str | None):
                raise TypeError(f"reference_id: {row['reference_id']!r}")
            if entry == ORDER:
                self.orders[owner] = _typed_order(order_of(row))
            elif "/signed/" in owner:
                self.fills[owner].append(typed(fill_of(row)))
        except UNREADABLE as error:
            return Disagreement(_where(owner, entry), "a row that can be read", repr(error))
        return None

    def has(self, rows: Iterable[Row]) -> bool:
        """Return whether these rows are all that were added, unchanged."""
        count = 0
        for row in rows:
            count += 1
            if self._rows.get(_key(row)) != row:
                return False
        return count == len(self._rows)

    def add_step(self, command: str, events: Sequence[FeedEvent]) -> None:
        """Add an entry of the outbox, of a lane of signed orders. Raises one of UNREADABLE."""
        event = events[0]
        body: dict[str, Any] = dict(event.body)
        facts = [body.get(name) for name in ("fromStatus", "toStatus", "filledQuantity")]
        told = typed(_Told(event.log, event.sequence, command, *facts))
        self.steps[order_owner(event.instance, str(body["orderId"]))].append(told)

    def holds(self) -> Iterator[tuple[Account, int]]:
        """Yield the amounts that accounts hold for orders, without zeros."""
        for stored in self.orders.values():
            owner = customer_key(stored.instance, customer_of(stored.order.maker))
            hold = stored.state.hold
            for asset, amount in ((customer_of(stored.order.asset), hold.quote), (stored.stock, hold.stock)):
                if amount:
                    yield (owner, asset), amount

    def disagreements(self, legs: Legs) -> Iterator[Disagreement]:
        """Yield disagreements: orders with their fills first, then all rows, then the ledger."""
        for owner, stored in sorted(self.orders.items()):
            yield from _state(stored, self.fills.get(owner, []))
            yield from _steps(stored, self.steps.pop(owner, []))
            for fill in self.fills.get(owner, []):
                yield from _facts(stored, fill)
        for owner in sorted(self.steps):
            yield Disagreement(f"outbox, {owner}", "the order", "no row")
        yield from self._rows_that_differ()
        yield from self._legs_that_differ(legs)

    def _rows_that_differ(self) -> Iterator[Disagreement]:
        unclaimed = set(self._rows)
        for expected in self._expected():
            key = _key(expected)
            unclaimed.discard(key)
            found = self._rows.get(key)
            differs = (
                Disagreement(_where(*key), "the row", "no row")
                if found is None
                else difference(_where(*key), expected, found, 0)
            )
            if differs is not None:
                yield differs
        for key in sorted(unclaimed):
            yield Disagreement(_where(*key), "no row: no order and no fill tells of it", "a row")

    def _expected(self) -> Iterator[Row]:
        """Yield every expected row: those of each order, then the counts of each taker."""
        counts: dict[RowKey, Row] = {}
        for owner, stored in sorted(self.orders.items()):
            yield from self._expected_of(owner, stored)
            fills = self.fills.get(owner, [])
            for taker, number in Counter(customer_of(fill.taker) for fill in fills).items():
                key = count_key(stored.instance, taker)
                count = counts.setdefault(_key(key), key | {"filled_orders": 0, "fills": 0})
                count["filled_orders"] += 1
                count["fills"] += number
        yield from counts.values()

    def _expected_of(self, owner: str, stored: StoredOrder) -> Iterator[Row]:
        """Yield the expected rows of an order with these fills. Latest references are taken as stored."""
        fills = self.fills.get(owner, [])
        yield row_of(stored)
        yield nonce_row(stored)
        takers: dict[str, list[Fill]] = defaultdict(list)
        for fill in fills:
            yield from fill_rows(stored, fill)
            takers[customer_of(fill.taker)].append(fill)
        for taker, own in takers.items():
            yield filled_row(stored, own[0]) | self._latest(seen_key(stored.instance, taker, stored, "filled"), own)
            if stored.state.status not in FINAL or self._may_stay(stored, taker, takers):
                yield unfinished_row(stored, taker)
        lock = stored.state.lock
        if lock is not None and stored.state.status not in FINAL and customer_of(lock.taker) not in takers:
            found = self._rows.get(_key(seen_key(stored.instance, lock.taker, stored, "locked")), {})
            yield locked_row(stored, lock.taker, found.get("reference_id"), lock.expires_at_s)

    def _may_stay(self, stored: StoredOrder, taker: str, takers: Sized) -> bool:
        """Return whether the taker may keep an ``unfinished`` row: the order has ended and had more takers than it
        names.
        """
        key = seen_key(stored.instance, taker, stored, "unfinished")
        return len(takers) > UNFINISHED_TAKERS_MAX and _key(key) in self._rows

    def _latest(self, key: Row, own: list[Fill]) -> Row:
        """Return a taker's latest reference and transaction hash, where its fills do not determine them."""
        found = self._rows.get(_key(key), {})
        given = {fill.tx_hash for fill in own if fill.tx_hash is not None}
        tx_hash = found.get("tx_hash")
        is_one_of_them = tx_hash in given if given else tx_hash is None
        return {
            "reference_id": found.get("reference_id") or own[0].reference_id,
            "tx_hash": tx_hash if is_one_of_them else next(iter(sorted(given)), None),
        }

    def _legs_that_differ(self, legs: Legs) -> Iterator[Disagreement]:
        """Yield fills missing in the ledger, and ledger rows without a fill. Operators' transfers may have any
        reference.
        """
        unclaimed = dict(legs)
        for owner, fill in ((owner, fill) for owner, fills in sorted(self.fills.items()) for fill in fills):
            stored = self.orders.get(owner)
            if stored is None or not stored.settles:
                continue
            where = f"transactions of fill {fill.fill_id} of {stored.instance}"
            expected = Counter(legs_of(stored.order, stored.stock, fill.taker, _charge(fill)))
            found = Counter(unclaimed.pop((stored.instance, fill.fill_id), []))
            for leg in sorted((expected - found).elements(), key=str):
                yield Disagreement(where, _text(leg), "no such transaction")
            yield from _not_of_a_fill(where, (found - expected).elements())
        for (instance, reference), found_legs in sorted(unclaimed.items()):
            yield from _not_of_a_fill(f"transactions of fill {reference} of {instance}", found_legs)


def _not_of_a_fill(where: str, legs: Iterable[Leg]) -> Iterator[Disagreement]:
    for leg in legs:
        if leg.kind is not TransactionType.TRANSFER:
            yield Disagreement(where, "no such transaction: the fill moves no such thing", _text(leg))


def _steps(stored: StoredOrder, steps: Sequence[_Told]) -> Iterator[Disagreement]:
    """Yield where the outbox differs: one entry a version, statuses that follow one another up to the order's, and a
    last entry by the command that wrote the order.
    """
    where, state = f"{_where(order_owner(stored.instance, stored.order_id), ORDER)}, outbox", stored.state
    status: str | None = None
    filled: str | None = None
    for told in sorted(steps, key=lambda one: (one.log, one.number)):
        if told.entered is not None:
            if told.left != status:
                yield Disagreement(f"{where}, entry {told.number}", f"an event that leaves {status}", str(told.left))
            status, filled = told.entered, told.filled
        last = told.command
    found = (len(steps), status, filled, last) if steps else (0, status, filled, "")
    expected = (state.version + 1, state.status.value, str(state.filled), stored.written_by)
    if found != expected:
        yield Disagreement(f"{where}, entries, status, filled and command", str(expected), str(found))


def _state(stored: StoredOrder, fills: Sequence[Fill]) -> Iterator[Disagreement]:
    """Yield where an order's state differs from what its fills leave."""
    where, order, state = _where(order_owner(stored.instance, stored.order_id), ORDER), stored.order, stored.state
    filled, hold = 0, order.hold(stored.stock_decimals)
    for fill in fills:
        filled += fill.quantity
        hold = hold - order.taken_by(_charge(fill))
    if state.filled != filled:
        yield Disagreement(f"{where}, filled", str(filled), str(state.filled))
    if state.fills not in (None, len(fills)):
        yield Disagreement(f"{where}, fills", str(len(fills)), str(state.fills))
    yield from _unfinished_takers(where, stored, fills)
    expected = hold if stored.settles and state.status not in FINAL else NOTHING
    if state.hold != expected:
        yield Disagreement(f"{where}, hold", _held(expected), _held(state.hold))
    asked_for_in_notes = state.notes == CANCEL_REQUESTED_NOTES
    faults = {
        "filled": (state.status is Status.FILLED) != (filled == order.quantity),
        "with fills": state.status in _WITH_FILLS and not filled,
        "without fills": state.status in _WITHOUT_FILLS and filled > 0,
        "without a lock": state.lock is not None and state.status not in _MAY_BE_LOCKED,
        "locked": state.lock is None and state.status is Status.LOCKED,
        "asked for as its notes say": state.status not in FINAL and asked_for_in_notes != state.is_cancel_requested,
        "locked, or with no cancel request": state.is_cancel_requested and (not state.lock or state.status in FINAL),
    }
    for expectation, is_wrong in faults.items():
        if is_wrong:
            found = f"{state.status.value}, {filled} of {order.quantity} filled, lock {state.lock}"
            yield Disagreement(f"{where}, status", f"an order that is {expectation}", found)


def _unfinished_takers(where: str, stored: StoredOrder, fills: Iterable[Fill]) -> Iterator[Disagreement]:
    """Yield where an order does not name each of its takers once, while it is live and has room for them."""
    takers = {customer_of(fill.taker) for fill in fills} if stored.state.status not in FINAL else set()
    named, number = set(stored.unfinished_takers), min(len(takers), UNFINISHED_TAKERS_MAX)
    if not named <= takers or not len(named) == len(stored.unfinished_takers) == number:
        expected = f"{number} of {sorted(takers)}"
        yield Disagreement(f"{where}, unfinished takers", expected, str(list(stored.unfinished_takers)))


def _facts(stored: StoredOrder, fill: Fill) -> Iterator[Disagreement]:
    """Yield where a fill differs from what its order and quantity determine."""
    order = stored.order
    allowance = order.allowance_of(fill.quantity)
    amount = worth(order.price, fill.quantity, stored.stock_decimals)
    asked = fill.asked_incentive
    expected = {
        "fill_id": fill_id_of(stored.order_hash, fill.reference_id),
        "order_id": stored.order_id,
        "order_hash": stored.order_hash,
        "amount": amount,
        "incentive": allowance if asked is None else min(max(asked, 0), allowance),
        "fee": min(max(fill.fee, 0), Fee(FEE_BPS_MAX).of(amount)),
    }
    found = {name: getattr(fill, name) for name in expected}
    where = _where(order_owner(stored.instance, stored.order_id), f"fill/{fill.reference_id}")
    differs = difference(where, expected, found, 0)
    if differs is not None:
        yield differs


def _typed_order(stored: StoredOrder) -> StoredOrder:
    typed(stored)
    if not all(isinstance(taker, str) for taker in stored.unfinished_takers):
        raise TypeError(f"unfinished_takers: {stored.unfinished_takers!r}")
    if stored.order.quantity < 1 or not _HASH.fullmatch(stored.order_hash):
        raise ValueError(f"{stored.order.quantity} of {stored.order_hash}")
    if not 0 <= stored.stock_decimals <= DECIMALS_MAX:
        raise ValueError(f"stock_decimals: {stored.stock_decimals}")
    return stored


def _charge(fill: Fill) -> FillAmounts:
    return FillAmounts(fill.quantity, fill.amount, fill.incentive, fill.fee)


def _key(row: Row) -> RowKey:
    return row["owner"], row["entry"]


def _where(owner: str, entry: str) -> str:
    return f"signed orders, {owner} {entry}"


def _held(hold: Hold) -> str:
    return f"{hold.quote} of the quote token, {hold.stock} of the stock"


def _text(leg: Leg) -> str:
    return f"{leg.kind.value} of {leg.amount} {leg.asset} from {leg.source} to {leg.target}"
