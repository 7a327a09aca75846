"""The signature of a taker's request: Base64 of HMAC-SHA256 over ``METHOD|path|timestamp|X``.

X is the body of a POST, and the query of a GET as the client sent it. The gateway hands a query over decoded, so it is
written again in the ways in which a client may have sent it; one match is enough (K5, K44).

That does not weaken the signature: each encoded text is read back as just this query, so whoever has seen a signed
request can change how its query is written, not what it asks for. The undecoded one does not count where a value would
be read as more parameters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from chalicelib.wire.http import HttpRequest


def signature_of(secret: str, method: str, path: str, timestamp: str, content: bytes) -> str:
    message = f"{method.upper()}|{path}|{timestamp}|".encode(errors="surrogatepass") + content
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def is_signed(signature: str, secret: str, timestamp: str, request: HttpRequest) -> bool:
    """Tell whether the signature is this request's. Takes the same time wherever it differs."""
    contents = query_forms(request.query) if request.method == "GET" else [request.body]
    sent = signature.encode(errors="surrogatepass")
    matches = [
        hmac.compare_digest(sent, signature_of(secret, request.method, request.path, timestamp, content).encode())
        for content in contents
    ]
    return any(matches)


def query_forms(query: Mapping[str, list[str]]) -> list[bytes]:
    """Return the ways in which a decoded query may have been sent, each once.

    In the order received and sorted by name, each with the values as they are, percent-encoded (RFC 3986), and as
    common libraries encode them.

    >>> [form.decode() for form in query_forms({"status": ["locked, filled"]})][:4]
    ['status=locked, filled', 'status=locked%2C%20filled', 'status=locked%2C+filled', 'status=locked%2c%20filled']
    """
    received = [(name, value) for name, values in query.items() for value in values]
    by_name = sorted(received, key=lambda pair: pair[0])
    is_clear = not any("&" in name + value or "=" in name for name, value in received)
    forms = [
        "&".join(f"{write(name)}={write(value)}" for name, value in pairs)
        for write in ([_as_it_is] if is_clear else []) + _WRITERS
        for pairs in (received, by_name)
    ]
    return [form.encode(errors="surrogatepass") for form in dict.fromkeys(forms)]


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
"""Which characters, besides letters, digits, ``-``, ``.`` and ``_``, clients leave as they are in a value. None of them
is one that means something in a query: ``&``, ``=``, ``+``, ``%``, ``#`` are always encoded."""


def _as_it_is(text: str) -> str:
    return text


def _writer(kept: str, blank: str, is_lower: bool, keeps_tilde: bool) -> Callable[[str], str]:
    def write(text: str) -> str:
        written = quote(text, safe=kept, errors="surrogatepass")
        if is_lower:
            written = _ENCODED.sub(lambda found: found[0].lower(), written)
        if not keeps_tilde:
            written = written.replace("~", "%7e" if is_lower else "%7E")
        return written.replace("%20", blank)

    return write


_ENCODED = re.compile(r"%[0-9A-F]{2}")
_WRITERS = [
    _writer(kept, blank, is_lower, keeps_tilde)
    for kept in KEPT
    for keeps_tilde in (True, False)
    for is_lower in (False, True)
    for blank in ("%20", "+")
]
