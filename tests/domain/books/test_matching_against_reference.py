"""Goal: the matching core and a naive matcher written from the contract agree on everything that can be seen.

Method: Hypothesis draws a book's rules and a sequence of orders of few customers, few prices and few quantities, so
that orders meet all the time (``drawn``). After every step both matchers must show the same trades, closed orders,
queues, parked orders, holds and balances; money must be conserved; and folding the events into a second book must lead
to the same state (``comparison``). A second test mixes all types of orders with all else that can happen to a book:
cancels, amendments, pauses, halts, its close, time that passes, and a restart from a snapshot at any step.

Two more tests draw from seeds, which is quicker: such mixed sequences again, of which ``make agreement`` plays 10,000,
and long runs of mostly place and cancel, as real order files are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from chalicelib.domain.books.vocabulary import AmendOrder, CancelAll, CancelOrder, ChangeBook, PlaceOrder, ResumeBook
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import extra_of_amendment
from tests.domain.books.comparison import Comparison
from tests.domain.books.drawn import (
    GTC,
    LIMIT,
    Amend,
    Cancel,
    CancelThemAll,
    ChangeTerms,
    Draft,
    FromBefore,
    Pass,
    Restart,
    Resume,
    Scale,
    Wish,
    command_of,
    plain_drafts,
    scales,
    sequences_of,
    wishes,
)
from tests.domain.books.seeded import a_scale, any_wish, place_or_cancel

SEQUENCES = int(os.environ.get("TALLYBOOK_SEQUENCES", "100"))
FIRST = int(os.environ.get("TALLYBOOK_FIRST_SEED", "0"))
LONG_RUNS, COMMANDS = max(1, SEQUENCES // 1000), 3000 if SEQUENCES >= 1000 else 500


class Play:
    """Turns wishes into commands for a comparison, as admission would; amendments take their turn some steps later."""

    def __init__(self, scale: Scale, restart_after: int = 0, tell: Callable[[str], object] = print) -> None:
        self.scale = scale
        self.comparison = Comparison(scale.rules, restart_after, tell)
        self.number = 0
        self.under_way: list[tuple[int, AmendOrder]] = []

    def take(self, wish: Wish) -> None:
        self.number += 1
        comparison, number, tick = self.comparison, self.number, self.scale.tick
        match wish:
            case Draft():
                comparison.place(command_of(f"order {number}", wish, self.scale, comparison.at_ms))
            case FromBefore(customer, side, ticks, units):
                price = ticks * tick
                hold = units if side is Side.SELL else -(-price * units // 10**self.scale.rules.base_decimals)
                comparison.rest_from_before(
                    PlaceOrder(f"order {number}", customer, side, LIMIT, GTC, price, units, hold)
                )
            case Cancel(customer, steps_ago):
                comparison.cancel(CancelOrder(f"cancel {number}", f"order {number - steps_ago}", customer))
            case Amend():
                self._admit(wish)
            case CancelThemAll(customer, reason):
                comparison.cancel_all(CancelAll(f"cancel all {number}", customer, reason))
            case ChangeTerms(terms):
                comparison.change(ChangeBook(f"change {number}", terms))
            case Resume(ticks):
                comparison.resume(ResumeBook(f"resume {number}", None if ticks is None else ticks * tick))
            case Pass(duration_ms):
                comparison.let_pass(duration_ms)
            case Restart():
                comparison.go_on_from_a_snapshot()
        self.decide_amendments(number)

    def decide_amendments(self, until: int | None = None) -> None:
        """Give the amendments whose turn comes by this step their turn; None: all."""
        waiting, self.under_way = self.under_way, []
        for turn, command in waiting:
            if until is None or turn <= until:
                self.comparison.amend(command)
            else:
                self.under_way.append((turn, command))

    def _admit(self, wish: Amend) -> None:
        """Admit an amendment of an open order, unless one is under way (O8)."""
        order = self.comparison.book.open_orders.get(f"order {self.number - wish.steps_ago}")
        if order is None or any(command.order_id == order.placed.order_id for _, command in self.under_way):
            return
        price = None if wish.ticks is None else wish.ticks * self.scale.tick
        quantity = None if wish.lots is None else wish.lots * self.scale.lot
        remaining = (order.quantity if quantity is None else quantity) - order.quantity + order.remaining
        placed = order.placed
        extra = extra_of_amendment(
            placed.side,
            order.price or 0,
            order.remaining,
            order.hold,
            order.price or 0 if price is None else price,
            remaining,
            self.scale.rules.base_decimals,
        )
        command = AmendOrder(
            f"amendment {self.number}", placed.order_id, placed.customer, placed.side, price, quantity, extra
        )
        self.comparison.admit_amendment(command)
        self.under_way.append((self.number + wish.delay, command))


@given(scales(), sequences_of(plain_drafts))
@settings(
    max_examples=10 * settings().max_examples,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_core_agrees_with_the_reference_after_every_order(scale: Scale, sequence: list[Wish]) -> None:
    play = Play(scale, tell=note)
    for wish in sequence:
        play.take(wish)


@given(scales(), sequences_of(wishes), st.integers(0, 3))
@settings(
    max_examples=5 * settings().max_examples,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_core_agrees_with_the_reference_whatever_happens_to_the_book(
    scale: Scale, sequence: list[Wish], restart_after: int
) -> None:
    play = Play(scale, restart_after, note)
    for wish in sequence:
        play.take(wish)
    play.decide_amendments()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEQUENCES))
def test_the_core_agrees_with_the_reference_in_sequences_of_a_seed(seed: int) -> None:
    draw = Random(seed)
    play = Play(a_scale(draw), restart_after=draw.choice([0, 1, 2, 3]))
    for number in range(1, draw.choice([10, 40, 80]) + 1):
        play.take(any_wish(draw, number))
    play.decide_amendments()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LONG_RUNS))
def test_the_core_agrees_with_the_reference_over_a_long_run_of_mostly_place_and_cancel(seed: int) -> None:
    draw = Random(seed)
    play = Play(a_scale(draw))
    middle = 100
    for number in range(1, COMMANDS + 1):
        middle = max(7, middle + draw.choice([-1, 0, 0, 0, 0, 1]))
        play.take(place_or_cancel(draw, number, play.comparison, middle))
    play.decide_amendments()
    assert play.comparison.reference.trades
