"""Errors of the taker desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class TakerError(ApiError):
    """The taker desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class InvalidParameter(TakerError):
    """400 400001: Parameters or members are faulty; `details` names each, all at once (K51)."""

    documented_status = 400


class InsufficientBalance(TakerError):
    """400 400: The maker of a new order, or the taker of a fill, has too little."""

    documented_status = 400


class KeyMissing(TakerError):
    """401 10010012: No `X-API-Key`, or only one of timestamp and signature, or none where the key must sign (K4)."""

    documented_status = 401


class KeyUnknown(TakerError):
    """401 10010009: There is no such key."""

    documented_status = 401


class KeyExpired(TakerError):
    """401 10010010: The key has expired."""

    documented_status = 401


class TimestampInvalid(TakerError):
    """401 10010011: The timestamp is no integer, or outside the window."""

    documented_status = 401


class SignatureInvalid(TakerError):
    """401 10010008: The signature does not match."""

    documented_status = 401


class Unauthorized(TakerError):
    """401 401: The session is missing or over; at connecting: not the wallet's signature, or a used nonce."""

    documented_status = 401


class Forbidden(TakerError):
    """403 403: Not allowed: a disabled key, another's address or order, a frozen maker (T96), no service."""

    documented_status = 403


class NotFound(TakerError):
    """404 404: There is nothing here that this caller may see (K8)."""

    documented_status = 404


class Conflict(TakerError):
    """409 409: The order's state forbids it, somebody holds its lock, or a nonce or reference is used (K9)."""

    documented_status = 409


class CursorGone(TakerError):
    """410 410: The cursor is older than 30 days, or of other tables; `details` has that of now (T92)."""

    documented_status = 410


class TooManyRequests(TakerError):
    """429 429: Too many requests; wait as `Retry-After` says."""

    documented_status = 429


class Internal(TakerError):
    """500 500: A fault of the service; whether something was changed is not known: look at the order."""

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
