"""Redaction of log lines: credentials of the request are masked except for their last four characters.

Everything logged while a request is served passes through here, exception texts included, so no other code needs to
know which of its values are secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

SECRET_HEADERS = ("authorization", "signature", "x-api-key", "x-api-signature", "cookie", "sec-websocket-protocol")
SECRET_CHARACTERS_MIN = 8
"""Minimum length of a credential; a shorter text could be part of any word and is not masked."""
SECRETS_MAX = 100
"""Maximum number of credentials searched for in a line. A request with more is abusive: its texts are left out."""
HIDDEN = "***"
SHOWN_CHARACTERS = 4
DIGEST_CHARACTERS = 12
"""Logged prefix of a digest: enough to find its row."""
_SECRET_MEMBER = re.compile(
    rb'"(?:signature|secret|secret_key|token|jwt|api_?key|password)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE
)

_TOKEN_IN_PATH = re.compile(r"/[bsq]/+([^/?]+)")
"""The token in the path of an order's page, below whatever prefix: whoever has the link is let in."""


def secrets_of(headers: Mapping[str, str], body: bytes, path: str = "") -> list[str]:
    """Return the credentials in a request, longest first. headers: names in lower case. path: percent-encoded."""
    values = [headers.get(name, "") for name in SECRET_HEADERS]
    for token in _TOKEN_IN_PATH.findall(path):
        values += [token, unquote(token)]
    values += [value.decode(errors="replace") for value in _SECRET_MEMBER.findall(body)]
    words = {part for value in values for part in (value, *value.split()) if len(part) >= SECRET_CHARACTERS_MIN}
    return sorted(words, key=len, reverse=True)


def masked(value: Any, secrets: Sequence[str]) -> Any:
    """Return a member of a log line without these secrets, also where a text quotes them as Python or JSON.

    Names of members stay, so that a caller cannot break up a line.

    >>> masked({"key_0123456789": "key_0123456789 is bad"}, ["key_0123456789"])
    {'key_0123456789': '***6789 is bad'}
    """
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {name: masked(one, secrets) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one, secrets) for one in value]
    text = str(value)
    if len(secrets) > SECRETS_MAX and len(text) >= SECRET_CHARACTERS_MIN:
        return HIDDEN
    for secret in secrets:
        for written in {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]}:
            text = text.replace(written, HIDDEN + secret[-SHOWN_CHARACTERS:])
    return text


def shortened(name: str) -> str:
    """Return a key's id as logged: a digest is cut to its prefix."""
    is_digest = re.fullmatch(r"[0-9a-f]{64}", name)
    return name[:DIGEST_CHARACTERS] if is_digest else name
