"""The form of request bodies: their members as values, all that is wrong with them at once.

Amounts are decimal texts, never JSON numbers; booleans are no integers; a member that is null counts as absent, and
unknown ones are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from chalicelib.apis.kit.exact_json import UnreadableJson, read_json
from chalicelib.apis.kit.forms import Bad, Flag, Form, Integer, Kind, Nested, Text, fields_of
from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.taker.envelope import invalid, refuse
from chalicelib.domain.signed.connect import MESSAGE_CHARACTERS_MAX
from chalicelib.domain.signed.order import AMOUNT_MAX, EXCHANGE_MAX, NONCE_MAX, TIME_S_MAX, SignedOrder

TEXT_CHARACTERS_MAX = 256
BLOCK_NUMBER_MAX = 2**63 - 1
REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HASH = re.compile(r"0[xX][0-9a-fA-F]{64}")
TICKER = re.compile(r"[A-Z0-9.-]{1,16}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_CHAIN_ID = re.compile(r"0|[1-9][0-9]{0,77}")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,39}")
AnyBody = TypeVar("AnyBody", bound="Body")


@dataclass(frozen=True, slots=True)
class AmountKind:
    """A decimal text of base units, from ``least``."""

    least: int
    meaning: str = "must be a decimal text of base units"

    def read(self, value: object) -> int:
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
            raise Bad(self.meaning)
        if not self.least <= int(value) <= AMOUNT_MAX:
            raise Bad(f"must be {self.least} to {AMOUNT_MAX}")
        return int(value)


def integer(least: int, most: int) -> Integer:
    return Integer(f"must be an integer from {least} to {most}", least, most)


def _text(characters_max: int) -> Text:
    return Text(f"must be a text of at most {characters_max} characters", most=characters_max)


Address = Annotated[str, Text("must be 0x and 40 hexadecimal digits", _ADDRESS)]
Hash = Annotated[str, Text("must be 0x and 64 hexadecimal digits", HASH, value=str.lower)]
Boolean = Annotated[bool, Flag("must be true or false")]
Reference = Annotated[str, Text("must be 1 to 64 letters, digits, '.', '_', ':' or '-'", REFERENCE)]
Note = Annotated[str, _text(TEXT_CHARACTERS_MAX)]
Message = Annotated[str, _text(MESSAGE_CHARACTERS_MAX)]
"""Of signatures too, which are looked at when their turn comes."""
Amount = Annotated[int, AmountKind(0)]
AmountAbove0 = Annotated[int, AmountKind(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Form):
    """A request's body."""

    missing: ClassVar = "is required"

    @classmethod
    def faults_between(cls, _members: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with which members are there, beyond each one's own form."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBody(Body):
    """What the maker signed, as it is sent."""

    maker: Address
    principal: Address
    is_buy: Boolean
    ticker: Annotated[str, Text("must be 1 to 16 of A-Z, 0-9, '.' and '-'", TICKER)]
    exchange: Annotated[int, integer(0, EXCHANGE_MAX)]
    asset: Address
    price: AmountAbove0
    quantity: AmountAbove0
    incentive: Amount
    deadline: Annotated[int, integer(0, TIME_S_MAX)]
    nonce: Annotated[int, integer(0, NONCE_MAX)]

    def order(self) -> SignedOrder:
        return SignedOrder(**asdict(self))


Order = Annotated[OrderBody, Nested("must be a JSON object", OrderBody)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrderBody(Body):
    """Body of POST orders and POST orders/validate. signature: looked at when its turn comes."""

    order: Order
    signature: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectBody(Body):
    """Body of POST makers/connect."""

    wallet_address: Address
    chain_id: Annotated[str, Text("must be a decimal text", _CHAIN_ID)]
    message: Message
    signature: Annotated[str, Text("must be 0x and 130 hexadecimal digits", _SIGNATURE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockBody(Body):
    """Body of POST orders/lock. lock_duration: seconds; its upper bound is a setting."""

    order_hash: Hash
    taker_address: Address | None = None
    lock_duration: Annotated[int, integer(1, TIME_S_MAX)] | None = None
    reference_id: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FillBody(Body):
    """Body of POST orders/fill: an order, by its hash, as it was signed, or both."""

    order_hash: Hash | None = None
    order: Order | None = None
    signature: Message | None = None
    fill_quantity: AmountAbove0
    taker_incentive: Amount | None = None
    reference_id: Reference | None = None
    tx_hash: Hash | None = None
    block_number: Annotated[int, integer(0, BLOCK_NUMBER_MAX)] | None = None

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
            known = {field.name for field in fields_of(cls)} | FILL_IGNORED | set(FILL_UNSERVED)
            unknown = [name for name, value in members.items() if name not in known and value is not None]
            faults |= dict.fromkeys(unknown, "is not a field of a fill; without taker_incentive none is ignored")
        if members.get("order") is None:
            if members.get("order_hash") is None:
                faults["order_hash"] = "is required where no order is sent"
        elif members.get("signature") is None:
            faults["signature"] = "is required with an order"
        return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectBody(Body):
    """Body of POST orders/reject."""

    order_hash: Hash
    reason: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResultBody(Body):
    """Body of POST orders/cancel-result."""

    order_hash: Hash
    taker_address: Address
    cancellation_success: Boolean
    message: Note


def checked(form: type[AnyBody], body: bytes, kinds: Mapping[str, Kind] | None = None) -> AnyBody:
    """Return the checked body; kinds: see ``Form.read``. Raises Fault with all bad fields, each with what is wrong."""
    members = _json_object(body)
    found, faults = form.read(members, kinds)
    refuse(form.faults_between(members) | faults)
    return form(**found)


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the body's members, whatever its Content-Type says. Raises Fault on ``body``."""
    try:
        value = read_json(body)
    except UnreadableJson as error:
        raise invalid({"body": str(error)}) from error
    if not isinstance(value, dict):
        raise invalid({"body": "must be a JSON object"})
    return value
