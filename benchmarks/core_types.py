"""What parked orders and a book's protection cost the matching core: the same flow with and without them.

Each round measures all books in turn, so that other load on the machine meets all of them alike; ratios are medians.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.core import AT_MS, BUY, CUSTOMERS, GTC, SELL, WHOLE, commands
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import Traded
from chalicelib.domain.books.vocabulary import BookRules, OrderType, PlaceOrder, Protection
from chalicelib.domain.ledger.amounts import Side

PROTECTED = BookRules(protection=Protection(price_band_bps=5000, halt_bps=5000, halt_window_s=60, halt_s=300))
NEAR = 100 * WHOLE
"""A price in the midst of the flow's. Ids of parked orders are less than the flow's, as those of older orders are."""


class Cost(NamedTuple):
    """Times of the flow as parts of its time on a plain book: beside parked orders of both types, and protected."""

    stop_limit: float
    trailing: float
    protected: float


def measure(parked: int, count: int, rounds: int = 3) -> Cost:
    """Decide the same flow of orders, of which half trade, on each book. Raises where their trades differ."""
    flow = commands(count, seed=7)
    books: tuple[Callable[[], Book], ...] = (
        lambda: Book(BookRules()),
        lambda: _with_parked(_stops(parked)),
        lambda: _with_parked(_trailing(parked)),
        lambda: Book(PROTECTED),
    )
    seconds: list[list[float]] = [[] for _ in books]
    for _ in range(rounds):
        traded = set[int]()
        for of_book, made in zip(seconds, books, strict=True):
            book, trades = made(), 0
            started = process_time()
            for command in flow:
                for step in decide(book, command, AT_MS):
                    trades += sum(type(event) is Traded for event in step.events)
            of_book.append(process_time() - started)
            traded.add(trades)
        if len(traded) > 1:
            raise AssertionError("the books trade differently")
    plain, *others = seconds
    return Cost(*(median(one / base for one, base in zip(other, plain, strict=True)) for other in others))


def _with_parked(orders: Iterator[PlaceOrder]) -> Book:
    book = Book(BookRules())
    for order in orders:
        for _ in decide(book, order, AT_MS):
            pass
    return book


def _stops(count: int) -> Iterator[PlaceOrder]:
    """Yield STOP_LIMIT orders whose stops no trade of the flow reaches."""
    draw = random.Random(count)
    for number in range(count):
        side = draw.choice((BUY, SELL))
        away = draw.randint(1, 10**6)
        stop = NEAR * 10 + away if side is BUY else 1 + away
        yield _parked(number, side, OrderType.STOP_LIMIT, stop_price=stop)


def _trailing(count: int) -> Iterator[PlaceOrder]:
    """Yield TRAILING orders too far from the flow's trades to follow one, and trades that move their references."""
    draw = random.Random(count)
    for number in range(count):
        yield _parked(number, draw.choice((BUY, SELL)), OrderType.TRAILING, distance=NEAR * 10 + draw.randint(1, 10**6))
        if number % 10 == 0:
            price = NEAR + draw.randint(-50, 50) * WHOLE // 10
            for side in (SELL, BUY):
                hold = WHOLE if side is SELL else price
                yield PlaceOrder(f"ord_M{number}{side}", "maker", side, OrderType.LIMIT, GTC, price, WHOLE, hold)


def _parked(
    number: int, side: Side, kind: OrderType, stop_price: int | None = None, distance: int | None = None
) -> PlaceOrder:
    hold = WHOLE if side is SELL else NEAR
    return PlaceOrder(
        f"ord_-{number:025d}", f"cust_{number % CUSTOMERS}", side, kind, GTC, NEAR, WHOLE, hold,
        stop_price=stop_price, distance=distance,
    )  # fmt: skip


if __name__ == "__main__":
    print(measure(100_000, 20_000))
