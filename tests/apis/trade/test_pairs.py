"""Pairs: which books this desk shows and what it calls them (R15, R35, T44)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.trade.envelope import Error, Fault
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.domain.books.config import BookConfig, SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.ledger.reading import LedgerReading
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.trade.desk import SignedDesk, data_of, fault_of
from tests.apis.trade.rows import INVALID
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE

CLOSED, PAUSED = BookStatus.CLOSED, BookStatus.PAUSED
PAIRS = "/trade/public/pairs"
NOT_FOUND = (404, 40400, "Pair not found.")


def token(desk: SignedDesk, symbol: str, decimals: int = 18) -> str:
    """Register a token; return its address."""
    address = "0x" + symbol.encode().hex().rjust(40, "0")
    Tokens(desk.world.database).register(INSTANCE, new_token(new_id("tok"), address, f"The {symbol}", symbol, decimals))
    return address


def book(desk: SignedDesk, book_id: str, symbol: str, base: str, quote: str, **settings: Any) -> BookConfig:
    config = BookConfig(INSTANCE, book_id, "Test", symbol, base, quote, **settings)
    desk.world.books.create(config)
    return config


def pairs_of(database: Database) -> Pairs:
    return Pairs(BooksReading(database), LedgerReading(database))


def symbols(desk: SignedDesk) -> list[str]:
    return [row["symbol"] for row in data_of(desk.get(PAIRS))]


def test_a_book_is_seen_only_by_the_symbols_of_its_tokens(archive: SignedDesk) -> None:
    """T44"""
    dotless, lower = token(archive, "ı"), token(archive, "i")  # noqa: RUF001 - in upper case both are I
    dash = token(archive, "a-b")
    for number, (symbol, base) in enumerate([("X/Q", lower), ("ı/Q", dotless), ("A-B/Q", dash)]):  # noqa: RUF001
        book(archive, f"ob_{number}", symbol, base, QUOTE)
    book(archive, "ob_unknown", "Y/Q", "0x" + "9" * 40, QUOTE)
    book(archive, "ob_chain", "I/B", lower, BASE, settlement_mode=SettlementMode.ON_CHAIN)
    assert symbols(archive) == ["B_Q"]
    for pair in ("X_Q", "I_Q", "A-B_Q", "Y_Q", "I_B"):
        assert fault_of(archive.get(PAIRS, {"pair": pair})) == NOT_FOUND
        assert fault_of(archive.get("/trade/orders", {"pair": pair})) == NOT_FOUND


@pytest.mark.parametrize("pair", ["NOPE_Q", "B/Q", "B_Q_", "_", "BQ", "b_q ", "B_Q\n", "%", "ß_Q", "B" * 3000 + "_Q"])
@pytest.mark.parametrize("path", [PAIRS, "/trade/orders", "/trade/public/trades", "/trade/public/orders/level-2"])
def test_an_unknown_or_malformed_pair_is_not_found(archive: SignedDesk, path: str, pair: str) -> None:
    assert fault_of(archive.get(path, {"pair": pair})) == NOT_FOUND


def test_a_pair_given_twice_is_a_faulty_parameter(archive: SignedDesk) -> None:
    assert fault_of(archive.get(PAIRS, {"pair": ["B_Q", "B_Q"]})) == (400, 40000, INVALID.format("pair"))


def test_orders_go_to_the_one_book_of_the_pair_that_is_not_closed(archive: SignedDesk) -> None:
    pairs = pairs_of(archive.world.database)
    old = replace(archive.world.config, book_id="ob_old", status=CLOSED)
    archive.world.books.create(old)
    market = pairs.open_book(INSTANCE, "b_q")
    assert (market.book.book_id, market.pair, market.decimals.base, market.decimals.quote) == (BOOK_ID, "B_Q", 8, 18)
    assert pairs.every_book(INSTANCE, "B_q").keys() == {BOOK_ID, "ob_old"}
    archive.world.change_status(CLOSED)
    with pytest.raises(Fault) as fault:
        pairs.open_book(INSTANCE, "B_Q")
    assert fault.value.error is Error.PAIR_NOT_FOUND
    assert pairs.every_book(INSTANCE, "B_Q").keys() == {BOOK_ID, "ob_old"}


def test_a_book_that_is_closed_while_it_is_looked_for_is_not_found(archive: SignedDesk) -> None:
    """Its name is read first, then its settings: as they stand here."""
    database = archive.world.database
    row = next(row for row in database.scan("books") if row["part"] == "config")
    database.put_many("books", [row | {"status": CLOSED.value}])
    with pytest.raises(Fault):
        pairs_of(database).open_book(INSTANCE, "B_Q")


def test_another_instances_books_are_not_seen(archive: SignedDesk) -> None:
    with pytest.raises(Fault):
        pairs_of(archive.world.database).open_book("inst_other000", "B_Q")
    with pytest.raises(Fault):
        pairs_of(archive.world.database).every_book("inst_other000", "B_Q")
