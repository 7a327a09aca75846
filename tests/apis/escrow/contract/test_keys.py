"""Keys: what each kind may call, in which world, and that nobody sees what is another's (E2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus, World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.tenants import Tenants
from tests.apis.escrow.cases import COMMANDS, READS, REQUESTS, Request, at, outcome
from tests.apis.escrow.desk import (
    DISABLED_KEY,
    KEY,
    NOT_FOUND,
    OPERATOR_KEY,
    OPERATOR_PRODUCTION_KEY,
    OTHER_KEY,
    PRODUCTION_KEY,
    READ_ONLY_KEY,
    SHOP,
    UNAUTHENTICATED,
    UNAUTHORIZED,
    UNLIMITED,
    Desk,
    data_of,
    errors_of,
    page_of,
    refusal_of,
)
from tests.case_tables import cases
from tests.services.escrow.world import INSTANCE

every_request = pytest.mark.parametrize("make", REQUESTS.values(), ids=list(REQUESTS))
PREFIXES = cases(
    ("sk_stage",        "sk_stage_",        World.SANDBOX,      SHOP),
    ("sk_production",   "sk_production_",   World.PRODUCTION,   SHOP),
    ("op_stage",        "op_stage_",        World.SANDBOX,      None),
    ("op_production",   "op_production_",   World.PRODUCTION,   None),
)  # fmt: skip


def with_key(desk: Desk, key: str, world: World, merchant: str | None, **more: Any) -> Desk:
    desk.make_key(key, world, merchant, rate_limit=UNLIMITED, **more)
    return desk.as_key(key)


# --- the prefixes


@pytest.mark.parametrize(("prefix", "world", "merchant"), PREFIXES)
def test_e2_a_prefix_says_what_a_key_may_call_and_in_which_world(
    desk: Desk, prefix: str, world: World, merchant: str | None
) -> None:
    caller = with_key(desk, prefix + "k" * 24, world, merchant)
    for make in REQUESTS.values():
        request = make()
        answer = caller.send(request.method, request.path("x"), body={})
        is_operators = "/operator" in request.route
        assert (refusal_of(answer) == UNAUTHORIZED) is (is_operators != (merchant is None)), request.route


@pytest.mark.parametrize(("prefix", "world", "merchant"), PREFIXES[:2])
def test_e2_an_orders_sandbox_is_true_exactly_of_a_stage_key(
    desk: Desk, prefix: str, world: World, merchant: str
) -> None:
    shop = with_key(desk, prefix + "k" * 24, world, merchant)
    ids = {f"{role}_id": shop.customer(f"{role}@x.test")["id"] for role in ("buyer", "seller")}
    order = data_of(shop.post("/orders", desk.usual_order(**ids)))
    assert order["sandbox"] is (prefix == "sk_stage_")
    (row,) = page_of(shop.get("/orders"))["data"]
    assert row == order


LENGTHS = cases(
    ("24 characters",       "k" * 24,           200),
    ("64 characters",       "k" * 64,           200),
    ("letters and digits",  "AZaz09" * 5,       200),
    ("23 characters",       "k" * 23,           401),
    ("65 characters",       "k" * 65,           401),
    ("underscore",          "k" * 24 + "_",     401),
    ("other letters",       "é" * 24,           401),
)  # fmt: skip


@pytest.mark.parametrize(("rest", "status"), LENGTHS)
def test_after_the_prefix_come_24_to_64_letters_and_digits(desk: Desk, rest: str, status: int) -> None:
    assert with_key(desk, f"sk_stage_{rest}", World.SANDBOX, SHOP).get("/orders").status == status


def test_a_key_is_stored_as_its_sha256(desk: Desk) -> None:
    with_key(desk, "sk_stage_" + "secret" * 4, World.SANDBOX, SHOP)
    stored = repr(desk.tables()["tenants"])
    assert hashlib.sha256(b"sk_stage_" + b"secret" * 4).hexdigest() in stored
    assert "secretsecret" not in stored


HEADERS = cases(
    ("missing",             None),
    ("empty",               ""),
    ("no key",              "Bearer"),
    ("basic",               f"Basic {KEY}"),
    ("key alone",           KEY),
    ("two keys",            f"Bearer {KEY} {KEY}"),
    ("malformed",           "Bearer sk_stage_unknown"),
    ("unknown",             "Bearer sk_stage_" + "u" * 24),
    ("unknown prefix",      "Bearer pk_stage_" + "S" * 24),
    ("other letter case",   f"Bearer {KEY.swapcase()}"),
    ("a sign behind it",    f"Bearer {KEY}!"),
)  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_401(shared: Desk, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    assert refusal_of(shared.as_key(None).send("GET", "/2.0/orders", headers=headers)) == UNAUTHENTICATED


def test_the_word_bearer_may_come_in_any_letter_case(shared: Desk) -> None:
    assert shared.as_key(None).send("GET", "/orders", headers={"authorization": f"bEARER {KEY}"}).status == 200


def test_401_of_a_deleted_key_and_of_an_archived_instance(desk: Desk) -> None:
    Credentials(desk.database, ESCROW_KEYS).delete(digest_of(READ_ONLY_KEY))
    assert refusal_of(desk.as_key(READ_ONLY_KEY).get("/orders")) == UNAUTHENTICATED
    assert desk.get("/orders").status == 200
    tenants = Tenants(desk.database, lambda: desk.now_s)
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert refusal_of(desk.get("/orders")) == UNAUTHENTICATED


@every_request
def test_403_of_a_disabled_key(make: Callable[[], Request]) -> None:
    assert refusal_of(make().send(key=DISABLED_KEY)) == UNAUTHORIZED


@pytest.mark.parametrize("name", [name for name in REQUESTS if not name.startswith("O")])
def test_403_of_a_read_only_key_on_whatever_is_no_get(name: str) -> None:
    request = REQUESTS[name]()
    before = request.desk.tables()
    answer = request.send(key=READ_ONLY_KEY)
    assert (answer.status == 200) if name in READS else (refusal_of(answer) == UNAUTHORIZED)
    assert request.desk.tables() == before


def test_403_of_a_read_only_operator(desk: Desk) -> None:
    reader = with_key(desk, "op_stage_" + "r" * 24, World.SANDBOX, None, is_read_only=True)
    assert refusal_of(reader.post("/operator/orders/1/block")) == UNAUTHORIZED


@every_request
def test_403_of_the_other_kind_of_key(make: Callable[[], Request]) -> None:
    request = make()
    other = OPERATOR_KEY if request.key == KEY else KEY
    before = request.desk.tables()
    assert refusal_of(request.send(key=other)) == UNAUTHORIZED
    assert request.desk.tables() == before


# --- worlds and merchants

STRANGERS = cases(
    ("another merchant",    OTHER_KEY),
    ("the other world",     PRODUCTION_KEY),
)  # fmt: skip
WITH_ID = [name for name, make in REQUESTS.items() if make().id is not None and not name.startswith("O")]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("name", WITH_ID)
def test_e2_what_a_path_names_is_not_there_for_a_stranger(name: str, stranger: str) -> None:
    request = REQUESTS[name]()
    before = request.desk.tables()
    assert refusal_of(request.send(key=stranger)) == NOT_FOUND
    assert request.desk.tables() == before
    assert request.send().status == 200


LISTS = ("/orders", "/payins", "/payouts", "/refunds", "/customers", "/wallets")


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("path", LISTS)
def test_e2_a_list_shows_nothing_to_a_stranger(path: str, stranger: str) -> None:
    desk, order = at("PENDING_VALIDATE")
    desk.do(order, "reimburse", {"amount": 1})
    other = desk.as_key(stranger)
    own = {row["id"] for row in page_of(desk.get(path))["data"]}
    theirs = {row["id"] for row in page_of(other.get(path))["data"]}
    assert own
    assert not own & theirs
    assert bool(theirs) is (path == "/wallets"), "its own hidden customer's"
    for query in ("search=id&query=1", "search=status&query=accepted") if path != "/wallets" else ():
        if "status" not in query or path != "/customers":
            assert page_of(other.get(path, query))["total"] == 0


E4_IDS = cases(
    ("buyer_id of A1",      "A1 orders",    "buyer_id"),
    ("seller_id of A1",     "A1 orders",    "seller_id"),
    ("buyer_id of A3",      "A3 orders",    "buyer_id"),
    ("order_id of A11",     "A11 payins by bank wire", "order_id"),
    ("wallet_id of A11",    "A11 payins by wallet", "wallet_id"),
    ("order_id of A12",     "A12 payouts",  "order_id"),
    ("wallet_id of A12",    "A12 payouts",  "wallet_id"),
    ("wallet_id of A10",    "A10 reimburse", "wallet_id"),
    ("payin_id of A10",     "A10 reimburse", "payin_id"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "field"), E4_IDS)
def test_e4_an_id_in_a_body_that_is_not_there_or_anothers_is_an_error_on_its_field(name: str, field: str) -> None:
    request = COMMANDS[name]()
    desk = request.desk
    theirs = []
    for key in (OTHER_KEY, PRODUCTION_KEY):
        other = desk.as_key(key)
        buyer, seller = other.customer("b@z.test"), other.customer("s@z.test")
        wallet = other.wallet_of(buyer)
        order = data_of(other.post("/orders", desk.usual_order(buyer_id=buyer["id"], seller_id=seller["id"])))
        payin = data_of(other.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}))
        theirs.append(
            {"buyer_id": buyer, "seller_id": seller, "order_id": order, "wallet_id": wallet, "payin_id": payin}
        )
    before = desk.tables()
    for wrong in (*(each[field]["id"] for each in theirs), 987_654, 0, -1, 10**20):
        answer = request.send((request.body or {}) | {field: wrong})
        assert errors_of(answer) == {field: [f"The selected {field.replace('_', ' ')} is invalid."]}, wrong
    for wrong in ("x", 1.5, True, [1]):
        assert field in errors_of(request.send((request.body or {}) | {field: wrong})), wrong
    assert desk.tables() == before
    assert request.send().status == 200


OPERATORS = [name for name in COMMANDS if name.startswith("O")]


@pytest.mark.parametrize("name", OPERATORS)
def test_e2_an_operator_works_in_its_own_world_only(name: str) -> None:
    request = COMMANDS[name]()
    before = request.desk.tables()
    assert refusal_of(request.send(key=OPERATOR_PRODUCTION_KEY)) == NOT_FOUND
    assert request.desk.tables() == before
    assert request.send().status == 200


def test_e2_an_operator_works_for_every_merchant_of_its_instance(desk: Desk) -> None:
    other = desk.as_key(OTHER_KEY)
    buyer, seller = other.customer("b@z.test"), other.customer("s@z.test")
    body = desk.usual_order(buyer_id=buyer["id"], seller_id=seller["id"])
    first, second = (data_of(other.post("/orders", body)) for _ in range(2))
    paid, denied = (
        data_of(other.post("/payins", {"order_id": one["id"], "type": "BANKWIRE"})) for one in (first, second)
    )
    assert data_of(desk.operate(f"/payins/{paid['id']}/confirm", {"amount": 150}))["status"] == "CONFIRMED"
    assert data_of(desk.operate(f"/payins/{denied['id']}/deny"))["status"] == "DENIED"
    assert data_of(desk.operate(f"/orders/{first['id']}/block"))["status"] == "BLOCKED_RELEASE"
    assert data_of(desk.operate(f"/orders/{first['id']}/unblock"))["status"] == "PUBLISHED"
    wallet = other.wallet_of(buyer)
    deposit = {"amount": 5, "reference": "r"}
    assert data_of(desk.operate(f"/wallets/{wallet['uuid']}/deposit", deposit))["balance"] == 5


def test_e2_the_worlds_share_the_counters_of_ids(desk: Desk) -> None:
    production, other = desk.as_key(PRODUCTION_KEY), desk.as_key(OTHER_KEY)
    ids: dict[str, list[int]] = {"customers": [], "wallets": [], "orders": [], "payins": []}
    for number in range(2):
        for shop in (desk, production, other):
            parties = [shop.customer(f"{role}{number}@y.test") for role in ("b", "s")]
            ids["customers"] += [party["id"] for party in parties]
            ids["wallets"] += sorted(
                wallet["id"]
                for party in parties
                for wallet in page_of(shop.get(f"/customers/{party['uuid']}/wallets"))["data"]
            )
            body = desk.usual_order(buyer_id=parties[0]["id"], seller_id=parties[1]["id"])
            order = data_of(shop.post("/orders", body))
            ids["orders"].append(order["id"])
            ids["payins"].append(data_of(shop.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}))["id"])
    for kind, taken in ids.items():
        assert taken == list(range(taken[0], taken[0] + len(taken))), kind
    assert (ids["orders"][0], ids["payins"][0]) == (1, 1), "the first id is 1"


def test_a_merchants_own_customers_are_one_a_world(desk: Desk) -> None:
    escrows = Escrows(desk.database)
    for world in World:
        own = escrows.customer(desk.scope(world), desk.own_uuid(world))
        assert own is not None
        assert own.is_hidden
    assert desk.own_uuid(World.SANDBOX) != desk.own_uuid(World.PRODUCTION)
    assert outcome(desk.get(f"/customers/{desk.own_uuid(World.PRODUCTION)}")) == 404


def test_rates_are_a_keys_own(desk: Desk) -> None:
    key = "sk_stage_" + "L" * 24
    rate_limit = RateLimit(bucket=2, refill_per_1000_s=5000, per_day=0)
    desk.make_key(key, rate_limit=rate_limit)
    assert [outcome(desk.as_key(key).get("/orders")) for _ in range(3)] == [200, 200, 429]
    assert outcome(desk.get("/orders")) == 200
