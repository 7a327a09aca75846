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
from pathlib import Path
from typing import Any

from chalicelib.apis.book.description import DESCRIPTION as BOOK
from chalicelib.apis.escrow.description import DESCRIPTION as ESCROW
from chalicelib.apis.kit.description import JSON, Description, Lines, Operation, Parameter, Schema
from chalicelib.apis.kit.routing import Route
from chalicelib.apis.taker.description import DESCRIPTION as TAKER
from chalicelib.apis.trade.description import DESCRIPTION as TRADE
from infra.openapi import front
from infra.openapi.schemas import DeskSchemas
from infra.settings import ROOT

DESCRIPTIONS: tuple[Description[Any], ...] = (BOOK, TRADE, TAKER, ESCROW)
FOLDER = ROOT / "chalicelib" / "apis" / "reference"
EXAMPLES = Path(__file__).with_name("examples.json")
VERSION = "3.1.0"
CLIENT_ERROR = 400
LINE_CHARACTERS = 160
_PARAMETER = re.compile(r"\{(\w+)\}", re.ASCII)
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
        self._schemas = DeskSchemas(description)

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
        schemes = {self._schemas.named(name): scheme for name, scheme in desk.schemes.items()}
        headers = {
            self._schemas.named(name): {"description": one.says, "schema": self._schemas.linked(one.schema)}
            for name, one in desk.headers.items()
        }
        shared = {name: one for name, (count, one) in self._failing().items() if count > 1}
        return {
            "securitySchemes": schemes,
            "headers": headers,
            "schemas": self._schemas.components(),
            "responses": shared,
        }

    def _operation(self, route: Route[Any], tag: str, operation: Operation) -> Schema:
        desk = self.description
        name = operation_id(desk, operation)
        found: Schema = {
            "operationId": name,
            "summary": operation.summary,
            "description": operation.says,
            "tags": [self._tag(tag)],
            "security": [{self._schemas.named(one): [] for one in together} for together in desk.security[route.auth]],
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
                schema = self._schemas.linked(one.schema)
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
        content: Schema = {"schema": self._schemas.linked({"$ref": self._schemas.form_name(route)})}
        if sent is not None and sent.body is not None:
            content["example"] = sent.body
        types = {media: content if media == JSON else self._as_form(route) for media in self.description.body_types}
        return {"required": not operation.body_is_optional, "content": types}

    def _as_form(self, route: Route[Any]) -> Schema:
        """Return a body as the fields of a form. Members that are objects are spelled ``metadata[cart]=17``."""
        spelled = {"style": "deepObject", "explode": True}
        properties = self._schemas.form(route)["properties"]
        objects = {member: spelled for member, one in properties.items() if "object" in str(one.get("type"))}
        shown: Schema = {"schema": self._schemas.linked({"$ref": self._schemas.form_name(route)})}
        return shown | ({"encoding": objects} if objects else {})

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
            shown: Schema = {"schema": self._schemas.linked(desk.success({"$ref": route.answer}))}
            if sent is not None and sent.status < CLIENT_ERROR:
                shown["example"] = sent.answer
            content = {JSON: shown}
            if desk.alone and answer.get("type") == "object" and shown["schema"].get("type") == "object":
                content[desk.alone] = {"schema": self._schemas.linked({"$ref": route.answer})}
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
            in_path = _PARAMETER.findall(linked.path)
            in_body = self._schemas.form(linked).get("required", []) if linked.body else []
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
        return ".".join((f"{self._schemas.prefix}{status}", *names))

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
            "content": {JSON: {"schema": self._schemas.linked(desk.failure(names))}},
            "x-errors": list(names),
        }
        headers = (*desk.always, *desk.of_errors.get(status, ()))
        return found | ({"headers": self._headers(headers)} if headers else {})

    def _headers(self, names: Iterable[str]) -> Schema:
        return {name: {"$ref": f"#/components/headers/{self._schemas.named(name)}"} for name in names}

    def _tag(self, tag: str) -> str:
        return f"{self.description.title}: {tag.lower()}"


def _sentence(summary: str) -> str:
    return f"{summary}: done."


def _typed(value: str, schema: Schema) -> Any:
    """Return the value of a parameter as its schema has it."""
    types = [one.get("type") for one in schema.get("anyOf", [schema])]
    return int(value) if "integer" in types and value.isdecimal() else value
