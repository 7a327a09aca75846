"""What requests count and log at each desk: orders admitted and refused, faults; no line shows a credential."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import wiring
from chalicelib.apis.taker.signature import signature_of as taker_signature_of
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.telemetry import Metric
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, ORDER, open_desk
from tests.apis.escrow.desk import KEY, OPERATOR_KEY
from tests.apis.escrow.desk import Desk as EscrowDesk
from tests.apis.taker.desk import Clock, connect_body, open_taker_desk
from tests.apis.taker.desk import Desk as TakerDesk
from tests.apis.trade.desk import MASTER_KEY, make_token
from tests.apis.trade.desk import ORDER as TRADE_ORDER
from tests.desks import app_over
from tests.faults import WatchedClient
from tests.watched import written
from tests.world import INSTANCE, QUOTE, World

PLACE = "/orderbooks/stocks/api/offchain/orders"
TOKEN = "token-of-ann"


class Service:
    """The whole app over tables in memory: each desk with its credentials. sent: what the next request carries."""

    def __init__(self, client: Client, database: Database) -> None:
        self.client = client
        self.takers: TakerDesk = open_taker_desk(database, clock=Clock(now_ms()), is_there=True)
        self.escrows = EscrowDesk(database)
        self.secrets = {
            API_KEY, TOKEN, token_secret_of(MASTER_KEY, TOKEN), self.takers.api_key, self.takers.secret,
            self.takers.jwt, KEY, OPERATOR_KEY, MASTER_KEY.hex(), MASTER_KEY.decode(),
        }  # fmt: skip
        self.sent = ""

    def request(self, method: str, path: str, headers: dict[str, str], body: object = None) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        self.sent = f"{list(headers.values())} {raw.decode()}"
        return self.client.http.request(method, path, headers=headers, body=raw)

    def book(self, key: str = API_KEY, **members: Any) -> Any:
        return self.request("POST", PLACE, {"X-Api-Key": key}, ORDER | members)

    def trade(self, token: str = TOKEN, spoilt: str = "", **members: Any) -> Any:
        timestamp, body = str(now_ms()), TRADE_ORDER | members
        secret = token_secret_of(MASTER_KEY, token)
        signature = signature_of(secret, timestamp, "POST", "/trade/orders", json.dumps(body).encode()) + spoilt
        self.secrets.add(signature)
        headers = {"Authorization": token, "Timestamp": timestamp, "Signature": signature}
        return self.request("POST", "/trade/orders", headers, body)

    def maker(self, jwt: str | None = None, spoilt: str = "", **members: Any) -> Any:
        body = self.takers.order_body(**members)
        body["signature"] += spoilt
        self.secrets.add(body["signature"])
        return self.request("POST", "/api/v1/orders", {"Authorization": f"Bearer {jwt or self.takers.jwt}"}, body)

    def connect(self) -> Any:
        body = connect_body(self.takers)
        self.secrets.add(body["signature"])
        answer = self.request("POST", "/api/v1/makers/connect", {}, body)
        if answer.status_code == 200:
            self.secrets.add(answer.json_body["data"]["jwt"])
        return answer

    def taker(self, key: str | None = None, spoilt: str = "") -> Any:
        timestamp, path = str(now_ms()), "/api/v1/takers/orders"
        signature = taker_signature_of(self.takers.secret, "GET", path, timestamp, b"") + spoilt
        self.secrets.add(signature)
        key = key or self.takers.api_key
        headers = {"X-Api-Key": key, "X-Api-Timestamp": timestamp, "X-Api-Signature": signature}
        return self.request("GET", path, headers)

    def escrow(self, key: str = KEY, **members: Any) -> Any:
        body = {"name": "Lamp", "value": "23.77"} | members
        body |= {"buyer_id": self.escrows.buyer["id"], "seller_id": self.escrows.seller["id"]}
        return self.request("POST", "/2.0/orders", {"Authorization": f"Bearer {key}"}, body)

    def every_desk(self) -> list[int]:
        """Send each desk its good credentials and bad ones; return the statuses of the answers."""
        bad_jwt = self.takers.jwt[:-4] + "AAAA"
        bad = {"book": API_KEY[:-1] + "x", "token": TOKEN + "-bad", "taker": "key-of-nobody", "escrow": KEY + "x"}
        self.secrets |= {bad_jwt, *bad.values()}
        answers = [
            self.book(), self.book(bad["book"]), self.book(customerRef="nobody"), self.book(price="x"),
            self.trade(), self.trade(bad["token"]), self.trade(spoilt="AAAA"),
            self.connect(), self.maker(), self.maker(bad_jwt), self.maker(spoilt="00", nonce=2),
            self.taker(), self.taker(bad["taker"]), self.taker(spoilt="00"),
            self.escrow(), self.escrow(bad["escrow"]), self.escrow(OPERATOR_KEY), self.escrow(value="x"),
        ]  # fmt: skip
        return [answer.status_code for answer in answers]


@pytest.fixture
def service(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr("tests.apis.escrow.desk.INSTANCE", "inst_escrow01")
    world = World(memory_database)
    open_desk(world, rate_limit=1000)
    world.credit("ann", QUOTE, 10**24)
    make_token(memory_database, TOKEN, "ann")
    with app_over(memory_database, master_key=MASTER_KEY, public_instance=INSTANCE) as client:
        yield Service(client, memory_database)


def test_each_desk_counts_what_it_admits(service: Service) -> None:
    with written() as seen:
        answers = [service.book(), service.trade(), service.maker(), service.escrow()]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    for desk in ("book", "trade", "taker", "escrow"):
        assert seen.values(Metric.ORDERS_ADMITTED, desk=desk) == [1]
    assert set(seen.measured()) == {"OrdersAdmitted"}


def test_an_answer_that_is_given_again_admits_no_second_order(service: Service) -> None:
    body = json.dumps(ORDER).encode()
    headers = {"X-Api-Key": API_KEY, "Idempotency-Key": "order-0001"}
    with written() as seen:
        ids = {service.client.http.post(PLACE, headers=headers, body=body).json_body["data"]["id"] for _ in range(2)}
    assert len(ids) == 1
    assert seen.values(Metric.ORDERS_ADMITTED) == [1]


def test_each_desk_counts_what_it_refuses_by_its_own_code(service: Service) -> None:
    with written() as seen:
        service.every_desk()
        service.client.http.get(PLACE, headers={"X-Api-Key": API_KEY})
        service.client.http.get("/trade/orders")
    refused = {(line["desk"], line["code"]): line["OrdersRefused"] for line in seen.emf if "OrdersRefused" in line}
    assert refused == {
        ("book", "AUTH_FAILED"): [1],
        ("book", "INSUFFICIENT_BALANCE"): [1],
        ("book", "VALIDATION_ERROR"): [1],
        ("trade", "TOKEN_INVALID"): [1],
        ("trade", "SIGNATURE_INVALID"): [1],
        ("taker", "UNAUTHORIZED"): [1],
        ("taker", "INVALID_PARAMETER"): [1],
        ("escrow", "401"): [1],
        ("escrow", "403"): [1],
        ("escrow", "422"): [1],
    }


def test_a_refusal_under_an_idempotency_key_counts_once_and_its_repeats_do_not(service: Service) -> None:
    order = json.dumps(ORDER | {"customerRef": "nobody"}).encode()
    headers = {"X-Api-Key": API_KEY, "Idempotency-Key": "order-0001"}
    with written() as seen:
        answers = [service.client.http.post(PLACE, headers=headers, body=order) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1].headers["Idempotent-Replay"] == "true"
    assert seen.values(Metric.ORDERS_REFUSED, desk="book", code="INSUFFICIENT_BALANCE") == [1]


def test_an_order_that_the_service_failed_is_not_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(service, monkeypatch, Unavailable("throttled"))
    with written() as seen:
        statuses = service.every_desk()
    assert set(statuses) <= {500, 503, 400, 401}
    assert seen.values(Metric.ORDERS_ADMITTED) == []
    codes = {line["code"] for line in seen.emf if "OrdersRefused" in line}
    assert codes <= {"AUTH_FAILED", "UNAUTHORIZED"}, "those are told without a table"


@pytest.mark.parametrize(
    ("desk", "send"),
    [("book", Service.book), ("trade", Service.trade), ("taker", Service.maker), ("escrow", Service.escrow)],
)
def test_a_line_of_a_request_names_desk_instance_function_and_request(
    service: Service, monkeypatch: pytest.MonkeyPatch, desk: str, send: Callable[[Service], Any]
) -> None:
    def fault(operation: str, call: Callable[[], Any]) -> Any:
        if "write" in operation:
            raise RuntimeError("the table is gone")
        return call()

    monkeypatch.setattr(wiring.database(), "_client", WatchedClient(wiring.database()._client, fault))
    with written() as seen:
        answer = send(service)
    assert answer.status_code == 500
    (line,) = [line for line in seen.log if line["level"] == "ERROR"]
    instance = "inst_escrow01" if desk == "escrow" else INSTANCE
    assert line.items() >= {"desk": desk, "instance": instance, "function": "api_handler", "method": "POST"}.items()
    assert "RuntimeError: the table is gone" in line["exception"]
    if desk == "book":
        assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["request_id"]
    assert seen.values(Metric.ERRORS_LOGGED, function="api_handler") == [1]


def breaking(service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    """Have every call to the tables fail: with this error, or with all that the request has sent in the text of one."""

    def fault(_operation: str, _call: Callable[[], Any]) -> Any:
        raise error or RuntimeError(f"it was sent {service.sent} and {service.sent.encode()!r}")

    monkeypatch.setattr(wiring.database(), "_client", WatchedClient(wiring.database()._client, fault))


def test_no_line_shows_a_credential_whatever_the_request_comes_to(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written() as seen:
        statuses = service.every_desk()
        assert {200, 201, 400, 401, 403, 422} <= set(statuses)
        breaking(service, monkeypatch)
        assert 500 in service.every_desk()
    told = [line for line in seen.log if "it was sent" in line.get("exception", "")]
    assert {line["desk"] for line in told} == {"book", "trade", "taker", "escrow"}, "each was put to the test"
    assert all("***" in line["exception"] for line in told if line["desk"] != "book" or line["level"] == "ERROR")
    for secret in service.secrets:
        assert secret not in seen.text, secret
        assert json.dumps(secret)[1:-1] not in seen.text, secret


def test_a_caller_cannot_spoil_the_metrics_by_its_credentials(service: Service) -> None:
    with written() as seen:
        for word in ("OrdersRefused", "CloudWatchMetrics", "AUTH_FAILED"):
            service.book(word)
    assert seen.values(Metric.ORDERS_REFUSED, code="AUTH_FAILED") == [1, 1, 1]
