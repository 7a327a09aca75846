"""The signature of a request (R7, R8, R61): base64 of HMAC-SHA256 over timestamp, method, path and body.

Clients sign the body as sent, or its compact form as ECMAScript's ``JSON.stringify`` writes it; of a GET, the path as
sent, or the documented template that it fits. Either is accepted, and both are always computed, so timing tells
nothing.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

from chalicelib.apis.kit import auth
from chalicelib.apis.kit.exact_json import TooDeep, UnreadableJson
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.trade.decimals import parse
from chalicelib.support.canonical import Number
from chalicelib.support.consistency import Inconsistent

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
EXPONENT_FROM, EXPONENT_BELOW = 21, -6
"""Powers of ten at which ECMAScript begins to write numbers with an exponent."""


def signature_of(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    return auth.signature_of(secret, _message(timestamp, method, path, body))


def messages(timestamp: str, request: HttpRequest) -> list[bytes]:
    """Return the texts that the client may have signed: a write's with the body as sent and in compact form, a GET's
    with its path as sent and as documented.

    request: with its route. Raises TooDeep (R44).
    """
    path, body = request.path.removesuffix("/"), request.body
    if request.method.upper() == "GET":
        return [_message(timestamp, request.method, either, b"") for either in (path, _template_of(request))]
    return [_message(timestamp, request.method, path, form) for form in (body, compact_form(body))]


def _template_of(request: HttpRequest) -> str:
    """Return the documented path of a request's route, such as ``/v4/orders/{id}``, below the mount as it was sent."""
    if request.route is None:
        raise Inconsistent("a request is signed for a route")
    mount, below = request.path.split("/", 2)[1], request.route.split("/", 2)[2]
    return f"/{mount}/{below}"


def _message(timestamp: str, method: str, path: str, body: bytes) -> bytes:
    return f"{timestamp}{method.upper()}{path}".encode() + body


def compact_form(body: bytes) -> bytes:
    """Return the body as JSON.stringify writes it; unchanged if it is no JSON. Raises TooDeep (R44)."""
    try:
        return _stringified(parse(body)).encode()
    except TooDeep:
        raise
    except UnreadableJson:
        return body


def _stringified(value: object) -> str:
    match value:
        case Number(text):
            return ecmascript_number(text)
        case str():
            return _string(value)
        case dict():
            return "{" + ",".join(f"{_string(str(name))}:{_stringified(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_stringified, value)) + "]"
    return json.dumps(value)


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def ecmascript_number(text: str) -> str:
    """Return the number as ECMAScript writes its nearest double; null if it is out of range.

    >>> ecmascript_number("42600.50"), ecmascript_number("1E3"), ecmascript_number("0.0000001")
    ('42600.5', '1000', '1e-7')
    """
    double = float(text)
    if math.isinf(double):
        return "null"
    if not double:
        return "0"
    sign, digits, exponent = Decimal(repr(double)).normalize().as_tuple()
    if not isinstance(exponent, int):
        raise Inconsistent("a finite number has an exponent")
    shown, point = "".join(map(str, digits)), len(digits) + exponent
    if EXPONENT_BELOW < point <= EXPONENT_FROM:
        if exponent >= 0:
            plain = shown + "0" * exponent
        elif point > 0:
            plain = f"{shown[:point]}.{shown[point:]}"
        else:
            plain = f"0.{'0' * -point}{shown}"
    else:
        mantissa = f"{shown[0]}.{shown[1:]}" if len(shown) > 1 else shown
        plain = f"{mantissa}e{point - 1:+d}"
    return f"-{plain}" if sign else plain
