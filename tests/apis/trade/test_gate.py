"""Who may come in (R4 to R10): each cause by its message, which one comes first, and what the operator's changes do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.apis.trade import gate
from chalicelib.apis.trade.signature import signature_of
from chalicelib.desks.trade import new_trade_desk
from chalicelib.domain.tenancy.api_tokens import API_TOKENS, Permission, TokenStatus, secret_of
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring import NoMasterKey
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, fault_of, make_token, open_trade_desk
from tests.apis.trade.test_signature import ABC, SECRET, TIMESTAMP, VECTORS
from tests.faults import ENDPOINT, FaultyClient, raising, throttled
from tests.world import INSTANCE, World

NOW_MS = int(TIMESTAMP)
PROBE = "/trade/orders"
"""A PUT here passes the gate like any other request and then has one answer, whatever its body is."""
PASSED = (400, 40090, "Unsupported operation.")
FORBIDDEN = (403, 40300, "Forbidden access.")
ONE_A_DAY = RateLimit(bucket=0, per_day=1)


def unauthorized(message: str) -> tuple[int, int, str]:
    return 401, 40100, message


AUTHORIZATION_MISSING = unauthorized("Authorization header is required.")
TIMESTAMP_MISSING = unauthorized("Timestamp header is required.")
SIGNATURE_MISSING = unauthorized("Signature header is required.")
TIMESTAMP_INVALID = unauthorized("Timestamp header is invalid.")
TOLERANCE_INVALID = (400, 40000, "Invalid parameters: timestamp-tolerance.")
TOKEN_INVALID = unauthorized("API token is invalid.")
TOKEN_BLOCKED = unauthorized("API token is blocked.")
OUTSIDE_WINDOW = unauthorized("Timestamp is outside the tolerance window.")
SIGNATURE_INVALID = unauthorized("Signature is invalid.")


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    return open_trade_desk(World(memory_database), clock=lambda: NOW_MS)


def probe(desk: SignedDesk, path: str = PROBE, **headers: Any) -> tuple[int, int, str]:
    """Send a signed request with some headers changed; ... leaves one out."""
    return fault_of(desk.send("PUT", path, headers={name.replace("_", "-"): value for name, value in headers.items()}))


def at(desk: SignedDesk, timestamp: str, **headers: str) -> tuple[int, int, str]:
    """Send a request signed at this time."""
    signature = signature_of(desk.secret, timestamp, "PUT", PROBE, b"")
    return probe(desk, timestamp=timestamp, signature=signature, **headers)


def test_a_signed_request_passes_on_both_mounts(desk: SignedDesk) -> None:
    assert probe(desk) == probe(desk, "/v4/orders") == probe(desk, "/trade/orders/") == PASSED


@pytest.mark.parametrize("missing", [..., ""])
def test_each_header_that_is_missing_or_empty_is_named_in_order(desk: SignedDesk, missing: Any) -> None:
    assert probe(desk, signature=missing) == SIGNATURE_MISSING
    assert probe(desk, signature=missing, timestamp=missing) == TIMESTAMP_MISSING
    assert probe(desk, signature=missing, timestamp=missing, authorization=missing) == AUTHORIZATION_MISSING


@pytest.mark.parametrize("timestamp", ["12a", "-1", "1.5", "1" * 16, "1700000000000\n", "\u0661" * 13, " 1", "1e12"])
def test_a_timestamp_is_digits_only(desk: SignedDesk, timestamp: str) -> None:
    assert at(desk, timestamp) == TIMESTAMP_INVALID


@pytest.mark.parametrize("tolerance", ["60001", "abc", "-1", "1.5", "", "1" * 10, "1 ", "\u0661", "999999999"])
@pytest.mark.parametrize("name", gate.TOLERANCE_HEADERS)
def test_a_tolerance_is_a_number_up_to_a_minute_in_either_spelling(desk: SignedDesk, name: str, tolerance: str) -> None:
    """R4"""
    assert at(desk, TIMESTAMP, **{name: tolerance}) == TOLERANCE_INVALID


@pytest.mark.parametrize(
    ("offset_ms", "headers", "expected"),
    [
        (-5000, {}, PASSED),
        (5000, {}, PASSED),
        (-5001, {}, OUTSIDE_WINDOW),
        (5001, {}, OUTSIDE_WINDOW),
        (-1000, {"timestamp-tolerance": "1000"}, PASSED),
        (-1001, {"timestamp-tolerance": "1000"}, OUTSIDE_WINDOW),
        (1001, {"timstamp-tolerance": "1000"}, OUTSIDE_WINDOW),
        (-60_000, {"timestamp-tolerance": "60000"}, PASSED),
        (60_000, {"timstamp-tolerance": "60000"}, PASSED),
        (-60_001, {"timestamp-tolerance": "60000"}, OUTSIDE_WINDOW),
        (0, {"timestamp-tolerance": "0"}, PASSED),
        (1, {"timestamp-tolerance": "0"}, OUTSIDE_WINDOW),
        (6000, {"timestamp-tolerance": "7000", "timstamp-tolerance": "1000"}, PASSED),
        (6000, {"timestamp-tolerance": "1000", "timstamp-tolerance": "7000"}, OUTSIDE_WINDOW),
        (0, {"timestamp-tolerance": "1000", "timstamp-tolerance": "abc"}, PASSED),
    ],
)
def test_the_window_is_symmetric_and_its_ends_are_inside(
    desk: SignedDesk, offset_ms: int, headers: dict[str, str], expected: tuple[int, int, str]
) -> None:
    """R4, R5: five seconds to both sides, unless a header says otherwise; of two spellings the right one counts."""
    assert at(desk, str(NOW_MS + offset_ms), **headers) == expected


@pytest.mark.parametrize("timestamp", ["0", "1700000000", "999999999999999"])
def test_a_timestamp_in_other_units_is_outside_the_window(desk: SignedDesk, timestamp: str) -> None:
    assert at(desk, timestamp) == OUTSIDE_WINDOW


@pytest.mark.parametrize(
    "token", ["x", "token-of-ann ", "TOKEN-OF-ANN", "token-of-\u00e4nn", "\ud800", "Bearer token-of-ann"]
)
def test_a_token_that_nobody_has_is_invalid(desk: SignedDesk, token: str) -> None:
    assert probe(desk, authorization=token) == TOKEN_INVALID


def test_a_digest_is_no_token(desk: SignedDesk) -> None:
    """What stands in the table does not let anybody in."""
    assert probe(desk, authorization=digest_of(desk.token)) == TOKEN_INVALID


def test_neither_token_nor_secret_stands_in_any_table(desk: SignedDesk) -> None:
    """R9"""
    desk.get("/trade/user/balances")
    assert desk.token not in repr(desk.world.tables())
    assert desk.secret not in repr(desk.world.tables())


def test_a_blocked_token_is_let_in_again_when_it_is_unblocked(desk: SignedDesk) -> None:
    tokens = Credentials(desk.world.database, API_TOKENS)
    tokens.change(digest_of(desk.token), status=TokenStatus.BLOCKED)
    assert probe(desk) == TOKEN_BLOCKED
    assert probe(desk.as_customer("ben")) == PASSED
    tokens.change(digest_of(desk.token), status=TokenStatus.ACTIVE)
    assert probe(desk) == PASSED


@pytest.mark.parametrize(
    "signature",
    [
        signature_of("other-secret", TIMESTAMP, "PUT", PROBE, b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ben"), TIMESTAMP, "PUT", PROBE, b""),
        signature_of(secret_of(MASTER_KEY[::-1], "token-of-ann"), TIMESTAMP, "PUT", PROBE, b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ann"), TIMESTAMP, "POST", PROBE, b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ann"), TIMESTAMP, "PUT", "/v4/orders", b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ann"), TIMESTAMP, "PUT", PROBE + "/", b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ann"), TIMESTAMP, "PUT", PROBE + "?a=b", b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ann"), str(NOW_MS - 1), "PUT", PROBE, b""),
        signature_of(secret_of(MASTER_KEY, "token-of-ann"), TIMESTAMP, "PUT", PROBE, b"{}"),
        "x",
        "\u00e9" * 44,
    ],
    ids=["secret", "token", "master key", "method", "mount", "slash", "query", "time", "body", "short", "no ascii"],
)
def test_a_signature_of_anything_else_is_invalid(desk: SignedDesk, signature: str) -> None:
    assert probe(desk, signature=signature) == SIGNATURE_INVALID


def test_a_signature_may_come_again_and_is_good_for_nothing_else(desk: SignedDesk) -> None:
    """R6: a replay with another path or body is refused; one of the same request is not."""
    sent = {"timestamp": TIMESTAMP, "signature": signature_of(desk.secret, TIMESTAMP, "PUT", PROBE, b'{"amount":1}')}
    for _ in range(2):
        assert fault_of(desk.send("PUT", PROBE, body=b'{"amount":1}', headers=sent)) == PASSED
    for path, body in ((PROBE, b'{"amount":2}'), (PROBE, b""), ("/v4/orders", b'{"amount":1}')):
        assert fault_of(desk.send("PUT", path, body=body, headers=sent)) == SIGNATURE_INVALID
    assert fault_of(desk.send("GET", PROBE, body=b'{"amount":1}', headers=sent)) == SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("number", "query"),
    [(1, "pair=ABC_DEF"), (2, "pair=ABC_DEF"), (3, ""), (4, ""), (10, ""), (11, ""), (12, ""), (13, "")],
)
def test_the_published_signatures_let_their_requests_in(
    desk: SignedDesk, monkeypatch: pytest.MonkeyPatch, number: int, query: str
) -> None:
    monkeypatch.setattr(gate, "secret_of", lambda _key, _token: SECRET)
    method, path, body, signature = VECTORS[number]
    for sent in (path, path + "/"):
        answer = desk.send(method, sent, query=query, body=body.encode(), headers={"signature": signature})
        assert answer.status != 401, answer.body


def test_an_indented_body_is_let_in_with_the_signature_of_its_compact_form(
    desk: SignedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R7"""
    monkeypatch.setattr(gate, "secret_of", lambda _key, _token: SECRET)
    indented = json.dumps(json.loads(ABC), indent=4).encode()
    answer = desk.send("POST", "/trade/orders", body=indented, headers={"signature": VECTORS[3][3]})
    assert fault_of(answer) == (404, 40400, "Pair not found.")


