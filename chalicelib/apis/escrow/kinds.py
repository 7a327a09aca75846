"""Kinds of fields: what the text of a form spells, and which values are good (``schema``)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from chalicelib.apis.escrow.schema import Kind, Unfit, shortest, trimmed
from chalicelib.apis.kit.exact_json import PORTABLE_DIGITS_MAX, PORTABLE_EXPONENT_MAX, is_portable
from chalicelib.domain.escrow.money import MAJOR_UNIT_DECIMALS, has_decimals
from chalicelib.domain.escrow.order import METADATA_BYTES_MAX, METADATA_KEYS_MAX
from chalicelib.support.canonical import exact

INTEGER_MAX = 2**53 - 1
"""What every reader of JSON keeps exactly."""
VALUE_MAX = Decimal("999999999.99")
METADATA_KEY_CHARACTERS_MAX = 100
TEMPLATE_BYTES_MAX = 64 * 1024
"""As JSON, which is how it is kept: a row of a table holds 400 KB."""
_NUMBER = re.compile(r"-?[0-9]{1,1000}(\.[0-9]{1,1000})?")
"""Far more digits than any field may have; zeros before and behind them count too."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""JSON writes one with six characters, so a text of them would grow beyond what a row of a table holds."""
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def text(characters_max: int, pattern: str | None = None, rule: str = "") -> Kind:
    """Text of so many characters at most; pattern: what it has to match as a whole; rule: what is said otherwise."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise Unfit("must be text")
        if len(value) > characters_max:
            raise Unfit(f"must not have more than {characters_max} characters")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise Unfit(rule)
        return value

    bound = {} if characters_max == INTEGER_MAX else {"maxLength": characters_max}
    whole = {} if pattern is None else {"pattern": f"^(?:{pattern})$"}
    return Kind(str, check, {"type": "string", **bound, **whole})


def choice(*values: str) -> Kind:
    def check(value: object) -> str:
        if value not in values:
            raise Unfit(None)
        return str(value)

    return Kind(str, check, {"type": "string", "enum": list(values)})


def choice_of_texts() -> Kind:
    """Text out of a list that is known later; whatever is no text is not in it."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise Unfit(None)
        return value

    return Kind(str, check, {"type": "string"})


def integer(minimum: int, maximum: int = INTEGER_MAX) -> Kind:
    def check(value: object) -> int:
        number = _number_of(value, "an integer")
        if not has_decimals(number, 0):
            raise Unfit("must be an integer")
        if number < minimum:
            raise Unfit(f"must be at least {minimum}")
        if number > maximum:
            raise Unfit(f"must not be greater than {maximum}")
        return int(number)

    return Kind(_spelled_number, check, {"type": "integer", "minimum": minimum, "maximum": maximum})


def identifier() -> Kind:
    """An id: a number that may or may not be of anything; 0 where it is of nothing for sure (E4)."""

    def check(value: object) -> int:
        number = _number_of(value, "an integer")
        if not has_decimals(number, 0):
            raise Unfit("must be an integer")
        return int(number) if 0 < number <= INTEGER_MAX else 0

    return Kind(_spelled_number, check, {"type": "integer"})


def number(maximum: Decimal, decimals_max: int, *, is_above_zero: bool = False) -> Kind:
    """A number from 0 up, as an integer of its last decimal."""

    def check(value: object) -> int:
        number = _number_of(value, "a number")
        if is_above_zero and number <= 0:
            raise Unfit("must be greater than 0")
        if number < 0:
            raise Unfit("must be at least 0")
        if number > maximum:
            raise Unfit(f"must not be greater than {maximum}")
        if not has_decimals(number, decimals_max):
            raise Unfit(f"must have at most {decimals_max} decimals")
        numerator, denominator = shortest(number).as_integer_ratio()
        return int(numerator * 10**decimals_max // denominator)

    least = "exclusiveMinimum" if is_above_zero else "minimum"
    return Kind(_spelled_number, check, {"type": "number", least: 0, "maximum": float(maximum)})


def amount(maximum: Decimal = VALUE_MAX, *, is_above_zero: bool = False) -> Kind:
    """Money in base units; how many decimals its currency has is checked where the currency is known."""
    return number(maximum, MAJOR_UNIT_DECIMALS, is_above_zero=is_above_zero)


def truth() -> Kind:
    def spelled(value: str) -> object:
        return _TRUTH.get(value, value)

    def check(value: object) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, int) and value in (0, 1):
            return value == 1
        raise Unfit("must be true or false")

    return Kind(spelled, check, {"type": "boolean"})


