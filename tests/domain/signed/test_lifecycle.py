"""The state machine of signed orders: what may be done in which state, and what the clock does by itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.domain.signed.lifecycle import (
    FINAL,
    Action,
    Forbidden,
    Lock,
    State,
    Status,
    Step,
    created,
    lapse,
    live_lock,
    next_lapse_s,
    seen_at,
    status_at,
    take,
)
from chalicelib.domain.signed.order import NOTHING, FillAmounts, Hold
from tests.case_tables import cases
from tests.diagrams import START, edges_of
from tests.services.signed.market import BUY, OTHER, TAKER, UNIT

NOW_S = 1000
UNTIL_S = 1600
"""When the locks of these tests end."""
ORDER = replace(BUY, deadline=5000)
LOCK = Lock(TAKER, 900, UNTIL_S)
WHOLE, REST = ORDER.hold(18), Hold(ORDER.hold(18).quote - 10, 0)
"""Held at first, and after a fill."""
ALL_LEFT = FillAmounts(ORDER.quantity, ORDER.value(18), 0, 0)
SOME = FillAmounts(UNIT, 150 * UNIT, 0, 0)

PENDING = State(Status.PENDING, WHOLE, 900)
LOCKED = replace(PENDING, status=Status.LOCKED, lock=LOCK)
PARTLY = replace(PENDING, status=Status.PARTIALLY_FILLED, filled=UNIT, hold=REST)
STATES = {
    "pending": PENDING,
    "locked": LOCKED,
    "locked, asked for": replace(LOCKED, is_cancel_requested=True, notes="cancel_requested"),
    "partly filled": PARTLY,
    "partly filled, locked": replace(PARTLY, lock=LOCK),
    "partly filled, locked, asked for": replace(PARTLY, lock=LOCK, is_cancel_requested=True, notes="cancel_requested"),
    "suspended": replace(PENDING, status=Status.SUSPENDED),
    "suspended, partly filled": replace(PARTLY, status=Status.SUSPENDED),
    "filled": replace(PARTLY, status=Status.FILLED, filled=ORDER.quantity, hold=NOTHING, lock=LOCK),
    "cancelled": replace(PARTLY, status=Status.CANCELLED, hold=NOTHING),
    "expired": replace(PENDING, status=Status.EXPIRED, hold=NOTHING),
    "rejected": replace(PENDING, status=Status.REJECTED, hold=NOTHING, notes="no"),
}
STEPS = {
    "lock": Step(Action.LOCK, NOW_S, TAKER, 600),
    "unlock": Step(Action.UNLOCK, NOW_S),
    "fill some": Step(Action.FILL, NOW_S, amounts=SOME),
    "fill the rest": Step(Action.FILL, NOW_S, amounts=ALL_LEFT),
    "reject": Step(Action.REJECT, NOW_S, notes="no"),
    "cancel": Step(Action.CANCEL, NOW_S),
    "confirm": Step(Action.CONFIRM_CANCEL, NOW_S, notes="gone"),
    "decline": Step(Action.DECLINE_CANCEL, NOW_S, notes="no"),
    "suspend": Step(Action.SUSPEND, NOW_S),
    "resume": Step(Action.RESUME, NOW_S),
}
ASKED = "cancel_requested"
FREE, HELD = None, LOCK
NEW = Lock(TAKER, NOW_S, NOW_S + 600)
ALLOWED = {
    # state,                             step:            status,                  lock, notes,  hold
    ("pending", "lock"):                                  (Status.LOCKED,           NEW,  None,   WHOLE),
    ("pending", "cancel"):                                (Status.CANCELLED,        FREE, None,   NOTHING),
    ("pending", "suspend"):                               (Status.SUSPENDED,        FREE, None,   WHOLE),
    ("locked", "unlock"):                                 (Status.PENDING,          FREE, None,   WHOLE),
    ("locked", "fill some"):                              (Status.PARTIALLY_FILLED, HELD, None,   "less"),
    ("locked", "fill the rest"):                          (Status.FILLED,           HELD, None,   NOTHING),
    ("locked", "reject"):                                 (Status.REJECTED,         FREE, "no",   NOTHING),
    ("locked", "cancel"):                                 (Status.LOCKED,           HELD, ASKED,  WHOLE),
    ("locked", "suspend"):                                (Status.SUSPENDED,        FREE, None,   WHOLE),
    ("locked, asked for", "unlock"):                      (Status.CANCELLED,        FREE, None,   NOTHING),
    ("locked, asked for", "fill some"):                   (Status.PARTIALLY_FILLED, HELD, ASKED,  "less"),
    ("locked, asked for", "fill the rest"):               (Status.FILLED,           HELD, None,   NOTHING),
    ("locked, asked for", "reject"):                      (Status.REJECTED,         FREE, "no",   NOTHING),
    ("locked, asked for", "cancel"):                      (Status.LOCKED,           HELD, ASKED,  WHOLE),
    ("locked, asked for", "confirm"):                     (Status.CANCELLED,        FREE, "gone", NOTHING),
    ("locked, asked for", "decline"):                     (Status.LOCKED,           HELD, None,   WHOLE),
    ("locked, asked for", "suspend"):                     (Status.SUSPENDED,        FREE, None,   WHOLE),
    ("partly filled", "lock"):                            (Status.PARTIALLY_FILLED, NEW,  None,   REST),
    ("partly filled", "cancel"):                          (Status.CANCELLED,        FREE, None,   NOTHING),
    ("partly filled", "suspend"):                         (Status.SUSPENDED,        FREE, None,   REST),
    ("partly filled, locked", "unlock"):                  (Status.PARTIALLY_FILLED, FREE, None,   REST),
    ("partly filled, locked", "fill some"):               (Status.PARTIALLY_FILLED, HELD, None,   "less"),
    ("partly filled, locked", "fill the rest"):           (Status.FILLED,           HELD, None,   NOTHING),
    ("partly filled, locked", "cancel"):                  (Status.PARTIALLY_FILLED, HELD, ASKED,  REST),
    ("partly filled, locked", "suspend"):                 (Status.SUSPENDED,        FREE, None,   REST),
    ("partly filled, locked, asked for", "unlock"):       (Status.CANCELLED,        FREE, None,   NOTHING),
    ("partly filled, locked, asked for", "fill some"):    (Status.PARTIALLY_FILLED, HELD, ASKED,  "less"),
    ("partly filled, locked, asked for", "fill the rest"): (Status.FILLED,          HELD, None,   NOTHING),
    ("partly filled, locked, asked for", "cancel"):       (Status.PARTIALLY_FILLED, HELD, ASKED,  REST),
    ("partly filled, locked, asked for", "confirm"):      (Status.CANCELLED,        FREE, "gone", NOTHING),
    ("partly filled, locked, asked for", "decline"):      (Status.PARTIALLY_FILLED, HELD, None,   REST),
    ("partly filled, locked, asked for", "suspend"):      (Status.SUSPENDED,        FREE, None,   REST),
    ("suspended", "resume"):                              (Status.PENDING,          FREE, None,   WHOLE),
    ("suspended, partly filled", "resume"):               (Status.PARTIALLY_FILLED, FREE, None,   REST),
}  # fmt: skip
"""What may be done. In every other pair of state and step it is forbidden."""


def step_of(name: str, state: State) -> Step:
    """Return the step; a fill of the rest is of what this state leaves."""
    if name != "fill the rest":
        return STEPS[name]
    left = ORDER.quantity - state.filled
    return replace(STEPS[name], amounts=FillAmounts(left, 150 * UNIT, 0, 0))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", STATES)
def test_a_step_leads_where_the_table_says_or_is_forbidden(state: str, step: str) -> None:
    before = STATES[state]
    if (state, step) not in ALLOWED:
        with pytest.raises(Forbidden):
            take(ORDER, before, step_of(step, before))
        return
    status, lock, notes, hold = ALLOWED[state, step]
    after = take(ORDER, before, step_of(step, before))
    if hold == "less":
        hold = Hold(before.hold.quote - SOME.amount, 0)
    assert (after.status, after.lock, after.notes, after.hold) == (status, lock, notes, hold)
    assert after.is_cancel_requested is (notes == ASKED)
    is_fill = step.startswith("fill")
    assert after.filled == before.filled + (step_of(step, before).amounts.quantity if is_fill else 0)  # type: ignore[union-attr]
    assert after.updated_at_s == (NOW_S if after != before else before.updated_at_s)


@pytest.mark.parametrize("state", ["locked, asked for", "partly filled, locked, asked for"])
def test_a_second_cancel_request_changes_nothing(state: str) -> None:
    assert take(ORDER, STATES[state], STEPS["cancel"]) == STATES[state]


def test_no_step_fills_more_than_is_left_or_nothing() -> None:
    for quantity in (0, -1, ORDER.quantity + 1):
        with pytest.raises(Forbidden):
            take(ORDER, LOCKED, Step(Action.FILL, NOW_S, amounts=FillAmounts(quantity, 0, 0, 0)))


def test_a_lock_never_goes_beyond_the_deadline() -> None:
    after = take(ORDER, PENDING, Step(Action.LOCK, ORDER.deadline - 10, TAKER, 600))
    assert after.lock == Lock(TAKER, ORDER.deadline - 10, ORDER.deadline)


def test_a_suspended_order_that_is_resumed_after_its_deadline_expires_then() -> None:
    after = take(ORDER, STATES["suspended, partly filled"], Step(Action.RESUME, ORDER.deadline))
    assert (after.status, after.hold, after.filled) == (Status.EXPIRED, NOTHING, UNIT)
    assert after.updated_at_s == ORDER.deadline


DEADLINE_S = ORDER.deadline
BY_THE_CLOCK = cases(
    # id,                                  state,                              at,             status
    ("pending, ahead of its deadline",     "pending",                          DEADLINE_S - 1, Status.PENDING),
    ("pending, at its deadline",           "pending",                          DEADLINE_S,     Status.EXPIRED),
    ("locked",                             "locked",                           UNTIL_S - 1,    Status.LOCKED),
    ("its lock has just ended",            "locked",                           UNTIL_S,        Status.PENDING),
    ("its lock ended, then its deadline",  "locked",                           DEADLINE_S,     Status.EXPIRED),
    ("asked for, locked",                  "locked, asked for",                UNTIL_S - 1,    Status.LOCKED),
    ("asked for, its lock has ended",      "locked, asked for",                UNTIL_S,        Status.CANCELLED),
    ("asked for, and past its deadline",   "locked, asked for",                DEADLINE_S,     Status.CANCELLED),
    ("partly filled",                      "partly filled",                    DEADLINE_S - 1, Status.PARTIALLY_FILLED),
    ("partly filled, at its deadline",     "partly filled",                    DEADLINE_S,     Status.EXPIRED),
    ("partly filled, locked",              "partly filled, locked",            UNTIL_S - 1,    Status.PARTIALLY_FILLED),
    ("partly filled, its lock has ended",  "partly filled, locked",            UNTIL_S,        Status.PARTIALLY_FILLED),
    ("partly filled, asked for",           "partly filled, locked, asked for", UNTIL_S - 1,    Status.PARTIALLY_FILLED),
    ("partly filled, asked for, ended",    "partly filled, locked, asked for", UNTIL_S,        Status.CANCELLED),
    ("suspended",                          "suspended",                        DEADLINE_S,     Status.SUSPENDED),
    ("filled",                             "filled",                           DEADLINE_S,     Status.FILLED),
    ("cancelled",                          "cancelled",                        DEADLINE_S,     Status.CANCELLED),
    ("expired",                            "expired",                          NOW_S,          Status.EXPIRED),
    ("rejected",                           "rejected",                         DEADLINE_S,     Status.REJECTED),
)  # fmt: skip


@pytest.mark.parametrize(("state", "at_s", "status"), BY_THE_CLOCK)
def test_what_an_order_is_depends_on_the_clock(state: str, at_s: int, status: Status) -> None:
    stored = STATES[state]
    assert status_at(ORDER, stored, at_s) is status
    seen = seen_at(ORDER, stored, at_s)
    assert (seen.status, status_at(ORDER, seen, at_s)) == (status, status)
    assert lapse(ORDER, seen, at_s) is None, "a lapse that is written has lapsed"


LAPSES = cases(
    # id, state, at, when it took effect, status
    ("lock",              "locked",                           UNTIL_S + 9,    UNTIL_S,    Status.PENDING),
    ("lock, some filled", "partly filled, locked",            UNTIL_S + 9,    UNTIL_S,    Status.PARTIALLY_FILLED),
    ("request",           "locked, asked for",                UNTIL_S + 9,    UNTIL_S,    Status.CANCELLED),
    ("request, deadline", "partly filled, locked, asked for", DEADLINE_S,     UNTIL_S,    Status.CANCELLED),
    ("deadline",          "pending",                          DEADLINE_S + 9, DEADLINE_S, Status.EXPIRED),
    ("lock, deadline",    "locked",                           DEADLINE_S + 9, DEADLINE_S, Status.EXPIRED),
    ("deadline, filled",  "partly filled",                    DEADLINE_S + 9, DEADLINE_S, Status.EXPIRED),
)  # fmt: skip


@pytest.mark.parametrize(("state", "at_s", "took_effect_s", "status"), LAPSES)
def test_a_lapse_is_dated_when_it_took_effect(state: str, at_s: int, took_effect_s: int, status: Status) -> None:
    """K30; K26: no notes are left of a request that was not answered."""
    after = lapse(ORDER, STATES[state], at_s)
    assert after is not None
    assert (after.status, after.updated_at_s, after.lock, after.notes) == (status, took_effect_s, None, None)
    assert after.hold == (NOTHING if status in FINAL else STATES[state].hold)
    assert after.filled == STATES[state].filled
    assert after.is_cancel_requested is False


def test_the_next_lapse_is_the_lock_or_the_deadline_whichever_comes_first() -> None:
    assert next_lapse_s(ORDER, PENDING) == DEADLINE_S
    assert next_lapse_s(ORDER, LOCKED) == UNTIL_S
    assert next_lapse_s(ORDER, replace(LOCKED, lock=replace(LOCK, expires_at_s=DEADLINE_S))) == DEADLINE_S
    for state in ("suspended", "filled", "cancelled", "expired", "rejected"):
        assert next_lapse_s(ORDER, STATES[state]) is None


@pytest.mark.parametrize("state", STATES)
def test_the_next_lapse_is_when_the_clock_first_has_something_to_write(state: str) -> None:
    at_s = next_lapse_s(ORDER, STATES[state])
    moments = range(NOW_S, DEADLINE_S + 10) if at_s is None else range(at_s - 1, at_s + 1)
    told = [lapse(ORDER, STATES[state], moment) is not None for moment in moments]
    assert told == ([False] * len(moments) if at_s is None else [False, True])


def test_a_lock_is_its_takers_whatever_the_case_of_the_address() -> None:
    assert LOCK.is_held_by(TAKER.upper().replace("X", "x"))
    assert not LOCK.is_held_by(OTHER)


def test_a_filled_order_shows_its_last_lock_and_has_no_live_one() -> None:
    assert STATES["filled"].lock == LOCK
    assert live_lock(STATES["filled"], NOW_S) is None


def test_a_new_order_is_pending_and_holds_what_it_may_cost() -> None:
    assert created(WHOLE, NOW_S) == State(Status.PENDING, WHOLE, NOW_S)
    assert created(NOTHING, NOW_S).hold == NOTHING


def test_the_diagram_of_signed_orders_has_each_change_of_status_and_no_other() -> None:
    changes = {(START, created(WHOLE, NOW_S).status.value)}
    nearly_filled = replace(PARTLY, filled=ORDER.quantity - UNIT, lock=LOCK)
    for state in (*STATES.values(), nearly_filled):
        after = [seen_at(ORDER, state, UNTIL_S), seen_at(ORDER, state, ORDER.deadline)]
        for step in STEPS.values():
            for at_s in (NOW_S, ORDER.deadline):
                with suppress(Forbidden):
                    after.append(take(ORDER, state, replace(step, at_s=at_s)))
        changes |= {(state.status.value, one.status.value) for one in after if one.status is not state.status}
    stays = {("partially_filled", "partially_filled")}
    assert edges_of("A signed order") - stays == changes
