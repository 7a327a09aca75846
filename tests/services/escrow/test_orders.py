"""Making, changing and paying orders: what is refused and why, and that a refusal changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.escrow.commands import Cancel, OpenPayin, PayOut, Reimburse
from chalicelib.domain.escrow.faults import Forbidden, Invalid, NotFound
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import PayinStatus, PayinType, PayoutType
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.domain.tenancy.instances import World
from chalicelib.tables.escrow_settings import EscrowDesks
from tests.services.escrow.world import INSTANCE, JPY, EscrowWorld, check_all, eur, fee


def refused(world: EscrowWorld, command: Callable[[], object]) -> list[str]:
    """Return the fields that a command is refused for; nothing may be changed by it."""
    before = world.tables()
    with pytest.raises(Invalid) as invalid:
        command()
    assert world.tables() == before
    assert all(text.startswith("The ") and text.endswith(".") for text in invalid.value.errors.values())
    return list(invalid.value.errors)


def test_a_new_order_has_names_that_nobody_guesses(world: EscrowWorld) -> None:
    order, other = world.order(tag="t", metadata={"cart": "9"}), world.order()
    assert re.fullmatch("[A-Z0-9]{12}", order.public_id)
    tokens = {getattr(one.links, name) for one in (order, other) for name in ("buyer", "seller", "qr")}
    assert len(tokens) == 6
    assert all(re.fullmatch("[A-Za-z0-9]{32}", token) for token in tokens)
    assert (order.order_id, other.order_id, order.created_at_s, order.tag) == (1, 2, world.now_s, "t")
    assert world.now(order) == order
    assert world.escrows.counts(world.scope).orders == 2


def test_an_order_needs_parties_and_terms_that_there_are(world: EscrowWorld) -> None:
    def fields(**more: Any) -> list[str]:
        return refused(world, lambda: world.order(**more))

    assert fields(buyer_id=99, seller_id=98) == ["buyer_id", "seller_id"]
    assert fields(buyer_id=None, seller_id=None) == ["buyer_id", "seller_id"]
    assert fields(buyer_id=None, seller_id=None, is_auto_settle=True, value="1.005") == ["value"]
    assert fields(value="-1", fee_terms=fee(None, 101)) == ["value", "fee_percent"]
    assert fields(value=10, fee_terms=fee("10.01")) == ["fee_value"]
    assert fields(value=10, fee_terms=fee("1.001")) == ["fee_value"]
    assert fields(value="1000000000") == ["value"]


def test_the_merchant_itself_may_pay(world: EscrowWorld) -> None:
    order = world.order(is_account_trustee=True, buyer_id=99)
    own = world.escrows.customer(world.scope, world.merchant.customers[World.SANDBOX])
    assert own is not None
    assert (order.buyer, order.status) == (own.party("EUR"), Status.DRAFT)


def test_a_buyer_may_be_named_later(world: EscrowWorld) -> None:
    order = world.order(buyer_id=None, is_auto_settle=True)
    assert (order.status, order.buyer) == (Status.PENDING_DETAILS, None)
    with pytest.raises(Forbidden, match="paid while its status is PENDING_DETAILS"):
        world.bankwire(order)
    shown = world.desk.update_order(world.scope, order.order_id, {"buyer_id": world.buyer.customer_id})
    assert (shown.status, shown.buyer) == (Status.DRAFT, world.buyer.party("EUR"))


def test_a_currency_that_is_younger_than_a_customer_gets_it_a_wallet(world: EscrowWorld) -> None:
    usd = replace(JPY, code="USD", decimals=2, asset="0x" + "d" * 40)
    EscrowDesks(world.database).change(INSTANCE, lambda now: now.with_currency(usd, INSTANCE))
    wallets = world.escrows.counts(world.scope).wallets
    order = world.order(currency="USD")
    assert order.buyer is not None
    for party in (order.buyer, order.seller):
        wallet = world.escrows.wallet_by_id(world.scope, party.wallet_id)
        assert wallet is not None
        assert (wallet.customer_id, wallet.currency) == (
            party.customer_id,
            replace(usd, asset=sandbox_asset(usd.asset)),
        )
    assert world.escrows.counts(world.scope).wallets == wallets + 2
    assert world.order(currency="USD").buyer == order.buyer


def test_a_public_id_that_is_taken_is_drawn_again(world: EscrowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["A" * 12, *links("1"), "A" * 12, *links("2"), "B" * 12, *links("2"), "C" * 12, *links("1"), *rest()])
    monkeypatch.setattr("chalicelib.services.escrow.creation.random_text", lambda *_: next(drawn))
    assert [world.order().public_id for _ in range(3)] == ["A" * 12, "B" * 12, "D" * 12], "its links were taken, too"


def links(number: str) -> list[str]:
    """Return what an order's links are drawn of: what they share, then each one's own."""
    return [number * 10, "b", "s", "q"]


def rest() -> list[str]:
    return ["D" * 12, *links("3")]


def test_orders_by_id_are_orders_by_creation_whatever_the_clock_does(world: EscrowWorld) -> None:
    first = world.order()
    world.now_s -= 100
    second = world.order()
    world.now_s += 200
    third = world.order()
    assert first.created_at_s == second.created_at_s == third.created_at_s - 100


# --- changing (E13)

STATES: dict[str, Callable[[EscrowWorld, Order], object]] = {
    "DRAFT": lambda world, order: world.now(order),
    "PENDING_PUBLISH": lambda world, order: world.bankwire(order),
    "FAILURE": lambda world, order: world.desk.deny_payin(world.scope, world.bankwire(order).payin_id),
    "PUBLISHED": lambda world, order: world.pay(order),
    "ACCEPTED": lambda world, order: (world.pay(order), world.desk.accept(world.scope, order.order_id)),
    "PENDING_VALIDATE": lambda world, order: (STATES["ACCEPTED"](world, order), world.pay_out(order)),
    "PENDING_RELEASE": lambda world, order: (
        world.pay(order),
        world.set_delay(60),
        world.desk.validate(world.scope, order.order_id, auto_accept=True),
    ),
    "BLOCKED_RELEASE": lambda world, order: (world.pay(order), world.desk.block(world.scope, order.order_id)),
    "REJECTED": lambda world, order: (world.pay(order), world.desk.reject(world.scope, order.order_id)),
    "CANCELLED": lambda world, order: world.desk.cancel(world.scope, order.order_id, Cancel()),
    "RELEASED": lambda world, order: (
        world.pay(order),
        world.desk.validate(world.scope, order.order_id, auto_accept=True),
    ),
}
EVERYTHING = {
    "name": "Lamp",
    "description": "red",
    "value": eur(20),
    "fee_value": eur(2),
    "fee_percent": 5,
    "tag": "new",
    "metadata": {"a": 1},
    "template": {"t": 1},
    "images": ("http://x.test/1",),
}


def order_in(world: EscrowWorld, status: str, **more: Any) -> Order:
    order = world.order(100, **more)
    STATES[status](world, order)
    assert world.now(order).status.value == status
    return world.now(order)


@pytest.mark.parametrize("status", STATES)
def test_what_may_be_changed_depends_on_the_status(world: EscrowWorld, status: str) -> None:
    """E13"""
    order = order_in(world, status)
    unpaid = status in ("DRAFT", "PENDING_PUBLISH", "FAILURE")
    over = status in ("REJECTED", "CANCELLED", "RELEASED")
    may = (
        set(EVERYTHING) | {"buyer_id"} if unpaid else {"metadata"} if over else {"metadata", "fee_value", "fee_percent"}
    )
    new: Any = EVERYTHING | {"buyer_id": world.seller.customer_id}
    if not unpaid:
        assert set(refused(world, lambda: world.desk.update_order(world.scope, order.order_id, new))) == set(new) - may
    same: Any = {"name": order.name, "value": order.value, "buyer_id": world.buyer.customer_id, "tag": None}
    shown = world.desk.update_order(world.scope, order.order_id, same)
    assert shown == order
    shown = world.desk.update_order(world.scope, order.order_id, {name: new[name] for name in may})  # type: ignore[misc]
    for name in may - {"fee_value", "fee_percent", "buyer_id"}:
        assert getattr(shown, name) == new[name]
    assert (shown.fee_terms.value == eur(2)) == ("fee_value" in may)
    assert (shown.buyer == world.seller.party("EUR")) == ("buyer_id" in may)
    assert shown.version == order.version + 1
    check_all(world)


@pytest.mark.parametrize("change", [{"value": eur(20)}, {"buyer_id": 4}])
def test_other_terms_end_an_open_payin(world: EscrowWorld, change: Any) -> None:
    order = order_in(world, "PENDING_PUBLISH")
    assert world.seller.customer_id == 4
    payin = world.payin_of(order)
    shown = world.desk.update_order(world.scope, order.order_id, change)
    assert (shown.status, world.payin_of(order).status) == (Status.DRAFT, PayinStatus.CANCELLED)
    before = world.tables()
    with pytest.raises(Forbidden, match="The payin cannot be confirmed while its status is CANCELLED"):
        world.desk.confirm_payin(world.scope, payin.payin_id, payin.amount)
    with pytest.raises(Forbidden, match="The payin cannot be denied"):
        world.desk.deny_payin(world.scope, payin.payin_id)
    assert world.tables() == before


def test_null_clears_and_a_map_is_replaced_as_a_whole(world: EscrowWorld) -> None:
    order = world.order(tag="t", description="d", fee_terms=fee(1, 2), metadata={"a": 1, "b": 2})
    shown = world.desk.update_order(
        world.scope,
        order.order_id,
        {"tag": None, "description": None, "fee_value": None, "fee_percent": None, "metadata": {"c": 3}},
    )
    assert (shown.tag, shown.description, shown.fee, shown.metadata) == (None, None, None, {"c": 3})


def test_a_value_below_the_fee_is_no_value(world: EscrowWorld) -> None:
    order = world.order(100, fee_terms=fee(50))
    change = world.desk.update_order
    assert refused(world, lambda: change(world.scope, order.order_id, {"value": eur(49)})) == ["value"]
    both: Any = {"value": eur(49), "fee_value": eur("49.01"), "buyer_id": 99}
    assert set(refused(world, lambda: change(world.scope, order.order_id, both))) == {"fee_value", "buyer_id"}
    assert change(world.scope, order.order_id, {"value": eur(49), "fee_value": eur(49)}).fee == eur(49)


# --- payins and payouts (E15, E17)


def test_a_new_payin_ends_the_open_one(world: EscrowWorld) -> None:
    order = world.order(100)
    first, second = world.bankwire(order), world.bankwire(order)
    assert (world.now(order).payins, world.now(order).payin_id) == (2, second.payin_id)
    ended = world.escrows.payin(world.scope, first.payin_id)
    assert ended is not None
    assert ended.status is PayinStatus.CANCELLED
    assert world.pay(order).status is PayinStatus.CONFIRMED
    ended = world.escrows.payin(world.scope, second.payin_id)
    assert ended is not None
    assert ended.status is PayinStatus.CANCELLED
    assert world.escrows.counts(world.scope).payins == 3
    check_all(world)


def test_a_wallet_that_is_too_empty_ends_the_open_payin_too(world: EscrowWorld) -> None:
    order = world.order(900)
    first = world.bankwire(order)
    assert world.pay(order).status is PayinStatus.DENIED
    ended = world.escrows.payin(world.scope, first.payin_id)
    assert ended is not None
    assert (ended.status, world.now(order).status) == (PayinStatus.CANCELLED, Status.FAILURE)


def test_payins_may_be_limited_in_number_and_type(world: EscrowWorld) -> None:
    order = world.order(100, payin_intents=2, payin_types=("WALLET", "CARD"))
    ask = world.desk.open_payin
    bankwire, wallet = (OpenPayin(order.order_id, kind, 99) for kind in (PayinType.BANKWIRE, PayinType.WALLET))
    assert refused(world, lambda: ask(world.scope, bankwire)) == ["type"]
    assert refused(world, lambda: ask(world.scope, wallet)) == ["wallet_id"]
    world.desk.update_order(world.scope, order.order_id, {"value": eur(900)})
    for _ in range(2):
        assert world.pay(order).status is PayinStatus.DENIED
    assert refused(world, lambda: world.pay(order)) == ["payin_intents"]


def test_an_order_in_the_body_that_is_not_there_is_a_bad_field(world: EscrowWorld) -> None:
    """E4"""
    assert refused(world, lambda: world.desk.open_payin(world.scope, OpenPayin(9, PayinType.BANKWIRE))) == ["order_id"]
    assert refused(world, lambda: world.desk.pay_out(world.scope, PayOut(9, PayoutType.WALLET, 9))) == ["order_id"]


def test_what_is_not_the_callers_is_not_found(world: EscrowWorld) -> None:
    """E2: the other world's, another merchant's, and what was never there."""
    payin_id = world.bankwire(order := world.order()).payin_id
    other_world = replace(world.scope, world=World.PRODUCTION)
    other_merchant = replace(world.scope, merchant="other")
    before = world.tables()
    for scope, order_id in ((other_world, order.order_id), (other_merchant, order.order_id), (world.scope, 99)):
        for command in (
            lambda: world.desk.accept(scope, order_id),  # noqa: B023
            lambda: world.desk.update_order(scope, order_id, {"name": "x"}),  # noqa: B023
            lambda: world.desk.cancel(scope, order_id, Cancel()),  # noqa: B023
            lambda: world.desk.confirm_payin(scope, payin_id + order_id - order.order_id, 1),  # noqa: B023
        ):
            with pytest.raises(NotFound):
                command()
    assert world.tables() == before


def test_a_payout_goes_to_the_sellers_wallet(world: EscrowWorld) -> None:
    order = order_in(world, "ACCEPTED")
    wrong = PayOut(order.order_id, PayoutType.WALLET, world.seller.wallets["JPY"])
    assert refused(world, lambda: world.desk.pay_out(world.scope, wrong)) == ["wallet_id"]
    payout = world.pay_out(order)
    before = world.tables()
    with pytest.raises(Forbidden, match="paid out while its status is PENDING_VALIDATE"):
        world.pay_out(order)
    assert (world.tables(), world.escrows.payout(world.scope, payout.payout_id)) == (before, payout)


def test_a_reimbursement_is_of_this_orders_money(world: EscrowWorld) -> None:
    order = order_in(world, "PUBLISHED")
    ask = world.desk.reimburse

    def fields(**what: Any) -> list[str]:
        return refused(world, lambda: ask(world.scope, order.order_id, Reimburse(**what)))

    assert fields(amount=0, wallet_id=99, payin_id=99) == ["amount", "wallet_id", "payin_id"]
    assert fields(amount=eur("0.001")) == ["amount"]
    assert fields(amount=eur("100.01")) == ["amount"]
    assert fields(wallet_id=world.seller.wallets["EUR"]) == ["wallet_id"]
    wallet_id, payin_id = world.buyer.wallets["EUR"], world.payin_of(order).payin_id
    shown = ask(world.scope, order.order_id, Reimburse(eur(1), wallet_id, payin_id))
    refund = world.escrows.refund(world.scope, 1)
    assert refund is not None
    assert (refund.reference, refund.amount, refund.wallet_id) == (shown.refund_reference, eur(1), wallet_id)


@pytest.mark.parametrize("status", STATES)
def test_who_reimburses_and_cancels_when(world: EscrowWorld, status: str) -> None:
    order = order_in(world, status)
    if status in ("PUBLISHED", "ACCEPTED", "PENDING_VALIDATE", "PENDING_RELEASE", "BLOCKED_RELEASE", "REJECTED"):
        shown = world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(1)))
        assert (shown.status, shown.hold) == (order.status, eur(99))
        assert (shown.release_at_s, shown.blocked_from) == (order.release_at_s, order.blocked_from)
    else:
        with pytest.raises(Forbidden):
            world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(1)))
    if status in ("REJECTED", "CANCELLED", "RELEASED"):
        with pytest.raises(Forbidden):
            world.desk.cancel(world.scope, order.order_id, Cancel())
    else:
        shown = world.desk.cancel(world.scope, order.order_id, Cancel())
        assert (shown.status, shown.hold, world.funds(world.buyer)) == (Status.CANCELLED, 0, (eur(200), 0))
    check_all(world)


def test_a_cancel_leaves_a_tag_and_adds_to_the_metadata(world: EscrowWorld) -> None:
    """E14"""
    order = world.order(tag="old", metadata={"a": 1, "b": 2})
    shown = world.desk.cancel(world.scope, order.order_id, Cancel("new", {"b": 3, "c": 4}))
    assert (shown.tag, shown.metadata) == ("new", {"a": 1, "b": 3, "c": 4})
    full = world.order(tag="old", metadata={str(number): 1 for number in range(50)})
    more = Cancel(metadata={"one more": 1})
    assert refused(world, lambda: world.desk.cancel(world.scope, full.order_id, more)) == ["metadata"]
    long = Cancel(metadata={"0": "x" * 8200})
    assert refused(world, lambda: world.desk.cancel(world.scope, full.order_id, long)) == ["metadata"]
    assert world.desk.cancel(world.scope, full.order_id, Cancel()).tag == "old"


def test_an_order_goes_on_from_where_it_was_blocked(world: EscrowWorld) -> None:
    world.set_delay(60)
    for status in ("PUBLISHED", "ACCEPTED", "PENDING_VALIDATE"):
        world.deposit(100, status)
        order = order_in(world, status)
        world.desk.block(world.scope, order.order_id)
        with pytest.raises(Forbidden, match="blocked while its status is BLOCKED_RELEASE"):
            world.desk.block(world.scope, order.order_id)
        shown = world.desk.unblock(world.scope, order.order_id)
        assert replace(shown, version=order.version, command=order.command) == order
    check_all(world)
