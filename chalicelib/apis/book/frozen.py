"""Frozen customers at the book desk: they may cancel, not place (T96)."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.apis.book.envelope import Envelope, Fault

IsFrozen = Callable[[str, str], bool]
"""Tells whether a customer of an instance is frozen."""


def fault_of_frozen(is_frozen: IsFrozen, instance: str, customer: str, envelope: Envelope) -> Fault | None:
    """Return the fault of a placement of this customer if it is frozen.

    Reads the customer's row only where the instance has frozen customers, which the gate has read.
    """
    if envelope.key is None or not envelope.key.has_frozen or not is_frozen(instance, customer):
        return None
    return Fault("CUSTOMER_FROZEN", "The customer is frozen: its orders can be cancelled, and none placed")
