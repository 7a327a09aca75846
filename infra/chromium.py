"""Chromium for the tests of pages: finds it, or installs Debian's package. ``make test`` calls it.

On Debian, as root, the package is installed. Elsewhere the tests of pages are skipped until there is a Chromium; with
CI in the environment, none is skipped, and a failed installation ends the run. Runs on plain Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-liberation")
"""Without a font, a screenshot shows boxes."""


def find_chromium() -> str | None:
    """Return the path of the installed Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def install_chromium() -> bool:
    """Install Debian's Chromium and tell whether it is there now. Installs nothing without root or apt-get."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    print("Installing Chromium for the tests of pages (once) ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "--yes", "--no-install-recommends", *PACKAGES)):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"apt-get {command[0]}: {(done.stderr or done.stdout).strip()}", file=sys.stderr)
            return False
    return find_chromium() is not None


def main() -> int:
    if find_chromium() or install_chromium():
        return 0
    print("There is no Chromium here: the tests of pages are skipped. Install it to run them.", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
