"""Goal: the matching core and a naive matcher written from the contract agree on everything that can be seen.

Method: Hypothesis draws a book's rules and a sequence of orders of few customers, few prices and few quantities, so
that orders meet all the time. After every order both matchers must show the same trades, closed orders, queues, holds
and balances; money must be conserved; and folding the events into a second book must lead to the same state
(``comparison``). A second test mixes in all else that can happen to a book: cancels, pauses, its close, time that
passes, and a restart from a snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CancelAll,
    CancelOrder,
    ChangeBook,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.comparison import Comparison

LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


@dataclass(frozen=True)
class Scale:
    """The amounts of one example: prices are multiples of a tick, quantities of a lot, so that few values collide."""

    rules: BookRules
    tick: int
    lot: int


@dataclass(frozen=True)
class Draft:
    """An order in ticks and lots. ``budget_quarters`` and ``budget_units``: a MARKET BUY's budget against its price.

    life_ms: how long a GTC LIMIT order lives, 0: it is due at its turn; None: it does not expire.
    """

    customer: str
    side: Side
    kind: tuple[OrderType, TimeInForce, bool]
    ticks: int
    lots: int
    budget_quarters: int
    budget_units: int
    life_ms: int | None
    is_by_value: bool


lot_sizes = st.sampled_from([1, 1, 2, 3, 10, 10**8, 10**18])
min_order_values = st.sampled_from([0, 0, 1, 2, 5, 100])


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    """Rules with a tick and a lot that make roundings bite: thirds of a unit, single base units, whole units."""
    rules = draw(
        st.builds(
            BookRules,
            base_decimals=st.sampled_from([0, 1, 8, 18]),
            maker_fee_bps=st.integers(0, 1000),
            taker_fee_bps=st.integers(0, 1000),
            self_trade_prevention=st.sampled_from(SelfTradePrevention),
            lot_size=lot_sizes,
            min_order_value=min_order_values,
        )
    )
    unit = 10**rules.base_decimals
    return Scale(
        rules,
        tick=draw(st.sampled_from([1, unit // 3 + 1, unit, 7 * unit])),
        lot=draw(st.sampled_from([1, unit // 3 + 1, unit, 1000 * unit])),
    )


CUSTOMERS = ["ann", "bob", "cleo"]
KINDS = [
    (LIMIT, GTC, False),
    (LIMIT, GTC, False),
    (LIMIT, GTC, False),
    (LIMIT, GTC, False),
    (LIMIT, GTC, True),
    (LIMIT, IOC, False),
    (LIMIT, FOK, False),
    (MARKET, GTC, False),
    (MARKET, IOC, False),
    (MARKET, FOK, False),
]

drafts = st.builds(
    Draft,
    customer=st.sampled_from(CUSTOMERS),
    side=st.sampled_from(Side),
    kind=st.sampled_from(KINDS),
    ticks=st.integers(1, 4),
    lots=st.integers(1, 5),
    budget_quarters=st.integers(0, 5),
    budget_units=st.integers(-1, 1),
    life_ms=st.sampled_from([None, None, None, 0, 1, 2, 5]),
    is_by_value=st.booleans(),
)


sequences = st.integers(1, 40).flatmap(lambda length: st.lists(drafts, min_size=length, max_size=length))
"""As many long sequences as short ones: deep queues need many orders."""


def command_of(number: int, draft: Draft, scale: Scale, at_ms: int) -> PlaceOrder:
    """The draft as admission would make it: with its id and its hold (5.3)."""
    price, quantity = draft.ticks * scale.tick, draft.lots * scale.lot
    order_type, time_in_force, post_only = draft.kind
    cost = -(-price * quantity // 10**scale.rules.base_decimals)
    hold = quantity if draft.side is Side.SELL else cost
    if order_type is MARKET and draft.side is Side.BUY:
        hold = max(0, cost * draft.budget_quarters // 4 + draft.budget_units)
    may_expire = order_type is LIMIT and time_in_force is GTC and draft.life_ms is not None
    return PlaceOrder(
        order_id=f"order {number}",
        customer=draft.customer,
        side=draft.side,
        order_type=order_type,
        time_in_force=time_in_force,
        price=price if order_type is LIMIT else None,
        quantity=quantity,
        hold=hold,
        post_only=post_only,
        value=hold if order_type is MARKET and draft.is_by_value else None,
        expires_at_ms=at_ms + (draft.life_ms or 0) if may_expire else None,
    )


@given(scales(), sequences)
@settings(
    max_examples=10 * settings().max_examples,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_core_agrees_with_the_reference_after_every_order(scale: Scale, sequence: list[Draft]) -> None:
    comparison = Comparison(scale.rules)
    for number, draft in enumerate(sequence, start=1):
        comparison.place(command_of(number, draft, scale, comparison.at_ms))


@dataclass(frozen=True)
class Cancel:
    """A wish to cancel the order that came so many steps before, if that was one and it is the customer's."""

    customer: str
    steps_ago: int


