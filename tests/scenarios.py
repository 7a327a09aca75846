"""What can happen to a book in one batch, one scenario each: where faults are injected at every call in turn.

A scenario first sets a book up (delivered, decided, projected); what it does after ``world.deliver()`` is the batch
that faults are thrown into.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.books.vocabulary import BookStatus, OrderType, SelfTradePrevention
from chalicelib.domain.ledger.transactions import Withdrawal
from chalicelib.services.books.admission import Admitted
from chalicelib.services.ledger.withdrawals import Withdrawals
from chalicelib.tables.dynamodb import Database
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World, asked

FUNDS = 10**6
CREDITED = {BASE: 3 * FUNDS, QUOTE: 3 * FUNDS}
CUSTOMERS = ("ann", "ben", "cat")


@dataclass(frozen=True, slots=True)
class Scenario:
    """build: sets up and places the batch. config: of the book. limits: of the program, made small enough to reach."""

    build: Callable[[World], None]
    config: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)

    def world(self, database: Database) -> World:
        """Build it in empty tables: three customers, fees for both sides."""
        world = funded(database, **{"maker_fee_bps": 5, "taker_fee_bps": 15, **self.config})
        self.build(world)
        return world


def funded(database: Database, funds: int = FUNDS, **config: Any) -> World:
    """Make a book of these settings, whose customers have these funds of both assets."""
    world = World(database, **config)
    credit_all(world, funds)
    return world


def credit_all(world: World, funds: int = FUNDS) -> None:
    """Give each customer these funds of both assets."""
    for customer in CUSTOMERS:
        for asset in (BASE, QUOTE):
            world.credit(customer, asset, funds)


def rest(world: World) -> None:
    world.placed("ann", "SELL", 300, 50)
    world.placed("ben", "BUY", 10, 40)


def cross(world: World) -> None:
    world.placed("ann", "SELL", 300, 50)
    world.deliver()
    world.placed("ben", "BUY", 300, 55)


def trade_in_a_later_minute(world: World) -> None:
    """The batch's trade ends a minute's candle, an hour's and a day's."""
    world.placed("ann", "SELL", 300, 50)
    world.placed("ben", "BUY", 100, 50)
    world.deliver()
    world.now_ms += 86_400_000
    world.placed("ben", "BUY", 50, 50)


def fees_are_withdrawn(world: World) -> None:
    """The book has earned fees, and most of them are with a customer when the batch brings more (T95)."""
    world.placed("ann", "SELL", 30_000, 5)
    world.placed("ben", "BUY", 20_000, 5)
    world.deliver()
    for asset in (BASE, QUOTE):
        asked_for = Withdrawal(INSTANCE, BOOK_ID, asset, "cat", world.fees(asset) - 1, "november")
        Withdrawals(world.database).take(asked_for)
    world.placed("ben", "BUY", 10_000, 5)


def partial(world: World) -> None:
    world.placed("ann", "SELL", 300, 50)
    world.deliver()
    world.placed("ben", "BUY", 100, 50)
    world.placed("cat", "BUY", 500, 51, "IOC")


def marks_beside(world: World) -> None:
    """Every account is full: each mark has a row of its own (T54)."""
    world.placed("ann", "SELL", 300, 50)
    world.deliver()
    world.placed("ben", "BUY", 300, 55)
    world.placed("cat", "SELL", 20, 54)


def marks_are_moved(world: World) -> None:
    """Accounts with marks of four other books, and one of this book's, that a row may not have any more."""
    world.placed("ann", "SELL", 300, 50)
    world.placed("cat", "BUY", 5, 50)
    world.deliver()
    others = {f"mark/inst_test0001/ob_{number}": 7 for number in range(4)}
    rows = [row for row in world.database.scan("accounts") if row["entry"].startswith("balance/")]
    traders = [row | others for row in rows if row["owner"].endswith(("ann", "ben"))]
    world.database.put_many("accounts", traders)
    world.placed("ben", "BUY", 100, 55)
    world.placed("cat", "BUY", 5, 55)


def sweep_of_many_levels(world: World) -> None:
    for price in range(50, 56):
        world.placed("ann", "SELL", 10, price)
        world.placed("cat", "SELL", 5, price)
    world.deliver()
    world.placed("ben", "BUY", 87, 60)


def fok_kill(world: World) -> None:
    world.placed("ann", "SELL", 300, 50)
    world.deliver()
    world.placed("ben", "BUY", 301, 50, "FOK")
    world.placed("ben", "BUY", 300, 50, "FOK")


