"""Errors of the book desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class BookError(ApiError):
    """The book desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class NotFound(BookError):
    """404 NOT_FOUND: There is no such path."""

    documented_status = 404


class MethodNotAllowed(BookError):
    """405 METHOD_NOT_ALLOWED: The path has no such method; `Allow` names those that it has."""

    documented_status = 405


class AuthRequired(BookError):
    """401 AUTH_REQUIRED: The header `X-API-Key` is missing (T4)."""

    documented_status = 401


class AuthFailed(BookError):
    """401 AUTH_FAILED: The key is malformed, unknown, revoked, expired, or of an archived instance (T4)."""

    documented_status = 401


class AuthError(BookError):
    """500 AUTH_ERROR: The key could not be checked; nothing was done."""

    documented_status = 500


class RateLimitExceeded(BookError):
    """429 RATE_LIMIT_EXCEEDED: The key has made its requests of this minute; wait as `Retry-After` says (T6)."""

    documented_status = 429


class ServiceNotEnabled(BookError):
    """403 SERVICE_NOT_ENABLED: The instance has no service `trading` (T5)."""

    documented_status = 403


class CustomerFrozen(BookError):
    """403 CUSTOMER_FROZEN: The operator has frozen the customer (T96)."""

    documented_status = 403


class PayloadTooLarge(BookError):
    """413 PAYLOAD_TOO_LARGE: The body has too many bytes (T57)."""

    documented_status = 413


class InvalidParam(BookError):
    """400 INVALID_PARAM: A parameter of the path is malformed."""

    documented_status = 400


class IdempotencyKeyRequired(BookError):
    """400 IDEMPOTENCY_KEY_REQUIRED: The `Idempotency-Key` is malformed."""

    documented_status = 400


class IdempotencyMismatch(BookError):
    """409 IDEMPOTENCY_MISMATCH: The key, or the reference of a movement, was used with another body (T12)."""

    documented_status = 409


class ValidationError(BookError):
    """400 VALIDATION_ERROR: Members or parameters are faulty; `details` names each (T7, T48)."""

    documented_status = 400


class OrderNotFound(BookError):
    """404 ORDER_NOT_FOUND: The customer has no such order; a cancel: or it is closed (T29)."""

    documented_status = 404


class TokenExists(BookError):
    """409 TOKEN_EXISTS: The address or the symbol is registered already (T44)."""

    documented_status = 409


class TokenNotFound(BookError):
    """404 TOKEN_NOT_FOUND: The token is not registered, or inactive."""

    documented_status = 404


class InvalidTransfer(BookError):
    """400 INVALID_TRANSFER: A customer cannot transfer to itself (T35)."""

    documented_status = 400


class WebhookNotFound(BookError):
    """404 WEBHOOK_NOT_FOUND: There is no such webhook endpoint."""

    documented_status = 404


class DeliveryNotFound(BookError):
    """404 DELIVERY_NOT_FOUND: There is no such delivery, or no longer."""

    documented_status = 404


class TooManyWebhooks(BookError):
    """409 TOO_MANY_WEBHOOKS: The instance has as many webhook endpoints as it may."""

    documented_status = 409


class WebhookNotActive(BookError):
    """409 WEBHOOK_NOT_ACTIVE: The endpoint is paused or ended; set its status to ACTIVE."""

    documented_status = 409


class CursorGone(BookError):
    """410 CURSOR_GONE: The cursor is older than 30 days, or of other tables; `metadata.cursor` is that of now (T88)."""

    documented_status = 410


class AmendmentPending(BookError):
    """503 AMENDMENT_PENDING: An amendment of the order is queued and not decided yet; repeat the request (T118)."""

    documented_status = 503
    is_pending = True


class CancelPending(BookError):
    """503 CANCEL_PENDING: The cancel is queued and not decided yet; repeat the request (T29)."""

    documented_status = 503
    is_pending = True


class InternalError(BookError):
    """500 INTERNAL_ERROR: A fault of the service; where it says that the outcome is unknown, look before you repeat."""

    documented_status = 500


class ServiceUnavailable(BookError):
    """503 SERVICE_UNAVAILABLE: A part of the service is down for a moment, or the book is parked (T53); nothing was
    changed.
    """

    documented_status = 503


class OrderBookNotFound(BookError):
    """404 ORDER_BOOK_NOT_FOUND: There is no such order book."""

    documented_status = 404


class OrderBookInactive(BookError):
    """400 ORDER_BOOK_INACTIVE: The book is paused, halted or closed (T32, O12)."""

    documented_status = 400


