"""Looks which orders expire in a local run (R24), as the schedule of ``expire_orders`` does on AWS: without a pause."""

from __future__ import annotations

import threading

from chalicelib import wiring


def start_looking(stop: threading.Event) -> threading.Thread:
    """Start a thread that looks until told to stop; a look that has begun is finished first."""
    expiring = wiring.expiring()
    looker = threading.Thread(
        target=expiring.keep_looking, args=(lambda: not stop.is_set(), stop.wait), name="the looker", daemon=True
    )
    looker.start()
    return looker
