"""The Chalice app: wires routes, the stream handler and the schedules; nothing else.

Every path and method, unknown ones included, is answered by its desk, so each route accepts all methods, and catch-all
routes match unknown paths by their number of segments. The book desk's paths are API Gateway resources; the other
desks' are matched by the catch-alls, because API Gateway is limited to 300 resources. In both cases the desk finds the
route in its own table.

Every function imports this module, so a desk is imported by its first request, and a handler's needs by the handler.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice import Chalice, Rate, Response
from chalice.app import CloudWatchEvent, DynamoDBEvent

from chalicelib import wiring
from chalicelib.apis.book.routes import ROUTES
from chalicelib.apis.kit.http import HttpRequest, path_served, percent_encoded
from chalicelib.apis.kit.mounts import desk_of
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.telemetry import invocation

if TYPE_CHECKING:
    from chalicelib.apis.book.api import BookApi
    from chalicelib.apis.console.api import Console
    from chalicelib.apis.escrow.api import EscrowApi
    from chalicelib.apis.front import Front
    from chalicelib.apis.taker.api import TakerApi
    from chalicelib.apis.trade.api import TradeApi
    from chalicelib.services.push.following import Rows

    Desk = BookApi | TradeApi | TakerApi | EscrowApi | Front | Console

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
CAUGHT_SEGMENTS_MAX = 10
INBOX_STREAM_ARN = os.environ.get(
    "INBOX_STREAM_ARN", "arn:aws:dynamodb:us-east-1:000000000000:table/tallybook-inbox/stream/named-at-deployment"
)
INBOX_BATCH_RECORDS = 1000
JOURNAL_STREAM_ARN = os.environ.get(
    "JOURNAL_STREAM_ARN", "arn:aws:dynamodb:us-east-1:000000000000:table/tallybook-journal/stream/named-at-deployment"
)
OUTBOX_STREAM_ARN = os.environ.get(
    "OUTBOX_STREAM_ARN", "arn:aws:dynamodb:us-east-1:000000000000:table/tallybook-outbox/stream/named-at-deployment"
)
PUSH_BATCH_RECORDS = 100
EXPIRING_RUN_S = 75
"""Run time in seconds: longer than the minute between two runs, so that a late start leaves no gap."""
SWEEP_EVERY_MINUTES = 1
SWEEP_RUN_S = 45
"""Time limit of a sweep in seconds; the next one continues."""

app = Chalice(app_name="tallybook", configure_logs=False)  # shares its logger with ``support.telemetry``, by name
app.api.binary_types.append("multipart/form-data")  # API Gateway passes such a body on unchanged


@cache
def _book_desk() -> BookApi:
    from chalicelib.wiring.book import new_book_desk

    return new_book_desk(wiring.database(), wiring.counters())


@cache
def _trade_desk() -> TradeApi:
    from chalicelib.wiring.trade import new_trade_desk

    return new_trade_desk(
        wiring.database(),
        wiring.counters(),
        master_key=wiring.master_key,
        previous_master_key=wiring.previous_master_key,
        public_instance=wiring.public_instance(),
        public_limit=wiring.public_limit(),
        orders_max=wiring.orders_max(),
    )


@cache
def _taker_desk() -> TakerApi:
    from chalicelib.wiring.taker import new_taker_desk

    return new_taker_desk(
        wiring.database(),
        wiring.counters(),
        master_key=wiring.master_key,
        previous_master_key=wiring.previous_master_key,
        public_instance=wiring.public_instance(),
        public_limit=wiring.public_limit(),
    )


@cache
def _escrow_desk() -> EscrowApi:
    from chalicelib.wiring.escrow import new_escrow_desk

    return new_escrow_desk(wiring.database(), wiring.counters())


@cache
def _front() -> Front:
    from chalicelib.apis.front import Front

    return Front(wiring.ask_tables, time.monotonic)


@cache
def _console() -> Console:
    from chalicelib.apis.console.api import Console

    return Console(wiring.websocket_url(), wiring.console_pair())


def _desk(name: str) -> Desk:
    desks: dict[str, Callable[[], Desk]] = {
        "front": _front,
        "console": _console,
        "book": _book_desk,
        "trade": _trade_desk,
        "taker": _taker_desk,
        "escrow": _escrow_desk,
    }
    return desks[name]()


def _answer(**_segments: str) -> Response:
    """Answer a request to any path with any method: the desk finds its route."""
    request = app.current_request
    if request is None:
        raise Inconsistent("a view runs for a request")
    query = request.query_params
    body = request.raw_body
    sent, is_of_http_api = request.context["path"], "version" in request.to_original_event()
    incoming = HttpRequest(
        method=request.method,
        route=None,
        path_parameters={},
        query={} if query is None else {name: query.getlist(name) for name in query},
        headers=dict(request.headers),
        body=body.encode() if isinstance(body, str) else body,
        path=path_served(percent_encoded(sent) if is_of_http_api else sent, request.path),
        client_address=request.context.get("identity", {}).get("sourceIp", ""),
    )
    with invocation("api_handler", app.lambda_context, incoming):
        response = _desk(desk_of(incoming.method, incoming.path)).answer(incoming)
    shown = "" if request.method == "HEAD" else response.body
    return Response(body=shown, status_code=response.status, headers=dict(response.headers))


for _number, _template in enumerate(dict.fromkeys(route.path for route in ROUTES)):
    app.route(_template, methods=METHODS, content_types=[], name=f"book_desk_{_number}")(_answer)
for _depth in range(CAUGHT_SEGMENTS_MAX + 1):
    _template = "/" + "/".join(f"{{segment{number}}}" for number in range(_depth))
    app.route(_template, methods=METHODS, content_types=[], name=f"no_such_route_{_depth}")(_answer)


@app.on_dynamodb_record(
    stream_arn=INBOX_STREAM_ARN, batch_size=INBOX_BATCH_RECORDS, starting_position="TRIM_HORIZON", name="match_inbox"
)
def match_inbox(event: DynamoDBEvent) -> dict[str, Any]:
    """Match the commands that arrived in the inbox. Failed records are delivered again."""
    from chalicelib.services.books.stream import match_records

    records = event.to_dict()["Records"]
    with invocation("match_inbox", event.context):
        failed = match_records(wiring.matcher(), records, wiring.match_telemetry())
    return _again_from(failed)


@app.on_dynamodb_record(
    stream_arn=JOURNAL_STREAM_ARN, batch_size=PUSH_BATCH_RECORDS, starting_position="TRIM_HORIZON", name="push_journal"
)
def push_journal(event: DynamoDBEvent) -> dict[str, Any]:
    """Push the events of books to connections and webhooks. Failed records are delivered again."""
    return _followed("push_journal", event, wiring.journal_rows)


@app.on_dynamodb_record(
    stream_arn=OUTBOX_STREAM_ARN, batch_size=PUSH_BATCH_RECORDS, starting_position="TRIM_HORIZON", name="push_outbox"
)
def push_outbox(event: DynamoDBEvent) -> dict[str, Any]:
    """Push the events of signed orders, escrow orders and the ledger likewise."""
    return _followed("push_outbox", event, wiring.outbox_rows)


def _followed(function: str, event: DynamoDBEvent, rows: Callable[[], Rows]) -> dict[str, Any]:
    from chalicelib.services.push.following import follow_records

    with invocation(function, event.context):
        return _again_from(follow_records(rows(), wiring.receivers(), event.to_dict()["Records"]))


def _again_from(failed: list[str]) -> dict[str, Any]:
    """Return the answer of a stream's function. failed: the sequence numbers to deliver again from."""
    return {"batchItemFailures": [{"itemIdentifier": sequence_number} for sequence_number in failed]}


