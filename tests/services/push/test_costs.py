"""What the feed costs: no write and few reads where nobody follows it, one or two writes a message."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import sleep
from typing import Any

import pytest

from benchmarks.book_paths import BOOK, customers_of, new_venue
from benchmarks.meter import metered
from chalicelib.domain.feed.subscription import LIFE_S
from chalicelib.domain.ledger.owners import book_key
from chalicelib.services.push import steps
from chalicelib.services.push.broadcasting import NotSent
from chalicelib.services.push.following import Receiver, follow_records
from chalicelib.services.push.messages import Messages
from chalicelib.services.push.recent import RecentEntries
from chalicelib.services.push.rows import JournalRows, StoredEntries
from chalicelib.services.push.steps import BEAT_S, Step
from chalicelib.support.clock import now_ms
from chalicelib.tables import journal
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.parallel import ThreadPool
from chalicelib.tables.rows import Row, encode
from chalicelib.wiring.push import new_pushing
from chalicelib.wiring.webhooks import new_dispatcher
from tests.services.feed.writing import ANN, Logs
from tests.services.push.world import ANNS_EVENT, BOOK_A, BOOK_B, PUBLIC_EVENT, PushWorld
from tests.world import INSTANCE

BATCH = 10
BATCHES = 4


class NoSender:
    """Fails whoever sends."""

    def send(self, connection_id: str, message: bytes) -> None:
        raise AssertionError(f"{message!r} is sent to {connection_id}")

    def close(self, connection_id: str, code: int, reason: str) -> None:
        raise AssertionError(f"{connection_id} is closed with {code}, {reason}")


def image_of(row: Row) -> dict[str, Any]:
    """Return a row as a stream's record has it: bytes as Base64."""
    return {
        name: {"B": b64encode(value["B"]).decode()} if "B" in value else value for name, value in encode(row).items()
    }


@pytest.fixture(autouse=True)
def _functions_do_what_their_policies_allow() -> None:
    """Overrides the policy check, since a meter reads rows while a function works."""


def test_nobody_who_follows_costs_no_write_and_few_reads_a_batch(memory_database: Database) -> None:
    """A batch asks once for connections and once for endpoints; what is known of both is remembered for a while."""
    orders = BATCH * BATCHES
    names = customers_of(orders)
    venue = new_venue(memory_database, memory_database, names, levels=2)
    venue.place_pairs(names, orders)
    venue.match(venue.records(), 1)
    book = book_key(BOOK.instance, BOOK.book_id)
    rows = [row for row in journal.ROWS.after(memory_database, book, 0) if journal.is_entry(row)]
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": image_of(row), "SequenceNumber": f"{number:021d}"}}
        for number, row in enumerate(rows)
    ]
    assert len(records) > orders

    database, meter = metered(memory_database)
    pushing = new_pushing(database, database, NoSender(), StoredEntries(database).between, now_ms)
    receivers: dict[str, Receiver] = {"connections": pushing.broadcaster, "webhooks": new_dispatcher(database)}
    following = JournalRows(database)
    calls = []
    for first in range(0, len(records), BATCH):
        assert follow_records(following, receivers, records[first : first + BATCH]) == []
        bill = meter.take()
        calls.append(bill.calls)
        assert bill.total.write_units == 0
    assert calls[0] == 3, "the book's settings, the connections, the endpoints"
    assert max(calls[1:]) <= 2


def test_a_message_costs_one_write_and_two_where_another_could_send_another_one_under_its_id(
    memory_database: Database,
) -> None:
    database, meter = metered(memory_database)
    world = PushWorld(database)
    for name in ("c", "d", "e"):
        world.connect(name)
    world.follow_book("c", BOOK_A)
    world.follow_ann("d")
    world.follow_book("e", BOOK_B, repeats=True)
    broadcaster = world.broadcaster(database)
    for log, receivers, writes in ((BOOK_A, PUBLIC_EVENT, 1), (BOOK_A, ANNS_EVENT, 2), (BOOK_B, PUBLIC_EVENT, 2)):
        meter.take()
        broadcaster.receive(INSTANCE, world.happen(log, receivers))
        assert meter.take().total.write_units == writes, (log, receivers)
    assert len(world.clients.received) == 3


