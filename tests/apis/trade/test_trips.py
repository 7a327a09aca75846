"""How often a request waits for DynamoDB, and that what it reads ahead is never out of date (two-trips.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from benchmarks.meter import Meter, metered
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import API_TOKENS, Permission, TokenStatus
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.trade.cases import (
    CANCELED,
    FORBIDDEN,
    NO_PAIR,
    PAIR,
    UNSUPPORTED,
    Outcome,
    change_book,
    invalid,
    open_market,
    outcome_of,
    place,
    placed,
    rested,
    unauthorized,
)
from tests.apis.trade.desk import MASTER_KEY, UNLIMITED, SignedDesk, data_of, make_token
from tests.recording import nobody
from tests.world import INSTANCE

AMENDMENT_PENDING: Outcome = (500, 50003, "Amendment is pending, repeat the request.")
CANCEL_PENDING: Outcome = (500, 50003, "Cancel is pending, repeat the request.")
INVALID_TOKEN, BLOCKED = (
    unauthorized("API token is invalid."),
    unauthorized("API token is blocked."),
)
Request = Callable[[SignedDesk], HttpResponse]


@dataclass
class MeteredDesk:
    """A desk in front of metered tables. beside: the same desk unmetered, as of another process."""

    desk: SignedDesk
    beside: SignedDesk
    meter: Meter

    def trips(self, request: Request, expected: Outcome | int = 200) -> int:
        """Return the calls that a request waits for."""
        self.meter.take()
        assert outcome_of(request(self.desk)) == expected
        bill = self.meter.take()
        assert bill.rounds == bill.calls
        return bill.calls


@pytest.fixture
def metered_desk(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> MeteredDesk:
    beside = open_market(memory_database)
    database, meter = metered(memory_database)
    monkeypatch.setattr(meter, "_rows", nobody(meter._rows))
    desk = new_trade_desk(database, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, cancel_wait_s=0)
    return MeteredDesk(replace(beside, desk=desk), beside, meter)


@pytest.fixture
def warm(metered_desk: MeteredDesk) -> MeteredDesk:
    """A desk that has served an order of the same caller in the same book."""
    assert metered_desk.trips(place) == COLD
    return metered_desk


COLD = 7
"""Token, instance, symbol, book, both tokens, the book again, the transaction."""


def market(desk: SignedDesk) -> HttpResponse:
    return place(desk, type="market", price=...)


def by_value(desk: SignedDesk) -> HttpResponse:
    return place(desk, type="market", price=..., amount=..., value="1000")


ORDERS: list[Any] = [place, market, by_value]


@pytest.mark.parametrize("order", ORDERS)
def test_a_placement_is_one_read_and_one_transaction(warm: MeteredDesk, order: Request) -> None:
    rested(warm.beside, "sell", ("1", "400000"))
    assert warm.trips(order) == 2


def test_a_placement_reads_six_rows(warm: MeteredDesk) -> None:
    """The token and its instance, the symbol and its book, the two tokens of the pair; docs/operations.md says so."""
    warm.meter.take()
    data_of(place(warm.desk))
    bill = warm.meter.take()
    assert {table: bill.of(table).read_units for table in ("tenants", "books", "tokens")} == {
        "tenants": 2,
        "books": 2,
        "tokens": 2,
    }
    assert bill.total.read_units == 6


def test_a_renewal_of_a_switch_is_one_read_and_one_write(warm: MeteredDesk) -> None:
    renew = lambda desk: desk.post("/trade/orders/cancel-all-after", {"timeout": 60})  # noqa: E731
    for _ in range(2):
        assert warm.trips(renew) == 2


def test_an_external_id_adds_no_trip(warm: MeteredDesk) -> None:
    order = lambda desk: place(desk, external_id="mine")  # noqa: E731
    assert warm.trips(order) == 2
    assert warm.trips(order, invalid("external_id")) == 1


def test_another_customer_is_known_after_its_first_request(warm: MeteredDesk) -> None:
    make_token(warm.desk.world.database, "another", "ben")
    warm.desk = replace(warm.desk, token="another", customer="ben")
    assert warm.trips(place) == 1 + 1 + 1 + 1, "token, instance, everything else, the transaction"
    assert warm.trips(place) == 2


def test_a_refused_order_takes_one_trip_and_changes_nothing(warm: MeteredDesk) -> None:
    before = warm.desk.world.tables()
    for members, outcome in (
        ({"price": "0"}, invalid("price")),
        ({"amount": "x"}, invalid("amount")),
        ({"amount": "0.000000001"}, invalid("amount")),
        ({"pair": "NONE_BRL"}, NO_PAIR),
        ({"type": "iceberg"}, invalid("step_amount")),
    ):
        assert warm.trips(lambda desk, members=members: place(desk, **members), outcome) == 1
    assert warm.desk.world.tables() == before


# --- what has changed since the last request -----------------------------------------------------------------------


def tokens_of(desk: SignedDesk) -> Credentials[Any]:
    return Credentials(desk.world.database, API_TOKENS)


def blocked(desk: SignedDesk) -> None:
    tokens_of(desk).change(digest_of(desk.token), status=TokenStatus.BLOCKED)


def read_only(desk: SignedDesk) -> None:
    tokens_of(desk).change(digest_of(desk.token), permission=Permission.READ)


def deleted(desk: SignedDesk) -> None:
    tokens_of(desk).delete(digest_of(desk.token))


def without_trading(desk: SignedDesk) -> None:
    desk.world.tenants().change(INSTANCE, lambda instance: instance.without_service("trading"))


def moved(desk: SignedDesk) -> None:
    """Give the token to a customer of another instance, which has no books."""
    deleted(desk)
    desk.world.tenants().create_instance("other001", frozenset({"trading"}))
    make_token(desk.world.database, desk.token, "ann", Permission.BUY_SELL, UNLIMITED, "inst_other001")


def paused(desk: SignedDesk) -> None:
    change_book(desk, status=BookStatus.PAUSED)


def closed(desk: SignedDesk) -> None:
    change_book(desk, status=BookStatus.CLOSED)


def book_deleted(desk: SignedDesk) -> None:
    desk.world.database.delete_many("books", [{"book": desk.world.book, "part": "config"}])


CHANGES: list[Any] = [
    (blocked, BLOCKED),
    (read_only, FORBIDDEN),
    (deleted, INVALID_TOKEN),
    (without_trading, FORBIDDEN),
    (moved, NO_PAIR),
    (paused, UNSUPPORTED),
    (closed, NO_PAIR),
    (book_deleted, NO_PAIR),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("change", "outcome"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_change_counts_from_the_very_next_request_on(
    warm: MeteredDesk, change: Callable[[SignedDesk], None], outcome: Outcome, order: Request
) -> None:
    rested(warm.beside, "sell", ("1", "400000"))
    assert warm.trips(order) == 2
    change(warm.beside)
    before = warm.desk.world.tables()
    warm.trips(order, outcome)
    assert warm.desk.world.tables() == before


def test_an_order_goes_to_the_book_that_has_the_symbol_now(warm: MeteredDesk) -> None:
    old, world = warm.desk.world.book, warm.desk.world
    closed(warm.beside)
    world.books.create(replace(world.config, book_id="ob_new"))
    before = len(list(world.database.query("inbox", "#book = :book", {":book": old})))
    assert warm.trips(place) == 2 + 2, "the new book, and the new book again"
    assert warm.trips(place) == 2
    assert len(list(world.database.query("inbox", "#book = :book", {":book": f"{INSTANCE}/ob_new"}))) == 2
    assert len(list(world.database.query("inbox", "#book = :book", {":book": old}))) == before


def test_a_token_of_another_customer_by_now_places_that_customers_orders(warm: MeteredDesk) -> None:
    deleted(warm.beside)
    make_token(warm.desk.world.database, warm.desk.token, "ben")
    ben = (warm.desk.world.balance("ben", warm.desk.world.config.quote_asset))[1]
    ann = (warm.desk.world.balance("ann", warm.desk.world.config.quote_asset))[1]
    assert warm.trips(place) <= 3
    assert warm.desk.world.balance("ben", warm.desk.world.config.quote_asset)[1] > ben
    assert warm.desk.world.balance("ann", warm.desk.world.config.quote_asset)[1] == ann


# --- callers without valid credentials ------------------------------------------------------------------------------


def test_a_stranger_makes_the_service_read_one_row(warm: MeteredDesk) -> None:
    stranger = replace(warm.desk, token="unknown")
    assert warm.trips(lambda _: place(stranger), INVALID_TOKEN) == 1
    assert warm.meter.take().calls == 0
    place(stranger)
    assert warm.meter.take().total.read_units == 1


def test_a_wrong_signature_reads_ahead_once_more_at_most(warm: MeteredDesk) -> None:
    """Whoever knows a token, but not its secret."""
    before, units = warm.desk.world.tables(), []
    for _ in range(3):
        place(warm.desk, {"signature": "wrong"})
        units.append(warm.meter.take().total.read_units)
    assert units[1:] == [2, 2]
    assert warm.desk.world.tables() == before


# --- cancelling and showing ------------------------------------------------------------------------------------------


@pytest.fixture
def knowing(warm: MeteredDesk) -> MeteredDesk:
    """A desk that knows in which book the caller has orders."""
    data_of(place(warm.desk))
    return warm


def cancel(order_id: str) -> Request:
    return lambda desk: desk.delete("/trade/orders", {"id": order_id})


def test_a_cancel_is_one_read_and_its_write_and_then_it_looks_for_its_result(knowing: MeteredDesk) -> None:
    order_id = placed(knowing.desk)
    assert knowing.trips(cancel(order_id), CANCEL_PENDING) == 1 + 1 + 1
    knowing.beside.match()
    assert knowing.trips(cancel(order_id), CANCELED) == 1 + 1, "the closed order"


def test_an_amendment_is_one_read_and_its_transaction_and_then_it_looks_for_its_outcome(knowing: MeteredDesk) -> None:
    order_id = placed(knowing.desk)
    knowing.beside.match()

    def amend(desk: SignedDesk) -> HttpResponse:
        return desk.send("PUT", "/trade/orders", body={"order_id": order_id, "amount": "0.02"})

    assert knowing.trips(amend, AMENDMENT_PENDING) == 1 + 1 + 1
    knowing.beside.match()
    assert knowing.trips(amend, 200) == 1, "it has these terms"


def test_a_cancel_by_external_id_reads_the_name_first(knowing: MeteredDesk) -> None:
    data_of(place(knowing.desk, external_id="mine"))
    request = lambda desk: desk.delete("/trade/orders/by-external-id", {"external_id": "mine"})  # noqa: E731
    assert knowing.trips(request, CANCEL_PENDING) == 1 + 3 + 1 + 1


def test_an_open_order_is_shown_by_one_read(knowing: MeteredDesk) -> None:
    order_id = placed(knowing.desk)
    assert knowing.trips(lambda desk: desk.get(f"/trade/orders/{order_id}")) == 1


# --- market data -----------------------------------------------------------------------------------------------------


def test_a_depth_is_one_read(warm: MeteredDesk) -> None:
    """Also for callers without a credential."""
    for path in ("/trade/book/orders/level-2", "/trade/public/orders/level-2"):
        limit = int("public" in path)
        assert warm.trips(lambda desk, path=path: desk.get(path, {"pair": PAIR})) == 1 + limit


def test_what_an_order_would_cost_is_one_read(warm: MeteredDesk) -> None:
    rested(warm.beside, "sell", ("0.05", "350000"))
    asked = {"amount": "0.01", "side": "buy"}
    assert warm.trips(lambda desk: desk.get(f"/trade/orders/estimate-price/{PAIR}", asked)) == 1
    assert warm.trips(lambda desk: desk.get("/trade/user/trading-fees", {"pair": PAIR})) == 1


# --- lists -----------------------------------------------------------------------------------------------------------


def open_of_pair(desk: SignedDesk) -> HttpResponse:
    return desk.get("/trade/orders/open", {"pair": PAIR})


def open_of_all(desk: SignedDesk) -> HttpResponse:
    return desk.get("/trade/orders/open")


LISTS: list[Any] = [open_of_pair, open_of_all]


@pytest.mark.parametrize("listed", LISTS)
def test_a_list_of_open_orders_is_one_read_and_its_rows(warm: MeteredDesk, listed: Request) -> None:
    assert len(data_of(listed(warm.desk))["orders"]) == 1
    assert warm.trips(listed) == 1 + 1


@pytest.mark.parametrize("listed", LISTS)
def test_a_list_shows_orders_of_books_that_this_process_has_not_seen(warm: MeteredDesk, listed: Request) -> None:
    """The book with the symbol closes, another one is made, and another process places an order in it."""
    data_of(listed(warm.desk))
    world = warm.desk.world
    closed(warm.beside)
    world.books.create(replace(world.config, book_id="ob_new"))
    data_of(place(warm.beside))
    assert len(data_of(listed(warm.desk))["orders"]) == 2
    assert warm.trips(listed) == 1 + 1


def test_a_list_of_a_pair_whose_book_has_gone_is_not_found(warm: MeteredDesk) -> None:
    assert warm.trips(open_of_pair) == 1 + 1 + 2, "the books of the rows are not known yet"
    book_deleted(warm.beside)
    assert outcome_of(open_of_pair(warm.desk)) == NO_PAIR
    assert data_of(open_of_all(warm.desk))["orders"] == []
