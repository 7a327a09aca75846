"""Who may come in: each cause by its code, which one comes first, and what the operator's changes do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.taker.api import TakerApi
from chalicelib.domain.signed.settings import jwt_secret_of, key_id_of, secret_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.taker_keys import TakerKeys
from chalicelib.tables.tenants import Tenants
from chalicelib.wiring import NoMasterKey
from tests.apis.routes import TAKER_ROUTES
from tests.apis.taker.desk import (
    INSTANCE,
    MASTER_KEY,
    NOW_S,
    OTHER_INSTANCE,
    TAKER,
    Desk,
    connect_body,
    data_of,
    fault_of,
    make_key,
    open_instance,
)
from tests.faults import ENDPOINT, FaultyClient, raising, throttled

PROBE = "/takers/orders"
MISSING, UNKNOWN, EXPIRED = (401, 10010012), (401, 10010009), (401, 10010010)
OUTSIDE, WRONG, DISABLED, UNAUTHORIZED = (401, 10010011), (401, 10010008), (403, 403), (401, 401)
ONCE = RateLimit(bucket=1, refill_per_1000_s=1, per_day=0)


def probe(desk: Desk, **headers: Any) -> tuple[int, int] | int:
    """Send a signed request with some headers changed; ... leaves one out. Return 200, or status and code."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome(desk.signed("GET", PROBE, headers=named))


def outcome(response: HttpResponse) -> tuple[int, int] | int:
    return 200 if response.status == 200 else fault_of(response)


def tenants(desk: Desk) -> Tenants:
    return Tenants(desk.database, lambda: NOW_S)


# Takers


def test_a_key_alone_lets_in_and_so_does_one_with_a_signature(desk: Desk) -> None:
    """K4"""
    assert outcome(desk.get(PROBE)) == probe(desk) == 200
    assert probe(desk, authorization="Bearer nonsense") == 200, "takers' endpoints ignore it"


@pytest.mark.parametrize("missing", [..., ""])
def test_timestamp_and_signature_come_together_or_not_at_all(desk: Desk, missing: Any) -> None:
    """K4"""
    assert probe(desk, x_api_key=missing) == MISSING
    assert probe(desk, x_api_timestamp=missing) == MISSING
    assert probe(desk, x_api_signature=missing) == MISSING
    assert probe(desk, x_api_timestamp=missing, x_api_signature=missing) == 200


def test_a_key_that_requires_a_signature_does_not_come_in_without(desk: Desk) -> None:
    """K4"""
    make_key(desk.database, "signing-key", TAKER, requires_signature=True)
    signing = replace(desk, api_key="signing-key")
    assert outcome(signing.get(PROBE)) == MISSING
    assert probe(signing) == 200


@pytest.mark.parametrize("api_key", ["x", "KEY-OF-TAKER", "key-of-taker ", "\ud800", "k\u00e9y"])
def test_a_key_that_nobody_has_is_unknown(desk: Desk, api_key: str) -> None:
    assert outcome(replace(desk, api_key=api_key).get(PROBE)) == UNKNOWN


def test_a_digest_is_no_key_and_neither_key_nor_secret_stands_in_any_table(desk: Desk) -> None:
    assert outcome(replace(desk, api_key=key_id_of(desk.api_key)).get(PROBE)) == UNKNOWN
    assert desk.api_key not in repr(desk.tables())
    assert desk.secret not in repr(desk.tables())


def test_a_key_ends_at_its_very_second(desk: Desk) -> None:
    make_key(desk.database, "short-key", TAKER, expires_s=NOW_S + 60)
    short = replace(desk, api_key="short-key")
    desk.clock.advance(59)
    assert probe(short) == 200
    desk.clock.advance(1)
    assert probe(short) == EXPIRED


@pytest.mark.parametrize(
    ("offset_ms", "expected"), [(-300_000, WRONG), (300_000, WRONG), (-300_001, OUTSIDE), (300_001, OUTSIDE)]
)
def test_the_window_is_symmetric_and_its_ends_are_inside(desk: Desk, offset_ms: int, expected: Any) -> None:
    assert probe(desk, x_api_timestamp=str(desk.clock() + offset_ms)) == expected


@pytest.mark.parametrize("timestamp", ["x", "1.5", "-1", "1737082824", "1" * 16, " 1", "1e12", "\u0661" * 13])
def test_a_timestamp_is_milliseconds_in_digits(desk: Desk, timestamp: str) -> None:
    assert probe(desk, x_api_timestamp=timestamp) == OUTSIDE


def test_the_window_is_the_instances_setting(desk: Desk) -> None:
    desk.change_settings(auth_window_ms=1000)
    assert probe(desk, x_api_timestamp=str(desk.clock() - 1000)) == WRONG
    assert probe(desk, x_api_timestamp=str(desk.clock() - 1001)) == OUTSIDE


def test_a_disabled_key_is_let_in_again_when_it_is_enabled(desk: Desk) -> None:
    keys, key_id = TakerKeys(desk.database), key_id_of(desk.api_key)
    keys.switch(key_id, is_enabled=False)
    assert probe(desk) == DISABLED
    assert probe(desk.as_other) == 200
    keys.switch(key_id, is_enabled=True)
    assert probe(desk) == 200


