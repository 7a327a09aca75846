"""The local sweeper: the event that it passes, and that it continues after a failure."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

import app
from chalicelib import wiring
from chalicelib.tables.dynamodb import Database
from infra.sweeper import Sweeper, scheduled_event
from tests.apis.taker.desk import NOW_S, QUOTE, open_taker_desk

AT = datetime(2025, 1, 17, 3, 0, 24, tzinfo=UTC)


def test_it_sweeps_at_the_start_and_after_failures_until_it_is_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[str] = []
    stop = threading.Event()

    def sweep(event: dict[str, Any], context: Any) -> object:
        calls.append(f"{context.function_name} {event['detail-type']}")
        if len(calls) == 1:
            raise RuntimeError("the first one")
        stop.set()
        return {"lapses": 0}

    Sweeper("sweep_signed_orders", sweep, period_s=0).run(stop)
    assert calls == ["sweep_signed_orders Scheduled Event"] * 2
    assert "the first one" in caplog.text


def test_the_scheduled_function_writes_lapses_down(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """K30: the funds of an order whose deadline has passed come back to its maker."""
    desk = open_taker_desk(memory_database)
    order_hash = desk.created(deadline=NOW_S + 60)
    available, held = desk.balance(desk.maker, QUOTE)
    assert held > 0
    desk.clock.advance(60)
    monkeypatch.setattr(wiring, "signed_order_desk", desk.commands)
    with monkeypatch.context() as patched:
        patched.setattr(app, "SWEEP_RUN_S", 0)
        assert app.sweep_signed_orders(scheduled_event("sweep_signed_orders", AT), None) == {"lapses": 0}
    assert app.sweep_signed_orders(scheduled_event("sweep_signed_orders", AT), None) == {"lapses": 1}
    assert desk.balance(desk.maker, QUOTE) == (available + held, 0)
    assert app.sweep_signed_orders(scheduled_event("sweep_signed_orders", AT), None) == {"lapses": 0}
    assert desk.seen(order_hash).status == 404