def market_with_a_bounded_budget(world: World) -> None:
    """The asks that the budget was made for are gone when its turn comes (T39)."""
    world.placed("ann", "SELL", 100, 50)
    world.placed("cat", "SELL", 100, 90)
    world.deliver()
    world.placed("cat", "BUY", 80, 50)
    world.placed("ben", "BUY", 100)


def self_trade(world: World) -> None:
    world.placed("ann", "SELL", 30, 50)
    world.placed("cat", "SELL", 30, 51)
    world.deliver()
    world.placed("ann", "BUY", 50, 51)


def many_fills_of_one_owner(world: World) -> None:
    """One maker's order meets takers in turn; then ann buys of the others and, in between, of herself."""
    world.placed("ann", "SELL", 300, 50)
    world.deliver()
    for quantity in range(1, 5):
        world.placed("ben", "BUY", quantity, 50)
        world.placed("cat", "BUY", quantity, 50)
    for price in (51, 52):
        world.placed("ann", "SELL", 10, price)
        world.placed("cat", "SELL", 5, price)
    world.placed("ann", "BUY", 310, 52)


def cancel_against_fill(world: World) -> None:
    """One order is cancelled before its taker comes, one after it was filled, one in part."""
    early, late, half = (world.placed("ann", "SELL", 30, price) for price in (50, 51, 52))
    world.deliver()
    world.cancel("ann", early)
    world.placed("ben", "BUY", 40, 52)
    world.cancel("ann", late)
    world.cancel("ann", half)
    world.cancel("ben", world.placed("ben", "BUY", 5, 40))


def cancel_all(world: World) -> None:
    """More orders than one group closes, on both sides; before, between and after them what concerns others.

    One of the orders is cancelled by itself too late; the second cancel-all finds one order, the third none.
    """
    late = world.placed("ann", "SELL", 10, 50)
    for price in range(51, 55):
        world.placed("ann", "SELL", 10, price)
    world.placed("ann", "BUY", 10, 40)
    world.placed("cat", "SELL", 10, 51)
    world.deliver()
    world.placed("ben", "BUY", 15, 50)
    world.cancel_all("ann")
    world.cancel("ann", late)
    world.placed("ben", "BUY", 15, 52)
    world.placed("ann", "SELL", 7, 60)
    world.cancel_all("ann")
    world.cancel_all("ann")
    world.placed("ann", "SELL", 8, 61)


def cancel_all_comes_again(world: World) -> None:
    """A cancel-all that its shard brings after a younger order, and orders that expire before it is done."""
    soon_ms = world.now_ms + 1_000
    for price in range(50, 54):
        world.placed("ann", "SELL", 10, price, expires_at_ms=soon_ms if price % 2 else None)
    world.deliver()
    world.now_ms = soon_ms
    world.cancel_all("ann")
    world.placed("ann", "SELL", 5, 55)
    world.records[-2:] = reversed(world.records[-2:])
    world.placed("ben", "BUY", 5, 60)


def cancel_all_of_a_closing_book(world: World) -> None:
    for price in range(50, 54):
        world.placed("ann", "SELL", 10, price)
        world.placed("cat", "SELL", 10, price)
    world.deliver()
    world.change_status(BookStatus.CLOSED)
    world.cancel_all("ann")


def cancel_overtakes_its_order(world: World) -> None:
    """A shard split brings the cancel before the order (the batch's records are swapped)."""
    world.placed("ann", "SELL", 30, 50)
    world.deliver()
    overtaken = world.placed("ben", "BUY", 40, 45)
    world.cancel("ben", overtaken)
    world.records[-2:] = reversed(world.records[-2:])


def batches_of_orders(world: World) -> None:
    """Two batches: entries end in the middle of each; one order is cancelled, some trade with each other."""
    world.placed("ann", "SELL", 30, 50)
    world.deliver()
    wanted = [("BUY", 10, 50), ("BUY", 40, 49), ("BUY", 5), ("SELL", 5, 60), ("BUY", 100, 50, "FOK"), ("BUY", 25, 50)]
    _, resting, *_ = world.place_batch(*(asked("ben", *order) for order in wanted))
    assert isinstance(resting, Admitted)
    world.cancel("ben", resting.order.order_id)
    ends_at_ms = world.now_ms + 60_000
    world.place_batch(
        asked("ann", "SELL", 20, 49), asked("ann", "BUY", 3, 49), asked("ann", "SELL", 9, 70, expires_at_ms=ends_at_ms)
    )


