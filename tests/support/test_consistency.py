"""Invariants raise exceptions (``consistency``), never ``assert``, which ``python -O`` removes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import ROOT

MODULES = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
CROSSED_SNAPSHOT = """
from chalicelib.domain.books.forms import encode_order
from chalicelib.domain.books.snapshot import BrokenSnapshot, decode_state
from tests.domain.books.orders import BUY, SELL, limit
from tests.domain.books.states import NAME, RULES
from tests.domain.books.test_no_snapshot import an_order_book, written

content = an_order_book()
content["orders"] = [[encode_order(limit("bid", BUY, 99, 5)), "5"], [encode_order(limit("ask", SELL, 98, 5)), "5"]]
try:
    decode_state(NAME, RULES, written(content))
except BrokenSnapshot:
    print("refused")
"""


@pytest.mark.parametrize("module", MODULES, ids=[str(one.relative_to(ROOT)) for one in MODULES])
def test_no_module_of_the_program_judges_by_assert(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert lines == [], "raise chalicelib.support.consistency.Inconsistent instead"


def test_a_crossed_book_is_refused_where_asserts_are_off() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-c", CROSSED_SNAPSHOT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"
