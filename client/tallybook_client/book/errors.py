"""Errors of the book desk, a class for each documented code: ``make client`` writes them."""

from __future__ import annotations

from typing import ClassVar

from tallybook_client.errors import ApiError


class BookError(ApiError):
    """The book desk answered with an error. documented_status: of its code, 0 without one."""

    documented_status: ClassVar[int] = 0


class NotFound(BookError):
    """404 NOT_FOUND"""

    documented_status = 404


class MethodNotAllowed(BookError):
    """405 METHOD_NOT_ALLOWED"""

    documented_status = 405


class AuthRequired(BookError):
    """401 AUTH_REQUIRED"""

    documented_status = 401


class AuthFailed(BookError):
    """401 AUTH_FAILED"""

    documented_status = 401


class AuthError(BookError):
    """500 AUTH_ERROR"""

    documented_status = 500


class RateLimitExceeded(BookError):
    """429 RATE_LIMIT_EXCEEDED"""

    documented_status = 429


class ServiceNotEnabled(BookError):
    """403 SERVICE_NOT_ENABLED"""

    documented_status = 403


class CustomerFrozen(BookError):
    """403 CUSTOMER_FROZEN"""

    documented_status = 403


class PayloadTooLarge(BookError):
    """413 PAYLOAD_TOO_LARGE"""

    documented_status = 413


class InvalidParam(BookError):
    """400 INVALID_PARAM"""

    documented_status = 400


class IdempotencyKeyRequired(BookError):
    """400 IDEMPOTENCY_KEY_REQUIRED"""

    documented_status = 400


class IdempotencyMismatch(BookError):
    """409 IDEMPOTENCY_MISMATCH"""

    documented_status = 409


class ValidationError(BookError):
    """400 VALIDATION_ERROR"""

    documented_status = 400


class OrderNotFound(BookError):
    """404 ORDER_NOT_FOUND"""

    documented_status = 404


class TokenExists(BookError):
    """409 TOKEN_EXISTS"""

    documented_status = 409


class TokenNotFound(BookError):
    """404 TOKEN_NOT_FOUND"""

    documented_status = 404


class InvalidTransfer(BookError):
    """400 INVALID_TRANSFER"""

    documented_status = 400


class WebhookNotFound(BookError):
    """404 WEBHOOK_NOT_FOUND"""

    documented_status = 404


class DeliveryNotFound(BookError):
    """404 DELIVERY_NOT_FOUND"""

    documented_status = 404


class TooManyWebhooks(BookError):
    """409 TOO_MANY_WEBHOOKS"""

    documented_status = 409


class WebhookNotActive(BookError):
    """409 WEBHOOK_NOT_ACTIVE"""

    documented_status = 409


class CursorGone(BookError):
    """410 CURSOR_GONE"""

    documented_status = 410


class CancelPending(BookError):
    """503 CANCEL_PENDING"""

    documented_status = 503
    is_pending = True


class InternalError(BookError):
    """500 INTERNAL_ERROR"""

    documented_status = 500


class ServiceUnavailable(BookError):
    """503 SERVICE_UNAVAILABLE"""

    documented_status = 503


class OrderBookNotFound(BookError):
    """404 ORDER_BOOK_NOT_FOUND"""

    documented_status = 404


class WrongSettlementMode(BookError):
    """400 WRONG_SETTLEMENT_MODE"""

    documented_status = 400


class OrderBookInactive(BookError):
    """400 ORDER_BOOK_INACTIVE"""

    documented_status = 400


class PriceRequired(BookError):
    """400 PRICE_REQUIRED"""

    documented_status = 400


class InvalidPrice(BookError):
    """400 INVALID_PRICE"""

    documented_status = 400


class InvalidQuantity(BookError):
    """400 INVALID_QUANTITY"""

    documented_status = 400


class OrderTooSmall(BookError):
    """400 ORDER_TOO_SMALL"""

    documented_status = 400


class OrderTooLarge(BookError):
    """400 ORDER_TOO_LARGE"""

    documented_status = 400


class InvalidValue(BookError):
    """400 INVALID_VALUE"""

    documented_status = 400


class InsufficientBalance(BookError):
    """400 INSUFFICIENT_BALANCE"""

    documented_status = 400


class InvalidPair(BookError):
    """400 INVALID_PAIR"""

    documented_status = 400


class TokenNotRegistered(BookError):
    """400 TOKEN_NOT_REGISTERED"""

    documented_status = 400


class InvalidConfig(BookError):
    """400 INVALID_CONFIG"""

    documented_status = 400


class OrderBookExists(BookError):
    """409 ORDER_BOOK_EXISTS"""

    documented_status = 409


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
    "CANCEL_PENDING": CancelPending,
    "INTERNAL_ERROR": InternalError,
    "SERVICE_UNAVAILABLE": ServiceUnavailable,
    "ORDER_BOOK_NOT_FOUND": OrderBookNotFound,
    "WRONG_SETTLEMENT_MODE": WrongSettlementMode,
    "ORDER_BOOK_INACTIVE": OrderBookInactive,
    "PRICE_REQUIRED": PriceRequired,
    "INVALID_PRICE": InvalidPrice,
    "INVALID_QUANTITY": InvalidQuantity,
    "ORDER_TOO_SMALL": OrderTooSmall,
    "ORDER_TOO_LARGE": OrderTooLarge,
    "INVALID_VALUE": InvalidValue,
    "INSUFFICIENT_BALANCE": InsufficientBalance,
    "INVALID_PAIR": InvalidPair,
    "TOKEN_NOT_REGISTERED": TokenNotRegistered,
    "INVALID_CONFIG": InvalidConfig,
    "ORDER_BOOK_EXISTS": OrderBookExists,
}
