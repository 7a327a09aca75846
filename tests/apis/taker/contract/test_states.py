"""Each row of the table of states, its guard and what it does to the funds (K2, K29); what the clock does (K30).

Orders are small ones: a hold of 1100, and 440 less of it for a fill of 400.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.signed.faults import StateForbids
from tests.apis.taker.cases import (
    CONFLICT,
    NOT_FOUND,
    id_of,
    listed_hashes,
    moment,
    new_order,
    nothing_changes,
    of_maker,
    outcome_of,
    totals,
)
from tests.apis.taker.desk import MAKER, NOW_S, QUOTE, TAKER, Desk, data_of
from tests.case_tables import cases

LOCK_S, DEADLINE_S = 600, 5000
Command = Callable[[Desk, str], Any]


def _suspend(desk: Desk, order_hash: str) -> Any:
    return desk.commands().suspend(desk.instance, id_of(desk, order_hash))


def _resume(desk: Desk, order_hash: str) -> Any:
    return desk.commands().resume(desk.instance, id_of(desk, order_hash))


def after(seconds: int) -> Command:
    return lambda desk, _: desk.clock.advance(seconds)


COMMANDS: dict[str, Command] = {
    "lock": lambda desk, one: desk.lock(one, lock_duration=LOCK_S),
    "lock by another": lambda desk, one: desk.as_other.lock(one, lock_duration=LOCK_S),
    "unlock": lambda desk, one: desk.unlock(one),
    "fill some": lambda desk, one: desk.fill(one, 400),
    "fill the rest": lambda desk, one: desk.fill(one, 1000 - int(of_maker(desk, one)["filled_quantity"])),
    "reject": lambda desk, one: desk.reject(one),
    "cancel": lambda desk, one: desk.cancel(one),
    "grant": lambda desk, one: desk.cancel_result(one, True, "granted"),
    "refuse": lambda desk, one: desk.cancel_result(one, False, "refused"),
    "suspend": _suspend,
    "resume": _resume,
    "time is up": after(LOCK_S),
    "deadline": after(DEADLINE_S),
    "nearly up": after(LOCK_S - 1),
    "nearly at it": after(DEADLINE_S - 1),
}
STATES: dict[str, list[str]] = {
    "pending": [],
    "locked": ["lock"],
    "partial, locked": ["lock", "fill some"],
    "partial, open": ["lock", "fill some", "unlock"],
    "locked, asked": ["lock", "cancel"],
    "partial, locked, asked": ["lock", "fill some", "cancel"],
    "suspended": ["suspend"],
    "partial, suspended": ["lock", "fill some", "suspend"],
    "filled": ["lock", "fill the rest"],
    "cancelled": ["cancel"],
    "partial, cancelled": ["lock", "fill some", "unlock", "cancel"],
    "expired": ["deadline"],
    "rejected": ["lock", "reject"],
}
"""How an order comes into each state."""


def _in_state(desk: Desk, state: str) -> str:
    order_hash = new_order(desk, deadline=NOW_S + DEADLINE_S)
    for name in STATES[state]:
        answer = COMMANDS[name](desk, order_hash)
        assert getattr(answer, "status", 200) == 200 or name in ("suspend", "resume"), answer
    return order_hash


WHOLE, REST = 1100, 660
# from, what happens, to, what is held of it then, whether somebody holds its lock then
TRANSITIONS = cases(
    ("created",                          "pending",         [],                "pending",          WHOLE, False),
    ("pending, locked",                  "pending",         ["lock"],          "locked",           WHOLE, True),
    ("partial, locked again",            "partial, open",   ["lock"],          "partially_filled", REST,  True),
    ("partial, locked by another",       "partial, open",   ["lock by another"], "partially_filled", REST,  True),
    ("locked, given back",               "locked",          ["unlock"],        "pending",          WHOLE, False),
    ("locked, runs out",                 "locked",          ["time is up"],    "pending",          WHOLE, False),
    ("locked, a second before",          "locked",          ["nearly up"],     "locked",           WHOLE, True),
    ("partial, given back",              "partial, locked", ["unlock"],        "partially_filled", REST,  False),
    ("partial, runs out",                "partial, locked", ["time is up"],    "partially_filled", REST,  False),
    ("locked, filled in part",           "locked",          ["fill some"],     "partially_filled", REST,  True),
    ("partial, filled further",          "partial, locked", ["fill some"],     "partially_filled", 220,   True),
    ("locked, filled",                   "locked",          ["fill the rest"], "filled",           0,     True),
    ("partial, filled",                  "partial, locked", ["fill the rest"], "filled",           0,     True),
    ("locked, rejected",                 "locked",          ["reject"],        "rejected",         0,     False),
    ("pending, cancelled",               "pending",         ["cancel"],        "cancelled",        0,     False),
    ("partial, open, cancelled",         "partial, open",   ["cancel"],        "cancelled",        0,     False),
    ("locked, asked for",                "locked",          ["cancel"],        "locked",           WHOLE, True),
    ("partial, asked for",               "partial, locked", ["cancel"],        "partially_filled", REST,  True),
    ("asked, granted",                   "locked, asked",   ["grant"],         "cancelled",        0,     False),
    ("asked, given back",                "locked, asked",   ["unlock"],        "cancelled",        0,     False),
    ("asked, runs out",                  "locked, asked",   ["time is up"],    "cancelled",        0,     False),
    ("asked, refused",                   "locked, asked",   ["refuse"],        "locked",           WHOLE, True),
    ("asked, refused, runs out",         "locked, asked",   ["refuse", "time is up"], "pending",          WHOLE, False),
    ("asked, filled in part",            "locked, asked",   ["fill some"],     "partially_filled", REST,  True),
    ("asked, filled",                    "locked, asked",   ["fill the rest"], "filled",           0,     True),
    ("asked, rejected",                  "locked, asked",   ["reject"],        "rejected",         0,     False),
    ("partial, asked, granted",          "partial, locked, asked", ["grant"],         "cancelled",        0,     False),
    ("partial, asked, given back",       "partial, locked, asked", ["unlock"],        "cancelled",        0,     False),
    ("partial, asked, runs out",         "partial, locked, asked", ["time is up"],    "cancelled",        0,     False),
    ("partial, asked, refused",          "partial, locked, asked", ["refuse"],        "partially_filled", REST,  True),
    ("pending, at its deadline",         "pending",         ["deadline"],      "expired",          0,     False),
    ("pending, a second before",         "pending",         ["nearly at it"],  "pending",          WHOLE, False),
    ("locked, at its deadline",          "locked",          ["deadline"],      "expired",          0,     False),
    ("partial, at its deadline",         "partial, open",   ["deadline"],      "expired",          0,     False),
    ("partial, locked, at its deadline", "partial, locked", ["deadline"],      "expired",          0,     False),
    ("asked, and past its deadline",     "locked, asked",   ["deadline"],      "cancelled",        0,     False),
    ("pending, suspended",               "pending",         ["suspend"],       "suspended",        WHOLE, False),
    ("locked, suspended",                "locked",          ["suspend"],       "suspended",        WHOLE, False),
    ("partial, suspended",               "partial, locked", ["suspend"],       "suspended",        REST,  False),
    ("asked, suspended",                 "locked, asked",   ["suspend"],       "suspended",        WHOLE, False),
    ("suspended, past its deadline",     "suspended",       ["deadline"],      "suspended",        WHOLE, False),
    ("suspended, resumed",               "suspended",       ["resume"],        "pending",          WHOLE, False),
    ("partial, suspended, resumed",      "partial, suspended", ["resume"],        "partially_filled", REST,  False),
    ("suspended, resumed too late",      "suspended",       ["deadline", "resume"], "expired",          0,     False),
)  # fmt: skip


@pytest.mark.parametrize(("state", "steps", "status", "held", "is_locked"), TRANSITIONS)
def test_a_row_of_the_table_of_states(
    desk: Desk, state: str, steps: list[str], status: str, held: int, is_locked: bool
) -> None:
    before = totals(desk)
    order_hash = _in_state(desk, state)
    for name in steps:
        COMMANDS[name](desk, order_hash)
    assert of_maker(desk, order_hash)["status"] == status
    if status in ("cancelled", "expired", "filled", "rejected"):
        desk.commands().sweep()
    assert desk.balance(MAKER, QUOTE)[1] == held
    assert totals(desk) == before
    is_open = status in ("pending", "partially_filled") and not is_locked
    assert outcome_of(desk.as_other.lock(order_hash)) == (200 if is_open else CONFLICT)


ALLOWED = {
    "pending": {"lock", "cancel", "suspend"},
    "locked": {"unlock", "fill some", "fill the rest", "reject", "cancel", "suspend"},
    "partial, locked": {"unlock", "fill some", "fill the rest", "cancel", "suspend"},
    "partial, open": {"lock", "cancel", "suspend"},
    "locked, asked": {"unlock", "fill some", "fill the rest", "reject", "cancel", "grant", "refuse", "suspend"},
    "partial, locked, asked": {"unlock", "fill some", "fill the rest", "cancel", "grant", "refuse", "suspend"},
    "suspended": {"resume"},
    "partial, suspended": {"resume"},
}
FORBIDDEN = cases(
    *(
        (f"{state}: {command}", state, command)
        for state in STATES
        for command in ("lock", "unlock", "fill some", "reject", "cancel", "grant", "refuse", "suspend", "resume")
        if command not in ALLOWED.get(state, ())
    )
)


@pytest.mark.parametrize(("state", "command"), FORBIDDEN)
def test_what_the_table_does_not_have_is_refused_and_changes_nothing(desk: Desk, state: str, command: str) -> None:
    order_hash = _in_state(desk, state)
    desk.commands().sweep()
    with nothing_changes(desk):
        if command in ("suspend", "resume"):
            with pytest.raises(StateForbids):
                COMMANDS[command](desk, order_hash)
        else:
            assert outcome_of(COMMANDS[command](desk, order_hash)) in (CONFLICT, NOT_FOUND)


# --- K2: what a taker sees ---------------------------------------------------------------------------------------

SEEN: Any = cases(
    ("never locked",                   [],                                                 False),
    ("locked",                         ["lock"],                                           True),
    ("given back",                     ["lock", "unlock"],                                 False),
    ("run out",                        ["lock", "time is up"],                             False),
    ("rejected",                       ["lock", "reject"],                                 False),
    ("cancel granted",                 ["lock", "cancel", "grant"],                        False),
    ("cancelled by giving back",       ["lock", "cancel", "unlock"],                       False),
    ("cancelled by running out",       ["lock", "cancel", "time is up"],                   False),
    ("expired under the lock",         ["lock", "deadline"],                               False),
    ("suspended",                      ["lock", "suspend"],                                False),
    ("resumed",                        ["lock", "suspend", "resume"],                      False),
    ("a fill",                         ["lock", "fill some"],                              True),
    ("a fill, given back",             ["lock", "fill some", "unlock"],                    True),
    ("a fill, run out",                ["lock", "fill some", "time is up"],                True),
    ("a fill, cancelled",              ["lock", "fill some", "unlock", "cancel"],          True),
    ("a fill, locked by another",      ["lock", "fill some", "unlock", "lock by another"], True),
    ("a fill, suspended",              ["lock", "fill some", "suspend"],                   True),
    ("a fill, expired",                ["lock", "fill some", "deadline"],                  True),
    ("filled",                         ["lock", "fill the rest"],                          True),
    ("another's lock after one's own", ["lock", "unlock", "lock by another"],              False),
)  # fmt: skip


@pytest.mark.parametrize(("steps", "is_seen"), SEEN)
def test_k2_a_taker_sees_what_it_holds_and_what_it_has_filled(desk: Desk, steps: list[str], is_seen: bool) -> None:
    """K2, K35: shown and listed alike, before and after the lapses are written down."""
    order_hash = new_order(desk, deadline=NOW_S + DEADLINE_S)
    for name in steps:
        COMMANDS[name](desk, order_hash)
    for _ in range(2):
        assert outcome_of(desk.seen(order_hash)) == (200 if is_seen else NOT_FOUND)
        assert listed_hashes(desk) == [order_hash] * is_seen
        assert data_of(desk.get("/takers/orders"))["total"] == is_seen
        desk.commands().sweep()


# --- K29 and K30 -------------------------------------------------------------------------------------------------


def test_k29_a_partially_filled_order_goes_on_to_another_taker(desk: Desk) -> None:
    order_hash = _in_state(desk, "partial, locked")
    assert outcome_of(desk.as_other.lock(order_hash)) == CONFLICT
    desk.clock.advance(LOCK_S)
    assert data_of(desk.as_other.lock(order_hash))["locked_by"] == desk.as_other.taker
    assert data_of(desk.as_other.fill(order_hash, 600))["status"] == "filled"


@pytest.mark.parametrize(("steps", "status"), cases(
    ("cancelled", ["unlock", "cancel"],           "cancelled"),
    ("expired",   ["deadline"],    "expired"),
))  # fmt: skip
def test_k29_what_was_filled_stays_filled(desk: Desk, steps: list[str], status: str) -> None:
    order_hash = _in_state(desk, "partial, locked")
    for name in steps:
        COMMANDS[name](desk, order_hash)
    after_it = of_maker(desk, order_hash)
    assert (after_it["status"], after_it["filled_quantity"]) == (status, "400")


LAPSES: Any = cases(
    ("a lock",            "locked",          LOCK_S,         "pending",          LOCK_S),
    ("a lock, later",     "locked",          LOCK_S + 9,     "pending",          LOCK_S),
    ("a cancel request",  "locked, asked",   LOCK_S + 9,     "cancelled",        LOCK_S),
    ("a deadline",        "pending",         DEADLINE_S + 9, "expired",          DEADLINE_S),
    ("both",              "locked",          DEADLINE_S + 9, "expired",          DEADLINE_S),
    ("a lock with fills", "partial, locked", LOCK_S + 9,     "partially_filled", LOCK_S),
)  # fmt: skip


@pytest.mark.parametrize(("state", "seconds", "status", "at_s"), LAPSES)
def test_k30_a_lapse_is_seen_at_once_and_dated_when_it_took_effect(
    desk: Desk, state: str, seconds: int, status: str, at_s: int
) -> None:
    """Nothing has run: what is stored is as it was. Then it is written, and nobody sees a difference."""
    order_hash = _in_state(desk, state)
    desk.clock.advance(seconds)
    with nothing_changes(desk):
        shown = of_maker(desk, order_hash)
    assert (shown["status"], shown["updated_at"]) == (status, moment(NOW_S + at_s))
    assert desk.commands().sweep() == 1
    assert of_maker(desk, order_hash) == shown
    assert desk.commands().sweep() == 0


def test_k30_a_command_that_meets_a_lapse_writes_it_first(desk: Desk) -> None:
    """The expired order's funds come back although its cancel is refused; they are enough for the next order."""
    desk.debit(MAKER, QUOTE, desk.balance(MAKER, QUOTE)[0] - 1100)
    order_hash = _in_state(desk, "pending")
    assert desk.balance(MAKER, QUOTE) == (0, 1100)
    desk.clock.advance(DEADLINE_S)
    assert outcome_of(desk.cancel(order_hash)) == CONFLICT
    assert desk.balance(MAKER, QUOTE) == (1100, 0)
    assert new_order(desk, deadline=desk.clock.now_s + 1)


