"""Authentication: bearer credentials, and requests signed with HMAC-SHA256.

Each desk's gate calls these in its own order and with its own refusals. Signatures are compared in constant time. The
gates look credentials up through functions that ``wiring`` gives them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)


def bearer(headers: Mapping[str, str]) -> str | None:
    """Return the bearer credential (a key or a JWT) of the header ``Authorization``; None if there is none."""
    sent = _BEARER.fullmatch(headers.get("authorization", "").strip())
    return sent[1] if sent else None


def signature_of(secret: str, message: bytes) -> str:
    """Return the signature of a message: Base64 of HMAC-SHA256."""
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def is_signed(signature: str, messages: Sequence[bytes], secrets: Iterable[str]) -> bool:
    """Tell whether a signature is valid for one of the messages under one of the secrets.

    messages: every text that the client may have signed, such as a body as sent and in compact form. All are compared,
    so timing does not tell which one matched. secrets: from the newest master key, then from the previous one, which is
    read only if the newest fails.
    """
    sent = signature.encode(errors="surrogatepass")
    for secret in secrets:
        matches = [hmac.compare_digest(sent, signature_of(secret, message).encode()) for message in messages]
        if any(matches):
            return True
    return False
