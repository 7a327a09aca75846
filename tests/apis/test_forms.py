"""Every form of a body says of itself what it asks for: bounds, patterns, words, defaults and what is required."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from typing import Any

import pytest

from chalicelib.apis.book.routes import ROUTES as BOOK
from chalicelib.apis.kit.forms import Form
from chalicelib.apis.taker.routes import ROUTES as TAKER

FORMS: dict[str, type[Form]] = {}
for table in (BOOK, TAKER):
    for route in table:
        if route.body:
            module, _, name = route.body.partition(":")
            FORMS[f"{table.desk} {name}"] = getattr(import_module(f"chalicelib.apis.{table.desk}.{module}"), name)

LIMITS = {
    "string": ({"pattern"}, {"enum"}, {"maxLength"}),
    "integer": ({"minimum", "maximum"},),
    "boolean": (set(),),
    "object": ({"additionalProperties"},),
    "array": ({"items", "minItems", "maxItems"},),
}
"""By the type of a member, which keywords must be there beside its description: those of one of the sets."""


def members_of(described: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every member of a form and of those within it, each with its description; null is left out."""
    for one in (described, *described.get("$defs", {}).values()):
        for name, member in one["properties"].items():
            for choice in member.get("anyOf", [member]):
                if "$ref" not in choice and choice.get("type") != "null":
                    yield name, choice


@pytest.mark.parametrize("form", FORMS)
def test_a_form_says_of_each_member_what_it_may_be(form: str) -> None:
    for name, member in members_of(FORMS[form].model_json_schema()):
        assert any(keywords | {"description"} <= member.keys() for keywords in LIMITS[member["type"]]), (name, member)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_says_what_is_required_and_what_counts_where_a_member_is_left_out(form: str) -> None:
    described, fields = FORMS[form].model_json_schema(), FORMS[form].model_fields
    required = [name for name, field in fields.items() if field.is_required()]
    assert described.get("required", []) == required
    assert list(described["properties"]) == list(fields)
    for name, field in fields.items():
        default = str(field.default) if isinstance(field.default, StrEnum) else field.default
        assert name in required or described["properties"][name]["default"] == default
