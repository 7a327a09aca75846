"""Instances: nobody sees or moves what is another's (guarantee 8); an archived one serves nobody."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.tables.tenants import Tenants
from tests.apis.routes import TAKER_ROUTES
from tests.apis.taker.cases import (
    AVAILABLE,
    FILLS,
    FORBIDDEN,
    KEY_UNKNOWN,
    LIST,
    NO_FUNDS,
    NO_SESSION,
    NOT_FOUND,
    nothing_changes,
    order_body,
    outcome_of,
    partly_filled,
)
from tests.apis.taker.contract.test_one_order_of_a_maker import delete
from tests.apis.taker.desk import (
    INSTANCE,
    NOW_S,
    OTHER_INSTANCE,
    QUOTE,
    TAKER,
    Desk,
    connect_body,
    data_of,
    make_key,
    open_instance,
)


def test_an_instance_sees_and_moves_nothing_of_anothers_on_any_route(desk: Desk) -> None:
    """The same taker address and the same wallet are somebody else there."""
    open_instance(desk.database, OTHER_INSTANCE)
    make_key(desk.database, "key-elsewhere", TAKER, instance=OTHER_INSTANCE)
    elsewhere = replace(desk, api_key="key-elsewhere", instance=OTHER_INSTANCE)
    order_hash, body = partly_filled(desk), order_body(desk)
    desk.change_settings(fee_bps=25)
    with nothing_changes(desk):
        empty = {
            "GET /takers/orders": data_of(elsewhere.get(LIST))["orders"],
            "GET /orders/available": data_of(elsewhere.get(AVAILABLE)),
            "GET /orders/filled": data_of(elsewhere.get(FILLS))["fills"],
            "GET /orders": data_of(elsewhere.maker_get("/orders"))["orders"],
            "GET /positions": data_of(elsewhere.maker_get("/positions"))["positions"],
            "GET /takers/events": data_of(elsewhere.get("/takers/events", {"after": "start"}))["events"],
            "GET /makers/events": data_of(elsewhere.maker_get("/makers/events", {"after": "start"}))["events"],
        }
        not_found = {
            "GET /takers/orders/{order_hash}": elsewhere.seen(order_hash),
            "POST /orders/lock": elsewhere.lock(order_hash),
            "POST /orders/unlock": elsewhere.unlock(order_hash),
            "POST /orders/fill": elsewhere.fill(order_hash, 1),
            "POST /orders/reject": elsewhere.reject(order_hash),
            "POST /orders/cancel-result": elsewhere.cancel_result(order_hash, True),
            "POST /orders/{order_id}/cancel": elsewhere.cancel(order_hash),
            "GET /orders/{order_id}": elsewhere.maker_get(f"/orders/{order_hash}"),
            "DELETE /orders/{order_id}": delete(elsewhere, order_hash),
        }
        assert set(map(len, empty.values())) == {0}
        assert {outcome_of(answer) for answer in not_found.values()} == {NOT_FOUND}
        assert data_of(elsewhere.maker_get("/orders/maker/next-nonce"))["next_nonce"] == 1
        validated = data_of(elsewhere.post("/orders/validate", body))
        assert (validated["errors"], validated["maker_balance"]) == (["insufficient_balance"], "0")
        assert outcome_of(elsewhere.maker_post("/orders", body)) == NO_FUNDS
        quote = {"ticker": "AAPL", "exchange": 0, "price": "1", "quantity": "1", "is_buy": True, "asset": QUOTE}
        assert data_of(elsewhere.maker_post("/orders/estimate_charge", quote))["charge_base"] == "0"
    own = {"GET /orders/maker/next-nonce", "POST /orders/validate", "POST /orders", "POST /makers/connect"}
    own |= {"POST /orders/estimate_charge", "GET /instruments/token-address", "GET /tickers/{symbol}/orderbooks"}
    assert own | set(empty) | set(not_found) == set(TAKER_ROUTES)


def test_keys_and_jwts_of_an_archived_instance_are_refused_like_unknown_ones(desk: Desk) -> None:
    tenants = Tenants(desk.database, lambda: NOW_S)
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert outcome_of(desk.signed("GET", LIST)) == KEY_UNKNOWN
    assert outcome_of(desk.maker_get("/orders")) == NO_SESSION
    assert outcome_of(desk.send("POST", "/makers/connect", body=connect_body(desk))) == NOT_FOUND
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert outcome_of(desk.get(LIST)) == outcome_of(desk.maker_get("/orders")) == 200


def test_an_instance_without_the_service_serves_nobody(desk: Desk) -> None:
    Tenants(desk.database, lambda: NOW_S).change(INSTANCE, lambda found: found.without_service("trading"))
    connect = desk.send("POST", "/makers/connect", body=connect_body(desk))
    assert {outcome_of(answer) for answer in (desk.get(LIST), desk.maker_get("/orders"), connect)} == {FORBIDDEN}
