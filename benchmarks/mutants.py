"""Mutation testing of the matching core: ``python benchmarks/mutants.py``.

mutmut changes the matching core, the journal or the settlement in one place (a mutant) and runs tests/domain/books and
tests/domain/ledger; a mutant that no test detects survives. It runs in a temporary folder with its own environment;
this repository is only read. The tests draw fewer random examples, the same ones for every mutant.

Prints a table by module, the survivors' changes and the timeouts. Exits with 1 below ``SCORE_PERCENT_MIN``.
docs/mutations.md explains the survivors. Takes five to ten minutes on two cores; arguments such as ``matching journal``
select modules.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))

from infra.pins import versions

REPOSITORY = Path(__file__).resolve().parent.parent
MODULES = {
    "matching": "books", "commands": "books", "book": "books", "levels": "books", "journal": "books", "forms": "books",
    "settlement": "books", "snapshot": "books",
    "amounts": "ledger", "changes": "ledger", "fees": "ledger", "holds": "ledger",
}  # fmt: skip
"""The package of each module in chalicelib/domain."""
REQUIREMENTS = ("mutmut==3.8.1", "pytest", "hypothesis", "msgspec", "python-ulid")
PROCESSES = 2
MEMORY_BYTES_MAX = 2 * 2**30
"""Memory limit: ends a mutant that collects events without end."""
SCORE_PERCENT_MIN = 90.0

# Timeouts count as detected, so they are long enough for a busy machine: few mutants run without end.
PYPROJECT = """\
[tool.mutmut]
source_paths = ["chalicelib"]
only_mutate = [{modules}]
pytest_add_cli_args_test_selection = ["tests/domain/books", "tests/domain/ledger"]
timeout_multiplier = 10.0
timeout_constant = 30.0
use_git_change_detection = false

[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider"]
"""

CONFTEST = """\
from hypothesis import Phase, settings

settings.register_profile("mutants", max_examples=10, derandomize=True, database=None, phases=[Phase.generate])
settings.load_profile("mutants")
"""


def main(modules: list[str]) -> int:
    if unknown := set(modules) - set(MODULES):
        print(f"no such module: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}", file=sys.stderr)
        return 2
    modules = modules or list(MODULES)
    started = perf_counter()
    with TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        copy_core(folder, modules)
        mutmut = install(folder)
        run = subprocess.run(
            [*mutmut, "run", "--max-children", str(PROCESSES)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit_memory,
        )  # fmt: skip
        status_of = read_results(mutmut, folder)
        if run.returncode or not status_of or "not checked" in status_of.values():
            print(run.stdout[-4000:], file=sys.stderr)
            return 2
        score = print_table(modules, status_of)
        print_survivors(mutmut, folder, status_of)
    print(f"{perf_counter() - started:.0f} s")
    return 0 if score >= SCORE_PERCENT_MIN else 1


def copy_core(folder: Path, modules: list[str]) -> None:
    """Copy only what the core's tests need: no tables, no AWS, no fixtures of other suites."""
    ignored = shutil.ignore_patterns("__pycache__")
    for room in ("chalicelib/domain", "chalicelib/support", "tests/domain/books", "tests/domain/ledger"):
        shutil.copytree(REPOSITORY / room, folder / room, ignore=ignored)
    for package in ("chalicelib", "tests", "tests/domain"):
        shutil.copy(REPOSITORY / package / "__init__.py", folder / package)
    (folder / "tests/conftest.py").write_text(CONFTEST)
    paths = ", ".join(f'"chalicelib/domain/{MODULES[module]}/{module}.py"' for module in modules)
    (folder / "pyproject.toml").write_text(PYPROJECT.format(modules=paths))


def install(folder: Path) -> list[str]:
    """Create an environment with mutmut in the folder. Return the command that runs it."""
    venv.create(folder / ".venv", with_pip=True)
    python = str(folder / ".venv/bin/python")
    constraints = folder / "constraints.txt"  # without hashes, because mutmut and its own dependencies are not pinned
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in versions().items()))
    pip = [python, "-m", "pip", "install", "-qq", "--constraint", str(constraints)]
    subprocess.run([*pip, *REQUIREMENTS], check=True)
    return [python, "-m", "mutmut"]


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))


def read_results(mutmut: list[str], folder: Path) -> dict[str, str]:
    """Return each mutant's status, by name."""
    results = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(line.strip().split(": ", 1) for line in results.stdout.splitlines() if ": " in line)


def print_table(modules: list[str], status_of: dict[str, str]) -> float:
    """Print the counts by module. Return the overall score: the percentage of mutants detected."""
    print(f"{'module':10} {'mutants':>8} {'killed':>8} {'timeout':>8} {'survived':>9} {'score':>8}")
    counts = {module: Counter[str]() for module in modules}
    for name, status in status_of.items():
        counts[name.split(".")[3]][status] += 1
    score = 0.0
    for module, statuses in [*counts.items(), ("all", sum(counts.values(), Counter[str]()))]:
        killed, timeouts, total = statuses["killed"], statuses["timeout"], statuses.total()
        score = 100 * (killed + timeouts) / total
        print(f"{module:10} {total:8} {killed:8} {timeouts:8} {total - killed - timeouts:9} {score:7.1f}%")
    return score


def print_survivors(mutmut: list[str], folder: Path, status_of: dict[str, str]) -> None:
    """Print the change of each undetected mutant; one that timed out usually runs without end."""
    for name, status in status_of.items():
        if status == "killed":
            continue
        print(f"\n{name}: {status}")
        shown = subprocess.run([*mutmut, "show", name], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        for line in shown.stdout.splitlines():
            if line.startswith(("+", "-")) and not line.startswith(("+++", "---")):
                print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
