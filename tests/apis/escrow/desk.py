"""An escrow desk for tests, called as the app calls it: a shop and another merchant, with keys of every kind.

Its clock is the test's: ``now_s``, whole seconds.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.order import Scope
from chalicelib.domain.escrow.payments import callback_sender
from chalicelib.domain.escrow.settings import DeskSettings, ExternalPayinType
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS, EscrowKey
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.domain.webhooks.signing import callback_secret_of, signed_headers
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.support.clock import new_id
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.rows import Row
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.tokens import Tokens
from chalicelib.wiring.escrow import new_escrow_desk
from tests.services.escrow.world import EUR, INSTANCE, JPY, NOW_S, check_money

SHOP, OTHER = "shop", "other"
KEY = "sk_stage_" + "S" * 24
PRODUCTION_KEY = "sk_production_" + "P" * 24
OTHER_KEY = "sk_stage_" + "O" * 24
READ_ONLY_KEY = "sk_stage_" + "R" * 24
DISABLED_KEY = "sk_stage_" + "D" * 24
OPERATOR_KEY = "op_stage_" + "A" * 24
OPERATOR_PRODUCTION_KEY = "op_production_" + "A" * 24
UNLIMITED = RateLimit(bucket=0, per_day=0)
BASE_URL = "https://pay.example.test"
MASTER_KEY = b"k" * 32
CARD = "REDSYS_V2"
"""An external type of payins that the desk has."""
KEYS = (
    (KEY, World.SANDBOX, SHOP, {}),
    (PRODUCTION_KEY, World.PRODUCTION, SHOP, {}),
    (OTHER_KEY, World.SANDBOX, OTHER, {}),
    (READ_ONLY_KEY, World.SANDBOX, SHOP, {"is_read_only": True}),
    (DISABLED_KEY, World.SANDBOX, SHOP, {"is_enabled": False}),
    (OPERATOR_KEY, World.SANDBOX, None, {}),
    (OPERATOR_PRODUCTION_KEY, World.PRODUCTION, None, {}),
)
CHANGED_BY_REQUESTS = ("accounts", "escrows", "outbox", "tenants")


class Desk:
    """Sends requests of the shop, in the sandbox unless another key is given; ann buys and sam sells."""

    def __init__(self, database: Database, rate_limit: RateLimit = UNLIMITED) -> None:
        self.now_s = NOW_S
        self.key: str | None = KEY
        self.set_up(database)
        Tenants(database, lambda: self.now_s).create_instance(INSTANCE.removeprefix("inst_"), ["trading"])
        for currency in (EUR, JPY):
            token = new_token(new_id("tok"), currency.asset, currency.code, currency.code)
            Tokens(database).register(INSTANCE, token)
        card = ExternalPayinType(CARD)
        self.set(currencies=(EUR, JPY), iban="ES9121000418450200051332", beneficiary="Shop", payin_types=(card,))
        for merchant in (SHOP, OTHER):
            EscrowDesk(database, lambda: self.now_s).create_merchant(INSTANCE, merchant, "EUR")
        for key, world, whose, more in KEYS:
            self.make_key(key, world, whose, **{"rate_limit": rate_limit, **more})
        self.buyer = self.customer("ann@x.test")
        self.seller = self.customer("sam@x.test")
        self.buyer_wallet = self.wallet_of(self.buyer)
        self.seller_wallet = self.wallet_of(self.seller)

    def set_up(self, database: Database) -> None:
        self.database = database
        self.desk = new_escrow_desk(database, clock=lambda: self.now_s * 1000)
        self.escrows = Escrows(database)
        self.accounts = Accounts(database)

    def make_key(self, key: str, world: World = World.SANDBOX, merchant: str | None = SHOP, **more: Any) -> None:
        """Store a key; more: members besides whose it is."""
        of_any = {"key_id": digest_of(key), "instance": INSTANCE, "made_s": self.now_s}
        Credentials(self.database, ESCROW_KEYS).create(EscrowKey(**of_any, world=world, merchant=merchant, **more))

    def over(self, database: Database) -> Desk:
        """Return the same desk over a copy of its tables."""
        other = copy(self)
        other.set_up(database)
        return other

    def as_key(self, key: str | None) -> Desk:
        other = copy(self)
        other.key = key
        return other

    def set(self, **settings: Any) -> None:
        """Change settings of the instance's desk."""

        def change(now: DeskSettings) -> DeskSettings:
            return replace(now, **settings)

        EscrowDesks(self.database).change(INSTANCE, change)

    # --- requests

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | str | None = None,
        body: object = None,
        content_type: str | None = "application/json",
        headers: dict[str, str] | None = None,
        address: str = "192.0.2.1",
    ) -> HttpResponse:
        """Send a request. query: as it stands after the question mark, or members. body: bytes as they are, anything
        else as JSON, None for none."""
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body, default=_plain).encode()
        sent = {} if self.key is None else {"authorization": f"Bearer {self.key}"}
        if content_type is not None and raw:
            sent["content-type"] = content_type
        text = query if isinstance(query, str) else urlencode(query or {}, doseq=True)
        parameters = parse_qs(text, keep_blank_values=True)
        return self.desk.answer(HttpRequest(method, None, {}, parameters, sent | (headers or {}), raw, path, address))

    def get(self, path: str, query: dict[str, Any] | str | None = None) -> HttpResponse:
        return self.send("GET", f"/2.0{path}", query=query)

    def post(self, path: str, body: object = None, **more: Any) -> HttpResponse:
        return self.send("POST", f"/2.0{path}", body=body, **more)

    def put(self, path: str, body: object = None, **more: Any) -> HttpResponse:
        return self.send("PUT", f"/2.0{path}", body=body, **more)

    def call_back(
        self,
        body: object,
        payin_type: str = CARD,
        *,
        world: str = "sandbox",
        secret: str | None = None,
        at_s: int | None = None,
        **headers: str,
    ) -> HttpResponse:
        """Send a callback of a provider. secret: with which it is signed, that of its type if none is given."""
        payload = body if isinstance(body, bytes) else json.dumps(body, default=_plain).encode()
        sender = callback_sender(INSTANCE, World(world), payin_type)
        own = callback_secret_of(MASTER_KEY, sender, 1)
        signed = signed_headers([secret or own], "msg_1", payload, (self.now_s if at_s is None else at_s) * 1000)
        path = f"/callbacks/{INSTANCE}/{world}/{payin_type}"
        return self.as_key(None).post(path, payload, headers=signed | headers)

    def operate(self, path: str, body: object = None, **more: Any) -> HttpResponse:
        return self.as_key(OPERATOR_KEY).post(f"/operator{path}", body, **more)

    # --- what a test begins with

    def customer(self, email: str, **more: Any) -> dict[str, Any]:
        return data_of(self.post("/customers", {"email": email, **more}))

    def wallet_of(self, customer: dict[str, Any], currency: str = "EUR") -> dict[str, Any]:
        """Return a customer's wallet as it is now."""
        wallets = page_of(self.get(f"/customers/{customer['uuid']}/wallets"))["data"]
        return next(wallet for wallet in wallets if wallet["currency"] == currency)

    def deposit(self, amount: object = 200, reference: str | None = None, wallet: dict[str, Any] | None = None) -> None:
        uuid = (wallet or self.buyer_wallet)["uuid"]
        body = {"amount": amount, "reference": reference or new_id("bank")}
        data_of(self.operate(f"/wallets/{uuid}/deposit", body))

    def usual_order(self, **more: Any) -> dict[str, Any]:
        """Return the body of an order from ann to sam; a member set to ... is left out."""
        usual = {"buyer_id": self.buyer["id"], "seller_id": self.seller["id"], "name": "Road bike", "value": 150}
        return {name: value for name, value in (usual | more).items() if value is not ...}

    def order(self, **more: Any) -> dict[str, Any]:
        return data_of(self.post("/orders", self.usual_order(**more)))

    def pay(self, order: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Pay an order from ann's wallet."""
        body = {"order_id": order["id"], "type": "WALLET", "wallet_id": self.buyer_wallet["id"], **more}
        return data_of(self.post("/payins", body))

    def bankwire(self, order: dict[str, Any]) -> dict[str, Any]:
        return data_of(self.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}))

    def paid(self, **more: Any) -> dict[str, Any]:
        """Return an order that is PUBLISHED, its money deposited before."""
        order = self.order(**more)
        if order["value"]:
            self.deposit(order["value"])
        self.pay(order)
        return self.now(order)

    def do(self, order: dict[str, Any], command: str, body: object = None) -> dict[str, Any]:
        return data_of(self.post(f"/orders/{order['id']}/{command}", body))

    def pay_out(self, order: dict[str, Any]) -> dict[str, Any]:
        body = {"order_id": order["id"], "type": "WALLET", "wallet_id": self.seller_wallet["id"]}
        return data_of(self.post("/payouts", body))

    def in_status(self, status: str) -> dict[str, Any]:
        """Return an order that has come to this status by the shortest way."""
        if status == "PENDING_DETAILS":
            return self.order(buyer_id=..., auto_settle=1)
        if status in ("DRAFT", "PENDING_PUBLISH", "FAILURE"):
            order = self.order()
            if status == "PENDING_PUBLISH":
                self.bankwire(order)
            if status == "FAILURE":
                self.operate(f"/payins/{self.bankwire(order)['id']}/deny")
            return self.now(order)
        order = self.paid()
        if status == "PENDING_RELEASE":
            self.set(release_delay_seconds=60)
        for step in {
            "PUBLISHED": (),
            "ACCEPTED": ("accept",),
            "REJECTED": ("reject",),
            "PENDING_VALIDATE": ("accept", self.pay_out),
            "PENDING_RELEASE": ("accept", "validate"),
            "BLOCKED_RELEASE": ("block",),
            "CANCELLED": ("cancel",),
            "RELEASED": ("accept", "validate"),
        }[status]:
            if callable(step):
                step(order)
            elif step == "block":
                self.operate(f"/orders/{order['id']}/block")
            else:
                self.do(order, step)
        self.set(release_delay_seconds=0)
        return self.now(order)

    def now(self, order: dict[str, Any]) -> dict[str, Any]:
        return data_of(self.get(f"/orders/{order['id']}"))

    def funds(self, wallet: dict[str, Any] | None = None) -> Any:
        """Return what a wallet shows; ann's without one."""
        return data_of(self.get(f"/wallets/{(wallet or self.buyer_wallet)['uuid']}"))["balance"]

    def scope(self, world: World) -> Scope:
        return EscrowDesks(self.database).merchant(INSTANCE, SHOP).scope(world)

    def own_uuid(self, world: World) -> str:
        """Return the uuid of the shop's own, hidden customer."""
        return EscrowDesks(self.database).merchant(INSTANCE, SHOP).customers[world]

    # --- tables

    def tables(self) -> dict[str, list[Row]]:
        """Return every row of every table that requests change, to compare; but of answers and rates."""
        return {
            table: sorted(self.database.scan(table), key=lambda row: [str(value) for value in list(row.values())[:2]])
            for table in CHANGED_BY_REQUESTS
        }

    def check_money(self) -> None:
        """Assert that all accounts agree with each other, with the supply and with the orders of the shop's sandbox."""
        world: Any = SimpleNamespace(database=self.database, escrows=self.escrows, scope=self.scope(World.SANDBOX))
        check_money(world)


