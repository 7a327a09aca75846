"""The domain is pure: what its modules import, and what they call, needs no AWS, clock, randomness or environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from infra.settings import ROOT

MODULES = sorted((ROOT / "chalicelib/domain").rglob("*.py"))
NAMES = [str(one.relative_to(ROOT)) for one in MODULES]
PURE = {
    "__future__", "base64", "bisect", "calendar", "collections", "dataclasses", "datetime", "decimal", "enum",
    "eth_account", "eth_utils", "functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools", "json", "msgspec",
    "re", "standardwebhooks", "sys", "typing", "ulid", "uuid", "zlib",
}  # fmt: skip
PURE_SUPPORT = {f"chalicelib.support.{name}" for name in ("ascii_case", "canonical", "consistency", "ids")}
"""What of ``support`` is pure; clock, telemetry and the memory of callers are not."""
IMPURE_NAMES = {
    "create", "environ", "from_datetime", "from_timestamp", "getenv", "getnode", "import_module", "modules",
    "monotonic", "now", "stderr", "stdin", "stdout", "time", "time_ns", "today", "urandom", "utcnow", "uuid1", "uuid4",
}  # fmt: skip
"""Names of what reads a clock, draws at random (as ULIDs of a time do), or touches the environment: called, or handed
on uncalled."""
IMPURE_BUILTINS = {"__import__", "breakpoint", "eval", "exec", "hash", "input", "open", "print"}
"""``hash`` gives strings another value in each process."""


def imports_of(tree: ast.AST) -> set[str]:
    """Return the modules that are imported, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def impure_names_in(tree: ast.AST) -> set[str]:
    """Return the names that are used and impure; ``ULID()`` draws one at random."""
    nodes = list(ast.walk(tree))
    members = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    members |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    builtins = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    drawn = {"ULID" for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "ULID"}
    return members & IMPURE_NAMES | builtins & IMPURE_BUILTINS | drawn


def impurities(text: str) -> list[str]:
    """Return what of a module's text is not pure."""
    tree = ast.parse(text)
    of_ours = {name for name in imports_of(tree) if name.split(".")[0] == "chalicelib"}
    foreign = {name for name in imports_of(tree) - of_ours if name.split(".")[0] not in PURE}
    too_high = {name for name in of_ours if not name.startswith("chalicelib.domain.")} - PURE_SUPPORT
    return sorted(foreign | too_high | impure_names_in(tree))


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
        "read = open\n",
        "from datetime import datetime\nclock = datetime.now\n",
        "from uuid import uuid4 as new_id\nname = new_id()\n",
        "from ulid import ULID\nname = ULID.from_timestamp(1)\n",
        "import sys\ntext = sys.stdin.read()\n",
        "clock = __import__('time')\n",
    ],
)
def test_what_is_not_pure_is_found(text: str) -> None:
    assert impurities(text) != []
