"""Errors of commands on signed orders, one exception for each answer; the command changed nothing.

A lapse that the command met is stored all the same: the clock caused it, not the command (K30).
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.signed.lifecycle import Status


class UnknownInstrument(Exception):
    """The instance does not trade what the order is about."""


class OrderNotFound(Exception):
    """The order does not exist, or is another taker's; both have the same answer (K8)."""


class NotTheMakers(Exception):
    """The order is another maker's."""


class OwnOrder(Exception):
    """The taker is the order's maker, or its principal."""


class Conflict(Exception):
    """The order's present state does not allow the command.

    status: the effective one. expires_at_s: of its live lock, None without one. locked_by: who has that lock, told to
    its holder only (K9).
    """

    def __init__(self, status: Status, expires_at_s: int | None, locked_by: str | None) -> None:
        super().__init__(f"the order is {status.value}")
        self.status = status
        self.expires_at_s = expires_at_s
        self.locked_by = locked_by


class StateForbids(Conflict):
    """The order's state does not let this be done."""


class ReferenceTaken(Conflict):
    """The order has another fill under this reference: other values, or another taker's (K24)."""


class BadAmount(Exception):
    """A fill asks for more than the order lets it have.

    faults: what is wrong, by field: ``fill_quantity``, ``taker_incentive``, or both.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(str(faults))
        self.faults = faults


class InsufficientFunds(Exception):
    """The maker of a new order, or the taker of a fill, has less available than it takes. Base units of the asset."""

    def __init__(self, asset: str, required: int, available: int) -> None:
        super().__init__(f"required {required}, available {available}")
        self.asset = asset
        self.required = required
        self.available = available


class NonceUsed(Exception):
    """The maker has used the nonce; order_hash: for this order, whatever became of it (K15)."""

    def __init__(self, order_hash: str) -> None:
        super().__init__(f"used by {order_hash}")
        self.order_hash = order_hash


class NonceSpent(Exception):
    """The wallet has used the nonce of a connect message before (K37)."""


class DeskBusy(Exception):
    """Others kept changing the order between every reading of it and the write."""
