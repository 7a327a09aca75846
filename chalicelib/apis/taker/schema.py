"""The form of request bodies: their members as values, all that is wrong with them at once.

Amounts are decimal texts, never JSON numbers; booleans are no integers; a member that is null counts as absent, and
unknown ones are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from chalicelib.apis.kit.exact_json import UnreadableJson, read_json
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.taker.envelope import invalid
from chalicelib.domain.signed.connect import MESSAGE_CHARACTERS_MAX
from chalicelib.domain.signed.order import AMOUNT_MAX, EXCHANGE_MAX, NONCE_MAX, SignedOrder
from chalicelib.support.consistency import Inconsistent

TIME_S_MAX = 253_402_300_799
"""The last second of the year 9999: a deadline in milliseconds is beyond it."""
TEXT_CHARACTERS_MAX = 256
BLOCK_NUMBER_MAX = 2**63 - 1
REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HASH = re.compile(r"0[xX][0-9a-fA-F]{64}")
TICKER = re.compile(r"[A-Z0-9.-]{1,16}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_CHAIN_ID = re.compile(r"0|[1-9][0-9]{0,77}")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,39}")
_SURROGATE = re.compile("[\ud800-\udfff]")
AnyBody = TypeVar("AnyBody", bound="Body")
Check = Callable[[object], object]
"""Returns the value in a member. Raises ValueError, whose text says what the member must be."""


def _pattern(pattern: re.Pattern[str], meaning: str) -> Check:
    def check(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(meaning)
        return value

    return check


def _text(characters_max: int) -> Check:
    def check(value: object) -> object:
        if not isinstance(value, str) or len(value) > characters_max or _SURROGATE.search(value):
            raise ValueError(f"must be a text of at most {characters_max} characters")
        return value

    return check


def _amount(least: int) -> Check:
    def check(value: object) -> object:
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
            raise ValueError("must be a decimal text of base units")
        if not least <= int(value) <= AMOUNT_MAX:
            raise ValueError(f"must be {least} to {AMOUNT_MAX}")
        return int(value)

    return check


def _integer(least: int, most: int) -> Check:
    def check(value: object) -> object:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be an integer from {least} to {most}")
        return value

    return check


def _boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _lower_hash(value: object) -> object:
    return str(_pattern(HASH, "must be 0x and 64 hexadecimal digits")(value)).lower()


Address = Annotated[str, BeforeValidator(_pattern(_ADDRESS, "must be 0x and 40 hexadecimal digits"))]
Hash = Annotated[str, BeforeValidator(_lower_hash)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Reference = Annotated[
    str, BeforeValidator(_pattern(REFERENCE, "must be 1 to 64 letters, digits, '.', '_', ':' or '-'"))
]
Text = Annotated[str, BeforeValidator(_text(TEXT_CHARACTERS_MAX))]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, members: object) -> object:
        if not isinstance(members, dict):
            raise ValueError("must be a JSON object")
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def missing(cls, _members: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with which members are there, beyond each one's own form."""
        return {}


class OrderBody(Body):
    """What the maker signed, as it is sent."""

    maker: Address
    principal: Address
    is_buy: Boolean
    ticker: Annotated[str, BeforeValidator(_pattern(TICKER, "must be 1 to 16 of A-Z, 0-9, '.' and '-'"))]
    exchange: Annotated[int, BeforeValidator(_integer(0, EXCHANGE_MAX))]
    asset: Address
    price: Annotated[int, BeforeValidator(_amount(1))]
    quantity: Annotated[int, BeforeValidator(_amount(1))]
    incentive: Annotated[int, BeforeValidator(_amount(0))]
    deadline: Annotated[int, BeforeValidator(_integer(0, TIME_S_MAX))]
    nonce: Annotated[int, BeforeValidator(_integer(0, NONCE_MAX))]

    def order(self) -> SignedOrder:
        return SignedOrder(**{name: getattr(self, name) for name in OrderBody.model_fields})


class SignedOrderBody(Body):
    """Body of POST orders and POST orders/validate. signature: looked at when its turn comes."""

    order: OrderBody
    signature: Annotated[str, BeforeValidator(_text(MESSAGE_CHARACTERS_MAX))]


