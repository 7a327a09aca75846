"""The client of the escrow desk against the desk itself, in this process: merchant and operator, each call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.apis.escrow import customers as customers_
from chalicelib.apis.escrow import order_schema
from chalicelib.apis.escrow import webhooks as webhooks_
from chalicelib.apis.escrow.routes import ROUTES
from chalicelib.support.clock import now_ms
from tallybook_client import OutcomeUnknown
from tallybook_client.escrow import CustomerForm, EscrowDesk, EscrowOperator, NewOrder, OrderChange, WebhookChange
from tallybook_client.escrow.envelope import Searched
from tallybook_client.escrow.errors import Forbidden, Invalid, NotFound
from tests.apis.escrow.cases import new_desk
from tests.apis.escrow.desk import BASE_URL as LINKS
from tests.apis.escrow.desk import CARD, KEY, MASTER_KEY, OPERATOR_KEY, READ_ONLY_KEY, Desk
from tests.client.contract import check_requests, members_of_form, nothing_is_dropped
from tests.client.http import BASE_URL, InProcess, Trouble

NOT_COVERED = {"POST /2.0/callbacks/{instance}/{world}/{type}": "it is for providers, who sign it themselves (E45)"}


@pytest.fixture(autouse=True)
def _master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhook secrets are derived from it."""
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)


@pytest.fixture
def desk() -> Desk:
    """A desk whose clock shows the present."""
    desk = new_desk()
    desk.now_s = now_ms() // 1000
    return desk


@pytest.fixture
def http(desk: Desk) -> InProcess:
    return InProcess(desk.desk.answer)


@pytest.fixture
def shop(http: InProcess) -> EscrowDesk:
    return EscrowDesk(BASE_URL, KEY, http=http, pause=lambda _seconds: None)


@pytest.fixture
def operator(http: InProcess) -> EscrowOperator:
    return EscrowOperator(BASE_URL, OPERATOR_KEY, http=http, pause=lambda _seconds: None)


def tent(desk: Desk, **more: Any) -> NewOrder:
    usual = {"name": "Tent", "value": Decimal("23.77"), "buyer_id": desk.buyer["id"], "seller_id": desk.seller["id"]}
    return NewOrder(**{**usual, **more})  # type: ignore[arg-type]


def walk(desk: Desk, shop: EscrowDesk, operator: EscrowOperator) -> None:
    """Make each call of merchant and operator once, with all that it can name."""
    feed = shop.events(wait_s=0)
    today = datetime.fromtimestamp(desk.now_s, UTC).date()
    dated = {"date_begin": today - timedelta(days=4000), "date_end": today + timedelta(days=1)}
    assert shop.account().name == "shop"

    ann = shop.customers.save(CustomerForm(email="ann@x.test", name="Ann", metadata={"vip": True}))
    assert (ann.id, ann.metadata["vip"]) == (desk.buyer["id"], True)
    assert shop.customers.change(ann.uuid, CustomerForm(tag="friend")) == shop.customers.one(ann.uuid)
    assert [one.id for one in shop.customers.all(search="email", query="ann@", order="name", sort="asc", **dated)] == [
        ann.id
    ]
    (wallet,) = (one for one in shop.customers.wallets(ann.uuid, order="id") if one.currency == "EUR")
    assert wallet.id in [one.id for one in shop.customers.wallets()]
    assert operator.deposit(wallet.uuid, Decimal("100.50"), "bank-1").balance == Decimal("100.5")
    assert shop.customers.wallet(wallet.uuid).balance == Decimal("100.5")
    assert [one.amount for one in shop.customers.transactions(wallet.uuid, sort="asc", **dated)] == [Decimal("100.5")]

    order = shop.orders.create(tent(desk, fee_percent=Decimal("2.5"), metadata={"a": 1}, images=["https://x.test/i"]))
    assert (order.status, order.value, order.buyer_link.startswith(LINKS)) == ("DRAFT", Decimal("23.77"), True)
    assert shop.orders.change(order.id, OrderChange(tag="t", fee_percent=None)).fee_percent is None
    assert shop.payments.pay(order.id, "WALLET", wallet_id=wallet.id).status == "CONFIRMED"
    assert shop.orders.one(order.id).status == "PUBLISHED"
    payin = shop.orders.payin(order.id)
    assert payin == shop.payments.payin(payin.id) == shop.payments.refresh_payin(payin.id)
    assert [one.id for one in shop.payments.payins(search="order_id", query=str(order.id))] == [payin.id]
    assert shop.orders.receipt(order.id).id == order.id
    assert operator.block(order.id).status == "BLOCKED_RELEASE"
    assert operator.unblock(order.id).status == "PUBLISHED"
    assert shop.orders.reimburse(order.id, Decimal("3.77")).refund.status == "CONFIRMED"
    (refund,) = shop.payments.refunds()
    assert shop.payments.refund(refund.id) == refund
    assert shop.orders.accept(order.id).status == "ACCEPTED"

    payout = shop.payments.pay_out(order.id, "BANKWIRE", bankwire_ref="for Sam")
    assert payout == shop.payments.payout(payout.id) == shop.payments.refresh_payout(payout.id)
    assert shop.orders.payout(order.id) == payout
    assert [one.id for one in shop.payments.payouts()] == [payout.id]
    assert shop.orders.validate(order.id).status == "PENDING_RELEASE"
    (waiting,) = operator.payouts()
    assert (waiting.id, waiting.amount, waiting.order_status) == (payout.id, 20, "PENDING_RELEASE")
    assert operator.deny_payout(payout.id, "no such account").status == "DENIED"
    again = shop.payments.pay_out(order.id, "BANKWIRE", bankwire_ref="for Sam")
    shop.orders.validate(order.id)
    assert operator.confirm_payout(again.id, 20).status == "CONFIRMED"
    listed = shop.orders.all(status="RELEASED", sandbox=True, search="tag", query="t", order="value", **dated)
    assert [one.id for one in listed] == [order.id]

    second = shop.orders.create(tent(desk))
    card = shop.payments.pay(second.id, CARD)
    assert [(one.id, one.amount) for one in operator.payins()] == [(card.id, Decimal("23.77"))]
    assert operator.deny_payin(card.id, "expired").status == "DENIED"
    wire = shop.payments.pay(second.id, "BANKWIRE")
    assert operator.confirm_payin(wire.id, Decimal("23.77")).status == "CONFIRMED"
    assert shop.orders.reject(second.id).status == "REJECTED"
    third = shop.orders.create(tent(desk))
    assert shop.orders.cancel(third.id, tag="sorry", metadata={"why": "rain"}).status == "CANCELLED"

    hook = shop.webhooks.create("https://example.com/h", ["*"], description="d")
    assert hook.secret is not None
    assert [one.id for one in shop.webhooks.all()] == [shop.webhooks.one(hook.id).id]
    delivery = shop.webhooks.test(hook.id)
    assert [one.id for one in shop.webhooks.deliveries(hook.id, "WAITING", limit=5)] == [delivery]
    assert shop.webhooks.deliveries(hook.id, "WAITING", after=delivery) == []
    assert shop.webhooks.redeliver(hook.id, delivery).id == delivery
    assert shop.webhooks.change(hook.id, WebhookChange(status="PAUSED")).status == "PAUSED"
    assert shop.webhooks.rotate_secret(hook.id, hours=1).secret not in (None, hook.secret)
    shop.webhooks.remove(hook.id)
    assert {"EscrowPublished", "EscrowAccepted", "EscrowReleased"} <= {event.type for event in feed}


