"""What Hypothesis draws for the tests that compare the core with the naive matcher: rules, orders, and all else.

Few customers, few prices and few quantities: so orders meet all the time.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderType,
    PlaceOrder,
    Protection,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import hold_of_limit

LIMIT, MARKET, CEILING = OrderType.LIMIT, OrderType.MARKET, OrderType.CEILING
STOP_LIMIT, TRAILING, ICEBERG = OrderType.STOP_LIMIT, OrderType.TRAILING, OrderType.ICEBERG
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
CUSTOMERS = ["ann", "bob", "cleo"]


@dataclass(frozen=True)
class Scale:
    """The amounts of one example: prices are multiples of a tick, quantities of a lot, so that few values collide."""

    rules: BookRules
    tick: int
    lot: int


@dataclass(frozen=True)
class Draft:
    """An order in ticks and lots. ``budget_quarters`` and ``budget_units``: a MARKET BUY's budget against its price.

    kind: type, time in force, and whether it is post-only.
    life_ms: how long an order that may expire lives, 0: it is due at its turn; None: it does not expire.
    stop_ticks: the stop price of a STOP_LIMIT order, the distance of a TRAILING one. step_lots: of an ICEBERG order.
    has_price: whether a TRAILING SELL has one.
    """

    customer: str
    side: Side
    kind: tuple[OrderType, TimeInForce, bool]
    ticks: int
    lots: int
    budget_quarters: int = 4
    budget_units: int = 0
    life_ms: int | None = None
    is_by_value: bool = False
    stop_ticks: int = 1
    step_lots: int = 1
    has_price: bool = True


@dataclass(frozen=True)
class Cancel:
    """A wish to cancel the order that came so many steps before, if that was one and it is the customer's."""

    customer: str
    steps_ago: int


@dataclass(frozen=True)
class Amend:
    """A wish to change the order that came so many steps before, if it is open (O8).

    ticks, lots: the new terms; None: as they are. delay: how many steps pass between admission and its turn.
    """

    steps_ago: int
    ticks: int | None
    lots: int | None
    delay: int


@dataclass(frozen=True)
class FromBefore:
    """An order that came to rest before dust was closed: of so many single base units, at so many ticks."""

    customer: str
    side: Side
    ticks: int
    units: int


@dataclass(frozen=True)
class CancelThemAll:
    """A wish to cancel all orders of a customer (O9, O10)."""

    customer: str
    reason: CloseReason


@dataclass(frozen=True)
class ChangeTerms:
    """A wish to change the book's terms."""

    terms: BookTerms


@dataclass(frozen=True)
class Resume:
    """The operator's wish to end a halt, and to set the band's reference to so many ticks; None: not to."""

    ticks: int | None


@dataclass(frozen=True)
class Pass:
    """Time passes; what is due then is done."""

    duration_ms: int


@dataclass(frozen=True)
class Restart:
    """Go on from a snapshot."""


Wish = Draft | Cancel | Amend | FromBefore | CancelThemAll | ChangeTerms | Resume | Pass | Restart

