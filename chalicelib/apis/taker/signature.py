"""The signature of a taker's request: Base64 of HMAC-SHA256 over ``METHOD|path|timestamp|X``.

X is the body of a POST, and the query of a GET as the client sent it. The gateway decodes the query, so it is encoded
again in all the ways that clients use; one match is enough (K5, K44).

This does not weaken the signature: every encoded text decodes to the same query, so an attacker who has seen a signed
request can change its encoding, not its meaning. The plain text is not accepted if a value in it would be read as
further parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters, digits

from chalicelib.apis.kit import auth
from chalicelib.apis.kit.http import HttpRequest


def signature_of(secret: str, method: str, path: str, timestamp: str, content: bytes) -> str:
    return auth.signature_of(secret, _message(method, path, timestamp, content))


def messages(timestamp: str, request: HttpRequest) -> list[bytes]:
    """Return every text that the client may have signed for this request."""
    contents = query_forms(request.query) if request.method == "GET" else [request.body]
    return [_message(request.method, request.path, timestamp, content) for content in contents]


def _message(method: str, path: str, timestamp: str, content: bytes) -> bytes:
    return f"{method.upper()}|{path}|{timestamp}|".encode(errors="surrogatepass") + content


def query_forms(query: Mapping[str, list[str]]) -> list[bytes]:
    """Return the encodings in which a decoded query may have been sent, each once.

    Parameters as received and sorted by name, each with plain values, percent-encoded (RFC 3986), and encoded as common
    libraries do.

    >>> [form.decode() for form in query_forms({"status": ["locked, filled"]})][:4]
    ['status=locked, filled', 'status=locked%2C%20filled', 'status=locked%2C+filled', 'status=locked%2c%20filled']
    """
    received = [(name, value) for name, values in query.items() for value in values]
    is_clear = not any("&" in name + value or "=" in name for name, value in received)
    pairs = [(_bytes_as_text(name), _bytes_as_text(value)) for name, value in received]
    by_name = sorted(range(len(pairs)), key=lambda index: received[index][0])
    present = {ord(character) for pair in pairs for text in pair for character in text}
    # Of the 72 tables most encode the characters that are present alike; one of those is enough.
    different = {tuple(table.get(byte) for byte in present): table for table in _TABLES}
    forms: dict[bytes, None] = {}
    for table in (*([AS_IT_IS] if is_clear else []), *different.values()):
        written = [f"{name.translate(table)}={value.translate(table)}" for name, value in pairs]
        for order in (written, [written[index] for index in by_name]):
            forms["&".join(order).encode("latin-1")] = None
    return list(forms)


def _bytes_as_text(text: str) -> str:
    """Return a text with one character for each UTF-8 byte of the given one."""
    return text.encode(errors="surrogatepass").decode("latin-1")


KEPT = (
    "",  # RFC 3986: Python, Go, Ruby, PHP
    "!'()*",  # JavaScript's encodeURIComponent
    "!()*",  # .NET
    "*",  # HTML forms: Java, URLSearchParams
    ",",
    ":$,[]",  # axios
    "!$'()*,/:;?@",  # encodeURI: what a query may hold unencoded, by RFC 3986
    "!$'()*,/:;?@[]",  # Python's requests, where the query is a part of the URL
    "!$()*,/:;?@[]\\^`{|}",  # browsers, where the query is a part of the URL
)
"""Characters that clients leave unencoded in a value, besides letters, digits, ``-``, ``.`` and ``_``. Characters with
a meaning in a query (``&``, ``=``, ``+``, ``%``, ``#``) are always encoded."""


AS_IT_IS: dict[int, str] = {}


def _table(kept: str, blank: str, is_lower: bool, keeps_tilde: bool) -> dict[int, str]:
    """Return the encoding of each byte that is not left as it is."""
    stay = f"{ascii_letters}{digits}-._{'~' if keeps_tilde else ''}{kept}".encode()
    written = {byte: f"%{byte:02{'x' if is_lower else 'X'}}" for byte in range(256) if byte not in stay}
    return written | {ord(" "): blank}


_TABLES = [
    _table(kept, blank, is_lower, keeps_tilde)
    for kept in KEPT
    for keeps_tilde in (True, False)
    for is_lower in (False, True)
    for blank in ("%20", "+")
]
