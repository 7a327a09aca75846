"""Rounds of the demo's traders on the in-memory engine: what goes, what stays, and death at each step."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from chalicelib import wiring
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import BookStatus, OrderType, TimeInForce
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.ops import cli
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.redrive import redrive, redrive_all
from chalicelib.services.books.stream import deliveries_of
from chalicelib.support.clock import now_ms
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.writes import TransactionRefused
from infra import demo, demo_rounds, demo_traders
from infra.demo_rounds import TRADERS, MustStay, Rounds
from infra.tables import table_definitions

VISITOR = demo.CUSTOMERS[0]
SECOND = f"{demo.VENDORS_BOOK}_2"


@pytest.fixture
def database(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    monkeypatch.setattr(wiring, "connections_url", lambda: "")
    monkeypatch.setattr(demo_rounds, "ROWS_AT_ONCE", 2)
    demo.seed()
    demo_traders.seed()
    return memory_database


@pytest.fixture
def rounds() -> Rounds:
    return Rounds(removes=True, settled_ms=0)


def place(database: Database, customer: str, side: str, price: int, book: str = demo.VENDORS_BOOK) -> None:
    """Have an order admitted and decided."""
    order = OrderRequest(
        customer, Side(side), OrderType.LIMIT, TimeInForce.GTC, price * demo_traders.UNIT, demo_traders.UNIT
    )
    assert isinstance(Admission(database).place(demo.INSTANCE, book, order), Admitted)
    decide(database, book)


def decide(database: Database, book: str = demo.VENDORS_BOOK) -> None:
    redrive(database, Matcher(database, now_ms), book_key(demo.INSTANCE, book))


def trade(database: Database, book: str = demo.VENDORS_BOOK) -> None:
    """Let the traders trade; some orders stay open."""
    for number, trader in enumerate(TRADERS):
        place(database, trader, "SELL", 100 + number, book)
        place(database, TRADERS[number - 1], "BUY", 101, book)


def stored(database: Database) -> dict[str, list[str]]:
    """Return all rows by table, without the times of accounts."""
    tables = [one.name.removeprefix(database.name("")) for one in table_definitions(database.name("")[:-1])]
    untimed = {table: [{**row, "changed_at_ms": 0} for row in database.scan(table)] for table in tables}
    return {table: sorted(map(repr, of_table)) for table, of_table in untimed.items()}


def is_proved(database: Database) -> bool:
    return bool(Verifier(database).verify(None).books)


def traded_twice(database: Database, rounds: Rounds) -> dict[str, list[str]]:
    """Trade on the first book, start over, trade on the second. Return what there is of everything but the first."""
    trade(database)
    assert rounds.start_over(demo.VENDORS_BOOK) == SECOND
    decide(database)
    trade(database, SECOND)
    assert is_proved(database)
    of_first = re.compile(rf"{demo.VENDORS_BOOK}(?!_)")
    found = stored(database)
    return {table: [row for row in of_table if not of_first.search(row)] for table, of_table in found.items()}


def test_the_rows_of_a_round_go_and_the_traders_have_what_they_had(database: Database, rounds: Rounds) -> None:
    before = stored(database)
    trade(database)
    assert rounds.start_over(demo.VENDORS_BOOK) == SECOND == demo.open_vendors_book()
    decide(database)
    assert is_proved(database)
    assert len(list(rounds.remove_closed())) > 20
    assert is_proved(database)
    after = {
        table: [row.replace(SECOND, demo.VENDORS_BOOK) for row in found] for table, found in stored(database).items()
    }
    made = [table for table in before if before[table] != after[table]]
    assert made == ["books"], "the time at which the next book was made"
    assert len(after["books"]) == len(before["books"])


def test_nothing_goes_of_the_next_round_nor_of_the_traders_other_books(database: Database, rounds: Rounds) -> None:
    for trader, side in zip(TRADERS, ("BUY", "SELL", "BUY", "SELL", "BUY"), strict=True):
        for word, token in (("base", demo.TOKEN), ("quote", demo.QUOTE_TOKEN)):
            demo._credit(trader, token, demo.CREDIT, word)
        place(database, trader, side, 10**12, demo.BOOK)
    kept = traded_twice(database, rounds)
    list(rounds.remove_closed())
    assert is_proved(database)
    left = stored(database)
    assert [table for table in kept if table != "accounts" and left[table] != kept[table]] == []


def test_a_run_that_dies_at_any_piece_goes_on_at_the_next_start(database: Database, rounds: Rounds) -> None:
    pieces = 0
    for number in range(1, 40):
        book = demo.open_vendors_book()
        trade(database, book)
        rounds.start_over(book)
        decide(database, book)
        done = len(list(islice(rounds.remove_closed(), number)))
        list(demo_rounds.remove_leftovers())
        assert is_proved(database)
        assert None not in redrive_all(database, Matcher(database, now_ms)).values()
        list(rounds.remove_closed())
        assert not any(book_key(demo.INSTANCE, book) == row["book"] for row in database.scan("books"))
        pieces = max(pieces, done)
    assert 20 < pieces < 39, "each piece was the last one of some run"


def test_a_run_that_dies_between_two_books_opens_the_next_at_its_start(database: Database, rounds: Rounds) -> None:
    trade(database)
    closing = {"status": BookStatus.CLOSED}
    Configuring(database).change(demo.INSTANCE, demo.VENDORS_BOOK, closing)
    demo.seed()
    assert demo.open_vendors_book() == SECOND
    redrive_all(database, Matcher(database, now_ms))
    list(rounds.remove_closed())
    assert is_proved(database)
    assert Books(database).ids(demo.INSTANCE) == [demo.BOOK, SECOND]


@pytest.mark.parametrize(("side", "price"), [("BUY", 90), ("BUY", 103)])
def test_a_book_on_which_somebody_else_has_an_order_or_a_trade_goes_on(
    database: Database, rounds: Rounds, side: str, price: int
) -> None:
    trade(database)
    place(database, VISITOR, side, price)
    before = stored(database)
    with pytest.raises(MustStay, match=r"others have traded there\. Begin anew with: make run FRESH=1"):
        rounds.start_over(demo.VENDORS_BOOK)
    list(rounds.remove_closed())
    assert stored(database) == before
    assert is_proved(database)


def test_a_closed_book_to_which_somebody_elses_order_came_late_stays(database: Database, rounds: Rounds) -> None:
    trade(database)
    order = OrderRequest(VISITOR, Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 10**10, demo_traders.UNIT)
    assert isinstance(Admission(database).place(demo.INSTANCE, demo.VENDORS_BOOK, order), Admitted)
    assert rounds.start_over(demo.VENDORS_BOOK) == SECOND
    decide(database)
    trade(database, SECOND)
    before = stored(database)
    list(rounds.remove_closed())
    with pytest.raises(MustStay, match="others have traded there"):
        rounds.start_over(SECOND)
    assert stored(database) == before
    assert is_proved(database)


@pytest.mark.parametrize("decided", [(), ("change",), ("place",)])
def test_the_rows_of_a_closed_book_stay_until_everything_is_decided(
    database: Database, rounds: Rounds, decided: tuple[str, ...]
) -> None:
    trade(database)
    order = OrderRequest(TRADERS[0], Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 10**10, demo_traders.UNIT)
    assert isinstance(Admission(database).place(demo.INSTANCE, demo.VENDORS_BOOK, order), Admitted)
    rounds.start_over(demo.VENDORS_BOOK)
    key = book_key(demo.INSTANCE, demo.VENDORS_BOOK)
    of_kinds = [row for row in Inbox(database).rows(key) if row["kind"] in decided]
    deliveries = [delivery for row in of_kinds for delivery in deliveries_of(row, None)]
    Matcher(database, now_ms).process(key, deliveries)
    before = stored(database)
    assert list(rounds.remove_closed()) == []
    assert stored(database) == before
    decide(database)
    assert list(rounds.remove_closed())
    assert is_proved(database)


def test_nothing_is_taken_back_from_a_trader_who_no_longer_has_it(database: Database, rounds: Rounds) -> None:
    trade(database)
    rounds.start_over(demo.VENDORS_BOOK)
    decide(database)
    (_, bitcoin), _ = demo.VENDORS_TOKENS.values()
    for trader in TRADERS:
        account = ["--instance", demo.INSTANCE, "--customer", trader, "--asset", bitcoin]
        available = Accounts(database).balance(customer_key(demo.INSTANCE, trader), bitcoin).available
        cli.run(["debit", *account, "--amount", str(available), "--id", f"txn_{trader}"])
    before = stored(database)
    with pytest.raises(TransactionRefused):
        list(rounds.remove_closed())
    assert stored(database) == before
    assert is_proved(database)


def test_nothing_is_taken_back_by_a_fold_of_before(database: Database, rounds: Rounds) -> None:
    trade(database)
    rounds.start_over(demo.VENDORS_BOOK)
    fold = demo_rounds._fold(demo_rounds._config(demo.VENDORS_BOOK))
    decide(database)
    before = stored(database)
    with pytest.raises(TransactionRefused):
        demo_rounds._forget(database, fold)
    assert stored(database) == before
    assert list(rounds.remove_closed())
    assert is_proved(database)


def test_rows_stay_while_a_request_or_a_stream_may_still_have_to_do_with_them(database: Database) -> None:
    rounds = Rounds(removes=True)
    traded_twice(database, rounds)
    before = stored(database)
    assert list(rounds.remove_closed()) == []
    assert stored(database) == before


@pytest.mark.usefixtures("database")
def test_nothing_goes_from_a_dynamodb_that_is_not_the_runs_own() -> None:
    rounds = Rounds(removes=False, settled_ms=0)
    with pytest.raises(MustStay, match="only in a DynamoDB of its own"):
        rounds.start_over(demo.VENDORS_BOOK)
    assert demo.open_vendors_book() == demo.VENDORS_BOOK


@pytest.mark.parametrize(
    ("book", "number"),
    [("ob_offchain_002", 1), ("ob_offchain_002_2", 2), ("ob_offchain_002_10", 10), ("ob_offchain_001", 0),
     ("ob_offchain_0022", 0), ("ob_offchain_002_x", 0), ("ob_offchain_002_0", 0)],
)  # fmt: skip
def test_a_rounds_number_is_in_its_books_id(book: str, number: int) -> None:
    assert demo.round_of(book) == number
