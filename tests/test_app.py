"""The Chalice app: each path reaches its desk, whatever the method or the body's type, and the stream its matcher."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from chalicelib.apis.book.routes import ROUTES
from chalicelib.apis.front import Front
from chalicelib.apis.kit.mounts import DOCUMENTS
from chalicelib.apis.kit.page_bytes import answer_bytes
from chalicelib.apis.kit.routing import Route
from chalicelib.apis.taker.signature import signature_of as taker_signature_of
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.books.admission import OrderRequest
from chalicelib.domain.books.vocabulary import OrderType, TimeInForce
from chalicelib.domain.feed.subscription import UnknownConnection
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.services.books.admission import Admission, Admitted
from chalicelib.services.push.beating import Beat
from chalicelib.services.push.rows import StoredEntries
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.connections import Connections
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.push import new_pushing
from infra.settings import ROOT
from infra.sweeper import scheduled_event
from tests.apis.book.desk import API_KEY, ORDER, open_desk
from tests.apis.escrow.desk import KEY as SECRET_KEY
from tests.apis.escrow.desk import UNAUTHENTICATED
from tests.apis.escrow.desk import Desk as EscrowDesk
from tests.apis.taker.desk import Clock, Desk, connect_body, open_taker_desk
from tests.apis.trade.desk import MASTER_KEY, PAIR, make_token
from tests.desks import app_over
from tests.services.push.world import Clients
from tests.waiting import Waiting
from tests.world import BOOK_ID, INSTANCE, World, record_of

PLACE = "/orderbooks/stocks/api/offchain/orders"
LIST = "/orderbooks/stocks/api/offchain/customers/ann/orders"
HEADERS = {"X-Api-Key": API_KEY}
TOKEN = "token-of-ann"
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
LAMBDA_ANSWER_BYTES_MAX = 6 * 1024 * 1024
EXPIRE_TIMEOUT_S = CONFIG["lambda_functions"]["expire_orders"]["lambda_timeout"]


@pytest.fixture
def client(memory_database: Database) -> Iterator[Client]:
    open_desk(World(memory_database))
    make_token(memory_database, TOKEN, "ann")
    with app_over(memory_database, master_key=MASTER_KEY, public_instance=INSTANCE) as client:
        yield client


@pytest.fixture
def takers(memory_database: Database, client: Client) -> Desk:
    """The takers and makers of the public instance, on the machine's clock."""
    assert client
    return open_taker_desk(memory_database, clock=Clock(now_ms()), is_there=True)


def test_an_order_is_placed_matched_by_the_stream_handler_and_listed(client: Client, memory_database: Database) -> None:
    placed = client.http.post(PLACE, headers=HEADERS, body=json.dumps(ORDER).encode())
    assert placed.status_code == 201
    (row,) = memory_database.scan("inbox")
    assert app.match_inbox({"Records": [record_of(row, 1)]}, None) == {"batchItemFailures": []}
    listed = client.http.get(f"{LIST}?status=OPEN&limit=20", headers=HEADERS)
    assert [row["id"] for row in listed.json_body["data"]] == [placed.json_body["data"]["id"]]
    assert next(iter(memory_database.scan("open-orders")))["sequence"] == 1


def test_a_batch_that_fails_is_reported_by_its_first_sequence_number(client: Client, memory_database: Database) -> None:
    client.http.post(PLACE, headers=HEADERS, body=json.dumps(ORDER).encode())
    (row,) = memory_database.scan("inbox")
    record = record_of(row, 7)
    memory_database.put_many("journal", [{"book": row["book"], "sequence": 1}])
    assert app.match_inbox({"Records": [record]}, None) == {"batchItemFailures": [{"itemIdentifier": f"{7:024d}"}]}


