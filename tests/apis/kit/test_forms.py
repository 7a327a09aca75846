"""Request forms: what is read, what is faulty, and what a form says of itself without a request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import ValidationInfo, field_validator

from chalicelib.apis.kit.forms import Faulty, Form, bad, flag, integer, one_of, text


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


Count = Annotated[int, integer("must be 1 to 9", 1, 9)]
Name = Annotated[str, text("must be 1 to 3 {letters}", r"[a-z]|[a-z]{2,3}")]


class Size(Form):
    width: Count
    height: Count


class Thing(Form):
    null_counts: ClassVar = frozenset({"note"})

    name: Name
    colour: Annotated[Colour, one_of("must be a colour", {each.value: each for each in Colour})] = Colour.RED
    size: Size | None = None
    is_new: Annotated[bool, flag("must be true or false")] = False
    note: Annotated[str, text("must be up to 2 characters", most=2, value=str.upper)] | None = None

    @field_validator("is_new")
    @classmethod
    def _blue_is_old(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("colour") is Colour.BLUE:
            raise bad("must be false where the {colour} is blue")
        return value


def faults_of(form: type[Form], **members: Any) -> dict[str, str]:
    with pytest.raises(Faulty) as raised:
        form.read(members)
    return raised.value.faults


def test_good_members_are_read_as_the_program_uses_them_and_unknown_ones_ignored() -> None:
    members = {"name": "ab", "colour": "blue", "size": {"width": 1, "height": 9}, "note": "a", "x": 1}
    expected = {"name": "ab", "colour": Colour.BLUE, "size": Size(width=1, height=9), "is_new": False, "note": "A"}
    assert dict(Thing.read(members)) == expected


def test_null_is_absent_but_where_it_counts() -> None:
    read = Thing.read({"name": "ab", "colour": None, "size": None, "note": None})
    assert (read.colour, read.model_fields_set) == (Colour.RED, {"name", "note"})


def test_every_fault_is_told_in_the_forms_order_whatever_the_order_of_the_members() -> None:
    faults = faults_of(Thing, note=1, is_new=1, size={"height": 0}, colour="green")
    assert list(faults.items()) == [
        ("name", "must be 1 to 3 {letters}"),
        ("colour", "must be a colour"),
        ("width", "must be 1 to 9"),
        ("height", "must be 1 to 9"),
        ("is_new", "must be true or false"),
        ("note", "must be up to 2 characters"),
    ]


def test_a_desk_has_its_own_word_for_a_field_that_is_missing() -> None:
    class Worded(Size):
        missing: ClassVar = "is required"

    assert faults_of(Worded, width=None) == {"width": "is required", "height": "is required"}


def test_a_field_may_depend_on_those_before_it() -> None:
    assert faults_of(Thing, name="a", colour="blue", is_new=True) == {
        "is_new": "must be false where the {colour} is blue"
    }
    assert Thing.read({"name": "a", "is_new": True}).is_new


@pytest.mark.parametrize("value", [0, 10, 10**30, True, 1.0, "1", [], {}])
def test_an_integer_is_a_json_integer_within_its_bounds(value: object) -> None:
    assert faults_of(Size, width=value, height=1) == {"width": "must be 1 to 9"}


@pytest.mark.parametrize("value", ["", "abcd", "a\n", "A", "a\ud800", 1, ["a"], True])
def test_a_text_matches_its_pattern_as_a_whole(value: object) -> None:
    assert list(faults_of(Thing, name=value)) == ["name"]


@pytest.mark.parametrize("value", ["abc", "\ud800", 1, ["a"]])
def test_a_text_has_a_length_and_no_half_surrogate_pairs(value: object) -> None:
    assert list(faults_of(Thing, name="a", note=value)) == ["note"]
    assert Thing.read({"name": "a", "note": "\U0001f600\U0001f600"}).note == "\U0001f600\U0001f600"


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_a_flag_is_true_or_false(value: object) -> None:
    assert list(faults_of(Thing, name="a", is_new=value)) == ["is_new"]


@pytest.mark.parametrize("value", ["RED", 1, ["red"], {"red": 1}])
def test_a_word_is_one_of_those_listed(value: object) -> None:
    assert list(faults_of(Thing, name="a", colour=value)) == ["colour"]


@pytest.mark.parametrize("value", ["x", 1, [], True])
def test_a_form_within_a_form_is_an_object(value: object) -> None:
    assert faults_of(Thing, name="a", size=value) == {"size": "must be a JSON object"}


def test_a_form_describes_itself_without_a_request() -> None:
    described = Thing.model_json_schema()
    members = described["properties"]
    assert described["required"] == ["name"]
    assert members["name"]["pattern"] == "^([a-z]|[a-z]{2,3})$"
    assert (members["colour"]["enum"], members["colour"]["default"]) == (["red", "blue"], "red")
    assert (members["is_new"]["type"], members["is_new"]["default"]) == ("boolean", False)
    said = {"description": "must be up to 2 characters"}
    assert members["note"]["anyOf"] == [{"type": "string", "maxLength": 2, **said}, {"type": "null"}]
    assert described["$defs"]["Size"]["properties"]["width"] == {
        "type": "integer", "minimum": 1, "maximum": 9, "title": "Width", "description": "must be 1 to 9",
    }  # fmt: skip
