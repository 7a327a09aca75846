"""Requests of browsers from other origins (K52): what a preflight allows, and which answers a page may read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.taker.routes import ROUTES, Auth
from chalicelib.apis.taker.sessions import Session, new_jwt
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.origins import Origins
from chalicelib.tables.tenants import Tenants
from chalicelib.wiring.taker import new_taker_desk
from tests.apis.taker.cases import BROKEN, INVALID, NO_SESSION, NOT_FOUND, TOO_MANY, HttpClient, outcome_of
from tests.apis.taker.desk import (
    API,
    INSTANCE,
    MASTER_KEY,
    NOW_S,
    OTHER_INSTANCE,
    Desk,
    connect_body,
    data_of,
    new_desk,
    open_instance,
)
from tests.case_tables import cases
from tests.faults import FaultyClient, throttled

PAGE, OTHER_PAGE, STRANGER = "https://app.example", "http://127.0.0.1:5173", "https://stranger.example"
ALLOW = "Access-Control-Allow-Origin"
NEVER = ("Access-Control-Allow-Credentials",)


@pytest.fixture(scope="module")
def listing() -> Desk:
    """A desk whose instance lists one origin, beside another instance that lists another."""
    desk = new_desk()
    open_instance(desk.database, OTHER_INSTANCE)
    origins = Origins(desk.database)
    origins.add(INSTANCE, PAGE)
    origins.add(OTHER_INSTANCE, OTHER_PAGE)
    return desk


def preflight(desk: Desk, path: str, method: str, origin: str = PAGE) -> HttpResponse:
    headers = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": "x"}
    return desk.send("OPTIONS", path, headers=headers)


def allowed_in(response: HttpResponse) -> str | None:
    """Return the origin to which an answer is shown; every answer that depends on it says so."""
    assert not set(NEVER) & response.headers.keys()
    allowed = response.headers.get(ALLOW)
    assert allowed not in ("*", "null")
    assert allowed is None or response.headers["Vary"] == "Origin"
    return allowed


def as_page(desk: Desk, path: str, origin: str, method: str = "GET", **more: Any) -> HttpResponse:
    headers = {"authorization": f"Bearer {desk.jwt}", "origin": origin} | more.pop("headers", {})
    return desk.send(method, path, headers=headers, **more)


# --- preflights


FOR_PAGES: Any = cases(
    ("connect",           "/makers/connect",         "POST",   "POST"),
    ("create an order",   "/orders",                 "POST",   "GET, POST"),
    ("list orders",       "/orders",                 "GET",    "GET, POST"),
    ("cancel an order",   "/orders/7/cancel",        "POST",   "POST"),
    ("show an order",     "/orders/7",               "GET",    "GET, DELETE"),
    ("cancel it",         "/orders/7",               "DELETE", "GET, DELETE"),
    ("positions",         "/positions",              "GET",    "GET"),
    ("a public book",     "/tickers/AAPL/orderbooks", "GET",   "GET"),
    ("next nonce",        "/orders/maker/next-nonce", "GET",   "GET"),
    ("a maker's events",  "/makers/events",          "GET",    "GET"),
    ("a trailing slash",  "/orders/",                "POST",   "GET, POST"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "method", "methods"), FOR_PAGES)
@pytest.mark.parametrize("origin", [PAGE, OTHER_PAGE])
def test_a_preflight_of_a_makers_route_allows_an_origin_that_any_instance_lists(
    listing: Desk, path: str, method: str, methods: str, origin: str
) -> None:
    answer = preflight(listing, path, method, origin)
    assert (answer.status, answer.body) == (204, "")
    assert answer.headers == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Prefer, X-Instance, X-REQUEST-ID",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }


REFUSED: Any = cases(
    ("an origin that nobody lists",    "/orders",          "POST", STRANGER),
    ("another scheme",                 "/orders",          "POST", "http://app.example"),
    ("another port",                   "/orders",          "POST", "https://app.example:8443"),
    ("the usual port",                 "/orders",          "POST", "https://app.example:443"),
    ("another letter case",            "/orders",          "POST", "https://App.example"),
    ("a subdomain",                    "/orders",          "POST", "https://a.app.example"),
    ("a domain that ends so",          "/orders",          "POST", "https://evil-app.example"),
    ("a domain that begins so",        "/orders",          "POST", "https://app.example.evil.example"),
    ("a trailing slash",               "/orders",          "POST", PAGE + "/"),
    ("null",                           "/orders",          "POST", "null"),
    ("a star",                         "/orders",          "POST", "*"),
    ("nothing",                        "/orders",          "POST", ""),
    ("a very long one",                "/orders",          "POST", "https://" + "a" * 5000),
    ("a method that the path has not", "/orders",          "PUT",  PAGE),
    ("an unknown path",                "/nowhere",         "GET",  PAGE),
    ("a method in lower case",         "/orders",          "post", PAGE),
)  # fmt: skip


@pytest.mark.parametrize(("path", "method", "origin"), REFUSED)
def test_every_other_preflight_is_404_as_for_everybody(listing: Desk, path: str, method: str, origin: str) -> None:
    answer = preflight(listing, path, method, origin)
    assert outcome_of(answer) == NOT_FOUND
    assert (allowed_in(answer), answer.headers["Vary"]) == (None, "Origin")
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", ["/nowhere", "/orders/7/nowhere"])
def test_the_404_of_an_unknown_route_says_that_answers_depend_on_the_origin(listing: Desk, path: str) -> None:
    """A cache that keeps it would show it to a page that is allowed to read none, and the other way round."""
    answer = as_page(listing, path, PAGE)
    assert (outcome_of(answer), allowed_in(answer), answer.headers["Vary"]) == (NOT_FOUND, None, "Origin")


def test_an_options_without_a_method_is_no_preflight(listing: Desk) -> None:
    answer = listing.send("OPTIONS", "/orders", headers={"origin": PAGE})
    assert (outcome_of(answer), allowed_in(answer)) == (NOT_FOUND, None)


def test_a_preflight_of_a_takers_route_is_404(listing: Desk) -> None:
    for route in ROUTES:
        for path in route.paths:
            answer = preflight(listing, path.removeprefix(API), route.method)
            assert (answer.status == 404) is (route.auth is Auth.TAKER), route.name


def test_an_archived_instance_lists_nothing(listing: Desk) -> None:
    tenants = Tenants(listing.database, lambda: NOW_S)
    tenants.change(OTHER_INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert preflight(listing, "/orders", "GET", OTHER_PAGE).status == 404
    tenants.change(OTHER_INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert preflight(listing, "/orders", "GET", OTHER_PAGE).status == 204


def test_a_change_holds_from_the_next_request_on(desk: Desk) -> None:
    origins = Origins(desk.database)
    for change, status in ((origins.add, 204), (origins.add, 204), (origins.remove, 404), (origins.remove, 404)):
        change(INSTANCE, PAGE)
        assert preflight(desk, "/orders", "GET").status == status
        assert allowed_in(as_page(desk, "/orders", PAGE)) == (PAGE if status == 204 else None)


# --- answers


def test_a_page_reads_an_answer_if_the_sessions_instance_lists_its_origin(listing: Desk) -> None:
    for origin in (PAGE, OTHER_PAGE, STRANGER, "null", ""):
        answer = as_page(listing, "/orders", origin)
        assert data_of(answer)["total"] == 0
        assert allowed_in(answer) == (origin if origin == PAGE else None)
        assert answer.headers["Vary"] == "Origin"
    shown = as_page(listing, "/orders", PAGE).headers
    assert shown["Access-Control-Expose-Headers"] == "Retry-After, X-REQUEST-ID"


def _archived(desk: Desk, origin: str) -> HttpResponse:
    return as_page(desk, "/orders", origin, headers={"authorization": _session_of("inst_archived", desk)})


def _session_of(instance: str, desk: Desk) -> str:
    return "Bearer " + new_jwt(Session(instance, desk.maker, desk.clock.now_s + 60), MASTER_KEY, desk.clock.now_s)


def _too_often(_desk: Desk, origin: str) -> HttpResponse:
    often = new_desk()
    for instance, page in ((INSTANCE, PAGE), (OTHER_INSTANCE, OTHER_PAGE)):
        Origins(often.database).add(instance, page)
    open_instance(often.database, OTHER_INSTANCE)
    often.change_settings(rate_limit=RateLimit(bucket=1, refill_per_1000_s=1, per_day=0))
    as_page(often, "/orders", origin)
    return as_page(often, "/orders", origin)


def _without_key(desk: Desk, origin: str) -> HttpResponse:
    def no_key() -> bytes:
        raise RuntimeError

    served = new_taker_desk(desk.database, master_key=no_key, public_instance=INSTANCE, clock=desk.clock)
    return as_page(replace(desk, desk=served), "/orders", origin)


FAILURES: Any = cases(
    ("400001",           lambda desk, origin: as_page(desk, "/orders", origin, query="page=0"),   INVALID),
    ("400001 of a body", lambda desk, origin: as_page(desk, "/orders", origin, "POST", body={}),  INVALID),
    ("404",              lambda desk, origin: as_page(desk, "/orders/7/cancel", origin, "POST"),  NOT_FOUND),
    ("429",              _too_often,                                                              TOO_MANY),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "outcome"), FAILURES)
def test_a_failure_of_a_session_is_shown_as_its_success(
    listing: Desk, ask: Callable[[Desk, str], HttpResponse], outcome: Any
) -> None:
    for origin, allowed in ((PAGE, PAGE), (OTHER_PAGE, None), (STRANGER, None)):
        answer = ask(listing, origin)
        assert (outcome_of(answer), allowed_in(answer)) == (outcome, allowed)


NO_SESSIONS: Any = cases(
    ("no JWT",      lambda desk, origin: as_page(desk, "/orders", origin, headers={"authorization": ""}), NO_SESSION),
    ("no such one", lambda desk, origin: as_page(desk, "/orders", origin, headers={"authorization": "Bearer x"}),
 NO_SESSION),
    ("of nobody",   _archived, NO_SESSION),
    ("500",         _without_key, BROKEN),
    ("connecting",  lambda desk, origin: as_page(
        desk, "/makers/connect", origin, "POST", body={}, client_address=origin), INVALID),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "outcome"), NO_SESSIONS)
def test_a_failure_without_a_session_is_shown_to_pages_of_any_instance_as_a_preflight_is(
    listing: Desk, ask: Callable[[Desk, str], HttpResponse], outcome: Any
) -> None:
    """So a page learns that its session has ended, and the answer says nothing of any instance."""
    for origin, allowed in ((PAGE, PAGE), (OTHER_PAGE, OTHER_PAGE), (STRANGER, None)):
        answer = ask(listing, origin)
        assert (outcome_of(answer), allowed_in(answer)) == (outcome, allowed)


def test_an_instances_jwt_is_shown_only_to_pages_that_it_lists(listing: Desk) -> None:
    for number, (origin, allowed) in enumerate(((PAGE, PAGE), (OTHER_PAGE, None), (STRANGER, None))):
        body = connect_body(listing, Nonce=f"n-{number}")
        answer = listing.send("POST", "/makers/connect", body=body, headers={"origin": origin}, client_address=origin)
        assert data_of(answer)["jwt"]
        assert allowed_in(answer) == allowed


def test_the_public_book_is_shown_to_pages_that_the_public_instance_lists(listing: Desk) -> None:
    for origin, allowed in ((PAGE, PAGE), (OTHER_PAGE, None), (STRANGER, None)):
        for query in ("exchange=0", ""):
            answer = listing.send("GET", "/tickers/AAPL/orderbooks", query=query, headers={"origin": origin})
            assert allowed_in(answer) == allowed


def test_a_takers_answers_are_shown_to_no_page(listing: Desk) -> None:
    for path in ("/takers/orders", "/orders/available", "/orders/filled", "/takers/events"):
        for headers in ({"x-api-key": listing.api_key, "origin": PAGE}, {"origin": PAGE}):
            answer = listing.send("GET", path, headers=headers)
            assert allowed_in(answer) is None
            assert "Vary" not in answer.headers


@pytest.mark.parametrize(("operation", "method", "status"), [("query", "OPTIONS", 404), ("get_item", "GET", 200)])
def test_while_origins_cannot_be_read_nothing_is_allowed_and_requests_are_served(
    listing: Desk, operation: str, method: str, status: int
) -> None:
    client: Any = FaultyClient(listing.database._client, throttled, at=1, operation=operation)
    down = Database(client, listing.database._prefix, pause=lambda _: None)
    served = new_taker_desk(down, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, clock=listing.clock)
    broken, wanted = replace(listing, desk=served), {"access-control-request-method": "GET"}
    answer = as_page(broken, "/orders/maker/next-nonce", PAGE, method, headers=wanted)
    assert (answer.status, allowed_in(answer), client.has_struck) == (status, None, True)


def test_a_page_is_served_through_the_app(client: HttpClient) -> None:
    Origins(client.desk.database).add(INSTANCE, PAGE)
    wanted = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    answer = client.request("OPTIONS", f"{API}/orders", None, wanted)
    assert (answer.status_code, answer.headers[ALLOW], answer.body) == (204, PAGE, b"")
    jwt = new_jwt(Session(INSTANCE, client.desk.maker, 4_000_000_060), MASTER_KEY, 4_000_000_000)
    answer = client.request("GET", f"{API}/orders", None, {"Origin": PAGE, "Authorization": f"Bearer {jwt}"})
    assert (answer.status_code, answer.headers[ALLOW]) == (200, PAGE)
