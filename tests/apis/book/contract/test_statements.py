"""The ledger, what it shows: balances, pages, transactions (T36, T37)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chalicelib.apis.book.routes import (
    BALANCES,
    CREDIT,
    DEBIT,
    ONE_BALANCE,
    TOKENS,
    TRADES_OF_CUSTOMER,
    TRANSACTIONS,
    TRANSFER,
)
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import CHANGE, TIME, TOKEN, Desk, data_of, fields_of, is_id, open_desk, outcome_of
from tests.case_tables import cases
from tests.world import BASE, QUOTE, World

EVERY = [CREDIT, DEBIT, TRANSFER]


# --- balances ------------------------------------------------------------------------------------------------


def test_a_balance_has_seven_members(desk: Desk) -> None:
    desk.placed(side="SELL", quantity="300")
    assert list(desk.balance().items()) == [
        ("customerRef", "ann"), ("tokenAddress", BASE),
        ("token", {"name": "Base", "symbol": "B", "decimals": 0, "metadataURI": None}),
        ("balance", "1000"), ("lockedBalance", "300"), ("availableBalance", "700"), ("metadata", None),
    ]  # fmt: skip
    assert list(desk.balance()["token"]) == ["name", "symbol", "decimals", "metadataURI"]


def test_balances_are_rows_of_six_members_by_symbol(desk: Desk) -> None:
    desk.post(TOKENS, symbol="A")
    desk.post(CREDIT, tokenAddress=TOKEN["tokenAddress"])
    data = data_of(desk.get(BALANCES, customerRef="ann"))
    assert list(data) == ["customerRef", "balances"]
    assert data["customerRef"] == "ann"
    assert [row["token"]["symbol"] for row in data["balances"]] == ["A", "B", "Q"]
    for row in data["balances"]:
        assert {"customerRef": "ann"} | row == desk.balance("ann", row["tokenAddress"])
        assert len(row) == 6


UNKNOWN = cases(("T36 an unknown customer", "nobody"), ("T36 a name with a slash", "a%2Fb"))


@pytest.mark.parametrize("customer", UNKNOWN)
def test_t36_an_unknown_customer_has_nothing_and_zeros_of_a_known_token(desk: Desk, customer: str) -> None:
    assert data_of(desk.get(BALANCES, customerRef=customer))["balances"] == []
    shown = data_of(desk.get(ONE_BALANCE, customerRef=customer, tokenAddress=BASE))
    assert [shown[name] for name in ("balance", "lockedBalance", "availableBalance", "metadata")] == [
        "0",
        "0",
        "0",
        None,
    ]


def test_t36_an_account_comes_into_being_with_a_trade(desk: Desk) -> None:
    desk.world.credit("cat", QUOTE, 100)
    desk.rested((10, 5))
    desk.placed(customerRef="cat", price="5", quantity="10")
    desk.match()
    rows = data_of(desk.get(BALANCES, customerRef="cat"))["balances"]
    assert [(row["tokenAddress"], row["balance"]) for row in rows] == [(BASE, "10"), (QUOTE, "50")]


# --- paging ------------------------------------------------------------------------------------------------------


def test_a_page_of_the_ledger_has_100_rows_by_default_and_500_at_most(desk: Desk) -> None:
    for _ in range(505):
        desk.world.credit("cat", BASE, 1)
    for query, rows in (({}, 100), ({"limit": "500"}, 500), ({"limit": "501"}, 500), ({"offset": "508"}, 1)):
        data = data_of(desk.get(TRANSACTIONS, query))
        assert (len(data["transactions"]), data["total"]) == (rows, 509)


def test_so_have_a_page_of_tokens_and_one_of_balances(desk: Desk) -> None:
    for number in range(101):
        address = f"0x{number:040x}"
        assert desk.post(TOKENS, tokenAddress=address, symbol=f"T{number}").status == 201
        assert desk.post(CREDIT, **CHANGE | {"tokenAddress": address}).status == 200
    for query, rows in (({}, 100), ({"limit": "103"}, 103), ({"offset": "102"}, 1)):
        assert len(data_of(desk.get(TOKENS, query))["tokens"]) == rows
        assert len(data_of(desk.get(BALANCES, query, customerRef="ann"))["balances"]) == rows


@pytest.mark.parametrize("segment", cases(("not UTF-8", "%FF"), ("too long", "x" * 257), ("U+0000", "%00")))
def test_a_customer_in_the_path_is_well_encoded(desk: Desk, segment: str) -> None:
    invalid = (400, "INVALID_PARAM")
    assert outcome_of(desk.get(BALANCES, customerRef=segment)) == invalid
    assert outcome_of(desk.get(ONE_BALANCE, customerRef=segment, tokenAddress=BASE)) == invalid
    assert outcome_of(desk.get(ONE_BALANCE, customerRef="ann", tokenAddress=segment)) == invalid


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}], ids=str)
def test_a_faulty_page_of_balances_is_named(desk: Desk, query: dict[str, str]) -> None:
    assert fields_of(desk.get(BALANCES, query, customerRef="ann")) == list(query)


# --- transactions --------------------------------------------------------------------------------------------


def test_a_transaction_has_ten_members(desk: Desk) -> None:
    told: dict[str, Any] = {"reference": "rent", "transactionMetadata": {"month": 5, "paid": [True, None]}}
    made = data_of(desk.post(TRANSFER, amount="4", **told))
    (row, *_), total = desk.transactions()
    assert total == 5
    assert list(row.items())[:9] == [
        ("id", made["transactionId"]), ("type", "transfer"), ("tokenAddress", BASE),
        ("token", {"name": "Base", "symbol": "B"}), ("fromCustomerRef", "ann"), ("toCustomerRef", "ben"),
        ("amount", "4"), ("reference", "rent"), ("metadata", {"month": 5, "paid": [True, None]}),
    ]  # fmt: skip
    assert list(row)[9:] == ["createdAt"]
    assert TIME.fullmatch(row["createdAt"])


def short(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["type"], row["tokenAddress"], row["fromCustomerRef"], row["toCustomerRef"], row["amount"]


@pytest.fixture
def busy(memory_database: Database) -> tuple[Desk, str]:
    """A desk with fees of a tenth on which ann bought 20 at 5 of ben; and that trade's id."""
    desk = open_desk(World(memory_database, maker_fee_bps=1000, taker_fee_bps=1000))
    desk.rested((20, 5))
    desk.placed(price="5", quantity="20")
    desk.match()
    for route in EVERY:
        assert desk.post(route, amount="3").status == 200
    return desk, data_of(desk.get(TRADES_OF_CUSTOMER, customerRef="ann"))[0]["id"]


