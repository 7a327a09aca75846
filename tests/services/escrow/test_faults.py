"""Whatever goes wrong at whichever call of a command, its money moves once, whole, or not at all.

Each command is sent once for every call and fault, then again as a client does that got no answer: with its key. In the
end the tables say what they say where nothing went wrong. A command that is refused, or for which DynamoDB was out of
reach, has changed nothing; ids may have been skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.domain.escrow.commands import (
    Cancel,
    CreateCustomer,
    CreateOrder,
    Deposit,
    OpenPayin,
    PayinOutcome,
    PayOut,
    Reimburse,
)
from chalicelib.domain.escrow.faults import DeskBusy
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import PayinType, PayoutType
from chalicelib.domain.feed.outbox import events_of
from chalicelib.domain.tenancy.answers import Answer
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.outbox import outbox_entry_of
from chalicelib.tables.requests import Requests
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Write
from tests.faults import ENDPOINT, FAULTS, Call, Died, WatchedClient, refusal
from tests.in_memory import database_of, each_call
from tests.memory import MemoryDynamoDB
from tests.services.escrow.world import EscrowWorld, check_all, check_money, eur, fee

ACCEPTED = (Unavailable, OutcomeUnknown, DeskBusy, Died)

Receipt = Callable[..., Write]
Command = Callable[[EscrowWorld, Order, Receipt], object]


@dataclass(frozen=True)
class Scenario:
    """prepare: what went before. command: what is asked, with the receipt of its key."""

    prepare: Callable[[EscrowWorld], Order]
    command: Command


def paid(world: EscrowWorld, **more: Any) -> Order:
    return world.paid(100, fee_terms=fee(of=10), **more)


def accepted(world: EscrowWorld) -> Order:
    order = paid(world)
    return world.desk.accept(world.scope, order.order_id)


def with_payout(world: EscrowWorld) -> Order:
    order = accepted(world)
    world.pay_out(order)
    return world.now(order)


def to_bank(order: Order) -> PayOut:
    return PayOut(order.order_id, PayoutType.BANKWIRE, bankaccount_id=7)


def with_bank_payout(world: EscrowWorld) -> Order:
    order = accepted(world)
    world.desk.pay_out(world.scope, to_bank(order))
    return world.now(order)


def at_the_bank(world: EscrowWorld) -> Order:
    return world.desk.validate(world.scope, with_bank_payout(world).order_id)


def open_for_bank_money(world: EscrowWorld, **more: Any) -> Order:
    order = world.order(100, fee_terms=fee(1), **more)
    world.bankwire(order)
    return world.now(order)


def open_outside(world: EscrowWorld, **more: Any) -> Order:
    order = world.order(100, fee_terms=fee(1), **more)
    world.desk.open_payin(world.scope, OpenPayin(order.order_id, "CARD"))
    return world.now(order)


def told_outside(world: EscrowWorld, order: Order, _: Receipt, *, is_confirmed: bool) -> object:
    assert order.payin_id is not None
    outcome = PayinOutcome("CARD", order.payin_id, is_confirmed, order.value, "EUR", "ref-1")
    return world.desk.take_outcome(world.scope, outcome)


def decided_outside(world: EscrowWorld) -> Order:
    order = open_outside(world)
    assert order.payin_id is not None
    world.desk.confirm_payin(world.scope, order.payin_id, order.value)
    return world.now(order)


def waiting(world: EscrowWorld) -> Order:
    world.set_delay(60)
    order = world.desk.validate(world.scope, paid(world).order_id, auto_accept=True)
    world.now_s += 60
    return order


def pay(world: EscrowWorld, order: Order, receipt: Receipt) -> object:
    assert order.buyer is not None
    return world.desk.open_payin(
        world.scope, OpenPayin(order.order_id, PayinType.WALLET, order.buyer.wallet_id), receipt
    )


def confirm(world: EscrowWorld, order: Order, receipt: Receipt) -> object:
    assert order.payin_id is not None
    return world.desk.confirm_payin(world.scope, order.payin_id, order.value, receipt)


def deny(world: EscrowWorld, order: Order, receipt: Receipt) -> object:
    assert order.payin_id is not None
    return world.desk.deny_payin(world.scope, order.payin_id, "no", receipt)


def deposit(world: EscrowWorld, _: Order, receipt: Receipt) -> object:
    (wallet, _yen) = world.escrows.wallets_of(world.buyer)
    return world.desk.deposit(world.scope, wallet.uuid, Deposit(eur(5), "again"), receipt)


def create(world: EscrowWorld, order: Order, receipt: Receipt) -> object:
    assert order.buyer is not None
    request = CreateOrder("Lamp", eur(5), "EUR", order.buyer.customer_id, order.seller.customer_id)
    return world.desk.create_order(world.scope, request, receipt)


def change(world: EscrowWorld, order: Order, _: Receipt) -> object:
    return world.desk.update_order(world.scope, order.order_id, {"value": eur(90)})


SCENARIOS: dict[str, Scenario] = {
    "wallet payin": Scenario(lambda world: world.order(100), pay),
    "wallet payin that lacks funds": Scenario(lambda world: world.order(900), pay),
    "wallet payin over an open one": Scenario(open_for_bank_money, pay),
    "wallet payin that settles": Scenario(lambda world: world.order(100, is_auto_settle=True), pay),
    "bank-wire payin": Scenario(
        open_for_bank_money,
        lambda world, order, receipt: world.desk.open_payin(
            world.scope, OpenPayin(order.order_id, PayinType.BANKWIRE), receipt
        ),
    ),
    "confirm": Scenario(open_for_bank_money, confirm),
    "confirm that settles": Scenario(lambda world: open_for_bank_money(world, is_auto_settle=True), confirm),
    "deny": Scenario(open_for_bank_money, deny),
    "external payin": Scenario(
        open_for_bank_money,
        lambda world, order, receipt: world.desk.open_payin(world.scope, OpenPayin(order.order_id, "CARD"), receipt),
    ),
    "external payin confirmed": Scenario(open_outside, partial(told_outside, is_confirmed=True)),
    "external payin confirmed that settles": Scenario(
        lambda world: open_outside(world, is_auto_settle=True), partial(told_outside, is_confirmed=True)
    ),
    "external payin denied": Scenario(open_outside, partial(told_outside, is_confirmed=False)),
    "external payin named late": Scenario(decided_outside, partial(told_outside, is_confirmed=True)),
    "change of value": Scenario(open_for_bank_money, change),
    "cancel": Scenario(
        with_payout, lambda world, order, receipt: world.desk.cancel(world.scope, order.order_id, Cancel("x"), receipt)
    ),
    "reimburse a part": Scenario(
        paid,
        lambda world, order, receipt: world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(30)), receipt),
    ),
    "reimburse all": Scenario(
        accepted, lambda world, order, receipt: world.desk.reimburse(world.scope, order.order_id, Reimburse(), receipt)
    ),
    "payout": Scenario(
        accepted,
        lambda world, order, receipt: world.desk.pay_out(
            world.scope, PayOut(order.order_id, PayoutType.WALLET, order.seller.wallet_id), receipt
        ),
    ),
    "payout to a bank": Scenario(
        accepted, lambda world, order, receipt: world.desk.pay_out(world.scope, to_bank(order), receipt)
    ),
    "validate a payout to a bank": Scenario(
        with_bank_payout, lambda world, order, receipt: world.desk.validate(world.scope, order.order_id, receipt)
    ),
    "confirm a payout to a bank": Scenario(
        at_the_bank,
        lambda world, order, receipt: world.desk.confirm_payout(
            world.scope, order.payout_id or 0, order.payout_amount or 0, receipt
        ),
    ),
    "deny a payout to a bank": Scenario(
        at_the_bank,
        lambda world, order, receipt: world.desk.deny_payout(world.scope, order.payout_id or 0, "no", receipt),
    ),
    "validate and release": Scenario(
        accepted, lambda world, order, receipt: world.desk.validate(world.scope, order.order_id, receipt)
    ),
    "release when due": Scenario(
        waiting, lambda world, order, receipt: world.desk.release(world.scope, order.order_id, receipt)
    ),
    "block": Scenario(accepted, lambda world, order, receipt: world.desk.block(world.scope, order.order_id, receipt)),
    "create": Scenario(lambda world: world.order(1), create),
    "deposit": Scenario(lambda world: world.order(1), deposit),
    "change of a customer": Scenario(
        lambda world: world.order(1),
        lambda world, _, _receipt: world.desk.change_customer(
            world.scope, world.buyer.uuid, CreateCustomer(email="new@x.test", prefix="+34", phone="600700")
        ),
    ),
    "customer": Scenario(
        lambda world: world.order(1),
        lambda world, _, receipt: world.desk.create_customer(
            world.scope, CreateCustomer(email="new@x.test", prefix="+34", phone="600700"), receipt
        ),
    ),
}


def receipt_of(world: EscrowWorld) -> Receipt:
    requests = Requests(world.database, lambda: world.now_s)
    return lambda *_: requests.recording("scope", "key-0001", Answer("hash", 200, "done"))


def has_answer(world: EscrowWorld) -> bool:
    return Requests(world.database, lambda: world.now_s).answer("scope", "key-0001") is not None


def facts(world: EscrowWorld) -> dict[str, Any]:
    """Return what stands in the tables but for ids, names and random texts: the same whenever it was done once."""
    accounts = [row for row in world.database.scan("accounts") if "once" not in row["entry"]]
    escrows = [row for row in world.database.scan("escrows") if not row["entry"].startswith("counter/")]

    def without(row: Row, *names: str) -> str:
        return str(sorted((name, value) for name, value in row.items() if name not in names))

    def told(row: Row) -> list[tuple[str, str]]:
        """Return what an entry tells, but for ids."""
        names = ("available", "held", "asset", "kind")
        events = events_of(*outbox_entry_of(row))
        shown: list[Any] = [event.body.get("escrow", event.body) for event in events]
        return [
            (event.type, str([body.get(name) for name in (*names, "status", "amount")]))
            for event, body in zip(events, shown, strict=True)
        ]

    random = ("command", "public_id", "links", "link", "uuid", "customer_uuid", "wallets", "buyer", "seller", "of")
    ids = ("entry", "payin_id", "payout_id", "refund_id", "customer_id", "release_shard", "changed_at_ms", "at_ms")
    return {
        "accounts": sorted(without(row, *ids, "source", "target") for row in accounts),
        "escrows": sorted(without(row, *random, *ids, *(["owner"] if "place" in row else [])) for row in escrows),
        "names": sorted(row["entry"].split("/")[0] for row in escrows),
        "events": sorted(map(told, world.database.scan("outbox"))),
        "answers": len(list(world.database.scan("requests"))),
    }


@pytest.fixture(scope="module")
def prepared(built: tuple[MemoryDynamoDB, EscrowWorld]) -> Callable[[str], tuple[MemoryDynamoDB, EscrowWorld, Order]]:
    """Give the tables before a scenario's command; each scenario is prepared once."""
    known: dict[str, tuple[MemoryDynamoDB, EscrowWorld, Order]] = {}

    def prepare(name: str) -> tuple[MemoryDynamoDB, EscrowWorld, Order]:
        if name not in known:
            tables = built[0].clone()
            world = built[1].over(database_of(tables))
            order = SCENARIOS[name].prepare(world)
            known[name] = tables, world, order
        return known[name]

    return prepare


