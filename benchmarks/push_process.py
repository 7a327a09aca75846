"""The WebSocket gateway and the functions that send to it, as a process: ``python -m benchmarks.push_process PORT``.

It follows the streams of the journal and the outbox, on the DynamoDB that the environment names. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
from typing import Any

import boto3

from chalicelib import wiring
from infra.poller import StreamPoller
from infra.settings import ROOT
from infra.tables import JOURNAL, OUTBOX
from infra.websocket_server import Gateway


def serve(port: int, stop: threading.Event) -> None:
    """Serve clients and push to them until ``stop`` is set."""
    sys.path.insert(0, str(ROOT))
    app: Any = importlib.import_module("app")
    gateway = Gateway(port, app.websocket)
    threads = [threading.Thread(target=gateway.run, args=(stop,))]
    threads[0].start()
    gateway.is_open.wait()
    os.environ["TALLYBOOK_CONNECTIONS_URL"] = gateway.connections_url
    for table, handler in ((JOURNAL, app.push_journal), (OUTBOX, app.push_outbox)):
        arn = boto3.client("dynamodb").describe_table(TableName=wiring.database().name(table))["Table"][
            "LatestStreamArn"
        ]
        poller = StreamPoller(boto3.client("dynamodbstreams"), arn, handler, f"push_{table}")
        threads.append(threading.Thread(target=poller.run, args=(stop,)))
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(description="Serve WebSocket connections and push to them.")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    serve(options.port, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
