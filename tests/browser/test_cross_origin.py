"""Pages of other origins at the routes of makers, in a real browser (K52)."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from eth_account import Account

from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.support.clock import iso_seconds, now_s
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.origins import Origins
from chalicelib.tables.tenants import Tenants
from tests.apis.taker.desk import sign_message, sign_order
from tests.browser.conftest import NO_ANSWER, NOT_FOUND, OTHER_ORIGIN, REFUSED, UNAUTHORIZED, Tab
from tests.infra.stack import RunningStack

pytestmark = pytest.mark.stack

CALL = """async ({url, method, headers, body}) => {
    try {
        const answer = await fetch(url, {method, headers, body})
        return {status: answer.status, body: await answer.json(), id: answer.headers.get("X-REQUEST-ID")}
    } catch (error) {
        return {failed: error.name}
    }
}"""
"""What a page's script does: it either reads the answer, or learns only that something failed."""
UNREADABLE = {"failed": "TypeError"}
INSTANCE = "inst_demo0001"


@dataclass
class MakersPage:
    """A page's script that calls the routes of makers."""

    tab: Tab
    stack: RunningStack
    jwt: str = ""

    def call(self, method: str, path: str, body: str | None = None, **headers: str) -> dict[str, Any]:
        sent = {"Authorization": f"Bearer {self.jwt}", "Content-Type": "application/json"} if self.jwt else {}
        url = f"{self.stack.base_url}/api/v1{path}"
        wanted = {"url": url, "method": method, "headers": sent | headers, "body": body}
        found: dict[str, Any] = self.tab.page.evaluate(CALL, wanted)
        return found

    def connect(self) -> dict[str, Any]:
        body = json.dumps(connecting(self.stack.demo["taker_desk"]))
        answer = self.call("POST", "/makers/connect", body, **{"Content-Type": "application/json"})
        self.jwt = answer.get("body", {}).get("data", {}).get("jwt", "")
        return answer


def connecting(demo: dict[str, Any]) -> dict[str, Any]:
    key = demo["maker_private_key"]
    address = str(Account.from_key(key).address)
    message = "\n".join(
        [
            f"Wallet address: {address}",
            f"ChainId: {demo['chain_id']}",
            f"Timestamp: {iso_seconds(int(time.time()))}",
            f"Nonce: {secrets.token_hex(8)}",
        ]
    )
    signed = {"message": message, "signature": sign_message(message, key)}
    return {"wallet_address": address, "chain_id": str(demo["chain_id"])} | signed


def signed_order(demo: dict[str, Any], settings: DeskSettings, nonce: int) -> dict[str, Any]:
    address = str(Account.from_key(demo["maker_private_key"]).address)
    order: dict[str, Any] = {
        "maker": address, "principal": address, "is_buy": True, "ticker": demo["whole_shares_ticker"],
        "exchange": demo["exchange"], "asset": demo["asset"], "price": "150250000000000000000", "quantity": "1",
        "incentive": "0", "deadline": int(time.time()) + 3600, "nonce": nonce,
    }  # fmt: skip
    signature = sign_order(order, demo["maker_private_key"], settings)
    sent = {"isBuy" if name == "is_buy" else name: value for name, value in order.items() if name != "maker"}
    return {"order": sent, "signature": signature}


@pytest.fixture
def database(stack: RunningStack) -> Database:
    return Database(boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url), stack.prefix)


@pytest.fixture
def listed(database: Database, pages: int) -> Iterator[str]:
    """An origin that the demo's instance lists."""
    origin = f"http://127.0.0.1:{pages}"
    Origins(database).add(INSTANCE, origin)
    yield origin
    Origins(database).remove(INSTANCE, origin)


