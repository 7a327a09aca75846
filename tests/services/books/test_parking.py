"""A book that fails is parked, and holds no other book of its shard up; released, it goes on as if nothing had been."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus
from chalicelib.ops.verify.verifier import Verifier, unwatched
from chalicelib.services.books.expiry import PARKED_MINUTES, Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import FAILED_BATCHES_MAX, SERIES_PAUSE_MS_MAX, BookParked, is_fault_of_book
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.redrive import redrive, redrive_all, release
from chalicelib.services.books.stream import match_records
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.batch_failures import NO_FAILURES, BatchFailures
from chalicelib.tables.books import Books, MalformedConfig
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import COMMAND_LIFE_S, PARKED_LIFE_S
from chalicelib.tables.journal import EntryExists
from chalicelib.tables.rows import Row, encode
from chalicelib.tables.writes import ConditionFailed, TransactionRefused
from infra.poller import RETRY_PAUSE_MAX_S, StreamPoller
from tests.faults import FAULTS, Died, FaultyClient, after_another, refusal
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.recording import nobody
from tests.scenarios import CREDITED, CUSTOMERS, FUNDS, Scenario
from tests.world import BASE, NOW_MS, QUOTE, World

OTHER_TENANT = "inst_other001"
HOUR_MS = 3_600_000
UNREADABLE_CONFIGS: list[dict[str, Any]] = [
    {"status": None}, {"status": {"S": "x"}}, {"maker_fee_bps": {"N": "1.5"}}, {"self_trade_prevention": {"N": "7"}},
]  # fmt: skip
"""Attributes of a book's row that the program cannot have written; None: it is not there."""


pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture
def world(memory_database: Database) -> World:
    return broken_world(memory_database)


def broken_world(database: Database, **order: Any) -> World:
    """A book in which an order rests, and whose journal cannot be read."""
    world = Scenario(partial(rest, **order)).world(database)
    assert world.deliver() == []
    spoil_or_mend_journal(world)
    return world


def rest(world: World, **order: Any) -> None:
    world.placed("ann", "SELL", 30, 50, **order)


def spoil_or_mend_journal(world: World) -> None:
    """Turn the hash of the first entry round; twice, it is as it was."""
    row = world.database.get("journal", {"book": world.book, "sequence": 1})
    assert row is not None
    world.database.put_many("journal", [row | {"hash": row["hash"][::-1]}])


def park(world: World) -> None:
    """Deliver until the book is parked, each time to a matcher that remembers nothing."""
    for _ in range(FAILED_BATCHES_MAX):
        assert world.deliver() != []
    assert failures_of(world).parked_at_ms == world.now_ms


def failures_of(world: World) -> BatchFailures:
    found = world.books.with_failures(world.book)
    assert found is not None
    return found[1]


def releasing(world: World, database: Database | None = None) -> Matcher:
    return Matcher(database or world.database, lambda: world.now_ms, takes_parked=True)


def inbox_of(world: World) -> list[Row]:
    return world.inbox_rows()


def test_a_book_that_fails_is_parked_and_its_records_are_passed_over(world: World) -> None:
    """Its records come again and again until it is parked, and once more to be set aside; its journal stays."""
    placed = world.placed("ben", "BUY", 10, 50)
    for failed in range(1, FAILED_BATCHES_MAX + 1):
        assert world.deliver() == [world.records[0]["dynamodb"]["SequenceNumber"]]
        assert failures_of(world).failed_batches == failed
    failures = failures_of(world)
    assert failures.parked_at_ms == world.now_ms
    assert failures.reason is not None
    assert failures.reason.startswith("BrokenJournal: ")
    assert world.failed_batches.parked() == [world.book]
    journal = list(world.database.scan("journal"))
    for _ in range(3):
        assert world.deliver() == []
    assert list(world.database.scan("journal")) == journal
    assert world.order("ben", placed).sequence is None


