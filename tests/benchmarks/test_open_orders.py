"""The computed costs of open orders agree with real requests and the table definition."""

from __future__ import annotations

import pytest

from benchmarks.listing import OPEN, PAGE_ROWS, customer_of, measure, write_customers
from benchmarks.open_orders import Design, designs, lives, page_units
from chalicelib.tables.dynamodb import Database


def design(name: str) -> Design:
    return next(one for one in designs() if one.name == name)


def test_the_computed_cost_equals_a_requests_cost(memory_database: Database) -> None:
    write_customers(memory_database, (100,))
    row = lives()["rests, cancelled"][1].after
    measured = measure(memory_database, OPEN, rounds=0, customerRef=customer_of(100))
    assert page_units(design("as is"), [row] * PAGE_ROWS) == measured.cost.read_units


@pytest.mark.parametrize(
    ("name", "written"),
    [("as is", [4, 6, 5]), ("index of keys", [5, 7, 6]), ("index of rows", [5, 9, 7]), ("local index", [5, 9, 7])],
)
def test_an_orders_life_costs_what_the_page_about_lists_says(name: str, written: list[float]) -> None:
    assert [design(name).write_units(life) for life in lives().values()] == written
