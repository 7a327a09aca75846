"""Errors of the escrow desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class EscrowError(ApiError):
    """The escrow desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class Unauthenticated(EscrowError):
    """401: Unauthenticated."""

    documented_status = 401


class Forbidden(EscrowError):
    """403: This action is unauthorized."""

    documented_status = 403


class NotFound(EscrowError):
    """404: Not found."""

    documented_status = 404


class CursorGone(EscrowError):
    """410: Gone. Read the orders anew, then follow from this cursor."""

    documented_status = 410


class Invalid(EscrowError):
    """422: The given data was invalid."""

    documented_status = 422


class TooManyRequests(EscrowError):
    """429: Too Many Attempts."""

    documented_status = 429


class ServerError(EscrowError):
    """500: Server Error."""

    documented_status = 500


BY_CODE: dict[str, type[EscrowError]] = {
    "401": Unauthenticated,
    "403": Forbidden,
    "404": NotFound,
    "410": CursorGone,
    "422": Invalid,
    "429": TooManyRequests,
    "500": ServerError,
}
