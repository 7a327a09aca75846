"""Errors of the escrow desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class EscrowError(ApiError):
    """The escrow desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class Unauthenticated(EscrowError):
    """401 401: No key, or one that is malformed, unknown, deleted or of an archived instance; no good signature (E2,
    E45).
    """

    documented_status = 401


class Forbidden(EscrowError):
    """403 403: The key is disabled, may only read, or is not for this path."""

    documented_status = 403


class NotFound(EscrowError):
    """404 404: There is no such path, or nothing of this id that the key may see."""

    documented_status = 404


class CursorGone(EscrowError):
    """410 410: The cursor is older than 30 days, or of other tables; `cursor` is that of now (T92)."""

    documented_status = 410


class Invalid(EscrowError):
    """422 422: Fields are faulty, or the order's status forbids it; `errors` has texts for people by field (E3, E4)."""

    documented_status = 422


class TooManyRequests(EscrowError):
    """429 429: Too many requests; wait as `Retry-After` says."""

    documented_status = 429


class ServerError(EscrowError):
    """500 500: A fault of the service; it is not known whether something was changed."""

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
