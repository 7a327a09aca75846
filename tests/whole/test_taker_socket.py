"""The taker desk's WebSocket over the running service, with the official client: takers, makers, a lost connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from chalicelib.apis.taker.signature import signature_of
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TakerKey, taker_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.push.steps import BEAT_S
from chalicelib.support.clock import now_ms
from chalicelib.tables.credentials import Credentials
from tallybook_client.transport import Request
from tests.whole.test_taker_desk import INSTANCE, Running, running

__all__ = ["running"]
pytestmark = pytest.mark.stack

WAIT_S = 20
BOTH = "types=order_status_change,cancellation_request"


def as_taker(running: Running, query: str = BOTH, **headers: str) -> ClientConnection:
    address = f"{running.stack.demo['websocket_url']}/ws/taker/v1?{query}"
    return connect(address, additional_headers=headers or {"X-API-Key": running.demo["api_key"]}, open_timeout=WAIT_S)


def as_browser(running: Running) -> ClientConnection:
    """Connect the maker as a page does, which can set no header."""
    credentials = running.maker.session.credentials(Request("GET", "/api/v1/orders"))
    token = credentials["Authorization"].removeprefix("Bearer ")
    address = f"{running.stack.demo['websocket_url']}/ws/maker/v1?types=order_status_change"
    return connect(address, subprotocols=[Subprotocol("jwt"), Subprotocol(token)], open_timeout=WAIT_S)


def messages_of(socket: ClientConnection, order_hash: str, count: int) -> list[dict[str, Any]]:
    """Return the next messages about an order."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = json.loads(socket.recv(WAIT_S))
        if message["type"] != "heartbeat" and message["data"]["order_hash"] == order_hash:
            found.append(message)
    return found


def steps(messages: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    return [(message["data"]["from_status"], message["data"]["to_status"]) for message in messages]


def read_to_the_end(socket: ClientConnection) -> None:
    for _ in range(100):
        socket.recv(BEAT_S + WAIT_S)


def test_a_taker_follows_an_order_up_to_the_cancel_that_its_maker_asks_for(running: Running) -> None:
    with as_taker(running) as taker, as_browser(running) as maker:
        assert maker.subprotocol == "jwt"
        assert json.loads(taker.recv(WAIT_S))["type"] == "heartbeat"
        order_hash = running.new_order()
        running.taker.lock(order_hash)
        running.taker.fill(order_hash, 4000, tx_hash="0x" + "ab" * 32)
        running.maker.cancel(order_hash)
        *changes, asked = messages_of(taker, order_hash, 4)
        assert steps(changes) == [(None, "pending"), ("pending", "locked"), ("locked", "partially_filled")]
        assert changes[2]["data"]["metadata"]["blockchain_tx_hash"] == "0x" + "ab" * 32
        assert (asked["type"], asked["data"]["reason"]) == ("cancellation_request", "user_requested")
        me = running.demo["taker_address"]
        running.taker.cancel_result(order_hash, me, grant=True, message="as you like")
        assert steps(messages_of(taker, order_hash, 1)) == [("partially_filled", "cancelled")]
        assert steps(messages_of(maker, order_hash, 4)) == [
            (None, "pending"), ("pending", "locked"), ("locked", "partially_filled"), ("partially_filled", "cancelled"),
        ]  # fmt: skip


def test_a_taker_that_was_away_gets_first_what_it_missed(running: Running) -> None:
    with as_taker(running) as socket:
        cursor = json.loads(socket.recv(WAIT_S))["cursor"]
    order_hash = running.new_order()
    running.taker.lock(order_hash)
    with as_taker(running, f"{BOTH}&after={cursor}") as socket:
        first, second = messages_of(socket, order_hash, 2)
        running.taker.unlock(order_hash)
        assert steps([first, second, *messages_of(socket, order_hash, 1)]) == [
            (None, "pending"), ("pending", "locked"), ("locked", "pending"),
        ]  # fmt: skip
    with as_taker(running, f"{BOTH}&after={first['cursor']}") as socket:
        assert steps(messages_of(socket, order_hash, 1)) == [("pending", "locked")]


def test_who_is_refused_is_told_why(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        as_taker(running, "types=orders")
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body)["code"]) == (400, 400001)
    with pytest.raises(InvalidStatus) as refused:
        as_taker(running, BOTH, **{"X-API-Key": "unknown"})
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body)["code"]) == (401, 10010009)


def test_a_signed_connection_is_let_in_and_ends_after_its_key_is_disabled(running: Running) -> None:
    api_key, me = "key-that-is-disabled-soon", running.demo["taker_address"]
    keys = Credentials(running.database, TAKER_KEYS)
    limit = RateLimit(bucket=0, per_day=0)
    keys.create(TakerKey(key_id=digest_of(api_key), instance=INSTANCE, made_s=0, rate_limit=limit, taker=me))
    master_key = (running.stack.local_dir / "master.key").read_text(encoding="utf-8").strip().encode()
    at, secret = str(now_ms()), taker_secret_of(master_key, api_key)
    signature = signature_of(secret, "GET", "/ws/taker/v1", at, BOTH.encode())
    headers = {"X-API-Key": api_key, "X-API-Timestamp": at, "X-API-Signature": signature}
    with as_taker(running, BOTH, **headers) as socket:
        assert json.loads(socket.recv(WAIT_S))["type"] == "heartbeat"
        keys.change(digest_of(api_key), is_enabled=False)
        with pytest.raises(ConnectionClosed):
            read_to_the_end(socket)