def batch_rests(world: World) -> None:
    world.place_batch(asked("ben", "BUY", 10, 44), asked("ben", "SELL", 10, 45))


def cancel_overtakes_an_order_of_a_batch(world: World) -> None:
    _, made = world.place_batch(*(asked("ben", "BUY", 10, price) for price in (44, 45)))
    assert isinstance(made, Admitted)
    world.cancel("ben", made.order.order_id)
    world.records[-2:] = reversed(world.records[-2:])


def pause_in_the_middle(world: World) -> None:
    """An order was admitted before the pause and its turn comes after."""
    resting = world.placed("ann", "SELL", 30, 50)
    world.deliver()
    world.placed("ben", "BUY", 10, 50)
    world.placed("ben", "BUY", 10, 50)
    world.change_status(BookStatus.PAUSED)
    world.records[-2:] = reversed(world.records[-2:])
    world.cancel("ann", resting)
    world.change_status(BookStatus.ACTIVE)
    world.placed("cat", "SELL", 10, 49)


def close(world: World) -> None:
    """More orders rest than one entry closes; one was admitted before and comes after."""
    for price in range(50, 55):
        world.placed("ann", "SELL", 10, price)
    world.deliver()
    world.placed("ben", "BUY", 15, 50)
    world.placed("cat", "BUY", 10, 50)
    world.change_status(BookStatus.CLOSED)
    world.records[-2:] = reversed(world.records[-2:])


def close_at_the_end(world: World) -> None:
    """More orders rest than one entry closes, and no command comes after the close."""
    for price in range(50, 55):
        world.placed("ann", "SELL", 10, price)
    world.deliver()
    world.change_status(BookStatus.CLOSED)


def change_of_fees_in_the_middle(world: World) -> None:
    """What was sequenced before has the old fees (T33); of two changes that arrive swapped the later version counts."""
    world.placed("ann", "SELL", 3_000, 50)
    world.placed("ben", "BUY", 1_000, 50)
    world.change(maker_fee_bps=100, taker_fee_bps=50)
    world.placed("ben", "BUY", 1_000, 50)
    world.change(maker_fee_bps=10)
    world.change(maker_fee_bps=20, self_trade_prevention=SelfTradePrevention.CANCEL_TAKER)
    world.records[-2:] = reversed(world.records[-2:])
    world.placed("ben", "BUY", 500, 50)
    world.placed("ann", "BUY", 500, 50)


def expire(world: World) -> None:
    """Two orders expire while nothing happens; then comes what would have met them (R24).

    One of them is cancelled too late; the last order is due before its turn comes.
    """
    soon_ms = world.now_ms + 1_000
    late = world.placed("ann", "SELL", 30, 50, expires_at_ms=soon_ms)
    world.placed("cat", "SELL", 5, 49, expires_at_ms=soon_ms)
    world.deliver()
    world.now_ms = soon_ms
    world.cancel("ann", late)
    world.placed("ben", "BUY", 20, 51)
    world.placed("cat", "SELL", 20, 50, expires_at_ms=soon_ms)


def expire_before_the_taker(world: World) -> None:
    world.placed("ann", "SELL", 30, 50, expires_at_ms=world.now_ms + 1_000)
    world.deliver()
    world.now_ms += 1_000
    world.placed("ben", "BUY", 30, 50)


def halt_in_a_sweep(world: World) -> None:
    """A sweep halts the book before its third trade; what comes after is refused, and a cancel is not (O12)."""
    for price in (50, 51, 70, 71):
        world.placed("ann", "SELL", 10, price)
    rests = world.placed("cat", "BUY", 5, 40)
    world.deliver()
    world.placed("ben", "BUY", 35, 71)
    world.placed("ben", "BUY", 5, 71)
    world.cancel("cat", rests)


def resume_of_a_halted_book(world: World) -> None:
    """A halt is ended by the operator, and the next one by its time."""
    halt_in_a_sweep(world)
    assert isinstance(world.configuring.resume(world.config.instance, BOOK_ID, 70), str)
    world.stream_new_commands()
    world.placed("ben", "BUY", 10, 70)
    world.deliver()
    world.now_ms += 1_000
    world.placed("ben", "BUY", 10, 71)
    world.placed("ann", "SELL", 3, 90)
    world.placed("ben", "BUY", 3, 90)


