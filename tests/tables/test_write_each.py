"""Independent writes in calls of 25 statements: each has the outcome that it has alone, whatever a call comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.domain.ledger.changes import Change
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import ConditionFailed, Delete, Put, Update, Write
from tests.faults import ENDPOINT, Call, Fault, WatchedClient, refusal

BOOK, NOW_MS = "inst/ob", 1_700_000_000_000
OWNERS = [f"owner {number:02d}" for number in range(60)]
ENTRY = "balance/x"

CONDITIONS = [
    None,
    "attribute_exists(#owner)",
    "attribute_not_exists(#owner)",
    "attribute_not_exists(#m)",
    "attribute_exists(#m) AND attribute_not_exists(#n)",
    "#m < :v",
    "#m <> :v",
    "#m >= :v AND #n = :v",
    "attribute_not_exists(#m) OR #m < :v",
    "(#m <= :v OR attribute_not_exists(#m)) AND #n >= :v",
    "#m < :v OR (attribute_not_exists(#m) AND attribute_not_exists(#n))",
    "#m < :v OR #n < :v",
]
CHANGES = ["SET #n = :v", "ADD #m :v", "SET #m = #m - :v REMOVE #n", "REMOVE #m"]


def kinds_of_writes() -> Iterator[tuple[Callable[[str], Write], str | None]]:
    """Yield each kind of write with each condition: what makes it for an owner."""
    for condition in CONDITIONS:
        used = {":v": 2} if condition and ":v" in condition else None
        yield lambda owner, c=condition, v=used: Put("accounts", key(owner) | {"n": 9}, c, v), condition
        yield lambda owner, c=condition, v=used: Delete("accounts", key(owner), c, v), condition
        for change in CHANGES:
            value = {":v": 2} if ":v" in change or used else None
            yield lambda owner, e=change, c=condition, v=value: Update("accounts", key(owner), e, c, v), condition


def key(owner: str) -> Row:
    return {"owner": owner, "entry": ENTRY}


def rows_there_may_be(owner: str) -> list[Row | None]:
    values = [{}, *({"m": m} for m in (1, 2, 3))]
    found = [key(owner) | m | n for m, n in product(values, [{}, {"n": 1}, {"n": 2}])]
    return [None, *found]


def alone(database: Database, write: Write) -> tuple[bool, Row | None]:
    """Return whether a write is refused by itself, or faulty, and the row found or left."""
    try:
        database.write(write)
    except ConditionFailed as error:
        return True, error.row
    return False, database.get("accounts", key_of(write))


def key_of(write: Write) -> Row:
    found = write.row if isinstance(write, Put) else write.key
    return {"owner": found["owner"], "entry": ENTRY}


@pytest.mark.parametrize("store", ["embedded_database", "memory_database"], indirect=True)
def test_each_write_has_the_outcome_that_it_has_alone(store: Database) -> None:
    cases = [
        (make, row)
        for make, _ in kinds_of_writes()
        for row in rows_there_may_be("x")
        if not ("#m -" in str(make("x")) and not (row or {}).get("m"))  # no number to subtract from
    ]
    if store._client.__class__.__name__ != "MemoryDynamoDB":
        cases = cases[::7]
    single = [f"single {number}" for number in range(len(cases))]
    shared = [f"shared {number}" for number in range(len(cases))]
    rows = [row | {"owner": owners[n]} for owners in (single, shared) for n, (_, row) in enumerate(cases) if row]
    store.put_many("accounts", rows)
    expected = [alone(store, make(owner)) for owner, (make, _) in zip(single, cases, strict=True)]
    refused = store.write_each([make(owner) for owner, (make, _) in zip(shared, cases, strict=True)])
    for number, (is_refused, row) in enumerate(expected):
        left = refused[number] if is_refused else store.get("accounts", key(shared[number]))
        assert (number in refused) == is_refused
        assert left == (row and row | {"owner": shared[number]})
        if is_refused:
            assert store.get("accounts", key(shared[number])) == left


# Faults of a call


def one_answer(change: Callable[[list[Any]], list[Any]]) -> Fault:
    """Carry the call out, and answer otherwise."""

    def fault(operation: str, call: Call) -> Any:
        answer = call()
        return {"Responses": change(answer["Responses"])} if operation == "batch_execute_statement" else answer

    return fault


def told(code: str, *, is_done: bool) -> Fault:
    """Tell of each second statement that it failed so. is_done: it is carried out nevertheless."""

    def fault(operation: str, call: Call) -> Any:
        if operation != "batch_execute_statement":
            return call()
        answers = call()["Responses"] if is_done else [{}] * 25
        error = {"Error": {"Code": code, "Message": "a fault of this test"}}
        return {"Responses": [error if number % 2 else answer for number, answer in enumerate(answers)]}

    return fault


def lost(operation: str, call: Call) -> Any:
    answer = call()
    if operation == "batch_execute_statement":
        raise ReadTimeoutError(endpoint_url=ENDPOINT)
    return answer


def never_there(operation: str, call: Call) -> Any:
    if operation == "batch_execute_statement":
        raise ReadTimeoutError(endpoint_url=ENDPOINT)
    return call()


def refused_whole(operation: str, call: Call) -> Any:
    if operation == "batch_execute_statement":
        raise refusal("ValidationException", operation)
    return call()


FAULTS: dict[str, Fault] = {
    "done, and the answer is lost": lost,
    "not done, and no answer": never_there,
    "refused as a whole": refused_whole,
    "an answer for fewer statements": one_answer(lambda responses: responses[:-1]),
    "an answer for more": one_answer(lambda responses: [*responses, {}]),
    "an answer for none": one_answer(lambda _: []),
} | {
    f"{code}, done": told(code, is_done=True)
    for code in ("InternalServerError", "ConditionalCheckFailed", "ThrottlingError", "SomethingNew")
}


def opened(database: Database) -> None:
    database.put_many("accounts", [key(owner) | {"available": 100, "held": 50} for owner in OWNERS])


def over(database: Database, fault: Fault) -> Database:
    client: Any = WatchedClient(database._client, fault)
    return Database(client, database._prefix, pause=lambda _seconds: None)


def settled(database: Database, sequence: int = 7) -> None:
    changes = {(owner, "x"): Change(available=3, held=-2) for owner in OWNERS}
    Accounts(database).settle(BOOK, sequence, changes, NOW_MS)


def balances(database: Database) -> set[tuple[int, int]]:
    return {(row["available"], row["held"]) for row in database.scan("accounts")}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_becomes_of_a_call_each_account_is_settled_once(memory_database: Database, name: str) -> None:
    opened(memory_database)
    settled(over(memory_database, FAULTS[name]))
    assert balances(memory_database) == {(103, 48)}
    settled(memory_database)
    assert balances(memory_database) == {(103, 48)}


@pytest.mark.parametrize("code", ["TransactionConflict", "ProvisionedThroughputExceeded", "ValidationError"])
def test_a_statement_that_is_not_done_is_written_by_itself(memory_database: Database, code: str) -> None:
    opened(memory_database)

    def fault(operation: str, call: Call) -> Any:
        if operation != "batch_execute_statement":
            return call()
        return {"Responses": [{"Error": {"Code": code, "Message": ""}}] * 25}

    settled(over(memory_database, fault))
    assert balances(memory_database) >= {(103, 48)}


def test_a_call_that_is_throttled_is_not_made_write_by_write(memory_database: Database) -> None:
    opened(memory_database)
    made: list[str] = []

    def throttled(operation: str, call: Call) -> Any:
        made.append(operation)
        if operation == "batch_execute_statement":
            raise refusal("ThrottlingException", operation)
        return call()

    with pytest.raises(Unavailable):
        settled(over(memory_database, throttled))
    assert made.count("update_item") == 0
    assert balances(memory_database) == {(100, 50)}


@pytest.mark.parametrize("name", ["done, and the answer is lost", "an answer for none", "InternalServerError, done"])
def test_a_write_that_is_throttled_after_a_lost_answer_is_unknown(memory_database: Database, name: str) -> None:
    opened(memory_database)

    def fault(operation: str, call: Call) -> Any:
        if operation == "update_item":
            raise refusal("ThrottlingException", operation)
        return FAULTS[name](operation, call)

    with pytest.raises(OutcomeUnknown):
        settled(over(memory_database, fault))


def test_sixty_accounts_are_settled_in_three_calls(memory_database: Database) -> None:
    opened(memory_database)
    made: list[str] = []

    def count(operation: str, call: Call) -> Any:
        made.append(operation)
        return call()

    settled(over(memory_database, count))
    assert made == ["batch_get_item", *["batch_execute_statement"] * 3]


def test_accounts_that_are_not_there_yet_and_full_ones_are_settled_by_themselves(memory_database: Database) -> None:
    full = {f"mark/inst/{number}": 1 for number in range(16)} | {"marks_beside": True, f"mark/{BOOK}": 6}
    opened(memory_database)
    memory_database.put_many("accounts", [key(OWNERS[0]) | {"available": 100, "held": 50} | full])
    memory_database.delete_many("accounts", [key(OWNERS[1])])
    changes = {(owner, "x"): Change(available=3, held=0) for owner in OWNERS}
    for _ in range(2):
        Accounts(memory_database).settle(BOOK, 7, changes, NOW_MS)
        assert balances(memory_database) == {(103, 50), (3, 0)}
