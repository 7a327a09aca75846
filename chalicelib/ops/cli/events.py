"""The command ``events``: prints events of the feed, one JSON line each, with the cursor behind it (docs/events.md)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from chalicelib import wiring
from chalicelib.apis.kit.events import START, TYPES_MESSAGE, TYPES_PATTERN, WAIT_S_MAX
from chalicelib.domain.feed.cursor import Cursor, UnreadableCursor, cursor_of
from chalicelib.domain.feed.shown import event_json
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.tenancy.instances import World
from chalicelib.ops.cli import books
from chalicelib.ops.cli.arguments import CommandFailed, Printed, add_command, asset, pattern, whole
from chalicelib.ops.cli.tenants import tenants
from chalicelib.services.feed import scopes
from chalicelib.services.feed.reading import EVENTS_MAX, CursorGone, Feed, Page, Scope, TooManyLogs
from chalicelib.support.clock import now_ms
from chalicelib.tables.escrow_settings import EscrowDesks

LIMIT_DEFAULT = 100
_MERCHANT = pattern(f"({'|'.join(World)})/.+", f"must be WORLD/MERCHANT; WORLD: {', '.join(World)}")


def _types(text: str) -> frozenset[str]:
    """Return the types of a comma list."""
    from chalicelib.services.feed.types import ALL_TYPES

    named = frozenset(pattern(TYPES_PATTERN, TYPES_MESSAGE)(text).split(","))
    if not named <= ALL_TYPES:
        raise argparse.ArgumentTypeError(TYPES_MESSAGE)
    return named


def add_commands(groups: Any) -> None:
    """Add the command ``events``."""
    command = add_command(groups, "events", _events, "print events, one JSON line each, with the cursor behind it")
    command.set_defaults(lines=_lines)
    command.add_argument("--instance", required=True)
    whose = command.add_mutually_exclusive_group()
    whose.add_argument("--customer", help="its orders, fills and balances; default: all of the instance")
    whose.add_argument("--maker", type=asset, metavar="ADDRESS", help="its signed orders")
    whose.add_argument("--taker", type=asset, metavar="ADDRESS", help="its locks and fills, and what can be locked")
    whose.add_argument("--merchant", type=_MERCHANT, metavar="WORLD/MERCHANT", help="its escrow orders in one world")
    command.add_argument(
        "--book", action="append", metavar="ORDER_BOOK_ID", help="events of this book alone; repeatable"
    )
    command.add_argument("--types", type=_types, metavar="TYPE,...", help="events of these types alone")
    command.add_argument("--after", metavar="CURSOR", help=f"or {START}: from the oldest kept; default: from now")
    command.add_argument("--limit", type=whole(1, 10**9 - 1), metavar="N", help="events at most; default: 100")
    command.add_argument(
        "--follow", action="store_true", help="wait for more until Ctrl-C; no limit unless one is given"
    )


def _events(options: argparse.Namespace) -> Printed:
    feed, scope = Feed(wiring.database(), now_ms), _scope(options)
    if options.follow and options.json:
        raise CommandFailed("--json prints one object at the end; with --follow each line is one anyway")
    try:
        cursor = _cursor(feed, scope, options.after)
        if options.follow:
            return _follow(feed, scope, cursor, options.limit)
        return _printed(feed, scope, cursor, options.limit or LIMIT_DEFAULT)
    except UnreadableCursor as error:
        raise CommandFailed(f"--after must be a cursor of such a command: {error}") from error
    except CursorGone as gone:
        raise CommandFailed(f"{gone}; --after {gone.begin.to_text()} goes on from now") from gone
    except TooManyLogs as error:
        raise CommandFailed("the instance has too many books to follow at once; name them with --book") from error


def _scope(options: argparse.Namespace) -> Scope:
    instance, named = tenants().get(options.instance).instance, frozenset(options.book) if options.book else None
    types = options.types
    of_signed_or_escrow_orders = options.maker or options.taker or options.merchant
    if named and of_signed_or_escrow_orders:
        raise CommandFailed("--book is of no use there: signed and escrow orders are in no book")
    if options.maker:
        return scopes.of_maker(instance, options.maker, types)
    if options.taker:
        return scopes.of_taker(instance, options.taker, types)
    if options.merchant:
        world, _, merchant = options.merchant.partition("/")
        EscrowDesks(wiring.database()).merchant(instance, merchant)
        return scopes.of_merchant(instance, world, merchant, types)
    for book_id in named or ():
        books.require_book(book_key(instance, book_id))
    return scopes.of_instance(instance, options.customer, named, types)


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


def _lines(printed: Printed) -> Iterator[str]:
    yield from map(json.dumps, printed.get("events", ()))
