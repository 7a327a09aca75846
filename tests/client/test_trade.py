"""The client of the trade desk against the desk itself, in this process: each call, its request and its answer."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.trade.place_schema import PlaceBody
from chalicelib.apis.trade.routes import ROUTES
from tallybook_client import OutcomeUnknown
from tallybook_client.trade import NewOrder, TradeDesk, public_market
from tallybook_client.trade.errors import AlreadyCanceled, InvalidParameters, NotFound, Unauthorized
from tests.apis.trade.conftest import clock, desk
from tests.apis.trade.desk import SignedDesk
from tests.client.contract import check_requests, members_of_form, nothing_is_dropped
from tests.client.http import BASE_URL, InProcess, Trouble

__all__ = ["clock", "desk"]
PAIR = "BTC_BRL"
BUSY = HttpResponse(429, '{"error_code": 42900, "message": "wait"}', {"Retry-After": "1"})
NOT_COVERED = {
    "POST /trade/orders/cancel": "the same as DELETE /orders",
    "POST /trade/orders/cancel-by-external-id": "the same as DELETE /orders/by-external-id",
    "GET /trade/public/countries": "an empty list (R55)",
}


@pytest.fixture
def http(desk: SignedDesk) -> InProcess:
    return InProcess(desk.desk.answer)


def client_of(desk: SignedDesk, http: InProcess) -> TradeDesk:
    """Return the client of a customer. What it waits for is decided in its pauses."""
    return TradeDesk(BASE_URL, desk.token, desk.secret, http=http, pause=lambda _seconds: desk.match())


@pytest.fixture
def ann(desk: SignedDesk, http: InProcess) -> TradeDesk:
    return client_of(desk, http)


@pytest.fixture
def ben(desk: SignedDesk, http: InProcess) -> TradeDesk:
    return client_of(desk.as_customer("ben"), http)


def buy(amount: str = "0.5", price: int = 1000, **more: object) -> NewOrder:
    return NewOrder(pair=PAIR, side="buy", amount=Decimal(amount), price=price, **more)  # type: ignore[arg-type]


def sell(amount: str = "0.5", price: int = 1000) -> NewOrder:
    return NewOrder(pair=PAIR, side="sell", amount=Decimal(amount), price=price)


def walk(desk: SignedDesk, http: InProcess, ann: TradeDesk, ben: TradeDesk) -> None:
    """Make each call of the client once, with all that it can name."""
    now = datetime.now(UTC)
    span = {"since": now - timedelta(days=30), "until": now + timedelta(days=1)}
    feed = ann.events(pair=PAIR, wait_s=0)
    placed = ann.place(buy(external_id="first", expiration=now + timedelta(hours=1)), wait_s=0)
    assert (placed.external_id, placed.status, placed.requested_amount) == ("first", "open", Decimal("0.5"))
    ben.place(sell("0.2"))
    desk.match()
    assert {"order.accepted", "fill.created", "balance.changed"} <= {event.type for event in feed}
    (listed,) = ann.orders(PAIR, status=["executed_partially"], side="buy", type="limit", updated_since=now, **span)
    assert listed.executed_amount == Decimal("0.2")
    assert list(ann.orders(PAIR, ids=[placed.id])) == list(ann.open_orders(PAIR, side="buy")) == [listed]
    shown = ann.order(placed.id)
    assert (shown, shown.transactions[0].amount) == (ann.order(external_id="FIRST"), Decimal("0.2"))
    (trade,) = ann.trades(PAIR, order_id=placed.id, external_id="first", **span)
    assert (trade.side, trade.taker_or_maker, trade.total_value) == ("buy", "maker", Decimal(200))
    assert list(ann.trades_of_order(placed.id)) == [trade]

    (brl,) = ann.balances(["BRL"])
    assert (brl.available_amount, brl.locked_amount) == (Decimal(999_500), Decimal(300))
    assert {one.currency_code for one in ann.balances_of_day(now.date())} >= {"BTC", "BRL"}
    rows = list(ann.statement("BRL", **span))
    assert (rows[0].operation, rows[0].amount) == ("Buy", Decimal(-200))
    assert len(list(ann.statement())) > len(rows)
    assert {fee.side for fee in ann.trading_fees(PAIR)} == {"buy", "sell"}
    assert ann.estimate_price(PAIR, "sell", Decimal("0.1")) == 1000
    assert ann.ticket()

    public = public_market(BASE_URL, http=http)
    assert abs(public.server_time() - now) < timedelta(minutes=5)
    for market in (ann.market, public):
        assert [one.price for one in market.trades(PAIR, **span)] == [Decimal(1000)]
        assert market.depth(PAIR, limit=5).bids[0].amount == Decimal("0.3")
        assert market.orders(PAIR, limit=5).bids[0].id == placed.id
        assert market.tickers() == [market.ticker(PAIR)] or market.ticker(PAIR).last == 1000
        assert [pair.symbol for pair in market.pairs(PAIR)] == [PAIR]
        assert [one.code for one in market.currencies(["btc", "BRL"])] == ["BRL", "BTC"]

    ann.amend(placed.id, unit_price=Decimal("990.5"), amount=Decimal("0.6"))
    amended = ann.order(placed.id)
    assert (amended.price, amended.requested_amount) == (Decimal("990.5"), Decimal("0.6"))
    assert ann.cancel(placed.id).status == "canceled"
    again = ann.place(buy())
    desk.match()
    assert again.external_id is not None
    assert ann.cancel(external_id=again.external_id).id == again.id
    last = ann.place(buy())
    desk.match()
    (one,) = ann.cancel_all(PAIR)
    assert one.order_id == last.id
    desk.match()
    assert ann.cancel_all() == []
    cancel_at = ann.cancel_all_after(60)
    assert cancel_at is not None
    assert timedelta(0) < cancel_at - now < timedelta(minutes=5)
    assert ann.cancel_all_after(0) is None


def test_every_call_is_one_of_the_desks_operations_and_no_member_of_an_answer_is_dropped(
    desk: SignedDesk, http: InProcess, ann: TradeDesk, ben: TradeDesk
) -> None:
    with nothing_is_dropped():
        walk(desk, http, ann, ben)
    assert check_requests(http, ROUTES) == {route.name for route in ROUTES} - NOT_COVERED.keys()


def test_members_of_a_later_version_are_passed_over(
    desk: SignedDesk, http: InProcess, ann: TradeDesk, ben: TradeDesk
) -> None:
    http.is_newer = True
    walk(desk, http, ann, ben)


def test_an_order_can_name_every_member_of_its_form() -> None:
    asked = {one.name for one in fields(PlaceBody)} - {"order_type", "time_in_force", "expires_at_ms"}
    assert members_of_form(NewOrder) == asked | {"type", "immediate_or_cancel", "fill_or_kill", "expiration"}


@pytest.mark.parametrize("trouble", [Trouble.LOST_AFTER, Trouble.LOST_BEFORE, Trouble.GATEWAY])
def test_an_order_whose_answer_is_lost_is_placed_once_and_shown(
    ann: TradeDesk, http: InProcess, trouble: Trouble
) -> None:
    http.troubles.extend([trouble, trouble])
    placed = ann.place(buy())
    assert [one.id for one in ann.open_orders()] == [placed.id]
    assert (placed.requested_amount, placed.status) == (Decimal("0.5"), "open")


@pytest.mark.parametrize("before", [None, Trouble.NO_CONNECTION, BUSY], ids=["at once", "unsent", "busy"])
def test_an_external_id_of_another_order_is_refused_unless_an_attempt_before_may_have_placed_it(
    ann: TradeDesk, http: InProcess, before: Trouble | HttpResponse | None
) -> None:
    ann.place(buy(external_id="mine"))
    http.troubles.append(before)
    with pytest.raises(InvalidParameters) as refused:
        ann.place(buy("0.7", external_id="mine"))
    assert list(refused.value.fields) == ["external_id"]
    assert [one.requested_amount for one in ann.open_orders()] == [Decimal("0.5")]


def test_an_order_of_unknown_outcome_is_found_by_its_external_id(ann: TradeDesk, http: InProcess) -> None:
    http.troubles.extend([Trouble.LOST_AFTER] * 5)
    with pytest.raises(OutcomeUnknown) as unknown:
        ann.place(buy())
    assert ann.order(external_id=unknown.value.key).requested_amount == Decimal("0.5")
    with pytest.raises(NotFound):
        ann.order(external_id="another")


def test_a_cancel_whose_answer_is_lost_is_answered_by_the_order_itself(
    desk: SignedDesk, ann: TradeDesk, http: InProcess
) -> None:
    placed = ann.place(buy())
    desk.match()
    http.troubles.append(Trouble.LOST_AFTER)
    assert (ann.cancel(placed.id).id, ann.cancel_all()) == (placed.id, [])
    for nothing_done in (None, Trouble.NO_CONNECTION, BUSY):
        http.troubles.append(nothing_done)
        with pytest.raises(AlreadyCanceled):
            ann.cancel(placed.id)


def test_lists_go_on_by_their_cursor(ann: TradeDesk, http: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallybook_client.trade.PAGE_SIZE_MAX", 2)
    placed = [ann.place(buy()).id for _ in range(5)]
    http.sent.clear()
    assert [one.id for one in ann.open_orders(PAIR)] == placed[::-1]
    assert len(http.sent) == 3
    assert [one.id for one in ann.open_orders(PAIR, limit=3)] == placed[:1:-1]
    assert len(list(ann.statement())) == 4


def test_no_secret_is_in_what_is_shown_of_a_desk(desk: SignedDesk, ann: TradeDesk) -> None:
    assert desk.secret not in repr(ann.session) + repr(ann.market)


def test_a_wrong_secret_is_unauthorized(desk: SignedDesk, http: InProcess) -> None:
    with pytest.raises(Unauthorized, match="Signature is invalid"):
        TradeDesk(BASE_URL, desk.token, "wrong", http=http).balances()
