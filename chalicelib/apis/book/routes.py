"""The book desk's routes. The app names their paths to API Gateway when it starts, so no form is imported here."""

from __future__ import annotations

from typing import Any

from chalicelib.apis.kit.routing import Route, RouteTable

BASE = "/orderbooks/stocks/api"
PLACE = f"{BASE}/offchain/orders"
BATCH = f"{BASE}/offchain/orders/batch"
ONE_ORDER = f"{BASE}/offchain/orders/{{orderId}}"
LIST = f"{BASE}/offchain/customers/{{customerRef}}/orders"
TRADES_OF_CUSTOMER = f"{BASE}/offchain/customers/{{customerRef}}/trades"
BOOKS = f"{BASE}/offchain/order-books"
SETTINGS = f"{BASE}/order-books/{{orderBookId}}"
RESUME = f"{BASE}/order-books/{{orderBookId}}/resume"
ONE_BOOK = f"{BASE}/offchain/order-books/{{orderBookId}}"
TRADES_OF_BOOK = f"{BASE}/offchain/order-books/{{orderBookId}}/trades"
DEPTH = f"{BASE}/offchain/order-books/{{orderBookId}}/snapshot"
WEBHOOKS = f"{BASE}/offchain/webhooks"
ONE_WEBHOOK = f"{BASE}/offchain/webhooks/{{webhookId}}"
TEST_WEBHOOK = f"{BASE}/offchain/webhooks/{{webhookId}}/test"
ROTATE_SECRET = f"{BASE}/offchain/webhooks/{{webhookId}}/rotate-secret"
DELIVERIES = f"{BASE}/offchain/webhooks/{{webhookId}}/deliveries"
ONE_DELIVERY = f"{BASE}/offchain/webhooks/{{webhookId}}/deliveries/{{deliveryId}}"
REDELIVER = f"{BASE}/offchain/webhooks/{{webhookId}}/deliveries/{{deliveryId}}/redeliver"
EVENTS = f"{BASE}/offchain/events"
LEDGER = "/custody/api"
TOKENS = f"{LEDGER}/tokens"
ONE_TOKEN = f"{LEDGER}/tokens/{{tokenAddress}}"
CREDIT = f"{LEDGER}/balances/credit"
DEBIT = f"{LEDGER}/balances/debit"
TRANSFER = f"{LEDGER}/balances/transfer"
BALANCES = f"{LEDGER}/balances/{{customerRef}}"
"""A GET with credit, debit or transfer in place of customerRef is a read of a customer with that name."""
ACTIONS_NOT_SERVED = frozenset(f"{LEDGER}/balances/{action}" for action in ("lock", "unlock", "batch-credit"))
"""Actions that are not served. A POST to them is NOT_FOUND, not a wrong method of a customer's balances."""
ONE_BALANCE = f"{LEDGER}/balances/{{customerRef}}/{{tokenAddress}}"
TRANSACTIONS = f"{LEDGER}/transactions"
FEES = f"{LEDGER}/fees"
EXPORTED_TRANSACTIONS = f"{LEDGER}/exports/transactions"
EXPORTED_TRADES = f"{LEDGER}/exports/trades"
EXPORTED_ORDERS = f"{LEDGER}/exports/orders"
EXPORTED_BALANCES = f"{LEDGER}/exports/balances"
API_KEY = "X-API-Key"
PAGE = ("limit", "offset")
EXPORTED = ("format", "customerRef", "from", "to", "limit", "after")
OF_BOOK = ("ORDER_BOOK_NOT_FOUND", "WRONG_SETTLEMENT_MODE")


def _get(path: str, endpoint: str, answer: str, *errors: str, **more: Any) -> Route[str]:
    return _route("GET", path, endpoint, answer, *errors, **more)


