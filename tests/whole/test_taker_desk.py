"""The taker desk over HTTP: an order's life cycle, and concurrent takers.

Whatever the takers do, the sum of each asset over all accounts stays the same, and ``verify`` agrees.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib.apis.taker.signature import signature_of
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TakerKey
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from tests.apis.taker.desk import details_in, sign_message, sign_order
from tests.infra.stack import RunningStack
from tests.services.books.test_races import at_once

pytestmark = pytest.mark.stack

INSTANCE = "inst_demo0001"
API = "/api/v1"
PRICE, QUANTITY, INCENTIVE = 2 * 10**18, 10_000, 100
AT_THE_LOCKS_END_TRIES_MAX = 10_000
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Caller:
    """Somebody who talks to the running service: each request on a connection of its own."""

    stack: RunningStack
    headers: dict[str, str]

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.stack.base_url).netloc, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, API + path, content, self.headers | (headers or {}))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def done(self, method: str, path: str, body: object = None) -> Any:
        """Ask for something that must succeed; return its data."""
        status, answer = self.ask(method, path, body)
        assert (status, answer["code"]) == (200, 0), answer
        return answer["data"]

    def command(self, word: str, order_hash: str, **members: Any) -> Answer:
        """Give a taker's command on an order."""
        return self.ask("POST", f"/orders/{word}", {"order_hash": order_hash} | members)


@dataclass(frozen=True)
class Running:
    """The demo's taker desk: its maker, its two takers, and the tables behind it."""

    stack: RunningStack
    maker: Caller
    taker: Caller
    other: Caller
    database: Database

    @property
    def demo(self) -> dict[str, Any]:
        desk: dict[str, Any] = self.stack.demo["taker_desk"]
        return desk

    def order(self, **members: Any) -> dict[str, Any]:
        """Return an order to buy, signed by the demo's maker, under its next nonce."""
        nonce = self.maker.done("GET", "/orders/maker/next-nonce")["next_nonce"]
        address, deadline = self.demo["maker_address"], int(time.time()) + 3600
        usual = {"maker": address, "principal": address, "is_buy": True, "ticker": self.demo["ticker"]}
        usual |= {"exchange": self.demo["exchange"], "asset": self.demo["asset"], "price": str(PRICE)}
        usual |= {"quantity": str(QUANTITY), "incentive": str(INCENTIVE), "deadline": deadline, "nonce": nonce}
        order = usual | members
        return {"order": order, "signature": sign_order(order, self.demo["maker_private_key"], DeskSettings())}

    def new_order(self, **members: Any) -> str:
        """Create an order; return its hash."""
        return str(self.maker.done("POST", "/orders", self.order(**members))["order_hash"])

    def shown(self, order_hash: str) -> dict[str, Any]:
        """Return an order as its maker sees it."""
        (order,) = self.maker.done("GET", f"/orders?order_hash={order_hash}")["orders"]
        return dict(order)

    def totals(self) -> dict[str, int]:
        """Return what there is of each asset, over all accounts of all instances but the supplies."""
        found: dict[str, int] = {}
        for row in self.database.scan("accounts"):
            kind, _, asset = row["entry"].partition("/")
            if kind == "balance" and not row["owner"].endswith("/supply"):
                found[asset] = found.get(asset, 0) + row["available"] + row.get("held", 0)
        return found


@pytest.fixture(scope="module")
def running(stack: RunningStack) -> Running:
    demo = stack.demo["taker_desk"]
    address = demo["maker_address"]
    lines = [f"Wallet address: {address}", f"ChainId: {demo['chain_id']}"]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    message = "\n".join([*lines, f"Timestamp: {now}", f"Nonce: {secrets.token_hex(8)}"])
    body = {"wallet_address": address, "chain_id": str(demo["chain_id"]), "message": message}
    signature = sign_message(message, demo["maker_private_key"])
    token = Caller(stack, {}).done("POST", "/makers/connect", body | {"signature": signature})["jwt"]
    maker = Caller(stack, {"Authorization": f"Bearer {token}"})
    taker, other = (Caller(stack, {"X-API-Key": demo[name]}) for name in ("api_key", "other_api_key"))
    client = boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url)
    database = Database(client, stack.prefix)
    as_often_as_it_likes = RateLimit(bucket=0, per_day=0)
    TakerDesks(database).change(INSTANCE, lambda found: replace(found, rate_limit=as_often_as_it_likes))
    return Running(stack, maker, taker, other, database)


