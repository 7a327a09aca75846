"""The matcher as a separate process: ``python -m infra.matcher_process``. SIGTERM ends it after its current batch.

It passes the inbox's stream to the match function and runs the expiry thread, on the DynamoDB that the environment
names (``chalicelib.wiring``). ``--checkpoint FILE``: continue where the last process ended; after a kill, batches that
were delivered but not checkpointed are delivered again. ``--notes FILE``: log each delivery, for tests that count them.
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
from infra.functions import Handler
from infra.poller import Checkpoint, StreamPoller
from infra.settings import ROOT
from infra.tables import INBOX


def with_delivery_log(handler: Handler, notes: Path) -> Handler:
    """Return the handler, wrapped to append a JSON line to a file before and after each batch.

    Before: ``{"delivered": [sequence numbers]}``. After: ``{"answered": [sequence numbers that failed]}``. A killed
    process writes no second line.
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


def run_matcher(checkpoint: Path | None, notes: Path | None, stop: threading.Event) -> None:
    """Match the inbox's stream and close expired orders until ``stop`` is set."""
    handler: Handler = importlib.import_module("app").match_inbox
    table = boto3.client("dynamodb").describe_table(TableName=wiring.database().name(INBOX))["Table"]
    poller = StreamPoller(
        boto3.client("dynamodbstreams"),
        table["LatestStreamArn"],
        with_delivery_log(handler, notes) if notes else handler,
        "match_inbox",
        Checkpoint(checkpoint) if checkpoint else None,
    )
    expiry = start_expiry_thread(stop)
    poller.run(stop)
    expiry.join()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m infra.matcher_process", description="Run the matcher as a process."
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="continue where the last process ended")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="append a line for each delivery and each answer")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    sys.path.insert(0, str(ROOT))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    run_matcher(options.checkpoint, options.notes, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
