"""A book that fails is parked, and holds no other book of its shard up; which failures count."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.books.vocabulary import BookStatus, OrderStatus
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import FAILED_BATCHES_MAX, SERIES_PAUSE_MS_MAX, BookParked, is_fault_of_book
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.redrive import redrive, redrive_all, release
from chalicelib.services.books.stream import match_records
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.batch_failures import NO_FAILURES, BatchFailures
from chalicelib.tables.books import MalformedConfig
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import EntryExists
from chalicelib.tables.rows import encode
from chalicelib.tables.writes import ConditionFailed, TransactionRefused
from tests.faults import FAULTS, Died, FaultyClient, refusal
from tests.in_memory import database_of, each_call, empty_tables
from tests.invariants import check_invariants
from tests.scenarios import CREDITED, Scenario, funded
from tests.services.books.broken import (
    OTHER_TENANT,
    broken_world,
    failures_of,
    park,
    releasing,
    rest,
    spoil_or_mend_journal,
)
from tests.world import World

UNREADABLE_CONFIGS: list[dict[str, Any]] = [
    {"status": None}, {"status": {"S": "x"}}, {"maker_fee_bps": {"N": "1.5"}}, {"self_trade_prevention": {"N": "7"}},
]  # fmt: skip
"""Attributes of a book's row that the program cannot have written; None: it is not there."""
pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture
def world(memory_database: Database) -> World:
    return broken_world(memory_database)


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
    other = funded(world.database, instance=OTHER_TENANT)
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
    assert [row["kept"] for row in world.inbox_rows()] == [True, True]
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
