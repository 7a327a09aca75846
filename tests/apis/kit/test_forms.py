"""Request forms: what is read, what is faulty, and what a form says of itself without a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import pytest

from chalicelib.apis.kit.forms import Bad, Flag, Form, Integer, Nested, Text, Word, fields_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


COUNT = Integer("must be 1 to 9", 1, 9)
NAME = Text("must be 1 to 3 characters", least=1, most=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size(Form):
    width: Annotated[int, COUNT]
    height: Annotated[int, COUNT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing(Form):
    null_counts: ClassVar = frozenset({"note"})

    name: Annotated[str, NAME]
    colour: Annotated[Colour, Word("must be a colour", {each.value: each for each in Colour})] = Colour.RED
    size: Annotated[Size, Nested("must be an object", Size)] | None = None
    is_new: Annotated[bool, Flag("must be true or false")] = False
    note: Annotated[str, NAME] | None = None

    @classmethod
    def looked_at(cls, name: str, value: Any, found: Mapping[str, Any]) -> Any:
        if name == "is_new" and value and found.get("colour") is Colour.BLUE:
            raise Bad("must be false where the colour is blue")
        return value


def test_good_members_are_read_and_unknown_ones_ignored() -> None:
    found, faults = Thing.read({"name": "ab", "colour": "blue", "size": {"width": 1, "height": 9}, "x": 1})
    assert faults == {}
    assert Thing(**found) == Thing(name="ab", colour=Colour.BLUE, size=Size(width=1, height=9))


def test_null_is_absent_but_where_it_counts() -> None:
    found, faults = Thing.read({"name": "ab", "colour": None, "size": None, "note": None})
    assert (found, faults) == ({"name": "ab", "note": None}, {})


def test_every_fault_is_told_in_the_forms_order_whatever_the_order_of_the_members() -> None:
    members = {"note": 1, "is_new": 1, "size": {"height": 0}, "colour": "green"}
    _, faults = Thing.read(members)
    assert list(faults.items()) == [
        ("name", "must be 1 to 3 characters"),
        ("colour", "must be a colour"),
        ("width", "must be 1 to 9"),
        ("height", "must be 1 to 9"),
        ("is_new", "must be true or false"),
        ("note", "must be 1 to 3 characters"),
    ]


def test_a_desk_has_its_own_word_for_a_field_that_is_missing() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Worded(Size):
        missing: ClassVar = "is required"

    assert Worded.read({"width": None})[1] == {"width": "is required", "height": "is required"}


def test_a_field_may_depend_on_those_before_it() -> None:
    assert Thing.read({"name": "a", "colour": "blue", "is_new": True})[1] == {
        "is_new": "must be false where the colour is blue"
    }
    assert Thing.read({"name": "a", "is_new": True})[1] == {}


def test_a_kind_may_be_given_with_the_request() -> None:
    assert Size.read({"width": 8, "height": 8}, {"height": Integer("must be 1 to 5", 1, 5)})[1] == {
        "height": "must be 1 to 5"
    }


@pytest.mark.parametrize("value", [0, 10, True, 1.0, "1", [], {}])
def test_an_integer_is_a_json_integer_within_its_bounds(value: object) -> None:
    assert list(Size.read({"width": value, "height": 1})[1]) == ["width"]


@pytest.mark.parametrize("value", ["", "abcd", "a\ud800", 1, ["a"], True])
def test_a_text_has_a_length_and_no_half_surrogate_pairs(value: object) -> None:
    assert list(Thing.read({"name": value})[1]) == ["name"]


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_a_flag_is_true_or_false(value: object) -> None:
    assert list(Thing.read({"name": "a", "is_new": value})[1]) == ["is_new"]


@pytest.mark.parametrize("value", ["RED", 1, ["red"], {"red": 1}])
def test_a_word_is_one_of_those_listed(value: object) -> None:
    assert list(Thing.read({"name": "a", "colour": value})[1]) == ["colour"]


def test_a_form_says_what_it_asks_for_without_a_request() -> None:
    described = [(field.name, field.is_required, field.default) for field in fields_of(Thing) if not field.is_required]
    assert described == [
        ("colour", False, Colour.RED),
        ("size", False, None),
        ("is_new", False, False),
        ("note", False, None),
    ]
    assert [(field.name, field.kind) for field in fields_of(Size)] == [("width", COUNT), ("height", COUNT)]