def test_every_call_is_one_of_the_desks_operations_and_no_member_of_an_answer_is_dropped(
    desk: Desk, shop: EscrowDesk, operator: EscrowOperator, http: InProcess
) -> None:
    with nothing_is_dropped():
        walk(desk, shop, operator)
    assert check_requests(http, ROUTES) == {route.name for route in ROUTES} - NOT_COVERED.keys()


def test_members_of_a_later_version_are_passed_over(
    desk: Desk, shop: EscrowDesk, operator: EscrowOperator, http: InProcess
) -> None:
    http.is_newer = True
    walk(desk, shop, operator)


def test_a_request_can_name_every_member_of_its_form() -> None:
    second_names = {order_schema.PAYIN_TYPES[0], order_schema.PAYIN_FALLBACK[0]}
    assert members_of_form(NewOrder) == set(order_schema.CREATE.kinds) - second_names
    assert members_of_form(OrderChange) == set(order_schema.UPDATE.kinds)
    assert members_of_form(CustomerForm) == set(customers_.CUSTOMER.kinds)
    assert members_of_form(WebhookChange) == set(webhooks_.CHANGE.kinds)


def test_the_filters_of_a_list_are_its_parameters() -> None:
    route, _ = ROUTES.find("GET", "/2.0/payins")
    assert {*Searched.__annotations__, "order", "sort", "date_begin", "date_end", "page", "per_page"} == set(
        route.query
    )


@pytest.mark.parametrize("trouble", [Trouble.LOST_AFTER, Trouble.LOST_BEFORE, Trouble.GATEWAY])
def test_an_order_whose_answer_is_lost_is_created_once(
    desk: Desk, shop: EscrowDesk, http: InProcess, trouble: Trouble
) -> None:
    http.troubles.append(trouble)
    created = shop.orders.create(tent(desk))
    assert [one.id for one in shop.orders.all()] == [created.id]


def test_a_change_whose_answer_is_lost_is_of_unknown_outcome(desk: Desk, shop: EscrowDesk, http: InProcess) -> None:
    created = shop.orders.create(tent(desk))
    http.troubles.append(Trouble.LOST_AFTER)
    with pytest.raises(OutcomeUnknown):
        shop.orders.change(created.id, OrderChange(tag="new"))
    assert shop.orders.one(created.id).tag == "new"


def test_lists_go_on_to_the_page_that_says_it_is_the_last(desk: Desk, shop: EscrowDesk, http: InProcess) -> None:
    created = [shop.orders.create(tent(desk)).id for _ in range(5)]
    assert [one.id for one in shop.orders.all(limit=3)] == created[:1:-1]
    http.sent.clear()
    assert [one.id for one in shop.orders.all(sort="asc")] == created
    assert len(http.sent) == 1


def test_errors_name_their_fields(desk: Desk, shop: EscrowDesk, http: InProcess) -> None:
    with pytest.raises(Invalid) as faulty:
        shop.orders.create(tent(desk, name="", buyer_id=999_999))
    assert set(faulty.value.fields) == {"name", "buyer_id"}
    with pytest.raises(NotFound):
        shop.orders.one(999_999)
    with pytest.raises(Forbidden):
        EscrowDesk(BASE_URL, READ_ONLY_KEY, http=http).orders.accept(1)
