"""The Chalice package of this checkout, for tests and the cold-start benchmark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.settings import REGION_DEFAULT, ROOT

PARTS = ("app.py", "chalicelib", "requirements.txt", ".chalice/config.json")
PACKAGE_S_MAX = 300
_CHALICE = "import sys; from chalice.cli import main; sys.exit(main())"


def chalice_package(folder: Path) -> Path:
    """Package a copy of the checkout in this folder, with pip's downloads. Return the archive.

    Raises AssertionError if it fails, subprocess.TimeoutExpired if it takes too long.
    """
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for policy in (ROOT / ".chalice").glob("policy-*.json"):
        shutil.copy(policy, folder / ".chalice")
    done = subprocess.run(
        [sys.executable, "-c", _CHALICE, "package", "--stage", "dev", "out"],
        cwd=folder,
        env={"AWS_DEFAULT_REGION": REGION_DEFAULT} | os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PACKAGE_S_MAX,
    )
    assert done.returncode == 0, done.stderr
    return folder / "out" / "deployment.zip"
