"""Endpoint: follow a customer's events: its orders, fills and balances (docs/events.md)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit import events
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.envelope import Envelope, Error, Fault, invalid
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.query import Query
from chalicelib.domain.feed.cursor import UnreadableCursor
from chalicelib.services.feed import scopes
from chalicelib.services.feed.reading import CursorGone, Feed, TooManyLogs


@dataclass(frozen=True, slots=True)
class EventEndpoints:
    feed: Feed
    pairs: Pairs

    def of_customer(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET events. The customer's events after a cursor, of one pair or of all."""
        query = Query(request.query)
        pair, after = query.text("pair"), query.text("after")
        limit = query.integer("limit", events.LIMIT_DEFAULT, events.LIMIT_MAX)
        books = None if pair is None else frozenset(self.pairs.every_book(caller.instance, pair))
        scope = scopes.of_instance(caller.instance, caller.name, books)
        try:
            found = events.followed(self.feed, scope, after, limit, request.headers.get("prefer", ""))
        except UnreadableCursor as error:
            raise invalid("after") from error
        except TooManyLogs as error:
            raise invalid("pair") from error
        except CursorGone as gone:
            raise Fault(Error.CURSOR_GONE, data={"cursor": gone.begin.to_text()}) from gone
        data = {"events": found.events, "cursor": found.cursor, "has_more": found.has_more}
        return envelope.success(data, found.headers)