def test_a_page_of_a_listed_origin_connects_a_wallet_creates_lists_and_cancels(
    tab: Tab, stack: RunningStack, database: Database, listed: str
) -> None:
    tab.page.goto(listed)
    page = MakersPage(tab, stack)
    assert page.connect()["status"] == 200
    nonce = page.call("GET", "/orders/maker/next-nonce")["body"]["data"]["next_nonce"]
    order = signed_order(stack.demo["taker_desk"], TakerDesks(database).settings(INSTANCE), nonce)
    created = page.call("POST", "/orders", json.dumps(order), **{"X-REQUEST-ID": "of-a-page"})
    assert (created["status"], created["id"]) == (200, "of-a-page"), created
    order_id = created["body"]["data"]["id"]
    assert page.call("GET", f"/orders?nonce={nonce}")["body"]["data"]["orders"][0]["id"] == order_id
    assert page.call("DELETE", f"/orders/{order_id}")["body"]["data"]["message"] == "cancelled"
    assert page.call("GET", f"/orders/{order_id}")["body"]["data"]["status"] == "cancelled"


def test_a_page_of_a_listed_origin_reads_why_a_request_failed(tab: Tab, stack: RunningStack, listed: str) -> None:
    tab.asks_for(REFUSED, UNAUTHORIZED, NOT_FOUND)
    tab.page.goto(listed)
    page = MakersPage(tab, stack)
    page.connect()
    assert page.call("GET", "/orders?page=0")["body"]["details"] == "page: must be at least 1"
    assert page.call("POST", "/orders/7/cancel")["status"] == 404
    page.jwt = "ended"
    assert page.call("GET", "/orders")["body"]["code"] == 401


def test_a_page_of_another_origin_reads_nothing_and_sends_no_order(
    tab: Tab, stack: RunningStack, listed: str, pages: int
) -> None:
    """``localhost`` is another origin than 127.0.0.1, of the same server. A preflight keeps the request from being
    sent; a request without one is sent, but its answer is not shown."""
    tab.asks_for(OTHER_ORIGIN, NO_ANSWER)
    tab.page.goto(listed)
    known = MakersPage(tab, stack)
    known.connect()
    before = known.call("GET", "/orders")["body"]["data"]["total"]

    tab.page.goto(f"http://localhost:{pages}")
    stranger = MakersPage(tab, stack, known.jwt)
    for method, path, body in (("GET", "/orders", None), ("POST", "/orders", "{}"), ("POST", "/makers/connect", "{}")):
        assert stranger.call(method, path, body) == UNREADABLE
    stranger.jwt = ""
    assert stranger.call("GET", "/orders") == UNREADABLE
    assert any(OTHER_ORIGIN in error for error in tab.errors)

    tab.page.goto(listed)
    assert known.call("GET", "/orders")["body"]["data"]["total"] == before


def test_a_page_that_only_another_instance_lists_reads_no_answer_to_a_session(
    tab: Tab, stack: RunningStack, database: Database, listed: str, pages: int
) -> None:
    tab.asks_for(OTHER_ORIGIN, NO_ANSWER)
    tab.page.goto(listed)
    known = MakersPage(tab, stack)
    known.connect()
    other = f"http://localhost:{pages}"
    Origins(database).add(Tenants(database, now_s).create_instance("browser1", {"trading"}), other)
    tab.page.goto(other)
    assert MakersPage(tab, stack, known.jwt).call("GET", "/orders") == UNREADABLE
    Origins(database).remove("inst_browser1", other)
    refused = [error for error in tab.errors if OTHER_ORIGIN in error]
    assert refused
    assert not any("preflight" in error for error in refused), "the request was sent, its answer is not shown"


def test_a_takers_key_is_no_pages_business(tab: Tab, stack: RunningStack, listed: str) -> None:
    tab.asks_for(OTHER_ORIGIN, NO_ANSWER)
    tab.page.goto(listed)
    key = stack.demo["taker_desk"]["api_key"]
    assert MakersPage(tab, stack).call("GET", "/takers/orders", **{"X-API-Key": key}) == UNREADABLE
    assert any(OTHER_ORIGIN in error for error in tab.errors)
