"""Errors of the trade desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class TradeError(ApiError):
    """The trade desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class Maintenance(TradeError):
    """503: Maintenance in course."""

    documented_status = 503


class InvalidParameters(TradeError):
    """40000: Invalid parameters: <field>."""

    documented_status = 400


class MinimumNotReached(TradeError):
    """40010: Minimum value not reached."""

    documented_status = 400


class InsufficientFunds(TradeError):
    """40011: Insufficient funds."""

    documented_status = 400


class AlreadyCanceled(TradeError):
    """40020: Order already canceled."""

    documented_status = 400


class NothingToCancel(TradeError):
    """40021: Order executed completely. No orders to cancel."""

    documented_status = 400


class Unsupported(TradeError):
    """40090: Unsupported operation."""

    documented_status = 400


class Unauthorized(TradeError):
    """40100: Authorization header is required. Timestamp header is required. Signature header is required. Timestamp
    header is invalid. API token is invalid. API token is blocked. Timestamp is outside the tolerance window.
    Signature is invalid.
    """

    documented_status = 401


class Forbidden(TradeError):
    """40300: Forbidden access."""

    documented_status = 403


class NotFound(TradeError):
    """40400: Not found. Pair not found. Order not found. Currency not found."""

    documented_status = 404


class CursorGone(TradeError):
    """41000: Cursor is gone: read orders and balances anew, then follow from the cursor in data."""

    documented_status = 410


class TooManyRequests(TradeError):
    """42900: Too many requests. Limit Exceeded."""

    documented_status = 429


class Internal(TradeError):
    """50000: Internal server error."""

    documented_status = 500


class CancelPending(TradeError):
    """50003: Cancel is pending, repeat the request."""

    documented_status = 500
    is_pending = True


BY_CODE: dict[str, type[TradeError]] = {
    "503": Maintenance,
    "40000": InvalidParameters,
    "40010": MinimumNotReached,
    "40011": InsufficientFunds,
    "40020": AlreadyCanceled,
    "40021": NothingToCancel,
    "40090": Unsupported,
    "40100": Unauthorized,
    "40300": Forbidden,
    "40400": NotFound,
    "41000": CursorGone,
    "42900": TooManyRequests,
    "50000": Internal,
    "50003": CancelPending,
}
