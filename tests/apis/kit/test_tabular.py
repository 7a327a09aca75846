"""Rows as CSV and JSON lines: what is read back is what was written, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apis.kit.tabular import FORMULA_STARTS, Cell, Format
from tests.case_tables import cases

CELLS = st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=5)


def read(text: str) -> list[list[str]]:
    """Return the rows of a CSV file, without the apostrophe in front of a cell."""
    rows = csv.reader(io.StringIO(text, newline=""))
    return [[cell.removeprefix("'") for cell in row] for row in rows]


def row_of(cells: list[Cell]) -> dict[str, Cell]:
    return {str(number): cell for number, cell in enumerate(cells)}


@given(rows=st.lists(CELLS, max_size=4))
def test_csv_reads_as_it_was_written_and_no_cell_begins_as_a_formula_does(rows: list[list[Cell]]) -> None:
    text = "".join(Format.CSV.line(row_of(cells)) for cells in rows)
    assert read(text) == [[cell or "" for cell in cells] for cells in rows]
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            starts = cell[:1] in FORMULA_STARTS - {"'"}
            assert not starts or cell.removeprefix("-").isdecimal()


@given(cells=CELLS)
def test_a_json_line_is_one_line_for_every_reader(cells: list[Cell]) -> None:
    line = Format.JSON_LINES.line(row_of(cells))
    assert len(line.splitlines()) == 1
    assert json.loads(line) == row_of(cells)


WRITTEN = cases(
    ("a formula", "=HYPERLINK(1)", "'=HYPERLINK(1)"),
    ("a formula of words", "@SUM(A1)", "'@SUM(A1)"),
    ("a full-width one", "\uff1d1", "'\uff1d1"),
    ("one behind a tab", "\t=1", "'\t=1"),
    ("a negative number", "-17", "-17"),
    ("a sum", "-17+1", "'-17+1"),
    ("digits of another script", "-\u0661", "'-\u0661"),
    ("a comma", "a,b", '"a,b"'),
    ("a quote", 'a"b', '"a""b"'),
    ("a line's end", "a\nb", '"a\nb"'),
    ("an apostrophe", "'a", "''a"),
    ("a formula with a comma", "=A1,B1", '"\'=A1,B1"'),
)


@pytest.mark.parametrize(("cell", "written"), WRITTEN)
def test_a_cell_of_csv(cell: str, written: str) -> None:
    assert Format.CSV.line({"a": cell, "b": "x"}) == f"{written},x\r\n"


def test_the_header_is_the_first_line_of_csv_alone() -> None:
    assert [form.header(("id", "amount")) for form in Format] == ["id,amount\r\n", ""]
