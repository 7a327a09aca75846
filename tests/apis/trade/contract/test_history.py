"""What a customer had at the end of a day (R59), and its statement (R60)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.apis.trade import history as apis
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.services.books import history as services
from chalicelib.services.ledger.movements import Movements
from chalicelib.support.clock import iso
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import BRL, BTC, exact, invalid, open_market, outcome_of, placed, refusal_of
from tests.apis.trade.desk import SignedDesk, data_of, open_trade_desk
from tests.apis.trade.rows import DAY_MS, NOW_MS, id_at
from tests.case_tables import cases
from tests.world import INSTANCE, World

BALANCES, STATEMENT = "/trade/user/balances", "/trade/user/statement"
TODAY_MS = NOW_MS - NOW_MS % DAY_MS
"""2025-03-04, when it begins. The desk's time is noon of it."""


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    """The desk at noon of 2025-03-04; what ann is given when it is made comes later, and is taken away."""
    desk = open_market(memory_database, desk=open_trade_desk(World(memory_database), clock=lambda: NOW_MS))
    for row in list(memory_database.scan("accounts")):
        memory_database.delete_many("accounts", [{"owner": row["owner"], "entry": row["entry"]}])
    return desk


def move(desk: SignedDesk, at_ms: int, source: str | None, target: str | None, asset: str, amount: int) -> None:
    """Move money at a time."""
    ids = Movements(desk.world.database, lambda prefix: id_at(prefix, at_ms, amount))
    ids.record(Movement(INSTANCE, asset, source, target, amount))


def held(desk: SignedDesk, date: str) -> dict[str, str]:
    return {row["currency_code"]: row["available_amount"] for row in exact(desk.get(f"{BALANCES}/{date}"))}


def test_r59_a_day_shows_what_there_was_at_its_end(desk: SignedDesk) -> None:
    move(desk, TODAY_MS - DAY_MS, None, "ann", BTC, 100_000_000)
    move(desk, TODAY_MS - 1, "ann", "ben", BTC, 25_000_000)
    move(desk, TODAY_MS, None, "ann", BTC, 1)
    assert held(desk, "2025-03-02")["BTC"] == "0"
    assert held(desk, "2025-03-03")["BTC"] == "0.75"
    assert held(desk, "2025-03-04") == {"B": "0", "BRL": "0", "BTC": "0.75000001", "Q": "0"}


def test_r59_a_row_has_the_members_of_a_balance_without_the_locked_amount(desk: SignedDesk) -> None:
    move(desk, TODAY_MS - DAY_MS, None, "ann", BTC, 7)
    move(desk, TODAY_MS - 2 * DAY_MS, None, "ann", BRL, 7)
    move(desk, TODAY_MS + 5, None, "ann", BRL, 1)
    rows = {row["currency_code"]: row for row in exact(desk.get(f"{BALANCES}/2025-03-03"))}
    assert list(rows["BTC"]) == ["currency_code", "available_amount", "last_update"]
    assert rows["BTC"]["last_update"] == iso(TODAY_MS - DAY_MS)
    assert rows["BRL"]["last_update"] == "2025-03-03T23:59:59.999Z"


def test_r59_held_funds_are_in_a_days_balance(desk: SignedDesk) -> None:
    move(desk, TODAY_MS - DAY_MS, None, "ann", BRL, 350_000_00)
    placed(desk, amount="0.5")
    assert exact(desk.get(BALANCES, "currency_code=BRL"))[0]["available_amount"] == "175000"
    assert held(desk, "2025-03-03")["BRL"] == held(desk, "2025-03-04")["BRL"] == "350000"


# the day as it is asked for, and whether it is one
DAYS = cases(
    ("the first",             "2017-10-01",                     200),
    ("before the first",      "2017-09-30",                     invalid("date")),
    ("today",                 "2025-03-04",                     200),
    ("tomorrow",              "2025-03-05",                     invalid("date")),
    ("a time",                "2025-03-03T10:00:00Z",           200),
    ("a time, encoded",       "2025-03-03T10%3A00%3A00.000Z",   200),
    ("tomorrow there, today in UTC", "2025-03-05T01:00:00+03:00", 200),
    ("no date",               "yesterday",                      invalid("date")),
    ("no such date",          "2025-02-30",                     invalid("date")),
    ("no text",               "%FF",                            invalid("date")),
)  # fmt: skip


@pytest.mark.parametrize(("date", "outcome"), DAYS)
def test_r59_a_day_is_a_date_or_a_time_up_to_today(desk: SignedDesk, date: str, outcome: object) -> None:
    assert outcome_of(desk.get(f"{BALANCES}/{date}")) == outcome


def test_r60_a_statement_has_signed_amounts_and_the_balance_after_each(desk: SignedDesk) -> None:
    move(desk, TODAY_MS - 30, None, "ann", BTC, 100_000_000)
    move(desk, TODAY_MS - 20, "ann", "ben", BTC, 25_000_000)
    move(desk, TODAY_MS - 10, "ann", None, BTC, 5_000_000)
    data = exact(desk.get(STATEMENT))
    assert list(data) == ["statement", "pagination"]
    assert [list(row.values()) for row in data["statement"]] == [
        ["-0.05", "0.7", "BTC", "2025-03-03T23:59:59.990Z", "Withdrawal"],
        ["-0.25", "0.75", "BTC", "2025-03-03T23:59:59.980Z", "Transfer"],
        ["1", "1", "BTC", "2025-03-03T23:59:59.970Z", "Deposit"],
    ]
    assert list(data["statement"][0]) == ["amount", "after_balance", "currency", "date", "operation"]
    assert data["pagination"] == {
        "current_page": "1", "registers_count": "3", "total_pages": "1", "page_size": "200",
    }  # fmt: skip


