"""A first request for each desk, in API Gateway's form, that makes the desk import everything it needs."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from chalicelib.apis.book.routes import PLACE
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, ORDER, open_desk
from tests.apis.escrow.desk import KEY
from tests.apis.escrow.desk import Desk as EscrowDesk
from tests.apis.taker.desk import INSTANCE as TAKERS_INSTANCE
from tests.apis.taker.desk import Clock, connect_body, open_taker_desk
from tests.apis.trade.desk import PAIR, make_token
from tests.infra.lambda_process import Answer, Event, Story
from tests.world import World, record_of

MASTER_KEY = "k" * 32
ENVIRONMENT = {"TALLYBOOK_MASTER_KEY": MASTER_KEY, "TALLYBOOK_PUBLIC_INSTANCE": TAKERS_INSTANCE}
TOKEN = "token-of-ann"


def request(
    method: str,
    path: str,
    headers: dict[str, str],
    body: str = "",
    query: dict[str, list[str]] | None = None,
    route: str | None = None,
) -> Event:
    """Return a request's event. route: the API Gateway resource; by default the catch-all of its number of segments."""
    segments = path.split("/")[1:]
    names = [f"segment{number}" for number in range(len(segments))]
    return {
        "requestContext": {
            "httpMethod": method,
            "resourcePath": route or "".join(f"/{{{name}}}" for name in names),
            "path": f"/dev{path}",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "path": path,
        "pathParameters": {} if route else dict(zip(names, segments, strict=True)),
        "multiValueQueryStringParameters": query,
        "headers": headers,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": False,
    }


def _content(answer: Answer, status: int) -> Any:
    assert answer["statusCode"] == status, answer
    return json.loads(answer["body"])


def place_an_order(database: Database) -> Generator[Event, Answer, None]:
    open_desk(World(database))
    _content((yield request("POST", PLACE, {"x-api-key": API_KEY}, json.dumps(ORDER), route=PLACE)), 201)


def list_ones_orders(database: Database) -> Generator[Event, Answer, None]:
    open_desk(World(database))
    make_token(database, TOKEN, "ann")
    at_ms, path = str(now_ms()), "/trade/orders"
    signature = signature_of(token_secret_of(MASTER_KEY.encode(), TOKEN), at_ms, "GET", path, b"")
    headers = {"authorization": TOKEN, "timestamp": at_ms, "signature": signature}
    listed = _content((yield request("GET", path, headers, query={"pair": [PAIR]})), 200)
    assert listed["data"]["orders"] == []


def connect_and_sign_an_order(database: Database) -> Generator[Event, Answer, None]:
    """The first request recovers the signer of a message, the second the signer of an order by EIP-712."""
    desk = open_taker_desk(database, clock=Clock(now_ms()))
    connected = _content((yield request("POST", "/api/v1/makers/connect", {}, json.dumps(connect_body(desk)))), 200)
    bearer = {"authorization": f"Bearer {connected['data']['jwt']}"}
    created = _content((yield request("POST", "/api/v1/orders", bearer, json.dumps(desk.order_body()))), 200)
    assert created["data"]["status"] == "pending"


def make_an_escrow_order_by_form(database: Database) -> Generator[Event, Answer, None]:
    desk = EscrowDesk(database)
    fields = {"name": "Lámp", "value": "23.77", "buyer_id": desk.buyer["id"], "seller_id": desk.seller["id"]}
    parts = [
        f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    headers = {"authorization": f"Bearer {KEY}", "content-type": "multipart/form-data; boundary=xx"}
    made = _content((yield request("POST", "/orders", headers, "".join(parts) + "--xx--\r\n")), 200)
    assert made["data"]["name"] == "Lámp"


def match_an_order(database: Database) -> Generator[Event, Answer, None]:
    world = World(database)
    open_desk(world).placed()
    (row,) = database.scan("inbox")
    assert (yield {"Records": [record_of(row, 1)]}) == {"batchItemFailures": []}


AT_THE_DESKS: dict[str, Story] = {
    "the book desk": place_an_order,
    "the trade desk": list_ones_orders,
    "the taker desk": connect_and_sign_an_order,
    "the escrow desk": make_an_escrow_order_by_form,
}