def test_k30_another_taker_locks_at_the_very_second(desk: Desk) -> None:
    order_hash = _in_state(desk, "locked")
    desk.clock.advance(LOCK_S - 1)
    assert outcome_of(desk.as_other.lock(order_hash)) == CONFLICT
    desk.clock.advance(1)
    answer = data_of(desk.as_other.lock(order_hash))
    assert answer["locked_at"] == moment(NOW_S + LOCK_S)
    assert outcome_of(desk.seen(order_hash)) == NOT_FOUND
    assert listed_hashes(desk.as_other) == [order_hash]


def test_k30_the_sweep_goes_through_all_that_lapsed_and_nothing_else(desk: Desk) -> None:
    orders = [_in_state(desk, state) for state in ("locked", "locked, asked", "pending", "partial, locked")]
    data_of(desk.lock(orders[2], lock_duration=3600))
    desk.clock.advance(LOCK_S)
    assert desk.commands().sweep() == 3
    statuses = [of_maker(desk, order_hash)["status"] for order_hash in orders]
    assert statuses == ["pending", "cancelled", "locked", "partially_filled"]
    desk.clock.advance(DEADLINE_S)
    assert desk.commands().sweep() == 3
    assert desk.balance(MAKER, QUOTE)[1] == 0


def test_the_version_of_an_order_counts_its_writes(desk: Desk) -> None:
    def version() -> int:
        (row,) = [row for row in desk.database.scan("signed-orders") if row["entry"] == "order"]
        return int(row["version"])

    order_hash = new_order(desk)
    versions = [version()]
    for name in ("lock", "fill some", "cancel", "refuse", "unlock", "cancel"):
        COMMANDS[name](desk, order_hash)
        versions.append(version())
    assert versions == list(range(7))


def test_who_holds_the_lock_is_never_its_maker(desk: Desk) -> None:
    order_hash = _in_state(desk, "locked")
    (row,) = data_of(desk.get("/takers/orders"))["orders"]
    assert (row["order_hash"], row["locked_by"]) == (order_hash, TAKER)


def test_k42_an_order_that_cannot_be_swept_stops_no_other(desk: Desk) -> None:
    """The first to end cannot be read: its row was edited by hand."""
    broken = new_order(desk, deadline=desk.clock.now_s + 100)
    sound = new_order(desk, deadline=desk.clock.now_s + 200)
    (row,) = [
        row for row in desk.database.scan("signed-orders") if row.get("order_hash") == broken and "hold_quote" in row
    ]
    desk.database.put_many("signed-orders", [row | {"status": "UNKNOWN"}])
    desk.clock.advance(300)
    assert desk.commands().sweep() == 1
    (stored,) = [
        row for row in desk.database.scan("signed-orders") if row.get("order_hash") == sound and "hold_quote" in row
    ]
    assert stored["status"] == "expired"
