"""What the cases share: every request of the API at its best, a ledger to look at, and orders in every status."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from chalice.test import Client

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import major_units
from chalicelib.domain.ledger.owners import customer_key, escrow_fees_key, supply_key
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.endpoint import merchant_owner
from chalicelib.services.webhooks.endpoints import EndpointDesk
from chalicelib.services.webhooks.starting import left_to_sweep
from tests.apis.escrow.desk import KEY, OPERATOR_KEY, SHOP, Desk, data_of, errors_of, page_of
from tests.in_memory import database_of, empty_tables
from tests.services.escrow.world import INSTANCE, SANDBOX_EUR, Happened
from tests.services.escrow.world import happened as events_of_scope

URL = "https://hooks.example.com/"
NOW = "2025-02-19T21:20:00Z"
STATUSES = tuple(status.value for status in Status)
UNPAID = ("DRAFT", "PENDING_DETAILS", "PENDING_PUBLISH", "FAILURE")
HOLDING = ("PUBLISHED", "ACCEPTED", "PENDING_VALIDATE", "PENDING_RELEASE", "BLOCKED_RELEASE")
BOUNDARY = "form-data-boundary"
QUOTED_MULTIPART = f'multipart/form-data; boundary="{BOUNDARY}"'
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=part"
NO_ID, NO_UUID = 987_654, "0b9c0b9c-0b9c-4b9c-8b9c-0b9c0b9c0b9c"
DRAWN = ("public_id", "buyer_link", "seller_link", "qr_link", "uuid", "self", "connections")
"""What is another with each thing that is made."""


@cache
def _opened() -> tuple[Any, Desk]:
    client = empty_tables()
    return client, Desk(database_of(client))


def new_desk() -> Desk:
    """Return a desk over tables of its own; the shop's ann and sam have a wallet each in EUR and JPY."""
    return copied(_opened()[1])


def copied(desk: Desk) -> Desk:
    """Return the same desk over a copy of its tables."""
    client: Any = desk.database._client
    return desk.over(database_of(client.clone()))


@cache
def _brought(status: str) -> tuple[Desk, dict[str, Any]]:
    desk = new_desk()
    return desk, desk.in_status(status)


def at(status: str) -> tuple[Desk, dict[str, Any]]:
    """Return a desk with one order, of 150 EUR from ann to sam, in this status; of a paid one all money is held."""
    desk, order = _brought(status)
    return copied(desk), dict(order)


def at_the_bank(status: str = "PENDING_RELEASE") -> Desk:
    """Return a desk with one order whose payout leaves the ledger, validated or not."""
    desk, order = at("ACCEPTED")
    body = {"order_id": order["id"], "type": "BANKWIRE", "bankaccount_id": 7, "bankwire_ref": "Invoice 5"}
    data_of(desk.post("/payouts", body))
    if status == "PENDING_RELEASE":
        desk.do(order, "validate")
    return desk


# --- requests


@dataclass(frozen=True)
class Request:
    """A request that is answered with 200. route: as the reference writes it, behind the prefix."""

    desk: Desk
    route: str
    id: object = None
    body: dict[str, Any] | None = None
    key: str = KEY

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    def path(self, id_: object = None) -> str:
        """Return its path; id_: another thing than the one it is about."""
        own = self.id if id_ is None else id_
        template = self.route.partition(" ")[2]
        return "/2.0" + template.replace("{id}", str(own)).replace("{uuid}", str(own))

    def send(self, body: object = ..., *, id_: object = None, desk: Desk | None = None, **more: Any) -> HttpResponse:
        """Send it; with another body, about another thing, to another desk or with more headers."""
        sent = self.body if body is ... else body
        return (
            (desk or self.desk)
            .as_key(more.pop("key", self.key))
            .send(self.method, more.pop("path", None) or self.path(id_), body=sent, **more)
        )


def _about_order(route: str, status: str, body: dict[str, Any] | None = None, key: str = KEY) -> Request:
    desk, order = at(status)
    return Request(desk, route, order["id"], body, key)


def _payin(payin_type: str) -> Request:
    desk, order = at("DRAFT")
    desk.deposit(150)
    wallet = {"wallet_id": desk.buyer_wallet["id"]} if payin_type == "WALLET" else {}
    return Request(desk, "POST /payins", None, {"order_id": order["id"], "type": payin_type, **wallet})


