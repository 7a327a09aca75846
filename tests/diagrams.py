"""The state diagrams of docs/architecture.md, read as edges."""

from __future__ import annotations

import re

from infra.settings import ROOT

START = "[*]"


def edges_of(title: str) -> set[tuple[str, str]]:
    """Return the edges, from and to, of the diagram that follows a bold title. ``[*]`` is the start."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    diagram = page.partition(f"**{title}**")[2].partition("```mermaid\n")[2].partition("```")[0]
    found = re.findall(r"^  (\S+) --> (\w+)", diagram, re.MULTILINE)
    assert found, f"the page has no diagram of {title}"
    return set(found)
