"""Benchmark: this checkout against another commit, measured in turn: ``make bench-compare BASE=main``.

The other commit is checked out into a temporary worktree, with an environment of its own if its pinned packages differ
from ours. Both checkouts run their own bench, alternately, which spreads other load of the machine over both. The table
has the median of each figure and this checkout's in parts of the other's; figures that only one has are named. The
worktree is removed at the end, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import numbers_in
from infra.settings import ROOT

ROUNDS = 3
BENCH = Path("benchmarks") / "bench.py"
PINS = ("constraints.txt", "pyproject.toml")
Numbers = dict[str, list[float]]
"""The values of each figure, one a round."""


class NotComparable(Exception):
    """The other commit cannot be measured. The message says why."""


def git(checkout: Path, *words: str) -> str:
    """Run git in a checkout. Raises NotComparable with its complaint."""
    done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotComparable(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def checked_out(revision: str, checkout: Path = ROOT) -> Iterator[Path]:
    """Check a commit out into a temporary worktree of this checkout inside this context."""
    commit = git(checkout, "rev-parse", "--verify", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as name:
        folder = Path(name) / "base"
        try:
            git(checkout, "worktree", "add", "--detach", str(folder), commit)
            yield folder
        finally:
            git(checkout, "worktree", "remove", "--force", str(folder))


def python_of(folder: Path) -> str:
    """Return the interpreter for a checkout: ours if it pins the same packages, otherwise that of a new environment."""
    if all((folder / pin).read_bytes() == (ROOT / pin).read_bytes() for pin in PINS):
        return sys.executable
    subprocess.run(["make", ".venv/.installed"], cwd=folder, check=True, stdout=sys.stderr)
    return str(folder / ".venv" / "bin" / "python")


def parts_of(python: str, folder: Path) -> list[str]:
    """Return the names of the parts that a checkout's bench has. Raises NotComparable if it has no bench."""
    if not (folder / BENCH).exists():
        raise NotComparable(f"that commit has no {BENCH}: name one that has")
    program = "from benchmarks.parts import PARTS; print(*PARTS)"
    done = subprocess.run([python, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


def bench(python: str, folder: Path, parts: list[str], output: Path) -> dict[str, Any]:
    """Run a checkout's bench. Return its JSON."""
    subprocess.run([python, str(BENCH), "--part", ",".join(parts), "--json", str(output)], cwd=folder, check=True)
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


def add_round(numbers: Numbers, document: dict[str, Any]) -> None:
    for name, value in numbers_in(document):
        if value is not None:
            numbers.setdefault(name, []).append(value)


def ratio_lines(base: Numbers, here: Numbers) -> Iterator[str]:
    """Yield the table: each figure's medians and their ratio, with the smallest and largest of the rounds' ratios."""
    yield f"{'figure':<46}{'base':>12}{'here':>12}{'here / base':>13}   of the rounds"
    for name in dict.fromkeys([*base, *here]):
        if name not in base or name not in here:
            only, value = ("base", base[name]) if name in base else ("here", here[name])
            yield f"{name:<46}  only {only} has it: {median(value):,.4g}"
            continue
        before, now = median(base[name]), median(here[name])
        ratios = sorted(new / old for old, new in zip(base[name], here[name], strict=False) if old)
        ratio = f"{now / before:.2f}" if before else "-"
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}" if ratios else ""
        yield f"{name:<46}{before:>12,.4g}{now:>12,.4g}{ratio:>13}   {spread}"


def compare(revision: str, wanted: list[str] | None, rounds: int) -> Iterator[str]:
    with checked_out(revision) as folder:
        pythons = {folder: python_of(folder), ROOT: sys.executable}
        parts = {checkout: parts_of(python, checkout) for checkout, python in pythons.items()}
        numbers: dict[Path, Numbers] = {folder: {}, ROOT: {}}
        for number in range(rounds):
            for checkout, python in pythons.items():
                print(f"\nround {number + 1} of {rounds}, {'base' if checkout == folder else 'here'}", flush=True)
                chosen = [part for part in parts[checkout] if wanted is None or part in wanted]
                if chosen:
                    add_round(numbers[checkout], bench(python, checkout, chosen, folder.parent / "bench.json"))
        yield from ratio_lines(numbers[folder], numbers[ROOT])


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure this checkout and another commit in turn.")
    parser.add_argument("base", metavar="BASE", help="the other commit: a hash, a tag, a branch")
    parser.add_argument("--part", help="parts to measure, separated by commas; default all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        lines = list(compare(options.base, options.part.split(",") if options.part else None, options.rounds))
    except NotComparable as refusal:
        print(f"bench-compare: {refusal}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failure:
        print(f"bench-compare: {' '.join(map(str, failure.cmd))} failed", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print()
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
