"""Request forms: pydantic models whose fields say what they may be, and the words of a fault beside it.

    class Cancel(Form):
        order_id: Annotated[str, text("must be 1 to 100 characters", least=1, most=100)]
        quantity: Annotated[int, text("must be digits", r"[0-9]{1,38}", value=int)] | None = None

A field without a default is required; unknown members are ignored, and one that is null counts as absent. All faults
are reported, in the form's order. ``model_json_schema`` describes a form without a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

OBJECT_MESSAGE = "must be a JSON object"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What a field may be. says: what is said of every other value. value: makes of a good one what the program uses;
    raises what ``bad`` returns. Compared by identity, for annotations are hashed.
    """

    says: str
    schema: CoreSchema
    value: Callable[[Any], Any] | None = None

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        checked = core_schema.custom_error_schema(self.schema, "faulty", custom_error_message=self.says)
        return checked if self.value is None else core_schema.no_info_after_validator_function(self.value, checked)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, described: Callable[[CoreSchema], dict[str, Any]]
    ) -> dict[str, Any]:
        return described(schema) | {"description": self.says}


def text(
    says: str,
    pattern: str | None = None,
    *,
    least: int | None = None,
    most: int | None = None,
    value: Callable[[str], Any] | None = None,
) -> Kind:
    """A text of ``least`` to ``most`` characters that matches the pattern as a whole, without half surrogate pairs."""
    whole = None if pattern is None else f"^({pattern})$"
    return Kind(says, core_schema.str_schema(strict=True, pattern=whole, min_length=least, max_length=most), value)


def integer(says: str, least: int, most: int) -> Kind:
    return Kind(says, core_schema.int_schema(strict=True, ge=least, le=most))


def several(says: str, item: CoreSchema, most: int) -> Kind:
    """A list of one to ``most`` of these."""
    return Kind(says, core_schema.list_schema(item, strict=True, min_length=1, max_length=most))


def flag(says: str) -> Kind:
    return Kind(says, core_schema.bool_schema(strict=True))


def one_of(says: str, words: Mapping[str, Any]) -> Kind:
    """One of these words, each with what the program works with."""
    return Kind(says, core_schema.literal_schema([*words]), words.__getitem__)


def bad(says: str) -> PydanticCustomError:
    """Return what a validator raises for a value that its field does not take."""
    return PydanticCustomError("faulty", "{says}", {"says": says})


class Faulty(Exception):
    """Members that do not fit their form. faults: by name, what is wrong, in the form's order."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = dict(faults)


class Form(BaseModel):
    """missing: what is said of a required field that is not there; None: what its kind says.

    null_counts: fields that take null as a value.
    """

    model_config = ConfigDict(frozen=True)
    missing: ClassVar[str | None] = None
    null_counts: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, members: object) -> dict[str, Any]:
        if not isinstance(members, dict):
            raise bad(OBJECT_MESSAGE)
        required = (name for name, field in cls.model_fields.items() if cls.missing is None and field.is_required())
        there = {name: value for name, value in members.items() if value is not None or name in cls.null_counts}
        return dict.fromkeys(required) | there

    @classmethod
    def read(cls, members: Mapping[str, Any], context: Mapping[str, Any] | None = None) -> Self:
        """Return the form filled in. context: what its validators look at beside the members. Raises Faulty.

        Faulty members of a form within the form are reported under their own names.
        """
        try:
            return cls.model_validate(members, context=context)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            said = {"missing": cls.missing}
            raise Faulty({str(each["loc"][-1]): said.get(each["type"]) or each["msg"] for each in faults}) from error