@pytest.fixture
def nothing_lost(running: Running) -> Iterator[None]:
    """Guarantee 1, and what ``verify`` proves, after the test."""
    before = running.totals()
    yield
    assert running.totals() == before
    Verifier(running.database).verify(None)


def test_an_orders_life_over_http(running: Running, nothing_lost: None) -> None:  # noqa: ARG001 - looked at afterwards
    body = running.order(is_buy=False)
    assert running.taker.done("POST", "/takers/orders/validate", body)["valid"] is True
    order_hash = running.maker.done("POST", "/orders", body)["order_hash"]
    assert order_hash in [order["order_hash"] for order in running.taker.done("GET", "/orders/available?is_buy=false")]
    lock = running.taker.done("POST", "/orders/lock", {"order_hash": order_hash, "reference_id": "at-lock"})
    assert lock["locked_by"] == running.demo["taker_address"]
    status, answer = running.other.command("fill", order_hash, fill_quantity="1")
    assert (status, answer["message"]) == (404, "Order not found")
    status, filled = running.taker.command("fill", order_hash, fill_quantity="4000", reference_id="first")
    assert (status, filled["data"]["filled_amount"], filled["data"]["incentive_amount"]) == (200, "8000", "40")
    path = f"/orders/{order_hash}/cancel"
    assert running.maker.done("POST", path)["message"] == "cancellation_requested"
    assert running.taker.done("GET", f"/takers/orders/0x{order_hash[2:].upper()}")["notes"] == "cancel_requested"
    result = {"order_hash": order_hash, "taker_address": running.demo["taker_address"], "message": "rest given back"}
    assert running.taker.done("POST", "/orders/cancel-result", result | {"cancellation_success": True})
    shown = running.taker.done("GET", f"/takers/orders/{order_hash}")
    assert (shown["status"], shown["filled_quantity"], shown["notes"]) == ("cancelled", "4000", "rest given back")


