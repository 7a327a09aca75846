"""The AsyncAPI document: valid, up to date, and true of what is sent.

``asyncapi-3.0.0.json`` is the JSON schema of the specification, unchanged from the package @asyncapi/specs 6.11.1; its
licence stands beside it. What sockets send is compared wherever a suite has clients (``tests.described``).
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from jsonschema_rs import Draft7Validator

from chalicelib.apis.book.routes import ROUTES as BOOK
from chalicelib.apis.escrow.routes import ROUTES as ESCROW
from chalicelib.apis.sockets import PATHS
from chalicelib.apis.taker.routes import ROUTES as TAKER
from chalicelib.apis.trade.routes import ROUTES as TRADE
from chalicelib.domain.books.book import Book
from chalicelib.domain.books.vocabulary import BookRules, BookStatus, Protection
from chalicelib.domain.feed.shown import event_json
from chalicelib.services.feed.types import ALL_TYPES, ESCROW_TYPES
from infra.asyncapi.document import DOCUMENT, as_text, document
from infra.asyncapi.events import event_forms
from infra.settings import ROOT
from tests.described import validator_of
from tests.domain.books.orders import change_to
from tests.test_event_catalogue import real, told

SCHEMA = json.loads((ROOT / "tests/infra/asyncapi/asyncapi-3.0.0.json").read_text(encoding="utf-8"))
MESSAGES: dict[str, Any] = document()["components"]["messages"]


def test_the_committed_document_is_the_one_that_the_code_gives() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == as_text(document()), "make asyncapi writes it anew"


def test_it_is_valid() -> None:
    assert list(Draft7Validator(SCHEMA).iter_errors(document())) == []


@pytest.mark.parametrize("fault", ["channels", "operations", "components"])
def test_the_schema_finds_faults(fault: str) -> None:
    broken = deepcopy(document())
    broken[fault] = {"one": {"address": 1, "action": "shout", "messages": []}}
    assert not Draft7Validator(SCHEMA).is_valid(broken)


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [one for item in value for one in references(item)]
        if not isinstance(value, dict):
            return []
        return [value["$ref"]] if "$ref" in value else [one for item in value.values() for one in references(item)]

    found = references(document())
    assert found
    for reference in found:
        at: Any = document()
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_every_message_has_examples_that_fit_it() -> None:
    for name, message in MESSAGES.items():
        assert message["examples"], name
        for example in message["examples"]:
            validator_of(name).validate(example["payload"])


def test_every_type_of_event_is_in_it_and_no_other() -> None:
    assert {kind for form in event_forms() for kind in form.types} == ALL_TYPES | ESCROW_TYPES


def test_real_events_fit_their_messages() -> None:
    changed = change_to(
        BookStatus.PAUSED, 1, "cmd_1", BookRules(0, lot_size=5, protection=Protection(100, 900, 60, 300))
    )
    events = [*real(), *(json.loads(json.dumps(event_json(one))) for one in told(Book(BookRules(0)), [(changed, 0)]))]
    names = {(form.area, kind): form.name for form in event_forms() for kind in form.types}
    seen = set()
    for event in events:
        name = names[event["log"].split("/")[0], event["type"]]
        validator_of(name).validate(event)
        seen.add(name)
    assert seen == {form.name for form in event_forms()}


def test_a_member_that_is_not_described_is_noticed() -> None:
    (example,) = MESSAGES["heartbeat"]["examples"]
    assert not validator_of("heartbeat").is_valid(example["payload"] | {"other": 1})
    assert Draft7Validator(MESSAGES["heartbeat"]["payload"]).is_valid(example["payload"] | {"other": 1})


def test_its_addresses_are_served() -> None:
    polled = {
        path
        for table in (BOOK, TRADE, TAKER, ESCROW)
        for route in table
        for path in route.paths
        if route.answer == "Events"
    }
    addresses = {one["address"] for one in document()["channels"].values()} - {None}
    assert addresses - {"/", *PATHS} == {path for path in polled if not path.startswith(("/v4/", "/events"))}
    assert {"/", *PATHS} <= addresses
