"""The state machine of signed orders: which action is allowed in which phase, and its result.

An order's effective state depends on what is stored and on the clock: locks and deadlines end by themselves, without a
job (K30). So every reader and command asks ``status_at`` or ``phase_at``, and a command that meets a lapsed order
writes the lapse first (``lapse``).

All times are Unix seconds; a lock or a deadline has ended at its very second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from chalicelib.domain.signed.order import NOTHING, FillAmounts, Hold, SignedOrder, customer_of
from chalicelib.support.consistency import Inconsistent


class Status(StrEnum):
    PENDING = "pending"
    LOCKED = "locked"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


FINAL = frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED, Status.REJECTED})
CANCEL_REQUESTED_NOTES = "cancel_requested"


class Phase(Enum):
    """The part of an order's state that decides which actions are allowed now."""

    OPEN = "open"
    """No live lock, deadline not reached: any taker may lock it."""
    LOCKED = "locked"
    CANCEL_REQUESTED = "locked, and its maker has asked to cancel it"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    """In a final status."""


class Action(Enum):
    LOCK = "lock"
    UNLOCK = "unlock"
    FILL = "fill"
    REJECT = "reject"
    CANCEL = "cancel"
    CONFIRM_CANCEL = "confirm the cancel"
    DECLINE_CANCEL = "decline the cancel"
    SUSPEND = "suspend"
    RESUME = "resume"


class Forbidden(Exception):
    """The order's phase does not allow the action."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The exclusive right of one taker to fill the order. taker: the address as its registration has it."""

    taker: str
    locked_at_s: int
    expires_at_s: int

    def is_held_by(self, taker: str) -> bool:
        return customer_of(self.taker) == customer_of(taker)


@dataclass(frozen=True, slots=True)
class State:
    """The mutable part of a stored order.

    lock: the latest one; a FILLED order keeps the one under which it was filled. hold: funds still held for it.
    version: number of writes of the row; every write is conditional on it. fills: their number; None if the order was
    first filled when fills were not counted yet. updated_at_s: time of the last change of state; of a lapse, when it
    took effect (K30).
    """

    status: Status
    hold: Hold
    updated_at_s: int
    filled: int = 0
    lock: Lock | None = None
    is_cancel_requested: bool = False
    notes: str | None = None
    version: int = 0
    fills: int | None = 0


@dataclass(frozen=True, slots=True)
class Step:
    """An action with its arguments.

    at_s: time of the action. taker, lock_seconds: of a LOCK. amounts: of a FILL. notes: of REJECT and CONFIRM_CANCEL.
    """

    action: Action
    at_s: int
    taker: str = ""
    lock_seconds: int = 0
    amounts: FillAmounts | None = None
    notes: str | None = None


def created(hold: Hold, at_s: int) -> State:
    """Return a new order's state. hold: the funds set aside for it, NOTHING where the ledger does not settle (K34)."""
    return State(Status.PENDING, hold, at_s)


def live_lock(state: State, at_s: int) -> Lock | None:
    """Return the lock that holds at this moment."""
    lock = state.lock
    return lock if lock and lock.expires_at_s > at_s and state.status not in FINAL else None


def phase_at(order: SignedOrder, state: State, at_s: int) -> Phase:
    status = status_at(order, state, at_s)
    if status in FINAL:
        return Phase.CLOSED
    if status is Status.SUSPENDED:
        return Phase.SUSPENDED
    if not live_lock(state, at_s):
        return Phase.OPEN
    return Phase.CANCEL_REQUESTED if state.is_cancel_requested else Phase.LOCKED


def status_at(order: SignedOrder, state: State, at_s: int) -> Status:
    """Return the effective status, by the clock: what everybody sees, filters by and is judged by."""
    if state.status in FINAL or state.status is Status.SUSPENDED:
        return state.status
    lock = live_lock(state, at_s)
    if state.is_cancel_requested and not lock:
        return Status.CANCELLED
    if order.deadline <= at_s:
        return Status.EXPIRED
    if state.filled:
        return Status.PARTIALLY_FILLED
    return Status.LOCKED if lock else Status.PENDING


def seen_at(order: SignedOrder, state: State, at_s: int) -> State:
    """Return the state as it is at this moment, lapses included; the state itself where none has happened."""
    return lapse(order, state, at_s) or state


def lapse(order: SignedOrder, state: State, at_s: int) -> State | None:
    """Return what is to be written down of what the clock has done to the order; None where it has done nothing."""
    if state.status in FINAL or state.status is Status.SUSPENDED:
        return None
    status = status_at(order, state, at_s)
    lock_ended = state.lock.expires_at_s if state.lock and not live_lock(state, at_s) else None
    if status is Status.CANCELLED and lock_ended is not None:
        return _end(state, Status.CANCELLED, lock_ended, notes=None)
    if status is Status.EXPIRED:
        return _end(state, Status.EXPIRED, order.deadline, notes=None)
    return _unlocked(state, lock_ended) if lock_ended is not None else None


def take(order: SignedOrder, state: State, step: Step) -> State:
    """Return what the order is after this step. Raises Forbidden.

    The state must be as of the step's time (``seen_at``). The caller has checked whose lock it is, and
    that quantities and funds suffice.
    """
    effect = TRANSITIONS.get((phase_at(order, state, step.at_s), step.action))
    if effect is None:
        raise Forbidden(step.action.value)
    return effect(order, state, step)


