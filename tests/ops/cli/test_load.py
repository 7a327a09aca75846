"""What a load says in the end: its counts, and a failure where nothing was placed."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from itertools import cycle
from typing import Any

import pytest

from chalicelib.ops import cli
from chalicelib.ops.cli import load
from tallybook_client import OutcomeUnknown, TallybookError, Unreachable
from tallybook_client.book.errors import InvalidQuantity, RateLimitExceeded

LINE = "load --url http://127.0.0.1:9 --book ob_1 --customer ann --orders 4 --rate 1000 --price 1 --quantity 1"
QUANTITY = InvalidQuantity(400, "INVALID_QUANTITY", "too small")
BUSY = RateLimitExceeded(429, "RATE_LIMIT_EXCEEDED", "Slow down")


class Desk:
    """A desk at which placing ends in each of these in turn; None: it is placed."""

    def __init__(self, *ends: TallybookError | None) -> None:
        self.books = self.orders = self
        self._ends = cycle(ends)

    def one(self, _book: str) -> None:
        """The book is there."""

    def place(self, _order: Any) -> None:
        end = next(self._ends)
        if end is not None:
            raise end


@pytest.mark.parametrize(
    ("ends", "status", "code", "refused"),
    [
        ((None,), 0, None, {}),
        ((None, QUANTITY), 0, None, {"INVALID_QUANTITY": 2}),
        ((QUANTITY,), 1, "REFUSED", {"INVALID_QUANTITY": 4}),
        ((BUSY,), 3, "RATE_LIMITED", {"RATE_LIMIT_EXCEEDED": 4}),
        ((Unreachable("away"),), 3, "UNREACHABLE", {"UNREACHABLE": 4}),
        (
            (OutcomeUnknown("lost", "key-0001"), QUANTITY),
            5,
            "OUTCOME_UNKNOWN",
            {"OUTCOME_UNKNOWN": 2, "INVALID_QUANTITY": 2},
        ),
    ],
)
def test_a_load_of_which_nothing_was_placed_fails_and_shows_its_counts(
    ends: tuple[TallybookError | None, ...],
    status: int,
    code: str | None,
    refused: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(load.Access, "desk", lambda *_, **__: nullcontext(Desk(*ends)))
    monkeypatch.setattr(sys, "argv", ["tallybook", *LINE.split()])
    assert cli.main() == status
    out, err = capsys.readouterr()
    assert (json.loads(out)["orders"], json.loads(out)["refused"]) == (4, refused)
    assert (json.loads(err)["error"]["code"] if err else None) == code
    assert "key-0001" not in err, "a load has no --key under which it could be done again"
