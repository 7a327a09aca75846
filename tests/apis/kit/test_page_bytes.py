"""Pages by their bytes: what is cut off a page stands first on the next one, and nothing is lost or shown twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apis.kit.page_bytes import CHARACTER_BYTES_MAX, Weight, answer_bytes, packed

WEIGHT: Weight[int] = Weight(most=lambda row: row + 5, exact=lambda row: row)
BYTES_MAX = 100


@given(rows=st.lists(st.integers(0, 150), max_size=60), per_page=st.integers(1, 12))
def test_the_pages_together_are_the_rows(rows: list[int], per_page: int) -> None:
    shown: list[int] = []
    for page in range(1, len(rows) + 2):
        found = packed(iter(rows), page, per_page, WEIGHT, BYTES_MAX)
        assert found.before == len(shown)
        if not found.rows:
            assert found.pages == page - 1
            break
        assert len(found.rows) <= per_page
        assert len(found.rows) == 1 or sum(row + 1 for row in found.rows) <= BYTES_MAX
        shown += found.rows
        rest = rows[len(shown) :]
        if len(found.rows) < per_page and rest:  # cut short: for its bytes alone
            assert sum(row + 1 for row in [*found.rows, rest[0]]) > BYTES_MAX
    assert shown == rows


def test_no_more_is_read_than_to_the_end_of_the_page() -> None:
    read: list[int] = []

    def rows() -> Iterator[int]:
        for row in range(1000):
            read.append(row)
            yield 1

    assert packed(rows(), 3, 10, WEIGHT, BYTES_MAX).rows == [1] * 10
    assert len(read) == 30


def test_small_rows_are_never_weighed() -> None:
    def never(_row: int) -> int:
        raise AssertionError("weighed")

    assert len(packed(range(50), 2, 20, Weight(lambda _: 1, never), BYTES_MAX).rows) == 20
    assert len(packed(range(50), 2, 20, None, 1).rows) == 20


def test_there_is_no_page_before_the_first() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        packed([1], 0, 10, WEIGHT)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_a_text_takes_is_what_it_takes_in_the_functions_answer(text: str) -> None:
    body = json.dumps({"a": text}, ensure_ascii=False)
    assert len(json.dumps({"body": body})) == len('{"body": ""}') + answer_bytes(body)
    assert answer_bytes(json.dumps(text, ensure_ascii=False)) <= CHARACTER_BYTES_MAX * (len(text) + 1)
