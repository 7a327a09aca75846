"""What is served and what is not, by which paths, and for which instance (K3, K6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.apis.kit.mounts import desk_of
from tests.apis.taker.cases import (
    AVAILABLE,
    FILLS,
    INVALID,
    LIST,
    NO_KEY,
    NO_SESSION,
    NOT_FOUND,
    SMALL,
    UNKNOWN_HASH,
    HttpClient,
    Outcome,
    listed,
    listed_hashes,
    locked,
    new_order,
    nothing_changes,
    order_body,
    outcome_of,
    partly_filled,
    single,
)
from tests.apis.taker.desk import (
    API,
    OTHER_INSTANCE,
    Desk,
    connect_body,
    data_of,
    details_of,
    make_key,
    new_desk,
    open_instance,
)
from tests.case_tables import cases

# --- endpoints ---------------------------------------------------------------------------------------------------

ENDPOINTS = cases(
    ("S1 list a taker's orders",    "GET",  "/takers/orders",                 NO_KEY),
    ("S2 show one of them",         "GET",  f"/takers/orders/{UNKNOWN_HASH}", NO_KEY),
    ("A1 connect a wallet",         "POST", "/makers/connect",                INVALID),
    ("A2 create an order",          "POST", "/orders",                        NO_SESSION),
    ("A3 cancel an order",          "POST", "/orders/x/cancel",               NO_SESSION),
    ("A4 ask for the next nonce",   "GET",  "/orders/maker/next-nonce",       NO_SESSION),
    ("A5 list what can be locked",  "GET",  "/orders/available",              NO_KEY),
    ("A6 validate an order",        "POST", "/orders/validate",               NO_KEY),
    ("A7 lock an order",            "POST", "/orders/lock",                   NO_KEY),
    ("A8 unlock an order",          "POST", "/orders/unlock",                 NO_KEY),
    ("A9 fill an order",            "POST", "/orders/fill",                   NO_KEY),
    ("A10 reject an order",         "POST", "/orders/reject",                 NO_KEY),
    ("A11 answer a cancel request", "POST", "/orders/cancel-result",          NO_KEY),
    ("A12 list a taker's fills",    "GET",  "/orders/filled",                 NO_KEY),
    ("A13 list a maker's orders",   "GET",  "/orders",                        NO_SESSION),
    ("K54 show a maker's order",    "GET",  "/orders/x",                      NO_SESSION),
    ("K54 cancel it",               "DELETE", "/orders/x",                    NO_SESSION),
    ("K55 list positions",          "GET",  "/positions",                     NO_SESSION),
    ("K56 show a stock's token",    "GET",  "/instruments/token-address",     NO_SESSION),
    ("K57 estimate a charge",       "POST", "/orders/estimate_charge",        NO_SESSION),
    ("K58 show an order book",      "GET",  "/tickers/AAPL/orderbooks",       INVALID),
    ("K3 validate",                 "POST", "/takers/orders/validate",        NO_KEY),
    ("K3 lock",                     "POST", "/takers/orders/lock",            NO_KEY),
    ("K3 unlock",                   "POST", "/takers/orders/unlock",          NO_KEY),
    ("K3 fill",                     "POST", "/takers/orders/fill",            NO_KEY),
    ("K3 reject",                   "POST", "/takers/orders/reject",          NO_KEY),
    ("K3 answer a cancel request",  "POST", "/takers/orders/cancel-result",   NO_KEY),
    ("K3 list fills",               "GET",  "/takers/fills",                  NO_KEY),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "without_credential"), ENDPOINTS)
def test_an_endpoint_is_found_by_method_and_path(
    shared: Desk, method: str, path: str, without_credential: Outcome
) -> None:
    """The route is looked at before the credential: so one that is missing proves the route."""
    assert outcome_of(shared.send(method, path)) == without_credential
    assert outcome_of(shared.send(method, path + "/")) == without_credential
    for other in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} - {method}:
        twins = (("GET", "/orders"), ("POST", "/orders"), ("GET", "/orders/x"), ("DELETE", "/orders/x"))
        if (other, path) not in twins and not _is_of_one_order(other, path):
            assert outcome_of(shared.send(other, path)) == NOT_FOUND, other


def _is_of_one_order(method: str, path: str) -> bool:
    """A GET below the list's path asks for an order of that hash, whatever it is."""
    return method == "GET" and path.startswith("/takers/orders/")


def test_every_endpoint_is_reached_through_the_app(client: HttpClient) -> None:
    for method, path, outcome in (case.values for case in ENDPOINTS):
        assert client.outcome(str(method), API + str(path)) == outcome, path


