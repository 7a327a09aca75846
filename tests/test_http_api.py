"""Behind an HTTP API (payload format 1.0) each desk answers as behind a REST API, from AWS's own form of event.

The embedded cloud sends HTTP APIs' events in the format 2.0 only, so these are written after recorded ones of AWS.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from chalice.test import Client

import app
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.services.ledger.movements import Movements
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from infra.packaging import FRAGMENTS
from tests.apis.book.desk import ORDER
from tests.apis.escrow.desk import UNAUTHENTICATED
from tests.apis.taker.desk import Desk
from tests.apis.trade.desk import MASTER_KEY, PAIR
from tests.test_app import HEADERS, LIST, PLACE, TOKEN, client, takers
from tests.world import INSTANCE, QUOTE

__all__ = ["client", "takers"]
"""Fixtures."""
TEMPLATE = yaml.safe_load(next(file for file in FRAGMENTS if file.name == "front_door.yaml").read_text("utf-8"))


def catch_all(segments: int) -> str:
    return "/" + "/".join(f"{{segment{number}}}" for number in range(segments))


def event(method: str, path: str, headers: dict[str, str], body: str | bytes | None = None, **query: list[str]) -> Any:
    """Return the event of an HTTP API: names of headers in lower case, the path decoded, other bytes as base64."""
    segments = path.split("/")[1:] if path != "/" else []
    route = catch_all(len(segments))
    sent = {name.lower(): value for name, value in headers.items()} | {"x-forwarded-proto": "https"}
    is_binary = isinstance(body, bytes)
    return {
        "version": "1.0",
        "resource": route,
        "path": unquote(path),
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcdefghij",
            "extendedRequestId": "KDewUgCgiYcEP8A=",
            "httpMethod": method,
            "identity": {"accountId": None, "sourceIp": "192.0.2.1", "user": None, "userAgent": "agent"},
            "path": unquote(path),
            "protocol": "HTTP/1.1",
            "requestId": "KDewUgCgiYcEP8A=",
            "requestTime": "04/May/2026:18:00:20 +0000",
            "requestTimeEpoch": 1777917620809,
            "resourceId": f"ANY {route}",
            "resourcePath": route,
            "stage": "$default",
        },
        "pathParameters": {f"segment{number}": unquote(one) for number, one in enumerate(segments)},
        "stageVariables": None,
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": is_binary,
    }


def answer(sent: Any) -> tuple[int, Any]:
    response = app.app(sent, None)
    return response["statusCode"], json.loads(response["body"])


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("body", [json.dumps(ORDER), json.dumps(ORDER).encode()], ids=["text", "base64"])
def test_an_order_is_placed_and_listed_with_its_query(body: str | bytes) -> None:
    status, placed = answer(event("POST", PLACE, HEADERS, body))
    assert (status, placed["data"]["status"]) == (201, "OPEN"), placed
    for wanted, ids in (("OPEN", [placed["data"]["id"]]), ("FILLED", [])):
        status, listed = answer(event("GET", LIST, HEADERS, status=[wanted], limit=["20"]))
        assert (status, [row["id"] for row in listed["data"]]) == (200, ids), listed


@pytest.mark.usefixtures("client")
def test_a_customer_whose_name_is_encoded_in_the_path_is_found(memory_database: Database) -> None:
    """The gateway decodes the path; a percent sign in it is one again after the desk has decoded it."""
    name = "ann+b%41 c@x"
    Movements(memory_database).record(Movement(INSTANCE, QUOTE, None, name, 500))
    answer(event("POST", PLACE, HEADERS, json.dumps(ORDER | {"customerRef": name})))
    path = LIST.replace("ann", "ann+b%2541%20c@x")
    assert [row["customerRef"] for row in answer(event("GET", path, HEADERS))[1]["data"]] == [name]


@pytest.mark.usefixtures("client")
def test_the_trade_desk_takes_a_signature() -> None:
    timestamp = str(now_ms())
    signature = signature_of(token_secret_of(MASTER_KEY, TOKEN), timestamp, "GET", "/trade/orders", b"")
    headers = {"Authorization": TOKEN, "Timestamp": timestamp, "Signature": signature}
    assert answer(event("GET", "/trade/orders", headers, pair=[PAIR]))[0] == 200
    assert answer(event("GET", "/trade/orders", headers | {"Signature": "x"}, pair=[PAIR]))[0] == 401


def test_the_taker_desk_takes_a_key(takers: Desk) -> None:
    status, listed = answer(event("GET", "/api/v1/takers/orders", {"X-Api-Key": takers.api_key}, page=["1"]))
    assert (status, listed["data"]["orders"]) == (200, [])


@pytest.mark.usefixtures("client")
def test_the_escrow_desk_and_the_front_answer() -> None:
    assert answer(event("POST", "/2.0/orders", {}, b"--b\r\n")) == UNAUTHENTICATED
    assert answer(event("GET", "/health", {}))[0] == 200
    assert app.app(event("HEAD", "/", {}), None)["statusCode"] == 200


@pytest.mark.usefixtures("client")
def test_unknown_paths_of_each_depth_that_the_template_routes_are_answered(client: Client) -> None:
    keys = {
        one["Properties"]["RouteKey"] for one in TEMPLATE["Resources"].values() if one.get("Type", "").endswith("Route")
    }
    depths = range(app.CAUGHT_SEGMENTS_MAX + 1)
    assert keys == {f"ANY {catch_all(depth)}" for depth in depths}
    assert {catch_all(depth) for depth in depths} <= app.app.routes.keys()
    for depth in depths[1:]:
        path = "/x" * depth
        assert answer(event("PATCH", path, {}))[0] == client.http.request("PATCH", path).status_code == 404
