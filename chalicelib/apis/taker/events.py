"""Endpoints: follow what happens to a taker's and to a maker's signed orders (docs/events.md)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit import events
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.taker.envelope import Error, Fault, invalid, success
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.list_schema import events_query
from chalicelib.domain.feed.cursor import UnreadableCursor
from chalicelib.services.feed import scopes
from chalicelib.services.feed.reading import CursorGone, Feed, Scope


@dataclass(frozen=True, slots=True)
class EventEndpoints:
    feed: Feed

    def of_taker(self, request: HttpRequest, caller: Caller) -> object:
        """GET takers/events. Events of the taker's locks and fills, and of orders that can be locked."""
        return self._followed(request, scopes.of_taker(caller.instance, caller.address))

    def of_maker(self, request: HttpRequest, caller: Caller) -> object:
        """GET makers/events. Events of the maker's orders."""
        return self._followed(request, scopes.of_maker(caller.instance, caller.address))

    def _followed(self, request: HttpRequest, scope: Scope) -> HttpResponse:
        after, limit = events_query(request.query)
        wanted = min(limit or events.LIMIT_DEFAULT, events.LIMIT_MAX)
        try:
            found = events.followed(self.feed, scope, after, wanted, request.headers.get("prefer", ""))
        except UnreadableCursor as error:
            raise invalid({"after": events.CURSOR_MESSAGE}) from error
        except CursorGone as gone:
            raise Fault(Error.CURSOR_GONE, events.GONE_MESSAGE, {"cursor": gone.begin.to_text()}) from gone
        data = {"events": found.events, "cursor": found.cursor, "has_more": found.has_more}
        return success(data, found.headers)