UNSERVED = cases(
    ("nothing below the mount",   "GET",  ""),
    ("a word that nobody knows",  "GET",  "/nowhere"),
    ("the letter case of a path", "GET",  "/Takers/orders"),
    ("a path that goes on",       "POST", "/orders/lock/now"),
    ("a segment that is empty",   "GET",  "/takers//orders"),
    ("two trailing slashes",      "GET",  "/takers/orders//"),
    ("a slash that is encoded",   "GET",  "/orders%2Favailable"),
    ("locks",                     "GET",  "/orders/lock"),
    ("instruments, later",        "GET",  "/instruments"),
    ("statistics, later",         "GET",  "/tickers/AAPL/stats"),
    ("a search, later",           "GET",  "/tickers/search"),
    ("push, later",               "GET",  "/ws"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), UNSERVED)
def test_what_is_not_in_the_table_is_not_found(shared: Desk, method: str, path: str) -> None:
    answer = shared.send(method, path, headers={"x-api-key": shared.api_key, "authorization": f"Bearer {shared.jwt}"})
    assert outcome_of(answer) == NOT_FOUND


def test_unknown_paths_below_the_mount_are_answered_by_this_desk(client: HttpClient) -> None:
    for path in ("", "/", "/nowhere", "/a/b/c/d"):
        answer = client.request("GET", f"{API}{path}")
        assert (answer.status_code, list(json.loads(answer.body))) == (404, ["code", "message"])


def test_the_paths_of_other_desks_are_not_taken() -> None:
    own = (API, API + "/", API + "/takers/orders", API + "/nowhere")
    assert {desk_of("POST", path) for path in own} == {"taker"}
    others = ("/", "", "/api", "/api/", "/api/v2/orders", "/api/v10", "/x/api/v1/orders", "api/v1/orders", "/API/V1")
    assert "taker" not in {desk_of("POST", path) for path in others}


# --- K3: other paths ---------------------------------------------------------------------------------------------

Request = tuple[str, str, Any]


def _bodies(desk: Desk) -> list[tuple[str, Any]]:
    """Return a body for each endpoint that has a second path, in an order in which each does something."""
    body = order_body(desk, nonce=77)
    data_of(desk.maker_post("/orders", body))
    (order_hash,) = [row["order_hash"] for row in data_of(desk.get(AVAILABLE))]
    one = {"order_hash": order_hash}
    reference = {"reference_id": "REF-1"}
    answer = {"taker_address": desk.taker, "cancellation_success": False, "message": "no"}
    return [
        ("validate", body),
        ("lock", one | reference),
        ("cancel-result", one | answer),
        ("fill", one | reference | {"fill_quantity": "10"}),
        ("reject", one),
        ("unlock", one),
        ("lock", one),
        ("lock", {"order_hash": "x"}),
    ]


def test_k3_the_other_paths_are_the_same_endpoints() -> None:
    """The same story told twice: every answer is the same, byte for byte, and so are the tables in the end."""
    one, other = new_desk(), new_desk()
    for (word, body), (_, same) in zip(_bodies(one), _bodies(other), strict=True):
        usual, alias = one.post(f"/orders/{word}", body), other.post(f"/takers/orders/{word}", same)
        assert (usual.status, usual.body, usual.headers) == (alias.status, alias.body, alias.headers)
    assert one.get(FILLS).body == other.get("/takers/fills").body
    assert json.loads(one.get(FILLS).body)["data"]["total"] == 1
    orders = [desk.tables()["signed-orders"] for desk in (one, other)]
    for row in orders[0] + orders[1]:
        row.pop("written_by", None)
    assert orders[0] == orders[1]


def test_k3_words_of_the_other_paths_are_no_hashes(shared: Desk) -> None:
    """GET /takers/orders/lock asks for an order of the hash "lock", which there is not."""
    assert outcome_of(shared.get("/takers/orders/lock")) == NOT_FOUND


# --- K6: instances -----------------------------------------------------------------------------------------------


