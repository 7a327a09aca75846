"""Posting: all or nothing in one transaction, and each refused part told by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.ledger.accounts import Balance
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.owners import customer_key, supply_key
from chalicelib.domain.ledger.transactions import Transaction, TransactionType
from chalicelib.services.ledger.posting import Posting, Postings, Refused, Shortage
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.writes import Put
from tests.world import BASE, INSTANCE

ANN = customer_key(INSTANCE, "ann"), BASE
NOT_THERE = "attribute_not_exists(#request)"
ROW = Put("requests", {"scope": "desk", "request": "row"}, NOT_THERE)
RECEIPT = Put("requests", {"scope": "desk", "request": "receipt"}, NOT_THERE)


def moved(kind: TransactionType, amount: int, name: str = "txn_1") -> Transaction:
    source, target = (None, "ann") if kind is TransactionType.CREDIT else ("ann", None)
    return Transaction(name, kind, BASE, source, target, amount, None, None, 1)


CREDIT = Posting(INSTANCE, [ROW], {ANN: Change(10)}, 1, [moved(TransactionType.CREDIT, 10)], RECEIPT)


@pytest.fixture
def postings(memory_database: Database) -> Postings:
    return Postings(memory_database)


def refusal_of(postings: Postings, database: Database, posting: Posting) -> Refused:
    before = [*database.scan("accounts"), *database.scan("requests")]
    with pytest.raises(Refused) as refused:
        postings.post(posting)
    assert [*database.scan("accounts"), *database.scan("requests")] == before
    return refused.value


def test_all_of_a_posting_is_written(postings: Postings, memory_database: Database) -> None:
    postings.post(CREDIT)
    accounts = Accounts(memory_database)
    assert accounts.balance(*ANN) == Balance(BASE, 10, 0)
    assert accounts.balance(supply_key(INSTANCE), BASE).available == 10
    assert [row["request"] for row in memory_database.scan("requests")] == ["receipt", "row"]


def test_credits_and_debits_count_into_the_supply_and_nothing_else(
    postings: Postings, memory_database: Database
) -> None:
    kinds = TransactionType.CREDIT, TransactionType.CREDIT, TransactionType.DEBIT, TransactionType.FEE
    rows = [moved(kind, 7, f"txn_{number}") for number, kind in enumerate(kinds)]
    postings.post(Posting(INSTANCE, [], {}, 1, rows))
    assert Accounts(memory_database).balance(supply_key(INSTANCE), BASE).available == 7


@pytest.mark.parametrize(
    ("posting", "parts"),
    [
        (Posting(INSTANCE, [ROW]), (1, 0, False, False, False)),
        (Posting(INSTANCE, [], {ANN: Change(-11)}), (0, 1, False, False, False)),
        (Posting(INSTANCE, [], {ANN: Change(0, -1)}), (0, 1, False, False, False)),
        (Posting(INSTANCE, [], {}, 1, [moved(TransactionType.DEBIT, 11, "txn_2")]), (0, 0, True, False, False)),
        (Posting(INSTANCE, [], {}, 1, [moved(TransactionType.FEE, 1)]), (0, 0, False, True, False)),
        (Posting(INSTANCE, [], receipt=RECEIPT), (0, 0, False, False, True)),
        (replace(CREDIT, changes={ANN: Change(-11)}), (1, 1, False, True, True)),
    ],
    ids=["row", "available funds", "held funds", "supply", "transaction", "receipt", "all but the supply"],
)
def test_what_is_refused_is_told_by_name(
    postings: Postings, memory_database: Database, posting: Posting, parts: tuple[int, int, bool, bool, bool]
) -> None:
    postings.post(CREDIT)
    refused = refusal_of(postings, memory_database, posting)
    told = len(refused.rows), len(refused.accounts), refused.is_supply, refused.is_transaction, refused.is_receipt
    assert told == parts
    assert refused.is_of_accounts_alone is (parts == (0, 1, False, False, False))


def test_a_shortage_is_of_available_funds(postings: Postings, memory_database: Database) -> None:
    postings.post(CREDIT)
    nobody = customer_key(INSTANCE, "nobody"), BASE
    short = refusal_of(postings, memory_database, Posting(INSTANCE, [], {nobody: Change(-1), ANN: Change(-11)}))
    assert short.shortage == Shortage(nobody, 1, 0)
    unheld = refusal_of(postings, memory_database, Posting(INSTANCE, [], {ANN: Change(1, -1)}))
    assert (unheld.shortage, unheld.is_unheld) == (None, True)
