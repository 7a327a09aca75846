"""Endpoint: list a customer's trades of a pair (R32).

The list goes through the trades of the customer in its window, also those in other pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ulid import ULID

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import ulid_of
from chalicelib.apis.trade.order_detail import EXTERNAL_ID_CHARACTERS_MAX
from chalicelib.apis.trade.paging import page_of
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.query import Query
from chalicelib.apis.trade.views import trade_view
from chalicelib.domain.books.fills import Fill
from chalicelib.services.books.reading import BooksReading


@dataclass(frozen=True, slots=True)
class TradeEndpoints:
    reading: BooksReading
    pairs: Pairs

    def of_customer(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET user/trades. A page of the customer's trades in a pair, or in one order, newest first."""
        query = Query(request.query)
        order_id, external_id = query.order_id("order_id"), query.text("external_id")
        pair, window = query.required("pair"), query.window("start_date", "end_date", envelope.now_ms)
        paging = query.paging()
        markets = self.pairs.every_book(caller.instance, pair)
        wanted: list[str | None] = [] if order_id is None else [order_id]
        if external_id is not None:
            wanted.append(self._order_of(caller, external_id))

        def until(to_ms: int, wanted_rows: int) -> Iterator[tuple[str, Fill]]:
            to_ms = min(window.to_ms, to_ms)
            fills = self.reading.fills(caller.instance, caller.name, wanted_rows, window.from_ms, to_ms)
            return (
                (ulid, fill)
                for ulid, fill in _taker_first(fills)
                if fill.book_id in markets and all(fill.order_id == each for each in wanted)
            )

        page = page_of(until, lambda row: row[0], paging)
        shown = [trade_view(fill, markets[fill.book_id]) for _, fill in page.rows]
        return envelope.success({"trades": shown, "pagination": page.pagination, **page.cursors})

    def _order_of(self, caller: Caller, external_id: str) -> str | None:
        """Return the id of the order with this external id, None if there is none."""
        is_possible = len(external_id) <= EXTERNAL_ID_CHARACTERS_MAX
        return self.reading.order_id_of(caller.instance, caller.name, external_id) if is_possible else None


def _taker_first(fills: Iterable[Fill]) -> Iterator[tuple[str, Fill]]:
    """Yield (position, fill) in the order of the list; of a self-trade the taker's fill first (R32).

    A position is the trade's ULID. The second fill of a self-trade has the ULID less one, which no other trade has, so
    a page may end between the two.
    """
    for trade_id, halves in groupby(fills, lambda fill: fill.trade_id):
        place = ULID.from_str(ulid_of(trade_id))
        for number, fill in enumerate(sorted(halves, key=lambda fill: fill.is_maker)):
            yield str(ULID.from_int(int(place) - number)), fill