def test_k6_a_key_fixes_the_instance(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    make_key(desk.database, "key-elsewhere", desk.taker, instance=OTHER_INSTANCE)
    order_hash = partly_filled(desk)
    for headers in ({}, {"x-instance": desk.instance}):
        elsewhere = {"x-api-key": "key-elsewhere"} | headers
        assert data_of(desk.send("GET", LIST, headers=elsewhere))["total"] == 0
        assert data_of(desk.send("GET", FILLS, headers=elsewhere))["total"] == 0
        assert data_of(desk.send("GET", AVAILABLE, headers=elsewhere)) == []
        assert outcome_of(desk.send("GET", f"{LIST}/{order_hash}", headers=elsewhere)) == NOT_FOUND
        with nothing_changes(desk):
            body = {"order_hash": order_hash}
            assert outcome_of(desk.send("POST", "/orders/lock", body=body, headers=elsewhere)) == NOT_FOUND


def test_k6_a_jwt_fixes_the_instance(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    order_hash = new_order(desk)
    headers = {"authorization": f"Bearer {_connected(desk, OTHER_INSTANCE)}", "x-instance": desk.instance}
    assert data_of(desk.send("GET", "/orders", headers=headers))["total"] == 0
    assert data_of(desk.send("GET", "/orders/maker/next-nonce", headers=headers))["next_nonce"] == 1
    with nothing_changes(desk):
        assert outcome_of(desk.send("POST", f"/orders/{order_hash}/cancel", headers=headers)) == NOT_FOUND


def _connected(desk: Desk, instance: str) -> str:
    body = connect_body(desk, Instance=instance)
    return str(data_of(desk.send("POST", "/makers/connect", body=body, headers={"x-instance": instance}))["jwt"])


CONNECTING: Any = cases(
    ("the public one",                        "inst_test0001", {},                              200),
    ("the public one, named",                 "inst_test0001", {"x-instance": "inst_test0001"}, 200),
    ("an empty name",                         "inst_test0001", {"x-instance": ""},              200),
    ("none is public",                        None,            {},                              NOT_FOUND),
    ("one that there is not",                 "inst_test0001", {"x-instance": "inst_nobody"},   NOT_FOUND),
    ("no name at all",                        "inst_test0001", {"x-instance": "../inst"},       NOT_FOUND),
    ("thousands of characters",               "inst_test0001", {"x-instance": "é" * 2000},      NOT_FOUND),
    ("a public one that there is not",        "inst_nobody",   {},                              NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("public", "headers", "outcome"), CONNECTING)
def test_k6_who_connects_names_an_instance(public: str | None, headers: dict[str, str], outcome: Outcome) -> None:
    desk = new_desk(public_instance=public)
    answer = desk.send("POST", "/makers/connect", body=connect_body(desk), headers=headers)
    assert outcome_of(answer) == outcome


NAMED: Any = cases(
    ("none is public",          None,            {"x-instance": "inst_test0001"}, 200),
    ("another is public",       "inst_nobody",   {"x-instance": "inst_test0001"}, 200),
    ("by its message alone",    "inst_nobody",   {},                              200),
    ("the public one as well",  "inst_test0001", {},                              200),
    ("the header names others", None,            {"x-instance": "inst_test0002"}, INVALID),
)  # fmt: skip


@pytest.mark.parametrize(("public", "headers", "outcome"), NAMED)
def test_k6_a_message_names_its_instance(public: str | None, headers: dict[str, str], outcome: Outcome) -> None:
    desk = new_desk(public_instance=public)
    body = connect_body(desk, Instance="inst_test0001")
    assert outcome_of(desk.send("POST", "/makers/connect", body=body, headers=headers)) == outcome


# --- wire rules --------------------------------------------------------------------------------------------------


def test_a_success_is_200_of_a_creation_too(shared: Desk) -> None:
    assert shared.maker_post("/orders", order_body(shared)).status == 200


def test_what_is_answered_is_compact_json_in_utf8(shared: Desk) -> None:
    order_hash = locked(shared)
    data_of(shared.reject(order_hash, reason="zu späť ⏱"))
    answer = shared.maker_get("/orders", {"order_hash": order_hash})
    assert answer.headers["Content-Type"].startswith("application/json")
    assert '"notes":"zu späť ⏱"' in answer.body


IGNORED: Any = cases(
    ("a parameter that nobody knows", lambda desk, _: desk.get(LIST, "colour=red&limit=x")),
    ("a parameter in camelCase",      lambda desk, _: desk.get(LIST, "pageSize=0&sortBy=x")),
    ("an empty parameter",            lambda desk, _: desk.get(LIST, "status=&page=&is_buy=&created_after=")),
    ("the first of two",              lambda desk, _: desk.get(LIST, "page=x&page=1&status=open&status=locked")),
    ("a member that nobody knows",    lambda desk, one: desk.lock(one, colour=[1, {}])),
    ("a member in camelCase",         lambda desk, one: desk.lock(one, lockDuration="x")),
    ("a member that is null",         lambda desk, one: desk.lock(one, reference_id=None, lock_duration=None)),
    ("a content type",                 lambda desk, one: desk.post(
        "/orders/lock", {"order_hash": one}, {"content-type": "text/plain"})),
)  # fmt: skip


@pytest.mark.parametrize("ask", IGNORED)
def test_what_is_unknown_or_empty_is_ignored(shared: Desk, ask: Callable[[Desk, str], Any]) -> None:
    assert outcome_of(ask(shared, new_order(shared))) == 200


def test_a_camel_case_name_is_an_unknown_one(shared: Desk) -> None:
    assert outcome_of(shared.post("/orders/unlock", {"orderHash": UNKNOWN_HASH})) == INVALID
    with nothing_changes(shared):
        body = order_body(shared, exchange=...)
        body["order"]["exchangeId"] = 0
        assert outcome_of(shared.maker_post("/orders", body)) == INVALID


def test_of_a_parameter_given_twice_the_last_counts(desk: Desk) -> None:
    partly_filled(desk, is_buy=False)
    assert listed_hashes(desk, "is_buy=false&is_buy=true") == []
    assert len(listed_hashes(desk, "is_buy=true&is_buy=false")) == 1
    assert outcome_of(desk.get(LIST, "page=1&page=x")) == INVALID
    assert data_of(desk.get(LIST, "page_size=5&page_size="))["page_size"] == 20


BODIES: Any = cases(
    ("64 KiB",        b'{"x":"' + b"x" * (65_536 - 8) + b'"}', ["order_hash"]),
    ("a byte more",   b'{"x":"' + b"x" * (65_536 - 7) + b'"}', ["body"]),
    ("empty",         b"",                                     ["body"]),
    ("cut off",             b'{"order_hash": "0x',                    ["body"]),
    ("text after it", b"{} {}",                                ["body"]),
    ("invalid UTF-8", b'{"a": "\xff"}',                        ["body"]),
    ("an array",      b"[{}]",                                 ["body"]),
    ("a text",        b'"{}"',                                 ["body"]),
    ("null",          b"null",                                 ["body"]),
    ("deeply nested", b"[" * 60_000,                           ["body"]),
    ("127 levels in a member",   b'{"x":' + b"[" * 127 + b"]" * 127 + b"}",        ["order_hash"]),
    ("128 levels in a member",   b'{"x":' + b"[" * 128 + b"1" + b"]" * 128 + b"}",   ["body"]),
    ("966 levels of arrays",     b'{"x":' + b"[" * 966 + b"]" * 966 + b"}",        ["body"]),
    ("966 levels of objects",    b'{"x":' + b'{"a":' * 966 + b"1" + b"}" * 967,    ["body"]),
    ("an integer of 4,500 digits", b'{"x":' + b"9" * 4500 + b"}",                  ["order_hash"]),
    ("an integer of 60,000",     b'{"x":' + b"9" * 60_000 + b"}",                  ["order_hash"]),
    ("no number of JSON",        b'{"x":NaN}',                                     ["body"]),
)  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), cases(
    ("no JSON",   b"{",  "must be readable JSON"),
    ("no object", b"[]", "must be a JSON object"),
    ("too large", b" " * 65_537, "must be at most 65536 bytes"),
))  # fmt: skip
def test_a_bad_body_is_told_why(shared: Desk, body: bytes, reason: str) -> None:
    assert details_of(shared.post("/orders/unlock", body)) == {"body": reason}


@pytest.mark.parametrize(("body", "fields"), BODIES)
def test_a_body_is_one_json_object_of_64_kib_at_most(shared: Desk, body: bytes, fields: list[str]) -> None:
    with nothing_changes(shared):
        for word in ("lock", "unlock", "reject"):
            answer = shared.post(f"/orders/{word}", body)
            assert outcome_of(answer) == INVALID
            assert list(details_of(answer)) == fields
        assert outcome_of(shared.maker_post("/orders", body)) == INVALID
        assert outcome_of(shared.send("POST", "/makers/connect", body=body, client_address=repr(body[:99]))) == INVALID


ANSWERS: Any = cases(
    ("amounts are texts",        lambda row: [row[name] for name in ("price", "quantity", "incentive")],
     [SMALL["price"], SMALL["quantity"], SMALL["incentive"]]),
    ("deadlines are seconds",   lambda row: row["deadline"],   4_102_444_800),
    ("times are whole seconds", lambda row: row["created_at"], "2025-01-17T03:00:24Z"),
    ("flags are booleans",      lambda row: row["is_buy"],     True),
    ("exchanges are integers",  lambda row: row["exchange"],   0),
)  # fmt: skip


@pytest.mark.parametrize(("look", "value"), ANSWERS)
def test_values_are_answered_in_their_form(shared: Desk, look: Callable[[Any], Any], value: object) -> None:
    order_hash = locked(shared)
    in_list = next(row for row in listed(shared) if row["order_hash"] == order_hash)
    for row in (single(shared, order_hash), in_list):
        assert look(row) == value
        assert type(look(row)) is type(value)
