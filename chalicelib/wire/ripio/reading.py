"""The endpoints that change nothing, by their routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.depths import Depths
from chalicelib.market_data import MarketData
from chalicelib.stores.accounts import Accounts
from chalicelib.stores.books import Books
from chalicelib.stores.candles import Candles
from chalicelib.stores.dynamodb import Database
from chalicelib.stores.external_ids import ExternalIds
from chalicelib.stores.fills import Fills
from chalicelib.stores.orders import Orders
from chalicelib.stores.tokens import Tokens
from chalicelib.tape import Tape
from chalicelib.wire.http import HttpRequest, HttpResponse
from chalicelib.wire.ripio.balances import BalanceEndpoints
from chalicelib.wire.ripio.envelope import Envelope
from chalicelib.wire.ripio.gate import Caller
from chalicelib.wire.ripio.listing import ListingEndpoints
from chalicelib.wire.ripio.market import MarketEndpoints
from chalicelib.wire.ripio.order_detail import OrderDetailEndpoints
from chalicelib.wire.ripio.pairs import Pairs
from chalicelib.wire.ripio.tickers import TickerEndpoints
from chalicelib.wire.ripio.trades import TradeEndpoints


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
