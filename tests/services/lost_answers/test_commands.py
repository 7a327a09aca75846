"""What a command was told holds, whichever attempt at a write was carried out and not answered (T60; guarantees 1, 7).

Told that it is done: it is, once. Told that nothing was changed: nothing is. Where the tables can be read, what was
carried out is known, whatever came after it. All of it also on an engine that does not know a transaction again by its
request token.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.books.admission import Refusal
from chalicelib.domain.books.config import BookConfig
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.admission import Admitted
from chalicelib.services.books.amending import Queued
from chalicelib.services.ledger.movements import Movements, Recorded
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.journal import TABLE as JOURNAL
from tests.apis.book.desk import open_desk
from tests.in_memory import database_of, empty_tables
from tests.invariants import check_invariants
from tests.lossy_endpoint import BATCH_LOSSES, LOSSES, NEVER_APPLIED, Endpoint, Lossy
from tests.memory import MemoryDynamoDB
from tests.scenarios import CREDITED
from tests.services.books import test_admission_faults as admission
from tests.services.escrow import test_faults as escrow
from tests.services.escrow.world import EscrowWorld, check_all
from tests.services.ledger import test_movement_faults as movements
from tests.services.lost_answers.losses import copied, each_write, engines, facts, losses, swept
from tests.services.signed import test_faults as signed
from tests.services.signed.market import Market, open_market
from tests.world import World


@pytest.mark.parametrize("loss", [name for name in BATCH_LOSSES if name != NEVER_APPLIED])
def test_a_batch_is_matched_once_whatever_is_lost_of_its_writes(
    lossy: Lossy, market: tuple[MemoryDynamoDB, World], loss: str
) -> None:
    """The entry, and each row that it means, whatever part of a batch of statements is carried out: where all attempts
    are answered in the end, the matcher goes on."""
    for at, tables, _, client in each_write(lossy, market[0], loss, least=4):
        world = market[1].over(database_of(tables))
        world.placed("ben", "BUY", 150, 50)
        world.stream_new_commands()
        if world.over(database_of(client)).deliver(records=world.records):
            assert BATCH_LOSSES[loss].then is not None, at
        assert world.deliver(world.matcher(), world.records) == []
        check_invariants(world, CREDITED)
        assert len(list(database_of(tables).scan(JOURNAL))) == len(list(market[1].database.scan(JOURNAL))) + 1


@pytest.fixture(scope="module")
def till() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    return client, open_desk(World(database_of(client))).world


@engines
@losses
@pytest.mark.parametrize("route", movements.MOVEMENTS)
@pytest.mark.parametrize("name", [movements.with_reference, lambda movement: movement], ids=["reference", "none"])
@pytest.mark.parametrize("reads_fail", [False, True], ids=["can look", "cannot look"])
def test_a_movement_is_done_once(
    lossy: Lossy,
    till: tuple[MemoryDynamoDB, World],
    loss: str,
    route: str,
    knows_tokens: bool,
    name: Any,
    reads_fail: bool,
) -> None:
    tables = copied(till[0], knows_tokens=knows_tokens)
    world, movement = till[1].over(database_of(tables)), name(movements.MOVEMENTS[route])
    told: object = None
    with lossy.over(Endpoint(tables, LOSSES[loss], at=1, reads_fail_after=reads_fail)) as client:
        try:
            told = Movements(database_of(client)).record(movement)
        except (Unavailable, OutcomeUnknown) as error:
            told = error
    is_done = movements.funds(world) == movements.AFTER[route]
    if loss == NEVER_APPLIED:
        assert type(told) is Unavailable
        assert movements.funds(world) == (movements.FUNDS, movements.FUNDS)
    else:
        assert is_done
        assert isinstance(told, Recorded if not reads_fail else Recorded | OutcomeUnknown)
    Verifier(world.database).verify(world.book)
    if movement.reference:
        Movements(world.database).record(movement)
        assert movements.funds(world) == movements.AFTER[route]


ASKED = [
    admission.limit, admission.market, admission.named, admission.expiring,
    admission.too_much, admission.cancel, admission.amend, admission.pause,
]  # fmt: skip


@swept
@pytest.mark.parametrize("request_of", ASKED)
def test_what_is_asked_of_a_book_is_asked_once(
    lossy: Lossy, market: tuple[MemoryDynamoDB, World], request_of: Any, loss: str, knows_tokens: bool
) -> None:
    tables = copied(market[0], knows_tokens=knows_tokens)
    world = market[1].over(database_of(tables))
    before = world.tables()
    with lossy.over(Endpoint(tables, LOSSES[loss], at=1)) as client:
        try:
            told = request_of(database_of(client), world)
        except (Unavailable, OutcomeUnknown) as error:
            told = error
    if request_of is admission.too_much and not isinstance(told, Unavailable | OutcomeUnknown):
        assert isinstance(told, Refusal)
    elif loss == NEVER_APPLIED:
        assert type(told) is Unavailable
    elif request_of is not admission.too_much:
        assert told is True or isinstance(told, Admitted | BookConfig | Queued)
    if isinstance(told, Unavailable | Refusal):
        assert world.tables() == before
    world.stream_new_commands()
    assert len(world.records) == len(market[1].records) + (
        told is True or isinstance(told, Admitted | BookConfig | Queued)
    )
    assert world.deliver() == []
    check_invariants(world, CREDITED)


@pytest.fixture(scope="module")
def opened() -> MemoryDynamoDB:
    client = empty_tables()
    open_market(database_of(client), fee_bps=25)
    return client


@swept
@pytest.mark.parametrize("name", signed.SCENARIOS)
def test_a_command_on_a_signed_order(
    lossy: Lossy, opened: MemoryDynamoDB, name: str, loss: str, knows_tokens: bool
) -> None:
    scenario, built = signed.SCENARIOS[name], opened.clone()
    calm = Market(database_of(built))
    calm.settings = replace(calm.settings, fee_bps=25)
    scenario.before(calm)
    before = signed.shown(calm)
    swept, done = calm.over(database_of(built.clone())), calm.over(database_of(built.clone()))
    swept.desk.sweep()
    scenario.command(done)
    for at, tables, _, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        market, struck = calm.over(database_of(tables)), calm.over(database_of(client))
        try:
            scenario.command(struck)
        except (Unavailable, OutcomeUnknown) as error:
            assert loss == NEVER_APPLIED, f"{at}: not known to be done"
            assert isinstance(error, Unavailable) or name == "sweep"  # noqa: PT017 - its own word for a lapse left
            assert signed.shown(market) in (before, signed.shown(swept))
        else:
            assert signed.shown(market) == signed.shown(done), at
        signed.proven(market)


@swept
@pytest.mark.parametrize("name", escrow.SCENARIOS)
def test_a_command_on_an_escrow_order(
    lossy: Lossy, escrows: tuple[MemoryDynamoDB, EscrowWorld], name: str, loss: str, knows_tokens: bool
) -> None:
    scenario, built = escrow.SCENARIOS[name], escrows[0].clone()
    calm = escrows[1].over(database_of(built))
    order = scenario.prepare(calm)
    done = calm.over(database_of(built.clone()))
    scenario.command(done, order, escrow.receipt_of(done))
    before, after = facts(calm.database), escrow.facts(done)
    for at, tables, _, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        world, struck = calm.over(database_of(tables)), calm.over(database_of(client))
        try:
            scenario.command(struck, order, escrow.receipt_of(struck))
        except Unavailable:
            assert facts(world.database) == before, f"{at}: unavailable, and something was changed"
            scenario.command(world, order, escrow.receipt_of(world))
        world.desk.sweep()
        check_all(world)
        assert escrow.facts(world) == after, at


@pytest.fixture(scope="module")
def escrows() -> tuple[MemoryDynamoDB, EscrowWorld]:
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    world.deposit(200)
    return client, world
