"""The WebSocket of the taker desk: who may connect, and when they are turned out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.taker.socket import audiences
from chalicelib.apis.taker.socket_messages import Type
from chalicelib.domain.feed.subscription import CONNECTIONS_MAX
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.keys import TAKER_KEYS
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.tenants import Tenants
from tests.apis.taker.desk import (
    API_KEY,
    INSTANCE,
    MAKER,
    NOW_S,
    OTHER_INSTANCE,
    OTHER_MAKER_KEY,
    TAKER,
    Desk,
    make_key,
)
from tests.apis.taker.sockets import BOTH, CHANGES, MAKER_PATH, TAKER_PATH, Sockets, refusal
from tests.faults import unavailable


def test_who_cannot_be_let_in_for_a_fault_leaves_no_connection(sockets: Sockets) -> None:
    feed: Any = sockets.pushing.beat.sessions._feed
    feed.ends = unavailable
    with pytest.raises(Unavailable):
        sockets.taker()
    assert [row for row in sockets.desk.database.scan("connections") if not row["topic"].startswith("instance/")] == []


@pytest.mark.parametrize(
    "query",
    [
        "", "types=", "types=,", "types=heartbeat", "types=order_status_change,orders", "types=Order_Status_Change",
    ],
)  # fmt: skip
def test_types_that_there_are_must_be_named(sockets: Sockets, query: str) -> None:
    for opened in (sockets.taker(query=query), sockets.maker(query=query)):
        assert refusal(opened) == (400, 400001)
        assert "types" in json.loads(opened.message)["details"]
    assert list(sockets.desk.database.scan("connections")) == []


def test_a_maker_gets_no_cancellation_requests(sockets: Sockets) -> None:
    assert refusal(sockets.maker(query=BOTH)) == (400, 400001)


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "unknown"}, {"authorization": "Bearer x"}])
@pytest.mark.parametrize("desk_name", ["taker", "maker"])
def test_without_a_good_credential_nobody_connects(sockets: Sockets, desk_name: str, headers: dict[str, str]) -> None:
    opened = sockets.open("x", desk_name, CHANGES, headers)
    assert opened.status == 401
    assert list(sockets.desk.database.scan("connections")) == []


def test_no_credential_opens_the_other_kind_of_connection(sockets: Sockets) -> None:
    """A taker's key is no maker's, and a maker's JWT no taker's, so nobody can follow the other's subject."""
    jwt = {"authorization": f"Bearer {sockets.desk.jwt}"}
    assert sockets.open("x", "taker", CHANGES, jwt).status == 401
    assert sockets.open("x", "maker", CHANGES, {"x-api-key": API_KEY}).status == 401


@pytest.mark.parametrize("desk_name", ["taker", "maker"])
def test_what_a_client_names_itself_changes_nothing_of_whose_events_it_gets(sockets: Sockets, desk_name: str) -> None:
    other = sockets.desk.as_other.as_maker(OTHER_MAKER_KEY)
    headers = {"x-api-key": other.api_key, "authorization": f"Bearer {other.jwt}", "x-instance": OTHER_INSTANCE}
    query = f"{CHANGES}&taker={TAKER}&maker={MAKER}&address={TAKER}&instance={OTHER_INSTANCE}&subject=taker/{TAKER}"
    assert sockets.open("x", desk_name, query, headers).status == 200
    order_hash = sockets.desk.created()
    sockets.desk.lock(order_hash)
    sockets.follow()
    assert sockets.statuses("x") == ([(None, "pending")] if desk_name == "taker" else [])


def test_a_signature_is_over_the_documented_path_wherever_the_connection_is_made(sockets: Sockets) -> None:
    assert sockets.signed().status == 200
    assert sockets.signed("u", f"desk=taker&{BOTH}").status == 200
    assert refusal(sockets.signed("v", path="/")) == (401, 10010008)
    assert refusal(sockets.signed("v", path=MAKER_PATH)) == (401, 10010008)


def test_a_signature_binds_the_types_and_is_recent(sockets: Sockets) -> None:
    sent_at = str(sockets.desk.clock() - 300_001)
    assert refusal(sockets.signed(**{"x-api-timestamp": sent_at})) == (401, 10010011)
    assert refusal(sockets.taker(**{"x-api-signature": "x"})) == (401, 10010012)
    wrong = sockets.signed("v", BOTH, **{"x-api-signature": "AAAA"})
    assert refusal(wrong) == (401, 10010008)


def test_a_key_that_needs_a_signature_is_refused_without(sockets: Sockets) -> None:
    make_key(sockets.desk.database, "key-signing", TAKER, requires_signature=True)
    assert refusal(sockets.open("x", "taker", BOTH, {"x-api-key": "key-signing"})) == (401, 10010012)


