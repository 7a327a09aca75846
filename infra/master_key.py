"""The master key of a local run: generated once, kept in the run's directory, readable only by its owner."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

FILE = "master.key"
_VARIABLES = ("TALLYBOOK_MASTER_KEY", "TALLYBOOK_MASTER_KEY_PARAMETER")


def master_key_environment(local_dir: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that names the run's master key; empty if the user has named one."""
    if any(environment.get(name) for name in _VARIABLES):
        return {}
    return {_VARIABLES[0]: _kept_key(local_dir / FILE)}


def own_master_key(local_dir: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable with the run's own key if the environment has it; empty if the key is the user's."""
    key, file = environment.get(_VARIABLES[0]), local_dir / FILE
    return {_VARIABLES[0]: key} if key and file.exists() and key == _kept_key(file) else {}


def _kept_key(file: Path) -> str:
    """Return the key in the file, generating it if it is missing. The file is written atomically."""
    if not file.exists():
        unfinished = file.with_suffix(".tmp")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as made:
            made.write(secrets.token_hex(32) + "\n")
        unfinished.replace(file)
    return file.read_text(encoding="utf-8").strip()
