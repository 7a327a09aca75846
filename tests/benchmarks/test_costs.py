"""Costs of an order: the units in docs/operations.md, and their prices."""

from __future__ import annotations

import pytest

from benchmarks.book_paths import one_to_one, one_to_one_in_tens, rest_and_cancel, takers_against_one_maker
from benchmarks.costs import HTTP_API, gateway_usd, month_of, orders_a_second_and_shard
from benchmarks.counting import Path, Step
from benchmarks.desk_paths import escrow_path, signed_path
from benchmarks.page import COLUMNS
from chalicelib.tables.dynamodb import Database
from infra.settings import ROOT
from tests.in_memory import database_of, empty_tables

ORDERS = 20
CLOCK = 0.11
"""How far write units differ from run to run: the requests of a key are written once a second."""
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
FIGURES = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


@pytest.fixture
def tables() -> Database:
    client = empty_tables()
    return database_of(client)


def units_of(path: Path) -> dict[str, float]:
    return {step.name: step.write_units for step in path.steps}


def named_units(name: str) -> dict[str, float]:
    """Return the write units of each step that the page's table names for a path."""
    _, _, rest = PAGE.partition(f"| **{name}** |")
    assert rest, f"the page has no row of {name}"
    lines = rest.partition("| **")[0].partition("\n\n")[0].splitlines()[1:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {step: float(written) for step, _calls, _rounds, written, *_rest in cells}


def test_an_order_that_is_matched_in_batches_of_ten_costs_what_the_page_says(tables: Database) -> None:
    path = one_to_one(tables, "book, batches of 10", ORDERS, 10)
    assert units_of(path) == pytest.approx(named_units(path.name), abs=CLOCK)
    admission, matching = path.steps
    assert admission.tables == pytest.approx({"accounts": 2, "inbox": 2, "open-orders": 2, "requests": 0}, abs=CLOCK)
    assert {name: matching.tables[name] for name in ("accounts", "fills", "open-orders", "orders")} == {
        "accounts": 2, "fills": 1, "open-orders": 1, "orders": 1,
    }  # fmt: skip


def test_orders_of_a_batch_of_ten_share_account_inbox_and_row_of_fills(tables: Database) -> None:
    """Their rows are each order's own."""
    admission, matching = one_to_one_in_tens(tables, "batches of ten", 100, 100).steps
    assert {name: admission.tables[name] for name in ("accounts", "inbox")} == pytest.approx(
        {"accounts": 0.2, "inbox": 0.2}
    )
    assert (matching.tables["fills"], matching.tables["accounts"]) == pytest.approx((0.1, 0.2))


def test_an_order_that_is_cancelled_costs_what_the_page_says(tables: Database) -> None:
    path = rest_and_cancel(tables, "book, rests and is cancelled, batches of 100", 100, 100)
    assert units_of(path) == pytest.approx(named_units(path.name), abs=CLOCK)


def test_orders_that_meet_one_makers_cost_what_the_page_says(tables: Database) -> None:
    path = takers_against_one_maker(tables, "book, takers against one maker, batches of 100", 100, 100)
    assert units_of(path) == pytest.approx(named_units(path.name), abs=CLOCK)
    assert path.steps[1].tables["fills"] < 1.1, "a taker's own, and its part of the maker's row"


def test_a_signed_order_costs_what_the_page_says(tables: Database) -> None:
    path = signed_path(tables, "signed order, filled at once", ORDERS)
    assert units_of(path) == pytest.approx(named_units(path.name), abs=CLOCK)


def test_an_escrow_order_costs_what_the_page_says(tables: Database) -> None:
    path = escrow_path(tables, "escrow order, paid and released", ORDERS)
    assert units_of(path) == pytest.approx(named_units(path.name), abs=CLOCK)


SAME_UNITS = {
    "one_to_one": "book, batches of 100",
    "takers_against_one_maker": "book, takers against one maker, batches of 100",
    "rest_and_cancel": "book, rests and is cancelled, batches of 100",
    "batch_of_ten": "book, ten orders a request, batches of 100",
}
"""The figure of docs/performance.md, and the path of docs/operations.md."""


@pytest.mark.parametrize(("figure", "path"), SAME_UNITS.items())
def test_both_pages_say_the_same_of_an_orders_units(figure: str, path: str) -> None:
    (row,) = (line for line in FIGURES.splitlines() if f"`write_units.{figure}`" in line)
    now = float(row.strip("|").split("|")[COLUMNS["now"]])
    _, _, rest = PAGE.partition(f"| **{path}** |")
    assert float(rest.split("|")[2]) == now == pytest.approx(sum(named_units(path).values()), abs=CLOCK)


def test_accounts_and_orders_are_written_25_a_call_and_several_calls_at_once(tables: Database) -> None:
    """Of 20 orders that trade and close: a read, a journal entry, a depth view; 40 accounts, 20 fills, 20 orders."""
    (_, matching) = one_to_one(tables, "one batch", ORDERS, ORDERS).steps
    calls, rounds = matching.calls * ORDERS, matching.rounds * ORDERS
    assert calls == pytest.approx(1 + 1 + 1 + 2 + 1 + 1 + 1)
    assert rounds == pytest.approx(1 + 1 + 1 + 1 + 1 + 1), "accounts and fills are written at once"


def test_fewer_customers_are_settled_together(tables: Database) -> None:
    path = one_to_one(tables, "two customers", ORDERS, ORDERS, customers=2)
    assert path.steps[1].tables["accounts"] == pytest.approx(4 / ORDERS)


def test_money_is_units_times_their_price() -> None:
    """A million orders: 10 write units at $0.625 and 2 read units at $0.125 a million, one call of $3.50."""
    path = Path("one", 1, (Step("admission", 4, 4, 10, 2, 1.0),), 0)
    month = month_of(path, 1)
    millions = 2.592
    assert month.writes == pytest.approx(6.25 * millions)
    assert month.reads == pytest.approx(0.25 * millions)
    assert month.gateway == pytest.approx(3.50 * millions)
    assert month.total == pytest.approx(
        month.writes + month.reads + month.functions + month.gateway + month.logs + month.stored
    )


def test_calls_of_the_gateway_are_priced_tier_by_tier() -> None:
    million = 10**6
    assert gateway_usd(333 * million) == pytest.approx(333 * 3.50)
    assert gateway_usd(1_000 * million) == pytest.approx(333 * 3.50 + 667 * 2.80)
    assert gateway_usd(25_000 * million) == pytest.approx(333 * 3.50 + 667 * 2.80 + 19_000 * 2.38 + 5_000 * 1.51)
    assert gateway_usd(300 * million, HTTP_API) == pytest.approx(300)
    assert gateway_usd(1_300 * million, HTTP_API) == pytest.approx(300 + 900)


def test_a_matcher_waits_for_one_round_of_calls_after_the_other() -> None:
    path = Path("one", 1, (Step("admission", 9, 9, 0, 0, 9.0), Step("matching", 30, 4, 0, 0, 0.0)), 0)
    assert orders_a_second_and_shard(path) == pytest.approx(1000 / (4 * 5.0))
