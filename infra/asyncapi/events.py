"""Messages of the feed's events: meanings and examples of docs/events.md, the catalogue, and the schemas of bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from chalicelib.apis.kit.description import Schema, words
from chalicelib.services.feed.types import ESCROW_TYPES, SIGNED_TYPES
from infra.asyncapi import bodies
from infra.asyncapi.bodies import COUNT, TIME, object_of
from infra.settings import ROOT

CATALOGUE = ROOT / "docs" / "events.md"
CANCEL_REQUESTED = "signed_order.cancel_requested"
_SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| `([\w.]+)` \| (.*) \|$", re.MULTILINE | re.ASCII)
_EXAMPLE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class EventForm:
    """The events of one area that have one form of body. name: of the message. section: of the catalogue."""

    name: str
    area: str
    section: str
    types: tuple[str, ...]
    body: Schema


def event_forms() -> list[EventForm]:
    """Return every form of event."""
    steps = tuple(sorted(SIGNED_TYPES - {CANCEL_REQUESTED}))
    return [
        *(EventForm(camel(kind), "book", "Book", (kind,), body) for kind, body in bodies.BOOK.items()),
        EventForm("signedOrderStep", "signed", "Signed orders", steps, bodies.SIGNED_STEP),
        EventForm(
            "signedOrderCancelRequested", "signed", "Signed orders", (CANCEL_REQUESTED,), bodies.SIGNED_CANCEL_REQUESTED
        ),
        EventForm("signedOrderBalanceChanged", "signed", "Ledger", ("balance.changed",), bodies.SIGNED_BALANCE),
        EventForm("escrowStep", "escrow", "Escrow orders", tuple(sorted(ESCROW_TYPES)), bodies.ESCROW_STEP),
        EventForm("escrowBalanceChanged", "escrow", "Ledger", ("balance.changed",), bodies.ESCROW_BALANCE),
        EventForm("ledgerBalanceChanged", "ledger", "Ledger", ("balance.changed",), bodies.LEDGER_BALANCE),
    ]


def camel(kind: str) -> str:
    """Return the name of a message for a type of event.

    >>> camel("order.amend_refused")
    'orderAmendRefused'
    """
    first, *others = re.split(r"[._]", kind)
    return first + "".join(map(str.capitalize, others))


def event_schema(form: EventForm) -> Schema:
    """Return the schema of an event of a form."""
    return object_of(
        {
            "id": {"type": "string", "description": "The event's name for ever; deliveries of one event share it."},
            "type": words(form.types),
            "time": TIME | {"description": "When it was decided: ISO 8601, UTC, milliseconds."},
            "log": {"type": "string", "description": "The log that it comes from.", "pattern": f"^{form.area}/"},
            "sequence": COUNT | {"description": "Number of the entry in the log."},
            "part": COUNT | {"description": "Place among the entry's events, from 0."},
            "body": form.body,
        }
    )


@cache
def catalogue() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    """Return receivers and meaning of each type, by section of docs/events.md and type."""
    found = {}
    for section, text in _SECTION.findall(CATALOGUE.read_text(encoding="utf-8")):
        rows = {kind: _LINK.sub(r"\1", columns).split(" | ") for kind, columns in _ROW.findall(text)}
        found[section] = {kind: (row[0] if len(row) > 1 else "merchant", row[-1]) for kind, row in rows.items()}
    return found


@cache
def event_examples() -> list[dict[str, Any]]:
    """Return the events that docs/events.md shows."""
    return [json.loads(text) for text in _EXAMPLE.findall(CATALOGUE.read_text(encoding="utf-8"))]


def event_message(form: EventForm) -> Schema:
    """Return the message of a form, with the catalogue's words and examples."""
    told = catalogue()[form.section]
    if len(form.types) == 1:
        receivers, meaning = told[form.types[0]]
        title, text = form.types[0], f"Receivers: {receivers}. It means: {meaning}."
    else:
        rows = (f"| `{kind}` | {' | '.join(told[kind])} |" for kind in form.types)
        title, text = form.name, "\n".join(["| type | receivers | meaning |", "| --- | --- | --- |", *rows])
    shown = [one for one in event_examples() if one["type"] in form.types and one["log"].split("/")[0] == form.area]
    return {
        "title": title,
        "description": text,
        "contentType": "application/json",
        "payload": event_schema(form),
        "examples": [{"name": one["type"], "payload": one} for one in shown],
    }
