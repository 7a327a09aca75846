"""The contract with DynamoDB, on the three engines that tests use: conditions, updates, requests.

Calls are those of boto3's client, below ``Database``. DEVIATIONS lists the tests that an engine is known to fail; these
must fail, so a fixed engine is noticed. Rules are from the developer guide and the API reference, or, where those leave
something open, from the tests of Scylla's Alternator, which its authors also run on DynamoDB.
``test_contract_values.py`` covers what may be stored, ``test_contract_together.py`` transactions, batches, queries and
the stream.
"""

from __future__ import annotations

import pytest

from chalicelib.tables.rows import Row
from tests.tables.engines import (
    FAILED,
    INVALID,
    NOT_FOUND,
    Deviations,
    Engine,
    Request,
    code_of,
    expressions,
    refusal,
    used_in,
)

LARGEST = 10**38 - 1
_REQUEST = "test_an_invalid_request_is_refused_whatever_the_row"
DEVIATIONS: Deviations = {
    "moto": {
        "test_a_condition[binary begins with its beginning]": "compares the base64 of the two",
        "test_a_condition[two missing attributes are not equal]": "None is equal to None",
        "test_a_condition[two missing attributes are different]": "None is equal to None",
        "test_a_condition[values of different types have no order]": "TypeError",
        "test_a_condition[true is not one]": "True is equal to 1, as in Python",
        "test_a_condition[true and false have no order]": "False is below True, as in Python",
        "test_an_update_that_only_removes_creates_no_row": "creates a row of the key alone",
        "test_an_update_whose_last_clause_fails_changes_nothing": "keeps what SET did where ADD fails",
        "test_set_refuses_a_sum_that_38_digits_cannot_hold": "stores 39 digits",
        "test_add_refuses_a_sum_that_38_digits_cannot_hold": "stores 39 digits",
        "test_types_in_the_request_are_looked_at_before_the_condition": "the condition fails",
        f"{_REQUEST}[a name that nobody gave]": "KeyError",
        f"{_REQUEST}[no name where there are some]": "KeyError",
        f"{_REQUEST}[a condition that is no sentence]": "ValueError",
        f"{_REQUEST}[a condition without a comparison]": "ValueError",
        f"{_REQUEST}[an empty condition]": "takes it for none",
        f"{_REQUEST}[a beginning that is a number]": "the condition fails",
        f"{_REQUEST}[a type that is a number]": "the condition fails",
        f"{_REQUEST}[the existence of a value]": "ValueError",
    },
    "embedded": {
        "test_a_condition[a number begins with no text]": "ValidationException, which is for a number in the request",
        "test_a_condition[two missing attributes are not equal]": "None is equal to None",
        "test_a_condition[two missing attributes are different]": "None is equal to None",
        "test_an_update_that_only_removes_creates_no_row": "creates a row of the key alone",
        "test_arithmetic_needs_numbers_in_the_row": "leaves the attribute as it is, and says done",
        "test_arithmetic_needs_numbers_in_the_request": "leaves the attribute as it is, and says done",
        "test_set_refuses_a_sum_that_38_digits_cannot_hold": "rounds to 38 digits",
        "test_add_refuses_a_sum_that_38_digits_cannot_hold": "rounds to 38 digits",
        "test_an_update_names_an_attribute_once": "the last one counts",
        "test_an_update_has_each_clause_once": "the last one counts",
        "test_types_in_the_request_are_looked_at_before_the_condition": "the condition fails",
        f"{_REQUEST}[a beginning that is a number]": "looks at the row first, where nothing begins with anything",
        f"{_REQUEST}[a type that is a number]": "the condition fails",
        f"{_REQUEST}[an update that is no sentence]": "leaves out what it does not understand",
    },
    "dynamodb-local": {},  # none is known: it passed the whole contract
}


def test_every_known_deviation_is_of_a_test_in_this_module() -> None:
    assert [case for known in DEVIATIONS.values() for case in known if case.partition("[")[0] not in globals()] == []


# Conditions


