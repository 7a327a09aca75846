"""How a row of a contract's table becomes a test case: its id first, then its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet


@dataclass(frozen=True, slots=True)
class Deviation:
    """A row that is as promised and that the program does otherwise; what it does stands in the reason."""

    reason: str
    row: tuple[Any, ...]


def deviates(reason: str, *row: Any) -> Deviation:
    return Deviation(reason, row)


def cases(*rows: tuple[Any, ...] | Deviation) -> list[ParameterSet]:
    """Return one case for each row: its id, then its values. A deviation must fail until it is none."""
    return [_case(row.row, _must_fail(row.reason)) if isinstance(row, Deviation) else _case(row) for row in rows]


def _case(row: tuple[Any, ...], *marks: pytest.MarkDecorator) -> ParameterSet:
    return pytest.param(*row[1:], id=row[0], marks=marks)


def _must_fail(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)
