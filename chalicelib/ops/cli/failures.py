"""Failures of commands: what went wrong, as a stable code, and the exit status that tells a script so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

REFUSED, WRONG_USAGE, ASK_AGAIN, WRONG_SETUP, UNKNOWN_OUTCOME = 1, 2, 3, 4, 5
"""Exit statuses of failures, by what is to be done: nothing was changed, except where the outcome is unknown."""
INTERRUPTED, OUTPUT_NOT_READ = 130, 141
"""Exit statuses after Ctrl-C, and where the output's reader has gone: what shells say of SIGINT and SIGPIPE."""


class Code(StrEnum):
    """What went wrong. Codes are stable; the words beside them are not (docs/command-line.md)."""

    REFUSED = "REFUSED"
    NOT_FOUND = "NOT_FOUND"
    EXISTS = "EXISTS"
    CONFLICT = "CONFLICT"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    DISPROVED = "DISPROVED"
    USAGE = "USAGE"
    BUSY = "BUSY"
    UNREACHABLE = "UNREACHABLE"
    UNAVAILABLE = "UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    SETUP = "SETUP"
    CREDENTIALS = "CREDENTIALS"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"

    @property
    def exit_status(self) -> int:
        return _EXIT_STATUSES.get(self, REFUSED)

    @property
    def is_retryable(self) -> bool:
        """Whether the same command, asked again later, may succeed."""
        return self.exit_status == ASK_AGAIN


_EXIT_STATUSES = {
    Code.USAGE: WRONG_USAGE,
    Code.BUSY: ASK_AGAIN,
    Code.UNREACHABLE: ASK_AGAIN,
    Code.UNAVAILABLE: ASK_AGAIN,
    Code.RATE_LIMITED: ASK_AGAIN,
    Code.SETUP: WRONG_SETUP,
    Code.CREDENTIALS: WRONG_SETUP,
    Code.OUTCOME_UNKNOWN: UNKNOWN_OUTCOME,
}


@dataclass
class CommandFailed(Exception):
    """The command failed and changed nothing, unless its outcome is unknown. The message says why.

    printed: a result that is shown all the same.
    """

    message: str
    code: Code = Code.REFUSED
    printed: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def envelope(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        told = {"code": self.code.value, "message": self.message, "retryable": self.code.is_retryable}
        return {"error": told}
