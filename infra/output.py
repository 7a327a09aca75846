"""Standard output and error that never fail: what cannot be written is dropped.

A broken pipe, a closed terminal or a full disk behind a log file must neither fail a request nor keep a local run from
its graceful shutdown.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import queue
import sys
from contextlib import suppress
from typing import TextIO

QUEUED_LINES_MAX = 1000


class _Lossy(io.FileIO):
    """A file whose writes never fail: bytes that cannot be written count as written."""

    def write(self, data: object, /) -> int:
        size = memoryview(data).nbytes  # type: ignore[arg-type]
        try:
            written = super().write(data)  # type: ignore[arg-type]
        except OSError:
            return size
        return size if written is None else written


class _DroppingQueueHandler(logging.handlers.QueueHandler):
    """Queues log lines for another thread; drops them while its queue is full."""

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


def drop_unwritable_output() -> None:
    """Make ``print`` and logging of this process unable to fail. Call it before a logger is set up."""
    sys.stdout, sys.stderr = _stream(1), _stream(2)


def line_log(name: str) -> logging.Logger:
    """Return a logger whose lines are written to standard error by a thread of its own.

    A blocked reader (Ctrl-S, a pager) blocks only that thread. The queue holds 1,000 lines; further lines are dropped.
    """
    log = logging.getLogger(name)
    lines: queue.Queue[logging.LogRecord] = queue.Queue(QUEUED_LINES_MAX)
    writer = logging.StreamHandler(sys.stderr)
    writer.setFormatter(logging.Formatter("%(message)s"))
    logging.handlers.QueueListener(lines, writer).start()
    log.addHandler(_DroppingQueueHandler(lines))
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def _stream(number: int) -> TextIO:
    try:
        os.fstat(number)
    except OSError:  # the stream was closed at the start: reserve its descriptor, so that no other file gets it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        os.set_inheritable(number, True)
    file = _Lossy(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(file), encoding="utf-8", errors="backslashreplace", line_buffering=True)