def test_a_book_that_fails_holds_no_other_tenants_book_up(world: World) -> None:
    """One shard, records of two tenants in turn: the other tenant's orders are matched at the first delivery, and after
    the book is parked the shard goes on."""
    other = World(world.database, instance=OTHER_TENANT)
    for customer in CUSTOMERS:
        other.credit(customer, BASE, FUNDS)
        other.credit(customer, QUOTE, FUNDS)
    failing = world.placed("ben", "BUY", 10, 50)
    ask, bid = other.placed("ann", "SELL", 5, 40), other.placed("ben", "BUY", 5, 40)
    shard = [*world.records[-1:], *other.records]
    matcher = world.matcher()
    deliveries = 0
    while match_records(matcher, shard):
        deliveries += 1
        assert other.order("ann", ask).status is other.order("ben", bid).status is OrderStatus.FILLED
    assert deliveries == FAILED_BATCHES_MAX
    assert world.order("ben", failing).sequence is None
    assert other.failed_batches.parked() == [world.book]
    check_invariants_of_other(other)


def test_a_book_whose_row_cannot_be_read_is_parked_and_holds_no_other_up(memory_database: Database) -> None:
    """Nor does it once it is parked; mended, it is released, and its orders are decided."""
    for number, changes in enumerate(UNREADABLE_CONFIGS):
        names = f"inst_ours{number}", f"inst_theirs{number}"
        world, other = (Scenario(rest, {"instance": name}).world(memory_database) for name in names)
        placed, theirs = world.placed("ben", "BUY", 10, 50), other.placed("ben", "BUY", 10, 50)
        mended = memory_database.get("books", {"book": world.book, "part": "config"})
        assert mended is not None
        spoilt = encode({name: value for name, value in mended.items() if name not in changes}) | changes
        spoilt = {name: value for name, value in spoilt.items() if value is not None}
        memory_database._client.put_item(TableName=memory_database.name("books"), Item=spoilt)
        shard = [*world.records, *other.records]
        deliveries = [len(match_records(world.matcher(), shard)) for _ in range(FAILED_BATCHES_MAX + 1)]
        assert deliveries == [1] * FAILED_BATCHES_MAX + [0]
        assert other.order("ben", theirs).status is OrderStatus.FILLED
        assert world.book in world.failed_batches.parked()
        with pytest.raises(MalformedConfig):
            release(world.database, releasing(world), world.book)
        memory_database._client.update_item(
            TableName=memory_database.name("books"),
            Key=encode({"book": world.book, "part": "config"}),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            ExpressionAttributeNames={f"#{name}": name for name in changes},
            ExpressionAttributeValues=encode({f":{name}": mended[name] for name in changes}),
        )
        release(world.database, releasing(world), world.book)
        assert world.order("ben", placed).status is OrderStatus.FILLED
        assert world.failed_batches.parked() == []


def test_a_record_that_cannot_be_read_holds_nothing_up(memory_database: Database) -> None:
    world = Scenario(rest).world(memory_database)
    unreadable = copy.deepcopy(world.records[0])
    unreadable["dynamodb"]["NewImage"]["zzz"] = {"N": "1.5"}
    assert match_records(world.matcher(), [unreadable, *world.records]) == []
    assert failures_of(world) == NO_FAILURES


def check_invariants_of_other(other: World) -> None:
    state = other.folded()
    state.book.check()
    assert not state.book.open_orders