def test_the_permission_read_does_not_trade(desk: SignedDesk) -> None:
    reader = desk.as_customer("ann", Permission.READ)
    for method, path in (
        ("POST", "/trade/orders"),
        ("PUT", "/v4/orders"),
        ("DELETE", "/trade/orders"),
        ("POST", "/trade/orders/cancel"),
        ("DELETE", "/trade/orders/by-external-id"),
        ("POST", "/trade/orders/cancel-by-external-id"),
        ("DELETE", "/v4/orders/all"),
    ):
        before = desk.world.tables()
        assert fault_of(reader.send(method, path, body=b"not json")) == FORBIDDEN
        assert desk.world.tables() == before
    assert reader.get("/trade/user/balances").status == 200
    assert desk.get("/trade/user/balances").status == 200, "Buy/Sell implies Read"


def test_an_instance_without_the_service_is_refused(memory_database: Database) -> None:
    """R9"""
    assert probe(open_trade_desk(World(memory_database), services=frozenset())) == FORBIDDEN


def test_a_token_of_an_archived_instance_is_refused_like_an_unknown_one(desk: SignedDesk) -> None:
    tenants = desk.world.tenants()
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert probe(desk) == TOKEN_INVALID
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert probe(desk) == PASSED


def test_the_first_fault_wins(memory_database: Database) -> None:
    """R10: a request with every fault there is, mended one by one."""
    world = World(memory_database)
    desk = open_trade_desk(world, services=frozenset(), rate_limit=ONE_A_DAY, clock=lambda: NOW_MS)
    tokens, token_id = Credentials(world.database, API_TOKENS), digest_of(desk.token)
    tokens.change(token_id, status=TokenStatus.BLOCKED)
    late = str(NOW_MS - 5001)
    sent: dict[str, Any] = {"authorization": ..., "timestamp": ..., "signature": ..., "timestamp-tolerance": "x"}

    def answer() -> tuple[int, int, str]:
        return fault_of(desk.send("PUT", PROBE, body=b"not json", headers=sent))

    assert fault_of(desk.send("POST", "/trade/nowhere", body=b"x" * 65_537, headers=sent)) == (404, 40400, "Not found.")
    too_large = fault_of(desk.send("PUT", PROBE, body=b"x" * 65_537, headers=sent))
    assert too_large == (400, 40000, "Invalid parameters: body.")
    assert answer() == AUTHORIZATION_MISSING
    sent["authorization"] = "unknown"
    assert answer() == TIMESTAMP_MISSING
    sent["timestamp"] = "late"
    assert answer() == SIGNATURE_MISSING
    sent["signature"] = "wrong"
    assert answer() == TIMESTAMP_INVALID
    sent["timestamp"] = late
    assert answer() == TOLERANCE_INVALID
    del sent["timestamp-tolerance"]
    assert answer() == TOKEN_INVALID
    sent["authorization"] = desk.token
    assert answer() == TOKEN_BLOCKED
    tokens.change(token_id, status=TokenStatus.ACTIVE)
    assert answer() == OUTSIDE_WINDOW
    sent["timestamp"] = TIMESTAMP
    assert answer() == SIGNATURE_INVALID
    assert not world.tables()["requests"], "what is not signed is not counted"
    del sent["signature"]
    assert answer() == FORBIDDEN
    assert answer() == (429, 42900, "Limit Exceeded"), "the first was counted; the rate comes before the service"


