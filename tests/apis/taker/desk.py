"""A taker desk for tests, called as the app calls it: one instance, one maker, two takers, all funded.

Requests carry a taker's API key or a maker's JWT; orders are signed with the maker's private key as a wallet does it.
The clock stands still until a test moves it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys import keys

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.taker.api import TakerApi
from chalicelib.apis.taker.sessions import Session, new_jwt
from chalicelib.apis.taker.signature import signature_of
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.domain.signed.eip712 import order_hash_of, signable
from chalicelib.domain.signed.order import SignedOrder, customer_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TakerKey, taker_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.ledger.movements import Movements
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.support.clock import iso_seconds, new_id
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.rows import Row
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.tokens import Tokens
from chalicelib.wiring.taker import new_taker_desk
from tests.in_memory import database_of, empty_tables
from tests.ordering import in_order

MASTER_KEY = bytes(range(32))
INSTANCE, OTHER_INSTANCE = "inst_test0001", "inst_test0002"
NOW_S = 1_737_082_824
"""2025-01-17T03:00:24Z: when these tests' clocks start."""
MAKER_KEY, OTHER_MAKER_KEY = "0x" + "11" * 32, "0x" + "22" * 32
MAKER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OTHER_MAKER = str(Account.from_key(OTHER_MAKER_KEY).address)
TAKER, OTHER_TAKER = "0xabcdefabcdefabcdefabcdefabcdefabcdefabcd", "0xDcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdC"
API_KEY, OTHER_API_KEY = "key-of-taker", "key-of-other-taker"
ASSET = "0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91"
QUOTE, AAPL, TSLA = ASSET.lower(), "0x" + "a1" * 20, "0x" + "b2" * 20
UNIT = 10**18
FUNDS = 10**6 * UNIT
UNLIMITED = RateLimit(bucket=0, per_day=0)
API = "/api/v1"
ORDER: dict[str, Any] = {
    "maker": MAKER,
    "principal": MAKER,
    "is_buy": True,
    "ticker": "AAPL",
    "exchange": 0,
    "asset": ASSET,
    "price": "150250000000000000000",
    "quantity": "10000000000000000000",
    "incentive": "1000000000000000000",
    "deadline": 4_102_444_800,
    "nonce": 1,
}
"""Order B of the contract's vectors."""
TABLES = (
    "tenants", "tokens", "books", "inbox", "journal", "orders", "fills", "accounts", "requests", "signed-orders",
)  # fmt: skip


@dataclass
class Clock:
    """The desk's time, in ms; moved by tests only."""

    now_ms: int = NOW_S * 1000

    def __call__(self) -> int:
        return self.now_ms

    @property
    def now_s(self) -> int:
        return self.now_ms // 1000

    def advance(self, seconds: int) -> None:
        self.now_ms += seconds * 1000


