"""The taker desk's routes (K3)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.kit.routing import Route, RouteTable


class Auth(Enum):
    """The credential that a route needs."""

    NONE = "nothing"
    PUBLIC = "nothing, at the public instance"
    MAKER = "a JWT"
    TAKER = "an API key"


(MOUNT,) = MOUNTS["taker"]
PAGE = ("sort_by", "sort_order", "page", "page_size")
ORDER_FILTER = ("ticker", "exchange", "is_buy")
NO_ORDER_IDS = frozenset(
    {
        *("available", "filled", "maker", "estimate_charge"),
        *("validate", "lock", "unlock", "fill", "reject", "cancel-result"),
    }
)
"""Words after ``/orders/`` that name no order."""
OF_ORDER = ("NOT_FOUND", "CONFLICT")
"""Errors of every command on an order."""

FOLLOWED: dict[str, Any] = {"query": ("after", "limit"), "headers": ("Prefer",), "errors": ("CURSOR_GONE",)}


def _between(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{end}" for name in names for end in ("min", "max"))


CREATED = ("created_after", "created_before")
FILLS = (
    *("order_id", "order_hash", *ORDER_FILTER, "taker", "tx_hash"),
    *_between("fill_quantity", "fill_amount", "fee_amount", "incentive_amount", "block_number"),
    *("status", *CREATED, *PAGE),
)
MAKERS_ORDERS = (
    *("order_hash", "principal", *ORDER_FILTER, "ticker_like", "asset", "nonce"),
    *_between("price", "quantity", "incentive", "filled_quantity"),
    *("deadline_after", "deadline_before", *CREATED, "status", *PAGE, "fills_page"),
)


def _route(method: str, path: str, auth: Auth, endpoint: str, answer: str, alias: str = "", **more: Any) -> Route[Auth]:
    aliases = (MOUNT + alias,) if alias else ()
    headers = (*more.pop("headers", ()), "X-REQUEST-ID")
    return Route(method, MOUNT + path, endpoint, auth, answer, aliases=aliases, headers=headers, **more)


def _command(word: str, endpoint: str, body: str, answer: str, *errors: str) -> Route[Auth]:
    """Return the route of a taker's command, served at two paths."""
    path, alias = f"/orders/{word}", f"/takers/orders/{word}"
    return _route("POST", path, Auth.TAKER, endpoint, answer, alias, body=f"schema:{body}", errors=errors)


ROUTES = RouteTable(
    "taker",
    (
        _route("GET", "/takers/orders", Auth.TAKER, "lists.takers_orders", "OrderPage",
               query=("status", *ORDER_FILTER, *CREATED, *PAGE)),
        _route("GET", "/takers/orders/{order_hash}", Auth.TAKER, "lists.takers_order", "Order", errors=("NOT_FOUND",)),
        _route("POST", "/makers/connect", Auth.NONE, "connecting.connect", "Session",
               body="schema:ConnectBody", headers=("X-Instance",), errors=("UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND")),
        _route("POST", "/orders", Auth.MAKER, "makers.create", "Order",
               body="schema:SignedOrderBody", errors=("INSUFFICIENT_BALANCE", "CONFLICT"), counts_refusals=True),
        _route("POST", "/orders/{order_id}/cancel", Auth.MAKER, "makers.cancel", "Cancelled", errors=OF_ORDER),
        _route("GET", "/orders/{order_id}", Auth.MAKER, "lists.makers_order", "MakersOrder",
               query=("fills_page",), errors=("NOT_FOUND",)),
        _route("DELETE", "/orders/{order_id}", Auth.MAKER, "makers.cancel", "Cancelled", errors=OF_ORDER),
        _route("GET", "/positions", Auth.MAKER, "instruments.positions", "PositionPage",
               query=("ticker", "ticker_like", "page", "page_size")),
        _route("GET", "/instruments/token-address", Auth.MAKER, "instruments.token_address", "TokenAddress",
               query=("ticker", "exchange"), errors=("NOT_FOUND",)),
        _route("POST", "/orders/estimate_charge", Auth.MAKER, "instruments.estimate_charge", "ChargeEstimate",
               body="schema:EstimateBody"),
        _route("GET", "/tickers/{symbol}/orderbooks", Auth.PUBLIC, "instruments.book", "OrderBook",
               query=("exchange",), errors=("NOT_FOUND", "FORBIDDEN")),
        _route("GET", "/orders/maker/next-nonce", Auth.MAKER, "makers.next_nonce", "NextNonce"),
        _route("GET", "/orders", Auth.MAKER, "lists.makers_orders", "MakersOrderPage", query=MAKERS_ORDERS),
        _route("GET", "/takers/events", Auth.TAKER, "events.of_taker", "Events", **FOLLOWED),
        _route("GET", "/makers/events", Auth.MAKER, "events.of_maker", "Events", **FOLLOWED),
        _route("GET", "/orders/available", Auth.TAKER, "lists.available", "Orders", query=ORDER_FILTER),
        _command("validate", "validating.validate", "SignedOrderBody", "Validation"),
        _command("lock", "takers.lock", "LockBody", "Lock", *OF_ORDER),
        _command("unlock", "takers.unlock", "UnlockBody", "Outcome", *OF_ORDER),
        _command("fill", "takers.fill", "FillBody", "Fill", *OF_ORDER, "INSUFFICIENT_BALANCE"),
        _command("reject", "takers.reject", "RejectBody", "Outcome", *OF_ORDER),
        _command("cancel-result", "takers.cancel_result", "CancelResultBody", "Outcome", *OF_ORDER),
        _route("GET", "/orders/filled", Auth.TAKER, "lists.fills", "FillPage", "/takers/fills", query=FILLS),
    ),
    errors=("INVALID_PARAMETER", "TOO_MANY_REQUESTS", "INTERNAL"),
    errors_of={
        Auth.MAKER: ("UNAUTHORIZED", "FORBIDDEN"),
        Auth.TAKER: (
            *("KEY_MISSING", "KEY_UNKNOWN", "KEY_EXPIRED"),
            *("TIMESTAMP_INVALID", "SIGNATURE_INVALID", "FORBIDDEN"),
        ),
    },
    not_ids={"order_id": NO_ORDER_IDS},
)  # fmt: skip
