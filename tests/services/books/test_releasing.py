"""A parked book that is released goes on as if nothing had been: what was passed over is decided, once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.ops.verify.verifier import Verifier, unwatched
from chalicelib.services.books.expiry import PARKED_MINUTES, Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.services.books.redrive import release
from chalicelib.services.books.stream import match_records
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.batch_failures import BatchFailures
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import COMMAND_LIFE_S, PARKED_LIFE_S
from infra.poller import RETRY_PAUSE_MAX_S, StreamPoller
from tests.faults import FAULTS, Died, FaultyClient, after_another
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.recording import nobody
from tests.scenarios import CREDITED, funded
from tests.services.books.broken import OTHER_TENANT, broken_world, failures_of, park, releasing, spoil_or_mend_journal
from tests.world import NOW_MS, World

HOUR_MS = 3_600_000
pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture
def world(memory_database: Database) -> World:
    return broken_world(memory_database)


def test_what_the_stream_passed_over_is_kept_until_it_is_decided(world: World) -> None:
    """The inbox keeps a command for seven days, that of a parked book longer; once it is decided, seven days again."""
    early = world.inbox_rows()[0]
    world.placed("ben", "BUY", 10, 50)
    park(world)
    now_s = world.now_ms // 1000
    assert world.deliver() == []
    assert [row["expires"] - now_s for row in world.inbox_rows()] == [PARKED_LIFE_S] * 2
    world.now_ms += 30 * 24 * HOUR_MS
    spoil_or_mend_journal(world)
    assert release(world.database, releasing(world), world.book) == 1
    assert [row["expires"] - world.now_ms // 1000 for row in world.inbox_rows()] == [COMMAND_LIFE_S] * 2
    assert all("kept" not in row for row in world.inbox_rows())
    assert world.inbox_rows()[0] | {"expires": 0} == early | {"expires": 0}


def test_a_released_book_has_decided_everything_before_anything_newer(world: World) -> None:
    """While parked: orders and cancels are refused, a change waits. The release decides what waited, in its order."""
    waiting = world.placed("ben", "BUY", 10, 50)
    park(world)
    assert world.deliver() == []
    refused = world.place("cat", "BUY", 10, 50)
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.ORDER_BOOK_INACTIVE
    before = world.tables()
    with pytest.raises(Unavailable):
        world.cancel("ben", waiting)
    assert world.tables() == before
    world.change(taker_fee_bps=20)
    assert world.deliver() == []
    spoil_or_mend_journal(world)
    assert release(world.database, releasing(world), world.book) == 2
    assert world.order("ben", waiting).status is OrderStatus.FILLED
    assert world.failed_batches.parked() == []
    assert failures_of(world) == BatchFailures()
    world.placed("cat", "BUY", 10, 50)
    assert world.deliver() == []
    check_invariants(world, CREDITED)
    Verifier(world.database, unwatched).verify(world.book)


def test_a_book_that_still_fails_stays_parked(world: World) -> None:
    world.placed("ben", "BUY", 10, 50)
    park(world)
    assert world.deliver() == []
    before = world.tables()
    with pytest.raises(BrokenJournal):
        release(world.database, releasing(world), world.book)
    assert world.tables() == before


def test_orders_of_a_parked_book_end_with_its_release_and_are_not_looked_at_in_between(
    memory_database: Database,
) -> None:
    """Looks go on for two hours: once an hour the book is asked for, and its orders' rows are read and written."""
    expires_at_ms = NOW_MS + 10 * HOUR_MS
    world = broken_world(memory_database, expires_at_ms=expires_at_ms)
    (order_id,) = [row["order_id"] for row in world.database.scan("open-orders")]
    world.placed("ben", "BUY", 1, 40)
    park(world)
    world.now_ms = expires_at_ms
    counting = FaultyClient(memory_database._client, FAULTS["throttled"])
    database = Database(counting, memory_database._prefix)  # type: ignore[arg-type]
    expiring = Expiring(database, Matcher(database, lambda: world.now_ms), lambda: world.now_ms)
    assert expiring.check()
    (row,) = [row for row in world.database.scan("expiries") if row.get("order_id") == order_id]
    assert row["minute"] == (expires_at_ms // HOUR_MS + 1) * PARKED_MINUTES
    counting.strike_at(0)
    for _ in range(100):
        world.now_ms += 500
        assert expiring.check()
    assert counting.calls <= 6 * 100, "a look reads the row of what is swept and some empty minutes, and no order"
    spoil_or_mend_journal(world)
    release(world.database, releasing(world), world.book)
    assert world.order("ann", order_id).status is OrderStatus.EXPIRED
    world.now_ms += HOUR_MS
    while not expiring.check():
        pass
    assert [row for row in world.database.scan("expiries") if row.get("order_id") == order_id] == []
    check_invariants(world, CREDITED)


def test_a_release_at_the_moment_at_which_records_are_set_aside_loses_none(world: World) -> None:
    """At each call of the batch in turn the operator releases it; what was passed over is decided all the same."""
    world.placed("ben", "BUY", 10, 50)
    park(world)
    spoil_or_mend_journal(world)
    for tables, faulty in each_call(world.database._client, least=3):  # type: ignore[arg-type]
        there = world.over(Database(tables, world.database._prefix))  # type: ignore[arg-type]

        def released(there: World = there) -> None:
            release(there.database, releasing(there), there.book)

        faulty.fault = after_another(released)
        failed = match_records(Matcher(Database(faulty, world.database._prefix), lambda: world.now_ms), world.records)  # type: ignore[arg-type]
        if failed:
            assert there.deliver() == []
        if faulty.has_struck:
            check_invariants(there, CREDITED)
            assert all("kept" not in row for row in there.inbox_rows())


def test_the_poller_delivers_until_the_book_is_parked_and_then_goes_on(
    embedded_database: Database, embedded_engine_url: str
) -> None:
    """The inbox's own stream, its poller and two tenants: what is behind the failing book's record gets through, and so
    does all that comes later; the poller reads on because the failing record is through in the end."""
    world = broken_world(embedded_database)
    other = funded(embedded_database, instance=OTHER_TENANT)
    failing = world.placed("ben", "BUY", 10, 50)
    beside = other.placed("ann", "SELL", 5, 40)
    arn = boto3.client("dynamodb", endpoint_url=embedded_engine_url).describe_table(
        TableName=embedded_database.name("inbox")
    )["Table"]["LatestStreamArn"]
    clock_s, handed_back = [0.0], []

    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        failed = match_records(world.matcher(), event["Records"])
        handed_back.append(bool(failed))
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    streams = boto3.client("dynamodbstreams", endpoint_url=embedded_engine_url)
    poller = StreamPoller(streams, arn, handler, "match_inbox", clock=lambda: clock_s[0])
    for _ in range(3 * FAILED_BATCHES_MAX):
        poller.poll()
        clock_s[0] += RETRY_PAUSE_MAX_S
    assert handed_back == [True] * FAILED_BATCHES_MAX + [False]
    assert other.order("ann", beside).sequence is not None
    later = other.placed("ann", "SELL", 5, 41)
    poller.poll()
    assert other.order("ann", later).sequence is not None
    spoil_or_mend_journal(world)
    assert release(embedded_database, releasing(world), world.book) == 1
    assert world.order("ben", failing).status is OrderStatus.FILLED


def test_what_is_passed_over_while_a_release_redrives_is_decided_by_it(world: World) -> None:
    """At each call of the release in turn an order that was admitted before is delivered: to a matcher that may still
    see the mark. It is decided by the release, or by that delivery when it is handed back."""
    park(world)
    spoil_or_mend_journal(world)
    for tables, faulty in each_call(world.database._client, least=8):  # type: ignore[arg-type]
        there = world.over(Database(tables, world.database._prefix))  # type: ignore[arg-type]
        handed_back: list[str] = []

        def arrive(there: World = there, handed_back: list[str] = handed_back) -> None:
            admit_as_if_not_parked(there)
            handed_back += there.deliver(records=there.records[-1:])

        faulty.fault = after_another(nobody(arrive))
        database = Database(faulty, world.database._prefix)  # type: ignore[arg-type]
        release(database, releasing(there, database), there.book)
        if not faulty.has_struck:
            continue
        if handed_back:
            assert there.deliver(records=there.records[-1:]) == []
        check_invariants(there, CREDITED)
        assert all("kept" not in row for row in there.inbox_rows())


def admit_as_if_not_parked(world: World) -> None:
    """Admit an order by settings that were read before the book was parked."""
    config = world.books.config(world.book)
    assert config is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Books, "config", lambda *_: replace(config, is_parked=False))
        world.placed("ben", "BUY", 10, 50)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_at_any_call_of_a_release_does_what_doing_it_again_does_not_mend(fault: str) -> None:
    client = empty_tables()
    stage = broken_world(database_of(client))
    stage.placed("ben", "BUY", 10, 50)
    stage.change(taker_fee_bps=20)
    park(stage)
    assert stage.deliver() == []
    spoil_or_mend_journal(stage)
    for tables, faulty in each_call(client, FAULTS[fault], least=11):
        world = stage.over(database_of(tables))
        database = database_of(faulty)
        again = partial(release, world.database, releasing(world), world.book)
        try:
            release(database, releasing(world, database), world.book)
        except (Unavailable, OutcomeUnknown, Died):
            again()
        assert world.failed_batches.parked() == []
        assert failures_of(world) == BatchFailures()
        check_invariants(world, CREDITED)