def test_what_the_stream_passed_over_is_kept_until_it_is_decided(world: World) -> None:
    """The inbox keeps a command for seven days, that of a parked book longer; once it is decided, seven days again."""
    early = inbox_of(world)[0]
    world.placed("ben", "BUY", 10, 50)
    park(world)
    now_s = world.now_ms // 1000
    assert world.deliver() == []
    assert [row["expires"] - now_s for row in inbox_of(world)] == [PARKED_LIFE_S] * 2
    world.now_ms += 30 * 24 * HOUR_MS
    spoil_or_mend_journal(world)
    assert release(world.database, releasing(world), world.book) == 1
    assert [row["expires"] - world.now_ms // 1000 for row in inbox_of(world)] == [COMMAND_LIFE_S] * 2
    assert all("kept" not in row for row in inbox_of(world))
    assert inbox_of(world)[0] | {"expires": 0} == early | {"expires": 0}


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


def test_a_parked_book_is_matched_by_nobody_else(world: World) -> None:
    """Neither a redrive nor a matcher that looks for expired orders, whether it knows the book or not."""
    knows_it = world.matcher()
    spoil_or_mend_journal(world)
    knows_it.process(world.book, [])
    spoil_or_mend_journal(world)
    world.placed("ben", "BUY", 10, 50)
    park(world)
    spoil_or_mend_journal(world)
    for matcher in (world.matcher(), knows_it):
        with pytest.raises(BookParked):
            matcher.expire_due(world.book)
    with pytest.raises(BookParked):
        redrive(world.database, world.matcher(), world.book)
    assert redrive_all(world.database, world.matcher()) == {world.book: None}


@pytest.mark.parametrize("fault", ["error before", "outcome unknown", "throttled", "in conflict"])
def test_what_is_not_the_books_own_fault_does_not_count(memory_database: Database, fault: str) -> None:
    """Throttling, a table out of reach, an unknown outcome, a conflict: however often, the book is delivered again."""
    world = Scenario(rest).world(memory_database)
    client = memory_database._client
    for at in range(1, 6):
        faulty = FaultyClient(client, FAULTS[fault], at=at)
        for _ in range(2):
            matcher = Matcher(Database(faulty, memory_database._prefix, pause=lambda _s: None), lambda: world.now_ms)  # type: ignore[arg-type]
            faulty.strike_at(at)
            world.deliver(matcher)
    assert failures_of(world) == BatchFailures()
    assert world.deliver() == []


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (BrokenJournal("x"), True),
        (LedgerBroken("x"), True),
        (KeyError("a fault of ours"), True),
        (refusal("ValidationException", "update_item"), True),
        (Unavailable("x"), False),
        (OutcomeUnknown("x"), False),
        (EntryExists("x"), False),
        (refusal("AccessDeniedException", "update_item"), False),
        (refusal("ResourceNotFoundException", "update_item"), False),
        (refusal("ExpiredTokenException", "update_item"), False),
    ],
)
def test_which_faults_are_a_books_own(error: Exception, counts: bool) -> None:
    assert is_fault_of_book(error) is counts


