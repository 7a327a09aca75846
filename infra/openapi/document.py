"""OpenAPI 3.1 documents of the desks, made of their route tables, forms and descriptions (T125).

There is one document for all desks and one for each. They are committed where the service reads them, because nothing
is generated where it runs; a test compares them. Their examples are requests that a test sends
(``tests.apis.examples``), and the answers that it got, as ``examples.json`` keeps them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from chalicelib.apis.book.description import DESCRIPTION as BOOK
from chalicelib.apis.escrow.description import DESCRIPTION as ESCROW
from chalicelib.apis.kit.description import JSON, Description, Lines, Operation, Parameter, Schema, nullable
from chalicelib.apis.kit.routing import Route
from chalicelib.apis.taker.description import DESCRIPTION as TAKER
from chalicelib.apis.trade.description import DESCRIPTION as TRADE
from infra.openapi import front
from infra.settings import ROOT

DESCRIPTIONS: tuple[Description[Any], ...] = (BOOK, TRADE, TAKER, ESCROW)
FOLDER = ROOT / "chalicelib" / "apis" / "reference"
EXAMPLES = Path(__file__).with_name("examples.json")
VERSION = "3.1.0"
CLIENT_ERROR = 400
LINE_CHARACTERS = 160
_PARAMETER = re.compile(r"\{(\w+)\}", re.ASCII)
_SCHEMAS = "#/components/schemas/"
_ANYTHINGS = ("id", "uuid")


@dataclass(frozen=True, slots=True)
class Sent:
    """An example as it was sent, texts filled in, and what was answered: JSON, or text where it is none."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int
    answer: Any


Examples = Mapping[str, Sent]
"""By operation id, with the desk in front."""


def operation_id(description: Description[Any], operation: Operation) -> str:
    return f"{description.desk}.{operation.id}"


def recorded() -> dict[str, Sent]:
    """Return the examples as they were sent last."""
    kept = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return {name: Sent(**one) for name, one in kept.items()}


def documents(examples: Examples) -> dict[Path, Schema]:
    """Return each document by its file."""
    each = {one.desk: DeskDocument(one, examples) for one in DESCRIPTIONS}
    found = {FOLDER / "openapi.json": _whole(list(each.values()))}
    return found | {FOLDER / "openapi" / f"{desk}.json": _whole([one]) for desk, one in each.items()}


