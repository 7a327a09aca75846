"""The form of requests about books."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.core.vocabulary import BookStatus
from chalicelib.wire.trusset.schema import FROM_ONE, FROM_ONE_MESSAGE, Parameters, bounded

LEVELS_DEFAULT, LEVELS_MAX = 20, 100


def book_status_query(query: Mapping[str, list[str]]) -> BookStatus | None:
    """Return the status that a list of books is limited to, None for all. Raises Fault on ``status``."""
    parameters = Parameters(query)
    status = parameters.word("status", BookStatus)
    parameters.refuse_faulty()
    return BookStatus(status) if status else None


def levels_query(query: Mapping[str, list[str]]) -> int:
    """Return how many levels of each side are wanted: 20 by default, 100 at most. Raises Fault."""
    parameters = Parameters(query)
    levels = parameters.single("levels", FROM_ONE, FROM_ONE_MESSAGE)
    parameters.refuse_faulty()
    return LEVELS_DEFAULT if levels is None else bounded(levels, LEVELS_MAX)
