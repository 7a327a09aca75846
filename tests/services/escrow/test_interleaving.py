"""A command into which another one comes, before each of its calls in turn: one after the other, whichever is first.

What is left in the tables is what one of the two orders of the commands would have left; who is refused is told why.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.escrow.commands import Cancel, Reimburse
from chalicelib.domain.escrow.faults import Forbidden, Invalid
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.order import Order
from chalicelib.domain.escrow.payments import PayinStatus
from tests.faults import after_another
from tests.in_memory import database_of, each_call
from tests.memory import MemoryDynamoDB
from tests.services.escrow.world import EscrowWorld, check_all, eur, fee

Command = Callable[[EscrowWorld, Order], object]


def waiting(world: EscrowWorld) -> Order:
    order = world.paid(100, fee_terms=fee(of=10))
    world.set_delay(60)
    order = world.desk.validate(world.scope, order.order_id, auto_accept=True)
    world.now_s += 60
    return order


def accepted(world: EscrowWorld) -> Order:
    return world.desk.accept(world.scope, world.paid(100, fee_terms=fee(of=10)).order_id)


def open_for_bank_money(world: EscrowWorld) -> Order:
    order = world.order(100)
    world.bankwire(order)
    return world.now(order)


def pay(world: EscrowWorld, order: Order) -> object:
    return world.pay(order).status


def pay_another(world: EscrowWorld, _: Order) -> object:
    """Pay ann's other order, of 150 out of 200."""
    (other,) = [one for one in world.escrows.orders(world.scope) if one.value == eur(150)]
    return world.pay(other).status


def two_orders(world: EscrowWorld) -> Order:
    world.order(150)
    return world.order(100)


def cancel(world: EscrowWorld, order: Order) -> object:
    return world.desk.cancel(world.scope, order.order_id, Cancel()).status


def release(world: EscrowWorld, order: Order) -> object:
    return world.desk.release(world.scope, order.order_id)


def reimburse(world: EscrowWorld, order: Order) -> object:
    return world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(40))).hold


def reimburse_most(world: EscrowWorld, order: Order) -> object:
    return world.desk.reimburse(world.scope, order.order_id, Reimburse(eur(70))).hold


def validate(world: EscrowWorld, order: Order) -> object:
    return world.desk.validate(world.scope, order.order_id).status


def confirm(world: EscrowWorld, order: Order) -> object:
    assert order.payin_id is not None
    return world.desk.confirm_payin(world.scope, order.payin_id, order.value).status


def change_value(world: EscrowWorld, order: Order) -> object:
    return world.desk.update_order(world.scope, order.order_id, {"value": eur(90)}).value


def block(world: EscrowWorld, order: Order) -> object:
    return world.desk.block(world.scope, order.order_id).status


def end(world: EscrowWorld) -> dict[str, Any]:
    """Return how things stand: the same whoever came when, but for ids."""
    states = [(one.status, one.hold, one.refunds, one.payin_amount) for one in world.escrows.orders(world.scope)]
    return {"orders": states, "funds": [world.funds(world.buyer), world.funds(world.seller), world.fees()]}


PAIRS: dict[str, tuple[Callable[[EscrowWorld], Order], Command, Command]] = {
    "pay, pay": (lambda world: world.order(100), pay, pay),
    "pay, pay another": (two_orders, pay, pay_another),
    "pay, confirm": (open_for_bank_money, pay, confirm),
    "confirm, confirm": (open_for_bank_money, confirm, confirm),
    "confirm, change value": (open_for_bank_money, confirm, change_value),
    "confirm, cancel": (open_for_bank_money, confirm, cancel),
    "cancel, release": (waiting, cancel, release),
    "release, release": (waiting, release, release),
    "block, release": (waiting, block, release),
    "reimburse, release": (waiting, reimburse, release),
    "reimburse, validate": (accepted, reimburse, validate),
    "reimburse, reimburse most": (accepted, reimburse, reimburse_most),
    "cancel, cancel": (accepted, cancel, cancel),
}


def told(command: Command, world: EscrowWorld, order: Order) -> str:
    try:
        return str(command(world, order) is not None)
    except (Forbidden, Invalid) as refusal:
        return str(refusal)


@pytest.mark.parametrize("turn", [1, -1], ids=["", "turned"])
@pytest.mark.parametrize("pair", PAIRS)
def test_two_commands_at_once_are_two_commands_one_after_the_other(
    built: tuple[MemoryDynamoDB, EscrowWorld], pair: str, turn: int
) -> None:
    prepare, *commands = PAIRS[pair]
    one, other = commands[::turn]
    before = built[0].clone()
    prepared = built[1].over(database_of(before))
    order = prepare(prepared)
    possible = []
    for first, second in ((one, other), (other, one)):
        world = prepared.over(database_of(before.clone()))
        answers = {command: told(command, world, order) for command in (first, second)}
        possible.append((end(world), answers[one], answers[other]))
    for tables, faulty in each_call(before, least=3):
        world, others = prepared.over(database_of(tables)), []
        faulty.fault = after_another(lambda world=world, others=others: others.append(told(other, world, order)))  # type: ignore[misc]
        answer = told(one, world.over(database_of(faulty)), order)
        check_all(world)
        if not faulty.has_struck:
            continue
        if one is not other:
            assert (end(world), answer, *others) in possible, f"at call {faulty.at}"
        else:
            assert end(world) == possible[0][0], f"at call {faulty.at}"
            assert answer != others[0], "one of the two comes too late"


def test_funds_that_go_between_reading_and_writing_are_a_denial(built: tuple[MemoryDynamoDB, EscrowWorld]) -> None:
    """E16: the other order's hold leaves too little, when this one has looked already."""
    before = built[0].clone()
    prepared = built[1].over(database_of(before))
    order = two_orders(prepared)
    statuses = set()
    for tables, faulty in each_call(before):
        world = prepared.over(database_of(tables))
        faulty.fault = after_another(partial(pay_another, world, order))
        statuses.add(world.over(database_of(faulty)).pay(order).status)
        check_all(world)
        if faulty.has_struck:
            assert sorted(one.status for one in world.escrows.orders(world.scope)) == [Status.FAILURE, Status.PUBLISHED]
    assert statuses == {PayinStatus.DENIED, PayinStatus.CONFIRMED}
