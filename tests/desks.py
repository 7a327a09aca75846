"""The app's desks, which it keeps from request to request: tests that give it other tables have them made anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from chalicelib.tables.dynamodb import Database

_KEPT = (app._book_desk, app._trade_desk, app._taker_desk, app._escrow_desk, wiring.matcher, wiring.escrows)


@contextmanager
def fresh_desks() -> Iterator[None]:
    """Forget what the app has built, before and after."""
    for kept in _KEPT:
        kept.cache_clear()
    try:
        yield
    finally:
        for kept in _KEPT:
            kept.cache_clear()


@contextmanager
def app_over(
    database: Database, *, master_key: bytes | None = None, public_instance: str | None = None
) -> Iterator[Client]:
    """Have the app, its desks made anew, serve these tables. None: what the environment says."""
    with pytest.MonkeyPatch.context() as patch, fresh_desks(), Client(app.app) as client:
        patch.setattr(wiring, "database", lambda: database)
        patch.setattr(wiring, "counters", lambda: database)
        if master_key is not None:
            patch.setattr(wiring, "master_key", lambda: master_key)
            patch.setattr(wiring, "previous_master_key", lambda: None)
        if public_instance is not None:
            patch.setattr(wiring, "public_instance", lambda: public_instance)
        yield client
