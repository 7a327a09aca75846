"""What is served and what is not, and how a path finds its route (R1 to R3)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chalicelib.domain.tenancy.keys import Permission
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.cases import (
    FORBIDDEN,
    LIST,
    NOT_FOUND,
    NOTHING,
    PAIR,
    invalid,
    open_market,
    order,
    outcome_of,
    placed,
    shown,
    unauthorized,
)
from tests.apis.trade.desk import UNLIMITED, SignedClient, SignedDesk, data_of, make_token, open_trade_desk, request_of
from tests.case_tables import cases
from tests.world import World

UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
NO_CREDENTIAL = unauthorized("Authorization header is required.")
MOUNTS = ("/trade", "/v4")


# --- scope -------------------------------------------------------------------------------------------------------

PRIVATE = cases(
    ("list orders",                   "GET",    "/orders",                        Permission.READ),
    ("place an order",                "POST",   "/orders",                        Permission.BUY_SELL),
    ("cancel an order",               "DELETE", "/orders",                        Permission.BUY_SELL),
    ("cancel an order by POST",       "POST",   "/orders/cancel",                 Permission.BUY_SELL),
    ("cancel by external id",         "DELETE", "/orders/by-external-id",         Permission.BUY_SELL),
    ("cancel by external id by POST", "POST",   "/orders/cancel-by-external-id",  Permission.BUY_SELL),
    ("cancel all orders",             "DELETE", "/orders/all",                    Permission.BUY_SELL),
    ("list open orders",              "GET",    "/orders/open",                   Permission.READ),
    ("show an order",                 "GET",    f"/orders/{UUID}",                Permission.READ),
    ("show an order by external id",  "GET",    "/orders/by-external-id/mine",    Permission.READ),
    ("list an order's trades",        "GET",    "/orders/trades",                 Permission.READ),
    ("list a customer's trades",      "GET",    "/user/trades",                   Permission.READ),
    ("list a pair's trades",          "GET",    "/trades",                        Permission.READ),
    ("show a pair's depth",           "GET",    "/book/orders/level-2",           Permission.READ),
    ("list tickers",                  "GET",    "/ticker",                        Permission.READ),
    ("show a ticker",                 "GET",    f"/ticker/{PAIR}",                Permission.READ),
    ("list pairs",                    "GET",    "/pairs",                         Permission.READ),
    ("list balances",                 "GET",    "/user/balances",                 Permission.READ),
    ("list balances of a day",        "GET",    "/user/balances/2025-03-04",      Permission.READ),
    ("list a statement",              "GET",    "/user/statement",                Permission.READ),
    ("list a currency's statement",   "GET",    "/user/statement/BTC",            Permission.READ),
    ("show a pair's fees",            "GET",    "/user/trading-fees",             Permission.READ),
    ("estimate a price",              "GET",    f"/orders/estimate-price/{PAIR}", Permission.READ),
    ("show a pair's orders",          "GET",    "/book/orders/level-3",           Permission.READ),
    ("list currencies",               "GET",    "/currencies",                    Permission.READ),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "_permission"), PRIVATE)
def test_r1_a_private_route_asks_for_a_token_on_both_mounts(
    client: SignedClient, method: str, path: str, _permission: Permission
) -> None:
    """The route is looked at before the headers: so one that is missing proves the route."""
    for mount in MOUNTS:
        assert client.unsigned(method, mount + path) == NO_CREDENTIAL
        assert client.unsigned(method, mount + path + "/") == NO_CREDENTIAL


@pytest.mark.parametrize(("method", "path", "permission"), PRIVATE)
def test_a_token_that_may_only_read_is_let_in_to_what_only_reads(
    desk: SignedDesk, method: str, path: str, permission: Permission
) -> None:
    reader = desk.as_customer("ann", Permission.READ)
    is_forbidden = outcome_of(reader.send(method, "/trade" + path)) == FORBIDDEN
    assert is_forbidden == (permission is Permission.BUY_SELL)
    assert outcome_of(desk.send(method, "/trade" + path)) != FORBIDDEN


PUBLIC = cases(
    ("a pair's trades", f"/public/trades?pair={PAIR}"),
    ("a pair's depth",  f"/public/orders/level-2?pair={PAIR}"),
    ("a pair's orders", f"/public/orders/level-3?pair={PAIR}"),
    ("currencies",      "/public/currencies"),
    ("countries",       "/public/countries"),
    ("tickers",         "/public/tickers"),
    ("a ticker",        f"/public/tickers/{PAIR}"),
    ("pairs",           "/public/pairs"),
    ("the time",        "/public/server-time"),
)  # fmt: skip


@pytest.mark.parametrize("target", PUBLIC)
def test_r3_a_public_route_carries_no_credential(client: SignedClient, target: str) -> None:
    nobodys = {"authorization": "nobody", "timestamp": "x", "signature": "x"}
    for mount in MOUNTS:
        assert client.unsigned("GET", mount + target) == 200
        assert client.http.get(mount + target, headers=nobodys).status_code == 200


@pytest.mark.parametrize("target", PUBLIC)
def test_r3_without_a_public_instance_there_are_no_public_routes(memory_database: Database, target: str) -> None:
    desk = open_market(memory_database, desk=open_trade_desk(World(memory_database), public_instance=None))
    path, _, query = target.partition("?")
    assert outcome_of(desk.desk.answer(request_of("GET", "/trade" + path, query, {}, b""))) == NOT_FOUND


def test_r3_public_routes_show_the_public_instance_whoever_asks(desk: SignedDesk) -> None:
    desk.world.tenants().create_instance("other001", frozenset({"trading"}))
    make_token(desk.world.database, "token-of-other", "ann", Permission.READ, UNLIMITED, "inst_other001")
    other = SignedDesk(desk.world, desk.desk, "token-of-other", "ann", desk.clock)
    assert data_of(other.get("/trade/pairs")) == []
    assert [row["symbol"] for row in data_of(other.get("/trade/public/pairs"))] == ["BTC_BRL", "B_Q"]


OUTSIDE = cases(
    ("tickets",                  "POST", "/tickets"),
    ("the stream",               "GET",  "/ws"),
    ("countries, private",       "GET",  "/countries"),
    ("wallets",                  "GET",  "/wallets"),
    ("an address",               "GET",  "/wallets/BTC/bitcoin"),
    ("deposits",                 "GET",  "/deposits"),
    ("a deposit",                "GET",  "/deposits/deposit"),
    ("withdrawals",              "POST", "/withdrawals"),
    ("a withdrawal's fee",       "GET",  "/withdrawals/estimate-fee/BTC"),
    ("transfers",                "POST", "/ripio-wallet/transfer/BTC"),
    ("synchronizing",            "POST", "/transactions/sync"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), OUTSIDE)
def test_what_is_outside_is_not_found(client: SignedClient, method: str, path: str) -> None:
    for mount in MOUNTS:
        assert client.unsigned(method, mount + path) == NOT_FOUND
        assert client.outcome(method, mount + path) == NOT_FOUND


# --- R1: routing -------------------------------------------------------------------------------------------------


def test_r1_both_mounts_serve_the_same_data(desk: SignedDesk) -> None:
    order_id = data_of(desk.post("/v4/orders", order()))["id"]
    assert data_of(desk.get(f"/trade/orders/{order_id}")) == data_of(desk.get(f"/v4/orders/{order_id}"))
    for path in ("/orders?pair=BTC_BRL", "/orders/open", "/user/balances", "/pairs", "/public/pairs"):
        here, query = path.partition("?")[::2]
        assert data_of(desk.get("/trade" + here, query)) == data_of(desk.get("/v4" + here, query))


# sent, and whether it finds its route
PATHS = cases(
    ("as it is",                    "/trade/orders",                   True),
    ("one trailing slash",          "/trade/orders/",                  True),
    ("two trailing slashes",        "/trade/orders//",                 False),
    ("two slashes inside",          "/trade//orders",                  False),
    ("upper case",                  "/trade/ORDERS",                   False),
    ("an upper-case mount",         "/V4/orders",                      False),
    ("another version",             "/v3/orders",                      False),
    ("a mount twice",               "/trade/v4/orders",                False),
    ("a mount alone",               "/trade",                          False),
    ("an encoded letter",           "/trade/%6Frders",                 True),
    ("an encoded slash",            "/trade%2Forders",                 False),
    ("an encoded slash below",      "/trade/orders%2Fopen",            False),
    ("a slash within a name",       "/trade/orders/by-external-id/a%2Fb", True),
    ("a name of two segments",      "/trade/orders/by-external-id/a/b", False),
    ("something below an order",    f"/trade/orders/{UUID}/trades",    False),
    ("an unknown word",             "/trade/nowhere",                  False),
)  # fmt: skip


@pytest.mark.parametrize(("path", "is_route"), PATHS)
def test_r1_a_path_finds_its_route_in_its_exact_case(client: SignedClient, path: str, is_route: bool) -> None:
    response = client.http.get(path)
    assert response.status_code == (401 if is_route else 404)
    if path.startswith(("/trade/", "/v4/")):
        assert client.read(response) == (NO_CREDENTIAL if is_route else NOT_FOUND)


@pytest.mark.parametrize("path", ["/orders", "//trade/orders"])
def test_r1_without_a_mount_it_is_another_desks(client: SignedClient, path: str) -> None:
    """The escrow desk's, whose own paths are found so too (E1): it knows no keys of this one."""
    response = client.http.get(path)
    assert (response.status_code, response.json_body) == (401, {"message": "Unauthenticated."})


