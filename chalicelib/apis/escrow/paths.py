"""Path parameters: ids, and uuids in lower case. A malformed one is answered 404."""

from __future__ import annotations

import re

from chalicelib.apis.escrow.envelope import not_found
from chalicelib.apis.kit.http import HttpRequest

_ID = re.compile(r"[1-9][0-9]{0,11}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def id_of(request: HttpRequest) -> int:
    """Raises Fault 404."""
    text = request.path_parameters["id"]
    if not _ID.fullmatch(text):
        raise not_found()
    return int(text)


def uuid_of(request: HttpRequest) -> str:
    """Raises Fault 404."""
    text = request.path_parameters["uuid"]
    if not _UUID.fullmatch(text):
        raise not_found()
    return text
