"""Benchmark: commands a second that the matching core decides on one core: ``python benchmarks/core.py``.

The orders are LIMIT GTC with 18 decimals around a constant price, half of them buys, from 20 customers, with a fixed
seed; about half of the commands trade. Commands are built before the clock starts; events are discarded.
"""

from __future__ import annotations

import gc
import random
import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Traded
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.vocabulary import BookRules, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import hold_of_limit

COMMANDS = 200_000
ROUNDS = 5
WHOLE = 10**18
AT_MS = 1_736_937_000_000


def commands(count: int, seed: int) -> list[PlaceOrder]:
    """Return random LIMIT GTC orders; the same seed gives the same orders."""
    draw = random.Random(seed)
    orders = []
    for number in range(count):
        side = draw.choice((Side.BUY, Side.SELL))
        offset = int(draw.gauss(-2, 5))
        price = (1000 + (offset if side is Side.BUY else -offset)) * WHOLE // 10
        quantity = draw.randint(1, 100) * WHOLE // 10
        hold = hold_of_limit(side, price, quantity, 18)
        customer = f"cust_{draw.randint(1, 20)}"
        order_id = f"ord_{number:026d}"
        orders.append(PlaceOrder(order_id, customer, side, OrderType.LIMIT, TimeInForce.GTC, price, quantity, hold))
    return orders


def main() -> None:
    orders = commands(COMMANDS, seed=7)
    rates = []
    for _ in range(ROUNDS):
        book = Book(BookRules(maker_fee_bps=5, taker_fee_bps=15))
        gc.collect()
        started = perf_counter()
        for order in orders:
            place(book, order, AT_MS)
        rates.append(COMMANDS / (perf_counter() - started))
    book = Book(BookRules(maker_fee_bps=5, taker_fee_bps=15))
    decided = [place(book, order, AT_MS) for order in orders]
    taking = sum(1 for events in decided if any(isinstance(event, Traded) for event in events))
    trades = sum(isinstance(event, Traded) for events in decided for event in events)
    rates.sort()
    print(f"commands {COMMANDS}, of them trading at once {taking}, trades {trades}, resting {len(book.open_orders)}")
    median = rates[len(rates) // 2]
    print(f"commands/s over {ROUNDS} rounds: min {rates[0]:,.0f} median {median:,.0f} max {rates[-1]:,.0f}")


if __name__ == "__main__":
    main()
