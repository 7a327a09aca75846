"""The escrow desk's routes (E1)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.kit.routing import Decoding, Route, RouteTable

PREFIX, ORDERS, *PAGE_PREFIXES = MOUNTS["escrow"]
"""The prefix of every path, also in answers; the prefix of orders without the version; those of pages."""


class Auth(Enum):
    """The kind of key that a route needs (E2)."""

    MERCHANT = "a merchant's"
    OPERATOR = "the operator's"
    SIGNATURE = "none: the request is signed by the provider of a payin"
    LINK = "none: the path has the token of an order's page"


PAGE = ("page", "per_page", "order", "sort")
SEARCH = (*PAGE, "search", "query", "date_begin", "date_end")


_AUTH = {"operator": Auth.OPERATOR, "callbacks": Auth.SIGNATURE}
"""By the first segment of a path."""


def _route(method: str, path: str, endpoint: str, answer: str, **more: Any) -> Route[Auth]:
    auth = _AUTH.get(path.split("/")[1], Auth.MERCHANT)
    aliases = (path,) if f"{path}/".startswith(f"{ORDERS}/") else ()
    if method == "POST" and not path.startswith(("/webhooks", "/callbacks")):  # an answer with a secret is not kept
        more = {"headers": ("Idempotency-Key",), **more}
    if "{" in path:
        more["errors"] = ("404", *more.get("errors", ()))
    if method != "GET" or "query" in more:
        more["errors"] = ("422", *more.get("errors", ()))
    return Route(method, PREFIX + path, endpoint, auth, answer, aliases=aliases, **more)


ROUTES = RouteTable(
    "escrow",
    (
        _route("GET", "/accounts/me", "accounts.show", "Account"),
        _route("GET", "/orders", "orders.list", "OrderPage", query=(*SEARCH, "status", "sandbox")),
        _route("POST", "/orders", "orders.create", "Order", body="order_schema:CREATE", counts_refusals=True),
        _route("GET", "/orders/{id}", "orders.show", "Order"),
        _route("PUT", "/orders/{id}", "orders.change", "Order", body="order_schema:UPDATE"),
        _route("GET", "/orders/{id}/payin", "orders.payin", "Payin"),
        _route("GET", "/orders/{id}/payout", "orders.payout", "Payout"),
        _route("POST", "/orders/{id}/accept", "orders.accept", "Order", body="order_schema:NONE"),
        _route("POST", "/orders/{id}/reject", "orders.reject", "Order", body="order_schema:NONE"),
        _route("POST", "/orders/{id}/cancel", "orders.cancel", "Order", body="order_schema:CANCEL"),
        _route("POST", "/orders/{id}/validate", "orders.validate", "Order", body="order_schema:VALIDATE"),
        _route("POST", "/orders/{id}/reimburse", "orders.reimburse", "Order", body="order_schema:REIMBURSE"),
        _route("POST", "/orders/{id}/receipt", "orders.receipt", "Order", body="order_schema:NONE"),
        _route("GET", "/payins", "payments.list_payins", "PayinPage", query=SEARCH),
        _route("POST", "/payins", "payments.open_payin", "Payin", body="payments:PAYIN"),
        _route("GET", "/payins/{id}", "payments.show_payin", "Payin"),
        _route("PUT", "/payins/{id}", "payments.refresh_payin", "Payin", body="payments:NONE"),
        _route("GET", "/payouts", "payments.list_payouts", "PayoutPage", query=SEARCH),
        _route("POST", "/payouts", "payments.pay_out", "Payout", body="payments:PAYOUT"),
        _route("GET", "/payouts/{id}", "payments.show_payout", "Payout"),
        _route("POST", "/payouts/{id}/update", "payments.refresh_payout", "Payout", body="payments:NONE"),
        _route("GET", "/refunds", "refunds.list", "RefundPage", query=SEARCH),
        _route("GET", "/refunds/{id}", "refunds.show", "Refund"),
        _route("GET", "/customers", "customers.list", "CustomerPage", query=SEARCH),
        _route("POST", "/customers", "customers.create", "Customer", body="customers:CUSTOMER"),
        _route("GET", "/customers/{uuid}", "customers.show", "Customer"),
        _route("PUT", "/customers/{uuid}", "customers.change", "Customer", body="customers:CUSTOMER"),
        _route("GET", "/customers/{uuid}/wallets", "customers.list_wallets_of_customer", "WalletPage", query=PAGE),
        _route("GET", "/wallets", "customers.list_wallets", "WalletPage", query=PAGE),
        _route("GET", "/wallets/{uuid}", "customers.show_wallet", "Wallet"),
        _route(
            "GET",
            "/wallets/{uuid}/transactions",
            "customers.list_transactions",
            "TransactionPage",
            query=(*PAGE, "date_begin", "date_end"),
        ),
        _route("GET", "/webhooks", "webhooks.all", "Webhooks"),
        _route("POST", "/webhooks", "webhooks.create", "WebhookWithSecret", body="webhooks:WEBHOOK"),
        _route("GET", "/webhooks/{id}", "webhooks.show", "Webhook"),
        _route("PUT", "/webhooks/{id}", "webhooks.change", "Webhook", body="webhooks:CHANGE"),
        _route("DELETE", "/webhooks/{id}", "webhooks.remove", "RemovedWebhook"),
        _route("POST", "/webhooks/{id}/test", "webhooks.test", "TestedWebhook", body="webhooks:NONE"),
        _route("POST", "/webhooks/{id}/rotate-secret", "webhooks.rotate", "WebhookWithSecret", body="webhooks:ROTATE"),
        _route(
            "GET", "/webhooks/{id}/deliveries", "webhooks.deliveries", "Deliveries", query=("status", "limit", "after")
        ),
        _route("POST", "/webhooks/{id}/redeliver", "webhooks.redeliver", "Delivery", body="webhooks:REDELIVER"),
        _route(
            "GET", "/events", "events.follow", "Events", query=("after", "limit"), headers=("Prefer",), errors=("410",)
        ),
        _route("POST", "/callbacks/{instance}/{world}/{type}", "callbacks.receive", "Payin", body="callbacks:CALLBACK"),
        _route("GET", "/operator/payins", "operator.list_payins", "OpenPayinPage", query=SEARCH),
        _route("GET", "/operator/payouts", "operator.list_payouts", "OpenPayoutPage", query=SEARCH),
        _route("POST", "/operator/payouts/{id}/confirm", "operator.confirm_payout", "Payout", body="operator:CONFIRM"),
        _route("POST", "/operator/payouts/{id}/deny", "operator.deny_payout", "Payout", body="operator:DENY"),
        _route("POST", "/operator/payins/{id}/confirm", "operator.confirm_payin", "Payin", body="operator:CONFIRM"),
        _route("POST", "/operator/payins/{id}/deny", "operator.deny_payin", "Payin", body="operator:DENY"),
        _route("POST", "/operator/orders/{id}/block", "operator.block", "Order", body="operator:NONE"),
        _route("POST", "/operator/orders/{id}/unblock", "operator.unblock", "Order", body="operator:NONE"),
        _route("POST", "/operator/wallets/{uuid}/deposit", "operator.deposit", "Wallet", body="operator:DEPOSIT"),
    ),
    errors=("401", "403", "429", "500"),
    decoding=Decoding.EVERYTHING,
    lower_case=frozenset({"uuid"}),
)
PAGES = RouteTable(
    "escrow",
    (
        Route("GET", "/b/{token}", "buyer", Auth.LINK, "Page"),
        Route("POST", "/b/{token}", "buyer", Auth.LINK, "Page", errors=("409", "422")),
        Route("GET", "/s/{token}", "seller", Auth.LINK, "Page"),
        Route("POST", "/s/{token}", "seller", Auth.LINK, "Page", errors=("409", "422")),
        Route("GET", "/q/{token}", "qr", Auth.LINK, "Page"),
    ),
    errors=("404", "429", "500"),
)
"""The pages behind an order's links, which answer with HTML (E46)."""
