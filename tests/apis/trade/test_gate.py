"""Who may come in (R4 to R10): each cause by its message, which one comes first, and what the operator's changes do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.keys import API_TOKENS, TokenStatus, token_secret_of
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring import NoMasterKey
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, data_of, fault_of, open_trade_desk
from tests.apis.trade.test_signature import TIMESTAMP
from tests.faults import ENDPOINT, FaultyClient, raising, throttled
from tests.world import INSTANCE, World

NOW_MS = int(TIMESTAMP)
PROBE = "/trade/orders"
"""A PUT here passes the gate like any other request and then has one answer, whatever its body is."""
PASSED = (400, 40000, "Invalid parameters: body.")
"""The endpoint finds no body, so the gate has let the request in."""


def unauthorized(message: str) -> tuple[int, int, str]:
    return 401, 40100, message


TOKEN_INVALID = unauthorized("API token is invalid.")
TOKEN_BLOCKED = unauthorized("API token is blocked.")


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


@pytest.mark.parametrize(
    "token", ["x", "token-of-ann ", "TOKEN-OF-ANN", "token-of-\u00e4nn", "\ud800", "Bearer token-of-ann"]
)
def test_a_token_that_nobody_has_is_invalid(desk: SignedDesk, token: str) -> None:
    assert probe(desk, authorization=token) == TOKEN_INVALID


def test_a_blocked_token_is_let_in_again_when_it_is_unblocked(desk: SignedDesk) -> None:
    tokens = Credentials(desk.world.database, API_TOKENS)
    tokens.change(digest_of(desk.token), status=TokenStatus.BLOCKED)
    assert probe(desk) == TOKEN_BLOCKED
    assert probe(desk.as_customer("ben")) == PASSED
    tokens.change(digest_of(desk.token), status=TokenStatus.ACTIVE)
    assert probe(desk) == PASSED


def test_a_token_of_an_archived_instance_is_refused_like_an_unknown_one(desk: SignedDesk) -> None:
    tenants = desk.world.tenants()
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert probe(desk) == TOKEN_INVALID
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert probe(desk) == PASSED


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


def test_the_secret_of_a_token_is_derived_from_it_and_the_master_key() -> None:
    """R9: the derivation is for good; another one would make every secret that was given out worthless."""
    derived = token_secret_of(bytes(range(32)), "token-of-ann")
    assert derived == "735579accf3950e07d10c33883a3fa55d85c9c0b2ba473ba6ed13745be40426a"
    assert derived != token_secret_of(bytes(range(32)), "token-of-ben")
    assert derived != token_secret_of(bytes(range(1, 33)), "token-of-ann")
