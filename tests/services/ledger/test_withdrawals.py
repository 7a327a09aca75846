"""Withdrawals of fees (T95): what was told of one holds, whatever went wrong at whichever call (guarantees 1 and 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.owners import escrow_fees, fees_key, supply_key
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.domain.ledger.transactions import TransactionType, Withdrawal
from chalicelib.domain.tenancy.instances import World as DeskWorld
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.earnings import Earned, Earnings
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.ledger.movements import InsufficientBalance, ReferenceTaken, UnknownToken
from chalicelib.services.ledger.withdrawals import SandboxFees, Withdrawals, WithdrawnTooMuch
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from tests.faults import FAULTS, Died, after_another
from tests.in_memory import database_of, each_call, empty_tables
from tests.memory import MemoryDynamoDB
from tests.world import BASE, BOOK_ID, INSTANCE, QUOTE, World

FUNDS = 100_000
FEE = 150
"""What the buyer's fee has brought the book: 15 bps of 100,000, in the base asset."""
ALL = Withdrawal(INSTANCE, BOOK_ID, BASE, "venue", None, "2026-11")
OUT = replace(ALL, target=None, amount=100)


@pytest.fixture(scope="module")
def built() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    world = World(database_of(client), taker_fee_bps=15)
    world.credit("ann", BASE, 2 * FUNDS)
    world.credit("ben", QUOTE, 2 * FUNDS)
    world.placed("ann", "SELL", 2 * FUNDS, 1)
    world.placed("ben", "BUY", FUNDS, 1)
    assert world.deliver() == []
    assert world.fees(BASE) == FEE
    return client, world


@pytest.fixture
def world(built: tuple[MemoryDynamoDB, World]) -> World:
    return built[1].over(database_of(built[0].clone()))


def withdrawals(world: World) -> Withdrawals:
    return Withdrawals(world.database)


def supply(world: World) -> int:
    return world.accounts.balance(supply_key(INSTANCE), BASE).available


def earned(world: World) -> list[Earned]:
    return Earnings(world.database).of_instance(INSTANCE)


def state(world: World) -> tuple[int, int, int]:
    """Return the fees that are there, what the venue has, and the supply; verify everything."""
    Verifier(world.database).verify(None)
    return world.fees(BASE), world.balance("venue", BASE)[0], supply(world)


def test_fees_go_to_a_customer_by_a_transfer(world: World) -> None:
    made = withdrawals(world).take(ALL).transaction
    assert (made.kind, made.source, made.target, made.amount) == (TransactionType.TRANSFER, None, "venue", FEE)
    assert state(world) == (0, FEE, 2 * FUNDS)
    assert earned(world) == [Earned(BOOK_ID, BOOK_ID, BASE, FEE, 0)]


def test_fees_leave_the_ledger_by_a_debit_that_lowers_the_supply(world: World) -> None:
    made = withdrawals(world).take(OUT).transaction
    assert (made.kind, made.source, made.target, made.amount) == (TransactionType.DEBIT, None, None, 100)
    assert state(world) == (FEE - 100, 0, 2 * FUNDS - 100)
    assert earned(world) == [Earned(BOOK_ID, BOOK_ID, BASE, FEE, FEE - 100)]


