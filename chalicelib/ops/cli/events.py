"""The command ``events``: prints events of the feed, one JSON line each, with the cursor behind it (docs/events.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.apis.kit.events import START, TYPES_MESSAGE, TYPES_PATTERN, WAIT_S_MAX
from chalicelib.domain.feed.cursor import Cursor, UnreadableCursor, cursor_of
from chalicelib.domain.feed.shown import event_json
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.tenancy.instances import World
from chalicelib.ops.cli import books
from chalicelib.ops.cli.arguments import Instance, Printed, asset, customer_ref, exclusive, pattern, read_by, whole
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.ops.cli.output import Asked, prints
from chalicelib.ops.cli.tenants import tenants
from chalicelib.services.feed import scopes
from chalicelib.services.feed.reading import EVENTS_MAX, CursorGone, Feed, Page, Scope, TooManyLogs
from chalicelib.support.clock import now_ms
from chalicelib.tables.escrow_settings import EscrowDesks

LIMIT_DEFAULT = 100
_MERCHANT = pattern(f"({'|'.join(World)})/.+", f"must be WORLD/MERCHANT; WORLD: {', '.join(World)}")
_WHOSE = exclusive(0)


def _types(text: str) -> frozenset[str]:
    """Return the types of a comma list."""
    from chalicelib.services.feed.types import ALL_TYPES

    named = frozenset(pattern(TYPES_PATTERN, TYPES_MESSAGE)(text).split(","))
    if not named <= ALL_TYPES:
        raise ValueError(TYPES_MESSAGE)
    return named


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Whose events, and which of them."""

    instance: Instance
    customer: Annotated[
        str | None,
        read_by(customer_ref, "its orders, fills and balances; default: all of the instance", group=_WHOSE),
    ] = None
    maker: Annotated[str | None, read_by(asset, "its signed orders", group=_WHOSE, metavar="ADDRESS")] = None
    taker: Annotated[
        str | None, read_by(asset, "its locks and fills, and what can be locked", group=_WHOSE, metavar="ADDRESS")
    ] = None
    merchant: Annotated[
        str | None, read_by(_MERCHANT, "its escrow orders in one world", group=_WHOSE, metavar="WORLD/MERCHANT")
    ] = None
    book: Annotated[
        list[str] | None, Parameter(help="events of this book alone; repeatable", metavar="ORDER_BOOK_ID")
    ] = None
    types: Annotated[frozenset[str] | None, read_by(_types, "events of these types alone", metavar="TYPE,...")] = None

    def scope(self) -> Scope:
        instance, named = tenants().get(self.instance).instance, frozenset(self.book) if self.book else None
        types = self.types
        of_signed_or_escrow_orders = self.maker or self.taker or self.merchant
        if named and of_signed_or_escrow_orders:
            raise CommandFailed("--book is of no use there: signed and escrow orders are in no book")
        if self.maker:
            return scopes.of_maker(instance, self.maker, types)
        if self.taker:
            return scopes.of_taker(instance, self.taker, types)
        if self.merchant:
            world, _, merchant = self.merchant.partition("/")
            EscrowDesks(wiring.database()).merchant(instance, merchant)
            return scopes.of_merchant(instance, world, merchant, types)
        for book_id in named or ():
            books.require_book(book_key(instance, book_id))
        return scopes.of_instance(instance, self.customer, named, types)


app = App(name="events")


def _lines(printed: Printed) -> Iterator[str]:
    yield from map(json.dumps, printed.get("events", ()))


@app.default
@prints(_lines, is_for_programs=True)
def events(
    *,
    wanted: Wanted,
    after: Annotated[
        str | None, Parameter(help=f"or {START}: from the oldest kept; default: from now", metavar="CURSOR")
    ] = None,
    limit: Annotated[int | None, read_by(whole(1, 10**9 - 1), "events at most; default: 100", metavar="N")] = None,
    follow: Annotated[bool, Parameter(help="wait for more until Ctrl-C; no limit unless one is given")] = False,
    asked: Asked,
) -> Printed:
    """Print events, one JSON line each, with the cursor behind it.

    $ tallybook events --instance inst_demo0001 --customer cust_12345 \\
        --after start
    """
    feed, scope = Feed(wiring.database(), now_ms), wanted.scope()
    if follow and asked.wants_json:
        raise CommandFailed("--json prints one object at the end; with --follow each line is one anyway")
    try:
        cursor = _cursor(feed, scope, after)
        if follow:
            return _follow(feed, scope, cursor, limit)
        return _printed(feed, scope, cursor, limit or LIMIT_DEFAULT)
    except UnreadableCursor as error:
        raise CommandFailed(f"--after must be a cursor of such a command: {error}") from error
    except CursorGone as gone:
        raise CommandFailed(f"{gone}; --after {gone.begin.to_text()} goes on from now") from gone
    except TooManyLogs as error:
        raise CommandFailed("the instance has too many books to follow at once; name them with --book") from error


def _cursor(feed: Feed, scope: Scope, after: str | None) -> Cursor:
    if after is None:
        return feed.ends(scope)
    return feed.beginning(scope) if after == START else cursor_of(after)


def _printed(feed: Feed, scope: Scope, cursor: Cursor, limit: int) -> Printed:
    events: list[dict[str, object]] = []
    has_more = True
    while has_more and len(events) < limit:
        page = feed.read(scope, cursor, min(limit - len(events), EVENTS_MAX))
        events += _with_cursors(page)
        cursor, has_more = page.cursor, page.has_more
    return {"events": events, "cursor": cursor.to_text(), "has_more": has_more}


def _follow(feed: Feed, scope: Scope, cursor: Cursor, limit: int | None) -> Printed:
    """Print events as they come, up to the limit or until Ctrl-C."""
    shown = 0
    try:
        while limit is None or shown < limit:
            wanted = EVENTS_MAX if limit is None else min(limit - shown, EVENTS_MAX)
            page = feed.wait(scope, cursor, wanted, WAIT_S_MAX)
            for event in _with_cursors(page):
                print(json.dumps(event), flush=True)
            cursor, shown = page.cursor, shown + len(page.events)
    except KeyboardInterrupt:  # the usual end
        pass
    return {}


def _with_cursors(page: Page) -> Iterator[dict[str, object]]:
    """Yield the events, each with the cursor behind it: ``--after`` it, the next one comes first."""
    for event, cursor in zip(page.events, page.cursors(), strict=True):
        yield {**event_json(event), "cursor": cursor.to_text()}
