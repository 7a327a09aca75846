"""What webhooks cost, in units: docs/webhooks.md has these figures."""

from __future__ import annotations

import re

from benchmarks.meter import metered
from chalicelib.tables.dynamodb import Database
from infra.settings import ROOT
from tests.services.webhooks.world import Hooks, event

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_an_event_and_a_batch_cost_what_the_page_says(memory_database: Database) -> None:
    database, meter = metered(memory_database)
    database.pause = lambda _seconds: None
    hooks = Hooks(database)
    hooks.endpoint()
    units = {}
    number = 0
    for events in (1, 11):
        hooks.now_ms += 10**6
        meter.take()
        hooks.receive(*(event(number + n) for n in range(1, events + 1)))
        hooks.work()
        units[events] = meter.take().total.write_units
        number += events
    each = (units[11] - units[1]) / 10
    assert re.search(rf"\b{each:.0f} write units for each event\b", PAGE), each
    assert re.search(rf"\b{units[1] - each:.0f} for each endpoint\s+and batch\b", PAGE), units[1] - each


def test_without_an_endpoint_a_batch_writes_nothing_and_reads_a_unit(memory_database: Database) -> None:
    database, meter = metered(memory_database)
    hooks = Hooks(database)
    hooks.receive(*map(event, range(1, 50)))
    total = meter.take().total
    assert (total.write_units, total.read_units) == (0, 1)