CONDITIONS = {
    "a number is equal however it is written": ("#available = :five", True),
    "numbers compare as numbers, not as text": ("#held > :nine", True),
    "negative numbers are below zero": ("#debt < :zero", True),
    "text compares by its bytes": ("#name > :zoe", True),
    "binary compares by unsigned bytes": ("#mark > :low_bytes", True),
    "an attribute compares with another": ("#available < #held", True),
    "a number is at most itself": ("#available <= :five", True),
    "a number is at least itself": ("#available >= :five", True),
    "a number is not below itself": ("#available < :five", False),
    "a number is not above itself": ("#available > :five", False),
    "BETWEEN takes in its lower bound": ("#available BETWEEN :five AND :nine", True),
    "BETWEEN takes in its upper bound": ("#available BETWEEN :zero AND :five", True),
    "BETWEEN leaves out what is beyond": ("#held BETWEEN :zero AND :nine", False),
    "AND binds tighter than OR": ("#available = :five OR #available = :nine AND #held = :nine", True),
    "parentheses come before AND": ("(#available = :five OR #available = :nine) AND #held = :nine", False),
    "parentheses may start with parentheses": ("((#held = :nine OR #held > :nine) AND #available = :five)", True),
    "NOT binds tighter than AND": ("NOT #available = :nine AND #held = :nine", False),
    "NOT binds tighter than OR": ("NOT #available = :five OR #held > :nine", True),
    "words of an expression may be small": ("not #available = :nine and #held > :nine", True),
    "an attribute that is null exists": ("attribute_exists(#nothing)", True),
    "an attribute that is missing does not exist": ("attribute_not_exists(#gone)", True),
    "null has a type": ("attribute_type(#nothing, :type_null)", True),
    "a number has the type N": ("attribute_type(#available, :type_number)", True),
    "a number has not the type NULL": ("attribute_type(#available, :type_null)", False),
    "a missing attribute has no type": ("attribute_type(#gone, :type_number)", False),
    "text begins with its beginning": ("begins_with(#name, :bo)", True),
    "text begins with nothing else": ("begins_with(#name, :zoe)", False),
    "binary begins with its beginning": ("begins_with(#mark, :high_byte)", True),
    "a number begins with no text": ("begins_with(#available, :bo)", False),
    "a missing attribute begins with nothing": ("begins_with(#gone, :bo)", False),
    "a missing attribute is equal to nothing": ("#gone = :five", False),
    "a missing attribute is different from everything": ("#gone <> :five", True),
    "a missing attribute is below nothing": ("#gone < :five", False),
    "a missing attribute is above nothing": ("#gone >= :five", False),
    "nothing is below a missing attribute": (":five <= #gone", False),
    "a missing attribute is between nothing": ("#gone BETWEEN :zero AND :nine", False),
    "two missing attributes are not equal": ("#gone = #lost", False),
    "two missing attributes are different": ("#gone <> #lost", True),
    "what is not equal to a missing attribute may be negated": ("NOT #gone = :five", True),
    "values of different types are not equal": ("#name = :five", False),
    "values of different types are different": ("#name <> :five", True),
    "values of different types have no order": ("#name < :five OR #name >= :five", False),
    "true and false have no order": ("#open >= #shut OR #shut >= #open", False),
    "null is equal to null": ("#nothing = :null", True),
    "true is not one": ("#open = :one", False),
    "lists are equal member by member": ("#levels = :levels", True),
}
VALUES: Row = {
    "zero": 0,
    "one": 1,
    "five": 5,
    "nine": 9,
    "zoe": "Zoe",
    "bo": "bo",
    "type_number": "N",
    "type_null": "NULL",
    "null": None,
    "low_bytes": b"\x7f\xff",
    "high_byte": b"\x80",
    "levels": [1, {"a": "b"}],
}


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_condition(engine: Engine, condition: str, holds: bool) -> None:
    engine.put(
        "bob",
        available=5,
        held=10,
        debt=-3,
        name="bob",
        mark=b"\x80\x01",
        nothing=None,
        open=True,
        shut=False,
        levels=[1, {"a": "b"}],
    )
    request = engine.at("bob", condition, **used_in(condition, VALUES))
    if holds:
        engine.client.delete_item(**request)
        assert engine.row("bob") is None
    else:
        assert code_of(engine.client.delete_item, **request) == FAILED
        assert engine.row("bob") is not None