def _payout() -> Request:
    desk, order = at("ACCEPTED")
    body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
    return Request(desk, "POST /payouts", None, body)


def _create() -> Request:
    desk = new_desk()
    return Request(desk, "POST /orders", None, desk.usual_order(fee_percent="2.5", metadata={"cart": "9"}))


def _customer() -> Request:
    return Request(new_desk(), "POST /customers", None, {"email": "zoe@y.test", "metadata": {"crm": "7"}})


def _on_buyer(body: dict[str, Any]) -> Request:
    desk = new_desk()
    return Request(desk, "PUT /customers/{uuid}", desk.buyer["uuid"], body)


def _on_part(route: str, name: str) -> Request:
    desk, order = at("PENDING_VALIDATE")
    return Request(desk, route, part(desk, order, name)["id"])


def _on_payin(way: str, body: dict[str, Any]) -> Request:
    desk, order = at("PENDING_PUBLISH")
    payin = data_of(desk.get(f"/orders/{order['id']}/payin"))
    return Request(desk, f"POST /operator/payins/{{id}}/{way}", payin["id"], body, OPERATOR_KEY)


def _on_bank_payout(way: str, body: dict[str, Any]) -> Request:
    desk = at_the_bank()
    (payout,) = page_of(desk.get("/payouts"))["data"]
    return Request(desk, f"POST /operator/payouts/{{id}}/{way}", payout["id"], body, OPERATOR_KEY)


def _deposit() -> Request:
    desk = new_desk()
    route, body = "POST /operator/wallets/{uuid}/deposit", {"amount": "12.5", "reference": "bank-1"}
    return Request(desk, route, desk.buyer_wallet["uuid"], body, OPERATOR_KEY)


COMMANDS: dict[str, Callable[[], Request]] = {
    "A1 orders": _create,
    "A3 orders": lambda: _about_order("PUT /orders/{id}", "DRAFT", {"name": "Blue bike", "value": "99.5"}),
    "A6 accept": lambda: _about_order("POST /orders/{id}/accept", "PUBLISHED"),
    "A7 reject": lambda: _about_order("POST /orders/{id}/reject", "PUBLISHED"),
    "A8 cancel": lambda: _about_order("POST /orders/{id}/cancel", "PUBLISHED", {"tag": "t", "metadata": {"a": "1"}}),
    "A9 validate": lambda: _about_order("POST /orders/{id}/validate", "PUBLISHED", {"auto_accept": "1"}),
    "A10 reimburse": lambda: _about_order("POST /orders/{id}/reimburse", "PUBLISHED", {"amount": "30.5"}),
    "A11 payins by wallet": lambda: _payin("WALLET"),
    "A11 payins by bank wire": lambda: _payin("BANKWIRE"),
    "A12 payouts": _payout,
    "A13 customers": _customer,
    "E40 customer": lambda: _on_buyer({"name": "Ann", "email": "ann@y.test", "metadata": {"crm": "7"}}),
    "E41 receipt": lambda: _about_order("POST /orders/{id}/receipt", "PUBLISHED"),
    "payin again": lambda: _on_part("PUT /payins/{id}", "payin"),
    "payout again": lambda: _on_part("POST /payouts/{id}/update", "payout"),
    "O1 confirm": lambda: _on_payin("confirm", {"amount": "150.00"}),
    "O2 deny": lambda: _on_payin("deny", {"reason": "never came"}),
    "O3 block": lambda: _about_order("POST /operator/orders/{id}/block", "PUBLISHED", key=OPERATOR_KEY),
    "O4 unblock": lambda: _about_order("POST /operator/orders/{id}/unblock", "BLOCKED_RELEASE", key=OPERATOR_KEY),
    "O5 deposit": _deposit,
    "O6 payout confirm": lambda: _on_bank_payout("confirm", {"amount": "150.00"}),
    "O7 payout deny": lambda: _on_bank_payout("deny", {"reason": "closed"}),
}
"""Every POST and PUT."""
PUTS = frozenset({"A3 orders", "E40 customer", "payin again"})


