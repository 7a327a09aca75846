"""Commands that look at a market: ``book watch`` and ``tape``, over HTTP."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import urllib3
from cyclopts import App, Parameter
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chalicelib.ops.cli.accounts import units
from chalicelib.ops.cli.api_access import Access, BookId, failure_of, iso
from chalicelib.ops.cli.arguments import Printed, read_by, whole
from chalicelib.ops.cli.output import Asked
from tallybook_client import ApiError, BookDesk, Event, Feed, TlsFailed, Unreachable
from tallybook_client.book.models import Depth, Level

LEVELS_MAX, LIMIT_MAX = 100, 10**9 - 1
UPDATE_S = 1.0
"""Shortest time between two updates: a key has 200 requests a minute, and an update takes two."""
WAIT_S = 5
"""How long a request waits for news, and so how old an answer is at most while nothing happens."""
STALE_S = 15
"""Age of the last answer beyond which the ladder says so in red."""
AGAIN_S = 1.0
BAR_CHARACTERS = 20
_LOCAL = Access()

watch = App(name="watch")
tape = App(name="tape")


class _Heard(urllib3.PoolManager):
    """Connections that remember when the last answer came. heard_s: on the monotonic clock."""

    heard_s = 0.0

    def request(self, *arguments: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        answer = super().request(*arguments, **options)
        self.heard_s = time.monotonic()
        return answer


@dataclass
class Ladder:
    """A book's levels as they are shown. decimals: of the base and the quote asset. trouble: why it does not go on."""

    symbol: str
    decimals: tuple[int, int]
    depth: Depth
    http: _Heard
    changed_s: float
    trouble: str = ""

    def __rich__(self) -> Group:
        now_s = time.monotonic()
        heard_s = now_s - self.http.heard_s
        ages = f"entry {self.depth.sequence}, read {now_s - self.changed_s:.0f} s ago; last answer {heard_s:.0f} s ago"
        style = "bold red" if self.trouble or heard_s > STALE_S else "dim"
        head = Text.assemble((self.symbol, "bold"), "  ", (ages, style))
        return Group(head, *([Text(self.trouble, "bold red")] if self.trouble else ()), self._table())

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("", "quantity", "price"):
            table.add_column(name, justify="right")
        table.add_column("")
        most = max((level.quantity for level in (*self.depth.bids, *self.depth.asks)), default=1)
        for levels, style in ((reversed(self.depth.asks), "red"), (self.depth.bids, "green")):
            for level in levels:
                table.add_row(*self._row(level, style, most))
            if style == "red":
                table.add_row("", "", Text(self._spread(), "dim"), "")
        return table

    def _row(self, level: Level, style: str, most: int) -> tuple[str | Text, ...]:
        base, quote = self.decimals
        bar = Text("█" * max(1, level.quantity * BAR_CHARACTERS // most), style)
        side = "ask" if style == "red" else "bid"
        return Text(side, style), units(level.quantity, base), Text(units(level.price, quote), style), bar

    def _spread(self) -> str:
        if not (self.depth.bids and self.depth.asks):
            return "one side is empty" if self.depth.bids or self.depth.asks else "the book is empty"
        return f"spread {units(self.depth.asks[0].price - self.depth.bids[0].price, self.decimals[1])}"


@watch.default
def watch_book(
    book: BookId,
    /,
    *,
    levels: Annotated[int, read_by(whole(1, LEVELS_MAX), "of each side, 1 to 100")] = 10,
    limit: Annotated[int | None, read_by(whole(1, LIMIT_MAX), "end after so many states of the book")] = None,
    access: Access = _LOCAL,
    asked: Asked,
) -> Printed:
    """Show a book's best levels, live, until Ctrl-C; in a pipe one JSON object a line.

    $ tallybook book watch ob_offchain_001 --limit 1
    """
    http = _Heard()
    with access.desk(book, http=http, answer_s=STALE_S) as desk:
        found = desk.books.one(book)
        base, quote = (desk.ledger.token(one).decimals for one in (found.token_address, found.quote_token_address))
        feed = desk.events(order_book_id=book, wait_s=WAIT_S)  # from now on: what comes after the depth is read
        ladder = Ladder(found.symbol, (base, quote), desk.books.depth(book, levels), http, time.monotonic())
        is_live = sys.stdout.isatty() and not asked.wants_json
        with Live(ladder, refresh_per_second=4) if is_live else nullcontext():
            try:
                for _ in islice(_states(desk, feed, ladder, book, levels), limit):
                    if not is_live:
                        print(json.dumps(_shown(ladder.depth)), flush=True)
            except KeyboardInterrupt:  # the usual end
                pass
    return {}


def _states(desk: BookDesk, feed: Feed, ladder: Ladder, book: str, levels: int) -> Iterator[None]:
    """Yield at each new state of the ladder. Tries again, and says so in the ladder, while the API does not answer."""
    yield
    is_behind = False  # also after a failure, or a quiet book would stay as it was before
    while True:
        began_s = time.monotonic()
        try:
            while not is_behind:
                is_behind = next(feed).sequence > ladder.depth.sequence
            ladder.depth, ladder.changed_s, ladder.trouble = desk.books.depth(book, levels), time.monotonic(), ""
        except (ApiError, Unreachable) as error:
            is_behind, ladder.trouble = True, str(failure_of(error, "the API"))
            _await_api(error)
            continue
        is_behind = False
        yield
        time.sleep(max(0.0, began_s + UPDATE_S - time.monotonic()))


def _followed(feed: Feed) -> Iterator[Event]:
    """Yield a feed's events. Goes on where it was while the API does not answer."""
    while True:
        try:
            event = next(feed)
        except (ApiError, Unreachable) as error:
            _await_api(error)
            continue
        yield event


def _await_api(error: ApiError | Unreachable) -> None:
    """Pause before another attempt. Raises the error if another attempt has the same end."""
    if isinstance(error, TlsFailed) or (isinstance(error, ApiError) and not error.retryable):
        raise error
    time.sleep(AGAIN_S)


def _shown(depth: Depth) -> Printed:
    def side(levels: tuple[Level, ...]) -> list[Printed]:
        return [{"price": str(level.price), "quantity": str(level.quantity)} for level in levels]

    return {
        "order_book_id": depth.order_book_id,
        "sequence": depth.sequence,
        "bids": side(depth.bids),
        "asks": side(depth.asks),
    }


@tape.default
def show_trades(
    book: BookId,
    /,
    *,
    limit: Annotated[int | None, read_by(whole(1, LIMIT_MAX), "trades at most; default: 20")] = None,
    follow: Annotated[bool, Parameter(help="print trades as they come, one JSON object a line, until Ctrl-C")] = False,
    access: Access = _LOCAL,
) -> Printed:
    """Show a book's last trades, newest first, or follow them.

    $ tallybook tape ob_offchain_001 --limit 5
    """
    with access.desk(book) as desk:
        if not follow:
            found = desk.books.trades(book, limit=limit or 20)
            trades = [
                {
                    "trade_id": trade.id,
                    "price": str(trade.price),
                    "quantity": str(trade.quantity),
                    "timestamp": iso(trade.timestamp),
                }
                for trade in found
            ]
            return {"order_book_id": book, "trades": trades}
        desk.books.one(book)  # the feed of a book that is not there would wait for ever
        try:
            for event in islice(_followed(desk.events(order_book_id=book, types=["trade.executed"])), limit):
                print(json.dumps(_trade(event)), flush=True)
        except KeyboardInterrupt:  # the usual end
            pass
    return {}


def _trade(event: Event) -> Printed:
    body = event.body
    return {
        "trade_id": body["tradeId"],
        "price": body["price"],
        "quantity": body["quantity"],
        "timestamp": iso(event.time),
        "taker_side": body["takerSide"],
    }
