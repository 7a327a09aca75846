"""Endpoint: follow what happens to a merchant's escrow orders (docs/events.md)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.escrow.bodies import Body
from chalicelib.apis.escrow.envelope import Errors, breaks_rule, gone, invalid_field, response, single
from chalicelib.apis.escrow.gate import Caller
from chalicelib.apis.escrow.kinds import integer, text
from chalicelib.apis.escrow.schema import Schema, refuse
from chalicelib.apis.kit import events
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.feed.cursor import TEXT_CHARACTERS_MAX, UnreadableCursor
from chalicelib.services.feed import scopes
from chalicelib.services.feed.reading import CursorGone, Feed

QUERY = Schema(
    {
        "after": text(TEXT_CHARACTERS_MAX, "[A-Za-z0-9_-]+", events.CURSOR_MESSAGE),
        "limit": integer(1, events.LIMIT_MAX),
    }
)


@dataclass(frozen=True, slots=True)
class EventEndpoints:
    feed: Feed

    def follow(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """GET events. 200 with the merchant's events after a cursor, in the world of its key."""
        errors = Errors()
        sent = QUERY.read({name: values[-1] for name, values in request.query.items() if values})
        asked = QUERY.checked(sent, Body({}), errors)
        refuse(errors)
        scope = scopes.of_merchant(caller.instance, caller.world.value, caller.owner.merchant)
        limit, prefer = asked.get("limit", events.LIMIT_DEFAULT), request.headers.get("prefer", "")
        try:
            found = events.followed(self.feed, scope, asked.get("after"), limit, prefer)
        except UnreadableCursor as error:
            raise invalid_field("after", breaks_rule("after", events.CURSOR_MESSAGE)) from error
        except CursorGone as error:
            raise gone(error.begin.to_text()) from error
        data = {"events": found.events, "cursor": found.cursor, "has_more": found.has_more}
        return response(200, single(data), found.headers)
