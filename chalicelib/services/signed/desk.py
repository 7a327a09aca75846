"""The taker desk: commands of makers, takers and the operator on signed orders. Each is atomic.

A command reads the order (consistently) and writes its lapse, if any (K30). Then it checks, in this order: the order
exists, the caller may see it, the caller may act on it, its state allows the command, quantity and funds suffice. It
writes one step (``steps``) on condition that the order is unchanged; if the order has changed, it starts again.

A command that returns is done, once. A command that raises has changed nothing, unless it raises OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from chalicelib.domain.signed.faults import (
    DeskBusy,
    NonceUsed,
    NotTheMakers,
    OrderNotFound,
    OwnOrder,
    ReferenceTaken,
    StateForbids,
    UnknownInstrument,
)
from chalicelib.domain.signed.filling import FillRequest, fill_amounts_for, fill_of, moved_by, transactions_of
from chalicelib.domain.signed.lifecycle import (
    Action,
    Forbidden,
    Phase,
    State,
    Status,
    Step,
    created,
    live_lock,
    phase_at,
    status_at,
    take,
)
from chalicelib.domain.signed.order import NOTHING, SignedOrder, customer_of, order_id_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.services.signed.steps import Steps
from chalicelib.services.signed.sweeping import Lapses
from chalicelib.support.clock import new_id
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.writes import Write

TRIES_MAX = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signed:
    """A new order with its maker's signature. The caller has verified the signature and the hash."""

    order: SignedOrder
    order_hash: str
    signature: str