def test_orders_that_expire_end_while_the_schedules_function_looks(
    client: Client,
    memory_database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R24: it looks for longer than the minute after which it is called again."""
    clock = Waiting()
    monkeypatch.setattr(app, "time", clock)
    wiring.expiring.cache_clear()
    request = OrderRequest(
        "ann", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 50, 10, expires_at_ms=now_ms() + 3_600_000
    )
    admitted = Admission(memory_database).place(INSTANCE, BOOK_ID, request)
    assert isinstance(admitted, Admitted)
    (row,) = memory_database.scan("inbox")
    app.match_inbox({"Records": [record_of(row, 1)]}, None)
    monkeypatch.setattr("chalicelib.wiring.now_ms", lambda: request.expires_at_ms)
    event = client.events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
    client.lambda_.invoke("expire_orders", event)
    wiring.expiring.cache_clear()
    assert next(iter(memory_database.scan("orders")))["status"] == "EXPIRED"
    assert 60 < clock.slept_s < EXPIRE_TIMEOUT_S - 30


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream", "nonsense"])
def test_the_content_type_decides_nothing(client: Client, content_type: str) -> None:
    """T11"""
    headers = HEADERS | {"Content-Type": content_type}
    assert client.http.post(PLACE, headers=headers, body=json.dumps(ORDER).encode()).status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/health/",
        "/health/now",
        "/orderbooks/stocks/api/offchain/settlements",
        PLACE + "/ord_1/fills",
        "/a/b/c/d/e/f/g/h/i/j",
    ],
)
def test_a_path_without_a_route_answers_in_the_apis_own_words(client: Client, path: str) -> None:
    response = client.http.get(path)
    assert response.status_code == 404
    assert response.json_body["error"]["code"] == "NOT_FOUND"


def test_the_door_says_what_this_is_and_where_to_look(client: Client) -> None:
    answer = client.http.get("/")
    assert (answer.status_code, answer.json_body["service"]) == (200, "Tallybook")
    for desk in answer.json_body["desks"]:
        assert (ROOT / desk["page"]).exists()
        assert client.http.get(desk["path"] + "/nowhere").status_code in (401, 403, 404)
    assert client.http.request("HEAD", "/").body == b""
    assert client.http.post("/").status_code == 404


@pytest.mark.parametrize("path", sorted(DOCUMENTS))
def test_a_document_is_shown_to_everybody_and_by_reading_alone(client: Client, path: str) -> None:
    answer = client.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.body) > 100
    assert answer_bytes(answer.body.decode()) < LAMBDA_ANSWER_BYTES_MAX
    assert client.http.request("HEAD", path).body == b""
    assert client.http.post(path).status_code == 404
    assert client.http.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    if not path.startswith("/docs/"):
        assert path in client.http.get("/").json_body["documents"]


def test_the_reference_has_one_address(client: Client) -> None:
    answer = client.http.get("/docs/")
    assert (answer.status_code, answer.headers["Location"]) == (308, "../docs")


def test_health_is_whether_the_tables_answer_asked_once_in_two_seconds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, broken, at_s = [], [False], [100.0]

    def ask_tables() -> None:
        asked.append(at_s[0])
        if broken[0]:
            raise Unavailable("out of reach")

    front = Front(ask_tables, lambda: at_s[0])
    monkeypatch.setattr(app, "_front", lambda: front)
    for _ in range(3):
        answer = client.http.get("/health")
        assert (answer.status_code, answer.json_body) == (200, {"status": "ok"})
    broken[0], at_s[0] = True, 102.0
    for _ in range(2):
        answer = client.http.get("/health")
        assert (answer.status_code, answer.json_body["status"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "2"
    broken[0], at_s[0] = False, 104.5
    assert client.http.request("HEAD", "/health").status_code == 200
    assert asked == [100.0, 102.0, 104.5]
    assert client.http.request("DELETE", "/health").status_code == 404


def test_health_asks_the_tables_themselves(client: Client) -> None:
    app._front.cache_clear()
    assert client.http.get("/health").json_body == {"status": "ok"}
    app._front.cache_clear()


@pytest.mark.parametrize("route", ROUTES.routes, ids=lambda route: route.name)
def test_every_route_of_the_desk_is_served_with_its_methods(client: Client, route: Route[str]) -> None:
    path = re.sub(r"{\w+}", "something", route.path)
    answer = client.http.request(route.method, path)
    assert (answer.status_code, answer.json_body["error"]["code"]) == (401, "AUTH_REQUIRED")
    answer = client.http.request("PUT", path)
    assert answer.status_code == 405
    assert route.method in answer.headers["Allow"].split(", ")


def test_a_trailing_slash_is_no_other_route(client: Client) -> None:
    """T2"""
    assert client.http.get(LIST + "/", headers=HEADERS).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "get"])
def test_a_method_that_the_route_does_not_have_is_not_allowed(client: Client, method: str) -> None:
    response = getattr(client.http, method)(PLACE)
    assert response.status_code == 405
    assert response.json_body["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert response.headers["Allow"] == "POST, DELETE"


def test_a_head_request_gets_no_body(client: Client) -> None:
    response = client.http.head(LIST)
    assert (response.status_code, response.body) == (405, b"")


def signed(client: Client, method: str, path: str, query: str = "", body: bytes = b"") -> Any:
    """Send a request to the trade desk for ann, signed over the path as it is."""
    timestamp = str(now_ms())
    signature = signature_of(token_secret_of(MASTER_KEY, TOKEN), timestamp, method, path.removesuffix("/"), body)
    headers = {"Authorization": TOKEN, "Timestamp": timestamp, "Signature": signature}
    return client.http.request(method, path + query, headers=headers, body=body)


@pytest.mark.parametrize("path", ["/trade/orders", "/trade/orders/", "/v4/orders", "/v4/orders/"])
def test_a_signed_request_reaches_the_trade_desk_below_both_mounts(client: Client, path: str) -> None:
    """R1, R8: one trailing slash is no part of the path, and the query none of what is signed."""
    listed = signed(client, "GET", path, f"?pair={PAIR}&status[]=open&status[]=canceled")
    assert (listed.status_code, listed.json_body["data"]["orders"]) == (200, [])
    assert listed.headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_percent_encoded_segment_is_signed_as_it_was_sent(client: Client) -> None:
    """R8"""
    found = signed(client, "GET", "/trade/orders/by-external-id/order%2042")
    assert (found.status_code, found.json_body["message"]) == (404, "Order not found.")


def test_a_signed_body_is_the_body_that_was_sent(client: Client) -> None:
    refused = signed(client, "PUT", "/trade/orders", body='{"name": "\u00e9"}'.encode())
    assert refused.json_body["message"] == "Invalid parameters: order_id.", "the gate has let it in"


@pytest.mark.parametrize("path", ["/trade", "/v4/", "/trade/nowhere", "/v4/orders/all/of/them", "/trade/" + "x/" * 9])
def test_a_path_without_a_route_below_a_mount_answers_in_the_trade_desks_words(client: Client, path: str) -> None:
    """R2"""
    for method in ("GET", "PATCH", "OPTIONS"):
        response = client.http.request(method, path)
        assert (response.status_code, response.json_body["error_code"]) == (404, 40400)
    assert client.http.head(path).body == b""


def test_the_public_routes_show_the_public_instance(client: Client) -> None:
    """R3"""
    response = client.http.get("/trade/public/server-time")
    assert response.json_body["data"] == {"timestamp": response.json_body["timestamp"]}


@pytest.mark.usefixtures("client")
def test_a_stage_in_front_of_the_path_is_not_signed() -> None:
    """R8: as API Gateway names it, its stage in front of the path and no part of the route."""
    timestamp = str(now_ms())
    signature = signature_of(token_secret_of(MASTER_KEY, TOKEN), timestamp, "GET", "/trade/orders", b"")
    event = {
        "requestContext": {
            "httpMethod": "GET",
            "resourcePath": "/{segment0}/{segment1}",
            "path": "/prod/trade/orders",
        },
        "path": "/trade/orders",
        "pathParameters": {"segment0": "trade", "segment1": "orders"},
        "multiValueQueryStringParameters": {"pair": [PAIR]},
        "headers": {"Authorization": TOKEN, "timestamp": timestamp, "signature": signature},
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    assert app.app(event, None)["statusCode"] == 200


# --- the taker desk


def test_a_signed_request_reaches_the_taker_desk_and_its_id_comes_back(client: Client, takers: Desk) -> None:
    """K5: the query is signed as it stands, whatever the gateway makes of it."""
    path, query = "/api/v1/takers/orders", "status=locked,partially_filled&page=1&page_size=20"
    sent_at = str(now_ms())
    for content in (query, query.replace(",", "%2C")):
        signature = taker_signature_of(takers.secret, "GET", path, sent_at, content.encode())
        headers = {"X-Api-Key": takers.api_key, "X-Api-Timestamp": sent_at, "X-Api-Signature": signature}
        listed = client.http.get(f"{path}?{content}", headers=headers | {"X-Request-Id": "r-1"})
        assert (listed.status_code, listed.json_body["code"], listed.json_body["data"]["orders"]) == (200, 0, [])
        assert listed.headers["X-REQUEST-ID"] == "r-1"


def test_a_wallet_connects_and_creates_an_order_over_http(client: Client, takers: Desk) -> None:
    """K6: at the public instance."""
    body = json.dumps(connect_body(takers)).encode()
    connected = client.http.post("/api/v1/makers/connect", body=body)
    bearer = {"Authorization": f"Bearer {connected.json_body['data']['jwt']}"}
    created = client.http.post("/api/v1/orders", headers=bearer, body=json.dumps(takers.order_body()).encode())
    assert created.json_body["data"]["status"] == "pending"
    order_id = created.json_body["data"]["id"]
    cancelled = client.http.post(f"/api/v1/orders/{order_id}/cancel", headers=bearer)
    assert cancelled.json_body["data"] == {"success": True, "order_id": order_id, "message": "cancelled"}


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/nowhere", "/api/v1/orders/a/b/c/d/e/f", "/api/v1/orders/"])
def test_a_path_without_a_route_below_api_v1_answers_in_the_taker_desks_words(client: Client, path: str) -> None:
    for method in ("DELETE", "PATCH", "OPTIONS"):
        response = client.http.request(method, path)
        assert (response.status_code, response.json_body) == (404, {"code": 404, "message": "Not found"})
    head = client.http.head(path)
    assert (head.status_code, head.body) == (404, b"")


@pytest.mark.parametrize("path", ["/api", "/api/v2/orders", "/x/api/v1/orders"])
def test_paths_beside_it_are_the_book_desks_as_before(client: Client, path: str) -> None:
    response = client.http.get(path)
    assert (response.status_code, response.json_body["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.usefixtures("takers")
def test_who_connects_too_often_is_known_by_the_address_that_the_gateway_saw(client: Client) -> None:
    def connect(address: str) -> int:
        event = {
            "requestContext": {
                "httpMethod": "POST",
                "resourcePath": "/{segment0}/{segment1}/{segment2}/{segment3}",
                "path": "/prod/api/v1/makers/connect",
                "identity": {"sourceIp": address},
            },
            "path": "/api/v1/makers/connect",
            "pathParameters": {"segment0": "api", "segment1": "v1", "segment2": "makers", "segment3": "connect"},
            "multiValueQueryStringParameters": None,
            "headers": {"x-forwarded-for": "198.51.100.7"},
            "stageVariables": None,
            "body": "{}",
            "isBase64Encoded": False,
        }
        return int(app.app(event, None)["statusCode"])

    assert client
    assert [connect("192.0.2.1") for _ in range(11)] == [400] * 10 + [429]
    assert connect("192.0.2.2") == 400


# --- the escrow desk


def test_the_escrow_desk_answers_below_its_own_paths_in_its_own_words(client: Client) -> None:
    """E1"""
    for path in ("/2.0", "/2.0/nowhere", "/orders/1/2/3", "/2.0/" + "x/" * 8):
        for method in ("GET", "PATCH", "OPTIONS"):
            answer = client.http.request(method, path)
            assert (answer.status_code, answer.json_body) == (404, {"message": "Not found"})
        assert (client.http.head(path).status_code, client.http.head(path).body) == (404, b"")
    for path in ("/2.0/orders", "/orders?page=0", "/2.0/operator/orders/1/block"):
        answer = client.http.request("POST" if "operator" in path else "GET", path)
        assert (answer.status_code, answer.json_body) == UNAUTHENTICATED
    assert client.http.get("/orderbooks/x").json_body["error"]["code"] == "NOT_FOUND"


@pytest.fixture
def escrows(client: Client, monkeypatch: pytest.MonkeyPatch) -> EscrowDesk:  # noqa: ARG001 - its database is wired
    """Return an escrow desk over the app's tables, under an instance of its own."""
    monkeypatch.setattr("tests.apis.escrow.desk.INSTANCE", "inst_escrow01")
    return EscrowDesk(wiring.database())


def test_a_form_of_any_kind_makes_an_order_over_the_app(client: Client, escrows: EscrowDesk) -> None:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    fields = {"name": "Lámp", "value": "23.77", "buyer_id": escrows.buyer["id"], "seller_id": escrows.seller["id"]}
    parts = "".join(
        f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    for content_type, body in (
        ("application/json", json.dumps(fields)),
        ("application/x-www-form-urlencoded", "&".join(f"{name}={value}" for name, value in fields.items())),
        ("multipart/form-data; boundary=xx", f"{parts}--xx--\r\n"),
    ):
        made = client.http.post("/orders", headers=headers | {"Content-Type": content_type}, body=body.encode())
        assert (made.status_code, made.json_body["data"]["name"]) == (200, "Lámp")
    listed = client.http.get("/2.0/orders?sort=asc&per_page=2", headers=headers)
    assert [order["amount"] for order in listed.json_body["data"]] == ["23.77 €"] * 2
    assert listed.json_body["total"] == 3


def test_the_schedule_releases_what_is_due_while_it_has_time(
    client: Client, escrows: EscrowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E22"""
    order, at = escrows.in_status("PENDING_RELEASE"), scheduled_event("release_escrows", datetime.now(UTC))
    with monkeypatch.context() as patched:
        patched.setattr(app, "SWEEP_RUN_S", 0)
        assert app.release_escrows(at, None) == {"released": 0, "failed": 0}
    assert app.release_escrows(at, None) == {"released": 1, "failed": 0}
    shown = client.http.get(f"/orders/{order['id']}", headers={"Authorization": f"Bearer {SECRET_KEY}"})
    assert shown.json_body["data"]["status"] == "RELEASED"


def test_websocket_clients_are_served_and_beats_are_sent_where_there_is_a_gateway(
    client: Client, memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = Clients()
    pushing = new_pushing(
        memory_database, memory_database, clients, StoredEntries(memory_database).between, now_ms, INSTANCE
    )
    monkeypatch.setattr(wiring, "pushing", lambda: pushing)
    monkeypatch.setenv("TALLYBOOK_CONNECTIONS_URL", "http://127.0.0.1:1")
    begun: list[object] = []
    monkeypatch.setattr(Beat, "begin", lambda _beat, connection_id, _pause: begun.append(connection_id))
    monkeypatch.setattr(Beat, "run", lambda _beat, _pause: begun.append("a minute"))

    def happens(kind: str, **more: Any) -> Any:
        context = {"eventType": kind, "connectionId": "c", "identity": {"sourceIp": "192.0.2.1"}}
        return client.lambda_.invoke("websocket", {"requestContext": context, **more}).payload

    assert happens("CONNECT")["statusCode"] == 200
    assert happens("MESSAGE", body='{"method": "ping"}') == {"statusCode": 200}
    assert [message["topic"] for _, message in clients.received] == ["pong"]
    for detail in ({}, {"connection": "c"}):
        event = scheduled_event("beat_connections", datetime.now(UTC)) | {"detail": detail}
        client.lambda_.invoke("beat_connections", event)
    assert begun == ["a minute", "c"]
    monkeypatch.delenv("TALLYBOOK_CONNECTIONS_URL")
    client.lambda_.invoke("beat_connections", scheduled_event("beat_connections", datetime.now(UTC)))
    assert len(begun) == 2, "where pushes are off there is nobody"
    assert happens("DISCONNECT") == {"statusCode": 200}
    with pytest.raises(UnknownConnection):
        Connections(memory_database, lambda: now_ms() // 1000).get("c")
