"""Origins: the web pages whose scripts may call an instance's routes of makers, as browsers name them (K52)."""

from __future__ import annotations

import re

ORIGIN_CHARACTERS_MAX = 300
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_USUAL_PORTS = {"http": "80", "https": "443"}


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin as browsers send it: scheme, host in lower case, and a port if it is unusual.

    >>> [is_origin(text) for text in ("https://app.example", "http://127.0.0.1:5173", "http://[::1]:8000")]
    [True, True, True]
    >>> [is_origin(text) for text in ("null", "*", "https://App.example", "https://app.example/", "https://a:443")]
    [False, False, False, False, False]
    """
    found = _ORIGIN.fullmatch(text) if len(text) <= ORIGIN_CHARACTERS_MAX else None
    return found is not None and found[3] != _USUAL_PORTS[found[1]]
