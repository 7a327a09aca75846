"""Statements: what becomes of a write's expression and condition, and what has no statement."""

from __future__ import annotations

import pytest

from chalicelib.tables.statements import CHARACTERS_MAX, Statement, deletion, insertion, update

KEY = ("owner", "entry")
MARK = (("#mark", "mark/inst/ob"),)
WHERE = 'WHERE "owner" = ? AND "entry" = ?'

CHANGES = {
    "SET #a = :x": ('SET "a" = ?', (":x",)),
    "SET #a = :x, #mark = :y": ('SET "a" = ? SET "mark/inst/ob" = ?', (":x", ":y")),
    "SET #a = #b - :x": ('SET "a" = "b" - ?', (":x",)),
    "SET #mark = #mark + :x": ('SET "mark/inst/ob" = "mark/inst/ob" + ?', (":x",)),
    "ADD #a :x, #b :y SET #c = :z REMOVE #d, #mark": (
        'SET "a" = "a" + ? SET "b" = "b" + ? SET "c" = ? REMOVE "d" REMOVE "mark/inst/ob"',
        (":x", ":y", ":z"),
    ),
}

CONDITIONS = {
    "#a = :x": ('"a" = ?', (":x",)),
    "#a >= :x AND #mark <> :y": ('"a" >= ? AND "mark/inst/ob" <> ?', (":x", ":y")),
    "attribute_exists(#a) AND attribute_not_exists(#b)": ('"a" IS NOT MISSING AND "b" IS MISSING', ()),
    "((#a = :x) AND (#b > :y))": ('"a" = ? AND "b" > ?', (":x", ":y")),
    "attribute_not_exists(#a) OR #a < :x": ('NOT "a" >= ?', (":x",)),
    "#b = :y AND (#a <= :x OR attribute_not_exists(#a)) AND #c = :z": (
        '"b" = ? AND NOT "a" > ? AND "c" = ?',
        (":y", ":x", ":z"),
    ),
    "(#mark < :x OR (attribute_not_exists(#mark) AND attribute_not_exists(#b))) AND #a >= :y": (
        'NOT "mark/inst/ob" >= ? AND "b" IS MISSING AND "a" >= ?',
        (":x", ":y"),
    ),
}

WITHOUT = {
    "another function": "begins_with(#a, :x)",
    "a value on the left": ":x = #a",
    "two attributes": "#a = #b",
    "a range": "#a BETWEEN :x AND :y",
    "NOT": "NOT #a = :x",
    "alternatives that have nothing to do with each other": "#a = :x OR #b = :y",
    "alternatives of another attribute": "attribute_not_exists(#b) OR #a < :x",
    "one alternative more": "attribute_not_exists(#a) OR #a < :x OR #b = :y",
    "there or not below": "attribute_not_exists(#a) OR #a > :x",
    "a comparison and more": "attribute_not_exists(#a) OR (#a < :x AND #b = :y)",
    "either way": "attribute_not_exists(#a) OR attribute_exists(#a)",
    "a parenthesis that stays open": "(#a = :x",
    "a parenthesis too many": "#a = :x)",
    "an AND without a second condition": "#a = :x AND",
    "two conditions without a word between them": "#a = :x #b = :y",
}


@pytest.mark.parametrize("expression", CHANGES)
def test_an_update_expression_becomes_clauses(expression: str) -> None:
    clauses, parameters = CHANGES[expression]
    assert update("t", KEY, expression, None, MARK) == Statement(f'UPDATE "t" {clauses} {WHERE}', (*parameters, *KEY))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_stands_beside_the_key(condition: str) -> None:
    tests, parameters = CONDITIONS[condition]
    assert update("t", KEY, "REMOVE #n", condition, MARK) == Statement(
        f'UPDATE "t" REMOVE "n" {WHERE} AND {tests}', (*KEY, *parameters)
    )


def test_a_row_that_an_update_finds_has_its_key() -> None:
    statement = update("t", KEY, "REMOVE #n", "attribute_exists(#entry) AND #a = :x", ())
    assert statement == Statement(f'UPDATE "t" REMOVE "n" {WHERE} AND "a" = ?', (*KEY, ":x"))


@pytest.mark.parametrize("condition", WITHOUT.values(), ids=WITHOUT.keys())
def test_a_condition_that_is_not_certainly_as_strict_has_no_statement(condition: str) -> None:
    assert update("t", KEY, "REMOVE #n", condition, ()) is None


@pytest.mark.parametrize(
    "expression",
    [
        "SET #a = if_not_exists(#a, :x)",
        "SET #a = :x + #a",
        "SET #a = #b",
        "DELETE #a :x",
        "SET #a.#b = :x",
        "REMOVE #a[1]",
    ],
)
def test_a_change_of_another_form_has_no_statement(expression: str) -> None:
    assert update("t", KEY, expression, None, ()) is None


def test_a_row_is_inserted_where_its_put_only_asks_that_attributes_are_missing() -> None:
    statement = Statement("INSERT INTO \"t\" VALUE {'owner': ?, 'n': ?}", ("owner", "n"))
    for condition in ("attribute_not_exists(#owner)", "attribute_not_exists(#owner) AND attribute_not_exists(#n)"):
        assert insertion("t", ("owner", "n"), condition) == statement
    for other in (None, "#n = :n", "attribute_not_exists(#n) OR #n < :n", "attribute_not_exists(#n) AND #owner = :n"):
        assert insertion("t", ("owner", "n"), other) is None


def test_a_row_is_deleted_without_a_condition() -> None:
    assert deletion("t", KEY, None) == Statement(f'DELETE FROM "t" {WHERE}', KEY)
    assert deletion("t", KEY, "attribute_exists(#owner)") is None


def test_a_name_that_would_end_its_quotes_has_no_statement() -> None:
    for names in ((("#a", 'a" = ? SET "b'),), (("#b", 'b"'),)):
        assert update("t", KEY, "SET #a = :x", "#b = :y", names) is None
    assert insertion("t", ("owner", "it's"), "attribute_not_exists(#owner)") is None


def test_a_statement_that_is_too_long_is_none() -> None:
    shortest = len(f'UPDATE "t" REMOVE "" {WHERE}')
    longest = (("#n", "n" * (CHARACTERS_MAX - shortest)),)
    assert update("t", KEY, "REMOVE #n", None, longest) is not None
    assert update("tt", KEY, "REMOVE #n", None, longest) is None
