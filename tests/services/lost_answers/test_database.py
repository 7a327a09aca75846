"""DynamoDB's one way in tells what was done, whichever attempt of the SDK was carried out and not answered (T60)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.writes import ConditionFailed, Put, Update
from tests.in_memory import database_of, empty_tables
from tests.lossy_endpoint import LOSSES, NEVER_APPLIED, Endpoint, Lossy
from tests.memory import MemoryDynamoDB
from tests.services.lost_answers.losses import APPLIED, engines


@pytest.fixture
def tables() -> MemoryDynamoDB:
    return empty_tables()


def attempted(lossy: Lossy, tables: MemoryDynamoDB, loss: str, work: Callable[[Database], object]) -> object:
    with lossy.over(Endpoint(tables, LOSSES[loss], at=1)) as client:
        return work(database_of(client))


ROW = {"owner": "ann", "entry": "x", "by": "me"}
NEW = Put("accounts", ROW, "attribute_not_exists(#entry)")


@pytest.mark.parametrize("loss", APPLIED)
def test_a_write_that_its_own_first_attempt_has_refused_is_known_by_its_row(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str
) -> None:
    try:
        attempted(lossy, tables, loss, lambda database: database.write(NEW))
    except OutcomeUnknown:
        assert LOSSES[loss].then is not None, "an attempt was answered, and it is known what stands there"
    assert database_of(tables).get("accounts", {"owner": "ann", "entry": "x"}) == ROW


def test_a_row_of_another_is_not_taken_for_its_own(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    database_of(tables).write(Put("accounts", ROW | {"by": "another"}))
    for loss in ("applied, answer cut in the middle", "applied, then a conflict that passes"):
        with pytest.raises(ConditionFailed):
            attempted(lossy, tables, loss, lambda database: database.write(NEW))


def test_a_change_that_its_row_does_not_tell_of_is_not_known(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    first = Update("accounts", {"owner": "ann", "entry": "x"}, "SET #n = :n", "attribute_not_exists(#n)", {":n": 1})
    with pytest.raises(OutcomeUnknown):
        attempted(lossy, tables, "applied, answer cut in the middle", lambda database: database.write(first))


def test_throttles_alone_have_changed_nothing(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    for work in (
        lambda database: database.write(NEW),
        lambda database: database.transact([NEW]),
        lambda database: database.put_many("accounts", [ROW]),
    ):
        with pytest.raises(Unavailable):
            attempted(lossy, tables, NEVER_APPLIED, work)
    assert list(database_of(tables).scan("accounts")) == []


@engines
@pytest.mark.parametrize("loss", APPLIED)
def test_a_transaction_that_may_be_done_is_looked_for(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str, knows_tokens: bool
) -> None:
    tables.knows_tokens = knows_tokens

    def is_done() -> bool:
        return database_of(tables).get("accounts", {"owner": "ann", "entry": "x"}) == ROW

    attempted(lossy, tables, loss, lambda database: database.transact([NEW], is_done))
    assert is_done()


@pytest.mark.parametrize("passing", ["applied, then a conflict that passes", "applied, once without an answer"])
def test_a_transaction_that_is_tried_again_is_done_once(lossy: Lossy, tables: MemoryDynamoDB, passing: str) -> None:
    """Without a condition the token alone tells DynamoDB that it has done it."""
    more = Update("accounts", {"owner": "ann", "entry": "x"}, "ADD #n :one", values={":one": 1})
    attempted(lossy, tables, passing, lambda database: database.transact([more]))
    assert database_of(tables).get("accounts", {"owner": "ann", "entry": "x"}) == {"owner": "ann", "entry": "x", "n": 1}


@pytest.mark.parametrize("loss", APPLIED)
def test_a_transaction_that_nobody_can_look_for_is_not_known(lossy: Lossy, tables: MemoryDynamoDB, loss: str) -> None:
    tables.knows_tokens = False
    for is_done in (None, lambda: None):
        with pytest.raises(OutcomeUnknown):
            attempted(lossy, tables.clone(), loss, lambda database, look=is_done: database.transact([NEW], look))


@pytest.mark.parametrize("loss", APPLIED)
def test_rows_that_were_written_in_batches_are_not_said_to_be_unchanged(
    lossy: Lossy, tables: MemoryDynamoDB, loss: str
) -> None:
    try:
        attempted(lossy, tables, loss, lambda database: database.put_many("accounts", [ROW]))
    except OutcomeUnknown:
        assert LOSSES[loss].then is not None
    assert list(database_of(tables).scan("accounts")) == [ROW]


def test_a_batch_after_one_that_was_written_is_not_said_to_have_changed_nothing(
    lossy: Lossy, tables: MemoryDynamoDB
) -> None:
    rows = [{"owner": "ann", "entry": str(number)} for number in range(30)]
    with lossy.over(Endpoint(tables, LOSSES[NEVER_APPLIED], at=2)) as client, pytest.raises(OutcomeUnknown):
        database_of(client).put_many("accounts", rows)


def test_half_an_answer_is_no_answer_to_a_read(lossy: Lossy, tables: MemoryDynamoDB) -> None:
    database_of(tables).write(NEW)
    half = Endpoint(tables, LOSSES["applied, answer made shorter"])
    half._carried_out = lambda operation, body: half.loss.first(operation, body)  # type: ignore[method-assign]
    with lossy.over(half) as client, pytest.raises(Unavailable):
        database_of(client).get("accounts", {"owner": "ann", "entry": "x"})