def test_the_secret_of_a_key_is_derived_from_it_and_the_master_key() -> None:
    """The derivation is for good; another one would make every secret that was given out worthless."""
    derived = secret_of(bytes(range(32)), "key-of-taker")
    assert derived == "c75bebbf71416021cc95b1c5d4c6d4d79749263eae60e3d264b83b59de836e68"
    assert (
        jwt_secret_of(bytes(range(32)), INSTANCE).hex()
        == "14e3a8a9e079e1cd5e93d97c6858adb9c5577eafcac29caf68b962b9143dc432"
    )


def test_the_first_fault_wins(desk: Desk) -> None:
    """A request with every fault there is, mended one by one."""
    keys = TakerKeys(desk.database)
    key = make_key(desk.database, "new-key", TAKER, allowance=ONCE, expires_s=NOW_S, requires_signature=True)
    keys.switch(key.key_id, is_enabled=False)
    sent: dict[str, Any] = {"x-api-key": ..., "x-api-timestamp": ..., "x-api-signature": ...}
    new = replace(desk, api_key="new-key")

    def answer(path: str = "/orders/lock") -> tuple[int, int] | int:
        return outcome(new.signed("POST", path, body=b"x" * 65_537, headers=sent))

    assert answer("/nowhere") == (404, 404)
    assert answer() == MISSING
    sent["x-api-key"] = "unknown"
    assert answer() == UNKNOWN
    sent["x-api-key"] = "new-key"
    assert answer() == MISSING, "this key must sign"
    sent |= {"x-api-timestamp": "x", "x-api-signature": "x"}
    assert answer() == EXPIRED
    keys.end(key.key_id, None)
    assert answer() == OUTSIDE
    del sent["x-api-timestamp"]
    assert answer() == WRONG
    del sent["x-api-signature"]
    assert answer() == DISABLED
    keys.switch(key.key_id, is_enabled=True)
    assert list(desk.database.scan("requests")) == [], "what is refused at the gate is not counted"
    assert answer() == (400, 400001)
    assert answer() == (429, 429), "the first was counted; the rate comes before the body"


# Makers


def test_a_maker_comes_in_by_its_jwt_alone(desk: Desk) -> None:
    assert outcome(desk.maker_get("/orders")) == 200
    for scheme in ("Bearer", "bearer", "BEARER"):
        sent = {"authorization": f"{scheme} {desk.jwt}", "x-api-key": "nonsense", "x-api-timestamp": "x"}
        assert outcome(desk.send("GET", "/orders", headers=sent)) == 200, "makers' endpoints ignore the key"


@pytest.mark.parametrize(
    "header", [..., "", "Bearer", "Bearer ", "Basic x", "Bearer x", "Bearer a.b.c", "Bearer \u00e9"]
)
def test_without_a_jwt_a_maker_does_not_come_in(desk: Desk, header: Any) -> None:
    assert outcome(desk.send("GET", "/orders", headers={"authorization": header})) == UNAUTHORIZED


def test_an_api_key_is_no_jwt_and_a_jwt_no_api_key(desk: Desk) -> None:
    assert outcome(desk.get("/orders")) == UNAUTHORIZED
    assert outcome(desk.maker_get(PROBE)) == MISSING


CLAIMS: dict[str, Any] = {"sub": "0x" + "1" * 40, "iss": INSTANCE, "iat": NOW_S, "exp": NOW_S + 60}
FAULTY_CLAIMS: dict[str, dict[str, Any]] = {
    "over": {"exp": NOW_S},
    "no end": {"exp": ...},
    "end is a text": {"exp": "4102444800"},
    "end is true": {"exp": True},
    "no wallet": {"sub": ...},
    "upper case": {"sub": "0x" + "A" * 40},
    "no address": {"sub": "admin"},
    "no instance": {"iss": ...},
    "unknown instance": {"iss": "inst_nobody01"},
    "instance is a number": {"iss": 1},
    "odd instance": {"iss": "taker-key/../inst_test0001"},
    "for somebody": {"aud": "others"},
}


def made(secret: bytes | None = None, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not ...}
    named = claims.get("iss")
    key = secret if secret is not None else jwt_secret_of(MASTER_KEY, str(named))
    return jwt.encode(claims, key, algorithm)


def as_bearer(desk: Desk, text: str) -> tuple[int, int] | int:
    return outcome(desk.send("GET", "/orders", headers={"authorization": f"Bearer {text}"}))


def test_what_this_deployment_has_signed_is_good_to_its_end(desk: Desk) -> None:
    assert as_bearer(desk, made()) == 200
    desk.clock.advance(59)
    assert as_bearer(desk, made()) == 200
    desk.clock.advance(1)
    assert as_bearer(desk, made()) == UNAUTHORIZED


