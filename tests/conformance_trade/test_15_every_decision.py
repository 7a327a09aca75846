"""Where the vendor's documentation is silent the project decided, and numbered that: R1 to R41, R44 to R47."""

from __future__ import annotations

import re
from pathlib import Path

DECISIONS = set(range(1, 42)) | set(range(44, 48))
NAMED = re.compile(r"(?:\bR|_r)(\d{1,2})(?=_|\b)")
"""``R7`` in an id or a docstring, ``_r7_`` in the name of a test."""


def test_every_decision_is_named_by_a_case() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    names = [name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]
    assert DECISIONS - {int(number) for name in names for number in NAMED.findall(name)} == set()
