"""Processor time and bytes of the journal, an order: encode the events, hash the entry, compress it, in batches of 100.

The orders are of ``core.commands`` with ids and customerRefs as random as in use: those are what compresses least.
"""

from __future__ import annotations

import random
import sys
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parent.parent))

from ulid import ULID

from benchmarks.core import AT_MS, commands
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import Event
from chalicelib.domain.books.journal import Head, draft
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.vocabulary import BookRules, PlaceOrder
from chalicelib.tables.stored_events import COMPRESSION

BATCH = 100
LEVELS = (1, 3, COMPRESSION, 9)


@dataclass(frozen=True, slots=True)
class JournalCost:
    """Of one order. levels: by level of zlib: (microseconds of compression, stored bytes)."""

    encode_us: float
    plain_bytes: float
    levels: dict[int, tuple[float, float]]

    @property
    def us(self) -> float:
        """Microseconds an order takes as the program does it."""
        return self.encode_us + self.levels[COMPRESSION][0]

    @property
    def stored_bytes(self) -> float:
        return self.levels[COMPRESSION][1]


def measure(batches: int = 30, rounds: int = 15) -> JournalCost:
    """Return what an order costs; the best round counts."""
    orders = batches * BATCH
    groups = _groups(batches)
    entries = [draft("inst_bench001/ob_bench", Head(), AT_MS, 10**30, events)[0] for events in groups]

    def encode() -> None:
        for events in groups:
            draft("inst_bench001/ob_bench", Head(), AT_MS, 10**30, events)

    levels = {}
    for level in LEVELS:
        stored = [0]

        def compress(level: int = level, stored: list[int] = stored) -> None:
            stored[0] = sum(len(zlib.compress(entry.content, level)) for entry in entries)

        levels[level] = (_best_us(compress, rounds) / orders, stored[0] / orders)
    return JournalCost(_best_us(encode, rounds) / orders, sum(len(entry.content) for entry in entries) / orders, levels)


def _groups(batches: int) -> list[list[Event]]:
    draw = random.Random(3)
    book = Book(BookRules(maker_fee_bps=5, taker_fee_bps=15))
    groups: list[list[Event]] = []
    for number, order in enumerate(commands(batches * BATCH, seed=7)):
        if number % BATCH == 0:
            groups.append([])
        order_id = f"ord_{ULID.from_bytes((AT_MS + number).to_bytes(6, 'big') + draw.randbytes(10))}"
        customer = str(uuid.UUID(bytes=draw.randbytes(16)))
        named = PlaceOrder(
            order_id, customer, order.side, order.order_type, order.time_in_force, order.price, order.quantity,
            order.hold,
        )  # fmt: skip
        groups[-1] += place(book, named, AT_MS)
    return groups


def _best_us(work: Callable[[], None], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        started = process_time()
        work()
        seconds.append(process_time() - started)
    return min(seconds) * 1e6
