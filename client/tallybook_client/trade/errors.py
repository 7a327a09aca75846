"""Errors of the trade desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class TradeError(ApiError):
    """The trade desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class InvalidParameters(TradeError):
    """400 40000: A header, parameter or member is not as it must be; the message names it (R62)."""

    documented_status = 400


class MinimumNotReached(TradeError):
    """400 40010: The amount, or what it is worth, is below the pair's minimum (R39)."""

    documented_status = 400


class InsufficientFunds(TradeError):
    """400 40011: The available balance does not cover what the order would hold."""

    documented_status = 400


class AlreadyCanceled(TradeError):
    """400 40020: The order has ended."""

    documented_status = 400


class NothingToCancel(TradeError):
    """400 40021: The order was filled. No order was live (R42)."""

    documented_status = 400


class Unsupported(TradeError):
    """400 40090: The operation is not served, or the pair is not enabled (R2)."""

    documented_status = 400


class Unauthorized(TradeError):
    """401 40100: Authorization header is required. Timestamp header is required. Signature header is required.
    Timestamp header is invalid. API token is invalid. API token is blocked. Timestamp is outside the tolerance
    window. Signature is invalid.
    """

    documented_status = 401


class Forbidden(TradeError):
    """403 40300: The token may not do this, the instance has not the service, or its customer is frozen (T96)."""

    documented_status = 403


class NotFound(TradeError):
    """404 40400: There is no such path, or no public instance (R3). There is no such pair (R15). The customer has no
    such order. There is no such currency.
    """

    documented_status = 404


class CursorGone(TradeError):
    """410 41000: The cursor is older than 30 days, or of other tables; `data.cursor` is that of now (T92)."""

    documented_status = 410


class TooManyRequests(TradeError):
    """429 42900: The bucket is empty; wait as `Retry-After` says (R13, R46). The day's requests are used up (R13)."""

    documented_status = 429


class Internal(TradeError):
    """500 50000: A fault of the service; whether something was changed is not known."""

    documented_status = 500


class Pending(TradeError):
    """500 50003: No result within five seconds; the cancel stays queued, repeat the request. No outcome within five
    seconds, or another amendment of the order is under way; repeat the request (R69).
    """

    documented_status = 500
    is_pending = True


class Maintenance(TradeError):
    """503 503: A needed part is down; nothing was changed."""

    documented_status = 503


BY_CODE: dict[str, type[TradeError]] = {
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
    "50003": Pending,
    "503": Maintenance,
}
