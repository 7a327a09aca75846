"""What a client's calls are compared with: the desk's route table, its OpenAPI description and its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
from jsonschema_rs import validator_for

from chalicelib.apis.kit.routing import RouteTable
from tallybook_client import wire
from tests.client.http import InProcess, Sent
from tests.documented import document, operation

HEADERS_OF_CALLS = {"idempotency-key": "Idempotency-Key", "prefer": "Prefer"}


def check_requests(http: InProcess, table: RouteTable[Any]) -> set[str]:
    """Compare what was sent with the desk's routes. Return the names of the routes that were called."""
    called = set()
    for sent in http.sent:
        route, _ = table.find(sent.method, sent.path)
        assert set(sent.query) <= set(route.query), route.name
        named = {name for lower, name in HEADERS_OF_CALLS.items() if lower in sent.headers}
        assert named <= set(route.headers), route.name
        if "Idempotency-Key" in route.headers:
            assert "idempotency-key" in sent.headers, f"{route.name}: a write is sent under a key where there is one"
        if sent.status is not None and sent.status < 300:
            _check_by_description(table.desk, route.name, sent)
        called.add(route.name)
    return called


def _check_by_description(desk: str, name: str, sent: Sent) -> None:
    """Assert that a request that was carried out is as its OpenAPI description says. Null clears, or is absent."""
    described = operation(desk, name)
    schemas = {"components": {"schemas": document(desk).components()["schemas"]}}
    if sent.body:
        content = described["requestBody"]["content"]["application/json"]
        given = {member: value for member, value in json.loads(sent.body).items() if value is not None}
        errors = list(validator_for(content["schema"] | schemas).iter_errors(given))
        assert errors == [], f"{name}: {errors}"
    for parameter in described.get("parameters", []):
        if parameter["in"] == "query" and parameter["name"] in sent.query:
            texts, schema = sent.query[parameter["name"]], parameter["schema"] | schemas
            assert any(validator_for(schema).is_valid(value) for value in _read(texts[-1])), f"{name}: {parameter}"


def _read(text: str) -> list[Any]:
    """Return what a parameter's text may stand for: itself, or a number, a truth value, a list."""
    read = [int(text)] if text.isdigit() else []
    return [text, *read, *({"true": [True], "false": [False]}.get(text, [])), text.split(",")]


def members_of_form(form: type[msgspec.Struct]) -> set[str]:
    return set(form.__struct_encode_fields__)


@contextmanager
def nothing_is_dropped() -> Iterator[None]:
    """Fail where an answer has a member that the client's model of it lacks."""
    read = wire.value_of

    def checked(text: Any, kind: Any) -> Any:
        value = read(text, kind)
        _compare(json.loads(bytes(text)), json.loads(msgspec.json.encode(value)), str(kind))
        return value

    with mock.patch.object(wire, "value_of", checked):
        yield


def _compare(sent: Any, read: Any, where: str) -> None:
    if isinstance(sent, Mapping) and isinstance(read, Mapping):
        assert set(sent) <= set(read), f"{where} lacks {set(sent) - set(read)}"
        for name, value in sent.items():
            _compare(value, read[name], f"{where}.{name}")
    elif isinstance(sent, list):
        for one, other in zip(sent, read, strict=True):
            _compare(one, other, where)
