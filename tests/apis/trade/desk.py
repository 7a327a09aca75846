"""A trade desk for tests, called as the app calls it, over a World: requests are signed as a client signs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.api import TradeApi
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import API_TOKENS, ApiToken, Permission, token_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.books.redrive import redrive
from chalicelib.support.clock import now_ms
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.recording import nobody
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE, World

if TYPE_CHECKING:
    from chalice.test import Client

MASTER_KEY = bytes(range(32))
PAIR = "B_Q"
"""The pair of the world's book."""
UNLIMITED = RateLimit(bucket=0, per_day=0)
ORDER = {"pair": PAIR, "side": "buy", "type": "limit", "amount": "10", "price": "5"}


@dataclass(frozen=True)
class SignedDesk:
    """Sends requests of one customer, signed; ``world`` is what stands behind the desk."""

    world: World
    desk: TradeApi
    token: str
    customer: str
    clock: Callable[[], int] = now_ms
    """What the client takes the time from."""

    @property
    def secret(self) -> str:
        return token_secret_of(MASTER_KEY, self.token)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | str | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> HttpResponse:
        """Send a request, signed. query: with lists for repeated parameters, or as it stands after the question mark.

        body: bytes as they are, anything else as compact JSON, None for none. headers: instead of those that are usual,
        ... leaves one out.
        """
        raw = (
            b""
            if body is None
            else body
            if isinstance(body, bytes)
            else json.dumps(body, separators=(",", ":")).encode()
        )
        timestamp = str(self.clock())
        signed = b"" if method == "GET" else raw
        usual = {
            "authorization": self.token,
            "timestamp": timestamp,
            "signature": signature_of(self.secret, timestamp, method, path.removesuffix("/"), signed),
        }
        return self.desk.answer(request_of(method, path, query, usual | (headers or {}), raw))

    def get(self, path: str, query: dict[str, Any] | str | None = None) -> HttpResponse:
        return self.send("GET", path, query=query)

    def post(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> HttpResponse:
        return self.send("POST", path, body=body, headers=headers)

    def delete(self, path: str, body: object = None) -> HttpResponse:
        return self.send("DELETE", path, body=body)

    def place(self, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
        """POST the usual order with some members changed; a member set to ... is left out."""
        body = {name: value for name, value in (ORDER | members).items() if value is not ...}
        return self.post("/trade/orders", body, headers)

    def as_customer(self, customer: str, permission: Permission = Permission.BUY_SELL) -> SignedDesk:
        """Return the same desk for another customer, or with another permission; its token is made here."""
        token = f"token-of-{customer}-{permission.value}"
        make_token(self.world.database, token, customer, permission)
        return replace(self, token=token, customer=customer)

    def match(self) -> None:
        """Have everything decided that is in the inbox."""
        nobody(redrive)(self.world.database, self.world.matcher(), self.world.book)


class SignedClient:
    """The app in front of a desk's tables; requests are signed over the path as it is written."""

    def __init__(self, client: Client, desk: SignedDesk) -> None:
        self.http, self.desk = client.http, desk

    def request(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
        path = target.partition("?")[0].removesuffix("/")
        timestamp = str(now_ms())
        signed = b"" if method == "GET" else body
        sent = {
            "authorization": self.desk.token,
            "timestamp": timestamp,
            "signature": signature_of(self.desk.secret, timestamp, method, path, signed),
        }
        return self.http.request(method, target, headers=sent | (headers or {}), body=body)

    def outcome(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, int, str] | int:
        return self.read(self.request(method, target, body, headers))

    def unsigned(self, method: str, target: str) -> tuple[int, int, str] | int:
        return self.read(self.http.request(method, target))

    @staticmethod
    def read(response: Any) -> tuple[int, int, str] | int:
        if response.status_code == 200:
            return 200
        answer = json.loads(response.body)
        return response.status_code, answer.get("error_code"), answer.get("message")


def request_of(
    method: str, path: str, query: dict[str, Any] | str | None, headers: dict[str, Any], body: bytes
) -> HttpRequest:
    """Return a request as the app hands it over; a header that is ... is left out."""
    text = query if isinstance(query, str) else urlencode(query or {}, doseq=True)
    sent = {name: value for name, value in headers.items() if value is not ...}
    return HttpRequest(method, None, {}, parse_qs(text, keep_blank_values=True), sent, body, path)


def make_token(
    database: Database,
    token: str,
    customer: str,
    permission: Permission = Permission.BUY_SELL,
    rate_limit: RateLimit = UNLIMITED,
    instance: str = INSTANCE,
) -> ApiToken:
    made = ApiToken(
        key_id=digest_of(token),
        instance=instance,
        made_s=NOW_MS // 1000,
        rate_limit=rate_limit,
        customer=customer,
        permission=permission,
    )
    Credentials(database, API_TOKENS).create(made)
    return made


def open_trade_desk(
    world: World,
    permission: Permission = Permission.BUY_SELL,
    *,
    services: frozenset[str] = frozenset({"trading"}),
    rate_limit: RateLimit = UNLIMITED,
    public_instance: str | None = INSTANCE,
    clock: Callable[[], int] = now_ms,
) -> SignedDesk:
    """Return the desk of the world's instance for ann; ben's is ``.as_customer("ben")``.

    Both are given 1,000 of both assets; the instance is made here.
    """
    world.tenants().create_instance(INSTANCE.removeprefix("inst_"), services)
    make_token(world.database, "token-of-ann", "ann", permission, rate_limit)
    for customer in ("ann", "ben"):
        world.credit(customer, BASE, 1000)
        world.credit(customer, QUOTE, 1000)
    desk = new_trade_desk(world.database, master_key=lambda: MASTER_KEY, public_instance=public_instance, clock=clock)
    return SignedDesk(world, desk, "token-of-ann", "ann", clock)


def data_of(response: HttpResponse) -> Any:
    """Return the data of a success; its numbers as Python reads them."""
    assert response.status == 200, response.body
    answer = json.loads(response.body)
    assert list(answer) == ["data", "error_code", "message", "timestamp"]
    assert (answer["error_code"], answer["message"]) == (None, None)
    return answer["data"]


def fault_of(response: HttpResponse) -> tuple[int, int, str]:
    """Return status, error_code and message of a failure."""
    answer = json.loads(response.body)
    assert list(answer) == ["data", "error_code", "message", "timestamp"]
    assert answer["data"] is None
    return response.status, answer["error_code"], answer["message"]