def without_counters(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return tables | {"escrows": [row for row in tables["escrows"] if not row["entry"].startswith("counter/")]}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_command_is_done_once_and_whole(prepared: Any, name: str, fault: str) -> None:
    tables_before, world_before, order = prepared(name)
    command = SCENARIOS[name].command
    undisturbed = world_before.over(database_of(tables_before.clone()))
    command(undisturbed, order, receipt_of(undisturbed))
    expected = facts(undisturbed)
    assert expected != facts(world_before)
    for tables, faulty in each_call(tables_before, FAULTS[fault]):
        world = world_before.over(database_of(tables))
        before = without_counters(world.tables())
        try:
            disturbed = world.over(database_of(faulty))
            command(disturbed, order, receipt_of(disturbed))
        except Unavailable:
            assert without_counters(world.tables()) == before, (
                f"unavailable at call {faulty.at}, and something was changed"
            )
        except ACCEPTED:
            pass
        check_money(world)
        if not has_answer(world):
            command(world, order, receipt_of(world))
        world.desk.sweep()
        check_all(world)
        assert facts(world) == expected, f"{fault} at call {faulty.at}"


@pytest.mark.parametrize("name", ["block", "payout", "validate and release", "wallet payin"])
def test_a_command_whose_answer_and_first_look_up_are_lost_is_looked_up_again(prepared: Any, name: str) -> None:
    """The step is written, and neither that nor its entry's presence is told. The next try finds it done."""
    tables_before, world_before, order = prepared(name)
    undisturbed = world_before.over(database_of(tables_before.clone()))
    SCENARIOS[name].command(undisturbed, order, receipt_of(undisturbed))
    tables, lost = tables_before.clone(), []

    def watch(operation: str, call: Call) -> Any:
        if not lost and operation == "transact_write_items":
            lost.append(operation)
            call()
            raise ReadTimeoutError(endpoint_url=ENDPOINT)
        if lost == ["transact_write_items"] and operation == "get_item":
            lost.append(operation)
            raise refusal("ThrottlingException", operation)
        return call()

    disturbed = world_before.over(database_of(WatchedClient(tables, watch)))
    SCENARIOS[name].command(disturbed, order, receipt_of(disturbed))
    assert lost == ["transact_write_items", "get_item"]
    assert facts(world_before.over(database_of(tables))) == facts(undisturbed)
