"""Things that happen at the same time, on the embedded engine: holds, transfers, matchers, keys and references."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from threading import Barrier

from chalicelib.domain.books.admission import OrderRequest, Refusal, RefusalCode
from chalicelib.domain.books.vocabulary import OrderStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.transactions import Movement, Withdrawal
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.amending import Amending, AmendmentUnderWay, NewTerms, NotOpen
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.ledger.movements import InsufficientBalance, Movements
from chalicelib.services.ledger.withdrawals import Withdrawals
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import ThreadPool
from tests.apis.book.desk import Desk, open_desk
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, funded
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, Record, World, asked, record_of

THREADS = 8


def at_once(jobs: list[Callable[[], object]]) -> list[object]:
    """Run the jobs in a thread each, all starting together; return what they gave."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        barrier.wait(10)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_orders_at_the_same_moment_never_hold_more_than_there_is(embedded_database: Database) -> None:
    """T40: eight customers' worth of orders on an account that covers five."""
    world = World(embedded_database)
    world.credit("ann", QUOTE, 500)
    request = OrderRequest("ann", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 10, 10)
    outcomes = at_once([lambda: world.admission.place(INSTANCE, BOOK_ID, request)] * THREADS)
    assert sum(isinstance(outcome, Admitted) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 3
    assert world.balance("ann", QUOTE) == (0, 500)
    assert len(list(embedded_database.scan("open-orders"))) == len(list(embedded_database.scan("inbox"))) == 5


def test_batches_at_the_same_moment_never_hold_more_than_there_is(embedded_database: Database) -> None:
    """T76: three fit whole, one in part, of the others nothing; each is one command or none."""
    world = World(embedded_database)
    world.credit("ann", QUOTE, 500)
    orders = [asked("ann", "BUY", 10, 10), asked("ann", "BUY", 5, 10)]
    outcomes = at_once([lambda: tuple(world.admission.place_all(INSTANCE, BOOK_ID, orders))] * THREADS)
    admitted = [tuple(isinstance(one, Admitted) for one in told) for told in outcomes if isinstance(told, tuple)]
    assert sorted(admitted) == [(False, False)] * 4 + [(False, True)] + [(True, True)] * 3
    assert world.balance("ann", QUOTE) == (0, 500)
    assert len(list(embedded_database.scan("inbox"))) == 4


def test_orders_with_one_external_id_at_the_same_moment_are_one_order(embedded_database: Database) -> None:
    """R31: what the others would have held is not held."""
    world = World(embedded_database)
    world.credit("ann", QUOTE, 500)
    requests = [
        OrderRequest("ann", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 1, 10, external_id=name)
        for name in ("mine", "MINE", "Mine", "mINE") * 2
    ]
    outcomes = at_once(
        [lambda request=request: world.admission.place(INSTANCE, BOOK_ID, request) for request in requests]
    )
    refused = [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refused == [RefusalCode.EXTERNAL_ID_TAKEN] * (THREADS - 1)
    assert world.balance("ann", QUOTE) == (490, 10)
    assert len(list(embedded_database.scan("inbox"))) == 1


def test_one_key_sent_eight_times_at_once_is_one_order_with_one_answer(embedded_database: Database) -> None:
    """T14"""
    desk: Desk = open_desk(World(embedded_database))
    headers = {"idempotency-key": "at-the-same-time"}
    responses = at_once([lambda: desk.place(headers=headers)] * THREADS)
    assert len({response.body for response in responses}) == 1  # type: ignore[attr-defined]
    assert {response.status for response in responses} == {201}  # type: ignore[attr-defined]
    assert len(desk.rows()) == 1
    assert desk.world.balance("ann", QUOTE) == (500, 500)


def test_matchers_that_run_side_by_side_decide_each_command_once(embedded_database: Database) -> None:
    """Guarantees 1 to 6 with three matchers on one book, each given overlapping pieces in an order of its own.

    All of them write side by side what may be, as on AWS, in threads that they share.
    """
    world = funded(embedded_database, maker_fee_bps=5, taker_fee_bps=15)
    draw = random.Random(3)
    for _ in range(60):
        price = draw.choice([None, *range(98, 103)])
        world.place(draw.choice(["ann", "ben"]), draw.choice(["BUY", "SELL"]), draw.randint(1, 20), price)
    rows = sorted(embedded_database.scan("inbox"), key=lambda row: row["command"])
    records = [record_of(row, number) for number, row in enumerate(rows, 1)]

    side_by_side = Database(embedded_database._client, embedded_database._prefix, together=ThreadPool(THREADS))

    def work(seed: int) -> None:
        pieces = [records[at : at + 12] for at in range(0, len(records), 6)]
        shuffled = random.Random(seed)
        if seed:
            shuffled.shuffle(pieces)
        matcher = Matcher(side_by_side, lambda: world.now_ms)
        for piece in pieces:
            world.deliver(matcher, piece)

    at_once([lambda seed=seed: work(seed) for seed in range(3)])  # type: ignore[misc]
    assert world.deliver(records=records) == []
    check_invariants(world, CREDITED)


def test_an_order_that_is_filled_cancelled_and_expires_at_once_has_one_end(embedded_database: Database) -> None:
    """R24: takers and cancels of a moment before their time meet two that look at their time."""
    world = funded(embedded_database)
    expires_at_ms = world.now_ms + 1_000
    orders = [world.placed("ann", "SELL", 10, 50 + number, expires_at_ms=expires_at_ms) for number in range(12)]
    world.deliver()
    for order in orders[8:]:
        world.cancel("ann", order)
    for number in range(8):
        world.placed("ben", "BUY", 10, 50 + number)
    late = world.records[len(orders) :]

    def match(piece: list[Record]) -> None:
        world.deliver(Matcher(embedded_database, lambda: expires_at_ms - 1), piece)

    def look() -> None:
        matcher = Matcher(embedded_database, lambda: expires_at_ms)
        Expiring(embedded_database, matcher, lambda: expires_at_ms).check()

    at_once([lambda piece=piece: match(piece) for piece in (late[:3], late[3:7], late[7:])] + [look, look])  # type: ignore[misc]
    world.now_ms = expires_at_ms
    assert world.deliver() == []
    while not Expiring(embedded_database, world.matcher(), lambda: expires_at_ms).check():
        pass
    check_invariants(world, CREDITED)
    ends = [world.order("ann", order).status for order in orders]
    assert set(ends) <= {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED}
    assert [row for row in embedded_database.scan("expiries") if row["minute"]] == []


def test_of_amendments_at_once_one_is_under_way_and_the_same_terms_share_it(embedded_database: Database) -> None:
    """O8: four ask for one price, four for another; the account covers either, and not both."""
    world = World(embedded_database)
    world.credit("ann", QUOTE, 160)
    order = world.placed("ann", "BUY", 10, 10)
    assert world.deliver() == []

    def amend(price: int) -> object:
        try:
            return Amending(embedded_database).amend(INSTANCE, "ann", order, NewTerms(price, None))
        except AmendmentUnderWay:
            return None

    told = at_once([lambda price=price: amend(price) for price in (14, 15) * 4])  # type: ignore[misc]
    assert len({one for one in told if one is not None}) == 1
    assert sum(one is not None for one in told) == 4
    assert world.balance("ann", QUOTE)[1] in (141, 151)
    world.stream_new_commands()
    assert world.deliver() == []
    check_invariants(world, {BASE: 0, QUOTE: 160})


def test_an_order_that_is_amended_filled_and_cancelled_at_once_strands_nothing(embedded_database: Database) -> None:
    """O8: requests race with three matchers, which race with each other."""
    world = funded(embedded_database, maker_fee_bps=5, taker_fee_bps=15)
    orders = [world.placed("ann", "BUY", 10, 50 - number) for number in range(6)]
    world.deliver()
    for _ in range(4):
        world.placed("ben", "SELL", 12, 40)

    def ask(work: Callable[[], object]) -> None:
        with suppress(Unavailable, NotOpen):
            work()

    amending = Amending(embedded_database)
    amendments = [
        lambda order=order, quantity=quantity: ask(
            lambda: amending.amend(INSTANCE, "ann", order, NewTerms(None, quantity))
        )
        for order in orders
        for quantity in (4, 30)
    ]
    cancels = [lambda order=order: ask(lambda: world.admission.cancel(INSTANCE, "ann", order)) for order in orders[::2]]
    fills = [lambda: world.deliver(Matcher(embedded_database, lambda: world.now_ms))] * 3
    at_once([*amendments, *cancels, *fills])  # type: ignore[list-item]
    world.stream_new_commands()
    at_once([lambda: world.deliver(Matcher(embedded_database, lambda: world.now_ms))] * 3)
    assert world.deliver() == []
    check_invariants(world, CREDITED)
    Verifier(embedded_database).verify(world.book)


def test_one_reference_credited_twenty_times_at_once_moves_money_once(embedded_database: Database) -> None:
    world = World(embedded_database)
    movement = Movement(INSTANCE, BASE, None, "ann", 10, "monthly bonus")
    recorded = at_once([lambda: Movements(embedded_database).record(movement)] * 20)
    assert world.balance("ann", BASE) == (10, 0)
    assert len({one.transaction_id for one in recorded}) == 1  # type: ignore[attr-defined]
    assert sum(one.is_new for one in recorded) == 1  # type: ignore[attr-defined]


def test_transfers_in_a_circle_at_once_lose_and_make_nothing(embedded_database: Database) -> None:
    """Guarantee 1, where each account gives and takes at the same time; and no more is given than there is."""
    world = World(embedded_database)
    circle = ["ann", "ben", "cat", "ann"]
    for customer in circle[:3]:
        world.credit(customer, BASE, 2)

    def transfer(source: str, target: str) -> bool:
        try:
            return Movements(embedded_database).record(Movement(INSTANCE, BASE, source, target, 1)).is_new
        except InsufficientBalance:
            return False

    pairs = list(pairwise(circle)) * 4
    done = at_once([lambda pair=pair: transfer(*pair) for pair in pairs])  # type: ignore[misc]
    have = {customer: world.balance(customer, BASE)[0] for customer in circle}
    assert sum(have.values()) == 6
    for customer in have:
        gave, took = (
            sum(bool(is_done) for is_done, pair in zip(done, pairs, strict=True) if pair[side] == customer)
            for side in (0, 1)
        )
        assert have[customer] == 2 + took - gave
    Verifier(embedded_database).verify(world.book)


def test_fees_withdrawn_twenty_times_at_once_are_taken_once_each_and_never_twice(embedded_database: Database) -> None:
    """T95: ten requests under one reference, and ten under ten; there is enough for six."""
    world = World(embedded_database, taker_fee_bps=1000)
    world.credit("ann", BASE, 600)
    world.credit("ben", QUOTE, 600)
    world.placed("ann", "SELL", 600, 1)
    world.placed("ben", "BUY", 600, 1)
    world.deliver()
    assert world.fees(BASE) == 60

    def withdraw(reference: str) -> str | None:
        try:
            asked_for = Withdrawal(INSTANCE, BOOK_ID, BASE, "venue", 10, reference)
            return Withdrawals(embedded_database).take(asked_for).transaction.transaction_id
        except InsufficientBalance:
            return None

    references = ["november"] * 10 + [f"december {number}" for number in range(10)]
    told = at_once([lambda reference=reference: withdraw(reference) for reference in references])  # type: ignore[misc]
    assert len(set(told[:10]) - {None}) <= 1
    assert len(set(told) - {None}) == 6
    assert (world.fees(BASE), world.balance("venue", BASE)[0]) == (0, 60)
    Verifier(embedded_database).verify(world.book)
