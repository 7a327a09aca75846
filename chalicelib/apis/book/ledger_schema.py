"""The form of requests to the ledger: tokens, credits, debits and transfers, transactions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic_core import core_schema

from chalicelib.apis.book.schema import (
    REF,
    REF_MESSAGE,
    TOKEN_ADDRESS_MESSAGE,
    Body,
    Page,
    Parameters,
    Ref,
    TokenAddress,
    integer,
    text,
)
from chalicelib.apis.kit import forms
from chalicelib.apis.kit.exact_json import PORTABLE_DIGITS_MAX, is_portable
from chalicelib.apis.kit.times import MS, moment_of, time_form
from chalicelib.domain.books.config import DECIMALS_MAX, NAME_CHARACTERS_MAX, SYMBOL_CHARACTERS_MAX
from chalicelib.domain.ledger.tokens import ASSET_TYPE_CHARACTERS_MAX, METADATA_URI_CHARACTERS_MAX, Token, new_token
from chalicelib.domain.ledger.transactions import Movement, TransactionType
from chalicelib.services.books.statements import Selection
from chalicelib.support.ids import TIME_MS_MAX

LIMIT_DEFAULT, LIMIT_MAX = 100, 500
METADATA_BYTES_MAX = 4096
METADATA_LEVELS_MAX = 64
"""Objects and arrays inside each other, so that what was stored can always be read and shown."""
_ADDRESS = re.compile(r"0x[a-fA-F0-9]{40}")
_TIME = time_form(r"[.,]\d{1,9}", r"Z|[+-]\d\d(?::?\d\d)?")
AMOUNT_ABOVE_0_MESSAGE = "must be a string of 1 to 38 digits, above 0"
TIME_MESSAGE = "must be a time or a date in the form of ISO 8601"

AmountAbove0 = Annotated[int, forms.text(AMOUNT_ABOVE_0_MESSAGE, r"[1-9][0-9]{0,37}", value=int)]
Reference = Annotated[str, text(0, 256)]


METADATA_MESSAGE = (
    f"must be an object of at most {METADATA_BYTES_MAX} bytes and {METADATA_LEVELS_MAX} levels as compact JSON, "
    f"its numbers of at most {PORTABLE_DIGITS_MAX} digits"
)


def _json_text(value: dict[str, Any]) -> str:
    """Return the metadata as it is stored. Raises ``bad`` where it is too large, or cannot be written down.

    Nor may it hold a number that usual JSON libraries do not read: no page with it could be read any more.
    """
    if _is_deeper(value, METADATA_LEVELS_MAX) or not is_portable(value):
        raise forms.bad(METADATA_MESSAGE)
    try:  # 1e999 is read as infinite; half a surrogate pair cannot be encoded
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(written.encode())
    except ValueError as error:
        raise forms.bad(METADATA_MESSAGE) from error
    if size > METADATA_BYTES_MAX:
        raise forms.bad(METADATA_MESSAGE)
    return written


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(member, levels - 1) for member in members)


Metadata = Annotated[str, forms.Kind(METADATA_MESSAGE, core_schema.dict_schema(strict=True), _json_text)]


class CreateTokenBody(Body):
    """Body of POST tokens."""

    tokenAddress: TokenAddress
    name: Annotated[str, text(1, NAME_CHARACTERS_MAX)]
    symbol: Annotated[str, text(1, SYMBOL_CHARACTERS_MAX)]
    decimals: Annotated[int, integer(0, DECIMALS_MAX)] = 18
    metadataURI: Annotated[str, text(0, METADATA_URI_CHARACTERS_MAX)] | None = None
    assetType: Annotated[str, text(0, ASSET_TYPE_CHARACTERS_MAX)] | None = None

    def token(self, token_id: str) -> Token:
        """Return the token that was asked for."""
        return new_token(
            token_id, self.tokenAddress, self.name, self.symbol, self.decimals, self.metadataURI, self.assetType
        )


class ChangeBody(Body):
    """Body of POST balances/credit and balances/debit."""

    tokenAddress: TokenAddress
    customerRef: Ref
    amount: AmountAbove0
    reference: Reference | None = None
    transactionMetadata: Metadata | None = None

    def movement(self, instance: str, kind: TransactionType) -> Movement:
        """Return the credit or the debit that was asked for."""
        source, target = (None, self.customerRef) if kind is TransactionType.CREDIT else (self.customerRef, None)
        return Movement(
            instance, self.tokenAddress, source, target, self.amount, self.reference, self.transactionMetadata
        )


class TransferBody(Body):
    """Body of POST balances/transfer."""

    tokenAddress: TokenAddress
    fromCustomerRef: Ref
    toCustomerRef: Ref
    amount: AmountAbove0
    reference: Reference | None = None
    transactionMetadata: Metadata | None = None

    def movement(self, instance: str) -> Movement:
        """Return the transfer that was asked for."""
        return Movement(
            instance,
            self.tokenAddress,
            self.fromCustomerRef,
            self.toCustomerRef,
            self.amount,
            self.reference,
            self.transactionMetadata,
        )


def tokens_query(query: Mapping[str, list[str]]) -> tuple[bool, Page]:
    """Return whether active tokens alone are wanted, and the page. Raises Fault."""
    parameters = Parameters(query)
    active_only = parameters.word("activeOnly", ["true", "false"])
    page = parameters.page(LIMIT_DEFAULT, LIMIT_MAX)
    parameters.refuse_faulty()
    return active_only != "false", page


def page_query(query: Mapping[str, list[str]]) -> Page:
    """Return the page of a list that has no filters. Raises Fault."""
    parameters = Parameters(query)
    page = parameters.page(LIMIT_DEFAULT, LIMIT_MAX)
    parameters.refuse_faulty()
    return page


def transactions_query(query: Mapping[str, list[str]]) -> tuple[Selection, Page]:
    """Return which transactions are wanted, and the page of them. Raises Fault."""
    parameters = Parameters(query)
    customer = parameters.single("customerRef", REF, REF_MESSAGE)
    address = parameters.single("tokenAddress", _ADDRESS, TOKEN_ADDRESS_MESSAGE)
    kind = parameters.word("type", TransactionType)
    from_ms = time_parameter(parameters, "from", 0)
    to_ms = time_parameter(parameters, "to", TIME_MS_MAX, is_end=True)
    page = parameters.page(LIMIT_DEFAULT, LIMIT_MAX)
    parameters.refuse_faulty()
    asset = None if address is None else address.lower()
    return Selection(customer, asset, TransactionType(kind) if kind else None, from_ms, to_ms), page


def time_parameter(parameters: Parameters, name: str, default_ms: int, *, is_end: bool = False) -> int:
    """Return the time in a parameter, ms since the epoch, in UTC where it names no zone.

    A date is its first moment, as an end its last. What lies between two milliseconds counts inclusively.
    """
    text = parameters.single(name, _TIME, TIME_MESSAGE)
    if text is None:
        return default_ms
    try:
        moment = moment_of(text, _TIME)
    except ValueError:
        parameters.refuse(name, TIME_MESSAGE)
        return default_ms
    return max(-1, moment.last(MS)) if is_end else max(0, moment.first(MS))


def token_address(segment: str) -> str | None:
    """Return the token address in a decoded path segment; None where it has not the form of one."""
    return segment.lower() if _ADDRESS.fullmatch(segment) else None