@pytest.mark.parametrize(("side", "other", "word"), [("buy", "sell", "Buy"), ("sell", "buy", "Sell")])
def test_r60_a_trade_is_a_row_for_each_leg_and_one_for_its_fee(
    memory_database: Database, side: str, other: str, word: str
) -> None:
    desk = open_market(memory_database, maker_fee_bps=100, taker_fee_bps=100)
    placed(desk.as_customer("ben"), side=other, amount="0.01", price="350000")
    placed(desk, side=side, amount="0.01", price="350000")
    desk.match()
    rows = exact(desk.get(STATEMENT, {"page_size": 3}))["statement"]
    amounts = [(row["operation"], row["currency"], row["amount"], row["after_balance"]) for row in rows]
    assert (
        amounts
        == {
            "Buy": [
                ("Fee", "BTC", "-0.0001", "10.0099"),
                ("Buy", "BRL", "-3500", "996500"),
                ("Buy", "BTC", "0.01", "10.01"),
            ],
            "Sell": [
                ("Fee", "BRL", "-35", "1003465"),
                ("Sell", "BRL", "3500", "1003500"),
                ("Sell", "BTC", "-0.01", "9.99"),
            ],
        }[word]
    )
    balances = {row["currency_code"]: row for row in exact(desk.get(BALANCES))}
    for currency in ("BTC", "BRL"):
        newest = next(row for row in rows if row["currency"] == currency)
        assert newest["after_balance"] == balances[currency]["available_amount"]


def test_r60_a_statement_of_a_currency_has_its_rows_alone(desk: SignedDesk) -> None:
    move(desk, TODAY_MS - 2, None, "ann", BTC, 100_000_000)
    move(desk, TODAY_MS - 1, None, "ann", BRL, 100)
    (row,) = exact(desk.get(f"{STATEMENT}/btc"))["statement"]
    assert (row["currency"], row["amount"]) == ("BTC", "1")
    assert outcome_of(desk.get(f"{STATEMENT}/NOPE")) == (404, 40400, "Currency not found.")
    assert data_of(desk.get(f"{STATEMENT}/Q"))["statement"] == []


def test_r60_a_statement_of_an_earlier_span_has_the_balances_of_then(desk: SignedDesk) -> None:
    for days in (3, 2, 1):
        move(desk, TODAY_MS - days * DAY_MS, None, "ann", BTC, 10**8 * days)
    query = {"start_time": "2025-03-02", "end_time": "2025-03-02"}
    assert [row["after_balance"] for row in exact(desk.get(STATEMENT, query))["statement"]] == ["5"]


def test_r60_a_statement_has_pages(desk: SignedDesk) -> None:
    for number in range(5):
        move(desk, TODAY_MS - 10 + number, None, "ann", BTC, 10**8 * (number + 1))
    pages = [exact(desk.get(STATEMENT, {"page_size": 2, "current_page": page})) for page in (1, 2, 3, 4)]
    assert [[row["after_balance"] for row in page["statement"]] for page in pages] == [
        ["15", "10"],
        ["6", "3"],
        ["1"],
        [],
    ]
    assert {page["pagination"]["total_pages"] for page in pages} == {"3"}


FAULTS = cases(
    ("a start",        "start_time=x&end_time=x",             invalid("start_time")),
    ("an end",         "end_time=x&page_size=0",              invalid("end_time")),
    ("too long",       "start_time=2024-01-01",               invalid("start_time")),
    ("a size",         "page_size=0&current_page=0",          invalid("page_size")),
    ("a page",         "current_page=0",                      invalid("current_page")),
    ("a cursor, which it has not", "c=zzz",                   200),
)  # fmt: skip


@pytest.mark.parametrize(("query", "outcome"), FAULTS)
def test_r60_faults_come_in_the_order_of_the_table(desk: SignedDesk, query: str, outcome: object) -> None:
    assert outcome_of(desk.get(STATEMENT, query)) == outcome
    assert outcome_of(desk.get(f"{STATEMENT}/BTC", query)) == outcome


ASKED: list[Any] = cases(
    ("a day",       lambda desk: desk.get(f"{BALANCES}/2025-03-01"), "date"),
    ("a statement", lambda desk: desk.get(STATEMENT),                "start_time"),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "field"), ASKED)
def test_r59_a_history_has_a_bound_that_its_refusal_names(
    desk: SignedDesk, monkeypatch: pytest.MonkeyPatch, ask: Callable[[SignedDesk], Any], field: str
) -> None:
    for module in (services, apis):
        monkeypatch.setattr(module, "ROWS_MAX", 2)
    for number in range(3):
        move(desk, TODAY_MS + number, None, "ann", BTC, number + 1)
    words = "More than 2 changes of the customer's balances came since."
    assert refusal_of(ask(desk)) == (40000, f"Invalid parameters: {field}.", words)
