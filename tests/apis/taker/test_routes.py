"""Which path is which endpoint (K3), and what every answer looks like (K7)."""

from __future__ import annotations

import re

import pytest

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.kit.mounts import desk_of
from chalicelib.apis.taker.envelope import Error
from chalicelib.apis.taker.routes import MOUNT, Auth
from chalicelib.support.outcomes import OutcomeUnknown
from chalicelib.tables.dynamodb import Database
from tests.apis.routes import TAKER_ROUTES
from tests.apis.taker.desk import API, Desk, data_of, details_of, fault_of, faulty_fields

NOT_FOUND = (404, 404)
HASH = "0x" + "5" * 64
KEY_MISSING, UNAUTHORIZED = (401, 10010012), (401, 401)
HEADERS = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
ALIASES = [
    (f"{route.method} {alias.removeprefix(MOUNT)}", name)
    for name, route in TAKER_ROUTES.items()
    for alias in route.aliases
]


def example(route: str) -> tuple[str, str]:
    """Return the method and a path of a route."""
    method, _, template = route.partition(" ")
    return method, re.sub(r"{\w+}", HASH, template)


@pytest.mark.parametrize(("route", "auth"), [(name, route.auth) for name, route in TAKER_ROUTES.items()])
def test_every_route_asks_for_its_own_credential(desk: Desk, route: str, auth: Auth) -> None:
    method, path = example(route)
    expected = {Auth.TAKER: KEY_MISSING, Auth.MAKER: UNAUTHORIZED, Auth.NONE: (400, 400001)}[auth]
    for sent in (path, path + "/"):
        assert fault_of(desk.send(method, sent)) == expected


def test_the_fifteen_endpoints_and_seven_aliases_are_there() -> None:
    assert len(TAKER_ROUTES) == 15
    assert sorted(alias for alias, _ in ALIASES) == [
        "GET /takers/fills",
        "POST /takers/orders/cancel-result",
        "POST /takers/orders/fill",
        "POST /takers/orders/lock",
        "POST /takers/orders/reject",
        "POST /takers/orders/unlock",
        "POST /takers/orders/validate",
    ]


@pytest.mark.parametrize(("alias", "route"), ALIASES)
def test_an_alias_answers_like_its_route(desk: Desk, alias: str, route: str) -> None:
    """K3"""
    answers = []
    for each in (alias, route):
        method, _, path = each.partition(" ")
        answers.append(desk.send(method, path, body={}, headers={"x-api-key": desk.api_key}))
    assert answers[0] == answers[1]
    assert answers[0].status in (200, 400)


def test_an_order_goes_its_way_by_the_alias_paths(desk: Desk) -> None:
    """K3"""
    order_hash = desk.created()
    assert data_of(desk.post("/takers/orders/validate", desk.order_body()))["valid"]
    for word, members in (("lock", {}), ("unlock", {}), ("lock", {}), ("fill", {"fill_quantity": "1"})):
        assert data_of(desk.post(f"/takers/orders/{word}", {"order_hash": order_hash} | members))["success"]
    assert data_of(desk.get("/takers/fills"))["total"] == 1
    second = desk.created(nonce=2)
    desk.lock(second)
    assert data_of(desk.post("/takers/orders/reject", {"order_hash": second}))["message"] == "rejected"
    third = desk.created(nonce=3)
    desk.lock(third)
    desk.cancel(third)
    result = {"taker_address": desk.taker, "cancellation_success": True, "message": ""}
    assert data_of(desk.post("/takers/orders/cancel-result", {"order_hash": third} | result))["message"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/Orders"),
        ("HEAD", "/orders"),
        ("HEAD", "/takers/orders"),
        ("OPTIONS", "/orders"),
        ("PUT", "/orders"),
        ("DELETE", f"/orders/{HASH}"),
        ("PATCH", "/orders/lock"),
        ("GET", "/orders/lock"),
        ("GET", f"/orders/{HASH}"),
        ("POST", "/takers/orders"),
        ("POST", f"/takers/orders/{HASH}"),
        ("POST", "/orders/available"),
        ("POST", "/takers/orders/cancel"),
        ("GET", f"/takers/orders/{HASH}/fills"),
        ("POST", "/orders//cancel"),
        ("GET", "/takers/orders//"),
        ("GET", "//orders"),
        ("POST", "/takers/fills"),
        ("GET", "/orders%2Favailable"),
    ],
)
def test_an_unknown_path_or_method_comes_before_the_credentials(desk: Desk, method: str, path: str) -> None:
    assert fault_of(desk.send(method, path)) == NOT_FOUND


