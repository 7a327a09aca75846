"""Webhooks of an instance (docs/webhooks.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from tallybook_client.book.models import Delivery, Webhook, WebhookChange
from tallybook_client.book.orders import BASE
from tallybook_client.transport import Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import Members, json_of, member_of, members_of

T = TypeVar("T")
ALL, ONE = f"{BASE}/webhooks", f"{BASE}/webhooks/{{webhook}}"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """``desk.webhooks``. Their writes have no key: after OutcomeUnknown, look at the list."""

    _session: Session

    def create(
        self, url: str, types: Sequence[str], *, customer_refs: Sequence[str] | None = None, description: str = ""
    ) -> Webhook:
        """Make an endpoint; its ``secret`` is shown this once. types: of events, ``order.*``, or ``*``."""
        members = {"url": url, "types": types, "description": description}
        return self._write(
            "POST", ALL, Webhook, members | ({} if customer_refs is None else {"customerRefs": customer_refs})
        )

    def all(self) -> list[Webhook]:
        """Return all endpoints."""
        return member_of(self._session.get(ALL, Members), "webhooks", list[Webhook])

    def one(self, webhook_id: str) -> Webhook:
        """Return an endpoint. Raises WebhookNotFound."""
        return self._session.get(path_of(ONE, webhook=webhook_id), Webhook)

    def change(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change an endpoint; a status pauses or resumes it."""
        return self._write("PATCH", path_of(ONE, webhook=webhook_id), Webhook, members_of(change))

    def remove(self, webhook_id: str) -> None:
        """Remove an endpoint for good, with its dead letters."""
        self._write("DELETE", path_of(ONE, webhook=webhook_id), dict[str, Any])

    def test(self, webhook_id: str) -> str:
        """Send an event of type ``webhook.test``; return the id of its delivery."""
        sent = self._write("POST", path_of(f"{ONE}/test", webhook=webhook_id), Members)
        return member_of(sent, "deliveryId", str)

    def rotate_secret(self, webhook_id: str, hours: int = 24) -> Webhook:
        """Give an endpoint a new secret, shown this once. hours: how long the old one signs too."""
        return self._write("POST", path_of(f"{ONE}/rotate-secret", webhook=webhook_id), Webhook, {"hours": hours})

    def deliveries(
        self,
        webhook_id: str,
        status: Literal["DEAD", "WAITING"] = "DEAD",
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Delivery]:
        """Return dead letters, or what waits. after: the last one of an earlier list, those behind it."""
        path = path_of(f"{ONE}/deliveries", webhook=webhook_id)
        query = query_of(status=status, limit=limit, after=after)
        return member_of(self._session.get(path, Members, query), "deliveries", list[Delivery])

    def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Return one delivery with its payload. Raises DeliveryNotFound."""
        path = path_of(f"{ONE}/deliveries/{{delivery}}", webhook=webhook_id, delivery=delivery_id)
        return self._session.get(path, Delivery)

    def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send one again, under its id."""
        path = path_of(f"{ONE}/deliveries/{{delivery}}/redeliver", webhook=webhook_id, delivery=delivery_id)
        return self._write("POST", path, Delivery)

    def _write(self, method: str, path: str, kind: type[T], members: dict[str, Any] | None = None) -> T:
        body = b"" if members is None else json_of(members)
        return self._session.send(Request(method, path, body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)).data(kind)
