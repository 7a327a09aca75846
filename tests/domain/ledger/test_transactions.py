"""A trade as transactions: a row for each leg and fee, ids that nothing else has, sums that are what moved."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from chalicelib.domain.books.journal import JournalEntry, trade_id
from chalicelib.domain.ledger.transactions import (
    Movement,
    TradeFacts,
    Transaction,
    TransactionType,
    leg_id,
    transactions_of,
)

TRADE = TradeFacts("trade_01JHMR6K204D9DMWM0Y7FCREPF", "gold", "cash", "ann", "ben", 20, 100, 2, 10, 1_736_937_000_000)


def entry(book: str, sequence: int, at_ms: int) -> JournalEntry:
    return JournalEntry(book, sequence, at_ms, 0, "", "", b"[]")


def total(rows: list[Transaction], customer: str, asset: str) -> int:
    return sum(row.signed(customer) for row in rows if row.asset == asset)


def test_a_trade_gives_its_fees_and_legs_newest_first() -> None:
    """T37"""
    rows = transactions_of(TRADE)
    assert [(row.kind, row.asset, row.source, row.target, row.amount) for row in rows] == [
        (TransactionType.FEE, "cash", "ben", None, 10),
        (TransactionType.FEE, "gold", "ann", None, 2),
        (TransactionType.TRADE, "cash", "ann", "ben", 100),
        (TransactionType.TRADE, "gold", "ben", "ann", 20),
    ]
    assert {(row.reference, row.metadata, row.at_ms) for row in rows} == {(TRADE.trade_id, None, TRADE.at_ms)}
    assert [row.transaction_id for row in rows] == [leg_id(TRADE.trade_id, leg) for leg in (3, 2, 1, 0)]


@pytest.mark.parametrize("name", ["buyer_fee", "seller_fee"])
def test_a_fee_of_nothing_has_no_row_and_leaves_the_other_ids_as_they_are(name: str) -> None:
    ids = {row.transaction_id for row in transactions_of(replace(TRADE, **{name: 0}))}
    assert len(ids) == 3
    assert ids <= {row.transaction_id for row in transactions_of(TRADE)}


def test_rows_add_up_to_what_each_side_gained() -> None:
    rows = transactions_of(TRADE)
    assert (total(rows, "ann", "gold"), total(rows, "ann", "cash")) == (18, -100)
    assert (total(rows, "ben", "gold"), total(rows, "ben", "cash")) == (-20, 90)
    own = transactions_of(replace(TRADE, seller="ann"))
    assert (total(own, "ann", "gold"), total(own, "ann", "cash")) == (-2, -10)


Where = tuple[str, int, int, int]
where = st.tuples(st.sampled_from(["i/a", "i/b", "j/a"]), st.integers(1, 50), st.integers(1, 3), st.integers(0, 9))


@given(st.sets(where, max_size=40))
def test_legs_of_different_trades_have_different_ids_in_the_order_of_the_trades(places: set[Where]) -> None:
    """Book, entry number, millisecond and event number are the trade; each has four legs."""
    trades = {trade_id(entry(book, sequence, at_ms), number) for book, sequence, at_ms, number in places}
    legs = [leg_id(trade, leg) for trade in sorted(trades) for leg in range(4)]
    assert len(set(legs)) == 4 * len(places)
    assert legs == sorted(legs)
    for trade in trades:
        times = {ULID.from_str(leg_id(trade, leg)[4:]).milliseconds for leg in range(4)}
        assert times == {ULID.from_str(trade[6:]).milliseconds}


def test_a_movement_is_what_its_parties_make_it() -> None:
    kinds = Counter(
        Movement("i", "gold", source, target, 1).kind for source, target in ((None, "a"), ("a", None), ("a", "b"))
    )
    assert kinds == Counter([TransactionType.CREDIT, TransactionType.DEBIT, TransactionType.TRANSFER])
