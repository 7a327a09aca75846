"""What processes keep in memory: books by their orders, callers by their number."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import wiring
from chalicelib.domain.books.levels import opened
from chalicelib.domain.books.snapshot import BookState
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, OrderType, PlaceOrder, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.books.book_cache import BOOK_WEIGHT, PROGRAM_BYTES, BookCache, cached_orders_max, weight_of
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.books.matcher import Matcher
from chalicelib.support.bounded_cache import SCOPES_MAX, BoundedCache
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rate_limits import MinuteCounts, RateLimits
from infra.settings import ROOT
from tests.world import BASE, World

RULES = BookRules(0, 0, 0)


def state_of(orders: int, customer: str = "ann", **more: Any) -> BookState:
    """A book in which so many orders rest."""
    state = BookState.empty(RULES, BookStatus.ACTIVE)
    for number in range(orders):
        placed = PlaceOrder(
            f"ord_{number}", customer, Side.SELL, OrderType.LIMIT, TimeInForce.GTC, 50, 1, 1, False, **more
        )
        state.book.rest(opened(placed))
    return state


def kept_of(books: dict[str, int], orders_max: int) -> list[str]:
    """Return which of these books, kept in turn, are there in the end."""
    kept: BookCache[str] = BookCache(orders_max)
    for key, orders in books.items():
        kept.keep(key, key, state_of(orders))
    return [key for key in books if kept.get(key) is not None]


def test_as_many_books_are_kept_as_their_orders_let() -> None:
    each = 100 + BOOK_WEIGHT
    assert kept_of(dict.fromkeys("abcd", 100), 4 * each) == ["a", "b", "c", "d"]
    assert kept_of(dict.fromkeys("abcd", 100), 4 * each - 1) == ["b", "c", "d"]
    assert kept_of({"a": 10, "b": 10, "c": 1000}, 900) == ["c"], "the one that is at work stays, however large"
    assert kept_of({"a": 1000, "b": 1}, 900) == ["b"]


def test_empty_books_count_too() -> None:
    assert len(kept_of({str(number): 0 for number in range(50)}, 10 * BOOK_WEIGHT)) == 10


def test_the_book_that_was_used_last_stays() -> None:
    kept: BookCache[str] = BookCache(2 * (10 + BOOK_WEIGHT))
    for key in "aba":
        kept.keep(key, key, state_of(10))
    kept.keep("c", "c", state_of(10))
    assert [kept.get(key) for key in "abc"] == ["a", None, "c"]


def test_a_book_that_grows_in_memory_is_weighed_again() -> None:
    """A book that was small when it was loaded makes no room for itself at the others' expense unnoticed."""
    kept, grown = BookCache[str](500), state_of(1)
    kept.keep("other", "other", state_of(200))
    for number in range(400):
        placed = replace(next(iter(state_of(1).book.open_orders.values())).placed, order_id=f"more_{number}")
        grown.book.rest(opened(placed))
        kept.keep("grown", "grown", grown)
    assert kept.get("other") is None


def test_orders_with_long_names_weigh_more() -> None:
    usual, long = weight_of(state_of(10)), weight_of(state_of(10, "x" * 256, external_id="y" * 100))
    assert usual == 10 + BOOK_WEIGHT
    assert long > usual + 10


def test_what_a_function_keeps_is_worked_out_from_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """512 MB: 131,072 orders; 1,024 MB: 340,787; and never a negative number."""
    for memory, orders in ((512, 131_072), (1024, 340_787), (128, 0)):
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", str(memory))
        assert wiring.orders_max() == orders == cached_orders_max(memory)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    assert wiring.orders_max() == cached_orders_max(1024)


MEASURE = """
import re, sys
from pathlib import Path
from chalicelib.domain.books.snapshot import decode_state, encode_state
from chalicelib.services.books.book_cache import BookCache, cached_orders_max
from chalicelib.domain.books.vocabulary import BookRules
from tests.services.books.test_book_cache import state_of
rules, orders, books = BookRules(0, 0, 0), int(sys.argv[1]), int(sys.argv[2])
content = encode_state("b", state_of(orders, "cust_12345"))
def kib(what):
    return int(re.search(rf"^{what}:\\s+(\\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)[1])
before = kib("VmRSS")
kept = BookCache(int(sys.argv[3]))
for number in range(books):
    state = decode_state("b", rules, content)
    kept.keep(str(number), state, state)
print((kib("VmHWM") - before) * 1024, len(kept))
"""


def test_the_memory_that_books_take_is_what_is_reckoned_with() -> None:
    """Ten books of 20,000 orders, of which a function of 300 MB keeps two: their peak, the reading of the next one
    included, is within what the function has for books."""
    memory_mb = 300
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "20000", "10", str(cached_orders_max(memory_mb))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    peak, kept = map(int, done.stdout.split())
    assert kept == 2
    assert peak < memory_mb * 2**20 - PROGRAM_BYTES


def test_a_matcher_and_the_depths_forget_books_that_are_too_many(memory_database: Database) -> None:
    worlds = [World(memory_database, instance=f"inst_test000{number}") for number in range(3)]
    matcher = Matcher(memory_database, lambda: worlds[0].now_ms, orders_max=0)
    depths = DepthReader(memory_database, 0)
    for world in worlds:
        world.credit("ann", BASE, 10)
        world.placed("ann", "SELL", 1, 50)
        assert world.deliver(matcher) == []
        assert len(matcher._warm) == 1
        assert depths._folded(world.book, world.config).head.sequence == 1
        assert len(depths._kept) == 1
    assert worlds[0].deliver(matcher) == []


def test_recent_entries_are_remembered_and_old_ones_are_not() -> None:
    recent: BoundedCache[str, int] = BoundedCache(2)
    for key in ("a", "b", "a", "c"):
        recent.set(key, 1)
    assert [recent.get(key) for key in "abc"] == [1, None, 1]
    recent.forget("a")
    recent.forget("a")
    assert ("a" in recent, "c" in recent, len(recent)) == (False, True, 1)


def test_counting_requests_remembers_so_many_callers(memory_database: Database) -> None:
    """T55: a stranger behind each of many addresses costs no memory; what is forgotten is counted all the same."""
    rates, limits = MinuteCounts(memory_database), RateLimits(memory_database)
    rates._callers, limits._callers = BoundedCache(3), BoundedCache(3)
    assert rates.count("address/0", 1, 60) == 1
    rate_limit = RateLimit(per_day=1)
    assert limits.use("token/0", rate_limit, 0) is None
    for number in range(1, 10):
        rates.count(f"address/{number}", 1, 60)
        limits.use(f"token/{number}", rate_limit, 0)
    assert (len(rates._callers), len(limits._callers)) == (3, 3)
    assert rates.count("address/0", 1, 60) == 2
    assert limits.use("token/0", rate_limit, 0) is not None
    assert MinuteCounts(memory_database)._callers._entries_max == SCOPES_MAX