class OrderBookExists(BookError):
    """409 ORDER_BOOK_EXISTS: A book that is not CLOSED has the pair or the symbol (T31)."""

    documented_status = 409


class WrongSettlementMode(BookError):
    """400 WRONG_SETTLEMENT_MODE: The book settles on chain (T1)."""

    documented_status = 400


class PriceRequired(BookError):
    """400 PRICE_REQUIRED: A LIMIT order needs a price (T17)."""

    documented_status = 400


class InvalidPrice(BookError):
    """400 INVALID_PRICE: The price is zero, off the tick, too high (T47), or outside the price band (O11)."""

    documented_status = 400


class InvalidQuantity(BookError):
    """400 INVALID_QUANTITY: The quantity is zero or no multiple of the lot (T45), or a step is not as it must be."""

    documented_status = 400


class InvalidValue(BookError):
    """400 INVALID_VALUE: The value of a CEILING order is zero, or there is nothing to trade against."""

    documented_status = 400


class OrderTooSmall(BookError):
    """400 ORDER_TOO_SMALL: The quantity or the worth is below the book's minimum (T45)."""

    documented_status = 400


class OrderTooLarge(BookError):
    """400 ORDER_TOO_LARGE: The quantity is above the book's maximum, or T47's bound."""

    documented_status = 400


class InsufficientBalance(BookError):
    """400 INSUFFICIENT_BALANCE: Less is available than is needed; what orders hold does not count (T38, T40)."""

    documented_status = 400


class InvalidPair(BookError):
    """400 INVALID_PAIR: Base and quote are one token."""

    documented_status = 400


class InvalidConfig(BookError):
    """400 INVALID_CONFIG: The settings contradict each other, or the book is CLOSED (T30)."""

    documented_status = 400


class TokenNotRegistered(BookError):
    """400 TOKEN_NOT_REGISTERED: A token of the book is not registered, or inactive."""

    documented_status = 400


BY_CODE: dict[str, type[BookError]] = {
    "NOT_FOUND": NotFound,
    "METHOD_NOT_ALLOWED": MethodNotAllowed,
    "AUTH_REQUIRED": AuthRequired,
    "AUTH_FAILED": AuthFailed,
    "AUTH_ERROR": AuthError,
    "RATE_LIMIT_EXCEEDED": RateLimitExceeded,
    "SERVICE_NOT_ENABLED": ServiceNotEnabled,
    "CUSTOMER_FROZEN": CustomerFrozen,
    "PAYLOAD_TOO_LARGE": PayloadTooLarge,
    "INVALID_PARAM": InvalidParam,
    "IDEMPOTENCY_KEY_REQUIRED": IdempotencyKeyRequired,
    "IDEMPOTENCY_MISMATCH": IdempotencyMismatch,
    "VALIDATION_ERROR": ValidationError,
    "ORDER_NOT_FOUND": OrderNotFound,
    "TOKEN_EXISTS": TokenExists,
    "TOKEN_NOT_FOUND": TokenNotFound,
    "INVALID_TRANSFER": InvalidTransfer,
    "WEBHOOK_NOT_FOUND": WebhookNotFound,
    "DELIVERY_NOT_FOUND": DeliveryNotFound,
    "TOO_MANY_WEBHOOKS": TooManyWebhooks,
    "WEBHOOK_NOT_ACTIVE": WebhookNotActive,
    "CURSOR_GONE": CursorGone,
    "AMENDMENT_PENDING": AmendmentPending,
    "CANCEL_PENDING": CancelPending,
    "INTERNAL_ERROR": InternalError,
    "SERVICE_UNAVAILABLE": ServiceUnavailable,
    "ORDER_BOOK_NOT_FOUND": OrderBookNotFound,
    "ORDER_BOOK_INACTIVE": OrderBookInactive,
    "ORDER_BOOK_EXISTS": OrderBookExists,
    "WRONG_SETTLEMENT_MODE": WrongSettlementMode,
    "PRICE_REQUIRED": PriceRequired,
    "INVALID_PRICE": InvalidPrice,
    "INVALID_QUANTITY": InvalidQuantity,
    "INVALID_VALUE": InvalidValue,
    "ORDER_TOO_SMALL": OrderTooSmall,
    "ORDER_TOO_LARGE": OrderTooLarge,
    "INSUFFICIENT_BALANCE": InsufficientBalance,
    "INVALID_PAIR": InvalidPair,
    "INVALID_CONFIG": InvalidConfig,
    "TOKEN_NOT_REGISTERED": TokenNotRegistered,
}