def url() -> Kind:
    def check(value: object) -> str:
        if not isinstance(value, str) or not _is_url(value):
            raise Unfit("must be an absolute http or https URL")
        return value

    return Kind(str, check, {"type": "string", "format": "uri", "pattern": r"^https?://[^\s\\]+$"})


def texts(count_max: int | None = None, *, are_urls: bool = False) -> Kind:
    """A list of texts, of so many at most."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise Unfit("must be a list of text")
        if count_max is not None and len(value) > count_max:
            raise Unfit(f"must not have more than {count_max} items")
        if any(map(_CONTROL.search, value)):
            raise Unfit("must not have control characters")
        if are_urls and not all(map(_is_url, value)):
            raise Unfit("must be absolute http or https URLs")
        return tuple(value)

    item = {"type": "string"} | ({"format": "uri", "pattern": r"^https?://[^\s\\]+$"} if are_urls else {})
    most = {} if count_max is None else {"maxItems": count_max}
    return Kind(str, check, {"type": "array", "items": item, **most})


def metadata() -> Kind:
    return Kind(str, _metadata, {"type": "object", "additionalProperties": True, "maxProperties": METADATA_KEYS_MAX})


def template() -> Kind:
    """A map. Some members have a kind, and an empty text counts as absent for them; others are kept as they are."""
    of_members = {
        "btn_submit_text": text(INTEGER_MAX),
        "iframe_title": text(INTEGER_MAX),
        "expires_in": integer(1),
        "hide_cardholder": truth(),
        "password_cvv": truth(),
    }

    def check(value: object) -> dict[str, Any]:
        members = _object(value)
        for name in of_members.keys() & members.keys():
            kind, member = of_members[name], trimmed(members[name])
            if member is None and members[name] is not None:
                del members[name]
                continue
            try:
                members[name] = None if member is None else kind.check(_spelled(kind, member))
            except Unfit as unfit:
                raise Unfit(f"has a member {name} that {unfit.rule}") from unfit
        if len(exact(members).encode()) > TEMPLATE_BYTES_MAX:
            raise Unfit(f"must not have more than {TEMPLATE_BYTES_MAX} bytes")
        return members

    members = {name: dict(kind.described) for name, kind in of_members.items()}
    return Kind(str, check, {"type": "object", "properties": members, "additionalProperties": True})


def _spelled(kind: Kind, value: object) -> object:
    return kind.spelled(value) if isinstance(value, str) else value


def _metadata(value: object) -> dict[str, Any]:
    members = _object(value)
    if len(members) > METADATA_KEYS_MAX:
        raise Unfit(f"must not have more than {METADATA_KEYS_MAX} keys")
    if any(len(name) > METADATA_KEY_CHARACTERS_MAX for name in members):
        raise Unfit(f"must not have keys of more than {METADATA_KEY_CHARACTERS_MAX} characters")
    if len(exact(members).encode()) > METADATA_BYTES_MAX:
        raise Unfit(f"must not have more than {METADATA_BYTES_MAX} bytes")
    return members


def _object(value: object) -> dict[str, Any]:
    """Return a map that is kept and answered as it came, which every client must be able to read then (E30)."""
    if not isinstance(value, dict):
        raise Unfit("must be an object")
    if not is_portable(value):
        raise Unfit(
            f"must not have numbers of more than {PORTABLE_DIGITS_MAX} digits, or beyond 10 to the power of "
            f"{PORTABLE_EXPONENT_MAX} or its inverse"
        )
    return dict(value)


def _spelled_number(value: str) -> object:
    return Decimal(value) if _NUMBER.fullmatch(value) else value


def _number_of(value: object, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unfit(f"must be {what}")
    return Decimal(value)


def _is_url(value: str) -> bool:
    """No URL has a backslash: browsers take it for a slash, and so go to another host than is read here."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"(?a)[\s\\]", value)
    except ValueError:  # brackets or a port that are none
        return False