class SignedOrderDesk:
    """The commands of the taker desk. clock_s: Unix seconds. new_id: returns prefix + ULID, ascending.

    Beside what it names, every command raises DeskBusy (others kept changing the order), Unavailable (nothing changed)
    or OutcomeUnknown.
    """

    def __init__(
        self,
        database: Database,
        clock_s: Callable[[], int],
        new_id: Callable[[str], str] = new_id,
    ) -> None:
        self._clock_s = clock_s
        self._new_id = new_id
        self._pause = database.pause
        self._orders = SignedOrders(database)
        self._instruments = Instruments(database)
        self._steps = Steps(database)
        self._lapses = Lapses(database, new_id)

    # Makers

    def create(self, instance: str, settings: DeskSettings, signed: Signed) -> StoredOrder:
        """Store a new order and hold its funds.

        Raises UnknownInstrument, NonceUsed or InsufficientFunds; nothing is stored then (K15).
        """
        order = signed.order
        stock = self._instruments.terms(instance, order.asset, order.exchange, order.ticker).stock
        if stock is None:
            raise UnknownInstrument(f"{order.exchange}/{order.ticker}")

        def once() -> StoredOrder:
            now_s, settles = self._clock_s(), settings.has_ledger_settlement
            new = StoredOrder(
                instance=instance,
                order_hash=signed.order_hash.lower(),
                order=order,
                signature=signed.signature,
                stock=stock.address,
                stock_decimals=stock.decimals,
                created_at_s=now_s,
                state=created(order.hold(stock.decimals) if settles else NOTHING, now_s),
                settles=settles,
                written_by=self._new_id("cmd"),
            )
            try:
                return self._steps.create(new)
            except Contended as refused:
                user = self._orders.order_of_nonce(instance, order.maker, order.nonce)
                if user is not None:
                    raise NonceUsed(user[1]) from refused
                if refused.meaning is not None:
                    raise refused.meaning from refused
                raise

        return self._until_written(once)

    def cancel(self, instance: str, order_id: str, maker: str, order_hash: str | None = None) -> StoredOrder:
        """Cancel an open order; on a locked one, note the maker's cancel request. Idempotent.

        order_hash: if the request named the order by hash. Raises OrderNotFound, NotTheMakers or StateForbids.
        """

        def once() -> StoredOrder:
            before, now_s = self._current(instance, order_id, order_hash)
            if customer_of(before.order.maker) != customer_of(maker):
                raise NotTheMakers(order_id)
            return self._take(before, Step(Action.CANCEL, now_s))

        return self._until_written(once)

    # Takers

    def lock(
        self,
        instance: str,
        settings: DeskSettings,
        order_hash: str,
        taker: str,
        seconds: int | None,
        reference_id: str | None,
    ) -> StoredOrder:
        """Lock an open order for a taker, who alone may fill it for so many seconds (None: the longest time).

        taker: as it is to be shown. A lock is never extended (K21). Raises OrderNotFound, OwnOrder or StateForbids.
        """
        lock_seconds = settings.lock_seconds if seconds is None else seconds

        def once() -> StoredOrder:
            before, now_s = self._current_of_hash(instance, order_hash)
            if customer_of(taker) in (customer_of(before.order.maker), customer_of(before.order.principal)):
                raise OwnOrder(before.order_id)
            locked = self._after(before, Step(Action.LOCK, now_s, taker, lock_seconds), taker)
            more = self._showing_lock(replace(before, state=locked), taker, reference_id)
            return self._steps.write(before, locked, self._new_id("cmd"), more=more)

        return self._until_written(once)

    def unlock(self, instance: str, order_hash: str, taker: str) -> StoredOrder:
        """Release the taker's lock; if the maker has asked to cancel, the order is cancelled.

        Raises OrderNotFound or StateForbids.
        """
        return self._as_holder(instance, order_hash, taker, Action.UNLOCK)

    def reject(self, instance: str, order_hash: str, taker: str, reason: str | None) -> StoredOrder:
        """Reject a locked order for good; an order with fills can only be unlocked (K25).

        Raises OrderNotFound or StateForbids.
        """
        return self._as_holder(instance, order_hash, taker, Action.REJECT, reason)

    def cancel_result(
        self, instance: str, order_hash: str, taker: str, succeeded: bool, message: str | None
    ) -> StoredOrder:
        """Answer the maker's cancel request: cancel the order, with this message as its notes, or keep the lock.

        Raises OrderNotFound or StateForbids.
        """
        action = Action.CONFIRM_CANCEL if succeeded else Action.DECLINE_CANCEL
        return self._as_holder(instance, order_hash, taker, action, message)

    def fill(self, instance: str, settings: DeskSettings, taker: str, request: FillRequest) -> Fill:
        """Fill the locked order, in part or in whole, once for each reference: a repeat returns the first fill (K24).

        Raises OrderNotFound, ReferenceTaken, StateForbids, BadAmount or InsufficientFunds.
        """
        return self._until_written(lambda: self._fill_once(instance, settings, taker, request))

    # The operator

    def suspend(self, instance: str, order_id: str) -> StoredOrder:
        """Suspend an order: no command is allowed on it; its hold stays. Raises OrderNotFound or StateForbids."""
        return self._as_operator(instance, order_id, Action.SUSPEND)

    def resume(self, instance: str, order_id: str) -> StoredOrder:
        """Resume a suspended order; after its deadline it expires. Raises OrderNotFound or StateForbids."""
        return self._as_operator(instance, order_id, Action.RESUME)

    def sweep(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Write the lapses that no command has written, of all instances; return how many (``Lapses.sweep``)."""
        return self._lapses.sweep(self._clock_s(), goes_on).done

    # Parts of commands

    def _until_written(self, once: Callable[[], T]) -> T:
        """Try a command again while others change the order in between. Raises DeskBusy."""
        return until_written(once, TRIES_MAX, self._pause, DeskBusy())

    def _current(self, instance: str, order_id: str, order_hash: str | None = None) -> tuple[StoredOrder, int]:
        """Return the order as of now, its lapse written, and the time. Raises OrderNotFound or Contended.

        order_hash: if the request named the order by hash. The id has only a part of the hash, so it is compared.
        """
        found = self._orders.get(instance, order_id)
        if found is None or order_hash not in (None, found.order_hash):
            raise OrderNotFound(order_hash or order_id)
        now_s = self._clock_s()
        return self._lapses.write(found, now_s), now_s

    def _current_of_hash(self, instance: str, order_hash: str) -> tuple[StoredOrder, int]:
        return self._current(instance, order_id_of(order_hash), order_hash.lower())

    def _as_operator(self, instance: str, order_id: str, action: Action) -> StoredOrder:
        def once() -> StoredOrder:
            before, now_s = self._current(instance, order_id)
            return self._take(before, Step(action, now_s))

        return self._until_written(once)

    def _as_holder(
        self, instance: str, order_hash: str, taker: str, action: Action, notes: str | None = None
    ) -> StoredOrder:
        def once() -> StoredOrder:
            before, now_s = self._current_of_hash(instance, order_hash)
            self._demand_access(before, taker, now_s)
            return self._take(before, Step(action, now_s, taker, notes=notes), taker)

        return self._until_written(once)

    def _take(self, before: StoredOrder, step: Step, taker: str | None = None) -> StoredOrder:
        """Write a step that moves no funds but a release of its hold. A step that changes nothing is not written."""
        after = self._after(before, step, taker)
        return before if after == before.state else self._steps.write(before, after, self._new_id("cmd"))

    def _after(self, before: StoredOrder, step: Step, taker: str | None = None) -> State:
        try:
            return take(before.order, before.state, step)
        except Forbidden as forbidden:
            raise StateForbids(*_shown(before, step.at_s, taker)) from forbidden

    def _demand_access(self, stored: StoredOrder, taker: str, now_s: int) -> None:
        """Return if the taker holds the live lock.

        Raises StateForbids for takers who may see the order: all while it is open, later those who have filled it.
        Raises OrderNotFound for the others.
        """
        lock = live_lock(stored.state, now_s)
        if lock is not None and lock.is_held_by(taker):
            return
        is_open = phase_at(stored.order, stored.state, now_s) is Phase.OPEN
        if is_open or self._orders.has_filled(stored.instance, taker, stored):
            raise StateForbids(*_shown(stored, now_s, taker))
        raise OrderNotFound(stored.order_hash)

    def _showing_lock(self, locked: StoredOrder, taker: str, reference_id: str | None) -> list[Write]:
        """Return the writes that list a locked order for its taker, who may have it in its list already (K35)."""
        if not self._orders.has_filled(locked.instance, taker, locked):
            return [self._orders.show_locked(locked, taker, reference_id)]
        return [] if reference_id is None else [self._orders.note_reference(locked, taker, reference_id)]

    # Fills

    def _fill_once(self, instance: str, settings: DeskSettings, taker: str, request: FillRequest) -> Fill:
        before, now_s = self._current_of_hash(instance, request.order_hash)
        earlier = self._orders.fill(instance, before.order_id, request.reference_id)
        is_own = earlier is not None and customer_of(earlier.taker) == customer_of(taker)
        if earlier is not None and is_own and request.is_for(earlier):
            return earlier
        if not is_own:
            self._demand_access(before, taker, now_s)
        if earlier is not None:
            raise ReferenceTaken(*_shown(before, now_s, taker))
        amounts = fill_amounts_for(before, request, settings.fee_bps)
        after = self._after(before, Step(Action.FILL, now_s, taker, amounts=amounts), taker)
        fill = fill_of(before, taker, request, amounts, after.status, now_s)
        is_first = not self._orders.has_filled(instance, taker, before)
        writes = self._orders.record_fill(before, fill, is_first=is_first)
        moved, name = moved_by(before, after, taker, amounts), self._new_id("cmd")
        self._steps.write(
            before,
            after,
            name,
            moved,
            writes,
            transactions_of(before, taker, fill.fill_id, amounts, self._new_id),
            fill,
            first_filled_by=taker if is_first else None,
        )
        return fill


def _shown(stored: StoredOrder, now_s: int, taker: str | None) -> tuple[Status, int | None, str | None]:
    """Return what StateForbids shows of the order: effective status, end and holder of its lock (K9)."""
    status, lock = status_at(stored.order, stored.state, now_s), live_lock(stored.state, now_s)
    if lock is None:
        return status, None, None
    is_holder = taker is not None and lock.is_held_by(taker)
    return status, lock.expires_at_s, lock.taker if is_holder else None
