"""The endpoints that change nothing, by their routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.balances import BalanceEndpoints
from chalicelib.apis.trade.envelope import Envelope
from chalicelib.apis.trade.gate import Caller
from chalicelib.apis.trade.listing import ListingEndpoints
from chalicelib.apis.trade.market import MarketEndpoints
from chalicelib.apis.trade.order_detail import OrderDetailEndpoints
from chalicelib.apis.trade.pairs import Pairs
from chalicelib.apis.trade.tickers import TickerEndpoints
from chalicelib.apis.trade.trades import TradeEndpoints
from chalicelib.services.books.depths import Depths
from chalicelib.services.books.market_data import MarketData
from chalicelib.services.books.tape import Tape
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.books import Books
from chalicelib.tables.candles import Candles
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.fills import Fills
from chalicelib.tables.orders import Orders
from chalicelib.tables.tokens import Tokens


def reading_endpoints(
    database: Database, orders_max: int | None = None
) -> Mapping[str, Callable[[HttpRequest, Caller, Envelope], HttpResponse]]:
    orders, fills, external_ids = Orders(database), Fills(database), ExternalIds(database)
    books, tokens = Books(database), Tokens(database)
    pairs = Pairs(books, tokens)
    listing = ListingEndpoints(orders, pairs)
    detail = OrderDetailEndpoints(orders, external_ids, fills, pairs)
    market = MarketEndpoints(pairs, Tape(database), Depths(database, orders_max))
    tickers = TickerEndpoints(pairs, books, MarketData(Candles(database)))
    return {
        "GET /orders": listing.orders_of_pair,
        "GET /orders/open": listing.open_orders,
        "GET /orders/trades": detail.trades,
        "GET /orders/{id}": detail.by_id,
        "GET /orders/by-external-id/{external_id}": detail.by_external_id,
        "GET /user/trades": TradeEndpoints(fills, external_ids, pairs).of_customer,
        "GET /user/balances": BalanceEndpoints(Accounts(database), tokens).of_customer,
        "GET /trades": market.trades,
        "GET /public/trades": market.trades,
        "GET /book/orders/level-2": market.level_2,
        "GET /public/orders/level-2": market.level_2,
        "GET /ticker": tickers.every,
        "GET /public/tickers": tickers.every,
        "GET /ticker/{pair}": tickers.one,
        "GET /public/tickers/{pair}": tickers.one,
        "GET /pairs": market.list_pairs,
        "GET /public/pairs": market.list_pairs,
    }
