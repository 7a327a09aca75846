"""The client of the taker desk against the desk itself, in this process: calls of makers and takers, and answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.taker import schema
from chalicelib.apis.taker.routes import ROUTES
from chalicelib.support.clock import now_ms
from tallybook_client import OutcomeUnknown
from tallybook_client.taker import Domain, MakerDesk, TakerDesk, Wallet, models, open_book
from tallybook_client.taker.errors import Conflict, InvalidParameter, NotFound, SignatureInvalid, Unauthorized
from tests.apis.taker.desk import AAPL, ASSET, MAKER_KEY, OTHER_MAKER, TAKER, UNIT, Desk, new_desk, sign_order
from tests.client.contract import check_requests, members_of_form, nothing_is_dropped
from tests.client.http import BASE_URL, InProcess, Trouble

NOT_COVERED = {"DELETE /api/v1/orders/{order_id}": "the same as POST /orders/{order_id}/cancel"}


@pytest.fixture
def desk() -> Desk:
    """A desk whose clock shows the present, as the client's does."""
    desk = new_desk()
    desk.clock.now_ms = now_ms()
    return desk


@pytest.fixture
def http(desk: Desk) -> InProcess:
    return InProcess(desk.desk.answer)


@pytest.fixture
def maker(desk: Desk, http: InProcess) -> MakerDesk:
    domain = desk.settings.domain
    wallet = Wallet(MAKER_KEY, Domain(domain.chain_id, domain.verifying_contract))
    return MakerDesk(BASE_URL, wallet, http=http, pause=lambda _seconds: None)


@pytest.fixture
def taker(desk: Desk, http: InProcess) -> TakerDesk:
    return TakerDesk(BASE_URL, desk.api_key, desk.secret, http=http, pause=lambda _seconds: None)


def signed(maker: MakerDesk, **more: Any) -> models.SignedOrder:
    usual = {"is_buy": True, "ticker": "AAPL", "asset": ASSET, "price": 150 * UNIT, "quantity": 10 * UNIT}
    return maker.sign(**{**usual, "deadline": int(time.time()) + 86_400, **more})  # type: ignore[arg-type]


def walk(maker: MakerDesk, taker: TakerDesk, http: InProcess) -> None:
    """Make each call of maker and taker once, with all that it can name."""
    makers_feed, takers_feed = maker.events(wait_s=0), taker.events(wait_s=0)
    deadline = datetime.fromtimestamp(int(time.time()) + 86_400, UTC)
    order = signed(maker, deadline=deadline, incentive=10 * UNIT, principal=OTHER_MAKER, nonce=7)
    assert taker.validate(order).valid
    created = maker.create(order)
    assert (created.status, created.nonce, created.quantity, maker.next_nonce()) == ("pending", 7, 10 * UNIT, 8)
    assert [one.id for one in taker.available(ticker="AAPL", exchange=0, is_buy=True)] == [created.id]
    (bid,) = open_book(BASE_URL, "AAPL", http=http).bid
    assert (bid.price, bid.volume) == ("150", "10")

    lock = taker.lock(created.order_hash, seconds=60, reference_id="REF-1")
    assert lock.locked_by == TAKER
    filled = taker.fill(
        created.order_hash, 4 * UNIT, incentive=UNIT, reference_id="REF-2", tx_hash="0x" + "1" * 64, block_number=5
    )
    assert (filled.filled_amount, filled.incentive_amount, filled.block_number) == (600 * UNIT, UNIT, 5)
    assert taker.order(created.order_hash).filled_quantity == 4 * UNIT
    (listed,) = taker.orders(
        status="locked,partially_filled", ticker="AAPL", exchange=0, is_buy=True, created_after=1, sort_order="asc"
    )
    assert listed.reference_id == "REF-2"
    (fill,) = taker.fills(
        order_hash=created.order_hash, fill_quantity_min=1, sort_by="fill_amount", status="partially_filled"
    )
    assert fill.fill_amount == 600 * UNIT
    assert maker.cancel(created.id).message == "cancellation_requested"
    assert taker.cancel_result(created.order_hash, TAKER, grant=False, message="not now").message == "kept"
    assert taker.unlock(created.order_hash).message == "unlocked"

    shown = maker.order(created.order_hash, fills_page=1)
    assert [one.taker_incentive for one in shown.fills] == [UNIT]
    (mine,) = maker.orders(ticker="AAP", ticker_like=True, price_min=1, deadline_after=1, sort_by="price", limit=5)
    assert mine == shown
    assert maker.cancel(created.id).message == "cancelled"
    second = maker.create(signed(maker))
    taker.lock(second.order_hash)
    assert taker.reject(second.order_hash, "no").message == "rejected"

    assert [one.ticker for one in maker.positions("AAPL", ticker_like=False)] == ["AAPL"]
    assert maker.instrument("AAPL").token_address == AAPL
    charge = maker.estimate_charge(
        is_buy=True, ticker="AAPL", asset=ASSET, price="150.25", quantity="2", target_currency="USD"
    )
    assert (charge.charge_target, charge.target_currency) == (0, "USD")
    told = {f"signed_order.{word}" for word in ("pending", "locked", "partially_filled", "rejected")}
    for feed in (makers_feed, takers_feed):
        assert told <= {event.type for event in feed}


