"""Fees are income: what each book and desk has earned (T95), and how withdrawals show among transactions (T37)."""

from __future__ import annotations

from chalicelib.apis.book.routes import FEES, TRANSACTIONS
from chalicelib.domain.ledger.transactions import Withdrawal
from chalicelib.services.ledger.withdrawals import Withdrawals
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, data_of, fields_of, open_desk
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

BASE_TOKEN, QUOTE_TOKEN = {"name": "Base", "symbol": "B"}, {"name": "Quote", "symbol": "Q"}


def trading_desk(database: Database) -> Desk:
    """Return a desk with one trade of 100 at 5: the buyer's fee is 5 base, the seller's 25 quote."""
    desk = open_desk(World(database, maker_fee_bps=500, taker_fee_bps=500))
    desk.rested((100, 5))
    desk.placed(price="5", quantity="100")
    desk.match()
    return desk


def withdraw(desk: Desk, target: str | None, amount: int) -> str:
    asked = Withdrawal(INSTANCE, BOOK_ID, QUOTE, target, amount, f"{target} {amount}")
    return Withdrawals(desk.world.database).take(asked).transaction.transaction_id


def test_t95_fees_are_rows_of_seven_members_by_account_and_asset(memory_database: Database) -> None:
    desk = trading_desk(memory_database)
    withdraw(desk, "venue", 20)
    data = data_of(desk.get(FEES))
    assert list(data) == ["fees", "total"]
    assert data["total"] == 2
    assert [list(row.items()) for row in data["fees"]] == [
        [
            ("account", BOOK_ID), ("orderBookId", BOOK_ID), ("tokenAddress", asset), ("token", token),
            ("earned", earned), ("withdrawn", withdrawn), ("available", available),
        ]
        for asset, token, earned, withdrawn, available in (
            (BASE, BASE_TOKEN, "5", "0", "5"),
            (QUOTE, QUOTE_TOKEN, "25", "20", "5"),
        )
    ]  # fmt: skip


def test_t95_an_instance_that_has_earned_nothing_shows_nothing(desk: Desk) -> None:
    assert data_of(desk.get(FEES)) == {"fees": [], "total": 0}


def test_t95_the_list_of_fees_has_pages(memory_database: Database) -> None:
    desk = trading_desk(memory_database)
    pages = [data_of(desk.get(FEES, {"limit": "1", "offset": str(offset)})) for offset in range(3)]
    assert [[row["tokenAddress"] for row in page["fees"]] for page in pages] == [[BASE], [QUOTE], []]
    assert {page["total"] for page in pages} == {2}
    assert fields_of(desk.get(FEES, {"limit": "0", "offset": "x"})) == ["limit", "offset"]


def test_t37_a_withdrawal_is_a_transfer_from_null_or_a_debit_between_nulls(memory_database: Database) -> None:
    desk = trading_desk(memory_database)
    given, left = withdraw(desk, "venue", 20), withdraw(desk, None, 5)
    rows = {row["id"]: row for row in data_of(desk.get(TRANSACTIONS))["transactions"]}
    shown = [
        [rows[one][name] for name in ("type", "fromCustomerRef", "toCustomerRef", "amount")] for one in (given, left)
    ]
    assert shown == [["transfer", None, "venue", "20"], ["debit", None, None, "5"]]
    assert len({tuple(row) for row in rows.values()}) == 1, "all rows have the same members"


def test_t37_a_customers_rows_add_up_with_a_withdrawal_among_them(memory_database: Database) -> None:
    desk = trading_desk(memory_database)
    withdraw(desk, "ann", 20)
    rows, _ = desk.transactions(customerRef="ann", tokenAddress=QUOTE)
    total = sum(
        int(row["amount"]) * ((row["toCustomerRef"] == "ann") - (row["fromCustomerRef"] == "ann")) for row in rows
    )
    assert str(total) == desk.balance("ann", QUOTE)["balance"] == "520"