def next_lapse_s(order: SignedOrder, state: State) -> int | None:
    """Return when the clock will change the order next, if nobody touches it; None: never."""
    if state.status in FINAL or state.status is Status.SUSPENDED:
        return None
    return min(order.deadline, state.lock.expires_at_s) if state.lock else order.deadline


# --- what becomes of an order; one function for each kind of change


def _lock(order: SignedOrder, state: State, step: Step) -> State:
    """Give one taker the right to fill it, never beyond the deadline."""
    lock = Lock(step.taker, step.at_s, min(step.at_s + step.lock_seconds, order.deadline))
    status = Status.PARTIALLY_FILLED if state.filled else Status.LOCKED
    return replace(state, status=status, lock=lock, updated_at_s=step.at_s)


def _unlock(_order: SignedOrder, state: State, step: Step) -> State:
    return _unlocked(state, step.at_s)


def _fill(order: SignedOrder, state: State, step: Step) -> State:
    amounts = step.amounts
    if amounts is None:
        raise Inconsistent("a fill says what it moves")
    filled = state.filled + amounts.quantity
    if amounts.quantity < 1 or filled > order.quantity:
        raise Forbidden("fill more than is left")
    hold = state.hold - order.taken_by(amounts) if state.hold != NOTHING else NOTHING
    fills = None if state.fills is None else state.fills + 1
    after = replace(
        state, filled=filled, fills=fills, hold=hold, status=Status.PARTIALLY_FILLED, updated_at_s=step.at_s
    )
    if filled < order.quantity:
        return after
    return replace(_end(after, Status.FILLED, step.at_s, notes=None), lock=state.lock)


def _reject(_order: SignedOrder, state: State, step: Step) -> State:
    """Turn the order down for good; one that has fills can only be unlocked (K25)."""
    if state.filled:
        raise Forbidden("reject what is partially filled")
    return _end(state, Status.REJECTED, step.at_s, notes=step.notes)


def _cancel(_order: SignedOrder, state: State, step: Step) -> State:
    return _end(state, Status.CANCELLED, step.at_s, notes=step.notes)


def _request_cancel(_order: SignedOrder, state: State, step: Step) -> State:
    return replace(state, is_cancel_requested=True, notes=CANCEL_REQUESTED_NOTES, updated_at_s=step.at_s)


def _decline_cancel(_order: SignedOrder, state: State, step: Step) -> State:
    return replace(state, is_cancel_requested=False, notes=None, updated_at_s=step.at_s)


def _stay(_order: SignedOrder, state: State, _step: Step) -> State:
    return state


def _suspend(_order: SignedOrder, state: State, step: Step) -> State:
    return replace(_unlocked(state, step.at_s), status=Status.SUSPENDED, is_cancel_requested=False, notes=None)


def _resume(order: SignedOrder, state: State, step: Step) -> State:
    """Open the order again; one whose deadline has passed meanwhile expires now, for until now it was suspended."""
    if order.deadline <= step.at_s:
        return _end(state, Status.EXPIRED, step.at_s, notes=None)
    return _unlocked(state, step.at_s)


def _unlocked(state: State, at_s: int) -> State:
    return replace(state, status=_unlocked_status(state), lock=None, updated_at_s=at_s)


def _unlocked_status(state: State) -> Status:
    return Status.PARTIALLY_FILLED if state.filled else Status.PENDING


def _end(state: State, status: Status, at_s: int, *, notes: str | None) -> State:
    """Return a final state: nothing is held any more, no lock and no request are left."""
    return replace(
        state, status=status, hold=NOTHING, lock=None, is_cancel_requested=False, notes=notes, updated_at_s=at_s
    )


Effect = Callable[[SignedOrder, State, Step], State]

TRANSITIONS: dict[tuple[Phase, Action], Effect] = {
    (Phase.OPEN, Action.LOCK): _lock,
    (Phase.OPEN, Action.CANCEL): _cancel,
    (Phase.OPEN, Action.SUSPEND): _suspend,
    (Phase.LOCKED, Action.UNLOCK): _unlock,
    (Phase.LOCKED, Action.FILL): _fill,
    (Phase.LOCKED, Action.REJECT): _reject,
    (Phase.LOCKED, Action.CANCEL): _request_cancel,
    (Phase.LOCKED, Action.SUSPEND): _suspend,
    (Phase.CANCEL_REQUESTED, Action.UNLOCK): _cancel,
    (Phase.CANCEL_REQUESTED, Action.FILL): _fill,
    (Phase.CANCEL_REQUESTED, Action.REJECT): _reject,
    (Phase.CANCEL_REQUESTED, Action.CANCEL): _stay,
    (Phase.CANCEL_REQUESTED, Action.CONFIRM_CANCEL): _cancel,
    (Phase.CANCEL_REQUESTED, Action.DECLINE_CANCEL): _decline_cancel,
    (Phase.CANCEL_REQUESTED, Action.SUSPEND): _suspend,
    (Phase.SUSPENDED, Action.RESUME): _resume,
}
"""The state machine: what may be done in which phase, and what becomes of the order. Anything else is Forbidden."""
