"""The app's desks, which it keeps from request to request: tests that give it other tables have them made anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import app
from chalicelib import wiring

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
