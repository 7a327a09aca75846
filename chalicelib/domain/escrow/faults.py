"""Errors of the escrow desk's commands, one exception for each reason; nothing is changed then.

A forbidden transition is ``lifecycle.Forbidden`` (E3).
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.escrow.lifecycle import Forbidden

__all__ = ["DeskBusy", "Forbidden", "Invalid", "NotFound", "demand"]


class NotFound(Exception):
    """The order, customer or wallet does not exist, or belongs to another merchant or the other world (E2)."""


class Invalid(Exception):
    """The request's fields are invalid. errors: a text for people by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


class DeskBusy(Exception):
    """Others kept changing the same rows, eight tries in vain."""


def demand(errors: Mapping[str, str]) -> None:
    """Raise Invalid where a field is wrong."""
    if errors:
        raise Invalid(errors)