def test_every_call_is_one_of_the_desks_operations_and_no_member_of_an_answer_is_dropped(
    maker: MakerDesk, taker: TakerDesk, http: InProcess
) -> None:
    with nothing_is_dropped():
        walk(maker, taker, http)
    assert check_requests(http, ROUTES) == {route.name for route in ROUTES} - NOT_COVERED.keys()


def test_members_of_a_later_version_are_passed_over(maker: MakerDesk, taker: TakerDesk, http: InProcess) -> None:
    http.is_newer = True
    walk(maker, taker, http)


def test_a_signed_order_has_the_members_of_its_form() -> None:
    assert members_of_form(models.Terms) == set(schema.OrderBody.model_fields)
    assert members_of_form(models.SignedOrder) == set(schema.SignedOrderBody.model_fields)


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        (models.TakersOrderFilter, "/takers/orders"),
        (models.FillFilter, "/orders/filled"),
        (models.MakersOrderFilter, "/orders"),
    ],
)
def test_the_filters_of_a_list_are_its_parameters(filters: type, path: str) -> None:
    route, _ = ROUTES.find("GET", f"/api/v1{path}")
    assert set(filters.__annotations__) <= set(route.query)
    asked = {name for kind in filters.__mro__[:-1] for name in getattr(kind, "__annotations__", {})}
    assert asked | {"page", "page_size"} == set(route.query)


def test_a_signature_is_that_of_the_desks_own_tests(maker: MakerDesk, desk: Desk) -> None:
    order = signed(maker, nonce=1)
    sent: Mapping[str, Any] = {name: getattr(order.order, name) for name in order.order.__struct_fields__}
    assert order.signature == sign_order(dict(sent), MAKER_KEY, desk.settings)


@pytest.mark.parametrize("trouble", [Trouble.LOST_AFTER, Trouble.LOST_BEFORE, Trouble.GATEWAY])
def test_an_order_whose_answer_is_lost_is_created_once_and_shown(
    maker: MakerDesk, http: InProcess, trouble: Trouble
) -> None:
    order = signed(maker)
    http.troubles.append(trouble)
    created = maker.create(order)
    assert [one.id for one in maker.orders()] == [created.id]


def test_a_nonce_of_another_order_is_a_conflict(maker: MakerDesk, http: InProcess) -> None:
    first = maker.create(signed(maker))
    other = signed(maker, nonce=first.nonce, quantity=UNIT)
    with pytest.raises(Conflict) as used:
        maker.create(other)
    assert used.value.fields["order_hash"] == first.order_hash
    http.troubles.append(Trouble.LOST_BEFORE)
    with pytest.raises(Conflict):
        maker.create(other)


def test_a_fill_whose_answer_is_lost_is_carried_out_once(maker: MakerDesk, taker: TakerDesk, http: InProcess) -> None:
    created = maker.create(signed(maker))
    taker.lock(created.order_hash)
    http.troubles.append(Trouble.LOST_AFTER)
    taker.fill(created.order_hash, 4 * UNIT)
    assert maker.order(created.id).filled_quantity == 4 * UNIT
    assert len(list(taker.fills())) == 1


def test_a_lock_whose_answer_is_lost_is_of_unknown_outcome(maker: MakerDesk, taker: TakerDesk, http: InProcess) -> None:
    created = maker.create(signed(maker))
    http.troubles.append(Trouble.LOST_AFTER)
    with pytest.raises(OutcomeUnknown):
        taker.lock(created.order_hash)
    assert taker.order(created.order_hash).status == "locked"


def test_a_wallet_connects_again_after_its_session_was_not_taken(maker: MakerDesk, http: InProcess) -> None:
    maker.next_nonce()
    http.troubles.append(HttpResponse(401, '{"code": 401, "message": "Unauthorized"}'))
    with pytest.raises(Unauthorized):
        maker.next_nonce()
    http.sent.clear()
    assert maker.next_nonce() >= 0
    assert [sent.path.rpartition("/")[2] for sent in http.sent] == ["connect", "next-nonce"]


def test_a_wallet_connects_once_and_again_with_a_new_nonce_if_an_answer_is_lost(
    maker: MakerDesk, http: InProcess
) -> None:
    http.troubles.append(Trouble.LOST_AFTER)
    assert (maker.next_nonce(), maker.next_nonce()) == (1, 1)
    assert [sent.path.rpartition("/")[2] for sent in http.sent] == ["connect", "connect", "next-nonce", "next-nonce"]


def test_a_session_is_renewed_before_it_ends(
    maker: MakerDesk, http: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker.next_nonce()
    later_s = time.time() + 86_400 - 59
    monkeypatch.setattr("tallybook_client.taker.makers.time.time", lambda: later_s)
    maker.next_nonce()
    assert sum(sent.path.endswith("connect") for sent in http.sent) == 2


def test_details_of_errors_are_fields(maker: MakerDesk, taker: TakerDesk, desk: Desk, http: InProcess) -> None:
    with pytest.raises(InvalidParameter) as faulty:
        maker.create(signed(maker, quantity=0))
    assert "quantity" in faulty.value.fields
    desk.change_settings(has_details_object=True)
    with pytest.raises(InvalidParameter) as shown:
        list(taker.orders(sort_by="nothing"))
    assert "sort_by" in shown.value.fields
    with pytest.raises(NotFound):
        taker.order("0x" + "1" * 64)
    with pytest.raises(SignatureInvalid):
        TakerDesk(BASE_URL, desk.api_key, "wrong", http=http).available()
    assert TakerDesk(BASE_URL, desk.api_key, http=http).available() == []
