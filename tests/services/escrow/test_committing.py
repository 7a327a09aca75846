"""What becomes of a command whose answer is lost, or that others keep from being done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.escrow.faults import DeskBusy
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.services.escrow.committing import TRIES_MAX
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.support.outcomes import OutcomeUnknown
from chalicelib.tables.accounts import LedgerBroken
from tests.faults import FAULTS, WatchedClient
from tests.in_memory import database_of
from tests.memory import MemoryDynamoDB
from tests.services.escrow.world import EscrowWorld, check_all, eur


def at_transactions(tables: Any, fault: Callable[[Callable[[], Any]], Any]) -> Any:
    """Return a client whose transactions go through the fault."""
    return WatchedClient(tables, lambda operation, call: fault(call) if operation == "transact_write_items" else call())


@pytest.fixture
def tables(built: tuple[MemoryDynamoDB, EscrowWorld]) -> MemoryDynamoDB:
    return built[0].clone()


@pytest.fixture
def undisturbed(built: tuple[MemoryDynamoDB, EscrowWorld], tables: MemoryDynamoDB) -> EscrowWorld:
    return built[1].over(database_of(tables))


def test_a_command_that_was_done_is_known_though_others_came_after(
    undisturbed: EscrowWorld, tables: MemoryDynamoDB
) -> None:
    """The answer of an acceptance is lost; before it is looked up, the order is blocked."""
    order = undisturbed.paid(100)

    def lose(call: Callable[[], Any]) -> Any:
        call()
        undisturbed.desk.block(undisturbed.scope, order.order_id)
        return FAULTS["error before"]("transact_write_items", call)

    disturbed = undisturbed.over(database_of(at_transactions(tables, lose)))
    shown = disturbed.desk.accept(undisturbed.scope, order.order_id)
    assert shown.status is Status.ACCEPTED, "as the command left it"
    assert undisturbed.now(order).blocked_from is Status.ACCEPTED
    check_all(undisturbed)


def test_a_command_that_is_done_late_is_done_once(undisturbed: EscrowWorld, tables: MemoryDynamoDB) -> None:
    """The connection fails first and the transaction comes through afterwards, before the next try's own."""
    order, late = undisturbed.order(100), []

    def delay(call: Callable[[], Any]) -> Any:
        if not late:
            late.append(call)
            return FAULTS["error before"]("transact_write_items", call)
        late[0]()
        return call()

    disturbed = undisturbed.over(database_of(at_transactions(tables, delay)))
    payin = disturbed.pay(order)
    assert (undisturbed.now(order).payins, undisturbed.payin_of(order)) == (1, payin)
    assert undisturbed.funds(undisturbed.buyer) == (eur(100), eur(100))
    check_all(undisturbed)


@pytest.mark.parametrize("others_come", [False, True], ids=["the last", "others came after"])
def test_a_command_that_is_done_before_it_is_read_again_is_done_once(
    undisturbed: EscrowWorld, tables: MemoryDynamoDB, others_come: bool
) -> None:
    """The connection fails first; the transaction comes through when the next try is about to read the order."""
    order, late = undisturbed.paid(100), []

    def watch(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and not late:
            late.append(call)
            return FAULTS["error before"](operation, call)
        return call()

    def come_through(_seconds: float) -> None:
        late[0]()
        if others_come:
            undisturbed.desk.block(undisturbed.scope, order.order_id)

    database = database_of(WatchedClient(tables, watch), come_through)
    desk = EscrowDesk(database, lambda: undisturbed.now_s)
    shown = desk.accept(undisturbed.scope, order.order_id)
    assert Status.ACCEPTED in (shown.status, shown.blocked_from)
    assert (shown.blocked_from is Status.ACCEPTED, len(late)) == (others_come, 1)
    check_all(undisturbed)


def test_who_is_kept_off_eight_times_gives_up_and_has_changed_nothing(
    undisturbed: EscrowWorld, tables: MemoryDynamoDB
) -> None:
    order, tries = undisturbed.paid(100), []

    def overtake(call: Callable[[], Any]) -> Any:
        tries.append(call)
        undisturbed.desk.update_order(undisturbed.scope, order.order_id, {"metadata": {"n": len(tries)}})
        return call()

    waits: list[float] = []
    database = database_of(at_transactions(tables, overtake), waits.append)
    desk = EscrowDesk(database, lambda: undisturbed.now_s)
    with pytest.raises(DeskBusy):
        desk.accept(undisturbed.scope, order.order_id)
    assert (len(tries), len(waits)) == (TRIES_MAX, TRIES_MAX - 1) == (8, 7)
    assert all(0 <= wait <= 1 for wait in waits)
    assert undisturbed.now(order).status is Status.PUBLISHED
    check_all(undisturbed)


def test_who_cannot_even_look_says_that_it_does_not_know(undisturbed: EscrowWorld, tables: MemoryDynamoDB) -> None:
    order = undisturbed.paid(100)
    is_down: list[bool] = []

    def watch(operation: str, call: Callable[[], Any]) -> Any:
        if operation == "transact_write_items":
            is_down.append(True)
            return FAULTS["outcome unknown"](operation, call)
        return FAULTS["throttled"](operation, call) if is_down else call()

    disturbed = undisturbed.over(database_of(WatchedClient(tables, watch)))
    with pytest.raises(OutcomeUnknown):
        disturbed.desk.accept(undisturbed.scope, order.order_id)
    assert undisturbed.now(order).status is Status.ACCEPTED


def test_an_order_that_holds_more_than_its_account_is_a_broken_ledger(undisturbed: EscrowWorld) -> None:
    order = undisturbed.paid(100)
    owner = f"{undisturbed.scope.instance}/customer/{undisturbed.buyer.ref}"
    entry = {"owner": owner, "entry": f"balance/{order.currency.asset}"}
    row = undisturbed.database.get("accounts", entry)
    assert row is not None
    undisturbed.database.put_many("accounts", [row | {"held": eur(99)}])
    with pytest.raises(LedgerBroken):
        undisturbed.desk.validate(undisturbed.scope, order.order_id, auto_accept=True)
    assert undisturbed.now(order).status is Status.PENDING_RELEASE
    assert undisturbed.funds(undisturbed.seller) == (0, 0)
