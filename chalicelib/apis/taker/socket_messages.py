"""Messages of the taker desk's WebSocket: what the events of signed orders say, in the vendor's shapes (K46)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.domain.feed.cursor import BEGINNING, Place, behind
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.domain.feed.subscription import Subscription
from chalicelib.domain.signed.settings import OpenDesk
from chalicelib.domain.tenancy.instances import TRADING
from chalicelib.domain.tenancy.keys import TakerKey
from chalicelib.services.push.desk import Body, News
from chalicelib.support.canonical import compact, quoted
from chalicelib.support.clock import iso_seconds

SIGNED_ORDER = "signed_order."
TAKER_DESK, MAKER_DESK = "taker", "maker"
CANCEL_REQUESTED = f"{SIGNED_ORDER}cancel_requested"


class Type(StrEnum):
    """Types of messages that a client names when it connects. Heartbeats come always."""

    ORDER_STATUS_CHANGE = "order_status_change"
    CANCELLATION_REQUEST = "cancellation_request"


@dataclass(frozen=True, slots=True)
class SignedOrderTopics:
    """Builds messages (``push.broadcasting.Desk``). A subscription's name lists its types.

    key_of: finds a taker's key by its id. open_desk: reads an active instance's desk. clock_ms: Unix ms.
    """

    key_of: Callable[[str], TakerKey | None]
    open_desk: Callable[[str], OpenDesk | None]
    clock_ms: Callable[[], int]

    sends_heartbeats = True

    def waits(self, subscription: Subscription) -> bool:  # noqa: ARG002 - events say all
        return False

    def bodies(self, subscription: Subscription, news: News) -> dict[str, list[Body]]:
        """Return a message for each event of one of its types that one of its subjects receives."""
        types, subjects = set(subscription.name.split(",")), {*subscription.subjects}
        return {
            log: [
                Body(behind(event, event is entry.events[-1]), event.at_ms, compact(message))
                for entry in entries
                for event in entry.events
                if event.is_for(subjects)
                for message in _messages(event)
                if message["type"] in types
            ]
            for log, entries in news.items()
        }

    def state(self, subscription: Subscription, place: Place | None = None) -> Body:  # noqa: ARG002 - shows none
        """Return a heartbeat."""
        now_ms = self.clock_ms()
        return Body(BEGINNING, now_ms, compact({"type": "heartbeat", "timestamp": now_ms}))

    def text(self, subscription: Subscription, body: Body, cursor: str) -> bytes:  # noqa: ARG002 - has no ids
        return f'{body.text[:-1]},"cursor":{quoted(cursor)}}}'.encode()

    def lets(self, subscription: Subscription) -> bool:
        """Return whether the key or JWT would still let the client in, signatures aside (K48)."""
        desk, now_s = self.open_desk(subscription.instance), self.clock_ms() // 1000
        if desk is None or TRADING not in desk.services:
            return False
        if subscription.desk == MAKER_DESK:
            return int(subscription.credential) > now_s
        key = self.key_of(subscription.credential)
        return key is not None and key.is_enabled and not key.has_ended(now_s)


def _messages(event: FeedEvent) -> Iterator[dict[str, Any]]:
    """Yield the message that an event gives, if it gives one."""
    body: Any = event.body
    if event.type == CANCEL_REQUESTED:
        data = {
            "order_hash": body["orderHash"],
            "maker": body["maker"],
            "reason": body["reason"],
            "metadata": {"request_id": body["requestId"], "expires_at": body["expiresAt"]},
        }
        yield _message(Type.CANCELLATION_REQUEST, event, data)
    elif event.type.startswith(SIGNED_ORDER):
        known = {
            "expires_at": body["expiresAt"],
            "lock_id": body.get("lockId"),
            "blockchain_tx_hash": (body["fill"] or {}).get("txHash"),
        }
        metadata = {name: value for name, value in known.items() if value is not None}
        data = {
            "order_hash": body["orderHash"],
            "maker": body["maker"],
            "taker": body["taker"],
            "from_status": body["fromStatus"],
            "to_status": body["toStatus"],
        }
        yield _message(Type.ORDER_STATUS_CHANGE, event, data | ({"metadata": metadata} if metadata else {}))


def _message(kind: Type, event: FeedEvent, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind.value, "timestamp": iso_seconds(event.at_ms // 1000), "data": data}