def written(value: Any, depth: int = 0) -> str:
    """Return JSON in which what fits stands on one line, so that a change shows as the few lines that it is."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or depth + len(flat) <= LINE_CHARACTERS:
        return flat
    inside, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, list):
        return "[" + ",".join(inside + written(one, depth + 1) for one in value) + end + "]"
    named = (f"{inside}{json.dumps(name)}: {written(one, depth + 1)}" for name, one in value.items())
    return "{" + ",".join(named) + end + "}"


def _whole(desks: list[DeskDocument]) -> Schema:
    is_one, version = len(desks) == 1, "0.1.0"
    title = f"Tallybook: {desks[0].description.title.lower()}" if is_one else "Tallybook"
    says = desks[0].description.says if is_one else "An order service: four desks over one ledger."
    components: dict[str, Schema] = {}
    paths: Schema = {}
    for desk in desks:
        for kind, named in desk.components().items():
            components.setdefault(kind, {}).update(named)
        paths |= desk.paths()
    if not is_one:
        paths |= front.PATHS
    return {
        "openapi": VERSION,
        "info": {
            "title": title,
            "version": version,
            "description": says,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ".." if is_one else ".", "description": "Where this document was read."}],
        "tags": [tag for desk in desks for tag in desk.tags()] + ([] if is_one else [{"name": front.TAG}]),
        "paths": paths,
        "components": components,
        "x-errors": {desk.description.desk: desk.errors() for desk in desks},
    }


class DeskDocument:
    """Makes one desk's part of a document."""

    def __init__(self, description: Description[Any], examples: Examples) -> None:
        self.description = description
        self._examples = examples
        self._prefix = description.desk.capitalize()
        self._schemas = {name: one for name, one in description.answers.items() if not isinstance(one, Lines)}
        self._schemas |= self._forms()

    def tags(self) -> list[Schema]:
        return [{"name": self._tag(tag)} for tag in self.description.operations]

    def errors(self) -> Schema:
        """Return the desk's errors by name: status, the code that answers show, and what it means."""
        return {
            name: {"status": one.status, "code": one.code, "description": one.says}
            for name, one in self.description.errors.items()
        }

    def paths(self) -> Schema:
        found: Schema = {}
        for tag, operations in self.description.operations.items():
            for route in self.description.table:
                if self.description.name_of(route) in operations:
                    operation = operations[self.description.name_of(route)]
                    found.setdefault(route.path, {})[route.method.lower()] = self._operation(route, tag, operation)
        return found

    def components(self) -> dict[str, Schema]:
        desk = self.description
        schemes = {self._named(name): scheme for name, scheme in desk.schemes.items()}
        headers = {
            self._named(name): {"description": one.says, "schema": self._linked(one.schema)}
            for name, one in desk.headers.items()
        }
        schemas = {self._named(name): self._linked(schema) for name, schema in self._schemas.items()}
        shared = {name: one for name, (count, one) in self._failing().items() if count > 1}
        return {"securitySchemes": schemes, "headers": headers, "schemas": schemas, "responses": shared}

    # --- operations

    def _operation(self, route: Route[Any], tag: str, operation: Operation) -> Schema:
        desk = self.description
        name = operation_id(desk, operation)
        found: Schema = {
            "operationId": name,
            "summary": operation.summary,
            "description": operation.says,
            "tags": [self._tag(tag)],
            "security": [{self._named(one): [] for one in together} for together in desk.security[route.auth]],
        }
        if route.aliases:
            found["x-also-at"] = list(route.aliases)
        if parameters := self._parameters(route, operation):
            found["parameters"] = parameters
        if route.body is not None:
            found["requestBody"] = self._body(route, operation)
        found["responses"] = self._successes(route, operation) | self._failures(route)
        return found

    def _parameters(self, route: Route[Any], operation: Operation) -> list[Schema]:
        sent = self._examples.get(operation_id(self.description, operation))
        places = (
            ("path", _PARAMETER.findall(route.path), sent.path if sent else {}),
            ("query", route.query, sent.query if sent else {}),
            ("header", route.headers, sent.headers if sent else {}),
        )
        found = []
        for place, names, values in places:
            for name in names:
                one = self._parameter(name, operation)
                shown: Schema = {"name": name, "in": place, "description": one.says}
                if place == "path" or one.is_required:
                    shown["required"] = True
                schema = self._linked(one.schema)
                if one.is_list:
                    shown |= {"style": "form", "explode": False}
                    schema = {"type": "array", "items": schema}
                shown["schema"] = schema
                if name in values:
                    shown["example"] = values[name].split(",") if one.is_list else _typed(values[name], schema)
                found.append(shown)
        return found

    def _parameter(self, name: str, operation: Operation) -> Parameter:
        found = operation.parameters.get(name) or self.description.parameters.get(name)
        if found is None:
            raise KeyError(f"{name}: add it to the parameters in chalicelib.apis.{self.description.desk}.description")
        return found

    def _body(self, route: Route[Any], operation: Operation) -> Schema:
        sent = self._examples.get(operation_id(self.description, operation))
        content: Schema = {"schema": self._linked({"$ref": self._form_name(route)})}
        if sent is not None and sent.body is not None:
            content["example"] = sent.body
        types = {media: content if media == JSON else self._as_form(route) for media in self.description.body_types}
        return {"required": not operation.body_is_optional, "content": types}

    def _as_form(self, route: Route[Any]) -> Schema:
        """Return a body as the fields of a form. Members that are objects are spelled ``metadata[cart]=17``."""
        name, spelled = self._form_name(route), {"style": "deepObject", "explode": True}
        properties = self._schemas[name]["properties"]
        objects = {member: spelled for member, one in properties.items() if "object" in str(one.get("type"))}
        return {"schema": self._linked({"$ref": name})} | ({"encoding": objects} if objects else {})

    def _successes(self, route: Route[Any], operation: Operation) -> Schema:
        desk = self.description
        answer = desk.answers.get(route.answer)
        if answer is None:
            raise KeyError(f"{route.answer}: add the schema of this answer in chalicelib.apis.{desk.desk}.answers")
        sent = self._examples.get(operation_id(desk, operation))
        content: Schema
        if isinstance(answer, Lines):
            content = {
                media: {"schema": {"type": "string", "description": says}} for media, says in answer.media.items()
            }
            if sent is not None:
                is_csv = sent.query.get("format") == "csv"
                content[next(media for media in content if ("csv" in media) is is_csv)]["example"] = sent.answer
        else:
            shown: Schema = {"schema": self._linked(desk.success({"$ref": route.answer}))}
            if sent is not None and sent.status < CLIENT_ERROR:
                shown["example"] = sent.answer
            content = {JSON: shown}
            if desk.alone and answer.get("type") == "object" and shown["schema"].get("type") == "object":
                content[desk.alone] = {"schema": self._linked({"$ref": route.answer})}
        headers = (*desk.always, *operation.headers)
        found: Schema = {"description": _sentence(operation.summary), "content": content}
        if headers:
            found["headers"] = self._headers(headers)
        if links := self._links(route, operation):
            found["links"] = links
        return {str(status): found for status in (route.status, *operation.statuses)}

    def _links(self, route: Route[Any], operation: Operation) -> Schema:
        """Return links to the operations that name what this one's answer gives, in their path or required in a body.

        A name that many things have, such as ``id``, is that of what stands below this operation's own path.
        """
        gives = {name: f"$response.body#{pointer}" for name, pointer in operation.example.gives.items()}
        found: Schema = {}
        for linked in self.description.table:
            _, other = self.description.of(linked)
            known = {name: value for name, value in gives.items() if name not in _ANYTHINGS}
            if gives and f"{linked.path}/".startswith(f"{route.path}/"):
                known = dict.fromkeys(_ANYTHINGS, next(iter(gives.values()))) | gives
            in_path, in_body = _PARAMETER.findall(linked.path), self._required(linked)
            if not known.keys() & {*in_path, *in_body} or other is operation:
                continue
            if not {*in_path, *in_body} <= known.keys() | operation.example.path.keys():
                continue
            values = {name: known.get(name, f"$request.path.{name}") for name in in_path}
            values |= {name: known[name] for name in linked.query if name in known}
            link: Schema = {"operationId": operation_id(self.description, other), "parameters": values}
            if in_body:
                link["requestBody"] = {name: known[name] for name in in_body if name in known}
            found[other.id] = link
        return found

    def _required(self, route: Route[Any]) -> list[str]:
        """Return the members that a body must have."""
        required: list[str] = self._schemas[self._form_name(route)].get("required", []) if route.body else []
        return required

    def _failures(self, route: Route[Any]) -> Schema:
        """Return the answers of a route's errors by status; what several routes answer is one component."""
        failing = self._failing()
        found: Schema = {}
        for status, names in self._errors_by_status(route).items():
            name = self._failure_name(status, names)
            count, one = failing[name]
            found[str(status)] = {"$ref": f"#/components/responses/{name}"} if count > 1 else one
        return found

    def _errors_by_status(self, route: Route[Any]) -> dict[int, tuple[str, ...]]:
        desk = self.description
        documented = [name for name in desk.errors if name in desk.table.documented(route)]
        statuses = sorted({desk.errors[name].status for name in documented})
        return {status: tuple(name for name in documented if desk.errors[name].status == status) for status in statuses}

    def _failure_name(self, status: int, names: tuple[str, ...]) -> str:
        return ".".join((f"{self._prefix}{status}", *names))

    @cache  # noqa: B019 - a document lives as long as it is made
    def _failing(self) -> dict[str, tuple[int, Schema]]:
        """Return how many routes answer with the same errors under the same status, and the answer."""
        found: dict[str, tuple[int, Schema]] = {}
        for route in self.description.table:
            for status, names in self._errors_by_status(route).items():
                name = self._failure_name(status, names)
                count = found[name][0] if name in found else 0
                found[name] = count + 1, self._failure(status, names)
        return found

    def _failure(self, status: int, names: tuple[str, ...]) -> Schema:
        desk = self.description
        found: Schema = {
            "description": "\n".join(f"- `{desk.errors[name].code}`: {desk.errors[name].says}" for name in names),
            "content": {JSON: {"schema": self._linked(desk.failure(names))}},
            "x-errors": list(names),
        }
        headers = (*desk.always, *desk.of_errors.get(status, ()))
        return found | ({"headers": self._headers(headers)} if headers else {})

    def _headers(self, names: Iterable[str]) -> Schema:
        return {name: {"$ref": f"#/components/headers/{self._named(name)}"} for name in names}

    # --- schemas

    def _forms(self) -> dict[str, Schema]:
        """Return the schemas of all bodies, and of the forms within them, by name."""
        found: dict[str, Schema] = {}
        for route in self.description.table:
            if route.body is not None:
                found |= self._form(route)
        return found

    def _form_name(self, route: Route[Any]) -> str:
        _, _, name = (route.body or "").partition(":")
        return name if name[0].isupper() and not name.isupper() else self.description.of(route)[1].id + "Body"

    def _form(self, route: Route[Any]) -> dict[str, Schema]:
        module, _, name = (route.body or "").partition(":")
        shown = self._form_name(route)
        if name in self.description.bodies:
            return {shown: self.description.bodies[name]}
        form = getattr(import_module(f"chalicelib.apis.{self.description.desk}.{module}"), name)
        if hasattr(form, "model_json_schema"):
            schema = form.model_json_schema(ref_template="{model}")
            within = schema.pop("$defs", {})
            found = {shown: _plain(schema)} | {inner: _plain(one) for inner, one in within.items()}
        else:
            found = {shown: form.described()}
        for member, more in self.description.narrowed.get(name, {}).items():
            found[shown]["properties"][member] |= more
        return found

    def _linked(self, schema: Schema) -> Schema:
        """Return a schema of a document: references in full, and a description for each member."""
        found: Schema = {}
        for key, value in schema.items():
            if key == "$ref":
                found[key] = _SCHEMAS + self._named(value)
            elif key == "properties":
                found[key] = {name: self._member(name, one) for name, one in value.items()}
            elif key in ("const", "enum", "default", "examples", "required"):
                found[key] = value
            elif isinstance(value, dict):
                found[key] = self._linked(value)
            elif isinstance(value, list):
                found[key] = [self._linked(one) if isinstance(one, dict) else one for one in value]
            else:
                found[key] = value
        return found

    def _member(self, name: str, schema: Schema) -> Schema:
        linked = self._linked(schema)
        meaning, says = self.description.members.get(name), linked.get("description")
        if meaning and (says is None or says.startswith("must ")):
            bounds = f" It {says}." if says else ""
            linked = {"description": meaning + bounds} | {
                key: one for key, one in linked.items() if key != "description"
            }
        return linked

    def _named(self, name: str) -> str:
        return self._prefix + name[0].upper() + name[1:]

    def _tag(self, tag: str) -> str:
        return f"{self.description.title}: {tag.lower()}"


def _plain(schema: Any) -> Any:
    """Return a form's schema without what pydantic adds for itself; a choice of something or null is one schema."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(one) for key, one in schema.items() if not (key == "title" and isinstance(one, str))}
    if found.get("default", ...) is None:
        del found["default"]
    choices = found.get("anyOf")
    if isinstance(choices, list) and len(choices) == 2 and choices[1] == {"type": "null"} and "type" in choices[0]:
        found = {**{key: one for key, one in found.items() if key != "anyOf"}, **nullable(choices[0])}
    if "description" in found and "properties" in found:
        found["description"] = _first_line(found["description"])
    return found


def _first_line(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())


def _sentence(summary: str) -> str:
    return f"{summary}: done."


def _typed(value: str, schema: Schema) -> Any:
    """Return the value of a parameter as its schema has it."""
    types = [one.get("type") for one in schema.get("anyOf", [schema])]
    return int(value) if "integer" in types and value.isdecimal() else value
