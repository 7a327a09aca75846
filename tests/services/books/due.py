"""Orders that are due, and whoever looks at them."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.tables.dynamodb import Database
from tests.world import INSTANCE, NOW_MS, World

SOON_MS = NOW_MS + 10_000
EXPIRED = OrderStatus.EXPIRED
GONE = book_key(INSTANCE, "ob_gone")


class CountingMatcher(Matcher):
    """A matcher that tells which books it was asked to look at."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        super().__init__(database, now_ms)
        self.woken: list[str] = []

    def expire_due(self, book: str) -> int:
        self.woken.append(book)
        return super().expire_due(book)


def expiring_of(world: World, matcher: Matcher | None = None) -> Expiring:
    return Expiring(world.database, matcher or world.matcher(), lambda: world.now_ms)


def look_at(world: World, now_ms: int) -> bool:
    """Have somebody who remembers nothing look at this time; return whether that was all."""
    world.now_ms = now_ms
    return expiring_of(world).check()


def rested(world: World, expires_at_ms: int = SOON_MS, price: int = 50) -> str:
    order_id = world.placed("ann", "BUY", 10, price, expires_at_ms=expires_at_ms)
    assert world.deliver(records=world.records[-1:]) == []
    return order_id


def rows(world: World) -> list[str]:
    """Return the orders that are to be looked at."""
    return [row["order_id"] for row in world.database.scan("expiries") if row["minute"]]


def in_a_book_that_is_gone(world: World) -> str:
    """Have an order looked at in a book that there is not; return the order."""
    order = world.placed("ann", "BUY", 10, 50, expires_at_ms=SOON_MS)
    (row,) = [row for row in world.database.scan("expiries") if row.get("order_id") == order]
    world.database.put_many("expiries", [row | {"book": GONE}])
    return order
