"""The expiry thread of a local run: closes expired orders, fires switches (R24, O10), as ``expire_orders`` on AWS."""

from __future__ import annotations

import threading

from chalicelib import wiring


def start_expiry_thread(stop: threading.Event) -> threading.Thread:
    """Start the thread. It ends after its current check once ``stop`` is set."""
    expiring = wiring.expiring()
    thread = threading.Thread(
        target=expiring.run, args=(lambda: not stop.is_set(), stop.wait), name="expiry", daemon=True
    )
    thread.start()
    return thread
