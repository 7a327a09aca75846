"""What happens to an order is posted to an endpoint of the running service, signed, each event under its id."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tallybook_client import BookDesk
from tallybook_client.book import NewOrder

pytestmark = pytest.mark.stack

ARRIVES_S_MAX, POLL_S = 60, 0.05
CUSTOMER = "cust_12345"


class Receiver(ThreadingHTTPServer):
    """Keeps the requests that it gets; fails the first one."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @contextmanager
    def running(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(500 if len(self.server.requests) == 1 else 204)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


def test_an_orders_events_arrive_signed_and_a_failed_one_again_under_its_id(desk: BookDesk) -> None:
    with Receiver().running() as receiver:
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        hook = desk.webhooks.create(url, ["order.*"], customer_refs=[CUSTOMER])
        assert hook.secret is not None
        try:
            order = desk.orders.place(
                NewOrder(
                    order_book_id="ob_offchain_001",
                    customer_ref=CUSTOMER,
                    side="BUY",
                    price=10**16,
                    quantity=10**18,
                )
            )
            wanted = {"order.accepted", "order.rested"}
            deadline_s = time.monotonic() + ARRIVES_S_MAX
            while not wanted <= {event["type"] for event in _events(receiver, hook.secret, order.id)[1:]}:
                assert time.monotonic() < deadline_s, receiver.requests
                time.sleep(POLL_S)
            failed, *later = _events(receiver, hook.secret, order.id)
            assert failed in later
        finally:
            desk.webhooks.remove(hook.id)


def _events(receiver: Receiver, secret: str, order_id: str) -> list[dict[str, Any]]:
    """Return the events that came, verified, each under its webhook-id; all of them are about the order."""
    found = []
    for headers, body in list(receiver.requests):
        Webhook(secret).verify(body, headers)
        event = json.loads(body)
        assert event["id"] == {name.lower(): value for name, value in headers.items()}["webhook-id"]
        assert event["body"]["orderId"] == order_id
        found.append(event)
    return found or [{"type": ""}]
