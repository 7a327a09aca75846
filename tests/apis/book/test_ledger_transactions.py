"""Transactions over the desk: every row and filter; added up, they are the balance, to the last unit."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ulid import ULID

from chalicelib.apis.book.routes import BALANCES, CREDIT, DEBIT, TOKENS, TRANSACTIONS, TRANSFER
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.ledger.transactions import leg_id
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.apis.book.till import balances, post, posted, transactions
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE, World

CUSTOMERS = ("ann", "ben", "cat")


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    """A desk with fees of 10 % for both sides, and the four credits that it begins with."""
    return open_desk(World(memory_database, maker_fee_bps=1000, taker_fee_bps=1000))


def trade(desk: Desk, buyer: str = "ann", seller: str = "ben") -> str:
    """Have 20 sold at 5, the seller being the maker; return the trade's id."""
    desk.placed(customerRef=seller, side="SELL", price="5", quantity="20")
    desk.placed(customerRef=buyer, side="BUY", price="5", quantity="20")
    desk.match()
    return str(next(desk.world.fills.newest_first(f"{INSTANCE}/customer/{buyer}")).trade_id)


def short(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["type"], row["tokenAddress"], row["fromCustomerRef"], row["toCustomerRef"], row["amount"]


def test_a_movement_is_a_row_with_every_member(desk: Desk) -> None:
    answer = posted(desk, TRANSFER, amount="4", reference="rent", transactionMetadata={"month": 5})
    (row,), total = transactions(desk, type="transfer")
    at = datetime.fromtimestamp(ULID.from_str(row["id"][4:]).milliseconds / 1000, UTC)
    created = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert total == 1
    assert list(row.items()) == list({
        "id": answer["transactionId"], "type": "transfer", "tokenAddress": BASE,
        "token": {"name": "Base", "symbol": "B"}, "fromCustomerRef": "ann", "toCustomerRef": "ben", "amount": "4",
        "reference": "rent", "metadata": {"month": 5}, "createdAt": created,
    }.items())  # fmt: skip


def test_credits_come_from_nobody_and_debits_go_to_nobody(desk: Desk) -> None:
    posted(desk, CREDIT, amount="4")
    posted(desk, DEBIT, amount="3")
    newest, older = transactions(desk)[0][:2]
    assert short(newest) == ("debit", BASE, "ann", None, "3")
    assert short(older) == ("credit", BASE, None, "ann", "4")
    assert (older["reference"], older["metadata"]) == (None, None)


def test_a_trade_is_a_row_for_each_leg_and_each_fee(desk: Desk) -> None:
    """T37"""
    trade_id = trade(desk)
    everything, total = transactions(desk)
    assert total == 4 + 4
    rows = [row for row in everything if row["reference"] == trade_id]
    assert [short(row) for row in rows] == [
        ("fee", QUOTE, "ben", None, "10"),
        ("fee", BASE, "ann", None, "2"),
        ("trade", QUOTE, "ann", "ben", "100"),
        ("trade", BASE, "ben", "ann", "20"),
    ]
    assert [row["id"] for row in rows] == [leg_id(trade_id, leg) for leg in (3, 2, 1, 0)]
    assert {row["createdAt"] for row in rows} == {"2025-01-15T10:30:00.000Z"}
    assert {row["metadata"] for row in rows} == {None}


@pytest.mark.parametrize(("customer", "fee"), [("ann", BASE), ("ben", QUOTE)])
def test_a_customer_sees_both_legs_and_its_own_fee(desk: Desk, customer: str, fee: str) -> None:
    trade_id = trade(desk)
    rows, total = transactions(desk, customerRef=customer)
    assert total == len(rows) == 2 + 3
    of_trade = [short(row) for row in rows if row["reference"] == trade_id]
    assert [row[:2] for row in of_trade] == [("fee", fee), ("trade", QUOTE), ("trade", BASE)]
    assert all(row in transactions(desk)[0] for row in rows)
    assert transactions(desk, customerRef="nobody") == ([], 0)


@pytest.mark.parametrize("customer", [{}, {"customerRef": "ann"}])
def test_a_trade_with_oneself_gives_each_leg_once(desk: Desk, customer: dict[str, str]) -> None:
    trade(desk, "ann", "ann")
    rows, total = transactions(desk, **customer)
    assert [short(row) for row in rows if row["reference"]] == [
        ("fee", QUOTE, "ann", None, "10"),
        ("fee", BASE, "ann", None, "2"),
        ("trade", QUOTE, "ann", "ann", "100"),
        ("trade", BASE, "ann", "ann", "20"),
    ]
    assert total == len(rows)


def test_a_fee_of_nothing_is_no_row(memory_database: Database) -> None:
    """Fees and payments are rounded down: 39 at 5 with 2 decimals pay 1, of which a tenth is nothing."""
    desk = open_desk(World(memory_database, base_decimals=2, maker_fee_bps=1000))
    desk.placed(customerRef="ben", side="SELL", price="5", quantity="39")
    desk.placed(side="BUY", price="5", quantity="39")
    desk.match()
    assert [short(row) for row in transactions(desk, type="trade")[0]] == [
        ("trade", QUOTE, "ann", "ben", "1"), ("trade", BASE, "ben", "ann", "39"),
    ]  # fmt: skip
    assert transactions(desk, type="fee") == ([], 0)


@pytest.mark.parametrize("who", [{}, {"customerRef": "ann"}])
def test_filters_combine_and_the_total_counts_what_they_let_through(desk: Desk, who: dict[str, str]) -> None:
    trade(desk)
    posted(desk, TRANSFER, tokenAddress=QUOTE)
    posted(desk, DEBIT)
    everything, total = transactions(desk, **who, limit="500")
    assert total == len(everything)
    for kind in ("credit", "debit", "transfer", "trade", "fee"):
        for token in (BASE, QUOTE):
            expected = [row for row in everything if (row["type"], row["tokenAddress"]) == (kind, token)]
            assert transactions(desk, **who, type=kind, tokenAddress=token) == (expected, len(expected))
        of_kind = [row for row in everything if row["type"] == kind]
        assert of_kind
        assert transactions(desk, **who, type=kind) == (of_kind, len(of_kind))
    mixed_case = "0x" + QUOTE[2:].upper()
    of_quote = [row for row in everything if row["tokenAddress"] == QUOTE]
    assert transactions(desk, **who, tokenAddress=mixed_case) == (of_quote, len(of_quote))
    assert transactions(desk, **who, tokenAddress="0x" + "e" * 40) == ([], 0)


@pytest.mark.parametrize("who", [{}, {"customerRef": "ben"}])
def test_pages_follow_each_other_newest_first(desk: Desk, who: dict[str, str]) -> None:
    for _ in range(3):
        trade(desk)
        posted(desk, TRANSFER, fromCustomerRef="ben", toCustomerRef="cat", amount="1")
    everything, total = transactions(desk, **who)
    ids = [row["id"] for row in everything]
    assert ids == sorted(set(ids), reverse=True)
    pages = [transactions(desk, **who, limit="4", offset=str(offset)) for offset in range(0, total + 4, 4)]
    assert [row for page, _ in pages for row in page] == everything
    assert {count for _, count in pages} == {total}


def test_all_books_of_the_instance_are_looked_at_and_no_others(desk: Desk) -> None:
    other_token = posted(desk, TOKENS)["tokenAddress"]
    other = replace(desk.world.config, book_id="ob_other", symbol="XAU/Q", base_asset=other_token)
    desk.world.books.create(other)
    desk.world.books.create(replace(other, instance="inst_other001"))
    trade(desk)
    assert transactions(desk, type="trade")[1] == 2
    assert transactions(desk, type="trade", tokenAddress=other_token) == ([], 0)


def iso(at_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).isoformat().replace("+00:00", "")


@pytest.mark.parametrize("who", [{}, {"customerRef": "ann"}])
def test_a_span_of_time_includes_both_its_ends(desk: Desk, who: dict[str, str]) -> None:
    """Trades of these tests are of 2025-01-15T10:30:00.000Z; credits are of now."""
    trade(desk)
    trades = [row for row in transactions(desk, **who)[0] if row["type"] in ("trade", "fee")]
    inside: list[dict[str, str]] = [
        {"from": iso(NOW_MS), "to": iso(NOW_MS)},
        {"from": "2025-01-15", "to": "2025-01-15"},
        {"to": "2025-01-15T10:30Z"},
        {"to": "2025-01-15T12:30:00.000+02:00", "from": "2025-01-15T05:30:00-0500"},
        {"to": "2025-12-31", "from": "0001-01-01"},
        {"to": "2025-01-15T10:30:00.000999999Z", "from": "2025-01-15T10:29:59,9995"},
    ]
    for span in inside:
        assert transactions(desk, **who, **span) == (trades, len(trades)), span
    outside: list[dict[str, str]] = [
        {"from": iso(NOW_MS + 1), "to": "2025-01-16"},
        {"to": iso(NOW_MS - 1)},
        {"to": "2025-01-14"},
        {"from": "2025-01-15T10:30:00.000001", "to": "2025-01-15"},
        {"from": "2025-01-15T10:30:00.000000001", "to": "2025-01-15"},
        {"from": "2025-01-16", "to": "2025-01-14"},
        {"to": "1969-12-31"},
        {"from": "9999-12-31"},
    ]
    for span in outside:
        assert transactions(desk, **who, **span) == ([], 0), span
    (credit,) = (row for row in transactions(desk, customerRef="ann")[0] if short(row)[:2] == ("credit", BASE))
    rows = transactions(desk, customerRef="ann", **{"from": credit["createdAt"], "to": credit["createdAt"]})[0]
    assert credit in rows


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "value",
    [
        "", "x", "2025", "2025-01", "2025-1-1", "20250115", "2025-W03-3", "2025-02-30", "2025-01-15T", "2025-01-15T10",
        "2025-01-15T25:00", "2025-01-15 10:30", "2025-01-15T10:30:00+25:00", "1736937000000", "2025-01-15T10:30z",
        "٢٠٢٥-01-15", "2025-01-15T10:30:00 01:00", "2025-01-15T10:30+05:60",
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_a_fault(desk: Desk, name: str, value: str) -> None:
    assert fields_of(desk.get(TRANSACTIONS, {name: value})) == [name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("customerRef", ["", "x" * 257, "a\nb", "\ud800"]),
        ("tokenAddress", ["", "x", "0x" + "b" * 39, "0X" + "b" * 40]),
        ("type", ["", "CREDIT", "trades", "hold", "credit,debit"]),
        ("limit", ["0", "-1", "", "1.5", "x"]),
        ("offset", ["-1", "", "x", str(2**31)]),
    ],
)
def test_a_faulty_query_is_named(desk: Desk, name: str, values: list[str]) -> None:
    for value in values:
        assert fields_of(desk.get(TRANSACTIONS, {name: value})) == [name]
    assert fields_of(desk.send("GET", TRANSACTIONS, query={name: ["1", "1"]})) == [name]


def test_all_faults_of_a_query_are_named_in_order(desk: Desk) -> None:
    """T7, T10"""
    names = ["customerRef", "tokenAddress", "type", "from", "to", "limit", "offset"]
    assert fields_of(desk.get(TRANSACTIONS, dict.fromkeys(names, ""))) == names
    assert code_of(desk.send("GET", TRANSACTIONS, key=None)) == (401, "AUTH_REQUIRED")


def test_a_page_has_100_rows_by_default_and_500_at_most(desk: Desk) -> None:
    for _ in range(505):
        desk.world.credit("cat", BASE, 1)
    for query, rows in (({}, 100), ({"limit": "500"}, 500), ({"limit": "501"}, 500)):
        page, total = transactions(desk, **query)
        assert (len(page), total) == (rows, 509)


def sums(rows: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Add rows up by customer and token, as a customer does it."""
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["toCustomerRef"] is not None:
            totals[row["toCustomerRef"], row["tokenAddress"]] += int(row["amount"])
        if row["fromCustomerRef"] is not None:
            totals[row["fromCustomerRef"], row["tokenAddress"]] -= int(row["amount"])
    return totals


def post_quietly(desk: Desk, route: str, **members: Any) -> None:
    """POST what may be refused for want of funds, and for nothing else."""
    response = post(desk, route, **members | {"amount": str(members["amount"])})
    assert response.status == 200 or code_of(response) == (400, "INSUFFICIENT_BALANCE")


@pytest.mark.parametrize("seed", range(12))
def test_rows_added_up_are_the_balance_exactly(memory_database: Database, seed: int) -> None:
    """T37, over random trading with fees, rounding, trades with oneself, cancels, debits and transfers."""
    draw = random.Random(seed)
    fees = {"maker_fee_bps": draw.choice([0, 33, 1000]), "taker_fee_bps": draw.choice([0, 70])}
    desk = open_desk(World(memory_database, base_decimals=draw.choice([0, 2]), **fees))
    desk.world.credit("cat", BASE, 5_000)
    desk.world.credit("cat", QUOTE, 5_000)
    for _ in range(draw.randint(20, 60)):
        who, other = draw.choice(CUSTOMERS), draw.choice(CUSTOMERS)
        token, amount = draw.choice([BASE, QUOTE]), draw.randint(1, 60)
        match draw.randint(0, 9):
            case 0 if who != other:
                post_quietly(
                    desk, TRANSFER, fromCustomerRef=who, toCustomerRef=other, tokenAddress=token, amount=amount
                )
            case 1:
                post_quietly(desk, DEBIT, customerRef=who, tokenAddress=token, amount=amount)
            case 2:
                post_quietly(desk, CREDIT, customerRef=who, tokenAddress=token, amount=amount)
            case 3:
                for row in desk.rows(who, status="OPEN"):
                    assert desk.world.admission.cancel(INSTANCE, who, row["id"])
            case _:
                price = draw.choice([None, *range(1, 9)])
                desk.world.place(who, draw.choice(["BUY", "SELL"]), amount, price)
        if draw.random() < 0.3:
            desk.match()
    desk.match()
    shown = Counter(
        {(who, row["tokenAddress"]): int(row["balance"]) for who in CUSTOMERS for row in balances(desk, who)}
    )
    everything, total = transactions(desk, limit="500")
    assert total == len(everything), "the page is to hold all"
    assert any(row["type"] == "trade" for row in everything)
    assert sums(everything) == shown
    for customer in CUSTOMERS:
        own, _ = transactions(desk, customerRef=customer, limit="500")
        for token in (BASE, QUOTE):
            assert sums(own)[customer, token] == shown[customer, token]
        parties = [row for row in everything if customer in (row["fromCustomerRef"], row["toCustomerRef"])]
        assert own == parties


def test_a_page_ends_before_its_bytes_pass_what_lambda_takes(desk: Desk) -> None:
    """Who goes on behind the rows that came sees each of them once."""
    metadata = {"note": "\u00e9" * 2_000}
    for number in range(500):
        posted(desk, CREDIT, customerRef="dan", amount="1", reference=f"r{number}", transactionMetadata=metadata)
    seen: list[str] = []
    while True:
        answer = desk.get(TRANSACTIONS, {"customerRef": "dan", "limit": "500", "offset": str(len(seen))})
        assert len(json.dumps({"body": answer.body})) < 6 * 1024 * 1024
        data = json.loads(answer.body)["data"]
        assert data["total"] == 500
        seen += [row["reference"] for row in data["transactions"]]
        if len(seen) == 500:
            break
        assert 0 < len(data["transactions"]) < 500
    assert seen == [f"r{number}" for number in reversed(range(500))]


def test_so_does_a_page_of_tokens_and_one_of_balances(desk: Desk) -> None:
    uri = "\U0001f600" * 2_048
    addresses = [f"0x{number:040x}" for number in range(300)]
    for number, address in enumerate(addresses):
        Tokens(desk.world.database).register(INSTANCE, new_token(new_id("tok"), address, "T", f"T{number}", 18, uri))
        desk.world.credit("eve", address, 1)
    for route, member, path in ((TOKENS, "tokens", {}), (BALANCES, "balances", {"customerRef": "eve"})):
        seen: list[str] = []
        while len(set(seen) & set(addresses)) < 300:
            answer = desk.get(route, {"limit": "500", "offset": str(len(seen))}, **path)
            assert len(json.dumps({"body": answer.body})) < 6 * 1024 * 1024
            rows = json.loads(answer.body)["data"][member]
            assert 0 < len(rows) < 300
            seen += [row["tokenAddress"] for row in rows]
        assert len(seen) == len(set(seen))