@dataclass(frozen=True)
class Desk:
    """Sends requests of one taker and one maker; ``as_other`` and ``as_maker`` are the same desk for others."""

    database: Database
    desk: TakerApi
    clock: Clock
    api_key: str = API_KEY
    taker: str = TAKER
    maker_key: str = MAKER_KEY
    instance: str = INSTANCE
    settings: DeskSettings = field(default_factory=DeskSettings)

    @property
    def secret(self) -> str:
        return taker_secret_of(MASTER_KEY, self.api_key)

    @property
    def maker(self) -> str:
        """The maker's wallet in lower case."""
        return customer_of(_as_written(self.maker_key))

    @property
    def jwt(self) -> str:
        return self.jwt_until(self.clock.now_s + 86_400)

    def jwt_until(self, ends_s: int) -> str:
        """Return a JWT of the maker that ends then."""
        return new_jwt(Session(self.instance, self.maker, ends_s), MASTER_KEY, self.clock.now_s)

    @property
    def as_other(self) -> Desk:
        """The same desk for the other taker."""
        return replace(self, api_key=OTHER_API_KEY, taker=OTHER_TAKER)

    def as_maker(self, maker_key: str) -> Desk:
        return replace(self, maker_key=maker_key)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | str | None = None,
        body: object = None,
        headers: dict[str, Any] | None = None,
        client_address: str = "192.0.2.1",
    ) -> HttpResponse:
        """Send a request without any credential of its own. path: below the mount.

        query: with lists for repeated parameters, or as it stands after the question mark. body: bytes as they are,
        anything else as compact JSON, None for none. headers: their names in lower case; ... leaves one out.
        """
        text = query if isinstance(query, str) else urlencode(query or {}, doseq=True)
        sent = {name: value for name, value in (headers or {}).items() if value is not ...}
        parameters = parse_qs(text, keep_blank_values=True)
        request = HttpRequest(method, None, {}, parameters, sent, raw(body), API + path, client_address)
        return self.desk.answer(request)

    def get(self, path: str, query: dict[str, Any] | str | None = None) -> HttpResponse:
        """GET as the taker, by its API key alone (K4)."""
        return self.send("GET", path, query=query, headers={"x-api-key": self.api_key})

    def post(self, path: str, body: object = None, headers: dict[str, Any] | None = None) -> HttpResponse:
        """POST as the taker, by its API key alone (K4)."""
        return self.send("POST", path, body=body, headers={"x-api-key": self.api_key} | (headers or {}))

    def signed(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: object = None,
        headers: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Send a request of the taker's, signed. headers: instead of those that are usual, ... leaves one out."""
        sent_at = str(self.clock())
        content = query.encode() if method == "GET" else raw(body)
        usual = {
            "x-api-key": self.api_key,
            "x-api-timestamp": sent_at,
            "x-api-signature": signature_of(self.secret, method, API + path, sent_at, content),
        }
        return self.send(method, path, query=query, body=body, headers=usual | (headers or {}))

    def maker_get(self, path: str, query: dict[str, Any] | str | None = None) -> HttpResponse:
        """GET as the maker, by its JWT."""
        return self.send("GET", path, query=query, headers={"authorization": f"Bearer {self.jwt}"})

    def maker_post(self, path: str, body: object = None, headers: dict[str, Any] | None = None) -> HttpResponse:
        """POST as the maker, by its JWT."""
        return self.send("POST", path, body=body, headers={"authorization": f"Bearer {self.jwt}"} | (headers or {}))

    def order_body(self, **members: Any) -> dict[str, Any]:
        """Return the usual order with some members changed, signed by the maker, as POST orders takes it."""
        order = ORDER | {"maker": _as_written(self.maker_key), "principal": _as_written(self.maker_key)} | members
        return {"order": order, "signature": sign_order(order, self.maker_key, self.settings)}

    def create(self, **members: Any) -> HttpResponse:
        """POST the usual order with some members changed, signed."""
        return self.maker_post("/orders", self.order_body(**members))

    def created(self, **members: Any) -> str:
        """Create an order, which must succeed; return its hash."""
        return str(data_of(self.create(**members))["order_hash"])

    def lock(self, order_hash: str, **members: Any) -> HttpResponse:
        return self.post("/orders/lock", {"order_hash": order_hash} | members)

    def unlock(self, order_hash: str) -> HttpResponse:
        return self.post("/orders/unlock", {"order_hash": order_hash})

    def fill(self, order_hash: str, quantity: int | str, **members: Any) -> HttpResponse:
        return self.post("/orders/fill", {"order_hash": order_hash, "fill_quantity": str(quantity)} | members)

    def reject(self, order_hash: str, **members: Any) -> HttpResponse:
        return self.post("/orders/reject", {"order_hash": order_hash} | members)

    def cancel(self, order_id: str) -> HttpResponse:
        """Cancel as the maker. order_id: the id or the hash (K16)."""
        return self.maker_post(f"/orders/{order_id}/cancel")

    def cancel_result(self, order_hash: str, succeeded: bool, message: str = "") -> HttpResponse:
        body = {"order_hash": order_hash, "taker_address": self.taker, "cancellation_success": succeeded}
        return self.post("/orders/cancel-result", body | {"message": message})

    def seen(self, order_hash: str) -> HttpResponse:
        """GET the single order as the taker sees it."""
        return self.get(f"/takers/orders/{order_hash}")

    def balance(self, address: str, asset: str) -> tuple[int, int]:
        """Return (available, held) of an address."""
        balance = Accounts(self.database).balance(customer_key(self.instance, customer_of(address)), asset)
        return balance.available, balance.held

    def credit(self, address: str, asset: str, amount: int) -> None:
        Movements(self.database).record(Movement(self.instance, asset, None, customer_of(address), amount))

    def debit(self, address: str, asset: str, amount: int) -> None:
        Movements(self.database).record(Movement(self.instance, asset, customer_of(address), None, amount))

    def tables(self) -> dict[str, list[Row]]:
        """Return all rows of all tables but the counters of requests, for comparisons of before and after."""
        found = {name: in_order(self.database.scan(name)) for name in TABLES}
        return found | {"requests": [row for row in found["requests"] if row["request"] != "allowance"]}

    def commands(self) -> SignedOrderDesk:
        """Return the desk behind the wire, for what only operators and jobs do."""
        return SignedOrderDesk(self.database, lambda: self.clock.now_s)

    def change_settings(self, **settings: Any) -> Desk:
        """Change what the operator sets; return the desk of clients that know of it."""
        changed = TakerDesks(self.database).change(self.instance, lambda found: replace(found, **settings))
        return replace(self, settings=changed)


def open_taker_desk(
    database: Database,
    *,
    public_instance: str | None = INSTANCE,
    funds: int = FUNDS,
    clock: Clock | None = None,
    is_there: bool = False,
) -> Desk:
    """Return the desk of an instance: two makers and two takers, each given so much of the quote and both stocks.

    is_there: whether the instance has been made already.
    """
    if not is_there:
        Tenants(database, lambda: NOW_S).create_instance(INSTANCE.removeprefix("inst_"), {"trading"})
    open_market(database, INSTANCE)
    make_key(database, API_KEY, TAKER)
    make_key(database, OTHER_API_KEY, OTHER_TAKER)
    clock = clock or Clock()
    served = new_taker_desk(database, master_key=lambda: MASTER_KEY, public_instance=public_instance, clock=clock)
    desk = Desk(database, served, clock)
    for address in (MAKER, OTHER_MAKER, TAKER, OTHER_TAKER):
        for asset in (QUOTE, AAPL, TSLA):
            if funds:
                desk.credit(address, asset, funds)
    return desk


@cache
def _opened() -> Any:
    """Return the tables of a desk that was just opened; makers may come as often as they like."""
    client = empty_tables()
    open_taker_desk(database_of(client)).change_settings(rate_limit=UNLIMITED)
    return client


def new_desk(public_instance: str | None = INSTANCE) -> Desk:
    """Return a desk over tables of its own, as they were when it was opened; everybody has a million of each asset."""
    database, clock = database_of(_opened().clone()), Clock()
    served = new_taker_desk(database, master_key=lambda: MASTER_KEY, public_instance=public_instance, clock=clock)
    return Desk(database, served, clock)


def open_instance(database: Database, instance: str) -> None:
    """Make an instance with the quote and both instruments."""
    Tenants(database, lambda: NOW_S).create_instance(instance.removeprefix("inst_"), {"trading"})
    open_market(database, instance)


def open_market(database: Database, instance: str) -> None:
    """Let an instance trade both stocks against the quote."""
    tokens, instruments = Tokens(database), Instruments(database)
    for address, name, symbol in ((QUOTE, "US Dollar", "USD"), (AAPL, "Apple", "AAPL"), (TSLA, "Tesla", "TSLA")):
        tokens.register(instance, new_token(new_id("tok"), address, name, symbol))
    instruments.add_quote(instance, QUOTE)
    instruments.add(instance, 0, "AAPL", AAPL)
    instruments.add(instance, 0, "TSLA", TSLA)


def make_key(
    database: Database,
    api_key: str,
    taker: str,
    *,
    instance: str = INSTANCE,
    rate_limit: RateLimit = UNLIMITED,
    expires_s: int | None = None,
    requires_signature: bool = False,
) -> TakerKey:
    key = TakerKey(
        key_id=digest_of(api_key),
        instance=instance,
        made_s=NOW_S,
        rate_limit=rate_limit,
        taker=taker,
        expires_s=expires_s,
        requires_signature=requires_signature,
    )
    Credentials(database, TAKER_KEYS).create(key)
    return key


def sign_order(order: dict[str, Any], maker_key: str, settings: DeskSettings) -> str:
    """Return the signature of an order as it is sent: EIP-712."""
    signed = Account.sign_message(signable(settings.domain, facts_of(order)), _wallet(maker_key))
    return "0x" + bytes(signed.signature).hex()


def hash_of(order: dict[str, Any], settings: DeskSettings) -> str:
    return order_hash_of(settings.domain, facts_of(order))


def facts_of(order: dict[str, Any]) -> SignedOrder:
    amounts = {name: int(order[name]) for name in ("price", "quantity", "incentive")}
    return SignedOrder(**order | amounts)


def sign_message(message: str, maker_key: str) -> str:
    """Return the personal_sign signature of a text."""
    return "0x" + bytes(Account.sign_message(encode_defunct(text=message), _wallet(maker_key)).signature).hex()


def connect_message(desk: Desk, **lines: Any) -> str:
    """Return the message with which the maker's wallet connects now, some lines changed; ... leaves one out."""
    usual = {
        "Wallet address": _as_written(desk.maker_key),
        "ChainId": desk.settings.domain.chain_id,
        "Timestamp": iso_seconds(desk.clock.now_s),
        "Nonce": "n-0001",
    }
    named = {name.replace("_", " "): value for name, value in lines.items()}
    return "\n".join(f"{name}: {value}" for name, value in (usual | named).items() if value is not ...)


def connect_body(desk: Desk, **lines: Any) -> dict[str, Any]:
    """Return what the maker's wallet sends to connect, the message signed."""
    message = connect_message(desk, **lines)
    return {
        "wallet_address": _as_written(desk.maker_key),
        "chain_id": str(desk.settings.domain.chain_id),
        "message": message,
        "signature": sign_message(message, desk.maker_key),
    }


def raw(body: object) -> bytes:
    """Return a body as it is sent."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()


def data_of(response: HttpResponse) -> Any:
    """Return the data of a success."""
    assert response.status == 200, response.body
    answer = json.loads(response.body)
    assert list(answer) == ["code", "data"]
    assert answer["code"] == 0
    return answer["data"]


def fault_of(response: HttpResponse) -> tuple[int, int]:
    """Return status and code of a failure."""
    answer = json.loads(response.body)
    assert list(answer) in (["code", "message"], ["code", "message", "details"]), answer
    assert answer["code"] != 0
    assert answer["message"]
    return response.status, answer["code"]


def details_of(response: HttpResponse) -> dict[str, Any]:
    """Return a failure's details by name, nothing where there are none. They are text, unless set otherwise (K51)."""
    fault_of(response)
    text = json.loads(response.body).get("details")
    return {} if text is None else details_in(text)


def details_in(text: str) -> dict[str, str]:
    parts = [part.partition(": ") for part in text.split("; ")]
    assert all(name and value for name, _, value in parts), text
    return {name: value for name, _, value in parts}


def faulty_fields(response: HttpResponse) -> list[str]:
    """Return the bad fields of a 400001."""
    assert fault_of(response) == (400, 400001), response.body
    return list(details_of(response))


def _as_written(maker_key: str) -> str:
    return str(_wallet(maker_key).public_key.to_checksum_address())


@cache
def _wallet(maker_key: str) -> keys.PrivateKey:
    """Return a wallet's key; to reckon its address takes longer than a request."""
    return keys.PrivateKey(bytes.fromhex(maker_key.removeprefix("0x")))
