"""Descriptions: what a desk says of its operations beside its table of routes (T125).

Each desk has one, in ``apis/<desk>/description``: sentences, parameters, the schemas of answers, an example of each
operation. It is plain data that no request imports; ``infra/openapi.py`` makes the OpenAPI documents of it.

A schema is JSON Schema (2020-12) as a dict. ``ref("Order")`` names a schema of the same desk's ``answers`` or forms. A
member without a description of its own has that of its name in ``Description.members``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from chalicelib.apis.kit.routing import Route, RouteTable

Auth = TypeVar("Auth")
Schema = dict[str, Any]
JSON = "application/json"

# --- schemas


@dataclass(frozen=True, slots=True)
class Maybe:
    """A member that is left out where it has no value."""

    schema: Schema


def members(says: str = "", /, **of: Schema | Maybe) -> Schema:
    """Return an object with these members, each always there unless it is a Maybe."""
    schemas = {name: one.schema if isinstance(one, Maybe) else one for name, one in of.items()}
    required = [name for name, one in of.items() if not isinstance(one, Maybe)]
    return _said({"type": "object", "properties": schemas, "required": required}, says)


def merged(*objects: Schema) -> Schema:
    """Return one object with the members of all of these."""
    properties: Schema = {}
    for one in objects:
        properties |= one["properties"]
    return {
        "type": "object",
        "properties": properties,
        "required": [name for one in objects for name in one["required"]],
    }


def text(pattern: str = "", says: str = "", *, least: int | None = None, most: int | None = None) -> Schema:
    """Return a text that matches the pattern as a whole."""
    bounds = {"pattern": f"^(?:{pattern})$" if pattern else None, "minLength": least, "maxLength": most}
    return _said({"type": "string"} | {name: bound for name, bound in bounds.items() if bound is not None}, says)


def words(of: Iterable[str], says: str = "") -> Schema:
    return _said({"type": "string", "enum": list(of)}, says)


def integer(least: int | None = None, most: int | None = None, says: str = "", default: int | None = None) -> Schema:
    bounds = {"minimum": least, "maximum": most, "default": default}
    return _said({"type": "integer"} | {name: bound for name, bound in bounds.items() if bound is not None}, says)


def number(says: str = "", least: int | None = None) -> Schema:
    return _said({"type": "number"} | ({} if least is None else {"minimum": least}), says)


def flag(says: str = "") -> Schema:
    return _said({"type": "boolean"}, says)


def array(of: Schema, says: str = "", *, most: int | None = None) -> Schema:
    return _said({"type": "array", "items": of} | ({} if most is None else {"maxItems": most}), says)


def anything(says: str = "") -> Schema:
    """Return an object of any members, stored and shown as it came."""
    return _said({"type": "object", "additionalProperties": True}, says)


def constant(value: str | bool | int | None, says: str = "") -> Schema:
    return _said({"const": value}, says)


def nullable(schema: Schema) -> Schema:
    """Return a schema that takes null too."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    also = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*types, "null"]} | also


def ref(name: str) -> Schema:
    return {"$ref": name}


def said(says: str, schema: Schema) -> Schema:
    """Return the schema with this description."""
    return schema | {"description": says}


def _said(schema: Schema, says: str) -> Schema:
    return schema | {"description": says} if says else schema


def event_types(types: Iterable[str]) -> Schema:
    """Return what a webhook endpoint may ask for of these types of events: one, all that begin alike, or all (T90)."""
    known = sorted(types)
    return words(dict.fromkeys(("*", *known, *(f"{one.partition('.')[0]}.*" for one in known if "." in one))))


URL = text(r"https://[A-Za-z][A-Za-z0-9.-]{0,252}(:[1-9][0-9]{0,3})?([/?][!-\"$-~]*)?")
"""Where webhooks may be posted to; addresses in the place of names and larger ports are not told here."""


# --- operations


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a path or a query, or a header of requests. is_list: several values, with commas between them."""

    says: str
    schema: Schema
    is_required: bool = False
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """A header of answers."""

    says: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Example:
    """A request that a test sends, in the order of the description.

    Texts may name, in braces, what the test's desk begins with, or what an earlier example gave. gives: names, and
    where in the answer their values are (JSON pointers); they become links too: an operation whose path has a parameter
    of this name can follow. key: the name of the credential that it is sent with, the desk's usual one if empty.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    gives: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """What is said of a route.

    id: stable for ever, without the desk: clients, the command line and agents' tools are named after it. says: whole
    sentences, with the numbers of the rules. parameters: where they differ from the desk's. statuses: of successes
    beside the route's. headers: names of headers of its success. body_is_optional: a request without a body is good.
    """

    id: str
    summary: str
    says: str
    example: Example
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    statuses: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    body_is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a desk. code: as its answers show it."""

    status: int
    code: str | int
    says: str


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer that is text, not JSON. media: by media type, what it is."""

    media: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Description(Generic[Auth]):
    """All that is said of a desk.

    prefixes: the paths' beginnings, which ``operations`` leave out. operations: by tag, then by method and path.
    schemes: security schemes. security: by auth, the alternatives: names of schemes that go together. bodies: forms
    that are not data, by their names in the table. narrowed: what is asked of members besides their form, by form and
    member. answers: by the names in the table, and of what stands in them.
    success: wraps an answer's schema into the envelope. failure: the schema of the answer to one of these errors.
    headers: of answers; always: names of those that each success has; of_errors: those of some errors, by status.
    body_types: media types of bodies. alone: a media type in which what a success shows has no envelope; "": none.
    """

    table: RouteTable[Auth]
    title: str
    says: str
    prefixes: tuple[str, ...]
    schemes: Mapping[str, Schema]
    security: Mapping[Auth, Sequence[Sequence[str]]]
    operations: Mapping[str, Mapping[str, Operation]]
    parameters: Mapping[str, Parameter]
    answers: Mapping[str, Schema | Lines]
    errors: Mapping[str, Failure]
    members: Mapping[str, str]
    success: Callable[[Schema], Schema]
    failure: Callable[[Sequence[str]], Schema]
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    narrowed: Mapping[str, Mapping[str, Schema]] = field(default_factory=dict)
    headers: Mapping[str, Header] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    of_errors: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    body_types: tuple[str, ...] = (JSON,)
    alone: str = ""

    @property
    def desk(self) -> str:
        return self.table.desk

    def name_of(self, route: Route[Auth]) -> str:
        """Return the key of a route in ``operations``: its method, and its path without the prefix."""
        for prefix in self.prefixes:
            if route.path.startswith(f"{prefix}/"):
                return f"{route.method} {route.path.removeprefix(prefix)}"
        return route.name

    def of(self, route: Route[Auth]) -> tuple[str, Operation]:
        """Return a route's tag and what is said of it. Raises KeyError, whose text says what to add and where."""
        name = self.name_of(route)
        for tag, operations in self.operations.items():
            if name in operations:
                return tag, operations[name]
        raise KeyError(
            f"{name} is not described: add an Operation of this name in chalicelib.apis.{self.desk}.description"
        )
