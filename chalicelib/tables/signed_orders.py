"""Signed orders (table ``signed-orders``): the taker desk's orders, and the lists of their makers and takers.

``signed_rows`` has the row formats. Every write of an order's row is conditional on the version read, so its state
advances one step at a time::

    (no row) --created--> version 0 --a step--> version 1 --a step--> ... --the last one--> final, in no index any more

All other rows of a step stand in the same transaction, under the same condition. A row with a live status is in two
indexes. An index may trail the table by moments, so rows found through it are read again (consistently), and the reader
judges them by the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain
from typing import Any

from chalicelib.domain.signed.order import NONCE_MAX, TIME_S_MAX
from chalicelib.domain.signed.stored import Counts, Fill, StoredOrder, TakenOrder
from chalicelib.support.consistency import Inconsistent
from chalicelib.tables.dynamodb import BATCH_GET_KEYS_MAX, Database, batched
from chalicelib.tables.rows import Row
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
from chalicelib.tables.writes import Delete, Put, Update, Write

TABLE = "signed-orders"
OPEN_INDEX, LAPSING_INDEX = "open_orders_by_instance", "lapsing_orders"
PAGE_ROWS = 100


class SignedOrders:
    """Reads are consistent, except for which orders an index names. Addresses of takers and makers: in any letter case.

    A method that returns a write does nothing itself: all writes of a command go into one transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Orders and their fills

    def get(self, instance: str, order_id: str) -> StoredOrder | None:
        row = self._database.get(TABLE, order_key(instance, order_id))
        return order_of(row) if row else None

    def get_many(self, instance: str, order_ids: Iterable[str]) -> dict[str, StoredOrder]:
        """Return the existing orders, by id; each is read once."""
        found = self._read_again(order_key(instance, order_id) for order_id in dict.fromkeys(order_ids))
        return {stored.order_id: stored for stored in found}

    def fill(self, instance: str, order_id: str, reference_id: str) -> Fill | None:
        """Return the order's fill with this reference, of any taker."""
        row = self._database.get(TABLE, {"owner": order_owner(instance, order_id), "entry": f"fill/{reference_id}"})
        return fill_of(row) if row else None

    def fills_of(self, instance: str, order_id: str) -> Iterator[Fill]:
        """Yield the order's fills, by reference."""
        return map(fill_of, self._listed(order_owner(instance, order_id), "fill/"))

    # What makers see

    def next_nonce(self, instance: str, maker: str) -> int:
        """Return a nonce that the maker can use next (K17): the highest used plus one; 1 at first.

        If the highest possible nonce is used, the search repeats below half of the range, and so on. A maker that has
        used the highest of every half gets the lowest free nonce, which costs the rows below it.
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
        """Return the highest used nonce below a bound."""
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

    def orders_of_maker(self, instance: str, maker: str, *, newest_first: bool = False) -> Iterator[StoredOrder]:
        """Yield all orders of a maker, by nonce. Costs twice what it yields.

        newest_first: by falling nonce, read as far as they are asked for.
        """
        options = {"ScanIndexForward": False, "Limit": PAGE_ROWS} if newest_first else {}
        rows = self._listed(maker_owner(instance, maker), "nonce/", **options)
        for chunk in batched((row["order_id"] for row in rows), BATCH_GET_KEYS_MAX):
            found = self.get_many(instance, chunk)
            yield from (found[order_id] for order_id in chunk if order_id in found)

    # What takers see

    def has_filled(self, instance: str, taker: str, stored: StoredOrder) -> bool:
        """Return whether the taker has a fill of the order."""
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
        """Yield the orders that a taker has filled, by time and hash. Both ends of the range are included.

        Costs what it yields, ``page_rows`` rows at a time.
        """
        return map(seen_of, self._within(instance, taker, "filled", newest_first, from_s, to_s, page_rows))

    def unfinished_seen(
        self, instance: str, taker: str, *, from_s: int = 0, to_s: int = TIME_S_MAX, page_rows: int = PAGE_ROWS
    ) -> Iterator[TakenOrder]:
        """Yield a taker's filled orders that have not ended, newest first; a few that have ended may be among them.

        Both ends of the range are included. Reference and transaction hash are missing: see ``seen_filled``. Costs what
        it yields.
        """
        return map(seen_of, self._within(instance, taker, "unfinished", True, from_s, to_s, page_rows))

    def seen_filled(self, instance: str, taker: str, stored: Iterable[StoredOrder]) -> dict[str, TakenOrder]:
        """Return the taker's view of those of the orders that it has filled, by hash."""
        keys = [seen_key(instance, taker, one, "filled") for one in stored]
        found = map(seen_of, self._database.get_many(TABLE, keys))
        return {seen.order_hash: seen for seen in found}

    def locked_seen(self, instance: str, taker: str) -> Iterator[TakenOrder]:
        """Yield the orders that a taker has locked and never filled, oldest first, lapsed locks included."""
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
        """Yield a taker's fills, by time and id. Both ends of the range are included. Costs what it yields."""
        return map(fill_of, self._within(instance, taker, "fill", newest_first, from_s, to_s, page_rows))

    # What the indexes name

    def open_orders(self, instance: str) -> Iterator[StoredOrder]:
        """Yield an instance's open and locked orders according to the index, oldest first, ties by hash.

        Each is read again, so it may be lapsed or closed by now. Costs twice what it yields.
        """
        condition, values = "#open_instance = :instance", {":instance": instance}
        keys = self._database.query(TABLE, condition, values, IndexName=OPEN_INDEX, Limit=PAGE_ROWS)
        return self._read_again(map(_key_of, keys))

    def lapsing(self, now_s: int) -> Iterator[Row]:
        """Yield the rows of all instances' orders whose lock or deadline has ended by now, earliest first.

        Each is read again, so its lapse may be written already. ``signed_rows.order_of`` parses a row; one unreadable
        row does not affect the others.
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
        """Yield every row of the table. For operators: scans the table."""
        return self._database.scan(TABLE)

    # Writes

    def creation(self, stored: StoredOrder) -> list[Write]:
        """Return the writes of a new order: its row, and the nonce that it uses.

        The first is refused if the order exists; the second (row attached) if the maker has used the nonce.
        """
        order_not_exists = "attribute_not_exists(#entry)"
        nonce_is_free = "attribute_not_exists(#entry)"
        return [Put(TABLE, row_of(stored), order_not_exists), Put(TABLE, nonce_row(stored), nonce_is_free)]

    def step(self, before: StoredOrder, after: StoredOrder) -> Write:
        """Return the write of an order's next state. Refused (row attached) if the row has changed since."""
        as_it_was_read = "#version = :version AND #status = :status"
        values = {":version": before.state.version, ":status": before.state.status.value}
        return Put(TABLE, row_of(after), as_it_was_read, values)

    def show_locked(self, stored: StoredOrder, taker: str, reference_id: str | None) -> Write:
        """Return the write that lists an order as locked and never filled by a taker. Never refused. stored: with the
        lock.
        """
        lock = stored.state.lock
        if lock is None:
            raise Inconsistent("the order is locked")
        return Put(TABLE, locked_row(stored, taker, reference_id, lock.expires_at_s))

    def hide_locked(self, stored: StoredOrder, taker: str) -> Write:
        """Return the write that removes an order from the taker's list of locked ones (K35). Never refused."""
        return Delete(TABLE, seen_key(stored.instance, taker, stored, "locked"))

    def show_unfinished(self, stored: StoredOrder, taker: str) -> Write:
        """Return the write that adds an order to the taker's list of unfinished ones. Never refused."""
        return Put(TABLE, unfinished_row(stored, taker))

    def hide_unfinished(self, stored: StoredOrder) -> list[Write]:
        """Return the writes that remove an ended order from its takers' lists of unfinished ones. Never refused."""
        keys = [seen_key(stored.instance, taker, stored, "unfinished") for taker in stored.unfinished_takers]
        return [Delete(TABLE, key) for key in keys]

    def note_reference(self, stored: StoredOrder, taker: str, reference_id: str) -> Write:
        """Return the write that records a taker's latest reference for a filled order. Refused if it has no fill: a
        bug.
        """
        is_filled = "attribute_exists(#entry)"
        key = seen_key(stored.instance, taker, stored, "filled")
        return Update(TABLE, key, "SET #reference_id = :reference_id", is_filled, {":reference_id": reference_id})

    def record_fill(self, stored: StoredOrder, fill: Fill, *, is_first: bool) -> list[Write]:
        """Return the writes of a fill: its rows, the taker's view of the order, the counts.

        is_first: the taker's first fill of this order. The first write is refused (row attached) if the reference
        already has a fill; the others only if the rows disagree with the order: a bug.
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
        """Yield the orders of these keys, read consistently, in the order of the keys."""
        return map(order_of, self._rows_again(keys))

    def _rows_again(self, keys: Iterable[Row]) -> Iterator[Row]:
        for chunk in batched(keys, BATCH_GET_KEYS_MAX):
            found = {row["owner"]: row for row in self._database.get_many(TABLE, chunk)}
            yield from (found[key["owner"]] for key in chunk if key["owner"] in found)


def _key_of(row: Row) -> Row:
    return {"owner": row["owner"], "entry": row["entry"]}
