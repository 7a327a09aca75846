"""Checks of the feed benchmark: what each subscriber received, compared with the logs as the tables keep them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.feed_client import Told
from benchmarks.feed_depth import depth_digest
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.logs import book_log, lanes_of
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.feed import scopes
from chalicelib.services.feed.logs import BookEvents, log_of_book, log_of_lane
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import Journal

SHOWN_MAX = 3
KINDS = (
    ("gaps", "gaps:"), ("not in any log", "what no log has"), ("disorders", "disorders"), ("doubles", "doubles"),
    ("other hashes", "another hash"), ("other books", "the book of"), ("other balances", " has ("), ("others", ""),
)  # fmt: skip
"""Kinds of problems, each with what its lines have; the last one takes the rest."""


@dataclass(slots=True)
class Kept:
    """What the tables keep. depths: digest by (log, sequence). balances: available and held by customer and asset."""

    events: list[FeedEvent] = field(default_factory=list)
    depths: dict[tuple[str, int], str] = field(default_factory=dict)
    balances: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


def kept_of(database: Database, instance: str, customers: Iterable[str], every: int) -> Kept:
    """Read every log that an instance's operator follows, and fold its books from their journals."""
    kept, reading = Kept(), BookEvents(database)
    book_ids = Books(database).ids(instance)
    lanes = [lane for area in scopes.of_instance(instance).areas for lane in lanes_of(area)]
    logs = [log_of_book(reading, instance, book_id) for book_id in book_ids]
    for log in [*logs, *(log_of_lane(instance, lane) for lane in lanes)]:
        for row in log.rows.after(database, log.owner, 0):
            kept.events += log.events_of(row)
    for book_id in book_ids:
        kept.depths.update(_depths(database, instance, book_id, every))
    owners = {customer_key(instance, customer): customer for customer in customers}
    for row in database.scan("accounts"):
        customer, asset = owners.get(row["owner"]), row["entry"].removeprefix("balance/")
        if customer is not None and asset != row["entry"]:
            kept.balances[customer, asset] = row["available"], row["held"]
    return kept


def percentile(counted: Counter[int], percent: int) -> int:
    """Return the least value that so many percent do not exceed. counted: how often each value occurs, at least one."""
    left = -(-counted.total() * percent // 100)
    for value in sorted(counted):
        left -= counted[value]
        if left <= 0:
            return value
    raise ValueError("no values")


def _depths(database: Database, instance: str, book_id: str, every: int) -> Iterator[tuple[tuple[str, int], str]]:
    key = book_key(instance, book_id)
    config = Books(database).config(key)
    assert config is not None
    state = BookState.empty(config.first_rules, config.first_terms.status)
    for entry in Journal(database).after(key, 0):
        state.fold(entry)
        if entry.sequence % every == 0:
            yield (book_log(book_id), entry.sequence), depth_digest(depth_of(state.book))


def depth_of(book: Book) -> dict[tuple[str, int], int]:
    """Return the open quantity at each side and price of a book."""
    depth: Counter[tuple[str, int]] = Counter()
    for order in book.open_orders.values():
        assert order.price is not None
        depth[str(order.placed.side), order.price] += order.remaining
    return dict(depth)


def problems_of(kept: Kept, told: Told) -> list[str]:
    """Return what is wrong with what one subscriber received, one line each."""
    who = told.customer or "operator"
    scope = scopes.of_instance("", told.customer)
    expected = {event.event_id for event in kept.events if scope.shows(event)}
    problems = [told.fault] if told.fault else []
    problems += named("gaps: did not receive", expected - told.ids)
    problems += named("received what no log has:", told.ids - expected)
    problems += [f"{told.doubles} doubles"] if told.doubles else []
    problems += [f"{told.disorders} disorders"] if told.disorders else []
    problems += _depth_problems(kept, told, expected) if told.customer is None else []
    for (customer, asset), amounts in kept.balances.items():
        received = told.balances.get((customer, asset), (0, 0))
        if told.customer in (None, customer) and received != amounts:
            problems.append(f"{customer} has {amounts} of {asset}, the events come to {received}")
    return [f"{who}: {problem}" for problem in problems]


def _depth_problems(kept: Kept, told: Told, expected: set[str]) -> Iterator[str]:
    """Compare the depths at every due sequence that the subscriber passed: all before the last event of a log."""
    last: dict[str, int] = {}
    for event in kept.events:
        if event.event_id in expected:
            last[event.log] = max(event.sequence, last.get(event.log, 0))
    for (log, sequence), digest in kept.depths.items():
        if sequence < last[log] and told.depths.get((log, sequence)) != digest:
            yield f"the book of {log} differs at {sequence}"


def kinds_of(problems: Iterable[str]) -> dict[str, int]:
    """Return the number of problems by kind, none included."""
    counted = {kind: 0 for kind, _ in KINDS}
    for problem in problems:
        counted[next(kind for kind, word in KINDS if word in problem)] += 1
    return counted


def named(problem: str, ids: set[str]) -> list[str]:
    """Return a line that says how many they are, and some of them; none if there are none."""
    return [f"{problem} {len(ids)} events, as {', '.join(sorted(ids)[:SHOWN_MAX])}"] if ids else []