lot_sizes = st.sampled_from([1, 1, 2, 3, 10, 10**8, 10**18])
min_order_values = st.sampled_from([0, 0, 1, 2, 5, 100])
protections = st.one_of(
    st.just(Protection()),
    st.builds(
        Protection,
        price_band_bps=st.sampled_from([0, 0, 2500, 3333, 5000, 10_000]),
        halt_bps=st.sampled_from([0, 2500, 3333, 5000, 10_000]),
        halt_window_s=st.integers(1, 3),
        halt_s=st.integers(1, 3),
    ),
)
ticks = st.integers(1, 5)


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
            protection=protections,
        )
    )
    unit = 10**rules.base_decimals
    return Scale(
        rules,
        tick=draw(st.sampled_from([1, unit // 3 + 1, unit, 7 * unit])),
        lot=draw(st.sampled_from([1, unit // 3 + 1, unit, 1000 * unit])),
    )


def drafts_of(kinds: list[tuple[OrderType, TimeInForce, bool]]) -> st.SearchStrategy[Draft]:
    """Orders of these kinds; who draws one twice gets it twice as often."""
    return st.builds(
        Draft,
        customer=st.sampled_from(CUSTOMERS),
        side=st.sampled_from(Side),
        kind=st.sampled_from(kinds),
        ticks=ticks,
        lots=st.integers(1, 9),
        budget_quarters=st.integers(0, 5),
        budget_units=st.integers(-1, 1),
        life_ms=st.sampled_from([None, None, None, 0, 1, 2, 5, 1500]),
        is_by_value=st.booleans(),
        stop_ticks=ticks,
        step_lots=st.integers(1, 3),
        has_price=st.booleans(),
    )


PLAIN = [
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
ADVANCED = [
    (STOP_LIMIT, GTC, False),
    (STOP_LIMIT, GTC, False),
    (TRAILING, GTC, False),
    (TRAILING, GTC, False),
    (ICEBERG, GTC, False),
    (ICEBERG, GTC, False),
    (ICEBERG, GTC, True),
    (CEILING, GTC, False),
    (CEILING, FOK, False),
]
plain_drafts, drafts = drafts_of(PLAIN), drafts_of([*PLAIN, *ADVANCED])

terms = st.builds(
    BookTerms,
    version=st.integers(1, 9),
    status=st.sampled_from(
        [BookStatus.PAUSED, BookStatus.ACTIVE, BookStatus.ACTIVE, BookStatus.ACTIVE, BookStatus.CLOSED]
    ),
    maker_fee_bps=st.integers(0, 1000),
    taker_fee_bps=st.integers(0, 1000),
    self_trade_prevention=st.sampled_from(SelfTradePrevention),
    lot_size=lot_sizes,
    min_order_value=min_order_values,
    protection=protections,
)
wishes: st.SearchStrategy[Wish] = st.one_of(
    st.builds(FromBefore, st.sampled_from(CUSTOMERS), st.sampled_from(Side), ticks, st.integers(1, 3)),
    drafts,
    drafts,
    drafts,
    drafts,
    drafts,
    st.builds(Cancel, customer=st.sampled_from(CUSTOMERS), steps_ago=st.integers(0, 9)),
    st.builds(
        Amend,
        steps_ago=st.integers(1, 9),
        ticks=st.none() | ticks,
        lots=st.none() | st.integers(1, 12),
        delay=st.integers(0, 3),
    ),
    st.builds(
        CancelThemAll, st.sampled_from(CUSTOMERS), st.sampled_from([CloseReason.CANCEL_ALL, CloseReason.DEAD_MAN])
    ),
    st.builds(ChangeTerms, terms),
    st.builds(Resume, st.none() | ticks),
    st.builds(Pass, st.sampled_from([1, 2, 3, 600, 1500])),
    st.builds(Restart),
)


def sequences_of(steps: st.SearchStrategy[Wish]) -> st.SearchStrategy[list[Wish]]:
    """As many long sequences as short ones: deep queues need many orders."""
    return st.integers(1, 40).flatmap(lambda length: st.lists(steps, min_size=length, max_size=length))


def command_of(order_id: str, draft: Draft, scale: Scale, at_ms: int) -> PlaceOrder:
    """The draft as admission would make it: with its id and its hold (5.3)."""
    price: int | None = draft.ticks * scale.tick
    order_type, time_in_force, post_only = draft.kind
    quantity, step = draft.lots * scale.lot, None
    if order_type is ICEBERG:
        step = _step(draft, scale)
        quantity = max(step, min(quantity, 10 * step))
    cost = hold_of_limit(Side.BUY, draft.ticks * scale.tick, quantity, scale.rules.base_decimals)
    hold = quantity if draft.side is Side.SELL else cost
    is_market = order_type in (MARKET, CEILING)
    if is_market and draft.side is Side.BUY:
        hold = max(0, cost * draft.budget_quarters // 4 + draft.budget_units)
    if is_market or (order_type is TRAILING and draft.side is Side.SELL and not draft.has_price):
        price = None
    may_expire = not is_market and price is not None and time_in_force is GTC and draft.life_ms is not None
    return PlaceOrder(
        order_id=order_id,
        customer=draft.customer,
        side=draft.side,
        order_type=order_type,
        time_in_force=time_in_force,
        price=price,
        quantity=quantity,
        hold=hold,
        post_only=post_only,
        value=hold if order_type is CEILING or (order_type is MARKET and draft.is_by_value) else None,
        expires_at_ms=at_ms + (draft.life_ms or 0) if may_expire else None,
        stop_price=draft.stop_ticks * scale.tick if order_type is STOP_LIMIT else None,
        distance=draft.stop_ticks * scale.tick if order_type is TRAILING else None,
        step=step,
    )


def _step(draft: Draft, scale: Scale) -> int:
    """What the iceberg order shows at a time: so many lots, or more where those are worth nothing (O6)."""
    worth_something = hold_of_limit(Side.BUY, 1, -(-(10**scale.rules.base_decimals) // (draft.ticks * scale.tick)), 0)
    return max(draft.step_lots * scale.lot, worth_something)
