"""Lapses: changes of a signed order that time alone causes (K30).

A lock ends, a cancel request is not answered in time, a deadline passes. Each takes effect at once, because readers
judge an order by the clock. The row is updated later, by the next command on the order or by the sweep; only then do
the funds of an ended order return to its maker. A lapse is one conditional write, so commands and sweeps may run at the
same time.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.signed.lifecycle import lapse
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.services.signed.steps import Steps
from chalicelib.services.sweeps import Sweeper, SweepResult
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.attempts import Contended
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.signed_rows import order_of


class Lapses:
    """Writes lapses. new_id: returns prefix + ULID, ascending."""

    def __init__(self, database: Database, new_id: Callable[[str], str]) -> None:
        self._orders = SignedOrders(database)
        self._steps = Steps(database)
        self._new_id = new_id
        transient = Contended, Unavailable, OutcomeUnknown
        self._due = Sweeper[Row]("lapse not written", lambda row: str(row["owner"]), transient)

    def write(self, stored: StoredOrder, now_s: int) -> StoredOrder:
        """Write the lapse of an order, if any; return the order as it is then, the same object if nothing lapsed.

        Raises Contended, LedgerBroken, Unavailable or OutcomeUnknown.
        """
        after = lapse(stored.order, stored.state, now_s)
        return stored if after is None else self._steps.write(stored, after, self._new_id("lapse"))

    def sweep(self, now_s: int, goes_on: Callable[[], bool]) -> SweepResult:
        """Write the lapses that no command has written, the oldest first, while ``goes_on`` returns True.

        An order whose lapse cannot be written does not stop the others (``Sweeper``). Raises Unavailable where the
        orders cannot be read.
        """

        def written(row: Row) -> bool:
            stored = order_of(row)
            return self.write(stored, now_s) is not stored

        return self._due.sweep(self._orders.lapsing(now_s), written, now_s, goes_on)
