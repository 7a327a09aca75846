"""The matcher as a process of its own: ``python -m infra.feed``; SIGTERM ends it after its batch.

It feeds the inbox's stream to the match function and has orders expire, at the DynamoDB that the environment names
(``chalicelib.wiring``).
``--checkpoint FILE``: go on where the last feed ended; when that one was killed, what it had delivered and not noted
as through comes again. ``--notes FILE``: append what happens to each batch, for whoever counts deliveries.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import boto3

from chalicelib import wiring
from infra.expiry_thread import start_expiry_thread
from infra.poller import Checkpoint, Handler, StreamPoller
from infra.settings import ROOT
from infra.tables import INBOX


def noting(handler: Handler, notes: Path) -> Handler:
    """Return a handler that also appends a line of JSON to a file before and after each batch.

    ``{"delivered": [sequence numbers]}``, then ``{"answered": [those that the function handed back]}``; a killed feed
    leaves the second line out.
    """

    def note(name: str, sequence_numbers: list[str]) -> None:
        with notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: sequence_numbers}) + "\n")

    def noted(event: dict[str, Any], context: Any) -> object:
        note("delivered", [record["dynamodb"]["SequenceNumber"] for record in event["Records"]])
        answer: Any = handler(event, context)
        note("answered", [failure["itemIdentifier"] for failure in answer["batchItemFailures"]])
        return answer

    return noted


def feed(checkpoint: Path | None, notes: Path | None, stop: threading.Event) -> None:
    """Match what the inbox's stream brings, and have orders expire, until told to stop."""
    handler: Handler = importlib.import_module("app").match_inbox
    table = boto3.client("dynamodb").describe_table(TableName=wiring.database().name(INBOX))["Table"]
    poller = StreamPoller(
        boto3.client("dynamodbstreams"),
        table["LatestStreamArn"],
        noting(handler, notes) if notes else handler,
        Checkpoint(checkpoint) if checkpoint else None,
    )
    expiry = start_expiry_thread(stop)
    poller.run(stop)
    expiry.join()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.feed", description="Run the matcher as a process.")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="go on where the last feed ended")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="append a line for each delivery and each answer")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    sys.path.insert(0, str(ROOT))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    feed(options.checkpoint, options.notes, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