# GET of a fixed word: a route of its own, or none; never an order's id
FIXED = cases(
    ("open",                  NO_CREDENTIAL),
    ("trades",                NO_CREDENTIAL),
    ("all",                   NOT_FOUND),
    ("cancel",                NOT_FOUND),
    ("by-external-id",        NOT_FOUND),
    ("cancel-by-external-id", NOT_FOUND),
    ("estimate-price",        NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("word", "outcome"), [pytest.param(row.id, *row.values, id=row.id) for row in FIXED])
def test_r1_a_fixed_word_wins_over_an_orders_id(client: SignedClient, word: str, outcome: object) -> None:
    assert client.unsigned("GET", f"/trade/orders/{word}") == outcome
    assert client.unsigned("GET", f"/trade/orders/{word.replace('a', '%61').replace('o', '%6f')}") == outcome
    assert client.outcome("GET", f"/trade/orders/{word.upper()}") == invalid("id")


def test_r1_a_segment_is_decoded_after_the_path_was_split(client: SignedClient, desk: SignedDesk) -> None:
    order_id = placed(desk, external_id="a/b%2F?#")
    response = client.request("GET", "/v4/orders/by-external-id/a%2Fb%252F%3F%23")
    assert response.json_body["data"]["id"] == order_id


ENCODED = cases(
    ("the external id", lambda _order_id: "/trade/orders/by-external-id/%6d%69ne"),
    ("the pair",        lambda _order_id: "/trade/ticker/%42TC%5FBRL"),
    ("the id",  lambda order_id: f"/trade/orders/{order_id.replace('-', '%2D')}"),
)  # fmt: skip


@pytest.mark.parametrize("path_of", ENCODED)
def test_r1_what_a_path_names_may_be_percent_encoded(desk: SignedDesk, path_of: Callable[[str], str]) -> None:
    order_id = placed(desk, external_id="mine")
    assert outcome_of(desk.get(path_of(order_id))) == 200


# --- R2: what is unknown, what is unsupported, what is too large -------------------------------------------------

WRONG_METHODS = cases(
    *((f"{method} {path}", method, path) for method, path in (
        ("PATCH", "/orders"), ("POST", "/orders/open"), ("GET", "/orders/cancel"), ("DELETE", "/orders/cancel"),
        ("POST", "/orders/by-external-id"), ("POST", "/orders/all"), ("DELETE", f"/orders/{UUID}"),
        ("PUT", f"/orders/{UUID}"), ("POST", "/trades"), ("DELETE", "/user/balances"), ("POST", "/public/pairs"),
        ("OPTIONS", "/orders"),
    ))
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRONG_METHODS)
def test_r2_an_unknown_method_is_not_found(client: SignedClient, method: str, path: str) -> None:
    assert client.unsigned(method, "/trade" + path) == client.outcome(method, "/v4" + path) == NOT_FOUND


def test_r2_amending_comes_after_authentication_and_permission(client: SignedClient, desk: SignedDesk) -> None:
    assert client.unsigned("PUT", LIST) == NO_CREDENTIAL
    assert outcome_of(desk.as_customer("ann", Permission.READ).send("PUT", LIST)) == FORBIDDEN
    assert client.outcome("PUT", LIST) == client.outcome("PUT", "/v4/orders", b"no json") == invalid("body")


SIZES = cases(
    ("64 KiB",               f"{LIST}/all",     65_536, NOTHING),
    ("a byte more",          f"{LIST}/all",     65_537, invalid("body")),
    ("of an unknown route",  "/trade/nowhere",  65_537, NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("path", "size", "outcome"), SIZES)
def test_r2_a_body_may_have_64_kib(desk: SignedDesk, path: str, size: int, outcome: object) -> None:
    assert outcome_of(desk.delete(path, b" " * size)) == outcome


def test_r2_a_body_that_is_too_large_is_told_before_the_headers_are_looked_at(client: SignedClient) -> None:
    response = client.http.post(LIST, body=b" " * 65_537)
    assert client.read(response) == invalid("body")


def test_r2_a_body_of_64_kib_may_be_an_order(desk: SignedDesk) -> None:
    body = json.dumps(order()).encode().ljust(65_536)
    assert shown(desk, data_of(desk.post(LIST, body))["id"])["status"] == "open"
