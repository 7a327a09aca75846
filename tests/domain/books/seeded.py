"""Wishes drawn from a seed, for the tests that compare the core with the naive matcher: quicker than Hypothesis.

``any_wish`` mixes all that can happen as evenly as is useful; ``place_or_cancel`` is what order files are mostly made
of.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from chalicelib.domain.books.vocabulary import (
    NO_PROTECTION,
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderType,
    Protection,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from tests.domain.books.comparison import Comparison
from tests.domain.books.drawn import (
    ADVANCED,
    CUSTOMERS,
    GTC,
    LIMIT,
    PLAIN,
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
)

ACTIVE, PAUSED, CLOSED = BookStatus.ACTIVE, BookStatus.PAUSED, BookStatus.CLOSED
SIDES, PREVENTIONS = list(Side), list(SelfTradePrevention)


def a_scale(draw: Random) -> Scale:
    rules = BookRules(
        draw.choice([0, 1, 8, 18]),
        draw.randint(0, 1000),
        draw.randint(0, 1000),
        draw.choice(PREVENTIONS),
        draw.choice([1, 1, 2, 3, 10, 10**8, 10**18]),
        draw.choice([0, 0, 1, 2, 5, 100]),
        _a_protection(draw),
    )
    unit = 10**rules.base_decimals
    return Scale(
        rules,
        tick=draw.choice([1, unit // 3 + 1, unit, 7 * unit]),
        lot=draw.choice([1, unit // 3 + 1, unit, 1000 * unit]),
    )


def any_wish(draw: Random, number: int) -> Wish:
    """number: of the step; terms mostly have it as their version, so they are later than those before."""
    customer, kind = draw.choice(CUSTOMERS), draw.random()
    if kind < 0.02:
        return FromBefore(customer, draw.choice(SIDES), _ticks(draw), draw.randint(1, 3))
    if kind < 0.70:
        return _a_draft(draw, _ticks(draw), [*PLAIN, *ADVANCED])
    if kind < 0.76:
        return Cancel(customer, draw.randint(0, 9))
    if kind < 0.87:
        ticks, lots = draw.choice([None, _ticks(draw)]), draw.choice([None, draw.randint(1, 12)])
        return Amend(draw.randint(1, 12), ticks, lots, draw.randint(0, 3))
    if kind < 0.88:
        return CancelThemAll(customer, draw.choice([CloseReason.CANCEL_ALL, CloseReason.DEAD_MAN]))
    if kind < 0.91:
        return _change(draw, number, [PAUSED, *[ACTIVE] * 6, *([CLOSED] if draw.random() < 0.1 else [])])
    if kind < 0.94:
        return Resume(draw.choice([None, _ticks(draw)]))
    if kind < 0.98:
        return Pass(draw.choice([1, 3, 600, 1500]))
    return Restart()


def place_or_cancel(draw: Random, number: int, comparison: Comparison, middle: int) -> Wish:
    """A step of a long run. middle: the price about which the market moves now, in ticks."""
    kind = draw.random()
    open_orders = list(comparison.book.open_orders.values())
    if comparison.book.status is PAUSED and kind < 0.1:
        return _change(draw, number, [ACTIVE])
    ticks = max(1, middle + draw.randint(-6, 6))
    if kind < 0.50:
        plain = _a_draft(draw, ticks, [(LIMIT, GTC, False)])
        away = draw.randint(-2, 20)
        return replace(plain, ticks=max(1, middle - away if plain.side is Side.BUY else middle + away), life_ms=None)
    if kind < 0.88 and open_orders:
        order = draw.choice(open_orders).placed
        return Cancel(order.customer, number - int(order.order_id.removeprefix("order ")))
    if kind < 0.98:
        return _a_draft(draw, ticks, [*PLAIN, *ADVANCED])
    if kind < 0.99:
        return Pass(draw.choice([1, 600, 1500]))
    if kind < 0.995 and open_orders:
        steps_ago = number - int(draw.choice(open_orders).placed.order_id.removeprefix("order "))
        return Amend(steps_ago, ticks, draw.randint(1, 12), draw.randint(0, 9))
    return draw.choice([_change(draw, number, [PAUSED, *[ACTIVE] * 4]), Resume(None), Restart()])


def _a_draft(draw: Random, ticks: int, kinds: list[tuple[OrderType, TimeInForce, bool]]) -> Draft:
    return Draft(
        customer=draw.choice(CUSTOMERS),
        side=draw.choice(SIDES),
        kind=draw.choice(kinds),
        ticks=ticks,
        lots=draw.randint(1, 9),
        budget_quarters=draw.randint(0, 5),
        budget_units=draw.randint(-1, 1),
        life_ms=draw.choice([*[None] * 6, 0, 1, 5, 1500]),
        is_by_value=draw.random() < 0.5,
        stop_ticks=max(1, ticks + draw.randint(-4, 4)) if draw.random() < 0.5 else _ticks(draw),
        step_lots=draw.randint(1, 3),
        has_price=draw.random() < 0.5,
    )


def _a_protection(draw: Random) -> Protection:
    if draw.random() < 0.4:
        return NO_PROTECTION
    band, halt = draw.choice([0, 0, 2500, 3333, 5000, 10_000]), draw.choice([0, 2500, 3333, 5000, 10_000])
    return Protection(band, halt, draw.randint(1, 3), draw.randint(1, 3))


def _change(draw: Random, number: int, statuses: list[BookStatus]) -> ChangeTerms:
    return ChangeTerms(
        BookTerms(
            number if draw.random() < 0.8 else draw.randint(1, 9),  # of two the later one counts
            draw.choice(statuses),
            draw.randint(0, 1000),
            draw.randint(0, 1000),
            draw.choice(PREVENTIONS),
            draw.choice([1, 1, 2, 3]),
            draw.choice([0, 0, 1, 2, 5]),
            _a_protection(draw),
        )
    )


def _ticks(draw: Random) -> int:
    return draw.randint(1, 5)
