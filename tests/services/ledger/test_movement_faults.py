"""What was told of a credit, a debit or a transfer holds, whatever went wrong at whichever call (guarantees 1 and 7).

Each is made once for every call and fault. Carried out: it is there, whole, once. Refused or Unavailable: no table has
changed. Anything may have become of one whose outcome is unknown, or whose function died, but it is whole or not there,
and repeating it by its reference, or by its idempotency key, ends in one movement.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chalicelib.apis.book.routes import CREDIT, DEBIT, TRANSFER
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.ledger.movements import InsufficientBalance, Movements, Recorded
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import Desk, open_desk
from tests.faults import FAULTS, Died, FaultyClient
from tests.in_memory import database_of, each_call, empty_tables
from tests.memory import MemoryDynamoDB
from tests.world import BASE, INSTANCE, World

FUNDS = 1000
"""What ann and ben have at first."""
AMOUNT = 400
AFTER = {CREDIT: (1400, 1000), DEBIT: (600, 1000), TRANSFER: (600, 1400)}
"""What ann and ben have after one movement."""


@pytest.fixture(scope="module")
def built() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    return client, open_desk(World(database_of(client))).world


def funds(world: World) -> tuple[int, int]:
    return world.balance("ann", BASE)[0], world.balance("ben", BASE)[0]


MOVEMENTS = {
    CREDIT: Movement(INSTANCE, BASE, None, "ann", AMOUNT),
    DEBIT: Movement(INSTANCE, BASE, "ann", None, AMOUNT),
    TRANSFER: Movement(INSTANCE, BASE, "ann", "ben", AMOUNT),
}
TOO_MUCH = Movement(INSTANCE, BASE, "ann", "ben", FUNDS + 1)


def with_reference(movement: Movement) -> Movement:
    return Movement(movement.instance, movement.asset, movement.source, movement.target, movement.amount, "rent")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", [CREDIT, DEBIT, TRANSFER])
@pytest.mark.parametrize("name", [with_reference, lambda movement: movement], ids=["reference", "none"])
def test_what_was_told_of_a_movement_holds(
    built: tuple[MemoryDynamoDB, World], route: str, fault: str, name: Callable[[Movement], Movement]
) -> None:
    movement = name(MOVEMENTS[route])
    for tables, faulty in each_call(built[0], FAULTS[fault]):
        world = built[1].over(database_of(tables))
        before = world.tables()
        told: object = None
        try:
            told = Movements(database_of(faulty)).record(movement)
        except Unavailable:
            assert world.tables() == before, f"unavailable at call {faulty.at}, and something was changed"
        except (OutcomeUnknown, Died):
            assert funds(world) in ((FUNDS, FUNDS), AFTER[route])
        if isinstance(told, Recorded):
            assert funds(world) == AFTER[route]
        Verifier(world.database).verify(world.book)
        if movement.reference:
            again = Movements(world.database).record(movement)
            assert funds(world) == AFTER[route]
            assert told in (None, Recorded(again.transaction_id, is_new=True))
            Verifier(world.database).verify(world.book)


@pytest.mark.parametrize("route", [CREDIT, DEBIT, TRANSFER])
def test_a_movement_whose_answer_is_lost_is_looked_up(built: tuple[MemoryDynamoDB, World], route: str) -> None:
    """Calls of a movement: the token, the end of the lane, the transaction."""
    tables = built[0].clone()
    faulty = FaultyClient(tables, FAULTS["outcome unknown"], at=3)
    assert Movements(database_of(faulty)).record(MOVEMENTS[route]).is_new
    assert funds(built[1].over(database_of(tables))) == AFTER[route]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_movement_that_the_funds_do_not_cover_changes_nothing_at_any_fault(
    built: tuple[MemoryDynamoDB, World], fault: str
) -> None:
    for tables, faulty in each_call(built[0], FAULTS[fault]):
        world = built[1].over(database_of(tables))
        before = world.tables()
        with pytest.raises((InsufficientBalance, Unavailable, OutcomeUnknown, Died)):
            Movements(database_of(faulty)).record(with_reference(TOO_MUCH))
        assert world.tables() == before


@pytest.mark.parametrize("fault", [name for name in FAULTS if not name.startswith("death")])
@pytest.mark.parametrize("route", [CREDIT, DEBIT, TRANSFER])
def test_an_answer_is_true_at_whichever_call_dynamodb_fails(
    built: tuple[MemoryDynamoDB, World], route: str, fault: str
) -> None:
    """200: it is done, the balance shown is right. 503: nothing was changed. A key always ends in one movement."""
    for tables, faulty in each_call(built[0], FAULTS[fault], least=3):
        world = built[1].over(database_of(tables))
        before = world.tables()
        response = Desk(world, new_book_desk(database_of(faulty))).post(route, key="pay-0001", amount=str(AMOUNT))
        if response.status == 200:
            assert funds(world) == AFTER[route]
            assert json.loads(response.body)["data"].get("balance", str(AFTER[route][0])) == str(AFTER[route][0])
        elif response.status == 503:
            assert world.tables() == before
        else:
            assert json.loads(response.body)["error"]["code"] in ("INTERNAL_ERROR", "AUTH_ERROR")
        again = Desk(world, new_book_desk(world.database)).post(route, key="pay-0001", amount=str(AMOUNT))
        assert again.status == 200
        assert funds(world) == AFTER[route]
        if response.status == 200:
            shown, repeated = (json.loads(one.body)["data"] for one in (response, again))
            assert shown == repeated
