"""Where the vendor's documentation is silent the project decided, and numbered what it decided: T1 to T48."""

from __future__ import annotations

import re
from pathlib import Path

DECISIONS = set(range(1, 49))
NAMED = re.compile(r"(?:\bT|_t)(\d{1,2})(?!\d)")
"""``T7`` in an id or a docstring, ``_t7_`` in the name of a test."""


def test_every_decision_is_named_by_a_case() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    assert DECISIONS - {int(number) for text in texts for number in NAMED.findall(text)} == set()
