"""Endpoints: tickers, which show a pair's trading in the last 24 hours and its best prices (R34)."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.pairs import Market, Pairs, pair_in_path
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.services.books.market_data import DayOfBook, MarketData
from chalicelib.support.clock import iso

PERCENT_DECIMALS = 2


@dataclass(frozen=True, slots=True)
class TickerEndpoints:
    pairs: Pairs
    market_data: MarketData

    def every(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:  # noqa: ARG002
        """GET public/tickers, GET ticker. One ticker for each pair whose book is not CLOSED, by pair."""
        markets = [market for market in self.pairs.of_instance(caller.instance) if market.is_open]
        days = self.market_data.days([market.key for market in markets], envelope.now_ms)
        looked_at = self.pairs.with_halts(markets, envelope.now_ms)
        return envelope.success([ticker_of(market, days[market.key], envelope.now_ms) for market in looked_at])

    def one(self, request: HttpRequest, caller: Caller, envelope: Envelope) -> HttpResponse:
        """GET public/tickers/{pair}, GET ticker/{pair}."""
        market = self.pairs.open_book(caller.instance, pair_in_path(request))
        (market,) = self.pairs.with_halts([market], envelope.now_ms)
        days = self.market_data.days([market.key], envelope.now_ms)
        return envelope.success(ticker_of(market, days[market.key], envelope.now_ms))


def ticker_of(market: Market, day: DayOfBook, now_ms: int) -> dict[str, object]:
    base, quote, total = market.decimals.base, market.decimals.quote, day.total
    return {
        "pair": market.pair,
        "base_code": market.base_code,
        "quote_code": market.quote_code,
        "base_id": shown(market.base.token_id),
        "quote_id": shown(market.quote.token_id),
        "high": dec(total.high if total else 0, quote),
        "low": dec(total.low if total else 0, quote),
        "first": dec(total.first if total else 0, quote),
        "last": dec(day.last or 0, quote),
        "bid": dec(day.bid or 0, quote),
        "ask": dec(day.ask or 0, quote),
        "volume": dec(total.volume if total else 0, base),
        "quote_volume": dec(total.quote_volume if total else 0, quote),
        "trades_quantity": total.trades if total else 0,
        "price_change_percent_24h": price_change_percent(day),
        "is_frozen": market.book.shown_status is not BookStatus.ACTIVE,
        "date": iso(now_ms),
    }


def price_change_percent(day: DayOfBook) -> str:
    """Return the change of the price in a day in percent: two decimals at most, half away from zero (R34)."""
    if day.total is None or day.last is None:
        return "0"
    first, scale = day.total.first, 100 * 10**PERCENT_DECIMALS
    moved = day.last - first
    rounded = (2 * abs(moved) * scale + first) // (2 * first)
    return dec(-rounded if moved < 0 else rounded, PERCENT_DECIMALS).text
