"""Time to load a book of 100,000 open orders into a matcher.

The domain builds the book; it is written as the matcher writes it: entries of 1,000 events, due snapshots. Order rows
and accounts are left out, since loading reads none.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

from msgspec.structs import replace

from benchmarks.core import commands
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

OPEN_ORDERS = 100_000
COMMANDS_PER_ENTRY = 500
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


def seconds_to_load(database: Database, open_orders: int = OPEN_ORDERS, rounds: int = ROUNDS) -> float:
    """Write a book and load it some times into an empty cache. Return the median time of a load."""
    written = write_book(database, resting(open_orders))
    seconds = []
    for _ in range(rounds):
        started = perf_counter()
        loaded = Loading(database).load(written.key)
        seconds.append(perf_counter() - started)
        assert loaded.state.book.state() == written.state.book.state()
    return median(seconds)
