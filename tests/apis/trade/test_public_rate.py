"""Public routes are counted by client address (R46), and what is refused there changes nothing else."""

from __future__ import annotations

import pytest

from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.trade.api import TradeApi
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.routes import TRADE_ROUTES
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, fault_of
from tests.apis.trade.rows import NOW_MS
from tests.world import INSTANCE

PUBLIC = sorted(name for name, route in TRADE_ROUTES.items() if route.auth is None)
TOO_MANY = (429, 42900, "Too many requests")


def public_desk(desk: SignedDesk, **more: RateLimit) -> TradeApi:
    def key() -> bytes:
        return MASTER_KEY

    return new_trade_desk(desk.world.database, master_key=key, public_instance=INSTANCE, clock=lambda: NOW_MS, **more)  # type: ignore[arg-type]


def ask(desk: TradeApi, route: str, address: str) -> HttpResponse:
    method, _, path = route.partition(" ")
    path = "/trade" + path.replace("{pair}", "B_Q")
    return desk.answer(HttpRequest(method, None, {}, {"pair": ["B_Q"]}, {}, b"", path, address))


def test_all_public_routes_of_an_address_share_a_bucket(archive: SignedDesk) -> None:
    public = public_desk(archive)
    statuses = [ask(public, PUBLIC[number % len(PUBLIC)], "192.0.2.1").status for number in range(102)]
    assert statuses == [200] * 100 + [429] * 2
    refused = ask(public, PUBLIC[0], "192.0.2.1")
    assert fault_of(refused) == TOO_MANY
    assert refused.headers["Retry-After"] == "1"
    assert ask(public, PUBLIC[0], "192.0.2.2").status == 200
    assert archive.get("/trade/pairs").status == 200


@pytest.mark.parametrize("route", PUBLIC)
def test_each_public_route_is_counted(archive: SignedDesk, route: str) -> None:
    public = public_desk(archive, public_limit=RateLimit(bucket=1, per_day=0))
    assert [ask(public, route, "192.0.2.1").status for _ in range(2)] == [200, 429]


def test_a_rate_of_0_counts_nobody(archive: SignedDesk) -> None:
    public = public_desk(archive, public_limit=RateLimit(bucket=0, per_day=0))
    before = list(archive.world.database.scan("requests"))
    assert {ask(public, PUBLIC[0], "192.0.2.1").status for _ in range(300)} == {200}
    assert list(archive.world.database.scan("requests")) == before
