"""Reading ahead for requests with credentials: what a request must read is one BatchGetItem (two-trips.md).

A process remembers whom a credential let in last. So the rows of the next request under it can be named before any of
them is read: the gate's, and those of the endpoint. All of them are read fresh and judged in the order of the desk's
checks. A credential that is not let in is forgotten: the next request with it reads nothing but the gate's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.support.bounded_cache import SCOPES_MAX, BoundedCache
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt
from chalicelib.tables.rows import Row

Caller = TypeVar("Caller")
Answer = TypeVar("Answer")
Expected = RowAt
"""Where a row stands that a request will read; opaque to the api that names it."""


def no_rows(_caller: object) -> Iterable[Expected]:
    """Name no rows beyond the gate's."""
    return ()


def learn_nothing(_table: str, _row: Row) -> None:
    """Learn nothing from the rows that requests read."""


class Ahead(Generic[Caller]):
    """Reads ahead. of_gate: returns the rows by which the gate finds a caller. learn: called with every row read."""

    def __init__(
        self,
        database: Database,
        of_gate: Callable[[str, Caller], Iterable[Expected]],
        learn: Callable[[str, Row], None] = learn_nothing,
    ) -> None:
        self._database = database
        self._of_gate = of_gate
        self._learn = learn
        self._callers: BoundedCache[str, Caller] = BoundedCache(SCOPES_MAX)
        """By the digest of a credential: whom it let in last."""

    def answer(
        self,
        credential: str,
        enter: Callable[[], Caller],
        act: Callable[[Caller], Answer],
        rows_of: Callable[[Caller], Iterable[Expected]] = no_rows,
    ) -> Answer:
        """Return the answer of ``act`` for the caller of ``enter``, with their rows read ahead. Raises as they do.

        credential: as it was sent; empty for a caller who needs none. rows_of: returns the rows that the request will
        read behind the gate.
        """
        digest = digest_of(credential)
        known = self._callers.get(digest)
        with self._database.reading_ahead(self._learn) as ahead:
            if known is not None:
                ahead.expect([*self._of_gate(credential, known), *rows_of(known)])
            try:
                caller = enter()
            except Exception:
                self._callers.forget(digest)
                raise
            if caller != known:
                ahead.expect(rows_of(caller))
                if credential:
                    self._callers.set(digest, caller)
            return act(caller)
