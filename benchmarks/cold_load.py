"""Benchmark: time to load a book of 100,000 open orders into a matcher: ``python benchmarks/cold_load.py``.

The domain builds the book; it is written as the matcher writes it (entries of 1,000 events, due snapshots) to an
embedded engine. Order rows and accounts are left out, since loading reads none. A matcher with an empty cache loads it
five times and goes on matching; the last figure compares its speed with the same commands on an empty book.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, perf_counter, sleep

sys.path.insert(0, str(Path(__file__).parent.parent))

import boto3

from benchmarks.core import commands
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.journal import draft
from chalicelib.domain.books.matching import place
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import PlaceOrder
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.loading import LoadedBook, Loading
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, batched
from chalicelib.tables.journal import Journal
from chalicelib.tables.snapshots import Snapshots
from infra.engine import engine_answers, start_engine
from infra.settings import HOST, free_port
from infra.tables import create_tables

OPEN_ORDERS = 100_000
COMMANDS_PER_ENTRY = 500
COMMANDS_AFTER = 20_000
ROUNDS = 5
AT_MS = 1_736_937_000_000
CONFIG = BookConfig("inst_bench001", "ob_bench", "Bench", "B/Q", "0x" + "b" * 40, "0x" + "c" * 40)


def resting(count: int) -> list[PlaceOrder]:
    """Return orders that all rest: bids below and asks above a price that neither reaches."""
    orders = []
    for order in commands(count, seed=11):
        assert order.price is not None
        away = 50 * 10**18 if order.side is Side.SELL else -50 * 10**18
        price = order.price + away
        hold = order.quantity if order.side is Side.SELL else -(-price * order.quantity // 10**18)
        orders.append(replace(order, order_id=order.order_id.replace("ord_", "ord_R"), price=price, hold=hold))
    return orders


def write_book(database: Database, orders: list[PlaceOrder]) -> LoadedBook:
    """Write the journal, snapshots and depth view of a book in which all the orders rest."""
    Books(database).create(CONFIG)
    journal, loading = Journal(database), Loading(database)
    state = BookState.empty(CONFIG.first_rules, CONFIG.first_terms.status)
    loaded = LoadedBook(book_key(CONFIG.instance, CONFIG.book_id), CONFIG, state)
    for chunk in batched(orders, COMMANDS_PER_ENTRY):
        events = [event for order in chunk for event in place(loaded.state.book, order, AT_MS)]
        for entry in draft(loaded.key, loaded.state.head, AT_MS, loaded.state.head.sequence + 1, events):
            loaded.journal_bytes += journal.append([entry])
            loaded.state.advance(entry, [])
        loading.publish(loaded)
        loading.write_snapshot_if_due(loaded)
    return loaded


def commands_a_second(book: Book) -> float:
    orders = commands(COMMANDS_AFTER, seed=7)
    started = perf_counter()
    for order in orders:
        place(book, order, AT_MS)
    return COMMANDS_AFTER / (perf_counter() - started)


@contextmanager
def engine_database() -> Iterator[Database]:
    """Run an embedded engine on a free port inside this context."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "local")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    port = free_port(0)
    engine = start_engine(port)
    try:
        deadline_s = monotonic() + 20
        while not engine_answers(port):
            assert monotonic() < deadline_s, "the embedded engine did not start"
            sleep(0.02)
        client = boto3.client("dynamodb", endpoint_url=f"http://{HOST}:{port}")
        create_tables(client, "bench")
        yield Database(client, "bench")
    finally:
        engine.stop(20)


def main() -> None:
    with engine_database() as database:
        written = write_book(database, resting(OPEN_ORDERS))
        snapshot = Snapshots(database).newest(written.key)
        assert snapshot is not None
        entries_after = written.state.head.sequence - snapshot.sequence
        print(
            f"{len(written.state.book.open_orders):,} open orders, {written.state.head.sequence} entries; snapshot at "
            f"{snapshot.sequence} of {len(snapshot.content):,} bytes, {entries_after} entries after it"
        )
        seconds = []
        for _ in range(ROUNDS):
            started = perf_counter()
            loaded = Loading(database).load(written.key)
            seconds.append(perf_counter() - started)
            assert loaded.state.book.state() == written.state.book.state()
        seconds.sort()
        print(f"loads in {seconds[ROUNDS // 2]:.2f} s, median of {ROUNDS} ({seconds[0]:.2f} to {seconds[-1]:.2f})")
        on_loaded, on_empty = commands_a_second(loaded.state.book), commands_a_second(Book(CONFIG.first_rules))
        print(f"then {on_loaded:,.0f} commands/s, on an empty book {on_empty:,.0f}: {on_loaded / on_empty:.2f} of that")


if __name__ == "__main__":
    main()
