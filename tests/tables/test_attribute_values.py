"""Typed values equal boto3's and survive the round trip."""

from __future__ import annotations

from decimal import Inexact, Rounded
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as draw

from chalicelib.tables.attribute_values import plain, typed

DIGITS_MAX = 10**38 - 1
VALUES: draw.SearchStrategy[Any] = draw.recursive(
    draw.none() | draw.booleans() | draw.integers(-DIGITS_MAX, DIGITS_MAX) | draw.text() | draw.binary(),
    lambda members: draw.lists(members) | draw.dictionaries(draw.text(), members),
    max_leaves=10,
)


@given(VALUES)
def test_a_value_is_typed_as_boto3_does_and_comes_back(value: Any) -> None:
    assert typed(value) == TypeSerializer().serialize(value)
    assert plain(typed(value)) == value
    assert type(plain(typed(value))) is type(value)


@pytest.mark.parametrize("number", [10**38, 10**38 + 1, -(10**38) - 1, 10**40])
def test_a_number_of_more_digits_than_dynamodb_keeps_is_refused_as_boto3_does(number: int) -> None:
    with pytest.raises((Inexact, Rounded)) as refused:
        typed(number)
    with pytest.raises(refused.type):
        TypeSerializer().serialize(number)


@pytest.mark.parametrize("value", [1.5, object(), {"a", "b"}, [0.1]])
def test_a_value_that_no_row_has_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no type"):
        typed(value)


def test_a_type_that_no_row_has_is_refused() -> None:
    with pytest.raises(TypeError, match="SS"):
        plain({"SS": ["a"]})


def test_a_number_with_an_exponent_is_read() -> None:
    assert plain({"N": "1E+30"}) == 10**30
