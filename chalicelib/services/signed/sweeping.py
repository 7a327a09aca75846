"""Lapses: what the clock has done to an order, written down (K30).

A lock that has ended, a cancel request that was not answered in time and a deadline that has passed take effect by
themselves, for everybody reads an order by the clock. Written down they are by the next command that meets the order,
or by the sweep: only then do the funds of an order that has ended come back to its maker. Each is a write of its own,
on condition that the row is as it was read, so commands and sweeps may run beside each other.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.signed.lifecycle import lapse
from chalicelib.domain.signed.stored import StoredOrder
from chalicelib.services.signed.steps import Steps
from chalicelib.services.sweeps import Sweeper, SweepResult
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.attempts import Contended
from chalicelib.tables.dynamodb import Database, Row
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.signed_rows import order_of


class Lapses:
    """new_id: gives prefix + ULID, ascending."""

    def __init__(self, database: Database, new_id: Callable[[str], str]) -> None:
        self._orders = SignedOrders(database)
        self._steps = Steps(database)
        self._new_id = new_id
        transient = Contended, Unavailable, OutcomeUnknown
        self._due = Sweeper[Row]("lapse not written", lambda row: str(row["owner"]), transient)

    def write(self, stored: StoredOrder, now_s: int) -> StoredOrder:
        """Write down what the clock has done to an order; return it as it is then, the same where that is nothing.

        Raises Contended, LedgerBroken, Unavailable or OutcomeUnknown.
        """
        after = lapse(stored.order, stored.state, now_s)
        return stored if after is None else self._steps.write(stored, after, self._new_id("lapse"))

    def sweep(self, now_s: int, goes_on: Callable[[], bool]) -> SweepResult:
        """Write down the lapses that no command has met, the oldest first, while ``goes_on``.

        An order whose lapse cannot be written, whatever the reason, stops no other (``Sweeper``). Raises Unavailable
        where the orders cannot be read.
        """

        def written(row: Row) -> bool:
            stored = order_of(row)
            return self.write(stored, now_s) is not stored

        return self._due.sweep(self._orders.lapsing(now_s), written, now_s, goes_on)
