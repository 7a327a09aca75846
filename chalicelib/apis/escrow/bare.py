"""The bare profile: answers as the vendor's published description has them, for clients generated from it (E47).

A single resource stands without ``data`` around it, and an order's status is one of the eight words that the
description lists; a filter means the word that is shown. Answers are stored in the usual form, and reshaped when sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.support.canonical import exact, exact_object

SHOWN: Mapping[Status, Status] = {status: status for status in Status} | {
    Status.FAILURE: Status.PENDING_PUBLISH,
    Status.PENDING_VALIDATE: Status.ACCEPTED,
    Status.PENDING_RELEASE: Status.ACCEPTED,
    Status.BLOCKED_RELEASE: Status.ACCEPTED,
}
"""By an order's status, the one that the bare profile shows."""
OWN: Mapping[Status, Status] = {status: status for status in Status}
ORDER, ORDERS = "Order", "OrderPage"
_JSON, _PROFILE = "application/json", "profile"


def accepts_bare(accept: str) -> bool:
    """Return whether an Accept header asks for ``application/json;profile=bare``."""
    for one in accept.split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        named = (parameter.partition("=") for parameter in parameters)
        if kind.lower() == _JSON and any(
            name.strip().lower() == _PROFILE and value.strip().strip('"') == "bare" for name, _, value in named
        ):
            return True
    return False


def bare(answer: str, response: HttpResponse) -> HttpResponse:
    """Return a success in the bare profile. answer: the name of the thing that its route shows."""
    if response.status != 200 or (answer != ORDERS and not response.body.startswith('{"data":{')):
        return response
    body: Any = exact_object(response.body)
    if answer == ORDERS:
        body["data"] = list(map(_bare_order, body["data"]))
        return replace(response, body=exact(body))
    return replace(response, body=exact(_bare_order(body["data"]) if answer == ORDER else body["data"]))


def _bare_order(order: dict[str, Any]) -> dict[str, Any]:
    status = SHOWN[Status(order["status"])]
    return order | {"status": status.value, "status_nicename": status.nicename}
