"""Errors of the taker desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class TakerError(ApiError):
    """The taker desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class InvalidParameter(TakerError):
    """400001: Invalid parameter."""

    documented_status = 400


class InsufficientBalance(TakerError):
    """400: Insufficient balance."""

    documented_status = 400


class KeyMissing(TakerError):
    """10010012: API key, or one of timestamp and signature, is missing."""

    documented_status = 401


class KeyUnknown(TakerError):
    """10010009: API key is invalid."""

    documented_status = 401


class KeyExpired(TakerError):
    """10010010: API key has expired."""

    documented_status = 401


class TimestampInvalid(TakerError):
    """10010011: Timestamp is no integer, or outside the window."""

    documented_status = 401


class SignatureInvalid(TakerError):
    """10010008: Signature is invalid."""

    documented_status = 401


class Unauthorized(TakerError):
    """401: Unauthorized."""

    documented_status = 401


class Forbidden(TakerError):
    """403: Forbidden."""

    documented_status = 403


class NotFound(TakerError):
    """404: Not found."""

    documented_status = 404


class Conflict(TakerError):
    """409: Conflict."""

    documented_status = 409


class CursorGone(TakerError):
    """410: Gone."""

    documented_status = 410


class TooManyRequests(TakerError):
    """429: Too many requests."""

    documented_status = 429


class Internal(TakerError):
    """500: Internal server error."""

    documented_status = 500


BY_CODE: dict[str, type[TakerError]] = {
    "400001": InvalidParameter,
    "400": InsufficientBalance,
    "10010012": KeyMissing,
    "10010009": KeyUnknown,
    "10010010": KeyExpired,
    "10010011": TimestampInvalid,
    "10010008": SignatureInvalid,
    "401": Unauthorized,
    "403": Forbidden,
    "404": NotFound,
    "409": Conflict,
    "410": CursorGone,
    "429": TooManyRequests,
    "500": Internal,
}