class ConnectBody(Body):
    """Body of POST makers/connect."""

    wallet_address: Address
    chain_id: Annotated[str, BeforeValidator(_pattern(_CHAIN_ID, "must be a decimal text"))]
    message: Annotated[str, BeforeValidator(_text(MESSAGE_CHARACTERS_MAX))]
    signature: Annotated[str, BeforeValidator(_pattern(_SIGNATURE, "must be 0x and 130 hexadecimal digits"))]


class LockBody(Body):
    """Body of POST orders/lock. lock_duration: seconds; its bound is the context's ``lock_seconds``."""

    order_hash: Hash
    taker_address: Address | None = None
    lock_duration: int | None = None
    reference_id: Reference | None = None

    @field_validator("lock_duration", mode="before")
    @classmethod
    def _is_no_longer_than_allowed(cls, value: object, info: ValidationInfo) -> object:
        if info.context is None:
            raise Inconsistent("the endpoint knows the setting")
        return _integer(1, info.context["lock_seconds"])(value)


class UnlockBody(Body):
    """Body of POST orders/unlock."""

    order_hash: Hash


FILL_UNSERVED = ("fill_amount", "filled_amount", "fee_amount", "incentive_amount")
"""What the vendor documents of fills that is money, and a client cannot set (K41)."""
FILL_IGNORED = frozenset(
    {
        *("id", "order_id", "maker", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity"),
        *("deadline", "nonce", "status", "filled_quantity", "notes", "created_at", "updated_at"),
        *("locked_by", "locked_at", "expires_at", "lock_duration", "taker", "taker_address"),
        *("reason", "message", "success", "cancellation_success"),
    }
)
"""What this API names elsewhere, in orders and other commands: clients send it along with a fill, and mean nothing."""


class FillBody(Body):
    """Body of POST orders/fill: an order, by its hash, as it was signed, or both."""

    order_hash: Hash | None = None
    order: OrderBody | None = None
    signature: Annotated[str, BeforeValidator(_text(MESSAGE_CHARACTERS_MAX))] | None = None
    fill_quantity: Annotated[int, BeforeValidator(_amount(1))]
    taker_incentive: Annotated[int, BeforeValidator(_amount(0))] | None = None
    reference_id: Reference | None = None
    tx_hash: Hash | None = None
    block_number: Annotated[int, BeforeValidator(_integer(0, BLOCK_NUMBER_MAX))] | None = None

    @classmethod
    def missing(cls, members: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with which members are there.

        The desk works out what a fill moves: a client that sends an amount of its own is told so (K41). Without
        ``taker_incentive`` the taker takes its whole allowance, so one that is misspelt must not count as left out.
        """
        faults = {
            name: "is not served: it follows from fill_quantity and taker_incentive"
            for name in FILL_UNSERVED
            if not is_neutral(members.get(name))
        }
        if members.get("taker_incentive") is None:
            known = cls.model_fields.keys() | FILL_IGNORED | set(FILL_UNSERVED)
            unknown = [name for name, value in members.items() if name not in known and value is not None]
            faults |= dict.fromkeys(unknown, "is not a field of a fill; without taker_incentive none is ignored")
        if members.get("order") is None:
            if members.get("order_hash") is None:
                faults["order_hash"] = "is required where no order is sent"
        elif members.get("signature") is None:
            faults["signature"] = "is required with an order"
        return faults


class RejectBody(Body):
    """Body of POST orders/reject."""

    order_hash: Hash
    reason: Text | None = None


class CancelResultBody(Body):
    """Body of POST orders/cancel-result."""

    order_hash: Hash
    taker_address: Address
    cancellation_success: Boolean
    message: Text


def checked(model: type[AnyBody], body: bytes, context: Mapping[str, Any] | None = None) -> AnyBody:
    """Return the checked body. Raises Fault with every bad field and what is wrong with it."""
    members = _json_object(body)
    faults = model.missing(members)
    try:
        found = model.model_validate(members, context=dict(context or {}))
    except ValidationError as error:
        faults |= {str(fault["loc"][-1]): _reason(fault) for fault in error.errors(include_url=False)}
        raise invalid(faults) from error
    if faults:
        raise invalid(faults)
    return found


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the body's members, whatever its Content-Type says. Raises Fault on ``body``."""
    try:
        value = read_json(body)
    except UnreadableJson as error:
        raise invalid({"body": str(error)}) from error
    if not isinstance(value, dict):
        raise invalid({"body": "must be a JSON object"})
    return value


def _reason(fault: Any) -> str:
    if fault["type"] == "missing":
        return "is required"
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return "is malformed"
