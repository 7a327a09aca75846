"""The command ``load``: a bounded number of orders at a steady rate, and how long their answers took (T147)."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import cycle
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chalicelib.ops.cli.api_access import Access, BookId, failure_of
from chalicelib.ops.cli.arguments import Amount, Printed, read_by, whole
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.cli.output import Asked, prints
from tallybook_client import ApiError, BookDesk, OutcomeUnknown, Retries, TallybookError, Unreachable
from tallybook_client.book import NewOrder
from tallybook_client.transport import address_of

ORDERS_MAX, RATE_MAX, THREADS_MAX = 100_000, 1000, 64
BAR_CHARACTERS = 40

app = App(name="load")


@dataclass
class Results:
    """What came of the orders so far. answers_s: from when each order was due, in seconds. failure: the last one."""

    wanted: int
    began_s: float
    answers_s: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    failure: TallybookError | None = None

    def printed(self) -> Printed:
        answers = sorted(self.answers_s)
        refused = self.refused.total()
        return {
            "orders": len(answers),
            "placed": len(answers) - refused,
            "refused": dict(sorted(self.refused.items())),
            "seconds": round(time.monotonic() - self.began_s, 3),
            "p50_ms": _quantile_ms(answers, 0.50),
            "p99_ms": _quantile_ms(answers, 0.99),
            "max_ms": _quantile_ms(answers, 1.0),
            "histogram": _histogram(answers),
        }

    def __rich__(self) -> Group:
        return _picture(self.printed(), self.wanted)


def _quantile_ms(answers: list[float], share: float) -> float | None:
    """Return the smallest time within which this share of the sorted answers came."""
    if not answers:
        return None
    return round(answers[math.ceil(share * len(answers)) - 1] * 1000, 1)


def _histogram(answers: list[float]) -> list[dict[str, int]]:
    """Return how many answers came within each time, doubling from 1 ms, and not within half of it."""
    counts = Counter(max(0, math.ceil(math.log2(answer * 1000))) for answer in answers)
    if not counts:
        return []
    return [{"within_ms": 2**power, "orders": counts[power]} for power in range(min(counts), max(counts) + 1)]


def _picture(printed: Printed, wanted: int) -> Group:
    """Return the results for a terminal."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("right", "right", "left"):
        table.add_column(justify=justify)
    most = max((row["orders"] for row in printed["histogram"]), default=1)
    for row in printed["histogram"]:
        bar = "█" * (row["orders"] * BAR_CHARACTERS // most)
        table.add_row(f"{row['within_ms']} ms", str(row["orders"]), Text(bar, "cyan"))
    refused = "".join(f", {count} {code}" for code, count in printed["refused"].items())
    head = f"{printed['placed']} of {wanted} orders placed{refused} in {printed['seconds']:.1f} s"
    if not printed["orders"]:
        return Group(Text(head, "bold"))
    times = f"p50 {printed['p50_ms']} ms, p99 {printed['p99_ms']} ms, longest {printed['max_ms']} ms"
    return Group(Text(head, "bold"), Text(times), table)


def _nothing_more(_printed: Printed) -> Iterable[str]:
    """Print nothing: on a terminal the picture is there already."""
    return ()


@app.default
@prints(_nothing_more)
def place_orders(
    *,
    url: Annotated[str, read_by(address_of, "of the API: always in so many words, never from a file or variable")],
    api_key: Annotated[
        str | None, Parameter(env_var="TALLYBOOK_API_KEY", help="of the book desk (a local run's)")
    ] = None,
    book: BookId,
    customer: Annotated[
        list[str], Parameter(help="whose orders, in turn; repeatable. Each needs funds of both assets")
    ],
    orders: Annotated[int, read_by(whole(1, ORDERS_MAX), "how many, 1 to 100000")],
    rate: Annotated[int, read_by(whole(1, RATE_MAX), "orders a second, 1 to 1000")] = 10,
    price: Annotated[Amount, Parameter(help="of every order, base units of the quote asset")],
    quantity: Annotated[Amount, Parameter(help="of every order, base units of the base asset")],
    asked: Asked,
) -> Printed:
    """Place orders at a steady rate, buying and selling in turn at one price, and show how long the answers took.

    $ tallybook load --url http://127.0.0.1:8000 --book ob_offchain_001 \\
        --orders 20 --rate 10 --customer cust_12345 --customer cust_23456 \\
        --price 100000000000000000000 --quantity 1000000000000000000
    """
    results = Results(orders, time.monotonic())
    customers = cycle(customer)
    planned = [
        NewOrder(
            order_book_id=book,
            customer_ref=next(customers),
            side="SELL" if number % 2 else "BUY",
            price=price,
            quantity=quantity,
        )
        for number in range(orders)
    ]
    is_live = sys.stdout.isatty() and not asked.wants_json
    with Access(url=url, api_key=api_key).desk(book, retries=Retries(attempts=1)) as desk:
        desk.books.one(book)  # whoever names another book, or has no key, is told before the first order
        with Live(results, refresh_per_second=4) if is_live else nullcontext():
            _send(desk, planned, rate, results)
    printed = results.printed()
    if results.failure is not None and not printed["placed"]:
        raise _nothing_placed(results.failure, url, printed)
    return printed


def _nothing_placed(last: TallybookError, url: str, printed: Printed) -> CommandFailed:
    """Return the failure of a load of which no order is known to be placed. It shows the counts all the same."""
    if "OUTCOME_UNKNOWN" in printed["refused"]:
        told = "no order is known to be placed, and of some it is not known; look at the customers' orders"
        return CommandFailed(told, Code.OUTCOME_UNKNOWN, printed)
    failure = failure_of(last, url)
    return CommandFailed(f"no order was placed; of the last: {failure}", failure.code, printed)


def _send(desk: BookDesk, planned: list[NewOrder], rate: int, results: Results) -> None:
    """Place each order when it is due, whether earlier answers have come or not, and wait for all answers."""
    threads = min(THREADS_MAX, len(planned))
    results.began_s = time.monotonic()

    def place(number: int, order: NewOrder) -> None:
        due_s = results.began_s + number / rate
        time.sleep(max(0.0, due_s - time.monotonic()))
        try:
            desk.orders.place(order)
        except TallybookError as error:
            results.refused[_code_of(error)] += 1
            results.failure = error
        results.answers_s.append(time.monotonic() - due_s)

    with ThreadPoolExecutor(threads) as pool:
        try:
            list(pool.map(place, range(len(planned)), planned))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise


def _code_of(error: TallybookError) -> str:
    if isinstance(error, ApiError):
        return error.code or str(error.status)
    if isinstance(error, OutcomeUnknown):
        return "OUTCOME_UNKNOWN"
    return "UNREACHABLE" if isinstance(error, Unreachable) else "UNREADABLE"
