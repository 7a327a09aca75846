"""The contract with DynamoDB, continued: conditional writes in PartiQL, up to 25 a call, on the three engines."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from chalicelib.tables.rows import decode, encode
from tests.tables.engines import EVERY_TEST, INVALID, Deviations, Engine, Request, code_of

FAILED, DUPLICATE, ERROR, NOT_FOUND = "ConditionalCheckFailed", "DuplicateItem", "ValidationError", "ResourceNotFound"
LARGEST = 10**38 - 1
ITEM_BYTES_MAX = 400 * 1024

DEVIATIONS: Deviations = {
    "moto": {EVERY_TEST: "has no PartiQL without a further package, and with it no conditions"},
    "embedded": {
        "test_a_condition[either]": "an alternative hides the equalities of the key beside it",
        "test_a_condition[neither]": "an alternative hides the equalities of the key beside it",
        "test_a_condition[AND binds tighter than OR]": "an alternative hides the equalities of the key beside it",
        "test_an_update_computes_everything_from_the_row_as_it_was": "what SET has changed is read by what comes after",
        "test_a_sum_that_38_digits_cannot_hold_is_refused": "rounds to 38 digits",
        "test_a_statement_changes_no_key_attribute": "changes it, at the old key",
        "test_a_key_that_does_not_fit_is_refused": "finds no row",
        "test_a_wrong_statement_is_refused_by_itself[a parameter too many]": "does not look",
        "test_a_statement_has_8192_characters_at_most": "does not count",
        "test_a_call_has_one_statement_for_a_row": "runs both, in order",
        "test_a_call_does_not_mix_reads_and_writes": "runs both",
        "test_the_stream_tells_an_insert_and_no_update": "tells nothing of what statements do",
    },
    "dynamodb-local": {"test_a_failed_condition_returns_the_row_if_asked": "1.25 returns no row"},
}


def test_every_known_deviation_is_of_a_test_in_this_module() -> None:
    known = {case.partition("[")[0] for deviations in DEVIATIONS.values() for case in deviations}
    assert known - globals().keys() == {EVERY_TEST}


def insert(engine: Engine, entry: str, **facts: Any) -> Request:
    row = engine.key(entry) | facts
    item = ", ".join(f"'{name}': ?" for name in row)
    return engine.statement(f"INSERT INTO TABLE VALUE {{{item}}}", entry, *row.values())


def add(engine: Engine, entry: str, amount: int = 1) -> Request:
    return engine.statement('UPDATE TABLE SET "held" = "held" + ? WHERE KEY', entry, amount, ...)


# Conditions

CONDITIONS: dict[str, tuple[str, tuple[Any, ...], bool]] = {
    "equal": ('"available" = ?', (5,), True),
    "different": ('"available" <> ?', (5,), False),
    "numbers compare as numbers": ('"held" > ?', (9,), True),
    "at most": ('"available" <= ?', (5,), True),
    "at least": ('"available" >= ?', (5,), True),
    "not below itself": ('"available" < ?', (5,), False),
    "text by its bytes": ('"name" > ?', ("Zoe",), True),
    "one attribute and another": ('"available" < "held"', (), True),
    "NOT of what holds": ('NOT "available" = ?', (5,), False),
    "NOT binds tighter than AND": ('NOT "available" = ? AND "held" = ?', (9, 9), False),
    "a value of another type is different": ('"name" <> ?', (5,), True),
    "an attribute that is there is not missing": ('"available" IS MISSING', (), False),
    "an attribute that is there": ('"available" IS NOT MISSING', (), True),
    "an attribute that is missing": ('"gone" IS MISSING', (), True),
    "an attribute that is null is there": ('"nothing" IS NOT MISSING', (), True),
    "a missing attribute equals nothing": ('"gone" = ?', (5,), False),
    "a missing attribute is different": ('"gone" <> ?', (5,), True),
    "a missing attribute is not below": ('"gone" < ?', (5,), False),
    "a missing attribute is not at least": ('"gone" >= ?', (5,), False),
    "NOT of a comparison with a missing attribute": ('NOT "gone" >= ?', (5,), True),
    "NOT of a comparison that holds": ('NOT "available" >= ?', (5,), False),
    "either": ('("gone" IS MISSING OR "gone" < ?)', (5,), True),
    "neither": ('("available" IS MISSING OR "available" < ?)', (5,), False),
    "AND binds tighter than OR": ('("available" = ? OR "available" = ? AND "held" = ?)', (5, 9, 9), True),
    "NOT of either": ('NOT ("available" = ? OR "held" = ?)', (9, 9), True),
    "words may be small": ('not "available" = ? and "held" is not missing', (9,), True),
    "parentheses for nothing": ('(("held" > ?))', (9,), True),
}


@pytest.mark.parametrize(("condition", "values", "holds"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_condition(engine: Engine, condition: str, values: tuple[Any, ...], holds: bool) -> None:
    row = {"available": 5, "held": 10, "name": "bob", "nothing": None}
    engine.put("bob", **row)
    change = engine.statement(f'UPDATE TABLE SET "seen" = ? WHERE KEY AND {condition}', "bob", 1, ..., *values)
    assert engine.run(change) == [None if holds else FAILED]
    assert engine.row("bob") == (row | {"seen": 1} if holds else row)
    delete = engine.statement(f"DELETE FROM TABLE WHERE KEY AND {condition}", "bob", ..., *values)
    assert engine.run(delete) == [None if holds else FAILED]
    assert (engine.row("bob") is None) is holds


def test_a_key_may_stand_after_other_conditions(engine: Engine) -> None:
    engine.put("a", held=1)
    change = engine.statement('UPDATE TABLE SET "held" = ? WHERE "held" = ? AND KEY', "a", 2, 1, ...)
    assert engine.run(change, add(engine, "b")) == [None, FAILED]
    assert engine.rows() == {"a": {"held": 2}}


# What each statement does


def test_an_update_sets_adds_and_removes(engine: Engine) -> None:
    engine.put("a", available=7, held=3, live="x")
    text = (
        'UPDATE TABLE SET "name" = ?, "available" = "available" - ?, "held" = "held" + ? REMOVE "live", "no" WHERE KEY'
    )
    assert engine.run(engine.statement(text, "a", "ann", 2, 2, ...)) == [None]
    assert engine.row("a") == {"name": "ann", "available": 5, "held": 5}


def test_an_update_has_any_number_of_clauses(engine: Engine) -> None:
    engine.put("a", available=7, held=3, live="x")
    text = 'UPDATE TABLE SET "name" = ? REMOVE "live" SET "available" = "available" - ? REMOVE "no" WHERE KEY'
    assert engine.run(engine.statement(text, "a", "ann", 2, ...)) == [None]
    assert engine.row("a") == {"name": "ann", "available": 5, "held": 3}


def test_an_update_computes_everything_from_the_row_as_it_was(engine: Engine) -> None:
    engine.put("a", available=7, held=3)
    swap = 'UPDATE TABLE SET "available" = "held", "held" = "available" WHERE KEY'
    assert engine.run(engine.statement(swap, "a", ...)) == [None]
    assert engine.row("a") == {"available": 3, "held": 7}


def test_sums_of_38_digits_are_exact(engine: Engine) -> None:
    engine.put("a", held=LARGEST - 1)
    assert engine.run(add(engine, "a")) == [None]
    assert engine.row("a") == {"held": LARGEST}


def test_a_sum_that_38_digits_cannot_hold_is_refused(engine: Engine) -> None:
    engine.put("a", held=LARGEST)
    assert engine.run(add(engine, "a", LARGEST - 1)) == [ERROR]
    assert engine.row("a") == {"held": LARGEST}


def test_arithmetic_needs_an_attribute_that_is_there(engine: Engine) -> None:
    engine.put("a", available=1)
    assert engine.run(add(engine, "a")) == [ERROR]
    assert engine.rows() == {"a": {"available": 1}}


def test_arithmetic_needs_numbers(engine: Engine) -> None:
    engine.put("a", held="ann")
    assert engine.run(add(engine, "a")) == [ERROR]
    assert engine.row("a") == {"held": "ann"}


def test_a_condition_is_looked_at_before_the_arithmetic(engine: Engine) -> None:
    engine.put("a", available=1)
    change = engine.statement('UPDATE TABLE SET "held" = "held" + ? WHERE KEY AND "available" > ?', "a", 1, ..., 1)
    assert engine.run(change) == [FAILED]


def test_an_update_creates_no_row_whatever_its_condition(engine: Engine) -> None:
    plain = engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY', "a", 1, ...)
    absent = engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY AND "held" IS MISSING', "b", 1, ...)
    negated = engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY AND NOT "held" >= ?', "c", 1, ..., 1)
    answer = engine.client.batch_execute_statement(Statements=[plain, absent, negated])
    assert [one["Error"]["Code"] for one in answer["Responses"]] == [FAILED] * 3
    assert not any("Item" in one["Error"] for one in answer["Responses"])
    assert engine.rows() == {}


def test_a_delete_of_nothing_is_done_whatever_its_condition(engine: Engine) -> None:
    plain = engine.statement("DELETE FROM TABLE WHERE KEY", "a", ...)
    conditional = engine.statement('DELETE FROM TABLE WHERE KEY AND "held" = ?', "b", ..., 1)
    assert engine.run(plain, conditional) == [None, None]


def test_an_insert_stores_a_whole_row(engine: Engine) -> None:
    facts = {"held": 5, "name": "ann", "mark": b"\x80\x01", "levels": [1, {"a": "b"}], "nothing": None, "open": True}
    assert engine.run(insert(engine, "a", **facts)) == [None]
    assert engine.row("a") == facts


def test_an_insert_replaces_no_row(engine: Engine) -> None:
    engine.put("a", held=1)
    assert engine.run(insert(engine, "a", held=2)) == [DUPLICATE]
    assert engine.row("a") == {"held": 1}


def test_a_statement_changes_no_key_attribute(engine: Engine) -> None:
    engine.put("a", held=1)
    assert engine.run(engine.statement('UPDATE TABLE SET "entry" = ? WHERE KEY', "a", "b", ...)) == [ERROR]
    assert engine.rows() == {"a": {"held": 1}}


def test_a_row_beyond_400_kb_is_refused(engine: Engine) -> None:
    engine.put("a", held=1)
    change = engine.statement('UPDATE TABLE SET "text" = ? WHERE KEY', "a", "x" * ITEM_BYTES_MAX, ...)
    assert engine.run(change, insert(engine, "b", text="x" * ITEM_BYTES_MAX)) == [ERROR, ERROR]
    assert engine.rows() == {"a": {"held": 1}}


def test_a_key_that_does_not_fit_is_refused(engine: Engine) -> None:
    wrong = [
        engine.statement('UPDATE TABLE SET "held" = ? WHERE "owner" = ? AND "entry" = ?', "a", 1, engine.owner, 1),
        engine.statement('DELETE FROM TABLE WHERE "owner" = ?', "a", engine.owner),
        engine.statement("INSERT INTO TABLE VALUE {'owner': ?}", "a", engine.owner),
    ]
    assert [engine.run(one) for one in wrong] == [[ERROR]] * 3


def test_a_key_stands_in_no_alternative(engine: Engine) -> None:
    engine.put("a", held=1)
    change = engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY OR "held" = ?', "a", 2, ..., 1)
    assert engine.run(change) == [ERROR]
    assert engine.row("a") == {"held": 1}


# What a call answers


def test_each_statement_is_done_or_refused_by_itself(engine: Engine) -> None:
    engine.put("a", held=1)
    engine.put("b", held=1)
    engine.put("c", held=1)
    refused = engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY AND "held" > ?', "b", 9, ..., 1)
    codes = engine.run(
        add(engine, "a"),
        refused,
        insert(engine, "c", held=9),
        engine.statement("DELETE FROM TABLE WHERE KEY", "c2", ...),
        insert(engine, "d", held=0),
        add(engine, "none"),
    )
    assert codes == [None, FAILED, DUPLICATE, None, None, FAILED]
    assert engine.rows() == {"a": {"held": 2}, "b": {"held": 1}, "c": {"held": 1}, "d": {"held": 0}}


def test_an_answer_names_the_table_of_each_statement_that_reached_it(engine: Engine) -> None:
    engine.put("a", held=1)
    statements = [
        add(engine, "a"),
        engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY AND "held" > ?', "b", 9, ..., 1),
        insert(engine, "a2"),
    ]
    answer = engine.client.batch_execute_statement(Statements=statements)
    assert [one["TableName"] for one in answer["Responses"]] == [engine.table("accounts")] * 3


def test_a_failed_condition_returns_the_row_if_asked(engine: Engine) -> None:
    engine.put("a", held=1)
    asked = engine.statement('UPDATE TABLE SET "held" = ? WHERE KEY AND "held" > ?', "a", 9, ..., 1)
    delete = engine.statement('DELETE FROM TABLE WHERE KEY AND "held" > ?', "a", ..., 1)
    for statement in (asked, delete):
        (response,) = engine.client.batch_execute_statement(Statements=[statement])["Responses"]
        assert engine.facts(response["Error"]["Item"]) == {"held": 1}
        del statement["ReturnValuesOnConditionCheckFailure"]
        (response,) = engine.client.batch_execute_statement(Statements=[statement])["Responses"]
        assert "Item" not in response["Error"]


def test_a_statement_of_a_missing_table_is_refused_by_itself(engine: Engine) -> None:
    engine.put("a", held=1)
    elsewhere = engine.statement("DELETE FROM TABLE WHERE KEY", "a", ..., table="none")
    assert engine.run(elsewhere, add(engine, "a")) == [NOT_FOUND, None]


WRONG_STATEMENTS = {
    "no sentence": ('UPDATE TABLE SET "held" ? WHERE KEY', (1, ...)),
    "nothing to do": ("UPDATE TABLE WHERE KEY", (...,)),
    "no condition": ('UPDATE TABLE SET "held" = ?', (1,)),
    "a comparison without an end": ('UPDATE TABLE SET "held" = ? WHERE KEY AND "held" >', (1, ...)),
    "a parameter too few": ('UPDATE TABLE SET "held" = ? WHERE KEY AND "held" = ?', (1, ...)),
    "a parameter too many": ('UPDATE TABLE SET "held" = ? WHERE KEY', (1, ..., 2)),
}


@pytest.mark.parametrize(("text", "values"), WRONG_STATEMENTS.values(), ids=WRONG_STATEMENTS.keys())
def test_a_wrong_statement_is_refused_by_itself(engine: Engine, text: str, values: tuple[Any, ...]) -> None:
    engine.put("a", held=1)
    engine.put("b", held=1)
    assert engine.run(engine.statement(text, "a", *values), add(engine, "b")) == [ERROR, None]
    assert engine.row("a") == {"held": 1}


# What refuses a whole call


def test_a_call_has_25_statements_at_most(engine: Engine) -> None:
    inserts = [insert(engine, f"{number:02d}") for number in range(26)]
    assert code_of(engine.run, *inserts) == INVALID
    assert engine.rows() == {}
    assert engine.run(*inserts[:25]) == [None] * 25
    assert len(engine.rows()) == 25
    with pytest.raises(ParamValidationError):
        engine.run()


def test_a_statement_has_8192_characters_at_most(engine: Engine) -> None:
    engine.put("a", held=1)
    text = 'UPDATE TABLE SET "held" = "held" + ? WHERE KEY'
    room = 8192 - len(engine.statement(text, "a", 1, ...)["Statement"])
    assert engine.run(engine.statement(text + " " * room, "a", 1, ...)) == [None]
    too_long = engine.statement(text + " " * (room + 1), "a", 1, ...)
    assert code_of(engine.run, insert(engine, "b"), too_long) == INVALID
    assert engine.rows() == {"a": {"held": 2}}


def test_a_call_has_one_statement_for_a_row(engine: Engine) -> None:
    """What two do is nowhere documented: the contract is the strictest answer, so that nothing depends on another."""
    engine.put("a", held=1)
    assert code_of(engine.run, add(engine, "a"), insert(engine, "b"), add(engine, "a")) == INVALID
    assert engine.rows() == {"a": {"held": 1}}


def test_a_call_does_not_mix_reads_and_writes(engine: Engine) -> None:
    engine.put("a", held=1)
    read = engine.statement("SELECT * FROM TABLE WHERE KEY", "b", ...)
    del read["ReturnValuesOnConditionCheckFailure"]
    assert code_of(engine.run, add(engine, "a"), read) == INVALID
    assert engine.row("a") == {"held": 1}


# The stream


def test_the_stream_tells_an_insert_and_no_update(engine: Engine) -> None:
    table, book = engine.table("inbox"), {"book": engine.owner}
    engine.client.put_item(TableName=table, Item=encode(book | {"command": "1"}))
    values, where = (engine.owner, "2"), 'WHERE "book" = ? AND "command" = ?'
    new = engine.statement(
        "INSERT INTO TABLE VALUE {'book': ?, 'command': ?, 'kind': ?}", "", *values, "place", table="inbox"
    )
    change = engine.statement(f'UPDATE TABLE SET "kind" = ? {where}', "", "late", engine.owner, "1", table="inbox")
    assert engine.run(new, change) == [None, None]
    assert engine.run(engine.statement(f"DELETE FROM TABLE {where}", "", *values, table="inbox")) == [None]
    told = [one for one in engine.inserts() if one["dynamodb"]["NewImage"]["book"] == {"S": engine.owner}]
    images = [decode(one["dynamodb"]["NewImage"]) for one in told]
    assert images == [book | {"command": "1"}, book | {"command": "2", "kind": "place"}]