@pytest.mark.parametrize("changes", FAULTY_CLAIMS.values(), ids=FAULTY_CLAIMS)
def test_a_jwt_with_other_claims_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not ...}
    secret = jwt_secret_of(MASTER_KEY, str(claims.get("iss")))
    jws = jwt.PyJWS().encode(json.dumps(claims).encode(), secret, "HS256")
    assert as_bearer(desk, jws) == UNAUTHORIZED


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_jwt_is_signed_with_its_instances_own_secret(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    for secret in (jwt_secret_of(MASTER_KEY, OTHER_INSTANCE), jwt_secret_of(MASTER_KEY[::-1], INSTANCE), MASTER_KEY):
        assert as_bearer(desk, made(secret)) == UNAUTHORIZED
    assert as_bearer(desk, made(iss=OTHER_INSTANCE)) == 200
    assert as_bearer(desk, jwt.encode(CLAIMS, None, "none")) == UNAUTHORIZED
    assert as_bearer(desk, made(algorithm="HS512")) == UNAUTHORIZED
    assert as_bearer(desk, made()[:-2]) == UNAUTHORIZED


# Instances


def test_keys_and_jwts_of_an_archived_instance_are_refused_like_unknown_ones(desk: Desk) -> None:
    tenants(desk).change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert probe(desk) == UNKNOWN
    assert outcome(desk.maker_get("/orders")) == UNAUTHORIZED
    assert outcome(desk.send("POST", "/makers/connect", body=connect_body(desk))) == (404, 404)
    tenants(desk).change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert probe(desk) == outcome(desk.maker_get("/orders")) == 200


def test_an_instance_without_the_service_serves_nobody(desk: Desk) -> None:
    tenants(desk).change(INSTANCE, lambda found: found.without_service("trading"))
    assert probe(desk) == outcome(desk.maker_get("/orders")) == (403, 403)
    assert outcome(desk.send("POST", "/makers/connect", body=connect_body(desk))) == (403, 403)


def test_an_instance_sees_and_moves_nothing_of_anothers_on_any_route(desk: Desk) -> None:
    """Guarantee 8: the same taker address and the same wallet are somebody else there."""
    open_instance(desk.database, OTHER_INSTANCE)
    make_key(desk.database, "key-elsewhere", TAKER, instance=OTHER_INSTANCE)
    elsewhere = replace(desk, api_key="key-elsewhere", instance=OTHER_INSTANCE)
    order_hash = desk.created()
    desk.lock(order_hash)
    desk.fill(order_hash, 1)
    before = desk.tables()
    empty = {
        "GET /takers/orders": data_of(elsewhere.get(PROBE))["orders"],
        "GET /orders/available": data_of(elsewhere.get("/orders/available")),
        "GET /orders/filled": data_of(elsewhere.get("/orders/filled"))["fills"],
        "GET /orders": data_of(elsewhere.maker_get("/orders"))["orders"],
    }
    not_found = {
        "GET /takers/orders/{order_hash}": elsewhere.seen(order_hash),
        "POST /orders/lock": elsewhere.lock(order_hash),
        "POST /orders/unlock": elsewhere.unlock(order_hash),
        "POST /orders/fill": elsewhere.fill(order_hash, 1),
        "POST /orders/reject": elsewhere.reject(order_hash),
        "POST /orders/cancel-result": elsewhere.cancel_result(order_hash, True),
        "POST /orders/{order_id}/cancel": elsewhere.cancel(order_hash),
    }
    assert set(map(len, empty.values())) == {0}
    assert {fault_of(answer) for answer in not_found.values()} == {(404, 404)}
    assert data_of(elsewhere.maker_get("/orders/maker/next-nonce"))["next_nonce"] == 1
    validated = data_of(elsewhere.post("/orders/validate", elsewhere.order_body()))
    assert (validated["errors"], validated["maker_balance"]) == (["insufficient_balance"], "0")
    assert fault_of(elsewhere.create()) == (400, 400)
    assert desk.tables() == before
    own = {"GET /orders/maker/next-nonce", "POST /orders/validate", "POST /orders", "POST /makers/connect"}
    assert own | set(empty) | set(not_found) == set(TAKER_ROUTES)


# Faults of the deployment


def test_without_a_master_key_what_needs_no_secret_is_served(desk: Desk) -> None:
    def missing() -> bytes:
        raise NoMasterKey

    broken = replace(desk, desk=TakerApi(desk.database, master_key=missing, clock=desk.clock))
    assert probe(broken) == outcome(broken.maker_get("/orders")) == (500, 500)
    assert outcome(broken.get(PROBE)) == 200


@pytest.mark.parametrize("fault", [throttled, raising(EndpointConnectionError(endpoint_url=ENDPOINT), after=False)])
def test_tables_that_do_not_answer_are_an_internal_error(desk: Desk, fault: Any) -> None:
    down = Database(FaultyClient(desk.database._client, fault, at=1), desk.database._prefix)  # type: ignore[arg-type]
    broken = replace(desk, desk=TakerApi(down, master_key=lambda: MASTER_KEY, clock=desk.clock))
    response = broken.get(PROBE)
    assert fault_of(response) == (500, 500)
    assert ENDPOINT not in response.body
