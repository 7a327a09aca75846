"""``make unguarded``: removes each guard in turn and requires its test to fail.

For each guard (``guards``) it copies the program without it to a temporary folder, and runs its test there. The command
fails if a test still passes: then the test proves nothing, or the guard is not needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.guards import GUARDS
from benchmarks.guards.guard import Guard

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("app.py", "chalicelib", "client", "infra", "tests", "benchmarks", "pyproject.toml", ".chalice", "Makefile")
TEST_BOUND_S = 300
FAILED = 1
"""pytest's exit code for failed tests; any other code is an error of the run itself."""


def unguarded(guard: Guard) -> str | None:
    """Run the guard's test on a copy without it. Return the problem; None if the test fails as it should."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, copy / name)
        remove_guard(copy, guard)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", guard.test]
        path = os.pathsep.join([str(copy), str(copy / "client")])
        environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=TEST_BOUND_S, check=False
        )
        if done.returncode == FAILED:
            return None
        return "the test passes without it" if not done.returncode else f"the run failed:\n{done.stdout[-2000:]}"


def remove_guard(root: Path, guard: Guard) -> None:
    """Remove the guard from the file under this root. Raises ValueError unless its code occurs exactly once."""
    file = root / guard.file
    text = file.read_text(encoding="utf-8")
    if text.count(guard.code) != 1:
        raise ValueError(f"{guard.file} has {text.count(guard.code)} times: {guard.code}")
    text = text.replace(guard.code, guard.without)
    file.write_text(text, encoding="utf-8")


def main() -> int:
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for guard, wrong in zip(GUARDS, pool.map(unguarded, GUARDS), strict=True):
            words = f"NOT NOTICED: {wrong}" if wrong else "noticed"
            print(f"{words}: {guard.name} ({guard.test})", flush=True)
            missed += wrong is not None
    print(f"{len(GUARDS) - missed} of {len(GUARDS)} tests fail when their guard is taken away")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
