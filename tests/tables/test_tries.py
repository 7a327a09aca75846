"""Retries of a command: their number, their pauses, and the error at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.attempts import PAUSE_FIRST_S, PAUSE_MAX_S, Contended, at_once, tries, until_known, until_written

TIMES = 4


class Busy(Exception):
    """What the caller raises when it gives up."""


class Scripted:
    """Raises one after the other, then returns "done"; notes what each try was given."""

    def __init__(self, *raised: Exception) -> None:
        self.left = list(raised)
        self.given: list[object] = []

    def __call__(self, *given: bool) -> str:
        self.given += given or [None]
        if self.left:
            raise self.left.pop(0)
        return "done"


def test_pauses_are_random_below_a_bound_that_doubles_up_to_one_second() -> None:
    pauses: list[float] = []
    assert list(tries(12, pauses.append)) == list(range(12))
    bounds = [min(PAUSE_MAX_S, PAUSE_FIRST_S * 2**number) for number in range(11)]
    assert all(0 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses)) == 11


def test_there_is_no_pause_before_the_first_try_or_after_the_last() -> None:
    pauses: list[float] = []
    with pytest.raises(Busy):
        until_written(Scripted(*[Contended()] * TIMES), TIMES, pauses.append, Busy())
    assert len(pauses) == TIMES - 1


def test_a_command_that_lost_a_race_is_tried_again() -> None:
    once = Scripted(*[Contended()] * (TIMES - 1))
    assert until_written(once, TIMES, at_once, Busy()) == "done"
    assert len(once.given) == TIMES


def test_the_last_refusal_is_raised_if_it_has_a_meaning() -> None:
    with pytest.raises(ZeroDivisionError):
        until_written(Scripted(Contended(), Contended(ZeroDivisionError())), 2, at_once, Busy())
    with pytest.raises(Busy):
        until_written(Scripted(Contended(ZeroDivisionError()), Contended()), 2, at_once, Busy())


@pytest.mark.parametrize("loop", [until_written, until_known])
@pytest.mark.parametrize("failure", [Unavailable(), ValueError()])
def test_other_failures_end_it(loop: Callable[..., object], failure: Exception) -> None:
    once = Scripted(Contended(), failure)
    with pytest.raises(type(failure)):
        loop(once, TIMES, at_once, Busy())
    assert len(once.given) == 2


def test_a_command_without_a_check_ends_with_the_lost_answer() -> None:
    with pytest.raises(OutcomeUnknown):
        until_written(Scripted(OutcomeUnknown()), TIMES, at_once, Busy())


def test_after_a_lost_answer_a_command_checks_first() -> None:
    once = Scripted(Contended(), OutcomeUnknown(), Contended())
    assert until_known(once, TIMES, at_once, Busy()) == "done"
    assert once.given == [False, False, True, True]


@pytest.mark.parametrize("later", [Contended(), Contended(ZeroDivisionError()), Unavailable(), OutcomeUnknown()])
def test_an_outcome_that_no_check_finds_stays_unknown(later: Exception) -> None:
    with pytest.raises(OutcomeUnknown):
        until_known(Scripted(OutcomeUnknown(), *[later] * TIMES), TIMES, at_once, Busy())


def test_a_refusal_after_a_lost_answer_counts_unless_it_cannot_tell() -> None:
    with pytest.raises(ValueError, match="refused"):
        until_known(Scripted(OutcomeUnknown(), ValueError("refused")), TIMES, at_once, Busy())
    with pytest.raises(OutcomeUnknown):
        until_known(Scripted(OutcomeUnknown(), ValueError()), TIMES, at_once, Busy(), cannot_tell=Exception)