def test_a_browser_sends_its_jwt_as_a_subprotocol_and_is_answered_with_jwt(sockets: Sockets) -> None:
    headers = {"sec-websocket-protocol": f"jwt, {sockets.desk.jwt}"}
    opened = sockets.open("m", "maker", CHANGES, headers)
    assert (opened.status, dict(opened.headers)) == (200, {"Sec-WebSocket-Protocol": "jwt"})
    sockets.desk.created()
    sockets.follow()
    assert sockets.statuses("m") == [(None, "pending")]
    assert dict(sockets.maker("h").headers) == {}
    for protocols in ("jwt", "jwt, x", "token, " + sockets.desk.jwt):
        assert sockets.open("n", "maker", CHANGES, {"sec-websocket-protocol": protocols}).status == 401


def test_connecting_counts_as_a_request(sockets: Sockets) -> None:
    make_key(sockets.desk.database, "key-of-one", TAKER, rate_limit=RateLimit(bucket=1, refill_per_1000_s=1, per_day=0))
    statuses = [sockets.open(f"n{number}", "taker", BOTH, {"x-api-key": "key-of-one"}).status for number in range(2)]
    assert statuses == [200, 429]


def test_a_taker_has_a_bounded_number_of_connections(sockets: Sockets) -> None:
    statuses = [sockets.taker(f"n{number}").status for number in range(CONNECTIONS_MAX + 1)]
    assert statuses == [200] * CONNECTIONS_MAX + [429]
    assert sockets.taker("other", desk=sockets.desk.as_other).status == 200


def test_paths_and_types_are_those_documented(sockets: Sockets) -> None:
    gate: Any = sockets.pushing.desks["taker"]
    found = {one.desk: (one.path, one.types) for one in audiences(gate.audience.enter.__self__)}
    assert found == {
        "taker": (TAKER_PATH, (Type.ORDER_STATUS_CHANGE, Type.CANCELLATION_REQUEST)),
        "maker": (MAKER_PATH, (Type.ORDER_STATUS_CHANGE,)),
    }


@pytest.mark.parametrize("content", [b"", b"ping", b"{}", b"\xff", b"[" * 9000])
def test_what_a_client_says_is_not_read(sockets: Sockets, content: bytes) -> None:
    sockets.taker()
    before = len(sockets.clients.received)
    sockets.pushing.desks["taker"].message("t", content)
    assert len(sockets.clients.received) == before
    assert sockets.clients.gone == set()


def disable(desk: Desk) -> None:
    Credentials(desk.database, TAKER_KEYS).change(digest_of(API_KEY), is_enabled=False)


def let_end(desk: Desk) -> None:
    Credentials(desk.database, TAKER_KEYS).change(digest_of(API_KEY), expires_s=desk.clock.now_s + 1)


def delete(desk: Desk) -> None:
    Credentials(desk.database, TAKER_KEYS).delete(digest_of(API_KEY))


def archive(desk: Desk) -> None:
    Tenants(desk.database, lambda: NOW_S).change(INSTANCE, lambda one: replace(one, status=InstanceStatus.ARCHIVED))


def switch_off(desk: Desk) -> None:
    Tenants(desk.database, lambda: NOW_S).change(INSTANCE, lambda one: replace(one, services=frozenset()))


@pytest.mark.parametrize("end", [disable, let_end, delete])
def test_a_taker_whose_key_is_no_longer_good_is_turned_out_with_the_next_heartbeat(sockets: Sockets, end: Any) -> None:
    sockets.taker("t")
    sockets.taker("o", desk=sockets.desk.as_other)
    sockets.maker("m")
    end(sockets.desk)
    sockets.repeat()
    assert sockets.clients.gone == {"t"}
    sockets.desk.created()
    sockets.follow()
    assert (sockets.statuses("t"), sockets.statuses("o"), sockets.statuses("m")) == (
        [], [(None, "pending")], [(None, "pending")],
    )  # fmt: skip
    assert len(sockets.messages("t", heartbeats=True)) == 1


@pytest.mark.parametrize("end", [archive, switch_off])
def test_everybody_is_turned_out_of_an_instance_that_does_not_trade(sockets: Sockets, end: Any) -> None:
    sockets.taker("t")
    sockets.maker("m")
    end(sockets.desk)
    sockets.repeat()
    assert sockets.clients.gone == {"t", "m"}


def test_a_maker_is_turned_out_when_its_jwt_ends(sockets: Sockets) -> None:
    ends_s = sockets.desk.clock.now_s + 45
    headers = {"authorization": f"Bearer {sockets.desk.jwt_until(ends_s)}"}
    sockets.open("m", "maker", CHANGES, headers)
    sockets.repeat()
    assert sockets.clients.gone == set()
    sockets.repeat()
    assert sockets.clients.gone == {"m"}


def test_keys_are_looked_up_once_a_beat_however_many_connections_they_have(sockets: Sockets) -> None:
    for number in range(5):
        sockets.taker(f"t{number}")
    looked_up: list[str] = []
    topics: Any = sockets.pushing.beat.desks["taker"]
    key_of = topics.key_of

    def noting(key_id: str) -> Any:
        looked_up.append(key_id)
        return key_of(key_id)

    object.__setattr__(topics, "key_of", noting)
    sockets.repeat()
    assert len(looked_up) == 1
    assert all(len(sockets.messages(f"t{number}", heartbeats=True)) == 2 for number in range(5))
