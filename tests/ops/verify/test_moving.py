"""Books that change during a reading are read again, and given up after a few times."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TypeVar

import pytest

from chalicelib.ops.verify.verifier import BookMoves, Verifier
from chalicelib.services.books.disagreements import Disproved
from tests.ops.verify.hands import account, edit, journal, remove, rows
from tests.world import BASE, World

T = TypeVar("T")


class AtWork:
    """A watch under whose eyes the book goes on: before the orders are read, an order comes and is matched."""

    def __init__(self, world: World, times: int) -> None:
        self._world = world
        self._times = times
        self._prices = count(92)
        self.readings = 0

    def __call__(self, items: Iterable[T], what: str, total: int | None) -> Iterable[T]:  # noqa: ARG002
        if what == "open orders":
            self.readings += 1
            if self.readings <= self._times:
                self._world.placed("ann", "BUY", 1, next(self._prices))
                assert self._world.deliver(records=self._world.records[-1:]) == []
        return items


def test_a_book_that_moved_while_it_was_read_is_read_again(world: World) -> None:
    watch = AtWork(world, times=1)
    report = Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 2
    assert report.books[0].sequence == len(journal(world))


def test_a_book_that_changes_at_every_reading_is_given_up(world: World) -> None:
    watch = AtWork(world, times=9)
    with pytest.raises(BookMoves, match=world.book):
        Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 3


def test_orders_admitted_and_not_matched_move_a_book_too(world: World) -> None:
    """No entry tells of them: their holds do."""
    watch = AtWork(world, times=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "deliver", lambda **_: [])
        report = Verifier(world.database, watch).verify(world.book)
    assert (watch.readings, report.books[0].undecided) == (2, 1)


def test_an_order_that_comes_to_rest_moves_a_book_too(world: World) -> None:
    """It was admitted before the reading, so no account changes under it: the journal tells."""
    world.placed("ann", "BUY", 1, 92)
    watch = AtWork(world, times=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "placed", lambda *_: "")
        report = Verifier(world.database, watch).verify(world.book)
    assert (watch.readings, report.books[0].undecided) == (2, 0)


def test_a_real_disagreement_is_reported_of_a_moving_book_too(world: World) -> None:
    """Two readings that show the same one are enough."""
    row = rows(world, "fills")[0]
    remove(world, "fills", row, "owner", "fill")
    watch = AtWork(world, times=9)
    with pytest.raises(Disproved, match=row["fill"]):
        Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 2


def test_a_disagreement_of_a_quiet_book_is_reported_after_one_reading(world: World) -> None:
    edit(world, "accounts", account(world, "ann", BASE), available=1)
    watch = AtWork(world, times=0)
    with pytest.raises(Disproved):
        Verifier(world.database, watch).verify(world.book)
    assert watch.readings == 1
