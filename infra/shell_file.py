"""``.local/env``: variables that point a shell's commands at the run's tables (``source .local/env``)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

_HEAD = "# For a shell: source .local/env. Commands then see the tables of this directory's run."
_NOT_BESIDE = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
    "TALLYBOOK_WEBHOOKS_ALLOW_LOCAL",
)
"""Variables that would take precedence over the run's own credentials, endpoint and switch; the file unsets them."""


class ShellFile:
    def __init__(self, local_dir: Path) -> None:
        self.path = local_dir / "env"

    def write(self, variables: Mapping[str, str]) -> None:
        """Write the file atomically. Only the owner can read it, since it holds the master key."""
        lines = [_HEAD]
        if "AWS_ACCESS_KEY_ID" in variables:
            lines.append(f"unset {' '.join(name for name in _NOT_BESIDE if name not in variables)}")
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        unfinished = self.path.with_suffix(".tmp")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        unfinished.replace(self.path)
