"""The OpenAPI documents: valid, up to date, complete, with examples that are as they are described.

That answers are as described is looked at wherever a test asks a desk (``tests.documented``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from openapi_spec_validator import validate

from chalicelib.apis.front import Front
from chalicelib.apis.kit.description import Description
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.kit.routing import Route, RouteTable
from infra.openapi import front
from infra.openapi.document import DESCRIPTIONS, FOLDER, DeskDocument, documents, recorded, written
from tests.documented import ERRORS, closed, validator_of

DOCUMENTS = documents(recorded())
WHOLE = DOCUMENTS[FOLDER / "openapi.json"]

each_desk = pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda description: description.desk)
each_operation = pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, operations in WHOLE["paths"].items() for method in operations]
)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_the_committed_documents_are_those_that_the_code_gives(file: Any) -> None:
    assert file.read_text(encoding="utf-8") == written(DOCUMENTS[file]) + "\n", "make openapi writes them anew"


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_they_are_valid(file: Any) -> None:
    validate(DOCUMENTS[file])


@each_desk
def test_each_route_is_described_and_nothing_else_is(description: Description[Any]) -> None:
    for route in description.table:
        description.of(route)
    names = {description.name_of(route) for route in description.table}
    assert {name for operations in description.operations.values() for name in operations} == names
    needed = {name for route in description.table for name in (*route.query, *route.headers)}
    needed |= {name for route in description.table for name in re.findall(r"{(\w+)}", route.path)}
    assert set(description.parameters) <= needed


def test_a_route_that_is_not_described_says_what_to_add() -> None:
    description = DESCRIPTIONS[0]
    new: Route[Any] = replace(description.table.routes[0], path="/custody/api/new", answer="News")
    with_new = replace(description, table=RouteTable("book", (*description.table.routes, new)))
    with pytest.raises(KeyError, match=r"POST /new is not described: add an Operation .* chalicelib\.apis\.book\.desc"):
        with_new.of(new)
    (tag, operations), *_ = description.operations.items()
    operation = replace(next(iter(operations.values())), id="new")
    also = {**description.operations, tag: {**operations, "POST /new": operation}}
    described = replace(with_new, operations=also)
    with pytest.raises(KeyError, match=r"News: add the schema of this answer in chalicelib\.apis\.book\.answers"):
        DeskDocument(described, {}).paths()
    asking = replace(new, answer="Order", query=("colour",))
    table = RouteTable("book", (*description.table.routes, asking))
    with pytest.raises(KeyError, match=r"colour: add it to the parameters in chalicelib\.apis\.book\.description"):
        DeskDocument(replace(described, table=table), {}).paths()


@each_desk
def test_every_error_of_the_desk_is_explained(description: Description[Any]) -> None:
    assert description.errors.keys() == ERRORS[description.desk]
    assert all(one.says.endswith(".") for one in description.errors.values())


def test_operations_have_stable_names_of_their_desk() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids)) == sum(len(one.table.routes) for one in DESCRIPTIONS) + len(front.PATHS)
    assert all(re.fullmatch(r"(book|trade|taker|escrow|front)\.[a-z][A-Za-z]+", name) for name in ids)


@each_operation
def test_an_operation_says_what_it_does_and_shows_an_example(path: str, method: str) -> None:
    operation = WHOLE["paths"][path][method]
    assert re.fullmatch(r"[A-Z][^.]*", operation["summary"])
    assert operation["description"].endswith(".")
    successes = [one for status, one in operation["responses"].items() if status < "3"]
    assert successes
    shown = [content for one in successes for content in one["content"].values() if "example" in content]
    assert shown
    for content in shown:
        if "const" not in content["schema"] and not isinstance(content["example"], str):
            assert not list(validator_of(WHOLE, content["schema"]).iter_errors(content["example"]))


@each_operation
def test_an_example_of_a_request_is_as_the_request_is_described(path: str, method: str) -> None:
    operation = WHOLE["paths"][path][method]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in content:
            assert not list(validator_of(WHOLE, content["schema"]).iter_errors(content["example"]))
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            assert not list(validator_of(WHOLE, parameter["schema"]).iter_errors(parameter["example"])), parameter
        assert parameter["description"].endswith(".")


def test_every_member_of_bodies_and_answers_is_explained() -> None:
    missing = sorted({f"{where}.{name}" for where, name, one in members_of(WHOLE) if "description" not in one})
    assert missing == [], "add them to MEMBERS in the desk's answers"


def operations() -> Iterator[tuple[str, Any]]:
    for path, found in WHOLE["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


def members_of(schema: Any, where: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield the members of all objects in a document: where they are, name, schema."""
    if isinstance(schema, list):
        for one in schema:
            yield from members_of(one, where)
    if isinstance(schema, dict):
        for key, one in schema.items():
            if key == "properties" and isinstance(one, dict):
                yield from ((where, name, member) for name, member in one.items())
            if key not in ("example", "examples"):
                yield from members_of(one, key if where in ("", "schemas") else where)


def test_links_lead_to_operations_that_are_there() -> None:
    ids = {operation["operationId"] for _, operation in operations()}
    linked = {
        link["operationId"]
        for _, operation in operations()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    }
    assert linked <= ids
    assert {"book.getOrder", "book.cancelOrder", "trade.getOrder", "taker.getOrder", "escrow.getOrder"} <= linked


def test_the_documents_of_the_desks_are_parts_of_the_whole() -> None:
    for description in DESCRIPTIONS:
        one = DOCUMENTS[FOLDER / "openapi" / f"{description.desk}.json"]
        for kind in ("securitySchemes", "headers", "schemas", "responses"):
            assert one["components"][kind].items() <= WHOLE["components"][kind].items()
        assert one["paths"].items() <= WHOLE["paths"].items()
    assert json.loads(written(WHOLE)) == WHOLE


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/health", 200), ("/health", 503)])
def test_the_paths_of_no_desk_answer_as_they_are_described(path: str, status: int) -> None:
    def ask_tables() -> None:
        if status == 503:
            raise ConnectionError

    answer = Front(ask_tables, lambda: 0.0).answer(HttpRequest("GET", None, {}, {}, {}, b"", path))
    described = WHOLE["paths"][path]["get"]["responses"][str(status)]
    assert answer.status == status
    closed_form = closed(described["content"]["application/json"]["schema"])
    assert not list(validator_of(WHOLE, closed_form).iter_errors(json.loads(answer.body)))
    assert described.get("headers", {}).keys() == answer.headers.keys() & {"Retry-After"}


def test_a_desk_that_takes_forms_and_bare_answers_says_so() -> None:
    order = WHOLE["paths"]["/2.0/orders"]["post"]
    assert list(order["requestBody"]["content"]) == [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ]
    bare = order["responses"]["200"]["content"]["application/json;profile=bare"]["schema"]
    assert bare == {"$ref": "#/components/schemas/EscrowOrder"}
    page = WHOLE["paths"]["/2.0/orders"]["get"]["responses"]["200"]["content"]
    assert list(page) == ["application/json"], "a list is the same in the bare profile"