def test_text_beyond_the_first_plane_comes_after_all_other_text(engine: Engine) -> None:
    """UTF-8 keeps the order of code points; UTF-16, which some engines are written in, does not."""
    engine.put("a", name="\U00010000")
    engine.update("a", "SET #later = :yes", "#name > :name", name="\uffee", yes=True)
    assert engine.row("a") == {"name": "\U00010000", "later": True}


def test_a_missing_row_meets_only_conditions_on_absence(engine: Engine) -> None:
    assert code_of(engine.update, "new", "SET #a = :one", "#a < :one", one=1) == FAILED
    assert code_of(engine.update, "new", "SET #a = :one", "attribute_exists(#owner)", one=1) == FAILED
    assert engine.row("new") is None
    engine.update("new", "SET #a = :one", "attribute_not_exists(#owner)", one=1)
    assert engine.row("new") == {"a": 1}


def test_a_failed_condition_returns_the_row_if_asked(engine: Engine) -> None:
    engine.put("a", available=1)
    wanted = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    put = engine.item("a", {}, "attribute_not_exists(#owner)")
    for call, request in (
        (engine.client.put_item, put),
        (engine.client.update_item, engine.change("a", "REMOVE #available", "#available > :five", five=5)),
        (engine.client.delete_item, engine.at("a", "#available > :five", five=5)),
    ):
        answer = refusal(call, **request, **wanted)
        assert answer["Error"]["Code"] == FAILED
        assert engine.facts(answer["Item"]) == {"available": 1}
        assert "Item" not in refusal(call, **request)
    assert "Item" not in refusal(engine.client.delete_item, **engine.at("b", "attribute_exists(#owner)", **wanted))
    assert engine.rows() == {"a": {"available": 1}}


# Updates


def test_an_update_computes_everything_from_the_row_as_it_was(engine: Engine) -> None:
    engine.put("a", available=7, held=3)
    engine.update("a", "SET #available = #held, #held = #available")
    assert engine.row("a") == {"available": 3, "held": 7}
    engine.update("a", "SET #available = #available - :two, #was = #available ADD #held :two REMOVE #gone", two=2)
    assert engine.row("a") == {"available": 1, "was": 3, "held": 9}


def test_if_not_exists_takes_the_attribute_or_else_the_value(engine: Engine) -> None:
    engine.put("a", available=7)
    engine.update(
        "a", "SET #available = if_not_exists(#available, :no) + :one, #held = if_not_exists(#held, :no)", no=0, one=1
    )
    assert engine.row("a") == {"available": 8, "held": 0}
    engine.update("a", "SET #first = if_not_exists(#first, #available)")
    assert engine.row("a") == {"available": 8, "held": 0, "first": 8}


def test_add_starts_from_zero_and_may_subtract(engine: Engine) -> None:
    engine.update("a", "ADD #held :amount", amount=-4)
    engine.update("a", "ADD #held :amount", amount=4)
    assert engine.row("a") == {"held": 0}


def test_an_update_creates_the_row_that_it_does_not_find(engine: Engine) -> None:
    engine.update("a", "SET #name = :ann ADD #held :one", ann="ann", one=1)
    assert engine.row("a") == {"name": "ann", "held": 1}


def test_an_update_that_only_removes_creates_no_row(engine: Engine) -> None:
    answer = engine.update("a", "REMOVE #live", ReturnValues="ALL_NEW")
    assert "Attributes" not in answer
    assert engine.row("a") is None


def test_an_update_whose_last_clause_fails_changes_nothing(engine: Engine) -> None:
    engine.put("a", available=1, name="ann")
    assert code_of(engine.update, "a", "SET #available = :five, #held = #gone", five=5) == INVALID
    assert code_of(engine.update, "a", "SET #available = :five ADD #name :five", five=5) == INVALID
    assert code_of(engine.update, "a", "REMOVE #available SET #held = #gone") == INVALID
    assert engine.row("a") == {"available": 1, "name": "ann"}


