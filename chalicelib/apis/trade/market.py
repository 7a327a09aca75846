"""Endpoints: a pair's trades, its depth by price or by order, and the pairs (R33, R35, R58).

Public routes and private ones answer the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import merge

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.figures import Decimals, side_word, trade_figures_of, type_word
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import shown, ulid_of
from chalicelib.apis.trade.paging import page_of
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.place_schema import VALUE_MIN
from chalicelib.apis.trade.query import Query
from chalicelib.apis.trade.window import Window
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.books.depth import DepthReader, RestingOrder
from chalicelib.services.books.trades import PublicTrade, TradeHistory
from chalicelib.support.canonical import Number
from chalicelib.support.clock import iso

LEVELS_DEFAULT, LEVELS_MAX = 100, 1000
ORDERS_DEFAULT, ORDERS_MAX = 100, 250
HASHED_LEVELS = 10
PERCENT_DECIMALS = 2
"""One hundredth of a percent is the unit of a price band."""


@dataclass(frozen=True, slots=True)
class MarketEndpoints:
    pairs: Pairs
    tape: TradeHistory
    depths: DepthReader

    def trades(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/trades, GET trades. Trades of a pair, newest first, without a total."""
        query = Query(request.query)
        pair, window = query.required("pair"), query.window("start_time", "end_time", envelope.now_ms)
        paging = query.paging(has_pages=False)
        markets = self.pairs.every_book(caller.instance, pair)

        def until(to_ms: int, _wanted: int) -> Iterable[tuple[PublicTrade, Market]]:
            return self._tape(markets.values(), window.until(to_ms))

        page = page_of(until, lambda row: ulid_of(row[0].trade_id), paging, is_counted=False)
        return envelope.success({"trades": [public_trade_view(*row) for row in page.rows], **page.cursors})

    def _tape(self, markets: Iterable[Market], window: Window) -> Iterable[tuple[PublicTrade, Market]]:
        """Return the trades of these books, newest first, ties by id."""

        def of_market(market: Market) -> Iterable[tuple[PublicTrade, Market]]:
            trades = self.tape.trades(market.key, window.from_ms, window.to_ms)
            return ((trade, market) for trade in trades)

        return merge(*map(of_market, markets), key=lambda row: row[0].trade_id, reverse=True)

    def level_2(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/orders/level-2, GET book/orders/level-2. Open quantity by price, best first."""
        query = Query(request.query)
        pair, levels = query.required("pair"), _levels(query)
        market = self.pairs.open_book(caller.instance, pair)
        bids, asks = self.depths.of_book(market.book, max(levels, HASHED_LEVELS))
        decimals = market.decimals
        return envelope.success(
            {
                "timestamp": envelope.now_ms,
                "asks": [level_view(*level, decimals) for level in asks[:levels]],
                "bids": [level_view(*level, decimals) for level in bids[:levels]],
                "hash": depth_hash(bids, asks, decimals),
            }
        )

    def level_3(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/orders/level-3, GET book/orders/level-3. Each resting order, by price and time, best first."""
        query = Query(request.query)
        pair, orders = query.required("pair"), query.integer("limit", ORDERS_DEFAULT, ORDERS_MAX)
        market = self.pairs.open_book(caller.instance, pair)
        bids, asks = self.depths.orders_of_book(market.book, max(orders, HASHED_LEVELS))
        decimals = market.decimals
        return envelope.success(
            {
                "timestamp": envelope.now_ms,
                "asks": [_order_view(order, decimals) for order in asks[:orders]],
                "bids": [_order_view(order, decimals) for order in bids[:orders]],
                "hash": depth_hash(map(level_of, bids), map(level_of, asks), decimals),
            }
        )

    def server_time(self, _request: HttpRequest, _caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/server-time. In the data and in the envelope."""
        return envelope.success({"timestamp": envelope.now_ms}, at_ms=envelope.now_ms)

    def list_pairs(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/pairs, GET pairs. Pairs whose book is not CLOSED, by symbol; with ``pair`` only that one."""
        pair = Query(request.query).text("pair")
        if pair is None:
            markets = [market for market in self.pairs.of_instance(caller.instance) if market.is_open]
        else:
            markets = [self.pairs.open_book(caller.instance, pair)]
        return envelope.success([_pair_view(market) for market in self.pairs.with_halts(markets, envelope.now_ms)])


def _levels(query: Query) -> int:
    return LEVELS_MAX if query.text("limit") == "max" else query.integer("limit", LEVELS_DEFAULT, LEVELS_MAX)


def public_trade_view(trade: PublicTrade, market: Market) -> dict[str, object]:
    figures = trade_figures_of(trade.price, trade.quantity, trade.notional, market.decimals)
    maker_side = Side.SELL if trade.taker_side is Side.BUY else Side.BUY
    return {
        "amount": figures.amount,
        "date": iso(trade.at_ms),
        "id": shown(trade.trade_id),
        "maker_order_id": shown(trade.maker_order_id),
        "maker_side": side_word(maker_side),
        "maker_type": type_word(trade.maker_type),
        "price": figures.price,
        "pair": market.pair,
        "taker_order_id": shown(trade.taker_order_id),
        "taker_side": side_word(trade.taker_side),
        "taker_type": type_word(trade.taker_type),
        "timestamp": trade.at_ms,
        "total_value": figures.total_value,
    }


def level_view(price: int, quantity: int, decimals: Decimals) -> dict[str, Number]:
    return {"amount": dec(quantity, decimals.base), "price": dec(price, decimals.quote)}


def _order_view(order: RestingOrder, decimals: Decimals) -> dict[str, object]:
    return {"id": shown(order.order_id), **level_view(order.price, order.quantity, decimals)}


def level_of(order: RestingOrder) -> tuple[int, int]:
    """Return an order as a level of its own: its price, and its open quantity."""
    return order.price, order.quantity


def depth_hash(bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]], decimals: Decimals) -> str:
    """Return the checksum of the best ten levels (price, quantity) of each side, best first (R33).

    >>> depth_hash([], [(1601539, 15000000)], Decimals(8, 2))
    '3417282216'
    """
    best = [*list(bids)[:HASHED_LEVELS], *list(asks)[:HASHED_LEVELS]]
    numbers = (
        number for price, quantity in best for number in (dec(price, decimals.quote), dec(quantity, decimals.base))
    )
    text = "".join(number.text.replace(".", "").lstrip("0") for number in numbers)
    return str(zlib.crc32(text.encode("ascii")))


def _pair_view(market: Market) -> dict[str, object]:
    book, decimals = market.book, market.decimals
    view: dict[str, object] = {
        "amount_tick": dec(book.lot_size, decimals.base),
        "base": market.base_code,
        "base_name": market.base.name,
        "quote": market.quote_code,
        "quote_name": market.quote.name,
        "symbol": market.pair,
        "enabled": book.shown_status is BookStatus.ACTIVE,
        "min_amount": dec(book.order_size_min or 1, decimals.base),
        "price_tick": dec(book.tick_size or 1, decimals.quote),
        "min_value": dec(max(VALUE_MIN, book.min_order_value), decimals.quote),
        "countries": [],
    }
    if book.price_band_bps:
        view["max_price_variation"] = dec(book.price_band_bps, PERCENT_DECIMALS)
    return view
