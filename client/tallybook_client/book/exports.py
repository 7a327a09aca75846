"""Exports: whole spans as lines of CSV or JSON (T99)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tallybook_client.transport import Request, Session, query_of

BASE = "/custody/api/exports"
PAGE_SIZE_MAX = 5000
Format = Literal["csv", "jsonl"]


@dataclass(frozen=True, slots=True)
class Exports:
    """``desk.exports``: each call yields the text of a file page by page; put together, they are the file.

    since, until: both included, with a time zone. form: ``csv`` begins with a header.
    """

    _session: Session

    def transactions(
        self,
        *,
        customer_ref: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        form: Format = "jsonl",
    ) -> Iterator[str]:
        """Yield what happened to balances, newest first."""
        return self._pages("transactions", customerRef=customer_ref, from_=since, to=until, format=form)

    def trades(
        self,
        *,
        customer_ref: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        form: Format = "jsonl",
    ) -> Iterator[str]:
        """Yield trades, newest first."""
        return self._pages("trades", customerRef=customer_ref, from_=since, to=until, format=form)

    def orders(
        self,
        customer_ref: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        form: Format = "jsonl",
    ) -> Iterator[str]:
        """Yield a customer's orders, newest first."""
        return self._pages("orders", customerRef=customer_ref, from_=since, to=until, format=form)

    def balances(self, customer_ref: str, *, at: datetime | None = None, form: Format = "jsonl") -> Iterator[str]:
        """Yield a customer's balances as of a time, or of now."""
        return self._pages("balances", customerRef=customer_ref, at=at, format=form)

    def _pages(self, what: str, **asked: str | datetime | None) -> Iterator[str]:
        after: str | None = None
        while True:
            query = query_of(**asked, limit=PAGE_SIZE_MAX, after=after)
            answer = self._session.send(Request("GET", f"{BASE}/{what}", query))
            yield answer.body.decode()
            after = answer.headers.get("X-Next-Cursor")
            if after is None:
                return