def test_arithmetic_needs_an_attribute_that_is_there(engine: Engine) -> None:
    engine.put("a", available=1)
    assert code_of(engine.update, "a", "SET #held = #held + :one", one=1) == INVALID
    assert code_of(engine.update, "none", "SET #held = #held - :one", one=1) == INVALID
    assert engine.rows() == {"a": {"available": 1}}


def test_arithmetic_needs_numbers_in_the_row(engine: Engine) -> None:
    engine.put("a", name="ann")
    assert code_of(engine.update, "a", "SET #name = #name + :one", one=1) == INVALID
    assert engine.row("a") == {"name": "ann"}


def test_arithmetic_needs_numbers_in_the_request(engine: Engine) -> None:
    engine.put("a", held=1)
    assert code_of(engine.update, "a", "SET #held = #held + :text", text="1") == INVALID
    assert engine.row("a") == {"held": 1}


def test_add_needs_numbers_on_both_sides(engine: Engine) -> None:
    engine.put("a", name="ann", held=1)
    assert code_of(engine.update, "a", "ADD #name :one", one=1) == INVALID
    assert code_of(engine.update, "a", "ADD #held :text", text="1") == INVALID
    assert engine.row("a") == {"name": "ann", "held": 1}


def test_sums_of_38_digits_are_exact(engine: Engine) -> None:
    engine.put("a", available=LARGEST - 1, held=0)
    engine.update("a", "SET #available = #available + :one ADD #held :all", one=1, all=-LARGEST)
    assert engine.row("a") == {"available": LARGEST, "held": -LARGEST}
    engine.update("a", "SET #available = #available - :some ADD #held :one", one=1, some=10**37)
    assert engine.row("a") == {"available": 9 * 10**37 - 1, "held": 1 - LARGEST}


def test_set_refuses_a_sum_that_38_digits_cannot_hold(engine: Engine) -> None:
    engine.put("a", available=LARGEST)
    assert code_of(engine.update, "a", "SET #available = #available + :two", two=LARGEST - 1) == INVALID
    assert engine.row("a") == {"available": LARGEST}


def test_add_refuses_a_sum_that_38_digits_cannot_hold(engine: Engine) -> None:
    engine.put("a", available=LARGEST)
    assert code_of(engine.update, "a", "ADD #available :two", two=LARGEST - 1) == INVALID
    assert engine.row("a") == {"available": LARGEST}


def test_an_update_changes_no_key_attribute(engine: Engine) -> None:
    engine.put("a", held=1)
    assert code_of(engine.update, "a", "SET #entry = :b", b="b") == INVALID
    assert code_of(engine.update, "a", "REMOVE #owner") == INVALID
    assert code_of(engine.update, "none", "SET #entry = :b", b="b") == INVALID
    assert engine.rows() == {"a": {"held": 1}}


def test_an_update_names_an_attribute_once(engine: Engine) -> None:
    assert code_of(engine.update, "a", "SET #held = :one, #held = :one", one=1) == INVALID
    assert code_of(engine.update, "a", "SET #held = :one REMOVE #held", one=1) == INVALID
    assert engine.row("a") is None


def test_an_update_has_each_clause_once(engine: Engine) -> None:
    assert code_of(engine.update, "a", "SET #held = :one SET #available = :one", one=1) == INVALID
    assert engine.row("a") is None


def test_a_condition_is_looked_at_before_the_arithmetic(engine: Engine) -> None:
    engine.put("a", available=1)
    change = "SET #held = #gone + :one"
    assert code_of(engine.update, "a", change, "#available > :one", one=1) == FAILED


def test_types_in_the_request_are_looked_at_before_the_condition(engine: Engine) -> None:
    engine.put("a", held=1)
    assert code_of(engine.update, "a", "ADD #held :text", "attribute_not_exists(#held)", text="1") == INVALID


