"""Endpoints: which there are, in which worlds, with which errors of their own; what is served later is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.apis.kit.mounts import desk_of
from tests.apis.escrow.cases import (
    FORM,
    MULTIPART,
    NO_ID,
    NO_UUID,
    REQUESTS,
    HttpClient,
    Request,
    as_multipart,
    as_urlencoded,
    outcome,
    shown,
)
from tests.apis.escrow.desk import KEY, NOT_FOUND, OPERATOR_KEY, Desk, data_of, page_of, refusal_of
from tests.apis.routes import ESCROW_ROUTES
from tests.case_tables import cases

every_request = pytest.mark.parametrize("make", REQUESTS.values(), ids=list(REQUESTS))


# --- the endpoints


@every_request
def test_an_endpoint_is_there_and_answers_200(make: Callable[[], Request]) -> None:
    request = make()
    answer = request.send()
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


CALLBACK = "POST /callbacks/{instance}/{world}/{type}"
"""Needs no key, so it has a suite of its own."""


def test_there_are_no_other_endpoints() -> None:
    routes = {make().route for make in REQUESTS.values()}
    assert sorted(ESCROW_ROUTES) == sorted({*routes, CALLBACK})
    assert len(ESCROW_ROUTES) == 51


@pytest.mark.parametrize("route", sorted({make().route for make in REQUESTS.values() if "{" in make().route}))
def test_what_a_path_names_and_is_not_there_is_not_found(shared: Desk, route: str) -> None:
    key = OPERATOR_KEY if "/operator" in route else KEY
    for unknown in (
        (NO_UUID, "x", "%20", shared.buyer_wallet["id"])
        if "{uuid}" in route
        else (NO_ID, 0, "01", "-1", "1.0", "x", 10**30, "%zz", "1%2F")
    ):
        answer = Request(shared, route, unknown, {}, key).send()
        assert refusal_of(answer) == NOT_FOUND, unknown


OWN_ERRORS = cases(
    ("S1",           "S1 orders",               None,                       ["per_page"]),
    ("A1",           "A1 orders",               {},                         ["buyer_id", "name", "seller_id", "value"]),
    ("A3",           "A3 orders",               {"value": "x"},             ["value"]),
    ("A6",           "A6 accept",               None,                       ["status"]),
    ("A7",           "A7 reject",               None,                       ["status"]),
    ("A8",           "A8 cancel",               {"tag": "x" * 101},         ["tag"]),
    ("A9",           "A9 validate",             {"auto_accept": "maybe"},   ["auto_accept"]),
    ("A10",          "A10 reimburse",           {"amount": "x"},            ["amount"]),
    ("A11",          "A11 payins by wallet",    {},                         ["order_id", "type"]),
    ("A11 list",     "A11 payins list",         None,                       ["per_page"]),
    ("A12",          "A12 payouts",             {},                         ["order_id", "type", "wallet_id"]),
    ("A12 list",     "A12 payouts list",        None,                       ["per_page"]),
    ("A13",          "A13 customers",           {},                         ["email"]),
    ("A13 list",     "A13 customers list",      None,                       ["per_page"]),
    ("O1",           "O1 confirm",              {},                         ["amount"]),
    ("O2",           "O2 deny",                 {"reason": "x" * 256},      ["reason"]),
    ("O3",           "O3 block",                None,                       ["status"]),
    ("O4",           "O4 unblock",              None,                       ["status"]),
    ("O5",           "O5 deposit",              {},                         ["amount", "reference"]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "body", "fields"), OWN_ERRORS)
def test_an_endpoints_own_422(name: str, body: dict[str, Any] | None, fields: list[str]) -> None:
    request = REQUESTS[name]()
    if fields == ["status"]:
        assert request.send().status == 200
    before = request.desk.tables()
    query = {} if request.route.endswith("reimburse") else {"per_page": 0}  # E29
    assert outcome(request.send(body, query=query)) == fields
    assert request.desk.tables() == before


# --- E1


@every_request
def test_e1_orders_are_served_without_the_prefix_too_and_nothing_else_is(make: Callable[[], Request]) -> None:
    request, same = make(), make()
    answer = request.send(path=request.path().removeprefix("/2.0"))
    if not request.path().startswith("/2.0/orders"):
        assert refusal_of(answer) == NOT_FOUND
        return
    with_prefix = same.send()
    assert answer.status == with_prefix.status == 200
    if request.path() == "/2.0/orders" and request.method == "GET":
        assert answer.body == with_prefix.body
        assert all(row["self"].startswith("/2.0/") for row in page_of(answer)["data"])
        return
    assert shown(answer) == shown(with_prefix)
    told = data_of(answer)
    assert all(path.startswith("/2.0/") for path in (told["self"], *told["connections"].values()))


# --- paths

LATER = cases(
    ("subscriptions",               "POST",     "/2.0/subscriptions"),
    ("bundles",                     "POST",     "/2.0/bundles"),
    ("cards",                       "GET",      "/2.0/cards"),
    ("payin refunds",               "POST",     "/2.0/payins/1/refund"),
    ("bank accounts",               "GET",      "/2.0/bankaccounts"),
    ("addresses",                   "GET",      "/2.0/addresses"),
    ("verifications",               "POST",     "/2.0/verifications"),
    ("coupons",                     "GET",      "/2.0/coupons"),
    ("a receipt that is read",      "GET",      "/2.0/orders/1/receipt"),
    ("changing the account",        "PUT",      "/2.0/accounts/me"),
    ("creating wallets",            "POST",     "/2.0/wallets"),
    ("changing wallets",            "PUT",      "/2.0/wallets/" + NO_UUID),
    ("DELETE of an order",          "DELETE",   "/2.0/orders/1"),
    ("PATCH of an order",           "PATCH",    "/2.0/orders/1"),
    ("PUT of all orders",           "PUT",      "/2.0/orders"),
    ("POST to an order",            "POST",     "/2.0/orders/1"),
    ("GET of a command",            "GET",      "/2.0/orders/1/accept"),
    ("PUT of a command",            "PUT",      "/2.0/orders/1/accept"),
    ("POST of a payin to an order", "POST",     "/2.0/orders/1/payin"),
    ("an operator's GET",           "GET",      "/2.0/operator/payins/1/confirm"),
    ("another version",             "GET",      "/2.1/orders"),
    ("two slashes",                 "GET",      "/2.0//orders"),
    ("two trailing slashes",        "GET",      "/2.0/orders//"),
    ("the prefix alone",            "GET",      "/2.0/"),
    ("the prefix twice",            "GET",      "/2.0/2.0/orders"),
    ("another letter case",         "GET",      "/2.0/Orders"),
    ("a path that goes on",         "GET",      "/orders/1/accept/1"),
    ("HEAD",                        "HEAD",     "/2.0/orders"),
    ("OPTIONS",                     "OPTIONS",  "/2.0/orders"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), LATER)
def test_what_is_not_in_the_reference_is_not_found(shared: Desk, method: str, path: str) -> None:
    for key in (KEY, OPERATOR_KEY, None):
        assert refusal_of(shared.as_key(key).send(method, path)) == NOT_FOUND


def test_the_paths_of_other_desks_are_not_taken() -> None:
    own = ("/2.0/orders", "/orders", "/orders/1", "/2.0/nothing", "/2.0")
    others = ("/", "/orderbooks/x", "/trade/orders", "/v4/orders", "/2.00/orders", "/custody/api/2.0")
    assert {desk_of("POST", path) for path in own} == {"escrow"}
    assert "escrow" not in {desk_of("POST", path) for path in others}


# --- through the app


def test_the_app_serves_the_desk(client: HttpClient) -> None:
    order = client.desk.order()
    for path in ("/2.0/orders", "/orders", "/orders/", "/2.0/orders?status=NOPE&status=DRAFT"):
        assert [row["id"] for row in client.ask("GET", path)[1]["data"]] == [order["id"]], path
    assert client.ask("GET", f"/orders/{order['id']}")[1]["data"]["self"] == order["self"]
    not_found = (404, {"message": "Not found"})
    for method, path in (("GET", "/2.0"), ("GET", "/2.0/nothing"), ("DELETE", "/orders"), ("GET", "/2.0/a/b/c/d/e")):
        assert client.ask(method, path) == not_found, path
    assert client.ask("HEAD", "/2.0/orders")[0] == 404
    client.desk.key = "sk_stage_unknown"
    assert client.ask("GET", "/orders") == (401, {"message": "Unauthenticated."})


def test_the_app_passes_every_form_of_a_body_on(client: HttpClient) -> None:
    body = client.desk.usual_order(value="23.77", metadata={"cart": "é"})
    for content, content_type in ((as_urlencoded(body), FORM), (as_multipart(body), MULTIPART)):
        status, answer = client.ask("POST", "/2.0/orders", content, content_type)
        assert (status, answer["data"]["amount"], answer["data"]["metadata"]) == (200, "23.77 €", {"cart": "é"})
    status, answer = client.ask("POST", "/2.0/orders", b"<a/>", "text/xml")
    assert (status, list(answer["errors"])) == (422, ["body"])
