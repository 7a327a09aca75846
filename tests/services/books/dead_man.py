"""Ann's dead man's switch, and whoever looks whether it is due."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive_all
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import SWITCH
from chalicelib.tables.switches import Switches
from tests.world import INSTANCE, NOW_MS, World, asked

TIMEOUT_S = 30
DUE_MS = NOW_MS + TIMEOUT_S * 1000
ANN = customer_key(INSTANCE, "ann")


def expiring_over(world: World, database: Database) -> Expiring:
    """Return whoever looks, through this database, at the world's time."""
    return Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms)


def switches_of(world: World) -> DeadManSwitches:
    return DeadManSwitches(world.database, lambda: world.now_ms)


def set_it(world: World, timeout_s: int = TIMEOUT_S, customer: str = "ann") -> int | None:
    return switches_of(world).set(INSTANCE, customer, timeout_s)


def look(world: World, at_ms: int) -> None:
    """Have somebody who remembers nothing look at this time, until there is no more to do."""
    world.now_ms = at_ms
    while not expiring_over(world, world.database).check():
        pass


def commands(world: World) -> list[tuple[str, str]]:
    """Return book and reason of each cancel-all that is queued."""
    return sorted((row["book"], row["reason"]) for row in world.database.scan("inbox") if row["kind"] == "cancel_all")


def checks(world: World) -> list[int]:
    """Return the times at which a switch is checked."""
    found = (row["look"].split("/")[0] for row in world.database.scan("expiries") if f"/{SWITCH}" in row["look"])
    return sorted(map(int, found))


def is_armed(world: World) -> bool:
    return Switches(world.database).get(ANN) is not None


def decide(world: World) -> None:
    """Have everything decided that is queued, in all books."""
    redrive_all(world.database, world.matcher())


def rested(world: World, price: int = 50, **more: Any) -> str:
    order_id = world.placed("ann", "BUY", 10, price, **more)
    decide(world)
    return order_id


def open_book(world: World, number: int, *, with_order: bool = True, **settings: Any) -> str:
    """Open another book, in which ann has an order; return its key."""
    book_id = f"ob_{number:03d}"
    asset = f"0x{number:040x}"
    world.books.create(replace(world.config, book_id=book_id, symbol=f"B{number}/Q", base_asset=asset, **settings))
    if with_order:
        world.admission.place(INSTANCE, book_id, asked("ann", "BUY", 1, 1))
    return book_key(INSTANCE, book_id)
