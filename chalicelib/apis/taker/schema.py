"""The form of request bodies: their members as values, all that is wrong with them at once.

Amounts are decimal texts, never JSON numbers; booleans are no integers; a member that is null counts as absent, and
unknown ones are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from chalicelib.apis.kit import forms
from chalicelib.apis.kit.exact_json import UnreadableJson, read_json
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.taker.envelope import invalid, refuse
from chalicelib.domain.signed.connect import MESSAGE_CHARACTERS_MAX
from chalicelib.domain.signed.order import AMOUNT_MAX, EXCHANGE_MAX, NONCE_MAX, TIME_S_MAX, SignedOrder

TEXT_CHARACTERS_MAX = 256
BLOCK_NUMBER_MAX = 2**63 - 1
REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HASH = re.compile(r"0[xX][0-9a-fA-F]{64}")
AnyBody = TypeVar("AnyBody", bound="Body")


def _text(characters_max: int) -> forms.Kind:
    return forms.text(f"must be a text of at most {characters_max} characters", most=characters_max)


def _amount(least: int) -> forms.Kind:
    def within_bounds(value: str) -> int:
        if not least <= int(value) <= AMOUNT_MAX:
            raise forms.bad(f"must be {least} to {AMOUNT_MAX}")
        return int(value)

    return forms.text("must be a decimal text of base units", r"0|[1-9][0-9]{0,39}", value=within_bounds)


def _integer(least: int, most: int) -> forms.Kind:
    return forms.integer(f"must be an integer from {least} to {most}", least, most)


Address = Annotated[str, forms.text("must be 0x and 40 hexadecimal digits", r"0x[0-9a-fA-F]{40}")]
Hash = Annotated[str, forms.text("must be 0x and 64 hexadecimal digits", HASH.pattern, value=str.lower)]
Boolean = Annotated[bool, forms.flag("must be true or false")]
Ticker = Annotated[str, forms.text("must be 1 to 16 of A-Z, 0-9, '.' and '-'", r"[A-Z0-9.-]{1,16}")]
Exchange = Annotated[int, _integer(0, EXCHANGE_MAX)]
DecimalText = Annotated[
    str, forms.text("must be a decimal text, such as 260 or 150.25", r"(0|[1-9][0-9]{0,37})(\.[0-9]{1,38})?")
]
Reference = Annotated[str, forms.text("must be 1 to 64 letters, digits, '.', '_', ':' or '-'", REFERENCE.pattern)]
Note = Annotated[str, _text(TEXT_CHARACTERS_MAX)]
Message = Annotated[str, _text(MESSAGE_CHARACTERS_MAX)]
"""Also the bound of signatures, which are checked later, in their place in the order of checks."""
_DIGITS = len(str(AMOUNT_MAX)) - 2
Amount = Annotated[
    int,
    _amount(0),
    Field(
        description=f"base units, 0 to {AMOUNT_MAX}",
        json_schema_extra={"pattern": f"^(0|[1-9][0-9]{{0,{_DIGITS}}})$"},
    ),
]
AmountAbove0 = Annotated[
    int,
    _amount(1),
    Field(description=f"base units, 1 to {AMOUNT_MAX}", json_schema_extra={"pattern": f"^[1-9][0-9]{{0,{_DIGITS}}}$"}),
]


class Body(forms.Form):
    """A request's body."""

    missing: ClassVar = "is required"

    @classmethod
    def faults_between(cls, _members: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with which members are there, beyond each one's own form."""
        return {}


def _as_clients_may_send_it(described: dict[str, Any]) -> None:
    """Describe the other name of is_buy, and that a session stands for the maker (K50)."""
    described["required"] = [name for name in described["required"] if name not in ("maker", "is_buy")]
    members = described["properties"]
    members["isBuy"] = {"type": "boolean", "description": "another name of is_buy (K50)"}
    for name in ("maker", "is_buy", "isBuy"):
        members[name] = {"anyOf": [members[name], {"type": "null"}]}


class OrderBody(Body):
    """What the maker signed, as it is sent. ``isBuy`` is another name of is_buy (K50)."""

    model_config = ConfigDict(json_schema_extra=_as_clients_may_send_it)

    maker: Address
    principal: Address
    is_buy: Boolean
    ticker: Ticker
    exchange: Exchange
    asset: Address
    price: AmountAbove0
    quantity: AmountAbove0
    incentive: Amount
    deadline: Annotated[int, _integer(0, TIME_S_MAX)]
    nonce: Annotated[int, _integer(0, NONCE_MAX)]

    @model_validator(mode="before")
    @classmethod
    def _as_clients_send_it(cls, members: object, info: ValidationInfo) -> object:
        """Return the members under their own names; a missing maker is the context's, if it names one (K50)."""
        if not isinstance(members, dict):
            return members
        alias, is_buy = members.get("isBuy"), members.get("is_buy")
        if None not in (alias, is_buy) and alias is not is_buy:
            raise forms.bad("is_buy and isBuy must be the same")
        usual = {"is_buy": alias, "maker": (info.context or {}).get("maker")}
        return usual | {name: value for name, value in members.items() if value is not None}

    def order(self) -> SignedOrder:
        return SignedOrder(**dict(self))


class SignedOrderBody(Body):
    """Body of POST orders and POST orders/validate. signature: checked later, in its place in the order of checks."""

    order: OrderBody
    signature: Message


class ConnectBody(Body):
    """Body of POST makers/connect."""

    wallet_address: Address
    chain_id: Annotated[str, forms.text("must be a decimal text", r"0|[1-9][0-9]{0,77}")]
    message: Message
    signature: Annotated[str, forms.text("must be 0x and 130 hexadecimal digits", r"0x[0-9a-fA-F]{130}")]


class LockBody(Body):
    """Body of POST orders/lock. lock_duration: seconds; its bound is the context's ``lock_seconds``."""

    order_hash: Hash
    taker_address: Address | None = None
    lock_duration: Annotated[int, _integer(1, TIME_S_MAX)] | None = None
    reference_id: Reference | None = None

    @field_validator("lock_duration", mode="before")
    @classmethod
    def _is_no_longer_than_allowed(cls, value: object, info: ValidationInfo) -> object:
        most = (info.context or {})["lock_seconds"]
        if type(value) is not int or not 1 <= value <= most:
            raise forms.bad(f"must be an integer from 1 to {most}")
        return value


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
    signature: Message | None = None
    fill_quantity: AmountAbove0
    taker_incentive: Amount | None = None
    reference_id: Reference | None = None
    tx_hash: Hash | None = None
    block_number: Annotated[int, _integer(0, BLOCK_NUMBER_MAX)] | None = None

    @classmethod
    def faults_between(cls, members: Mapping[str, Any]) -> dict[str, str]:
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
            faults |= dict.fromkeys(unknown, "is not a field of a fill, and without taker_incentive none is ignored")
        if members.get("order") is None:
            if members.get("order_hash") is None:
                faults["order_hash"] = "is required where no order is sent"
        elif members.get("signature") is None:
            faults["signature"] = "is required with an order"
        return faults


class RejectBody(Body):
    """Body of POST orders/reject."""

    order_hash: Hash
    reason: Note | None = None


class CancelResultBody(Body):
    """Body of POST orders/cancel-result."""

    order_hash: Hash
    taker_address: Address
    cancellation_success: Boolean
    message: Note


class EstimateBody(Body):
    """Body of POST orders/estimate_charge. quantity, price: whole shares, and whole units of the currency (K57)."""

    is_buy: Boolean
    ticker: Ticker
    exchange: Exchange
    quantity: DecimalText
    price: DecimalText
    asset: Address
    target_currency: Annotated[str, _text(TEXT_CHARACTERS_MAX)] | None = None


def checked(form: type[AnyBody], body: bytes, context: Mapping[str, Any] | None = None) -> AnyBody:
    """Return the checked body. Raises Fault with all bad fields, each with what is wrong.

    context: of a lock, ``lock_seconds``; of a maker's order, ``maker``, the session's wallet.
    """
    members = _json_object(body)
    between = form.faults_between(members)
    try:
        found = form.read(members, context)
    except forms.Faulty as faulty:
        raise invalid(between | faulty.faults) from faulty
    refuse(between)
    return found


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the body's members, whatever its Content-Type says. Raises Fault on ``body``."""
    try:
        value = read_json(body)
    except UnreadableJson as error:
        raise invalid({"body": str(error)}) from error
    if not isinstance(value, dict):
        raise invalid({"body": forms.OBJECT_MESSAGE})
    return value
