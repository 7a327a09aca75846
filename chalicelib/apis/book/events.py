"""Endpoint: follow the events of an instance, or of one of its customers (docs/events.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.apis.book import schema
from chalicelib.apis.book.books import off_chain_book
from chalicelib.apis.book.envelope import Detail, Envelope, Fault
from chalicelib.apis.kit import events
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.feed.cursor import UnreadableCursor
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.feed import scopes
from chalicelib.services.feed.reading import CursorGone, Feed, TooManyLogs

_CURSOR = re.compile(r"[A-Za-z0-9_-]+")
_BOOK_ID = re.compile(r"(?s:.{1,100})")
_TYPES = re.compile(events.TYPES_PATTERN)


@dataclass(frozen=True, slots=True)
class EventEndpoints:
    feed: Feed
    reading: BooksReading

    def follow(self, request: HttpRequest, instance: str, envelope: Envelope) -> HttpResponse:
        """GET offchain/events. 200 with the events after a cursor, the cursor behind them, and whether more follow."""
        asked = asked_of(request.query)
        books = None if asked.book_id is None else frozenset({asked.book_id})
        if asked.book_id is not None:
            off_chain_book(self.reading, instance, asked.book_id)
        scope = scopes.of_instance(instance, asked.customer, books, asked.types)
        prefer = request.headers.get("prefer", "")
        try:
            found = events.followed(self.feed, scope, asked.after, asked.limit, prefer)
        except UnreadableCursor as error:
            raise schema.validation_fault([Detail("after", events.CURSOR_MESSAGE)]) from error
        except TooManyLogs as error:
            raise schema.validation_fault([Detail("bookId", events.TOO_MANY_LOGS_MESSAGE)]) from error
        except CursorGone as gone:
            raise Fault("CURSOR_GONE", events.GONE_MESSAGE, metadata={"cursor": gone.begin.to_text()}) from gone
        data = {"events": found.events, "cursor": found.cursor, "hasMore": found.has_more}
        return envelope.success(200, data, found.headers)


@dataclass(frozen=True, slots=True)
class Asked:
    """The query. types: None: all."""

    after: str | None
    limit: int
    customer: str | None
    book_id: str | None
    types: frozenset[str] | None


def asked_of(query: Mapping[str, list[str]]) -> Asked:
    """Return the checked query. Raises Fault."""
    parameters = schema.Parameters(query)
    customer = parameters.single("customerRef", schema.REF, schema.REF_MESSAGE)
    book_id = parameters.single("bookId", _BOOK_ID, schema.ID_MESSAGE)
    types = parameters.single("types", _TYPES, events.TYPES_MESSAGE)
    named = None if types is None else frozenset(types.split(","))
    if named is not None and not _are_known(named):
        parameters.refuse("types", events.TYPES_MESSAGE)
    after = parameters.single("after", _CURSOR, events.CURSOR_MESSAGE)
    limit = parameters.single("limit", schema.FROM_ONE, schema.FROM_ONE_MESSAGE)
    parameters.refuse_faulty()
    return Asked(
        after,
        events.LIMIT_DEFAULT if limit is None else schema.bounded(limit, events.LIMIT_MAX),
        customer,
        book_id,
        named,
    )


def _are_known(named: frozenset[str]) -> bool:
    """Return whether an instance has events of each of these types (T90)."""
    from chalicelib.services.feed.types import INSTANCE_TYPES

    return named <= INSTANCE_TYPES