def test_a_signed_list_over_http(running: Running) -> None:
    query, timestamp = "status=locked,partially_filled&page=1&page_size=20", str(time.time_ns() // 10**6)
    secret = running.demo["api_secret"]
    signature = signature_of(secret, "GET", f"{API}/takers/orders", timestamp, query.encode())
    headers = {"X-API-Timestamp": timestamp, "X-API-Signature": signature}
    assert running.taker.ask("GET", f"/takers/orders?{query}", headers=headers)[0] == 200
    status, answer = running.taker.ask("GET", f"/takers/orders?{query}0", headers=headers)
    assert (status, answer["code"]) == (401, 10010008)


def test_errors_over_http(running: Running) -> None:
    nobody = Caller(running.stack, {})
    assert nobody.ask("GET", "/takers/orders")[1]["code"] == 10010012
    assert nobody.ask("GET", "/orders")[1]["code"] == 401
    assert running.taker.ask("GET", "/nowhere")[1] == {"code": 404, "message": "Not found"}
    assert running.taker.ask("PUT", "/orders/lock")[0] == 404
    status, answer = running.taker.ask("GET", "/takers/orders?page_size=0&status=foo&is_buy=maybe")
    assert (status, answer["code"], sorted(details_in(answer["details"]))) == (
        400,
        400001,
        ["is_buy", "page_size", "status"],
    )


# --- at the same moment ------------------------------------------------------------------------------------------


def test_of_twenty_takers_who_lock_one_order_concurrently_one_succeeds(
    running: Running,
    nothing_lost: None,  # noqa: ARG001
) -> None:
    takers = []
    for number in range(20):
        api_key, address = secrets.token_urlsafe(16), f"0x{number:040x}"
        key = TakerKey(
            key_id=digest_of(api_key),
            instance=INSTANCE,
            made_s=int(time.time()),
            rate_limit=RateLimit(bucket=0, per_day=0),
            taker=address,
        )
        Credentials(running.database, TAKER_KEYS).create(key)
        takers.append(Caller(running.stack, {"X-API-Key": api_key}))
    order_hash = running.new_order()
    answers = at_once([lambda taker=taker: taker.command("lock", order_hash) for taker in takers])  # type: ignore[misc]
    assert sorted(status for status, _ in answers) == [200] + [409] * 19  # type: ignore[misc]
    (holder,) = (number for number, (status, _) in enumerate(answers) if status == 200)  # type: ignore[misc]
    for number, taker in enumerate(takers):
        listed = [order["order_hash"] for order in taker.done("GET", "/takers/orders")["orders"]]
        assert listed == ([order_hash] if number == holder else [])
    assert running.shown(order_hash)["status"] == "locked"


def test_one_fill_sent_five_times_at_once_moves_money_once(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    order_hash = running.new_order()
    running.taker.done("POST", "/orders/lock", {"order_hash": order_hash})
    whose, asset = customer_key(INSTANCE, running.demo["taker_address"].lower()), running.demo["asset"].lower()
    before = Accounts(running.database).balance(whose, asset).available
    fill = {"fill_quantity": "1000", "reference_id": "once"}
    answers = at_once([lambda: running.taker.command("fill", order_hash, **fill)] * 5)
    assert [status for status, _ in answers] == [200] * 5  # type: ignore[misc]
    assert len({json.dumps(answer) for _, answer in answers}) == 1  # type: ignore[misc]
    assert running.shown(order_hash)["filled_quantity"] == "1000"
    assert Accounts(running.database).balance(whose, asset).available == before + 2000 + 10
    fills = running.taker.done("GET", f"/orders/filled?order_hash={order_hash}")
    assert fills["total"] == len(fills["fills"]) == 1


def test_ten_partial_fills_at_once_never_fill_more_than_there_is(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    """Each of 1,500 of 10,000: six fit. Whoever was told that others were quicker comes again."""
    order_hash = running.new_order()
    running.taker.done("POST", "/orders/lock", {"order_hash": order_hash})

    def fill(name: str) -> int:
        return running.taker.command("fill", order_hash, fill_quantity="1500", reference_id=name)[0]

    names = [f"part-{number}" for number in range(10)]
    statuses = at_once([lambda name=name: fill(name) for name in names])  # type: ignore[misc]
    assert set(statuses) <= {200, 400, 500}
    assert running.shown(order_hash)["filled_quantity"] == str(1500 * statuses.count(200))
    again = [fill(name) for name in names]
    assert sorted(again) == [200] * 6 + [400] * 4
    assert running.shown(order_hash)["filled_quantity"] == "9000"


def test_a_fill_and_an_unlock_at_once(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    """The fill of the whole goes through if and only if it comes first; then there is nothing to unlock."""
    for number in range(4):
        order_hash = running.new_order()
        running.taker.done("POST", "/orders/lock", {"order_hash": order_hash})
        jobs: list[Callable[[], object]] = [
            lambda one=order_hash: running.taker.command("fill", one, fill_quantity=str(QUANTITY))[0],  # type: ignore[misc]
            lambda one=order_hash: running.taker.command("unlock", one)[0],  # type: ignore[misc]
        ]
        filled, unlocked = at_once(jobs if number % 2 else jobs[::-1])[:: 1 if number % 2 else -1]
        shown = running.shown(order_hash)
        assert (filled, unlocked) in ((200, 409), (409, 200))
        assert (shown["status"], shown["filled_quantity"]) == (
            ("filled", str(QUANTITY)) if filled == 200 else ("pending", "0")
        )


def test_fills_an_unlock_and_another_taker_at_the_locks_end(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    """One taker fills unit by unit until its lock is over, the other one locks as soon as it can."""
    order_hash = running.new_order()
    running.taker.done("POST", "/orders/lock", {"order_hash": order_hash, "lock_duration": 2})

    def fill_while_it_lasts() -> list[int]:
        statuses = [running.taker.command("fill", order_hash, fill_quantity="1")[0]]
        while statuses[-1] in (200, 500):
            statuses.append(running.taker.command("fill", order_hash, fill_quantity="1")[0])
        running.taker.command("unlock", order_hash)
        return statuses

    def lock_when_it_ends() -> bool:
        tries = (running.other.command("lock", order_hash)[0] == 200 for _ in range(AT_THE_LOCKS_END_TRIES_MAX))
        return any(tries)

    statuses, is_locked = at_once([fill_while_it_lasts, lock_when_it_ends])
    assert is_locked
    filled = statuses.count(200)  # type: ignore[attr-defined]
    assert statuses[-1] in (404, 409)  # type: ignore[index]
    assert running.shown(order_hash)["filled_quantity"] == str(filled)
    rest = running.other.command("fill", order_hash, fill_quantity=str(QUANTITY - filled))
    assert (rest[0], rest[1]["data"]["status"]) == (200, "filled")