def stop(world: World, customer: str, side: str, quantity: int, price: int, stop_price: int, **more: Any) -> str:
    return world.placed(customer, side, quantity, price, order_type=OrderType.STOP_LIMIT, stop_price=stop_price, **more)


def cascade(world: World) -> None:
    """One trade triggers a stop, whose trade triggers the next: more events than a group has (O4).

    An iceberg order shows its slices to them, and a trailing one follows the price up.
    """
    for price in range(50, 56):
        world.placed("ann", "SELL", 10, price)
    world.placed("ann", "SELL", 40, 56, order_type=OrderType.ICEBERG, step=10)
    world.placed("ben", "BUY", 1, 50)
    for price in range(51, 56):
        stop(world, "cat", "BUY", 10, price + 1, price)
    world.placed("cat", "SELL", 5, order_type=OrderType.TRAILING, distance=2)
    stop(world, "ben", "SELL", 5, 40, 30, expires_at_ms=world.now_ms + 10**6)
    world.deliver()
    world.placed("ben", "BUY", 10, 51)
    world.placed("ben", "BUY", 25, 56)
    world.placed("ben", "SELL", 1, 40)


def trigger_at_the_end(world: World) -> None:
    """The batch's last trade triggers orders, and no command comes after it; one of them was cancelled before."""
    world.placed("ann", "SELL", 100, 50)
    gone = stop(world, "cat", "BUY", 10, 55, 50)
    stop(world, "cat", "BUY", 20, 55, 50)
    stop(world, "cat", "BUY", 30, 45, 50)
    world.deliver()
    world.cancel("cat", gone)
    world.placed("ben", "BUY", 10, 50)


def amendment_finds_its_order_filled(world: World) -> None:
    """Fills, whole and in part, come before the turn of what was set aside; so do a cancel and a cancel-all (O8)."""
    whole = world.placed("ann", "SELL", 30, 50)
    part = world.placed("ben", "BUY", 30, 40)
    cancelled = world.placed("cat", "BUY", 10, 30)
    swept = world.placed("cat", "SELL", 10, 90)
    world.deliver()
    world.placed("ben", "BUY", 30, 50)
    world.placed("cat", "SELL", 7, 40)
    world.cancel("cat", cancelled)
    world.cancel_all("cat")
    world.amended("ann", whole, 52, 40)
    world.amended("ben", part, 45, 60)
    world.amended("cat", cancelled, 35, 20)
    world.amended("cat", swept, quantity=25)


def amendments(world: World) -> None:
    """Amendments that keep and lose time priority, one that crosses, one of a parked order, one of a paused book."""
    first, second = (world.placed("ann", "SELL", 10, 50) for _ in range(2))
    crossing = world.placed("ben", "BUY", 10, 45)
    parked = stop(world, "cat", "BUY", 10, 55, 60)
    iceberg = world.placed("cat", "SELL", 40, 70, order_type=OrderType.ICEBERG, step=10)
    world.deliver()
    world.amended("ann", first, quantity=6)
    world.amended("ann", second, quantity=20)
    world.amended("ben", crossing, 50)
    world.amended("cat", parked, 65, 5)
    world.amended("cat", iceberg, 69, 90)
    world.placed("ben", "BUY", 12, 50)
    late = world.placed("ben", "BUY", 10, 30)
    world.amended("ben", late, 31)
    world.change_status(BookStatus.PAUSED)
    world.records[-2:] = reversed(world.records[-2:])


def amendment_overtakes_its_order(world: World) -> None:
    """A shard split brings an amendment and a cancel before their orders."""
    world.placed("ann", "SELL", 30, 50)
    world.deliver()
    overtaken = world.placed("ben", "BUY", 40, 45)
    world.amended("ben", overtaken, 44, 50)
    world.records[-2:] = reversed(world.records[-2:])
    gone = world.placed("ben", "BUY", 10, 43)
    world.amended("ben", gone, 44)
    world.cancel("ben", gone)
    world.records[-3:] = reversed(world.records[-3:])


def batch_of_100_mixed_commands(world: World) -> None:
    random_commands(world, 30, seed=7)
    world.deliver()
    random_commands(world, 100, seed=8)


def snapshot_due(world: World) -> None:
    """One snapshot is there, a larger one takes its place."""
    random_commands(world, 12, seed=1)
    world.deliver()
    random_commands(world, 10, seed=2)


