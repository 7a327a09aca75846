"""Where the vendor's documentation is silent the project decided, and numbered what it decided: K1 to K45."""

from __future__ import annotations

import re
from pathlib import Path

from infra.settings import ROOT

DECISIONS = set(range(1, 46))
NAMED = re.compile(r"_k(\d{1,2})(?=_)")
"""``_k7_`` in the name of a test."""
WRITTEN = re.compile(r"^- \*\*K(\d{1,2})\*\* ", re.MULTILINE)


def test_every_decision_is_named_by_a_case() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    names = [name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]
    assert DECISIONS - {int(number) for name in names for number in NAMED.findall(name)} == set()


def test_every_decision_is_written_down_once_for_readers() -> None:
    text = (ROOT / "docs/taker-desk.md").read_text(encoding="utf-8")
    assert sorted(int(number) for number in WRITTEN.findall(text)) == sorted(DECISIONS)