def test_what_is_earned_counts_on_after_a_withdrawal(world: World) -> None:
    withdrawals(world).take(ALL)
    world.placed("ben", "BUY", FUNDS // 2, 1)
    world.deliver()
    assert earned(world) == [Earned(BOOK_ID, BOOK_ID, BASE, FEE + FEE // 2, FEE // 2)]


@pytest.mark.parametrize("asked", [ALL, OUT], ids=["all", "an amount"])
def test_a_reference_is_taken_once(world: World, asked: Withdrawal) -> None:
    first = withdrawals(world).take(asked)
    before = world.tables()
    again = withdrawals(world).take(asked)
    assert (again.transaction, again.is_new) == (first.transaction, False)
    for other in (replace(asked, amount=7), replace(asked, target="another")):
        with pytest.raises(ReferenceTaken):
            withdrawals(world).take(other)
    assert world.tables() == before


def test_what_is_not_there_is_not_taken(world: World) -> None:
    before = world.tables()
    for asked, refusal in (
        (replace(ALL, amount=FEE + 1), InsufficientBalance),
        (replace(ALL, asset=QUOTE), InsufficientBalance),
        (replace(ALL, account="taker-desk"), InsufficientBalance),
        (replace(ALL, asset="0x" + "e" * 40), UnknownToken),
        (replace(ALL, asset=sandbox_asset(BASE)), SandboxFees),
    ):
        with pytest.raises(refusal):
            withdrawals(world).take(asked)
    assert world.tables() == before


def test_all_that_was_ever_withdrawn_has_38_digits_at_most(world: World) -> None:
    key = {"owner": fees_key(INSTANCE, BOOK_ID), "entry": f"balance/{BASE}"}
    row = world.database.get("accounts", key)
    assert row is not None
    world.database.put_many("accounts", [row | {"withdrawn": AMOUNT_MAX - 99}])
    before = world.tables()
    with pytest.raises(WithdrawnTooMuch):
        withdrawals(world).take(replace(OUT, amount=100))
    assert world.tables() == before
    assert withdrawals(world).take(replace(OUT, amount=99)).is_new


def test_fees_of_every_desk_are_shown(world: World) -> None:
    for account, asset in (("taker-desk", QUOTE), (escrow_fees(DeskWorld.SANDBOX), sandbox_asset(QUOTE))):
        change = world.accounts.change(fees_key(INSTANCE, account), asset, 9, 0, 1)
        world.database.write(change)
    assert [(one.account, one.book_id, one.earned) for one in earned(world)] == [
        (BOOK_ID, BOOK_ID, FEE),
        ("taker-desk", None, 9),
        ("escrow-desk-sandbox", None, 9),
    ]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("asked", [ALL, OUT], ids=["all to a customer", "an amount out"])
def test_what_was_told_of_a_withdrawal_holds(
    built: tuple[MemoryDynamoDB, World], asked: Withdrawal, fault: str
) -> None:
    before_it = (FEE, 0, 2 * FUNDS)
    after_it = (0, FEE, 2 * FUNDS) if asked is ALL else (FEE - 100, 0, 2 * FUNDS - 100)
    for tables, faulty in each_call(built[0], FAULTS[fault], least=4):
        world = built[1].over(database_of(tables))
        before = world.tables()
        try:
            Withdrawals(database_of(faulty)).take(asked)
            assert state(world) == after_it
        except Unavailable:
            assert world.tables() == before, f"unavailable at call {faulty.at}, and something was changed"
        except (OutcomeUnknown, Died):
            assert state(world) in (before_it, after_it)
        withdrawals(world).take(asked)
        assert state(world) == after_it


@pytest.mark.parametrize("reference", ["another", ALL.reference])
def test_two_withdrawals_at_once_take_what_is_there_once(built: tuple[MemoryDynamoDB, World], reference: str) -> None:
    """The other one comes right before each call in turn. Under one reference both are told of the same one."""
    other = replace(ALL, reference=reference)
    for tables, faulty in each_call(built[0]):
        world = built[1].over(database_of(tables))
        faulty.fault = after_another(lambda world=world: withdrawals(world).take(other))
        try:
            told = Withdrawals(database_of(faulty)).take(ALL)
            assert told.is_new == (not faulty.has_struck) or reference != ALL.reference
        except InsufficientBalance:
            assert reference != ALL.reference
        assert state(world) == (0, FEE, 2 * FUNDS)


def test_a_withdrawal_at_any_call_of_a_settlement_loses_no_fee(built: tuple[MemoryDynamoDB, World]) -> None:
    for tables, faulty in each_call(built[0], least=5):
        world = built[1].over(database_of(tables))
        done = len(world.records)
        world.placed("ben", "BUY", FUNDS // 2, 1)
        faulty.fault = after_another(lambda world=world: withdrawals(world).take(ALL))
        matcher = Matcher(database_of(faulty), lambda world=world: world.now_ms)
        assert world.deliver(matcher, world.records[done:]) == []
        fees, taken, supplied = state(world)
        assert (fees + taken, supplied) == (FEE + FEE // 2, 2 * FUNDS)
