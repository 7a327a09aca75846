"""Plain values in DynamoDB's typed form, and back.

The same form as ``boto3.dynamodb.types`` (a test compares them), without boto3: importing it also imports S3 transfers
and takes longer than importing the matcher.
"""

from __future__ import annotations

from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Underflow
from typing import Any

_NUMBERS = Context(Emin=-128, Emax=126, prec=38, traps=[Clamped, Overflow, Inexact, Rounded, Underflow])
"""Numbers that DynamoDB stores exactly: up to 38 digits."""
_DIGITS_38 = 10**38


def typed(value: Any) -> dict[str, Any]:
    """Return a plain value in typed form.

    Raises decimal.Inexact or Rounded for a number of more than 38 digits, TypeError for a float or an unknown type.
    """
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value if -_DIGITS_38 < value < _DIGITS_38 else _NUMBERS.create_decimal(value))}
    if isinstance(value, (bytes, bytearray)):
        return {"B": value}
    if isinstance(value, dict):
        return {"M": {name: typed(member) for name, member in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"L": [typed(member) for member in value]}
    raise TypeError(f"{type(value).__name__} is no type of a row's values")


def _whole(number: str) -> int:
    """Return a number as DynamoDB writes it. Raises ValueError if it has a fraction."""
    try:
        return int(number)
    except ValueError:
        exact = Decimal(number)
        if exact != exact.to_integral_value():
            raise ValueError(f"{number} is no whole number") from None
        return int(exact)


def plain(value: dict[str, Any]) -> Any:
    """Return the plain value of a typed value; numbers as int.

    Raises TypeError for a type that no row has, ValueError for a number with a fraction: no amount is ever rounded.
    """
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return _whole(content)
        case "NULL":
            return None
        case "B":
            return bytes(content)
        case "M":
            return {name: plain(member) for name, member in content.items()}
        case "L":
            return [plain(member) for member in content]
        case _:
            raise TypeError(f"{kind} is no type of a row's values")