def test_those_who_need_another_step_are_read_by_one_call(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ENTRIES_A_STEP", 2)
    database, meter = metered(memory_database)
    world = PushWorld(database)
    events = [world.happen(BOOK_A, PUBLIC_EVENT)[0] for _ in range(4)]
    for number in range(20):
        world.connect(f"c{number}")
        world.follow_book(f"c{number}", BOOK_A)
    broadcaster = world.broadcaster(database)
    meter.take()
    broadcaster.receive(INSTANCE, events)
    assert len(world.clients.received) == 20 * len(events)
    assert meter.take().calls == 5, "whether there are connections, which; two moves, and a read between"


@pytest.mark.parametrize("fails", [False, True])
def test_what_many_are_told_alike_is_built_once(memory_database: Database, fails: bool) -> None:
    """Also what cannot be built: each of them would wait as long for it as the first one."""
    world = PushWorld(memory_database)
    for number in range(20):
        world.connect(f"c{number}")
        world.follow_book(f"c{number}", BOOK_A, place=number % 2, repeats=number >= 10)
    built: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        build = getattr(world.trade, name)

        def noting(*arguments: Any) -> Any:
            built.append(name)
            if fails:
                raise OSError("not now")
            return build(*arguments)

        return noting

    world.trade.bodies, world.trade.state = noted("bodies"), noted("state")  # type: ignore[method-assign]
    events = world.happen(BOOK_A, PUBLIC_EVENT) + world.happen(BOOK_A, PUBLIC_EVENT)
    with pytest.raises(NotSent) if fails else nullcontext():
        world.broadcaster().receive(INSTANCE, events)
    assert built == ["bodies"] * 2, "from each place"
    world.now_ms += BEAT_S * 1000
    world.beat().round()
    assert built[2:] == ["state"] * (2 if fails else 1)
    assert len(world.clients.received) == (0 if fails else 10 * 2 + 10 + 10)


def test_of_threads_that_build_the_same_one_does(memory_database: Database) -> None:
    world = PushWorld(memory_database)
    world.connect("c")
    one = world.follow_book("c", BOOK_A)
    world.happen(BOOK_A, PUBLIC_EVENT)
    built: list[int] = []
    bodies = world.trade.bodies

    def slow(*arguments: Any) -> Any:
        built.append(1)
        sleep(0.05)
        return bodies(*arguments)

    world.trade.bodies = slow  # type: ignore[method-assign]
    messages = Messages(world.desks, RecentEntries(world._entries), lambda: world.now_ms)
    steps = [Step(one, {BOOK_A: 1}) for _ in range(8)]
    ThreadPool(len(steps))([partial(messages.build, step) for step in steps])
    assert len(built) == 1
    assert [len(step.messages) for step in steps] == [1] * len(steps)


def test_a_batch_of_several_logs_costs_a_subscription_two_writes_whatever_it_brings(memory_database: Database) -> None:
    database, meter = metered(memory_database)
    world = PushWorld(database)
    world.connect("d")
    world.follow_ann("d")
    broadcaster = world.broadcaster(database)
    bills = []
    for times in (1, 2):
        events = [event for _ in range(times) for log in (BOOK_A, BOOK_B) for event in world.happen(log, ANNS_EVENT)]
        meter.take()
        broadcaster.receive(INSTANCE, events)
        bills.append(meter.take())
    assert [bill.total.write_units for bill in bills] == [2, 2]
    assert [bill.calls for bill in bills] == [4, 3], "whether there are connections, which, an intent, a move"
    assert len(world.clients.received) == 6


def test_that_others_know_of_an_instances_connections_is_read_once(memory_database: Database) -> None:
    """An instance that has had connections for longer than a moment is known everywhere, as long as it has some."""
    database, meter = metered(memory_database)
    world = PushWorld(database)
    world.connect("c")
    connections = world.connections
    meter.take()
    asked = [connections.has_just_begun(INSTANCE) for _ in range(2)]
    world.now_ms += 2000
    asked += [connections.has_just_begun(INSTANCE) for _ in range(2)]
    assert (asked, meter.take().calls) == ([True, True, False, False], 3)
    world.now_ms += 2 * LIFE_S * 1000
    world.connect("d")
    assert connections.has_just_begun(INSTANCE), "it had none for a while"


def test_of_a_long_log_the_entries_in_between_are_read_alone(memory_database: Database) -> None:
    logs = Logs(memory_database)
    for _ in range(40):
        logs.put(1, ANN)
    database, meter = metered(memory_database)
    found = list(StoredEntries(database).between(logs.instance, "signed/1", 3, 6))
    assert [event.sequence for events in found for event in events] == [4, 5, 6]
    assert meter.take().total.rows_read == 3