def _operators(route: str) -> Request:
    desk = at("PENDING_PUBLISH")[0] if "payins" in route else at_the_bank()
    return Request(desk, route, key=OPERATOR_KEY)


def _reading(route: str, find: Callable[[Desk, dict[str, Any]], object]) -> Callable[[], Request]:
    def made() -> Request:
        desk, order = at("PENDING_VALIDATE")
        return Request(desk, route, find(desk, order))

    return made


READS: dict[str, Callable[[], Request]] = {
    "accounts me": _reading("GET /accounts/me", lambda _desk, _order: None),
    "S1 orders": _reading("GET /orders", lambda _desk, _order: None),
    "A2 orders": _reading("GET /orders/{id}", lambda _desk, order: order["id"]),
    "A4 payin": _reading("GET /orders/{id}/payin", lambda _desk, order: order["id"]),
    "A5 payout": _reading("GET /orders/{id}/payout", lambda _desk, order: order["id"]),
    "A11 payins list": _reading("GET /payins", lambda _desk, _order: None),
    "A11 payins one": _reading("GET /payins/{id}", lambda desk, order: part(desk, order, "payin")["id"]),
    "A12 payouts list": _reading("GET /payouts", lambda _desk, _order: None),
    "A12 payouts one": _reading("GET /payouts/{id}", lambda desk, order: part(desk, order, "payout")["id"]),
    "A13 customers list": _reading("GET /customers", lambda _desk, _order: None),
    "A13 customers one": _reading("GET /customers/{uuid}", lambda desk, _order: desk.buyer["uuid"]),
    "A14 wallets list": _reading("GET /wallets", lambda _desk, _order: None),
    "A14 wallets one": _reading("GET /wallets/{uuid}", lambda desk, _order: desk.buyer_wallet["uuid"]),
    "events": _reading("GET /events", lambda _desk, _order: None),
    "A14 customers wallets": _reading("GET /customers/{uuid}/wallets", lambda desk, _order: desk.buyer["uuid"]),
}
"""Every GET."""


def _refund(route: str) -> Request:
    desk, _ = at("CANCELLED")
    refund_id = page_of(desk.get("/refunds"))["data"][0]["id"]
    return Request(desk, route, refund_id if "{id}" in route else None)


READS |= {
    "OE43 payins": lambda: _operators("GET /operator/payins"),
    "OE43 payouts": lambda: _operators("GET /operator/payouts"),
    "E38 refunds": lambda: _refund("GET /refunds"),
    "E38 refund": lambda: _refund("GET /refunds/{id}"),
    "E39 transactions": _reading("GET /wallets/{uuid}/transactions", lambda desk, _order: desk.buyer_wallet["uuid"]),
}


def with_webhook(desk: Desk) -> tuple[str, str]:
    """Make a webhook endpoint of the shop with a delivery that waits; return their ids."""
    owner = merchant_owner(INSTANCE, World.SANDBOX, SHOP)
    endpoints = EndpointDesk(
        desk.database,
        left_to_sweep,
        master_key=lambda: b"k" * 32,
        clock_ms=lambda: desk.now_s * 1000,
        cursor_of=lambda _owner: None,
    )
    webhook_id = endpoints.create(owner, URL, ("*",)).endpoint.endpoint_id
    return webhook_id, endpoints.test(owner, webhook_id)


def _about_webhook(route: str, body: dict[str, Any] | None = None) -> Request:
    desk = new_desk()
    webhook_id, delivery_id = with_webhook(desk)
    named = body and {name: value.format(delivery=delivery_id) for name, value in body.items()}
    return Request(desk, route, webhook_id, named)


def _webhook() -> Request:
    return Request(new_desk(), "POST /webhooks", None, {"url": URL, "types": ["EscrowPublished"]})


WEBHOOKS: dict[str, Callable[[], Request]] = {
    "W2 create": _webhook,
    "W4 change": lambda: _about_webhook("PUT /webhooks/{id}", {"description": "mine"}),
    "W5 remove": lambda: _about_webhook("DELETE /webhooks/{id}"),
    "W6 test": lambda: _about_webhook("POST /webhooks/{id}/test"),
    "W7 rotate": lambda: _about_webhook("POST /webhooks/{id}/rotate-secret", {"hours": "1"}),
    "W9 redeliver": lambda: _about_webhook("POST /webhooks/{id}/redeliver", {"delivery_id": "{delivery}"}),
}
"""Every POST, PUT and DELETE about webhook endpoints; none of them has an Idempotency-Key."""
READS |= {
    "W1 webhooks": _reading("GET /webhooks", lambda _desk, _order: None),
    "W3 one": lambda: _about_webhook("GET /webhooks/{id}"),
    "W8 deliveries": lambda: _about_webhook("GET /webhooks/{id}/deliveries"),
}
REQUESTS = COMMANDS | READS | WEBHOOKS


