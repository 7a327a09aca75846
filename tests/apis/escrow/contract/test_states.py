"""The state machine: what may be done in which status and what not, and what each transition does (E3, E20, E21)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.tenancy.instances import World
from tests.apis.escrow.cases import HOLDING, NOW, STATUSES, UNPAID, Money, at, happened, ledger, money, outcome, part
from tests.apis.escrow.desk import Desk, errors_of
from tests.case_tables import cases

Order = dict[str, Any]
PAYABLE = ("DRAFT", "PENDING_PUBLISH", "FAILURE")
MOVING = HOLDING[:-1]


@dataclass(frozen=True)
class Action:
    """Something that is done with an order, how a refusal names it, and where it leads from which status."""

    send: Callable[[Desk, Order], HttpResponse]
    participle: str
    leads: dict[str, str]


def command(name: str, body: object = None) -> Callable[[Desk, Order], HttpResponse]:
    return lambda desk, order: desk.post(f"/orders/{order['id']}/{name}", body)


def operator(name: str) -> Callable[[Desk, Order], HttpResponse]:
    return lambda desk, order: desk.operate(f"/orders/{order['id']}/{name}")


def by_wallet(deposit: object) -> Callable[[Desk, Order], HttpResponse]:
    def send(desk: Desk, order: Order) -> HttpResponse:
        if deposit:
            desk.deposit(deposit)
        body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
        return desk.post("/payins", body)

    return send


def by_bank(desk: Desk, order: Order) -> HttpResponse:
    return desk.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"})


def payout(desk: Desk, order: Order) -> HttpResponse:
    body = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
    return desk.post("/payouts", body)


ACTIONS = {
    "accept": Action(command("accept"), "accepted", {"PUBLISHED": "ACCEPTED"}),
    "reject": Action(command("reject"), "rejected", {"PUBLISHED": "REJECTED"}),
    "cancel": Action(command("cancel"), "cancelled", dict.fromkeys((*UNPAID, *HOLDING), "CANCELLED")),
    "validate": Action(command("validate"), "validated", {"ACCEPTED": "RELEASED", "PENDING_VALIDATE": "RELEASED"}),
    "validate with auto_accept": Action(
        command("validate", {"auto_accept": True}),
        "validated",
        {"PUBLISHED": "RELEASED", "ACCEPTED": "RELEASED", "PENDING_VALIDATE": "RELEASED"},
    ),
    "reimburse a part": Action(
        command("reimburse", {"amount": 30}), "reimbursed", {status: status for status in (*HOLDING, "REJECTED")}
    ),
    "reimburse R": Action(
        command("reimburse", {"amount": 150}),
        "reimbursed",
        dict.fromkeys(HOLDING, "CANCELLED") | {"REJECTED": "REJECTED"},
    ),
    "reimburse without amount": Action(
        command("reimburse"), "reimbursed", dict.fromkeys(HOLDING, "CANCELLED") | {"REJECTED": "REJECTED"}
    ),
    "payin by wallet, enough": Action(by_wallet(150), "paid", dict.fromkeys(PAYABLE, "PUBLISHED")),
    "payin by wallet, too little": Action(by_wallet(None), "paid", dict.fromkeys(PAYABLE, "FAILURE")),
    "payin by bank wire": Action(by_bank, "paid", dict.fromkeys(PAYABLE, "PENDING_PUBLISH")),
    "payout": Action(payout, "paid out", {"ACCEPTED": "PENDING_VALIDATE"}),
    "block": Action(operator("block"), "blocked", dict.fromkeys(MOVING, "BLOCKED_RELEASE")),
    "unblock": Action(operator("unblock"), "unblocked", {"BLOCKED_RELEASE": "PUBLISHED"}),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", ACTIONS)
def test_e3_e21_what_is_not_listed_is_refused_and_changes_nothing(name: str, status: str) -> None:
    desk, order = at(status)
    action = ACTIONS[name]
    if name == "payin by wallet, enough":
        desk.deposit(150)
    before = desk.tables()
    answer = (by_wallet(None) if "by wallet" in name else action.send)(desk, order)
    target = action.leads.get(status)
    if target is None:
        assert desk.tables() == before
        if "by wallet" in name and status == "PENDING_DETAILS":
            assert list(errors_of(answer)) == ["wallet_id"], "fields come first: nobody's wallet is its buyer's"
            return
        text = f"The order cannot be {action.participle} while its status is {status}."
        assert errors_of(answer) == {"status": [text]}
        return
    assert answer.status == 200, answer.body
    assert desk.now(order)["status"] == target
    desk.check_money()


# --- what each transition does


@dataclass(frozen=True)
class Became:
    """What a transition leaves: the ledger, the latest payin's and payout's status, and its events."""

    ledger: Money
    payin: str | None
    payout: str | None
    events: tuple[str, ...]


def confirm(desk: Desk, order: Order) -> HttpResponse:
    payin = part(desk, order, "payin")
    return desk.operate(f"/payins/{payin['id']}/confirm", {"amount": order["value"]})


def deny(desk: Desk, order: Order) -> HttpResponse:
    return desk.operate(f"/payins/{part(desk, order, 'payin')['id']}/deny")


def named(desk: Desk, order: Order) -> HttpResponse:
    return desk.put(f"/orders/{order['id']}", {"buyer_id": desk.buyer["id"]})


def revalued(desk: Desk, order: Order) -> HttpResponse:
    return desk.put(f"/orders/{order['id']}", {"value": 10})


VALIDATE, AUTO = ACTIONS["validate"].send, ACTIONS["validate with auto_accept"].send
PART, ALL, CANCEL = ACTIONS["reimburse a part"].send, ACTIONS["reimburse R"].send, ACTIONS["cancel"].send
NONE, HELD, BACK = money(0, 0, 0, 0, 0), money(0, 150, 0, 0, 150), money(150, 0, 0, 0, 150)
PARTLY, PAID_OUT = money(30, 120, 0, 0, 150), money(0, 0, 150, 0, 150)
UPDATED, PUBLISHED, FAILED, CANCELLED = (
    ("EscrowUpdated",), ("EscrowPublished",), ("EscrowFailed",), ("EscrowCancelled",),
)  # fmt: skip
PAYOUT_AND_RELEASE = ("PayoutCreated", "EscrowReleased")
TRANSITIONS = cases(
    ("a buyer is named", "PENDING_DETAILS", named, NONE, None, None, UPDATED),
    ("bank wire of a draft", "DRAFT", by_bank, NONE, "CREATED", None, UPDATED),
    ("bank wire once more", "PENDING_PUBLISH", by_bank, NONE, "CREATED", None, UPDATED),
    ("bank wire after a failure", "FAILURE", by_bank, NONE, "CREATED", None, UPDATED),
    ("value changed", "PENDING_PUBLISH", revalued, NONE, "CANCELLED", None, UPDATED),
    ("wallet pays a draft", "DRAFT", by_wallet(150), HELD, "CONFIRMED", None, PUBLISHED),
    ("wallet pays, wire open", "PENDING_PUBLISH", by_wallet(150), HELD, "CONFIRMED", None, PUBLISHED),
    ("wallet pays after a failure", "FAILURE", by_wallet(150), HELD, "CONFIRMED", None, PUBLISHED),
    ("wallet too small, draft", "DRAFT", by_wallet(None), NONE, "DENIED", None, FAILED),
    ("wallet too small, wire open", "PENDING_PUBLISH", by_wallet(None), NONE, "DENIED", None, FAILED),
    ("wallet too small once more", "FAILURE", by_wallet(None), NONE, "DENIED", None, FAILED),
    ("O1", "PENDING_PUBLISH", confirm, HELD, "CONFIRMED", None, PUBLISHED),
    ("O2", "PENDING_PUBLISH", deny, NONE, "DENIED", None, FAILED),
    ("accept", "PUBLISHED", command("accept"), HELD, "CONFIRMED", None, ("EscrowAccepted",)),
    ("reject", "PUBLISHED", command("reject"), HELD, "CONFIRMED", None, ("EscrowRejected",)),
    ("payout", "ACCEPTED", payout, HELD, "CONFIRMED", "CREATED", ("PayoutCreated",)),
    ("validate with a payout", "PENDING_VALIDATE", VALIDATE, PAID_OUT, "CONFIRMED", "CONFIRMED",
     ("EscrowUpdated", "EscrowReleased")),
    ("validate without", "ACCEPTED", VALIDATE, PAID_OUT, "CONFIRMED", "CONFIRMED", PAYOUT_AND_RELEASE),
    ("validate with auto_accept", "PUBLISHED", AUTO, PAID_OUT, "CONFIRMED", "CONFIRMED", PAYOUT_AND_RELEASE),
    *((f"block {status}", status, operator("block"), HELD, "CONFIRMED",
       "CREATED" if "PENDING" in status else None, ("EscrowBlocked",)) for status in MOVING),
    ("unblock", "BLOCKED_RELEASE", operator("unblock"), HELD, "CONFIRMED", None, ("EscrowUnblocked",)),
    ("cancel a draft", "DRAFT", CANCEL, NONE, None, None, CANCELLED),
    ("cancel without details", "PENDING_DETAILS", CANCEL, NONE, None, None, CANCELLED),
    ("cancel with a wire open", "PENDING_PUBLISH", CANCEL, NONE, "CANCELLED", None, CANCELLED),
    ("cancel after a failure", "FAILURE", CANCEL, NONE, "DENIED", None, CANCELLED),
    *((f"cancel {status}", status, CANCEL, BACK, "REFUNDED",
       "CANCELLED" if "PENDING" in status else None, CANCELLED) for status in HOLDING),
    *((f"reimburse all of {status}", status, ALL, BACK, "REFUNDED",
       "CANCELLED" if "PENDING" in status else None, CANCELLED) for status in HOLDING),
    *((f"reimburse a part of {status}", status, PART, PARTLY, "CONFIRMED",
       "CREATED" if "PENDING" in status else None, UPDATED) for status in HOLDING),
    ("reimburse a part of REJECTED", "REJECTED", PART, PARTLY, "CONFIRMED", None, UPDATED),
    ("reimburse all of REJECTED", "REJECTED", ALL, BACK, "REFUNDED", None, UPDATED),
)  # fmt: skip


@pytest.mark.parametrize(("status", "act", "left", "payin", "payout_status", "events"), TRANSITIONS)
def test_e24_a_transitions_funds_side_effects_and_events(
    status: str,
    act: Callable[[Desk, Order], HttpResponse],
    left: Money,
    payin: str | None,
    payout_status: str | None,
    events: tuple[str, ...],
) -> None:
    desk, order = at(status)
    row = desk.escrows.order(desk.scope(World.SANDBOX), order["id"])
    assert row is not None
    told = len(happened(desk))
    assert act(desk, order).status == 200
    after = desk.escrows.order(desk.scope(World.SANDBOX), order["id"])
    assert after is not None
    assert after.version == row.version + len(events), "each write adds 1"
    shown = desk.now(order)
    parts = [
        part(desk, order, name)["status"] if name in shown["connections"] else None for name in ("payin", "payout")
    ]
    new = happened(desk)[told:]
    assert Became(ledger(desk), *parts, tuple(one.event for one in new)) == Became(left, payin, payout_status, events)
    assert [one.left for one in new] == [status, *(one.entered for one in new[:-1])]
    assert new[-1].entered == shown["status"]
    assert {one.order_id for one in new} == {order["id"]}
    assert after.hold == int(ledger(desk).held * 10**18), "R"
    assert (shown["refund"]["status"] == "CONFIRMED") is (left in (PARTLY, BACK))
    desk.check_money()


CREATED = cases(
    ("with a buyer",        {},                                     "DRAFT"),
    ("without",             {"auto_settle": 1, "buyer_id": ...},    "PENDING_DETAILS"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "status"), CREATED)
def test_e24_a_creation_is_a_transition_from_nothing(desk: Desk, members: dict[str, Any], status: str) -> None:
    order = desk.order(**members)
    (row,) = happened(desk)
    assert (row.order_id, row.event, row.left, row.entered, row.at_s) == (
        order["id"], "EscrowUpdated", None, status, desk.now_s,
    )  # fmt: skip


# --- E20


@pytest.mark.parametrize("kind", ["WALLET", "BANKWIRE"])
def test_e20_an_order_that_settles_is_released_with_its_payment(desk: Desk, kind: str) -> None:
    order = desk.order(auto_settle=1, value=40, fee_value=1)
    if kind == "WALLET":
        desk.deposit(40)
        before = len(happened(desk))
        desk.pay(order)
    else:
        desk.bankwire(order)
        before = len(happened(desk))
        confirm(desk, order)
    settled = desk.now(order)
    times = ("published_at", "accepted_at", "validated_at", "released_at")
    assert (settled["status"], [settled[name] for name in times]) == ("RELEASED", [NOW] * 4)
    assert part(desk, order, "payout")["status"] == "CONFIRMED"
    assert (settled["payout_amount"], settled["fee_amount"]) == ("39.00 €", "1.00 €")
    assert ledger(desk) == money(0, 0, 39, 1, 40)
    told = happened(desk)[before:]
    assert [(row.event, row.left, row.entered) for row in told] == [
        ("EscrowPublished", order["status"] if kind == "WALLET" else "PENDING_PUBLISH", "PUBLISHED"),
        ("EscrowReleased", "PUBLISHED", "RELEASED"),
    ]
    writes = {row.command for row in told}
    assert len(writes) == 1, "in the same transaction"


def test_e20_also_with_a_delay(desk: Desk) -> None:
    desk.set(release_delay_seconds=3600)
    order = desk.order(auto_settle=1)
    desk.deposit(150)
    desk.pay(order)
    assert desk.now(order)["status"] == "RELEASED"


def test_e20_with_too_little_it_is_a_failure_like_any_other(desk: Desk) -> None:
    order = desk.order(auto_settle=1)
    assert desk.pay(order)["status"] == "DENIED"
    assert desk.now(order)["status"] == "FAILURE"
    assert outcome(desk.get(f"/orders/{order['id']}/payout")) == 404


# --- E21


@pytest.mark.parametrize("status", UNPAID)
def test_e21_an_unpaid_order_never_expires(status: str) -> None:
    desk, order = at(status)
    desk.now_s += 10 * 365 * 86_400
    later = desk.over(desk.database)
    assert later.now(order) == order
    assert later.do(order, "cancel")["status"] == "CANCELLED"


def test_e21_cancelling_refunds_the_whole_rest() -> None:
    desk, order = at("ACCEPTED")
    desk.do(order, "reimburse", {"amount": Decimal("0.01")})
    shown = desk.do(order, "cancel")
    assert shown["refund"]["reference_id"] == f"RF-{order['id']}-2"
    assert ledger(desk) == BACK