TYPES: list[Any] = cases(
    ("T37 credit", "credit",   [("credit", BASE, None, "ann", "3")], None),
    ("T37 debit", "debit",    [("debit", BASE, "ann", None, "3")], None),
    ("T37 transfer", "transfer", [("transfer", BASE, "ann", "ben", "3")], None),
    ("T37 trade", "trade",    [("trade", BASE, "ben", "ann", "20"), ("trade", QUOTE, "ann", "ben", "100")], "trade"),
    ("T37 fee", "fee",      [("fee", BASE, "ann", None, "2"), ("fee", QUOTE, "ben", None, "10")], "trade"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "expected", "reference"), TYPES)
def test_t37_the_types_of_transactions(
    busy: tuple[Desk, str], kind: str, expected: list[Any], reference: str | None
) -> None:
    """The four credits that the customers began with are left aside."""
    desk, trade_id = busy
    rows = [row for row in desk.transactions(type=kind)[0] if row["amount"] != "1000"]
    assert sorted(map(short, rows)) == expected
    assert {row["reference"] for row in rows} == {trade_id if reference else None}
    assert all(is_id("txn", row["id"]) for row in rows)


def test_t37_holds_and_releases_are_none(desk: Desk) -> None:
    before = desk.transactions()
    desk.placed()
    desk.placed(timeInForce="IOC", price="1")
    desk.match()
    assert desk.transactions() == before


