"""Writes the figures of ``build/bench.json`` into the table of docs/performance.md: ``make bench-page``.

A row of the table names its figures in the first cell, and has a cell for earlier values and one for those of now.
Figures that the JSON lacks stay as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.bench import JSON_FILE
from benchmarks.figures import numbers_in
from infra.settings import ROOT

PAGE = ROOT / "docs" / "performance.md"
COLUMNS = {"before": 2, "now": 3}
NONE = "-"
"""Shown for a figure that was not measured."""


def figures_of(row: str) -> list[str]:
    """Return the names of the figures that a row of the table shows; none for another line."""
    found = re.match(r"\| [^|`]+\((`[^|)]+`)\) \|", row)
    return [name.strip("`") for name in found[1].split(", ")] if found else []


def updated(text: str, numbers: dict[str, float | None], column: str) -> str:
    """Return the page with these numbers in one of its columns."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        names = figures_of(line)
        if any(name in numbers for name in names):
            cells = line.strip("|").split("|")
            before = dict(zip(names, cells[COLUMNS[column]].strip().split(" / "), strict=False))
            values = (shown(numbers[name]) if name in numbers else before.get(name, NONE) for name in names)
            cells[COLUMNS[column]] = f" {' / '.join(values)} "
            lines[index] = f"|{'|'.join(cells)}|"
    return "\n".join(lines) + "\n"


def shown(number: float | None) -> str:
    return NONE if number is None else f"{number:,.10g}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write measured figures into docs/performance.md.")
    parser.add_argument("--json", type=Path, default=JSON_FILE, help="the figures")
    parser.add_argument("--column", choices=COLUMNS, default="now")
    options = parser.parse_args()
    numbers = dict(numbers_in(json.loads(options.json.read_text(encoding="utf-8"))))
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), numbers, options.column), encoding="utf-8")


if __name__ == "__main__":
    main()
