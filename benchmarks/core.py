"""Speed of the matching core: orders a second that one process decides, and the memory that resting orders take.

The core is measured as a stranger measures a matching engine: commands are built and events kept while the clock runs,
with the garbage collector as Python sets it. The clock is the processor's, so other load counts less. The peer is
matching-engine 0.1.1 of PyPI, the fastest engine in Python that is known here. It decides the same flow in the same
process, in rounds that alternate with the core's, and must make the same trades. It is no dependency: ``PEER_INSTALL``
puts it aside, and without it there are no ratios.
"""

from __future__ import annotations

import gc
import importlib
import random
import re
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.commands import decide
from chalicelib.domain.books.events import Event, Traded
from chalicelib.domain.books.vocabulary import BookRules, CancelOrder, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.holds import hold_of_limit

PEER_FOLDER = Path(__file__).parent.parent / "build" / "peer"
PEER_INSTALL = (
    "python -m pip install --target build/peer --no-deps --ignore-requires-python "
    "matching-engine==0.1.1 msgspec==0.23.0 sortedcontainers==2.4.0"
)
WHOLE = 10**18
AT_MS = 1_736_937_000_000
CUSTOMERS = 1000
PRICE = 100_000
LIMIT, GTC, BUY, SELL = OrderType.LIMIT, TimeInForce.GTC, Side.BUY, Side.SELL


class Kind(NamedTuple):
    """A kind of flow. distance: mean of an order's distance from ``PRICE``, away from the other side, and deviation."""

    cancels: float
    distance: float
    deviation: float


BRISK = Kind(cancels=0.1, distance=1, deviation=5)
"""Most orders trade soon, at forty prices."""
DEEP = Kind(cancels=0.2, distance=1000, deviation=500)
"""Few orders trade; the others rest at four thousand prices."""


class Order(NamedTuple):
    """An order of a flow. number: of the order, and of the cancel that names it. A cancel has no quantity."""

    number: int
    customer: int
    buys: bool = False
    price: int = 0
    quantity: int = 0


Match = tuple[int, int, int, int]
"""(maker, taker, price, quantity) of a trade."""


