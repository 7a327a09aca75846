"""Which path is which endpoint (R1 to R3), and what every answer looks like (R11, R12)."""

from __future__ import annotations

import pytest

from chalicelib.apis.kit.http import path_served
from chalicelib.apis.kit.mounts import desk_of
from chalicelib.apis.trade.envelope import Error, Fault
from chalicelib.support.outcomes import OutcomeUnknown
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import SignedDesk, fault_of, open_trade_desk, request_of
from tests.world import World

NOW_MS = 1_741_079_735_000
NOT_FOUND = (404, 40400, "Not found.")
UUID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    return open_trade_desk(World(memory_database), clock=lambda: NOW_MS)


def unsigned(desk: SignedDesk, method: str, path: str) -> tuple[int, int, str]:
    return fault_of(desk.desk.answer(request_of(method, path, None, {}, b"")))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/trade"),
        ("GET", "/v4/"),
        ("GET", "/trade/nowhere"),
        ("GET", "/Trade/orders"),
        ("GET", "/trade/Orders"),
        ("PATCH", "/trade/orders"),
        ("HEAD", "/trade/orders"),
        ("OPTIONS", "/trade/orders"),
        ("POST", "/trade/orders/open"),
        ("POST", f"/trade/orders/{UUID}"),
        ("DELETE", f"/trade/orders/{UUID}"),
        ("GET", f"/trade/orders/{UUID}/trades"),
        ("POST", "/trade/public/server-time"),
        ("GET", "/trade/server-time"),
        ("GET", "/trade/trade/orders"),
        ("GET", "/trade//orders"),
        ("GET", "/trade/orders//"),
        ("GET", "/trade/ticker//"),
        ("GET", "/v5/orders"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/trade/orders/by-external-id/a/b"),
        ("POST", "/trade/tickets"),
        ("GET", "/trade/orders/estimate-price"),
        ("GET", "/trade/user/statement/B/Q"),
    ],
)
def test_an_unknown_path_or_method_comes_before_the_credentials(desk: SignedDesk, method: str, path: str) -> None:
    """R2"""
    assert unsigned(desk, method, path) == NOT_FOUND


def test_each_error_is_a_member_of_the_published_table() -> None:
    published = {
        (400, 40000), (400, 40010), (400, 40011), (400, 40020), (400, 40021), (400, 40090), (401, 40100), (403, 40300),
        (404, 40400), (410, 41000), (429, 42900), (500, 50000), (500, 50003), (503, 503),
    }  # fmt: skip
    assert {(error.status, error.error_code) for error in Error} == published
    assert len({error.message for error in Error}) == len(Error) == 27
    assert [error.name for error in Error if Fault(error).retry_after_s] == [
        "CANCEL_PENDING",
        "AMENDMENT_PENDING",
        "MAINTENANCE",
    ]
    assert all(error.message.endswith(".") == (error.status != 429) for error in Error)


@pytest.mark.parametrize("error", [OutcomeUnknown("the answer was lost"), RuntimeError("a bug")])
def test_an_unexpected_fault_says_no_more_than_that(
    desk: SignedDesk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(Database, "get", broken)
    response = desk.get("/trade/user/balances")
    assert fault_of(response) == (500, 50000, "Internal server error.")
    assert str(error) not in response.body


def test_other_desks_paths_are_not_taken() -> None:
    assert {desk_of("POST", path) for path in ("/trade", "/v4", "/trade/", "/v4/orders/x")} == {"trade"}
    others = (
        "/",
        "",
        "/tradex/orders",
        "/orderbooks/stocks/api/offchain/orders",
        "/x/trade/orders",
        "trade/orders",
        "/TRADE",
    )
    assert "trade" not in {desk_of("POST", path) for path in others}


@pytest.mark.parametrize(
    ("path", "template", "served"),
    [
        ("/trade/orders", "/{a}/{b}", "/trade/orders"),
        ("/prod/trade/orders", "/{a}/{b}", "/trade/orders"),
        ("/base/path/trade/orders/", "/{a}/{b}", "/trade/orders/"),
        ("/trade/orders/by-external-id/order%2042", "/{a}/{b}/{c}/{d}", "/trade/orders/by-external-id/order%2042"),
        ("/prod/trade/orders/a%2Fb", "/{a}/{b}/{c}", "/trade/orders/a%2Fb"),
        ("/trade", "/{a}", "/trade"),
        ("/", "/", "/"),
        ("/prod", "/", "/"),
        ("/prod/", "/", "/"),
    ],
)
def test_what_a_deployment_puts_in_front_of_a_path_is_no_part_of_it(path: str, template: str, served: str) -> None:
    """R8: a stage of API Gateway, the base path of a custom domain."""
    assert path_served(path, template) == served
