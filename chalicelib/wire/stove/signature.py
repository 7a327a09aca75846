"""The signature of a taker's request: Base64 of HMAC-SHA256 over ``METHOD|path|timestamp|X``.

X is the body of a POST, and the query of a GET as the client sent it. The gateway hands a query over decoded, so it is
written again in the ways in which a client may have sent it; one match is enough (K5).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
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
    """Return the four ways in which a decoded query may have been sent (K5).

    In the order received and sorted by name, each with the values as they are and percent-encoded (RFC 3986).

    >>> query_forms({"status": ["locked,filled"], "page": ["1"]})[:2]
    [b'status=locked,filled&page=1', b'status=locked%2Cfilled&page=1']
    """
    received = [(name, value) for name, values in query.items() for value in values]
    by_name = sorted(received, key=lambda pair: pair[0])
    return [
        "&".join(f"{name}={quote(value, safe='') if is_encoded else value}" for name, value in pairs).encode(
            errors="surrogatepass"
        )
        for pairs in (received, by_name)
        for is_encoded in (False, True)
    ]
