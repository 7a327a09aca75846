"""The operations of the escrow desk: what each says of itself, its parameters, and an example of its request.

The examples are one story: a buyer and a seller, orders that are paid, released, reimbursed, stopped by the operator.
The pages behind an order's links are for people (E46), and not described here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.apis.escrow import events as escrow_events
from chalicelib.apis.escrow import webhooks
from chalicelib.apis.escrow.customers import CUSTOMERS, TRANSACTIONS, WALLETS
from chalicelib.apis.escrow.list_query import METADATA, PER_PAGE, PER_PAGE_MAX, QUERY_CHARACTERS_MAX, Listing
from chalicelib.apis.escrow.orders import order_listing
from chalicelib.apis.escrow.payments import PAYINS, PAYOUTS
from chalicelib.apis.escrow.refunds import REFUNDS
from chalicelib.apis.kit import events
from chalicelib.apis.kit.description import (
    Example,
    Operation,
    Parameter,
    Schema,
    integer,
    text,
    words,
)
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.tenancy.answers import KEY
from chalicelib.domain.tenancy.instances import World

_ORDERS = order_listing({}, "")
_DATE = "Rows made on this day or"


def _search(listing: Listing[Any]) -> Schema:
    if listing.metadata is None:
        return words(listing.searches)
    return {"anyOf": [words(listing.searches), text(f"{METADATA}.+")]}


def _list(listing: Listing[Any]) -> dict[str, Parameter]:
    """Return the parameters of a list that depend on what is listed."""
    of_list = {
        "order": Parameter("By what rows are sorted (E8).", words(listing.sorts) | {"default": "created_at"}),
        "id": Parameter("Its id.", integer(1)),
    }
    if listing.searches:
        says = "The field to search in, together with `query` (E5, E6)."
        of_list["search"] = Parameter(says, _search(listing))
    return of_list


PARAMETERS = {
    "id": Parameter("Its id.", integer(1)),
    "uuid": Parameter("Its UUID, in any case.", text("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    "instance": Parameter("Id of the instance.", text()),
    "world": Parameter("The world (E2).", words(World)),
    "type": Parameter("The external type of payins (E44).", text()),
    "page": Parameter(
        "Number of the page; it has at most 300 digits (E30).", {"type": "integer", "minimum": 1, "default": 1}
    ),
    "per_page": Parameter("Rows of a page (E34).", integer(1, PER_PAGE_MAX, default=PER_PAGE)),
    "sort": Parameter("Direction.", words(("asc", "desc")) | {"default": "desc"}),
    "query": Parameter("What to search for, together with `search` (E5).", text(least=1, most=QUERY_CHARACTERS_MAX)),
    "date_begin": Parameter(f"{_DATE} later, UTC.", {"type": "string", "format": "date"}),
    "date_end": Parameter(f"{_DATE} earlier, UTC.", {"type": "string", "format": "date"}),
    "status": Parameter("Orders of this status alone (E7).", words(Status)),
    "sandbox": Parameter(
        "Orders of this world alone; the other one is empty (E9).", words(("true", "false", "1", "0"))
    ),
    "after": Parameter(
        "The cursor of an earlier answer, or `start` for the oldest events kept; without it, now.",
        dict(escrow_events.QUERY.kinds["after"].described),
    ),
    "limit": Parameter(
        "How many events at most.",
        dict(escrow_events.QUERY.kinds["limit"].described) | {"default": events.LIMIT_DEFAULT},
    ),
    "Prefer": Parameter(
        "`wait=n`: wait up to n seconds for the first event, at most 20. Anything else is ignored.",
        text() | {"examples": ["wait=20"]},
    ),
    "Idempotency-Key": Parameter(
        "Makes the request safe to repeat for a day: the same key with the same body gets the first answer again.",
        text(KEY.pattern),
    ),
}
_OF_WEBHOOK = {"id": Parameter("Id of the webhook endpoint.", text(least=1))}
_OF_DELIVERIES = _OF_WEBHOOK | {
    "status": Parameter("Which deliveries.", words(("DEAD", "WAITING")) | {"default": "DEAD"}),
    "limit": Parameter("How many at most.", integer(1, webhooks.LISTED_MAX, default=webhooks.LISTED)),
    "after": Parameter("The last delivery of an earlier answer: those behind it (T171).", text(least=1, most=100)),
}
_REPLAYED = ("Idempotent-Replay",)
_ORDER = {"buyer_id": "{buyer_id}", "seller_id": "{seller_id}", "name": "Road bike", "value": 150}
_ID, _HOOK = {"id": "{id}"}, {"id": "{webhook_id}"}
_FIRST_PAGE = {"page": "1", "per_page": "2"}


def _command(name: str, summary: str, says: str, order: str = "id", body: Mapping[str, Any] | None = None) -> Operation:
    """Return a command on an order, which shows the order as it is then. order: the name of its id in the examples."""
    return Operation(
        name,
        summary,
        f"{says} The answer is the order as it is then.",
        Example({"id": f"{{{order}}}"}, body=body or {}),
        headers=_REPLAYED,
        body_is_optional=True,
    )


OPERATIONS: dict[str, dict[str, Operation]] = {
    "Account": {
        "GET /accounts/me": Operation("getAccount", "Show the merchant", "The merchant of the key (E36).", Example()),
    },
    "Customers": {
        "POST /customers": Operation(
            "createCustomer",
            "Make or change a customer",
            "A known e-mail address, or a known phone, identifies a customer, whose given fields are changed (E18, "
            "E37). A new one gets a wallet in each currency.",
            Example(
                body={"email": "ann@example.com", "name": "Ann", "metadata": {"shop": 7}}, gives={"uuid": "/data/uuid"}
            ),
            headers=_REPLAYED,
        ),
        "GET /customers": Operation(
            "listCustomers",
            "List customers",
            "A page of the merchant's customers.",
            Example(query=_FIRST_PAGE | {"order": "id", "sort": "asc"}),
            _list(CUSTOMERS),
        ),
        "GET /customers/{uuid}": Operation(
            "getCustomer", "Show a customer", "One customer.", Example({"uuid": "{uuid}"})
        ),
        "PUT /customers/{uuid}": Operation(
            "changeCustomer",
            "Change a customer",
            "Changes the given fields; nulls and empty texts change nothing (E40).",
            Example({"uuid": "{uuid}"}, body={"tag": "vip"}),
            body_is_optional=True,
        ),
        "GET /customers/{uuid}/wallets": Operation(
            "listWalletsOfCustomer",
            "List a customer's wallets",
            "A page of the customer's wallets, one a currency.",
            Example({"uuid": "{uuid}"}, _FIRST_PAGE),
            _list(WALLETS),
        ),
        "GET /wallets": Operation(
            "listWallets",
            "List wallets",
            "A page of all wallets, the merchant's own too.",
            Example(query=_FIRST_PAGE),
            _list(WALLETS),
        ),
        "GET /wallets/{uuid}": Operation(
            "getWallet",
            "Show a wallet",
            "What is available in it; what orders hold does not count.",
            Example({"uuid": "{wallet_uuid}"}),
        ),
        "GET /wallets/{uuid}/transactions": Operation(
            "listTransactions",
            "List a wallet's transactions",
            "A page of what came in and went out (E39).",
            Example({"uuid": "{wallet_uuid}"}, _FIRST_PAGE),
            _list(TRANSACTIONS),
        ),
    },
    "Orders": {
        "POST /orders": Operation(
            "createOrder",
            "Create an order",
            "An order is a DRAFT until it is paid, or PENDING_DETAILS until its buyer is named. `name` and `value` are "
            "required, and both parties unless `trustee_type` or `auto_settle` says otherwise (E11, E12, E20).",
            Example(
                headers={"Idempotency-Key": "order-0001"}, body=_ORDER | {"fee_percent": 2.5}, gives={"id": "/data/id"}
            ),
            headers=_REPLAYED,
        ),
        "GET /orders": Operation(
            "listOrders",
            "List orders",
            "A page of the merchant's orders in the world of its key (E5 to E10, E34).",
            Example(query={"status": "DRAFT", "search": "name", "query": "bike", "per_page": "5"}),
            _list(_ORDERS),
        ),
        "GET /orders/{id}": Operation("getOrder", "Show an order", "One order.", Example(_ID)),
        "PUT /orders/{id}": Operation(
            "changeOrder",
            "Change an order",
            "Changes the given fields, as far as the order's status allows it (E13).",
            Example(_ID, body={"tag": "spring", "metadata": {"cart": "17"}}),
            body_is_optional=True,
        ),
    },
    "Payments": {
        "POST /payins": Operation(
            "createPayin",
            "Pay an order",
            "From a wallet the payin is decided at once: CONFIRMED or DENIED. Others are CREATED until the money "
            "arrives (E15, E16, E44).",
            Example(
                body={"order_id": "{id}", "type": "WALLET", "wallet_id": "{buyer_wallet_id}"},
                gives={"payin_id": "/data/id"},
            ),
            headers=_REPLAYED,
        ),
        "GET /payins": Operation(
            "listPayins", "List payins", "A page of the merchant's payins.", Example(query=_FIRST_PAGE), _list(PAYINS)
        ),
        "GET /payins/{id}": Operation("getPayin", "Show a payin", "One payin.", Example({"id": "{payin_id}"})),
        "PUT /payins/{id}": Operation(
            "refreshPayin",
            "Look at a payin again",
            "The payin as it stands: what its provider says comes by callback or from the operator (E41).",
            Example({"id": "{payin_id}"}, body={}),
            body_is_optional=True,
        ),
        "GET /orders/{id}/payin": Operation(
            "getPayinOfOrder", "Show an order's payin", "The latest payin.", Example(_ID)
        ),
        "POST /orders/{id}/receipt": _command(
            "getReceipt", "Ask for a receipt", "Shows the order, if it is paid (E41)."
        ),
        "POST /orders/{id}/accept": _command("acceptOrder", "Accept an order", "The seller accepts a paid order."),
        "POST /payouts": Operation(
            "createPayout",
            "Say where the seller is paid",
            "To a wallet when the order is released; to a bank once the operator confirms it (E17, E42).",
            Example(
                body={"order_id": "{id}", "type": "WALLET", "wallet_id": "{seller_wallet_id}"},
                gives={"payout_id": "/data/id"},
            ),
            headers=_REPLAYED,
        ),
        "GET /payouts": Operation(
            "listPayouts",
            "List payouts",
            "A page of the merchant's payouts.",
            Example(query=_FIRST_PAGE),
            _list(PAYOUTS),
        ),
        "GET /payouts/{id}": Operation("getPayout", "Show a payout", "One payout.", Example({"id": "{payout_id}"})),
        "POST /payouts/{id}/update": Operation(
            "refreshPayout",
            "Look at a payout again",
            "The payout as it stands (E41).",
            Example({"id": "{payout_id}"}, body={}),
            headers=_REPLAYED,
            body_is_optional=True,
        ),
        "GET /orders/{id}/payout": Operation(
            "getPayoutOfOrder", "Show an order's payout", "The latest payout.", Example(_ID)
        ),
    },
    "Decisions": {
        "POST /orders/{id}/validate": _command(
            "validateOrder",
            "Validate an order",
            "Releases the money to the seller, less the fee, at once or after the instance's delay (E22, E25).",
        ),
        "POST /orders/{id}/reject": _command(
            "rejectOrder",
            "Reject an order",
            "The seller rejects a paid order; the money stays until it is reimbursed (E21).",
            "rejected",
        ),
        "POST /orders/{id}/reimburse": _command(
            "reimburseOrder",
            "Give money back",
            "Gives the buyer back a part, or without an amount all that is left. Every other field, and any parameter, "
            "is refused (E29).",
            "rejected",
            {"amount": 20},
        ),
        "POST /orders/{id}/cancel": _command(
            "cancelOrder",
            "Cancel an order",
            "Gives the buyer back all that is left. `tag` is replaced, `metadata` merged (E14, E21).",
            "cancelled",
            {"tag": "not wanted"},
        ),
        "GET /refunds": Operation(
            "listRefunds",
            "List refunds",
            "A page of what was given back (E38).",
            Example(query=_FIRST_PAGE, gives={"refund_id": "/data/0/id"}),
            _list(REFUNDS),
        ),
        "GET /refunds/{id}": Operation("getRefund", "Show a refund", "One refund.", Example({"id": "{refund_id}"})),
    },
    "Events": {
        "GET /events": Operation(
            "followEvents",
            "Follow events",
            "What happened to the merchant's orders after a cursor; waits for the first with `Prefer: wait=n` (T84 to "
            "T88).",
            Example(query={"after": "start", "limit": "1"}),
            headers=("Preference-Applied",),
        ),
    },
    "Webhooks": {
        "POST /webhooks": Operation(
            "createWebhook",
            "Make a webhook endpoint",
            "Has the merchant's events posted to a URL, signed by the Standard Webhooks specification. The secret is "
            "shown this once (docs/webhooks.md).",
            Example(body={"url": "https://hooks.example.com/escrow", "types": ["*"]}, gives={"webhook_id": "/data/id"}),
        ),
        "GET /webhooks": Operation("listWebhooks", "List webhook endpoints", "All of them, oldest first.", Example()),
        "GET /webhooks/{id}": Operation(
            "getWebhook", "Show a webhook endpoint", "One endpoint, without its secret.", Example(_HOOK), _OF_WEBHOOK
        ),
        "PUT /webhooks/{id}": Operation(
            "changeWebhook",
            "Change a webhook endpoint",
            "Changes the given fields; a `status` pauses or resumes the endpoint.",
            Example(_HOOK, body={"types": ["EscrowReleased"]}),
            _OF_WEBHOOK,
            body_is_optional=True,
        ),
        "POST /webhooks/{id}/rotate-secret": Operation(
            "rotateWebhookSecret",
            "Give a webhook endpoint a new secret",
            "The old secret signs too for some hours, 24 unless the body says otherwise.",
            Example(_HOOK, body={"hours": 1}),
            _OF_WEBHOOK,
            body_is_optional=True,
        ),
        "POST /webhooks/{id}/test": Operation(
            "testWebhook",
            "Send a test event",
            "Queues a test event for the endpoint.",
            Example(_HOOK, body={}, gives={"delivery_id": "/data/delivery_id"}),
            _OF_WEBHOOK,
            body_is_optional=True,
        ),
        "GET /webhooks/{id}/deliveries": Operation(
            "listDeliveries",
            "List dead letters",
            "Deliveries that were given up, or those that wait.",
            Example(_HOOK, {"status": "WAITING"}),
            _OF_DELIVERIES,
        ),
        "POST /webhooks/{id}/redeliver": Operation(
            "redeliver",
            "Send a delivery again",
            "Queues the delivery again, under its id.",
            Example(_HOOK, body={"delivery_id": "{delivery_id}"}),
            _OF_WEBHOOK,
        ),
        "DELETE /webhooks/{id}": Operation(
            "removeWebhook", "Remove a webhook endpoint", "Its dead letters are gone too.", Example(_HOOK), _OF_WEBHOOK
        ),
    },
    "Callbacks": {
        "POST /callbacks/{instance}/{world}/{type}": Operation(
            "receiveCallback",
            "Hear from a provider",
            "What the provider of an external payin says became of it. What is said again changes nothing (E45).",
            Example(
                {"instance": "{instance}", "world": "sandbox", "type": "REDSYS_V2"},
                body={
                    "payin_id": "{external_payin_id}",
                    "status": "CONFIRMED",
                    "amount": 150,
                    "currency": "EUR",
                    "reference": "pay_17",
                },
            ),
        ),
    },
    "Operator": {
        "GET /operator/payins": Operation(
            "listOpenPayins",
            "List open payins",
            "Payins of all merchants that wait for the operator, with the amount to confirm (E43).",
            Example(query=_FIRST_PAGE),
            _list(PAYINS),
        ),
        "POST /operator/payins/{id}/confirm": Operation(
            "confirmPayin",
            "Confirm a payin",
            "The whole amount has arrived: the order is PUBLISHED.",
            Example({"id": "{wire_payin_id}"}, body={"amount": 150}),
            headers=_REPLAYED,
        ),
        "POST /operator/payins/{id}/deny": Operation(
            "denyPayin",
            "Deny a payin",
            "The money will not arrive: the order is a FAILURE.",
            Example({"id": "{denied_payin_id}"}, body={"reason": "never came"}),
            headers=_REPLAYED,
            body_is_optional=True,
        ),
        "GET /operator/payouts": Operation(
            "listOpenPayouts",
            "List open payouts",
            "Payouts to banks that wait for the operator, with the amount to pay (E43).",
            Example(query=_FIRST_PAGE),
            _list(PAYOUTS),
        ),
        "POST /operator/payouts/{id}/confirm": Operation(
            "confirmPayout",
            "Confirm a payout",
            "The money has left: the order is RELEASED (E42).",
            Example({"id": "{bank_payout_id}"}, body={"amount": 150}),
            headers=_REPLAYED,
        ),
        "POST /operator/payouts/{id}/deny": Operation(
            "denyPayout",
            "Deny a payout",
            "The money will not leave: the order is ACCEPTED again (E42).",
            Example({"id": "{denied_payout_id}"}, body={"reason": "no such account"}),
            headers=_REPLAYED,
            body_is_optional=True,
        ),
        "POST /operator/orders/{id}/block": _command(
            "blockOrder", "Stop an order", "The order takes no commands until it is unblocked.", "paid"
        ),
        "POST /operator/orders/{id}/unblock": _command(
            "unblockOrder", "Let an order go on", "The order has its earlier status again (E22).", "paid"
        ),
        "POST /operator/wallets/{uuid}/deposit": Operation(
            "deposit",
            "Book a bank payment",
            "Credits bank money to a wallet, once for each reference (E19).",
            Example({"uuid": "{wallet_uuid}"}, body={"amount": 500, "reference": "bank 17"}),
            headers=_REPLAYED,
        ),
    },
}
