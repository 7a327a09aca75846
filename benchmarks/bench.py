"""Benchmark: every figure of docs/performance.md, as a table and as ``build/bench.json``: ``make bench``.

``make bench PART=core`` measures one part (names separated by commas measure several). Each part is measured by the
functions of its module (``parts``), which other targets print in more detail.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.engine import databases, engine_database, machine
from benchmarks.figures import Figure, members_of, table_line
from benchmarks.parts import PARTS, Scale
from infra.settings import ROOT

JSON_FILE = ROOT / "build" / "bench.json"


def facts() -> dict[str, Any]:
    """Return what the figures depend on: machine, commit (None outside a git checkout), date."""
    return {"machine": machine(), "commit": commit(), "date": datetime.now(UTC).isoformat(timespec="seconds")}


def commit() -> str | None:
    """Return the checked-out commit, with a plus if files differ from it; None if git does not say."""
    try:
        head, changes = (
            subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + "+" * bool(changes)


def measured(names: list[str], scale: Scale) -> Iterator[Figure]:
    """Measure these parts on an embedded engine of their own."""
    for name in names:
        with engine_database() as engine:
            yield from PARTS[name](databases(engine), scale)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure every figure of docs/performance.md.")
    parser.add_argument("--part", default=",".join(PARTS), help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--json", type=Path, default=JSON_FILE, help="where the JSON goes")
    options = parser.parse_args()
    names = options.part.split(",")
    if unknown := set(names) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    known, started = facts(), monotonic()
    print(f"{known['machine']}; commit {known['commit']}", flush=True)
    figures = []
    for figure in measured(names, Scale()):
        figures.append(figure)
        print(table_line(figure), flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(known | members_of(figures), indent=2) + "\n", encoding="utf-8")
    print(f"{monotonic() - started:.0f} s; {options.json}")


if __name__ == "__main__":
    main()