def test_other_desks_paths_are_not_taken() -> None:
    own = (API, API + "/", API + "/takers/orders", API + "/nowhere")
    assert {desk_of("POST", path) for path in own} == {"taker"}
    others = ("/", "", "/api", "/api/", "/api/v2/orders", "/api/v10", "/x/api/v1/orders", "api/v1/orders", "/API/V1")
    assert "taker" not in {desk_of("POST", path) for path in others}


def test_a_success_and_a_failure_have_their_envelopes(desk: Desk) -> None:
    """K7"""
    success = desk.maker_get("/orders/maker/next-nonce")
    assert success.body == f'{{"code":0,"data":{{"maker":"{desk.maker}","next_nonce":1}}}}'
    assert (success.status, success.headers) == (200, HEADERS)
    failure = desk.get("/orders/nowhere")
    assert failure.body == '{"code":404,"message":"Not found"}'
    assert (failure.status, failure.headers) == (404, HEADERS)
    assert desk.post("/orders/unlock", {}).body == (
        '{"code":400001,"message":"Invalid parameter","details":{"order_hash":"is required"}}'
    )


def test_each_error_is_a_member_of_the_published_table() -> None:
    published = {
        (400, 400001), (400, 400), (401, 10010012), (401, 10010009), (401, 10010010), (401, 10010011), (401, 10010008),
        (401, 401), (403, 403), (404, 404), (409, 409), (429, 429), (500, 500),
    }  # fmt: skip
    assert {(error.status, error.code) for error in Error} == published
    assert all(error.code == error.status for error in Error if error.code < 1000), "K7"


@pytest.mark.parametrize("request_id", ["a", "REF-1", "x" * 128, "with blanks, and #!"])
def test_a_requests_id_comes_back_with_every_answer(desk: Desk, request_id: str) -> None:
    sent = {"x-request-id": request_id}
    answers = [
        desk.send("GET", "/takers/orders", headers=sent | {"x-api-key": desk.api_key}),
        desk.send("GET", "/orders", headers=sent),
        desk.send("GET", "/nowhere", headers=sent),
        desk.post("/orders/lock", b"no json", headers=sent),
    ]
    assert [answer.status for answer in answers] == [200, 401, 404, 400]
    assert {answer.headers["X-REQUEST-ID"] for answer in answers} == {request_id}


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a\r\nSet-Cookie: b", "\u00e9", "\x00"])
def test_what_cannot_be_a_requests_id_does_not_come_back(desk: Desk, request_id: str) -> None:
    answer = desk.send("GET", "/takers/orders", headers={"x-request-id": request_id, "x-api-key": desk.api_key})
    assert (answer.status, answer.headers) == (200, HEADERS)


def test_a_requests_id_comes_back_with_an_unexpected_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault says no more than that it is one."""

    def broken(*_: object) -> None:
        raise OutcomeUnknown("the table of secrets is down")

    monkeypatch.setattr(Database, "get", broken)
    answer = desk.send("GET", "/takers/orders", headers={"x-request-id": "r-1", "x-api-key": desk.api_key})
    assert answer.body == '{"code":500,"message":"Internal server error"}'
    assert answer.headers["X-REQUEST-ID"] == "r-1"


def test_a_body_of_64_kib_is_looked_at_and_one_byte_more_is_not(desk: Desk) -> None:
    order_hash = desk.created()
    body = f'{{"order_hash":"{order_hash}"}}'.encode()
    before = desk.tables()
    assert faulty_fields(desk.post("/orders/lock", body.ljust(65_537))) == ["body"]
    assert desk.tables() == before
    assert desk.post("/orders/lock", body.ljust(65_536)).status == 200


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"1"])
def test_what_is_no_json_object_is_a_bad_body(desk: Desk, body: bytes) -> None:
    assert details_of(desk.post("/orders/unlock", body)) == {"body": "must be a JSON object"}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":NaN', b'{"a":NaN}'])
def test_what_is_no_json_is_a_bad_body(desk: Desk, body: bytes) -> None:
    assert details_of(desk.post("/orders/unlock", body)) == {"body": "must be readable JSON"}


def test_a_segment_is_not_decoded_into_two(desk: Desk) -> None:
    request = HttpRequest("POST", None, {}, {}, {}, b"", API + "/orders/a%2Fb/cancel")
    assert fault_of(desk.desk.answer(request)) == UNAUTHORIZED