def _post(path: str, endpoint: str, answer: str, body: str, *errors: str, **more: Any) -> Route[str]:
    """Return a POST route, which accepts an Idempotency-Key (T12)."""
    headers = ("Idempotency-Key", *more.pop("headers", ()))
    about_key = ("IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_MISMATCH")
    return _route("POST", path, endpoint, answer, *about_key, *errors, body=body, headers=headers, **more)


def _route(method: str, path: str, endpoint: str, answer: str, *errors: str, **more: Any) -> Route[str]:
    in_path = ("INVALID_PARAM",) if "{" in path else ()
    in_form = ("VALIDATION_ERROR",) if more.get("body") or more.get("query") else ()
    return Route(method, path, endpoint, API_KEY, answer, errors=(*in_path, *in_form, *errors), **more)


ROUTES = RouteTable(
    "book",
    (
        _post(PLACE, "orders.place", "Order", "order_schema:PlaceOrderBody", "CUSTOMER_FROZEN", *OF_BOOK,
              "ORDER_BOOK_INACTIVE", "PRICE_REQUIRED", "INVALID_PRICE", "INVALID_QUANTITY", "ORDER_TOO_SMALL",
              "ORDER_TOO_LARGE", "INVALID_VALUE", "INSUFFICIENT_BALANCE", status=201, headers=("Prefer",),
              counts_refusals=True),
        _post(BATCH, "batches.place", "Batch", "order_schema:PlaceBatchBody",
              status=201, headers=("Prefer",), counts_refusals=True),
        _route("DELETE", PLACE, "batches.cancel", "Batch", body="order_schema:CancelBatchBody"),
        _get(ONE_ORDER, "orders.one", "OrderWithReason", "ORDER_NOT_FOUND", query=("customerRef",)),
        _route("DELETE", ONE_ORDER, "orders.cancel", "Cancelled", "ORDER_NOT_FOUND", "CANCEL_PENDING",
               body="order_schema:CancelOrderBody"),
        _route("PATCH", ONE_ORDER, "amending.amend", "Amended", "IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_MISMATCH",
               "CUSTOMER_FROZEN", "ORDER_NOT_FOUND", "ORDER_BOOK_INACTIVE", "INVALID_PRICE", "INVALID_QUANTITY",
               "ORDER_TOO_SMALL", "ORDER_TOO_LARGE", "INSUFFICIENT_BALANCE", "AMENDMENT_PENDING",
               body="order_schema:AmendOrderBody", headers=("Idempotency-Key",)),
        _get(LIST, "orders.list_of_customer", "Orders", query=("orderBookId", "status", *PAGE)),
        _route("DELETE", LIST, "cancels.all_of_customer", "CancelledAll", *OF_BOOK, "CANCEL_PENDING",
               query=("orderBookId",)),
        _get(TRADES_OF_CUSTOMER, "market.trades_of_customer", "CustomerTrades", query=PAGE),
        _get(BOOKS, "books.list_of_instance", "Books", query=("status",)),
        _post(BOOKS, "books.create", "CreatedBook", "book_schema:CreateBookBody",
              "INVALID_PAIR", "TOKEN_NOT_REGISTERED", "INVALID_CONFIG", "ORDER_BOOK_EXISTS", status=201),
        _route("PATCH", SETTINGS, "books.change", "Book", "ORDER_BOOK_NOT_FOUND", "INVALID_CONFIG",
               body="book_schema:ChangeBookBody"),
        _post(RESUME, "books.resume", "ResumedBook", "book_schema:ResumeBookBody",
              "ORDER_BOOK_NOT_FOUND", "INVALID_CONFIG", "INVALID_PRICE", status=202),
        _get(ONE_BOOK, "books.one", "Book", *OF_BOOK),
        _get(DEPTH, "market.depth", "Depth", *OF_BOOK, query=("levels",)),
        _get(TRADES_OF_BOOK, "market.trades_of_book", "BookTrades", *OF_BOOK, query=PAGE),
        _get(WEBHOOKS, "webhooks.all", "Webhooks"),
        _route("POST", WEBHOOKS, "webhooks.create", "WebhookWithSecret", "TOO_MANY_WEBHOOKS",
               body="webhook_schema:CreateWebhookBody", status=201),
        _get(ONE_WEBHOOK, "webhooks.one", "Webhook", "WEBHOOK_NOT_FOUND"),
        _route("PATCH", ONE_WEBHOOK, "webhooks.change", "Webhook", "WEBHOOK_NOT_FOUND",
               body="webhook_schema:ChangeWebhookBody"),
        _route("DELETE", ONE_WEBHOOK, "webhooks.remove", "RemovedWebhook", "WEBHOOK_NOT_FOUND"),
        _route("POST", TEST_WEBHOOK, "webhooks.test", "TestedWebhook", "WEBHOOK_NOT_FOUND", "WEBHOOK_NOT_ACTIVE",
               status=202),
        _route("POST", ROTATE_SECRET, "webhooks.rotate", "WebhookWithSecret", "WEBHOOK_NOT_FOUND",
               body="webhook_schema:RotateSecretBody"),
        _get(DELIVERIES, "webhooks.deliveries", "Deliveries", "WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND",
             query=("status", "limit", "after")),
        _get(ONE_DELIVERY, "webhooks.delivery", "Delivery", "WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND"),
        _route("POST", REDELIVER, "webhooks.redeliver", "Delivery", "WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND",
               "WEBHOOK_NOT_ACTIVE", status=202),
        _get(EVENTS, "events.follow", "Events", "ORDER_BOOK_NOT_FOUND", "WRONG_SETTLEMENT_MODE", "CURSOR_GONE",
             query=("customerRef", "bookId", "types", "after", "limit"), headers=("Prefer",)),
        _get(TOKENS, "tokens.list_of_instance", "TokenPage", query=("activeOnly", *PAGE)),
        _post(TOKENS, "tokens.register", "Token", "ledger_schema:CreateTokenBody", "TOKEN_EXISTS", status=201),
        _get(ONE_TOKEN, "tokens.one", "Token", "TOKEN_NOT_FOUND"),
        _post(CREDIT, "movements.credit", "Change", "ledger_schema:ChangeBody", "TOKEN_NOT_FOUND"),
        _post(DEBIT, "movements.debit", "Change", "ledger_schema:ChangeBody",
              "TOKEN_NOT_FOUND", "INSUFFICIENT_BALANCE"),
        _post(TRANSFER, "movements.transfer", "Transfer", "ledger_schema:TransferBody",
              "TOKEN_NOT_FOUND", "INVALID_TRANSFER", "INSUFFICIENT_BALANCE"),
        _get(BALANCES, "statements.balances_of_customer", "BalancePage", query=PAGE),
        _get(ONE_BALANCE, "statements.balance", "Balance", "TOKEN_NOT_FOUND"),
        _get(TRANSACTIONS, "statements.transactions", "TransactionPage",
             query=("customerRef", "tokenAddress", "type", "from", "to", *PAGE)),
        _get(FEES, "fees.earned", "Fees", query=PAGE),
        _get(EXPORTED_TRANSACTIONS, "exports.transactions", "ExportedTransactions", query=EXPORTED),
        _get(EXPORTED_TRADES, "exports.trades", "ExportedTrades", query=EXPORTED),
        _get(EXPORTED_ORDERS, "exports.orders", "ExportedOrders", query=EXPORTED),
        _get(EXPORTED_BALANCES, "exports.balances", "ExportedBalances",
             query=("format", "customerRef", "at", "limit", "after")),
    ),
    errors=(
        *("AUTH_REQUIRED", "AUTH_FAILED", "AUTH_ERROR", "RATE_LIMIT_EXCEEDED", "SERVICE_NOT_ENABLED"),
        *("PAYLOAD_TOO_LARGE", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"),
    ),
)  # fmt: skip