@pytest.mark.parametrize("amounts", cases(("T37 a payment that rounds down to 1", ["1", "39"])))
def test_t37_a_trade_has_a_row_for_each_leg(memory_database: Database, amounts: list[str]) -> None:
    desk = open_desk(World(memory_database, base_decimals=2))
    desk.rested((39, 5))
    desk.placed(price="5", quantity="39")
    desk.match()
    assert sorted(row["amount"] for row in desk.transactions(type="trade")[0]) == amounts


def test_t37_rows_added_up_are_the_balance(busy: tuple[Desk, str]) -> None:
    desk, _ = busy
    sums: Counter[tuple[str, str]] = Counter()
    for row in desk.transactions()[0]:
        sums[row["toCustomerRef"], row["tokenAddress"]] += int(row["amount"])
        sums[row["fromCustomerRef"], row["tokenAddress"]] -= int(row["amount"])
    for who in ("ann", "ben"):
        for token in (BASE, QUOTE):
            assert sums[who, token] == int(desk.balance(who, token)["balance"])


AT = "2025-01-15T10:30:00.000Z"
SELECTIONS: list[Any] = cases(
    ("customerRef",             {"customerRef": "ann"},
     {"credit", "debit", "transfer", "trade", "fee"}),
    ("customerRef unknown",     {"customerRef": "nobody"},                       set()),
    ("tokenAddress",            {"tokenAddress": QUOTE},                         {"credit", "trade", "fee"}),
    ("tokenAddress, upper case", {"tokenAddress": "0x" + "C" * 40},              {"credit", "trade", "fee"}),
    ("type",                    {"type": "fee"},                                 {"fee"}),
    ("from and to, inclusive",  {"from": AT, "to": AT},                          {"trade", "fee"}),
    ("to, a moment before",     {"to": AT.replace("30:00.000", "29:59.999")},    set()),
    ("from, a moment after",    {"from": AT.replace(".000", ".001")},            {"credit", "debit", "transfer"}),
    ("another zone",            {"to": "2025-01-15T12:30:00.000+02:00"},         {"trade", "fee"}),
    ("all of them together",    {"customerRef": "ben", "tokenAddress": QUOTE, "type": "fee", "from": AT, "to": AT},
     {"fee"}),
)  # fmt: skip


@pytest.mark.parametrize(("query", "types"), SELECTIONS)
def test_selecting_transactions(busy: tuple[Desk, str], query: dict[str, str], types: set[str]) -> None:
    """Trades of these tests are of 2025, everything else is of now."""
    rows, total = busy[0].transactions(**query)
    assert {row["type"] for row in rows} == types
    assert total == len(rows)
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True), "newest first"


FAULTY_QUERIES = cases(
    ("customerRef empty",    "customerRef", ""),
    ("customerRef of 257",   "customerRef", "x" * 257),
    ("tokenAddress",         "tokenAddress", "gold"),
    ("type in upper case",   "type", "CREDIT"),
    ("type unknown",         "type", "hold"),
    ("from no time",         "from", "yesterday"),
    ("to no such day",       "to", "2025-02-30T00:00:00.000Z"),
    ("limit of 0",           "limit", "0"),
    ("offset of 2^31",       "offset", str(2**31)),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), FAULTY_QUERIES)
def test_a_query_of_transactions_that_is_a_fault(desk: Desk, name: str, value: str) -> None:
    assert fields_of(desk.get(TRANSACTIONS, {name: value})) == [name]
    assert fields_of(desk.send("GET", TRANSACTIONS, query={name: ["1", "1"]})) == [name]


def test_all_faults_of_a_query_are_named_in_order(desk: Desk) -> None:
    names = ["customerRef", "tokenAddress", "type", "from", "to", "limit", "offset"]
    assert fields_of(desk.get(TRANSACTIONS, dict.fromkeys(reversed(names), ""))) == names