def test_a_body_of_64_kib_is_looked_at_and_one_byte_more_is_not(desk: SignedDesk) -> None:
    """R2"""
    assert fault_of(desk.send("PUT", PROBE, body=b" " * 65_536)) == PASSED
    assert fault_of(desk.send("PUT", PROBE, body=b" " * 65_537)) == (400, 40000, "Invalid parameters: body.")


def test_without_a_master_key_the_signed_routes_alone_are_out_of_order(desk: SignedDesk) -> None:
    def missing() -> bytes:
        raise NoMasterKey

    keyless = new_trade_desk(desk.world.database, master_key=missing, public_instance=INSTANCE, clock=lambda: NOW_MS)
    broken = replace(desk, desk=keyless)
    assert probe(broken) == (500, 50000, "Internal server error.")
    assert probe(broken, authorization="unknown") == TOKEN_INVALID
    assert data_of(broken.get("/trade/public/server-time")) == {"timestamp": NOW_MS}


@pytest.mark.parametrize("fault", [throttled, raising(EndpointConnectionError(endpoint_url=ENDPOINT), after=False)])
def test_tokens_that_cannot_be_looked_up_are_maintenance(desk: SignedDesk, fault: Any) -> None:
    down = Database(FaultyClient(desk.world.database._client, fault, at=1), desk.world.database._prefix)  # type: ignore[arg-type]
    broken = replace(desk, desk=new_trade_desk(down, master_key=lambda: MASTER_KEY, clock=lambda: NOW_MS))
    response = broken.send("PUT", PROBE)
    assert fault_of(response) == (503, 503, "Maintenance in course.")
    assert response.headers["Retry-After"] == "1"


def test_a_token_sees_its_own_instance_and_customer_only(desk: SignedDesk) -> None:
    """Guarantee 8: the same customer of another instance is somebody else."""
    desk.world.tenants().create_instance("other001", frozenset({"trading"}))
    make_token(desk.world.database, "token-of-other-ann", "ann", instance="inst_other001")
    other = replace(desk, token="token-of-other-ann")
    assert data_of(other.get("/trade/user/balances")) == []
    assert len(data_of(desk.get("/trade/user/balances"))) == 2


def test_the_secret_of_a_token_is_derived_from_it_and_the_master_key() -> None:
    """R9: the derivation is for good; another one would make every secret that was given out worthless."""
    derived = secret_of(bytes(range(32)), "token-of-ann")
    assert derived == "735579accf3950e07d10c33883a3fa55d85c9c0b2ba473ba6ed13745be40426a"
    assert derived != secret_of(bytes(range(32)), "token-of-ben")
    assert derived != secret_of(bytes(range(1, 33)), "token-of-ann")