@dataclass(frozen=True, slots=True)
class Run:
    """What an engine did with a flow."""

    seconds: float
    trades: list[Match]
    resting: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Commands a second, medians over the rounds. peer: None where it is not installed. ratio: core / peer."""

    core: float
    peer: float | None
    trades: int
    resting: int

    @property
    def ratio(self) -> float | None:
        return None if self.peer is None else self.core / self.peer


@dataclass(frozen=True, slots=True)
class Resting:
    """A book with many open orders. seconds: to let them rest. collection_s: of one full garbage collection then."""

    orders: int
    bytes_per_order: float
    orders_per_second: float
    commands_per_second: float
    collection_s: float


def commands(count: int, seed: int) -> list[PlaceOrder]:
    """Return random LIMIT GTC orders of 18 decimals from 20 customers, of which half trade; one seed, one result."""
    draw = random.Random(seed)
    orders = []
    for number in range(count):
        side = draw.choice((BUY, SELL))
        offset = int(draw.gauss(-2, 5))
        price = (1000 + (offset if side is BUY else -offset)) * WHOLE // 10
        quantity = draw.randint(1, 100) * WHOLE // 10
        hold = hold_of_limit(side, price, quantity, 18)
        customer = f"cust_{draw.randint(1, 20)}"
        order_id = f"ord_{number:026d}"
        orders.append(PlaceOrder(order_id, customer, side, LIMIT, GTC, price, quantity, hold))
    return orders


def flow(kind: Kind, count: int, seed: int = 7) -> list[Order]:
    """Return random orders and cancels of earlier ones; the same seed gives the same flow."""
    draw = random.Random(seed)
    orders: list[Order] = []
    placed: list[Order] = []
    for number in range(count):
        if placed and draw.random() < kind.cancels:
            orders.append(Order(*draw.choice(placed)[:2]))
            continue
        buys = draw.random() < 0.5
        away = round(draw.gauss(kind.distance, kind.deviation))
        price = max(1, PRICE - away if buys else PRICE + away)
        placed.append(Order(number, draw.randrange(CUSTOMERS), buys, price, draw.randint(1, 100)))
        orders.append(placed[-1])
    return orders


def decided_by_core(orders: Sequence[Order]) -> Run:
    """Let the core decide a flow, in whole units; ids are texts before the clock starts, as admission gives them."""
    ids = [f"ord_{number:026d}" for number in range(len(orders))]
    customers = [f"cust_{number}" for number in range(CUSTOMERS)]
    book, events = Book(BookRules(base_decimals=0)), list[Event]()
    gc.collect()
    started = process_time()
    for number, customer, buys, price, quantity in orders:
        command = (
            PlaceOrder(
                ids[number], customers[customer], BUY if buys else SELL, LIMIT, GTC, price, quantity,
                price * quantity if buys else quantity,
            )
            if quantity
            else CancelOrder("cancel", ids[number], customers[customer])
        )  # fmt: skip
        for step in decide(book, command, AT_MS):
            events += step.events
    seconds = process_time() - started
    trades = [
        (int(event.maker.order_id[4:]), int(event.taker.order_id[4:]), event.price, event.quantity)
        for event in events
        if isinstance(event, Traded)
    ]
    return Run(seconds, trades, len(book.open_orders))


def compare(kind: Kind, count: int = 100_000, rounds: int = 5) -> Comparison:
    """Let the core and, if it is installed, the peer decide the same flow in turn. Raises where their trades differ."""
    orders = flow(kind, count)
    decided_by_peer = peer()
    core_s, peer_s = list[float](), list[float]()
    for _ in range(rounds):
        own = decided_by_core(orders)
        core_s.append(own.seconds)
        if decided_by_peer is not None:
            other = decided_by_peer(orders)
            peer_s.append(other.seconds)
            if (own.trades, own.resting) != (other.trades, other.resting):
                raise AssertionError("the core and the peer trade differently")
    return Comparison(count / median(core_s), count / median(peer_s) if peer_s else None, len(own.trades), own.resting)


def resting(count: int, commands_after: int = 20_000) -> Resting:
    """Let so many orders rest, at up to twenty thousand prices that no other side reaches, then decide a brisk flow."""
    draw = random.Random(count)
    gc.collect()
    tracemalloc.start()
    book = _with_resting(count, draw)[0]
    bytes_per_order = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    del book
    book, seconds = _with_resting(count, draw)
    gc.collect()
    started = process_time()
    gc.collect()
    collection_s = process_time() - started
    after = commands(commands_after, seed=7)
    started = process_time()
    for command in after:
        for _ in decide(book, command, AT_MS):
            pass
    return Resting(count, bytes_per_order, count / seconds, commands_after / (process_time() - started), collection_s)


def _with_resting(count: int, draw: random.Random) -> tuple[Book, float]:
    """Return a book in which so many orders rest, and the seconds that it took, ids and commands included."""
    book = Book(BookRules())
    started = process_time()
    for number in range(count):
        side = draw.choice((BUY, SELL))
        away = draw.randint(100, 10_000) * WHOLE
        price = PRICE * WHOLE + (-away if side is BUY else away)
        quantity = draw.randint(1, 100) * WHOLE // 10
        hold = quantity if side is SELL else price * quantity // WHOLE
        order_id, customer = f"ord_R{number:025d}", f"cust_{number % CUSTOMERS}"
        for _ in decide(book, PlaceOrder(order_id, customer, side, LIMIT, GTC, price, quantity, hold), AT_MS):
            pass
    return book, process_time() - started


def peer(folder: Path = PEER_FOLDER) -> Callable[[Sequence[Order]], Run] | None:
    """Return what lets the peer decide a flow; None where it is not installed in the folder."""
    if not (folder / "matching_engine").is_dir():
        return None
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        sys.meta_path.insert(0, _PeerFinder())
    domain, engine = (importlib.import_module(f"matching_engine.{name}") for name in ("domain", "engine"))
    trade = importlib.import_module("matching_engine.events").Trade
    new, cancel, sequenced = domain.NewOrder, domain.CancelOrder, domain.SequencedCommand
    buy, sell, limit, gtc = domain.Side.BUY, domain.Side.SELL, domain.OrderType.LIMIT, domain.TimeInForce.GTC
    none = domain.SelfTradePrevention.NONE

    def decided_by_peer(orders: Sequence[Order]) -> Run:
        book, events = engine.MatchingEngine(), list[Any]()
        gc.collect()
        started = process_time()
        for sequence, (number, customer, buys, price, quantity) in enumerate(orders, 1):
            command = (
                new(number, customer, buy if buys else sell, price, quantity, limit, gtc, False, none)
                if quantity
                else cancel(number, customer)
            )
            events += book.process(sequenced(sequence, AT_MS, command))
        seconds = process_time() - started
        trades = [
            (event.maker_order_id, event.taker_order_id, event.price, event.qty)
            for event in events
            if isinstance(event, trade)
        ]
        return Run(seconds, trades, len(book.book.orders))

    return decided_by_peer


class _PeerFinder:
    """Imports the peer, written for Python 3.12: ``type X = ...``, new in it, becomes ``X = ...``."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "matching_engine":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _PeerLoader(name, spec.origin)
        return spec


class _PeerLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(re.sub(rb"(?m)^type (?=\w+ = )", b"", self.get_data(path)), path)
