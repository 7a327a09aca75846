"""Transactions: times, filters and pages; added up, they are the balance, to the last unit."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.apis.book.routes import BALANCES, CREDIT, DEBIT, TOKENS, TRANSACTIONS, TRANSFER
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import Desk, fields_of, open_desk, outcome_of
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


@pytest.mark.parametrize("customer", [{}, {"customerRef": "ann"}])
def test_a_trade_with_oneself_gives_each_leg_once(desk: Desk, customer: dict[str, str]) -> None:
    trade(desk, "ann", "ann")
    rows, total = desk.transactions(**customer)
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
    assert [short(row) for row in desk.transactions(type="trade")[0]] == [
        ("trade", QUOTE, "ann", "ben", "1"), ("trade", BASE, "ben", "ann", "39"),
    ]  # fmt: skip
    assert desk.transactions(type="fee") == ([], 0)


@pytest.mark.parametrize("who", [{}, {"customerRef": "ann"}])
def test_filters_combine_and_the_total_counts_what_they_let_through(desk: Desk, who: dict[str, str]) -> None:
    trade(desk)
    desk.posted(TRANSFER, tokenAddress=QUOTE)
    desk.posted(DEBIT)
    everything, total = desk.transactions(**who, limit="500")
    assert total == len(everything)
    for kind in ("credit", "debit", "transfer", "trade", "fee"):
        for token in (BASE, QUOTE):
            expected = [row for row in everything if (row["type"], row["tokenAddress"]) == (kind, token)]
            assert desk.transactions(**who, type=kind, tokenAddress=token) == (expected, len(expected))
        of_kind = [row for row in everything if row["type"] == kind]
        assert of_kind
        assert desk.transactions(**who, type=kind) == (of_kind, len(of_kind))
    mixed_case = "0x" + QUOTE[2:].upper()
    of_quote = [row for row in everything if row["tokenAddress"] == QUOTE]
    assert desk.transactions(**who, tokenAddress=mixed_case) == (of_quote, len(of_quote))
    assert desk.transactions(**who, tokenAddress="0x" + "e" * 40) == ([], 0)


@pytest.mark.parametrize("who", [{}, {"customerRef": "ben"}])
def test_pages_follow_each_other_newest_first(desk: Desk, who: dict[str, str]) -> None:
    for _ in range(3):
        trade(desk)
        desk.posted(TRANSFER, fromCustomerRef="ben", toCustomerRef="cat", amount="1")
    everything, total = desk.transactions(**who)
    ids = [row["id"] for row in everything]
    assert ids == sorted(set(ids), reverse=True)
    pages = [desk.transactions(**who, limit="4", offset=str(offset)) for offset in range(0, total + 4, 4)]
    assert [row for page, _ in pages for row in page] == everything
    assert {count for _, count in pages} == {total}


def test_all_books_of_the_instance_are_looked_at_and_no_others(desk: Desk) -> None:
    other_token = desk.posted(TOKENS)["tokenAddress"]
    other = replace(desk.world.config, book_id="ob_other", symbol="XAU/Q", base_asset=other_token)
    desk.world.books.create(other)
    desk.world.books.create(replace(other, instance="inst_other001"))
    trade(desk)
    assert desk.transactions(type="trade")[1] == 2
    assert desk.transactions(type="trade", tokenAddress=other_token) == ([], 0)


def iso(at_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).isoformat().replace("+00:00", "")


@pytest.mark.parametrize("who", [{}, {"customerRef": "ann"}])
def test_a_span_of_time_includes_both_its_ends(desk: Desk, who: dict[str, str]) -> None:
    """Trades of these tests are of 2025-01-15T10:30:00.000Z; credits are of now."""
    trade(desk)
    trades = [row for row in desk.transactions(**who)[0] if row["type"] in ("trade", "fee")]
    inside: list[dict[str, str]] = [
        {"from": iso(NOW_MS), "to": iso(NOW_MS)},
        {"from": "2025-01-15", "to": "2025-01-15"},
        {"to": "2025-01-15T10:30Z"},
        {"to": "2025-01-15T12:30:00.000+02:00", "from": "2025-01-15T05:30:00-0500"},
        {"to": "2025-12-31", "from": "0001-01-01"},
        {"to": "2025-01-15T10:30:00.000999999Z", "from": "2025-01-15T10:29:59,9995"},
    ]
    for span in inside:
        assert desk.transactions(**who, **span) == (trades, len(trades)), span
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
        assert desk.transactions(**who, **span) == ([], 0), span
    (credit,) = (row for row in desk.transactions(customerRef="ann")[0] if short(row)[:2] == ("credit", BASE))
    rows = desk.transactions(customerRef="ann", **{"from": credit["createdAt"], "to": credit["createdAt"]})[0]
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
    response = desk.post(route, **members | {"amount": str(members["amount"])})
    assert response.status == 200 or outcome_of(response) == (400, "INSUFFICIENT_BALANCE")


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
        {(who, row["tokenAddress"]): int(row["balance"]) for who in CUSTOMERS for row in desk.balances(who)}
    )
    everything, total = desk.transactions(limit="500")
    assert total == len(everything), "the page is to hold all"
    assert any(row["type"] == "trade" for row in everything)
    assert sums(everything) == shown
    for customer in CUSTOMERS:
        own, _ = desk.transactions(customerRef=customer, limit="500")
        for token in (BASE, QUOTE):
            assert sums(own)[customer, token] == shown[customer, token]
        parties = [row for row in everything if customer in (row["fromCustomerRef"], row["toCustomerRef"])]
        assert own == parties


def test_a_page_ends_before_its_bytes_pass_what_lambda_takes(desk: Desk) -> None:
    """Who goes on behind the rows that came sees each of them once."""
    metadata = {"note": "\u00e9" * 2_000}
    for number in range(500):
        desk.posted(CREDIT, customerRef="dan", amount="1", reference=f"r{number}", transactionMetadata=metadata)
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
