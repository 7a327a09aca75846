"""Who is let in where: paths, keys, worlds, permissions, rates; and what comes first of two faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.kit.mounts import desk_of
from chalicelib.domain.escrow.keys import ESCROW_KEYS, KEY_RATE_LIMIT
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import Instance, InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants
from tests.apis.escrow.desk import (
    DISABLED_KEY,
    KEY,
    NOT_FOUND,
    OPERATOR_KEY,
    OPERATOR_PRODUCTION_KEY,
    OTHER_KEY,
    PRODUCTION_KEY,
    READ_ONLY_KEY,
    TOO_MANY,
    UNAUTHENTICATED,
    UNAUTHORIZED,
    Desk,
    data_of,
    errors_of,
    ids_of,
    refusal_of,
)
from tests.apis.routes import ESCROW_ROUTES
from tests.case_tables import cases
from tests.faults import WatchedClient, throttled
from tests.services.escrow.world import INSTANCE

UUID = "0b9c0b9c-0b9c-4b9c-8b9c-0b9c0b9c0b9c"


def path_of(route: str, id_: object = 1, uuid: str = UUID) -> tuple[str, str]:
    """Return method and path of a route."""
    method, _, path = route.partition(" ")
    return method, "/2.0" + path.replace("{id}", str(id_)).replace("{uuid}", uuid)


# --- paths


@pytest.mark.parametrize(
    "path",
    [
        "/2.0",
        "/2.0/",
        "/2.0/orders//",
        "/2.0/orders/1/nothing",
        "/2.0/bundles",
        "/2.0/orders/1/payin/1",
        "/2.1/orders",
        "/payins",
        "/customers",
        "/operator/orders/1/block",
        "/2.0/2.0/orders",
        "/2.0/Orders",
        "/2.0/operator/orders/1",
        "/2.0/orders/%zz",
        "/orders/1/accept/1",
    ],
)
@pytest.mark.parametrize("key", [KEY, None])
def test_a_path_that_is_not_there_is_not_found_whoever_asks(desk: Desk, path: str, key: str | None) -> None:
    assert refusal_of(desk.as_key(key).send("GET", path)) == NOT_FOUND


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "PATCH", "OPTIONS", "PUT"])
def test_a_method_that_is_not_there_is_not_found(desk: Desk, method: str) -> None:
    assert refusal_of(desk.send(method, "/2.0/orders")) == NOT_FOUND
    assert refusal_of(desk.send("POST", "/2.0/orders/1")) == NOT_FOUND


def test_orders_are_served_without_the_prefix_too_and_say_the_same(desk: Desk) -> None:
    """E1"""
    made = data_of(desk.send("POST", "/orders", body=desk.usual_order()))
    assert made["self"] == f"/2.0/orders/{made['id']}"
    for path in (f"/orders/{made['id']}", f"/orders/{made['id']}/", f"/2.0/orders/{made['id']}"):
        assert data_of(desk.send("GET", path)) == made
    assert desk.send("GET", "/orders").body == desk.send("GET", "/2.0/orders").body
    changed = data_of(desk.send("PUT", f"/orders/{made['id']}", body={"name": "Blue bike"}))
    assert changed["name"] == "Blue bike"
    assert data_of(desk.send("POST", f"/orders/{made['id']}/cancel"))["status"] == "CANCELLED"
    assert refusal_of(desk.send("GET", f"/orders/{made['id']}/payin")) == NOT_FOUND


def test_the_desk_knows_its_own_paths() -> None:
    own = ("/2.0/orders", "/orders", "/orders/1", "/2.0/nothing", "/2.0")
    others = ("/", "/orderbooks/x", "/trade/orders", "/v4/orders", "/2.00/orders", "/custody/api/2.0")
    assert {desk_of("POST", path) for path in own} == {"escrow"}
    assert "escrow" not in {desk_of("POST", path) for path in others}


# --- keys


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {KEY}",
        KEY,
        f"Bearer {KEY} {KEY}",
        "Bearer sk_stage_unknown",
        "Bearer " + "sk_stage_" + "U" * 24,
        f"Bearer {KEY}!",
        f"Bearer {KEY.upper()}",
        "Bearer sk_stage_" + "S" * 65,
        "Bearer pk_stage_" + "S" * 24,
    ],
)
def test_without_a_known_key_nobody_is_let_in(desk: Desk, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    before = desk.tables()
    for route in ESCROW_ROUTES:
        method, path = path_of(route)
        assert refusal_of(desk.as_key(None).send(method, path, body={}, headers=headers)) == UNAUTHENTICATED
    assert desk.tables() == before


def test_the_word_bearer_may_come_in_any_letter_case(desk: Desk) -> None:
    assert desk.as_key(None).send("GET", "/orders", headers={"authorization": f"bEARER {KEY}"}).status == 200


def test_a_deleted_key_and_one_of_an_archived_instance_are_unknown(desk: Desk) -> None:
    Credentials(desk.database, ESCROW_KEYS).delete(digest_of(READ_ONLY_KEY))
    assert refusal_of(desk.as_key(READ_ONLY_KEY).get("/orders")) == UNAUTHENTICATED

    def archived(instance: Instance) -> Instance:
        return instance.with_status(InstanceStatus.ARCHIVED)

    Tenants(desk.database, lambda: desk.now_s).change(INSTANCE, archived)
    assert refusal_of(desk.get("/orders")) == UNAUTHENTICATED


def test_a_disabled_key_is_known_and_may_do_nothing(desk: Desk) -> None:
    for route in ESCROW_ROUTES:
        method, path = path_of(route)
        assert refusal_of(desk.as_key(DISABLED_KEY).send(method, path, body={})) == UNAUTHORIZED


def test_a_read_only_key_may_get_and_change_nothing(desk: Desk) -> None:
    order, before = desk.order(), desk.tables()
    reader = desk.as_key(READ_ONLY_KEY)
    for route in ESCROW_ROUTES:
        method, path = path_of(route, order["id"], desk.buyer["uuid"])
        if path.startswith("/2.0/operator"):
            continue
        answer = reader.send(method, path, body={})
        assert (refusal_of(answer) == UNAUTHORIZED) is (method != "GET"), route
    assert desk.tables() == before | {}
    assert ids_of(reader.get("/orders")) == [order["id"]]


def test_each_kind_of_key_has_its_own_routes(desk: Desk) -> None:
    before = desk.tables()
    for route in ESCROW_ROUTES:
        method, path = path_of(route)
        is_operators = path.startswith("/2.0/operator")
        stranger = desk.as_key(KEY if is_operators else OPERATOR_KEY)
        assert refusal_of(stranger.send(method, path, body={})) == UNAUTHORIZED, route
    assert desk.tables() == before


# --- worlds and merchants


@pytest.mark.parametrize("stranger", [OTHER_KEY, PRODUCTION_KEY])
def test_what_is_anothers_or_of_the_other_world_is_not_there(desk: Desk, stranger: str) -> None:
    """E2: each path with an id or a uuid in it, and each field that names one (E4)."""
    order = desk.in_status("PENDING_VALIDATE")
    payin, payout = (
        data_of(desk.get(f"/orders/{order['id']}/payin")),
        data_of(desk.get(f"/orders/{order['id']}/payout")),
    )
    before, other = desk.tables(), desk.as_key(stranger)
    for route in ESCROW_ROUTES:
        if "{" not in route or "/operator" in route:
            continue
        ids = {"/payins": payin["id"], "/payouts": payout["id"]}
        uuid = desk.buyer_wallet["uuid"] if "/wallets/{" in route else desk.buyer["uuid"]
        method, path = path_of(route, next((ids[kind] for kind in ids if kind in route), order["id"]), uuid)
        assert refusal_of(other.send(method, path, body={})) == NOT_FOUND, route
        assert refusal_of(desk.send(method, path, body={"x": 1})) != NOT_FOUND, route
    own = {"name": "x", "value": 1}
    named = {"buyer_id": desk.buyer["id"], "seller_id": desk.seller["id"]}
    assert sorted(errors_of(other.post("/orders", own | named))) == ["buyer_id", "seller_id"]
    wallet = {"wallet_id": desk.buyer_wallet["id"], "type": "WALLET"}
    assert list(errors_of(other.post("/payins", {"order_id": order["id"], **wallet}))) == ["order_id"]
    assert list(errors_of(other.post("/payouts", {"order_id": order["id"], **wallet}))) == ["order_id"]
    assert [other.get(path).body for path in ("/orders", "/payins", "/payouts", "/customers")] == [
        desk.as_key(PRODUCTION_KEY).get("/orders").body
    ] * 4
    assert len(before["escrows"]) <= len(desk.tables()["escrows"])


def test_the_worlds_share_the_counters_and_nothing_else(desk: Desk) -> None:
    """E2"""
    production = desk.as_key(PRODUCTION_KEY)
    buyer, seller = production.customer("ann@x.test"), production.customer("sam@x.test")
    assert buyer["id"] not in (desk.buyer["id"], desk.seller["id"])
    own = {"buyer_id": buyer["id"], "seller_id": seller["id"]}
    first, second = desk.order(), data_of(production.post("/orders", desk.usual_order(**own)))
    assert (first["sandbox"], second["sandbox"]) == (True, False)
    assert second["id"] == first["id"] + 1
    assert ids_of(production.get("/orders")) == [second["id"]]
    assert refusal_of(production.get(f"/orders/{first['id']}")) == NOT_FOUND


def test_an_operator_works_in_its_own_world_on_all_merchants_things(desk: Desk) -> None:
    """E2"""
    other = desk.as_key(OTHER_KEY)
    customer = other.customer("zoe@x.test")
    (wallet, _) = [other.wallet_of(customer, code) for code in ("EUR", "JPY")]
    path, body = f"/operator/wallets/{wallet['uuid']}/deposit", {"amount": 5, "reference": "r"}
    assert data_of(desk.as_key(OPERATOR_KEY).post(path, body))["balance"] == 5
    assert refusal_of(desk.as_key(OPERATOR_PRODUCTION_KEY).post(path, body)) == NOT_FOUND
    order = desk.in_status("PUBLISHED")
    assert refusal_of(desk.as_key(OPERATOR_PRODUCTION_KEY).post(f"/operator/orders/{order['id']}/block")) == NOT_FOUND
    assert data_of(desk.operate(f"/orders/{order['id']}/block"))["status"] == "BLOCKED_RELEASE"


@pytest.mark.parametrize("text", ["0", "01", "x", "-1", "1.0", "999999999999", "9" * 30, "%20", "1%2F"])
def test_an_id_that_is_none_is_not_found(desk: Desk, text: str) -> None:
    desk.order()
    assert refusal_of(desk.get(f"/orders/{text}")) == NOT_FOUND
    assert refusal_of(desk.as_key(OPERATOR_KEY).post(f"/operator/payins/{text}/deny")) == NOT_FOUND


def test_a_uuid_is_known_in_either_letter_case_and_nothing_else_is(desk: Desk) -> None:
    assert data_of(desk.get(f"/customers/{desk.buyer['uuid'].upper()}")) == desk.buyer
    for text in ("x", UUID, desk.buyer["uuid"][:-1], desk.buyer_wallet["uuid"]):
        assert refusal_of(desk.get(f"/customers/{text}")) == NOT_FOUND


# --- rates


def limited(desk: Desk, rate_limit: RateLimit) -> Desk:
    """Return the desk for a key of the shop with this rate limit."""
    key = "sk_stage_" + "L" * 24
    desk.make_key(key, rate_limit=rate_limit)
    return desk.as_key(key)


def test_a_key_has_60_requests_at_once_and_5_a_second(desk: Desk) -> None:
    shop = limited(desk, KEY_RATE_LIMIT)
    assert [shop.get("/payins").status for _ in range(61)] == [200] * 60 + [429]
    answer = shop.get("/payins")
    assert refusal_of(answer) == TOO_MANY
    assert answer.headers["Retry-After"] == "1"
    assert desk.get("/payins").status == 200, "another key has its own"
    shop.now_s += 1
    later = shop.over(shop.database)
    assert [later.get("/payins").status for _ in range(6)] == [200] * 5 + [429]


def test_anonymous_callers_have_60_requests_a_minute_from_an_address(desk: Desk) -> None:
    stranger = desk.as_key("sk_stage_unknown")
    answers = [stranger.send("GET", "/2.0/orders") for _ in range(61)]
    assert [answer.status for answer in answers] == [401] * 60 + [429]
    assert refusal_of(answers[-1]) == TOO_MANY
    assert answers[-1].headers["Retry-After"] == "1"
    assert stranger.send("GET", "/2.0/orders", address="192.0.2.2").status == 401
    assert desk.get("/orders").status == 200, "a key is welcome from there"


def test_requests_are_served_uncounted_when_they_cannot_be_counted(desk: Desk) -> None:
    shop = limited(desk, KEY_RATE_LIMIT)
    client: Any = WatchedClient(desk.database._client, lambda *call: _without_requests(*call))
    shop = shop.over(Database(client, "truust"))
    assert shop.get("/payins").status == 200


def _without_requests(operation: str, call: Callable[[], Any]) -> Any:
    return throttled(operation, call) if operation == "update_item" else call()


# --- precedence: of two faults the one that comes first in the contract's list is answered

Send = Callable[[Desk], HttpResponse]


def status_and_fields(response: HttpResponse) -> tuple[int, list[str]]:
    return response.status, sorted(errors_of(response)) if response.status == 422 else []


def empty(desk: Desk) -> Desk:
    """Return the desk for a key that may not come any more."""
    shop = limited(desk, replace(KEY_RATE_LIMIT, bucket=1))
    assert shop.get("/payins").status == 200
    return shop


BAD_KEY = {"idempotency-key": "short"}
PRECEDENCE = cases(
    ("path_before_key", lambda desk: desk.as_key("x").get("/nothing"), (404, [])),
    ("method_before_key", lambda desk: desk.as_key("x").send("DELETE", "/2.0/orders"), (404, [])),
    ("key_before_permission", lambda desk: desk.as_key("x").post("/operator/orders/1/block"), (401, [])),
    ("permission_before_rate", lambda desk: empty(desk).post("/operator/orders/1/block"), (403, [])),
    ("permission_before_resource", lambda desk: desk.as_key(READ_ONLY_KEY).post("/orders/99/accept"), (403, [])),
    ("rate_before_resource", lambda desk: empty(desk).get("/orders/99"), (429, [])),
    ("resource_before_key_of_command", lambda desk: desk.post("/orders/99/accept", headers=BAD_KEY), (404, [])),
    ("resource_before_body", lambda desk: desk.put("/orders/99", b"{"), (404, [])),
    ("resource_before_fields", lambda desk: desk.post("/orders/99/reimburse", {"amount": -1}), (404, [])),
    (
        "key_of_command_before_body",
        lambda desk: desk.post("/orders", b"{", headers=BAD_KEY),
        (422, ["idempotency_key"]),
    ),
    (
        "key_of_command_before_fields",
        lambda desk: desk.post("/orders", {}, headers=BAD_KEY),
        (422, ["idempotency_key"]),
    ),
    (
        "fields_before_status",
        lambda desk: desk.post(f"/orders/{desk.in_status('RELEASED')['id']}/reimburse", {"amount": 0}),
        (422, ["amount"]),
    ),
    (
        "status_before_amount",
        lambda desk: desk.post(f"/orders/{desk.in_status('RELEASED')['id']}/reimburse", {"amount": 999}),
        (422, ["status"]),
    ),
    (
        "amount_against_the_hold_last",
        lambda desk: desk.post(f"/orders/{desk.in_status('ACCEPTED')['id']}/reimburse", {"amount": 999}),
        (422, ["amount"]),
    ),
    (
        "fields_of_a_payin_before_status",
        lambda desk: desk.post("/payins", {"order_id": desk.in_status("RELEASED")["id"], "type": "WALLET"}),
        (422, ["wallet_id"]),
    ),
    (
        "fields_of_a_payout_before_status",
        lambda desk: desk.post("/payouts", {"order_id": desk.order()["id"], "type": "WALLET", "wallet_id": 0}),
        (422, ["wallet_id"]),
    ),
)


@pytest.mark.parametrize(("send", "answer"), PRECEDENCE)
def test_of_two_faults_the_first_is_answered(desk: Desk, send: Send, answer: tuple[int, list[str]]) -> None:
    assert status_and_fields(send(desk)) == answer


def test_an_unexpected_fault_is_a_server_error_and_tells_nothing(desk: Desk) -> None:
    client: Any = WatchedClient(desk.database._client, lambda *call: throttled(*call))
    broken = desk.over(Database(client, "truust"))
    assert refusal_of(broken.get("/orders")) == (500, {"message": "Server Error"})
