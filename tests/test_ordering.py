"""Rows are put into one order whatever order their attributes come in."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from tests.ordering import in_order


def test_equal_rows_come_in_one_order_however_their_attributes_and_they_themselves_are_ordered() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": {"x": 1, "y": [2]}}, {"a": 2, "b": {"x": 0}}, {"b": "z", "c": None}]
    turned = [dict(reversed(row.items())) for row in rows]
    turned[0]["b"] = dict(reversed(rows[0]["b"].items()))
    for some in permutations([turned[0], rows[1], turned[2]]):
        assert in_order(some) == in_order(rows)
