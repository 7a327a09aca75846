"""The domain is pure: what its modules import, and what they call, needs no AWS, clock, randomness or environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from infra.settings import ROOT

MODULES = sorted((ROOT / "chalicelib/domain").rglob("*.py"))
NAMES = [str(one.relative_to(ROOT)) for one in MODULES]
PURE = {
    "__future__", "bisect", "calendar", "collections", "dataclasses", "datetime", "decimal", "enum", "eth_account",
    "eth_utils", "functools", "hashlib", "heapq", "hmac", "itertools", "json", "re", "sys", "typing", "ulid", "uuid",
    "zlib",
}  # fmt: skip
PURE_SUPPORT = {f"chalicelib.support.{name}" for name in ("ascii_case", "canonical", "consistency", "ids")}
"""What of ``support`` is pure; clock, telemetry and the memory of callers are not."""
IMPURE_CALLS = {
    "ULID", "environ", "getenv", "input", "monotonic", "now", "open", "print", "time", "time_ns", "today", "urandom",
    "utcnow", "uuid1", "uuid4",
}  # fmt: skip
"""Names of calls that read a clock, draw at random, or touch the environment or a file. ``ULID()`` draws a new one."""


def imports_of(tree: ast.AST) -> set[str]:
    """Return the modules that are imported, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def calls_in(tree: ast.AST) -> set[str]:
    """Return the last part of the name of everything that is called."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {one.attr if isinstance(one, ast.Attribute) else one.id for one in called if isinstance(one, NAMED)}


NAMED = ast.Attribute | ast.Name


def impurities(text: str) -> list[str]:
    """Return what of a module's text is not pure."""
    tree = ast.parse(text)
    of_ours = {name for name in imports_of(tree) if name.split(".")[0] == "chalicelib"}
    foreign = {name for name in imports_of(tree) - of_ours if name.split(".")[0] not in PURE}
    too_high = {name for name in of_ours if not name.startswith("chalicelib.domain.")} - PURE_SUPPORT
    return sorted(foreign | too_high | calls_in(tree) & IMPURE_CALLS)


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_a_module_of_the_domain_is_pure(module: Path) -> None:
    assert impurities(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\n",
        "import botocore.session\n",
        "def f():\n    from random import choice\n",
        "from chalicelib.tables.dynamodb import Row\n",
        "from chalicelib.support.clock import now_ms\n",
        "from datetime import datetime\nat = datetime.now()\n",
        "import uuid\nname = uuid.uuid4()\n",
        "from ulid import ULID\nname = ULID()\n",
        "text = open('file').read()\n",
    ],
)
def test_what_is_not_pure_is_found(text: str) -> None:
    assert impurities(text) != []
