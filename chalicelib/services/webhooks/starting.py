"""How work on an endpoint's deliveries is started beside what noted them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.domain.webhooks.endpoint import Owner, owner_of
from chalicelib.support.telemetry import logger

Start = Callable[[Owner, str, Sequence[str]], None]
"""Starts a deliverer for an endpoint, given its owner, its id and deliveries to begin with. May fail: an endpoint that
was noted is found by the next sweep."""
IDS_MAX = 1000
"""Deliveries that a start names: Lambda takes 256 KB with an asynchronous call."""


def left_to_sweep(_owner: Owner, _endpoint_id: str, _delivery_ids: Sequence[str]) -> None:
    """Start nothing: the next sweep does."""


def detail_of(owner: Owner, endpoint_id: str, delivery_ids: Sequence[str]) -> dict[str, Any]:
    """Return a start as the deliverer's function takes it."""
    return {"owner": owner.key, "endpoint": endpoint_id, "deliveries": list(delivery_ids[:IDS_MAX])}


def start_of(detail: dict[str, Any]) -> tuple[Owner, str, list[str]]:
    """Return the start in an event's detail (``detail_of``)."""
    return owner_of(detail["owner"]), detail["endpoint"], detail["deliveries"]


def start_or_leave(start: Start, owner: Owner, endpoint_id: str, delivery_ids: Sequence[str] = ()) -> None:
    """Start a deliverer; if that fails, log it and leave the endpoint to the next sweep."""
    try:
        start(owner, endpoint_id, delivery_ids)
    except Exception:
        logger.warning("no deliverer started; a later sweep does", exc_info=True, endpoint=endpoint_id)