@app.lambda_function(name="websocket")
def websocket(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Serve the WebSocket API: a client connects, sends a message, or has left."""
    with invocation("websocket", context):
        return wiring.pushing().sockets.answer(event)


@app.schedule(Rate(1, unit=Rate.MINUTES), name="expire_orders")
def expire_orders(event: CloudWatchEvent) -> None:
    """Close expired orders and fire switches for a bit more than a minute (R24, O10), and report parked books (T53)."""
    goes_on = _for_seconds(EXPIRING_RUN_S)
    with invocation("expire_orders", event.context):
        wiring.expiring().report_parked()
        wiring.expiring().run(goes_on, time.sleep)


@app.schedule(Rate(SWEEP_EVERY_MINUTES, unit=Rate.MINUTES), name="sweep_signed_orders")
def sweep_signed_orders(event: CloudWatchEvent) -> dict[str, int]:
    """Record the lapses of signed orders that no command has met, and release their funds (K30)."""
    with invocation("sweep_signed_orders", event.context):
        return {"lapses": wiring.signed_order_desk().sweep(_for_seconds(SWEEP_RUN_S))}


@app.schedule(Rate(SWEEP_EVERY_MINUTES, unit=Rate.MINUTES), name="release_escrows")
def release_escrows(event: CloudWatchEvent) -> dict[str, int]:
    """Release the escrow orders that are due: their delay is over, or their validation was interrupted."""
    with invocation("release_escrows", event.context):
        swept = wiring.escrows().sweep(_for_seconds(SWEEP_RUN_S))
    return {"released": swept.released, "failed": swept.failed}


@app.schedule(Rate(SWEEP_EVERY_MINUTES, unit=Rate.MINUTES), name="deliver_webhooks")
def deliver_webhooks(event: CloudWatchEvent) -> dict[str, int]:
    """Start a deliverer for each webhook endpoint that is due. Called with an endpoint, make its deliveries."""
    with invocation("deliver_webhooks", event.context):
        if not event.detail:
            return {"started": wiring.webhook_deliverer().sweep()}
        from chalicelib.services.webhooks.starting import start_of

        wiring.webhook_deliverer().run(*start_of(event.detail))
    return {"started": 0}


@app.schedule(Rate(1, unit=Rate.MINUTES), name="beat_connections")
def beat_connections(event: CloudWatchEvent) -> None:
    """Send WebSocket connections what they are sent every half a minute. Called with a connection, have it begin."""
    with invocation("beat_connections", event.context):
        if event.detail:
            wiring.pushing().beat.begin(event.detail["connection"], time.sleep)
        elif wiring.connections_url():
            wiring.pushing().beat.run(time.sleep)


def _for_seconds(seconds: float) -> Callable[[], bool]:
    """Return a function that is true for this long from now on."""
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() < end_s


wiring.prepare(os.environ.get("_HANDLER", ""))