@dataclass(frozen=True)
class FromBefore:
    """An order that came to rest before dust was closed: of so many single base units, at so many ticks."""

    customer: str
    side: Side
    ticks: int
    units: int


@dataclass(frozen=True)
class CancelThemAll:
    """A wish to cancel all orders of a customer, done so many events at a time (O9)."""

    customer: str
    events_max: int


@dataclass(frozen=True)
class ChangeTerms:
    """A wish to change the book's terms; where that closes it, so many orders are closed at a time."""

    terms: BookTerms
    events_max: int


@dataclass(frozen=True)
class Pass:
    """Time passes; what is due then is closed, so many orders at a time (R24)."""

    duration_ms: int
    orders_max: int


@dataclass(frozen=True)
class Restart:
    """Go on from a snapshot."""


all_cancels = st.builds(CancelThemAll, customer=st.sampled_from(CUSTOMERS), events_max=st.integers(1, 4))
cancels = st.builds(Cancel, customer=st.sampled_from(CUSTOMERS), steps_ago=st.integers(0, 9))
terms = st.builds(
    BookTerms,
    version=st.integers(1, 9),
    status=st.sampled_from([BookStatus.PAUSED, BookStatus.ACTIVE, BookStatus.ACTIVE, BookStatus.CLOSED]),
    maker_fee_bps=st.integers(0, 1000),
    taker_fee_bps=st.integers(0, 1000),
    self_trade_prevention=st.sampled_from(SelfTradePrevention),
    lot_size=lot_sizes,
    min_order_value=min_order_values,
)
changes = st.builds(ChangeTerms, terms, st.integers(1, 4))
steps = st.one_of(
    st.builds(FromBefore, st.sampled_from(CUSTOMERS), st.sampled_from(Side), st.integers(1, 4), st.integers(1, 3)),
    drafts,
    drafts,
    drafts,
    drafts,
    cancels,
    all_cancels,
    changes,
    st.builds(Pass, st.integers(1, 3), st.integers(1, 2)),
    st.builds(Restart),
)
step_sequences = st.integers(1, 40).flatmap(lambda length: st.lists(steps, min_size=length, max_size=length))


@given(scales(), step_sequences)
@settings(
    max_examples=5 * settings().max_examples,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_core_agrees_with_the_reference_whatever_happens_to_the_book(
    scale: Scale,
    sequence: list[Draft | FromBefore | Cancel | CancelThemAll | ChangeTerms | Pass | Restart],
) -> None:
    comparison = Comparison(scale.rules)
    for number, step in enumerate(sequence, start=1):
        match step:
            case Draft():
                comparison.place(command_of(number, step, scale, comparison.at_ms))
            case FromBefore(customer, side, ticks, units):
                price = ticks * scale.tick
                hold = units if side is Side.SELL else -(-price * units // 10**scale.rules.base_decimals)
                comparison.rest_from_before(
                    PlaceOrder(f"order {number}", customer, side, LIMIT, GTC, price, units, hold)
                )
            case Cancel(customer, steps_ago):
                comparison.cancel(CancelOrder(f"cancel {number}", f"order {number - steps_ago}", customer))
            case CancelThemAll(customer, events_max):
                comparison.cancel_all(CancelAll(f"cancel all {number}", customer), events_max)
            case ChangeTerms(terms, events_max):
                comparison.change(ChangeBook(f"change {number}", terms), events_max)
            case Pass(duration_ms, orders_max):
                comparison.let_pass(duration_ms, orders_max)
            case Restart():
                comparison.go_on_from_a_snapshot()