def _plain(value: object) -> object:
    """Return what JSON writes of a Decimal."""
    assert isinstance(value, Decimal)
    return float(value)


def parsed(response: HttpResponse) -> Any:
    """Return the body; its numbers with decimals exactly."""
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    return json.loads(response.body, parse_float=Decimal)


def data_of(response: HttpResponse) -> Any:
    """Return the data of an answer that shows one thing."""
    assert response.status == 200, response.body
    body = parsed(response)
    assert list(body) == ["data"]
    return body["data"]


def page_of(response: HttpResponse) -> Any:
    """Return a page of a list."""
    assert response.status == 200, response.body
    body = parsed(response)
    assert list(body) == ["current_page", "last_page", "per_page", "total", "from", "to", "data"]
    return body


def ids_of(response: HttpResponse) -> list[int]:
    return [row["id"] for row in page_of(response)["data"]]


def errors_of(response: HttpResponse) -> dict[str, list[str]]:
    """Return what a 422 says of each field."""
    assert response.status == 422, response.body
    body = parsed(response)
    assert list(body) == ["message", "errors"]
    assert body["message"] == "The given data was invalid."
    assert all(isinstance(texts, list) and texts for texts in body["errors"].values())
    errors: dict[str, list[str]] = body["errors"]
    return errors


def refusal_of(response: HttpResponse) -> tuple[int, Any]:
    """Return status and body of a refusal that names no fields."""
    return response.status, parsed(response)


UNAUTHENTICATED = (401, {"message": "Unauthenticated."})
UNAUTHORIZED = (403, {"message": "This action is unauthorized."})
NOT_FOUND = (404, {"message": "Not found"})
TOO_MANY = (429, {"message": "Too Many Attempts."})