def as_form(body: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return a body as a form's fields."""
    fields: list[tuple[str, str]] = []
    for name, value in (body or {}).items():
        members = value.items() if isinstance(value, dict) else ()
        fields += [(f"{name}[{member}]", str(text)) for member, text in members] or [(name, str(value))]
    return fields


def as_urlencoded(body: dict[str, Any] | None) -> bytes:
    return urlencode(as_form(body)).encode()


def as_multipart(body: dict[str, Any] | None) -> bytes:
    parts = (
        f'--part\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in as_form(body)
    )
    return ("".join(parts) + "--part--\r\n").encode() if body else b""


def multipart(*parts: tuple[str, str | bytes]) -> bytes:
    """Return a form; a part is its disposition behind form-data, and its content."""
    lines = [
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n"
        % (BOUNDARY.encode(), head.encode(), content if isinstance(content, bytes) else content.encode())
        for head, content in parts
    ]
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def shown(response: HttpResponse) -> dict[str, Any]:
    """Return what a success shows, but for what is drawn anew each time."""
    return {name: value for name, value in data_of(response).items() if name not in DRAWN}


def outcome(response: HttpResponse) -> int | list[str]:
    """Return the fields that a 422 names, or another status."""
    return sorted(errors_of(response)) if response.status == 422 else response.status


# --- what stands in the tables


def part(desk: Desk, order: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an order's payin or payout."""
    found: dict[str, Any] = data_of(desk.get(f"/orders/{order['id']}/{name}"))
    return found


@dataclass(frozen=True)
class Money:
    """In euros: what the buyer, the seller and the desk have, and what came in so far."""

    available: Decimal
    held: Decimal
    seller: Decimal
    fees: Decimal
    credits: Decimal


def money(*amounts: object) -> Money:
    return Money(*(Decimal(str(amount)) for amount in amounts))


def ledger(desk: Desk) -> Money:
    """Return what the ledger itself says, whatever the desk shows."""
    buyer, seller = (
        desk.accounts.balance(customer_key(INSTANCE, f"sandbox:{who['uuid']}"), SANDBOX_EUR.asset)
        for who in (desk.buyer, desk.seller)
    )
    fees = desk.accounts.balance(escrow_fees_key(INSTANCE, World.SANDBOX), SANDBOX_EUR.asset)
    supply = desk.accounts.balance(supply_key(INSTANCE), SANDBOX_EUR.asset)
    assert seller.held == fees.held == 0
    amounts = buyer.available, buyer.held, seller.available, fees.available, supply.available
    return Money(*map(major_units, amounts))


def happened(desk: Desk) -> list[Happened]:
    """Return the events of the shop's sandbox."""
    return events_of_scope(desk.database, desk.scope(World.SANDBOX))


# --- the app


class HttpClient:
    """The app in front of a desk's tables."""

    def __init__(self, client: Client, desk: Desk) -> None:
        self._http, self.desk = client.http, desk

    def ask(self, method: str, target: str, body: bytes = b"", content_type: str = "") -> tuple[int, Any]:
        """Return status and parsed body of an answer."""
        headers = {"authorization": f"Bearer {self.desk.key}"} | (
            {"content-type": content_type} if content_type else {}
        )
        response = self._http.request(method, target, headers=headers, body=body)
        return response.status_code, json.loads(response.body) if response.body else None


every_command = pytest.mark.parametrize("make", COMMANDS.values(), ids=list(COMMANDS))
_POSTS = {name: make for name, make in COMMANDS.items() if name not in PUTS}
every_post = pytest.mark.parametrize("make", _POSTS.values(), ids=list(_POSTS))
MADE_KEY = {"idempotency-key": "made-for:this_case.1"}