def split_entry(world: World) -> None:
    for price in range(50, 58):
        world.placed("ann", "SELL", 10, price)
    world.deliver()
    world.placed("ben", "BUY", 75, 60)
    world.placed("cat", "BUY", 5, 40)


def random_commands(world: World, count: int, seed: int) -> None:
    """Place orders of all kinds and cancel some, of three customers that all have enough."""
    draw = random.Random(seed)
    placed: list[tuple[str, str]] = []
    for _ in range(count):
        if placed and draw.random() < 0.2:
            world.cancel(*placed.pop(draw.randrange(len(placed))))
            continue
        customer, side = draw.choice(CUSTOMERS), draw.choice(["BUY", "SELL"])
        price = draw.choice([None, *range(95, 106)])
        time_in_force = draw.choice(["GTC", "GTC", "GTC", "IOC", "FOK"])
        outcome = world.place(customer, side, draw.randint(1, 50), price, time_in_force)
        if isinstance(outcome, Admitted):
            placed.append((customer, outcome.order.order_id))


BREAKER = {"halt_bps": 1_000, "halt_window_s": 60, "halt_s": 1, "price_band_bps": 5_000}
SCENARIOS = {
    "rest": Scenario(rest),
    "cross": Scenario(cross),
    "trade in a later minute": Scenario(trade_in_a_later_minute),
    "fees are withdrawn": Scenario(fees_are_withdrawn),
    "partial": Scenario(partial),
    "marks beside the accounts": Scenario(marks_beside, limits={"chalicelib.tables.accounts.MARKS_IN_ROW_MAX": 0}),
    "marks are moved": Scenario(
        marks_are_moved,
        limits={
            "chalicelib.tables.accounts.MARKS_IN_ROW_MAX": 1,
            "chalicelib.tables.accounts.MARKS_MOVED_AT_ONCE": 2,
        },
    ),
    "sweep of many levels": Scenario(sweep_of_many_levels),
    "FOK kill": Scenario(fok_kill),
    "market with a bounded budget": Scenario(market_with_a_bounded_budget),
    "self-trade": Scenario(self_trade),
    "self-trade prevented": Scenario(self_trade, {"self_trade_prevention": SelfTradePrevention.CANCEL_MAKER}),
    "many fills of one owner": Scenario(
        many_fills_of_one_owner, limits={"chalicelib.tables.fills.FILLS_IN_ROW_MAX": 3}
    ),
    "amendment finds its order filled": Scenario(amendment_finds_its_order_filled),
    "amendments": Scenario(amendments, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 2}),
    "amendment overtakes its order": Scenario(amendment_overtakes_its_order),
    "cancel against fill": Scenario(cancel_against_fill),
    "cancel all": Scenario(cancel_all, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3}),
    "cancel all comes again": Scenario(
        cancel_all_comes_again, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 2}
    ),
    "cancel all of a closing book": Scenario(
        cancel_all_of_a_closing_book,
        limits={
            "chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3,
            "chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN": 300,
        },
    ),
    "cancel overtakes its order": Scenario(cancel_overtakes_its_order),
    "batches of orders": Scenario(
        batches_of_orders, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3}
    ),
    "batch rests": Scenario(batch_rests),
    "cancel overtakes an order of a batch": Scenario(cancel_overtakes_an_order_of_a_batch),
    "pause in the middle": Scenario(pause_in_the_middle),
    "change of fees in the middle": Scenario(change_of_fees_in_the_middle),
    "close": Scenario(close, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3}),
    "close at the end": Scenario(
        close_at_the_end, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3}
    ),
    "expire": Scenario(expire, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 2}),
    "expire before the taker": Scenario(expire_before_the_taker),
    "halt in a sweep": Scenario(halt_in_a_sweep, BREAKER),
    "resume of a halted book": Scenario(
        resume_of_a_halted_book, BREAKER, {"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3}
    ),
    "snapshot due": Scenario(
        snapshot_due,
        limits={
            "chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN": 300,
            "chalicelib.tables.snapshots.PIECE_BYTES_MAX": 150,
        },
    ),
    "cascade": Scenario(cascade, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 3}),
    "trigger at the end": Scenario(trigger_at_the_end),
    "split entry": Scenario(split_entry, limits={"chalicelib.domain.books.journal.ENTRY_EVENT_BYTES_MAX": 700}),
    "batch of 100 mixed commands": Scenario(
        batch_of_100_mixed_commands, limits={"chalicelib.services.books.matcher.EVENTS_PER_ENTRY_GROUP": 60}
    ),
}
