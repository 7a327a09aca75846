"""Changes of accounts: the four moves, and their sum by account."""

from __future__ import annotations

import pytest

from chalicelib.domain.ledger.changes import Account, Change, Move, given_back, merged, received, set_aside, spent

ANN, FEES = Account("ann", "gold"), Account(None, "gold")


@pytest.mark.parametrize(
    ("move", "change"),
    [
        (set_aside(ANN, 5), Change(available=-5, held=5)),
        (given_back(ANN, 5), Change(available=5, held=-5)),
        (spent(ANN, 5), Change(available=0, held=-5)),
        (received(ANN, 5), Change(available=5, held=0)),
    ],
    ids=["set aside", "given back", "spent", "received"],
)
def test_each_move_changes_what_it_says_and_nothing_else(move: Move, change: Change) -> None:
    assert move == (ANN, change)


def test_moves_of_an_account_are_added_up_and_what_cancels_out_is_left_out() -> None:
    moves = [set_aside(ANN, 9), spent(ANN, 4), received(FEES, 4), received(FEES, -4), received(ANN, 1)]
    assert merged(moves) == {ANN: Change(-8, 5)}
