"""Why a command of the escrow desk was not carried out: one exception a reason; nothing is changed then.

A forbidden transition is ``lifecycle.Forbidden`` (E3).
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.escrow.lifecycle import Forbidden

__all__ = ["DeskBusy", "Forbidden", "Invalid", "NotFound", "demand"]


class NotFound(Exception):
    """What the command is about is not there, or is another merchant's or of the other world (E2)."""


class Invalid(Exception):
    """Fields of the request cannot be what they are. errors: by field, a text for people."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


class DeskBusy(Exception):
    """Others kept changing the same rows, eight tries in vain."""


def demand(errors: Mapping[str, str]) -> None:
    """Raise Invalid where a field is wrong."""
    if errors:
        raise Invalid(errors)
