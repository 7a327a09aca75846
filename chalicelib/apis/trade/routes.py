"""The trade desk's routes, served below both of its mounts (R1 to R3)."""

from __future__ import annotations

from typing import Any

from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.kit.routing import Decoding, Route, RouteTable
from chalicelib.domain.tenancy.keys import Permission

READ, BUY_SELL = Permission.READ, Permission.BUY_SELL
MOUNT, *OTHER_MOUNTS = MOUNTS["trade"]
WORDS_AFTER_ORDERS = frozenset(
    (
        *("open", "trades", "all", "cancel", "by-external-id", "cancel-by-external-id", "estimate-price"),
        "cancel-all-after",
    )
)
"""Words that are never an order's id, for any method (R1)."""
PAGE, WINDOW = ("page_size", "current_page", "c"), ("start_date", "end_date")
STATEMENT = ("start_time", "end_time", "page_size", "current_page")
SIGNED = (
    *("AUTHORIZATION_MISSING", "TIMESTAMP_MISSING", "SIGNATURE_MISSING", "TIMESTAMP_INVALID", "TOKEN_INVALID"),
    *("TOKEN_BLOCKED", "OUTSIDE_WINDOW", "SIGNATURE_INVALID", "LIMIT_EXCEEDED", "FORBIDDEN"),
)
"""Errors of the gate for signed requests (R10)."""


def _route(
    method: str, path: str, auth: Permission | None, endpoint: str, answer: str, *errors: str, **more: Any
) -> Route[Permission | None]:
    aliases = tuple(mount + path for mount in OTHER_MOUNTS)
    return Route(method, MOUNT + path, endpoint, auth, answer, errors=errors, aliases=aliases, **more)


def _cancel(method: str, path: str, name: str, reader: str) -> Route[Permission | None]:
    """Return a route that cancels one order."""
    refusals = ("ORDER_NOT_FOUND", "ALREADY_CANCELED", "EXECUTED_COMPLETELY", "CANCEL_PENDING")
    return _route(method, path, BUY_SELL, name, "CancelledOrder", *refusals, body=f"change_schema:{reader}")


def _market(path: str, private: str, name: str, answer: str, *errors: str, **more: Any) -> list[Route[Any]]:
    """Return the public and the private route of the same market data."""
    return [
        _route("GET", f"/public{path}", None, name, answer, *errors, **more),
        _route("GET", private, READ, name, answer, *errors, **more),
    ]


ROUTES: RouteTable[Permission | None] = RouteTable(
    "trade",
    (
        _route("GET", "/orders", READ, "listing.orders_of_pair", "OrderPage", "PAIR_NOT_FOUND",
               query=("pair", "status", "side", "type", "ids", *WINDOW, "updated_since", *PAGE)),
        _route("POST", "/orders", BUY_SELL, "placing.place", "PlacedOrder",
               "UNSUPPORTED", "PAIR_NOT_FOUND", "MINIMUM_NOT_REACHED", "INSUFFICIENT_FUNDS",
               body="place_schema:PlaceBody", headers=("Prefer",), counts_refusals=True),
        _route("PUT", "/orders", BUY_SELL, "amending.amend", "AmendedOrder", "ORDER_NOT_FOUND", "ALREADY_CANCELED",
               "EXECUTED_COMPLETELY", "UNSUPPORTED", "MINIMUM_NOT_REACHED", "INSUFFICIENT_FUNDS", "AMENDMENT_PENDING",
               body="change_schema:amend_body"),
        _cancel("DELETE", "/orders", "cancels.by_id", "order_id_member"),
        _cancel("POST", "/orders/cancel", "cancels.by_id", "order_id_member"),
        _cancel("DELETE", "/orders/by-external-id", "cancels.by_external_id", "external_id_member"),
        _cancel("POST", "/orders/cancel-by-external-id", "cancels.by_external_id", "external_id_member"),
        _route("DELETE", "/orders/all", BUY_SELL, "cancels.all_of_customer", "CancelledOrders",
               "PAIR_NOT_FOUND", "NOTHING_TO_CANCEL", body="change_schema:pair_to_cancel"),
        _route("POST", "/orders/cancel-all-after", BUY_SELL, "cancel_after.set", "CancelAllAfter",
               body="change_schema:timeout_member"),
        _route("GET", "/orders/open", READ, "listing.open_orders", "OrderPage", "PAIR_NOT_FOUND",
               query=("pair", "side", *PAGE)),
        _route("GET", "/orders/trades", READ, "detail.trades", "TradePage", "ORDER_NOT_FOUND",
               query=("order_id", *PAGE)),
        _route("GET", "/orders/estimate-price/{pair}", READ, "costs.estimate_price", "EstimatedPrice", "PAIR_NOT_FOUND",
               query=("amount", "side")),
        _route("GET", "/orders/{id}", READ, "detail.by_id", "Order", "ORDER_NOT_FOUND"),
        _route("GET", "/orders/by-external-id/{external_id}", READ, "detail.by_external_id", "Order",
               "ORDER_NOT_FOUND"),
        _route("GET", "/user/trades", READ, "trades.of_customer", "TradePage", "PAIR_NOT_FOUND",
               query=("order_id", "external_id", "pair", *WINDOW, *PAGE)),
        _route("GET", "/user/balances", READ, "balances.of_customer", "Balances", query=("currency_code",)),
        _route("GET", "/user/balances/{date}", READ, "history.balances", "EarlierBalances"),
        _route("GET", "/user/statement", READ, "history.statement", "Statement", query=STATEMENT),
        _route("GET", "/user/statement/{currency_code}", READ, "history.statement_of_currency", "Statement",
               "CURRENCY_NOT_FOUND", query=STATEMENT),
        _route("GET", "/user/trading-fees", READ, "costs.trading_fees", "TradingFees", "PAIR_NOT_FOUND",
               query=("pair",)),
        _route("GET", "/events", READ, "events.of_customer", "Events", "PAIR_NOT_FOUND", "CURSOR_GONE",
               query=("pair", "after", "limit"), headers=("Prefer",)),
        *_market("/trades", "/trades", "market.trades", "MarketTrades", "PAIR_NOT_FOUND",
                 query=("pair", "start_time", "end_time", "page_size", "c")),
        *_market("/orders/level-2", "/book/orders/level-2", "market.level_2", "Depth", "PAIR_NOT_FOUND",
                 query=("pair", "limit")),
        *_market("/orders/level-3", "/book/orders/level-3", "market.level_3", "OrdersInDepth", "PAIR_NOT_FOUND",
                 query=("pair", "limit")),
        *_market("/tickers", "/ticker", "tickers.every", "Tickers"),
        *_market("/tickers/{pair}", "/ticker/{pair}", "tickers.one", "Ticker", "PAIR_NOT_FOUND"),
        *_market("/pairs", "/pairs", "market.list_pairs", "Pairs", "PAIR_NOT_FOUND", query=("pair",)),
        *_market("/currencies", "/currencies", "currencies.listed", "Currencies", query=("currency_code",)),
        _route("GET", "/public/countries", None, "currencies.countries", "Countries"),
        _route("POST", "/ticket", READ, "tickets.issue", "Ticket"),
        _route("GET", "/public/server-time", None, "market.server_time", "ServerTime"),
    ),
    errors=("INVALID_PARAMETERS", "TOO_MANY_REQUESTS", "INTERNAL", "MAINTENANCE"),
    errors_of={READ: SIGNED, BUY_SELL: SIGNED, None: ("NO_ROUTE",)},
    decoding=Decoding.COMPARED,
    not_ids={"id": WORDS_AFTER_ORDERS},
)  # fmt: skip
