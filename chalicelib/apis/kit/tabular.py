"""Rows as text, one line each: CSV (RFC 4180), or JSON lines.

A spreadsheet takes a cell that begins with one of ``FORMULA_STARTS`` for a formula, whoever wrote it. So in CSV such a
cell has an apostrophe in front, as has one that begins with an apostrophe: a reader drops the first one. Whole numbers
stay as they are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

Cell = str | None
Line = Mapping[str, Cell]
"""A row's cells by column, in the order of the columns. Amounts are strings of base units."""
FORMULA_STARTS = frozenset("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
_WHOLE_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)


class Format(StrEnum):
    CSV = "csv"
    JSON_LINES = "jsonl"

    @property
    def content_type(self) -> str:
        return "text/csv; charset=utf-8" if self is Format.CSV else "application/x-ndjson; charset=utf-8"

    def header(self, columns: Iterable[str]) -> str:
        """Return the first line of a file; JSON lines have none."""
        return _csv(columns) if self is Format.CSV else ""

    def line(self, row: Line) -> str:
        """Return a row with the end of its line. JSON is ASCII alone, so that no reader splits a line inside a text."""
        if self is Format.CSV:
            return _csv(map(_cell, row.values()))
        return json.dumps(row, separators=(",", ":")) + "\n"


def _csv(cells: Iterable[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: Cell) -> str:
    """Return a cell's text; no value is an empty cell.

    >>> _cell("=1+1"), _cell("-17"), _cell("-17+1"), _cell("'a"), _cell(None)
    ("'=1+1", '-17', "'-17+1", "''a", '')
    """
    if not value:
        return ""
    return f"'{value}" if value[0] in FORMULA_STARTS and not _WHOLE_NUMBER.fullmatch(value) else value