def test_a_batch_that_gets_through_is_counted_no_more(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that comes and goes parks no book, however often: the batch that failed got through each time."""
    world = Scenario(lambda _world: None).world(memory_database)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    for at in range(2 * FAILED_BATCHES_MAX):
        world.placed("ann", "SELL", 1, 50 + at)
        with monkeypatch.context() as patched:
            patched.setattr(Projector, "project", fail)
            assert world.deliver(records=world.records[-1:]) != []
        assert failures_of(world).failed_batches == 1
        assert world.deliver(records=world.records[-1:]) == []
        assert failures_of(world) == BatchFailures()


def test_another_batch_that_gets_through_says_nothing_about_the_one_that_fails(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shards bring commands of one book; those of one fail every time, and park it."""
    world = Scenario(lambda _world: None).world(memory_database)
    poison = world.placed("ann", "SELL", 1, 50)
    process = Matcher.process

    def process_but_the_poison(self: Matcher, book: str, deliveries: Any) -> int:
        if any(delivery.command.command_id == poison for delivery in deliveries):
            raise ZeroDivisionError
        return process(self, book, deliveries)

    monkeypatch.setattr(Matcher, "process", process_but_the_poison)
    for failed in range(1, FAILED_BATCHES_MAX + 1):
        assert world.deliver(records=world.records[:1]) != []
        assert failures_of(world).failed_batches == failed
        if failed < FAILED_BATCHES_MAX:
            world.placed("ben", "BUY", 1, 40)
            assert world.deliver(records=world.records[-1:]) == []
    assert world.failed_batches.parked() == [world.book]


def test_what_failed_long_ago_does_not_count(world: World) -> None:
    for _ in range(FAILED_BATCHES_MAX - 1):
        assert world.deliver() != []
    world.now_ms += SERIES_PAUSE_MS_MAX + 1
    assert world.deliver() != []
    assert failures_of(world).failed_batches == 1


def test_a_book_without_a_row_holds_nothing_up(world: World) -> None:
    """The table of books was lost: its commands stay in the inbox, and are decided once it is there again."""
    spoil_or_mend_journal(world)
    placed = world.placed("ben", "BUY", 10, 50)
    row = world.database.get("books", {"book": world.book, "part": "config"})
    assert row is not None
    world.database.delete_many("books", [{"book": world.book, "part": "config"}])
    assert world.deliver() == []
    assert [row["kept"] for row in inbox_of(world)] == [True, True]
    world.database.put_many("books", [row])
    assert redrive(world.database, world.matcher(), world.book) == 1
    assert world.order("ben", placed).status is OrderStatus.FILLED
    check_invariants(world, CREDITED)


def test_settings_that_change_leave_the_count_and_the_mark(world: World) -> None:
    world.deliver()
    world.change(maker_fee_bps=30)
    assert failures_of(world).failed_batches == 1
    park_at = FAILED_BATCHES_MAX - 1
    for _ in range(park_at):
        world.deliver()
    world.change(status=BookStatus.PAUSED)
    config = world.books.config(world.book)
    assert config is not None
    assert (config.is_parked, config.status) == (True, BookStatus.PAUSED)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (BookStatus.ACTIVE, BookStatus.PAUSED),
        (BookStatus.PAUSED, BookStatus.PAUSED),
        (BookStatus.CLOSED, BookStatus.CLOSED),
    ],
)
def test_a_parked_book_shows_paused_and_a_closed_one_closed(
    world: World, status: BookStatus, shown: BookStatus
) -> None:
    world.change(status=status)
    park(world)
    config = world.books.config(world.book)
    assert config is not None
    assert config.shown_status is shown
    assert [one.shown_status for one in world.books.of_instance(config.instance)] == [shown]


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
    other = World(embedded_database, instance=OTHER_TENANT)
    for asset in (BASE, QUOTE):
        other.credit("ann", asset, FUNDS)
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


def test_of_two_that_count_at_once_one_counts(world: World) -> None:
    """A second matcher of another shard that has read the same count is refused, and its batch counts the next time."""
    first = partial(BatchFailures, 1, world.now_ms, "ord_1", "KeyError: x")
    world.failed_batches.note(world.book, BatchFailures(), first())
    with pytest.raises(ConditionFailed):
        world.failed_batches.note(world.book, BatchFailures(), first())
    with pytest.raises(TransactionRefused):
        world.failed_batches.note(world.book, BatchFailures(), first(parked_at_ms=world.now_ms))
    assert failures_of(world) == first()


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_at_any_call_of_counting_parking_and_setting_aside_loses_a_command(fault: str) -> None:
    """Each call of the deliveries meets the fault; then it is delivered until it is through, mended and released."""
    client = empty_tables()
    stage = broken_world(database_of(client))
    stage.placed("ben", "BUY", 10, 50)
    stage.change(taker_fee_bps=20)
    for tables, faulty in each_call(client, FAULTS[fault], least=3 * FAILED_BATCHES_MAX + 1, most=200):
        world = stage.over(database_of(tables))
        for _ in range(2 * FAILED_BATCHES_MAX):
            matcher = Matcher(database_of(faulty), lambda world=world: world.now_ms)  # type: ignore[misc]
            try:
                failed = world.deliver(matcher)
            except Died:
                continue
            if not failed:
                break
        assert failed == []
        assert world.failed_batches.parked() == [world.book]
        assert all(row["kept"] for row in world.inbox_rows())
        spoil_or_mend_journal(world)
        release(world.database, releasing(world), world.book)
        check_invariants(world, CREDITED)


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
