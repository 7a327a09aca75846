"""Signed orders (table ``signed-orders``): the orders of the taker desk, and what their makers and takers see of them.

What stands where: ``signed_rows``. An order's row is written only from what was read of it, so its state goes one step
after the other::

    (no row) --created--> version 0 --a step--> version 1 --a step--> ... --the last one--> final, in no index any more

Every other row of a step stands in the same transaction, and so is guarded by the same condition. While its stored
status is live, a row is in two indexes. An index may trail the table by moments: what is found through it is read again
(consistently), and its reader judges it by the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain
from typing import Any

from chalicelib.domain.signed.order import NONCE_MAX, TIME_S_MAX
from chalicelib.domain.signed.stored import Counts, Fill, StoredOrder, TakenOrder
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.dynamodb import BATCH_GET_KEYS_MAX, Database, Delete, Put, Row, Update, Write, batched
from chalicelib.tables.signed_rows import (
    LAPSE_SHARDS,
    count_key,
    digits,
    fill_of,
    fill_rows,
    filled_row,
    locked_row,
    maker_owner,
    nonce_key,
    nonce_of,
    nonce_row,
    order_key,
    order_of,
    order_owner,
    row_of,
    seen_key,
    seen_of,
    taker_owner,
    unfinished_row,
)

TABLE = "signed-orders"
OPEN_INDEX, LAPSING_INDEX = "open_orders_by_instance", "lapsing_orders"
PAGE_ROWS = 100


class SignedOrders:
    """Reads are consistent, but for which orders an index names. Takers and makers are given by address, in any case.

    A method that returns a write does nothing itself: all writes of a command go into one transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Orders and their fills

    def get(self, instance: str, order_id: str) -> StoredOrder | None:
        row = self._database.get(TABLE, order_key(instance, order_id))
        return order_of(row) if row else None

    def get_many(self, instance: str, order_ids: Iterable[str]) -> dict[str, StoredOrder]:
        """Return those of the orders that there are, by id; each is asked for once."""
        found = self._read_again(order_key(instance, order_id) for order_id in dict.fromkeys(order_ids))
        return {stored.order_id: stored for stored in found}

    def fill(self, instance: str, order_id: str, reference_id: str) -> Fill | None:
        """Return the order's fill under this reference, whoever made it."""
        row = self._database.get(TABLE, {"owner": order_owner(instance, order_id), "entry": f"fill/{reference_id}"})
        return fill_of(row) if row else None

    def fills_of(self, instance: str, order_id: str) -> Iterator[Fill]:
        """Yield the order's fills, by reference."""
        return map(fill_of, self._listed(order_owner(instance, order_id), "fill/"))

    # What makers see

    def next_nonce(self, instance: str, maker: str) -> int:
        """Return a nonce that the maker can use next (K17): the highest that it has used and one more, 1 at first.

        Nothing is above the highest nonce that there is. Where that is used, the highest of the lower half of all
        nonces counts instead, and so on; a maker that has used the highest of every half gets the lowest free one,
        which costs what lies below that.
        """
        bound = NONCE_MAX + 1
        while bound > 1:
            highest = self._highest_nonce(instance, maker, bound)
            nonce = 1 if highest is None else highest + 1
            if nonce < bound:
                return nonce
            bound //= 2
        used = map(nonce_of, self._listed(maker_owner(instance, maker), "nonce/"))
        return next(free for free, nonce in enumerate(chain(used, [None])) if free != nonce)

    def _highest_nonce(self, instance: str, maker: str, bound: int) -> int | None:
        """Return the highest nonce below a bound that the maker has used."""
        first, last = (nonce_key(instance, maker, nonce) for nonce in (0, bound - 1))
        condition = "#owner = :owner AND #entry BETWEEN :first AND :last"
        values = {":owner": first["owner"], ":first": first["entry"], ":last": last["entry"]}
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=False, Limit=1)
        row = next(rows, None)
        return None if row is None else nonce_of(row)

    def order_of_nonce(self, instance: str, maker: str, nonce: int) -> tuple[str, str] | None:
        """Return id and hash of the order that has used the nonce."""
        row = self._database.get(TABLE, nonce_key(instance, maker, nonce))
        return (row["order_id"], row["order_hash"]) if row else None

    def orders_of_maker(self, instance: str, maker: str) -> Iterator[StoredOrder]:
        """Yield all orders of a maker, by nonce. Costs what it yields, twice over."""
        rows = self._listed(maker_owner(instance, maker), "nonce/")
        for chunk in batched((row["order_id"] for row in rows), BATCH_GET_KEYS_MAX):
            found = self.get_many(instance, chunk)
            yield from (found[order_id] for order_id in chunk if order_id in found)

    # What takers see

    def has_filled(self, instance: str, taker: str, stored: StoredOrder) -> bool:
        """Tell whether the taker has a fill of the order."""
        return self._database.get(TABLE, seen_key(instance, taker, stored, "filled")) is not None

    def filled_seen(
        self,
        instance: str,
        taker: str,
        *,
        newest_first: bool = True,
        from_s: int = 0,
        to_s: int = TIME_S_MAX,
        page_rows: int = PAGE_ROWS,
    ) -> Iterator[TakenOrder]:
        """Yield the orders that a taker has filled, by their time and hash; both ends of the span are included.

        Costs what it yields, page by page of so many rows.
        """
        return map(seen_of, self._within(instance, taker, "filled", newest_first, from_s, to_s, page_rows))

    def unfinished_seen(
        self, instance: str, taker: str, *, from_s: int = 0, to_s: int = TIME_S_MAX, page_rows: int = PAGE_ROWS
    ) -> Iterator[TakenOrder]:
        """Yield the orders that a taker has filled and that have not ended, newest first, and perhaps some that have.

        Both ends of the span are included. Without reference and transaction hash, see ``seen_filled``. Costs what it
        yields.
        """
        return map(seen_of, self._within(instance, taker, "unfinished", True, from_s, to_s, page_rows))

    def seen_filled(self, instance: str, taker: str, stored: Iterable[StoredOrder]) -> dict[str, TakenOrder]:
        """Return what a taker sees of those of the orders that it has filled, by hash."""
        keys = [seen_key(instance, taker, one, "filled") for one in stored]
        found = map(seen_of, self._database.get_many(TABLE, keys))
        return {seen.order_hash: seen for seen in found}

    def locked_seen(self, instance: str, taker: str) -> Iterator[TakenOrder]:
        """Yield the orders that a taker has locked and never filled, oldest first; those whose lock has lapsed too."""
        return map(seen_of, self._listed(taker_owner(instance, taker), "locked/"))

    def counts(self, instance: str, taker: str) -> Counts:
        row = self._database.get(TABLE, count_key(instance, taker))
        return Counts(row["filled_orders"], row["fills"]) if row else Counts(0, 0)

    def fills_of_taker(
        self,
        instance: str,
        taker: str,
        *,
        newest_first: bool = True,
        from_s: int = 0,
        to_s: int = TIME_S_MAX,
        page_rows: int = PAGE_ROWS,
    ) -> Iterator[Fill]:
        """Yield a taker's fills, by their time and id; both ends of the span are included. Costs what it yields."""
        return map(fill_of, self._within(instance, taker, "fill", newest_first, from_s, to_s, page_rows))

    # What the indexes name

    def open_orders(self, instance: str) -> Iterator[StoredOrder]:
        """Yield an instance's orders that were open or locked a moment ago, oldest first, ties by hash.

        Each is as of now: it may have lapsed, or been closed meanwhile. Costs what it yields, twice over.
        """
        condition, values = "#open_instance = :instance", {":instance": instance}
        keys = self._database.query(TABLE, condition, values, IndexName=OPEN_INDEX, Limit=PAGE_ROWS)
        return self._read_again(map(_key_of, keys))

    def lapsing(self, now_s: int) -> Iterator[Row]:
        """Yield the rows of all instances' orders whose lock or deadline has ended by now, the first to end first.

        Each is as of now: its lapse may be written already. ``signed_rows.order_of`` reads a row; one that it cannot
        read is nobody else's business.
        """
        condition = "#lapse_shard = :shard AND #lapses_at_s <= :now"
        shards = [
            self._database.query(
                TABLE, condition, {":shard": str(shard), ":now": now_s}, IndexName=LAPSING_INDEX, Limit=PAGE_ROWS
            )
            for shard in range(LAPSE_SHARDS)
        ]
        rows = merge(*shards, key=lambda row: (row["lapses_at_s"], row["owner"]))
        return self._rows_again(map(_key_of, rows))

    def rows(self) -> Iterator[Row]:
        """Yield every row of the table. For operators; its cost is the table's size."""
        return self._database.scan(TABLE)

    # Writes

    def creation(self, stored: StoredOrder) -> list[Write]:
        """Return the writes of a new order: its row, and the nonce that it uses.

        The first is refused when there is such an order already; the second when the maker has used the nonce (row
        attached).
        """
        order_not_exists = "attribute_not_exists(#entry)"
        nonce_is_free = "attribute_not_exists(#entry)"
        return [Put(TABLE, row_of(stored), order_not_exists), Put(TABLE, nonce_row(stored), nonce_is_free)]

    def step(self, before: StoredOrder, after: StoredOrder) -> Write:
        """Return the write of an order's next state. Refused (row attached) when somebody else wrote the row since."""
        as_it_was_read = "#version = :version AND #status = :status"
        values = {":version": before.state.version, ":status": before.state.status.value}
        return Put(TABLE, row_of(after), as_it_was_read, values)

    def show_locked(self, stored: StoredOrder, taker: str, reference_id: str | None) -> Write:
        """Return the write by which a taker sees an order that it has locked and never filled. Never refused.

        stored: with the lock.
        """
        lock = stored.state.lock
        if lock is None:
            raise Inconsistent("the order is locked")
        return Put(TABLE, locked_row(stored, taker, reference_id, lock.expires_at_s))

    def hide_locked(self, stored: StoredOrder, taker: str) -> Write:
        """Return the write by which a taker sees no more an order that it has only locked (K35). Never refused."""
        return Delete(TABLE, seen_key(stored.instance, taker, stored, "locked"))

    def show_unfinished(self, stored: StoredOrder, taker: str) -> Write:
        """Return the write by which a taker finds an order that it has filled among the unfinished. Never refused."""
        return Put(TABLE, unfinished_row(stored, taker))

    def hide_unfinished(self, stored: StoredOrder) -> list[Write]:
        """Return the writes by which takers find an order that ends no more among the unfinished. Never refused."""
        keys = [seen_key(stored.instance, taker, stored, "unfinished") for taker in stored.unfinished_takers]
        return [Delete(TABLE, key) for key in keys]

    def note_reference(self, stored: StoredOrder, taker: str, reference_id: str) -> Write:
        """Return the write that notes a taker's latest reference for an order that it has filled.

        Refused when it has no fill of it: a bug.
        """
        is_filled = "attribute_exists(#entry)"
        key = seen_key(stored.instance, taker, stored, "filled")
        return Update(TABLE, key, "SET #reference_id = :reference_id", is_filled, {":reference_id": reference_id})

    def record_fill(self, stored: StoredOrder, fill: Fill, *, is_first: bool) -> list[Write]:
        """Return the writes of a fill: its rows, the order as its taker sees it from now on, the counts.

        is_first: of this taker and order. The first write is refused (row attached) when the reference has a fill
        already; the others only where the rows do not agree with the order: a bug.
        """
        fill_not_exists = "attribute_not_exists(#entry)"
        order_owned, taker_owned = fill_rows(stored, fill)
        writes: list[Write] = [Put(TABLE, order_owned, fill_not_exists), Put(TABLE, taker_owned, fill_not_exists)]
        if is_first:
            not_filled_before = "attribute_not_exists(#entry)"
            writes.append(Put(TABLE, filled_row(stored, fill), not_filled_before))
            writes.append(self.hide_locked(stored, fill.taker))
        else:
            writes.append(self._note_fill(stored, fill))
        count = "ADD #filled_orders :orders, #fills :one"
        values = {":orders": int(is_first), ":one": 1}
        writes.append(Update(TABLE, count_key(stored.instance, fill.taker), count, values=values))
        return writes

    def _note_fill(self, stored: StoredOrder, fill: Fill) -> Write:
        is_filled = "attribute_exists(#entry)"
        changes, values = "SET #reference_id = :reference_id", {":reference_id": fill.reference_id}
        if fill.tx_hash is not None:
            changes, values = f"{changes}, #tx_hash = :tx_hash", values | {":tx_hash": fill.tx_hash}
        return Update(TABLE, seen_key(stored.instance, fill.taker, stored, "filled"), changes, is_filled, values)

    # How rows are found

    def _listed(self, owner: str, start: str, **options: Any) -> Iterator[Row]:
        condition = "#owner = :owner AND begins_with(#entry, :start)"
        return self._database.query(TABLE, condition, {":owner": owner, ":start": start}, **options)

    def _within(
        self, instance: str, taker: str, kind: str, newest_first: bool, from_s: int, to_s: int, page_rows: int
    ) -> Iterator[Row]:
        if from_s > to_s:
            return iter(())
        values = {
            ":owner": taker_owner(instance, taker),
            ":first": f"{kind}/{digits(from_s)}/",
            ":last": f"{kind}/{digits(to_s)}/~",
        }
        condition = "#owner = :owner AND #entry BETWEEN :first AND :last"
        options = {"ScanIndexForward": not newest_first, "Limit": page_rows}
        return self._database.query(TABLE, condition, values, **options)

    def _read_again(self, keys: Iterable[Row]) -> Iterator[StoredOrder]:
        """Yield the orders that stand under these keys as of now, in the order of the keys."""
        return map(order_of, self._rows_again(keys))

    def _rows_again(self, keys: Iterable[Row]) -> Iterator[Row]:
        for chunk in batched(keys, BATCH_GET_KEYS_MAX):
            found = {row["owner"]: row for row in self._database.get_many(TABLE, chunk)}
            yield from (found[key["owner"]] for key in chunk if key["owner"] in found)


def _key_of(row: Row) -> Row:
    return {"owner": row["owner"], "entry": row["entry"]}