def test_a_write_tells_the_row_before_or_after_if_asked(engine: Engine) -> None:
    put, delete = engine.client.put_item, engine.client.delete_item
    assert "Attributes" not in put(**engine.item("a", {"held": 1}), ReturnValues="ALL_OLD")
    assert engine.facts(put(**engine.item("a", {"held": 2}), ReturnValues="ALL_OLD")["Attributes"]) == {"held": 1}
    assert "Attributes" not in put(**engine.item("a", {"held": 3}))
    answer = engine.update("a", "ADD #held :one", one=1, ReturnValues="ALL_NEW")
    assert engine.facts(answer["Attributes"]) == {"held": 4}
    answer = engine.update("a", "ADD #held :one", one=1, ReturnValues="ALL_OLD")
    assert engine.facts(answer["Attributes"]) == {"held": 4}
    assert "Attributes" not in engine.update("a", "ADD #held :one", one=1)
    assert engine.facts(delete(**engine.at("a"), ReturnValues="ALL_OLD")["Attributes"]) == {"held": 6}
    assert "Attributes" not in delete(**engine.at("a"), ReturnValues="ALL_OLD")


def test_a_delete_of_nothing_is_done(engine: Engine) -> None:
    engine.client.delete_item(**engine.at("a"))
    assert engine.row("a") is None


# What a request must be


WRONG_REQUESTS: dict[str, Request] = {
    "a name that nothing uses": {"ExpressionAttributeNames": {"#held": "held", "#more": "more"}},
    "a name that nobody gave": {"ExpressionAttributeNames": {"#more": "held"}},
    "no name where there are some": {"ExpressionAttributeNames": {}},
    "a value that nothing uses": {"ExpressionAttributeValues": {":one": {"N": "1"}, ":two": {"N": "2"}}},
    "a value that nobody gave": {"ExpressionAttributeValues": {":two": {"N": "2"}}},
    "a condition that is no sentence": {"ConditionExpression": "#held > > :one"},
    "a condition without a comparison": {"ConditionExpression": "#held"},
    "an empty condition": {"ConditionExpression": ""},
    "parentheses for nothing": {"ConditionExpression": "((#held > :one))"},
    "a beginning that is a number": {"ConditionExpression": "begins_with(#held, :one)"},
    "a type that is a number": {"ConditionExpression": "attribute_type(#held, :one)"},
    "the existence of a value": {"ConditionExpression": "attribute_exists(:one)"},
    "an update that is no sentence": {"UpdateExpression": "SET #held :one"},
    "an empty update": {"UpdateExpression": ""},
}


@pytest.mark.parametrize("wrong", WRONG_REQUESTS.values(), ids=WRONG_REQUESTS.keys())
def test_an_invalid_request_is_refused_whatever_the_row(engine: Engine, wrong: Request) -> None:
    right = engine.change("a", "SET #held = :one", "attribute_not_exists(#held)", one=1)
    assert code_of(engine.client.update_item, **right | wrong) == INVALID
    engine.client.update_item(**right)


def test_a_missing_table_is_an_error(engine: Engine) -> None:
    client, there_is_none = engine.client, {"TableName": engine.table("none")}
    query = expressions(None, "#owner", owner="ann", KeyConditionExpression="#owner = :owner")
    item, key = engine.item("a", {}) | there_is_none, engine.at("a") | there_is_none
    assert code_of(client.get_item, **key) == NOT_FOUND
    assert code_of(client.put_item, **item) == NOT_FOUND
    assert code_of(client.update_item, **engine.change("a", "REMOVE #a") | there_is_none) == NOT_FOUND
    assert code_of(client.delete_item, **key) == NOT_FOUND
    assert code_of(client.query, **there_is_none, **query) == NOT_FOUND
    assert code_of(client.scan, **there_is_none) == NOT_FOUND
    assert code_of(client.batch_get_item, RequestItems={engine.table("none"): {"Keys": [key["Key"]]}}) == NOT_FOUND
    batch = {engine.table("none"): [{"PutRequest": {"Item": item["Item"]}}]}
    assert code_of(client.batch_write_item, RequestItems=batch) == NOT_FOUND
    assert code_of(engine.transact, ("Put", engine.item("a", {})), ("Put", item)) == NOT_FOUND
    assert engine.rows() == {}
