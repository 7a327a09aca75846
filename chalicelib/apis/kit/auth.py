"""What a caller proves, at whichever desk: a bearer credential, or a request signed with HMAC-SHA256.

The gates of the desks call these, each in its own order and with its own words for a refusal. Signatures and digests
are compared in constant time. Where the credential itself is looked up is ``services.tenancy``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)


def bearer(headers: Mapping[str, str]) -> str | None:
    """Return the bearer credential of the header ``Authorization``: a key or a JWT; None where there is none."""
    sent = _BEARER.fullmatch(headers.get("authorization", "").strip())
    return sent[1] if sent else None


def signature_of(secret: str, message: bytes) -> str:
    """Return the signature of a message: Base64 of HMAC-SHA256."""
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def is_signed(signature: str, messages: Sequence[bytes], secrets: Iterable[str]) -> bool:
    """Tell whether a signature fits one of the messages under one of the secrets.

    messages: every text that the client may have signed, such as a body as sent and in compact form; all of them are
    compared, so the time taken does not tell which was near. secrets: derived from the newest master key, then from
    the previous one, which is asked for only where the newest does not fit.
    """
    sent = signature.encode(errors="surrogatepass")
    for secret in secrets:
        matches = [hmac.compare_digest(sent, signature_of(secret, message).encode()) for message in messages]
        if any(matches):
            return True
    return False
