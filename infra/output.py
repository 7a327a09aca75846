"""Standard output and error of a local run's processes: what cannot be written is dropped, and nothing fails for it.

A pipe whose reader is gone, a terminal that was closed or a full disk behind a log file must not touch a request, nor
keep the run from stopping in order.
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


class _LinesOrNothing(logging.handlers.QueueHandler):
    """Hands lines to another thread; drops them while that one is behind."""

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


def drop_what_cannot_be_written() -> None:
    """Make ``print`` and logging of this process unable to fail. To be called before a logger is set up."""
    sys.stdout, sys.stderr = _stream(1), _stream(2)


def line_log(name: str) -> logging.Logger:
    """Return a log whose lines a thread of its own writes to standard error.

    A reader that stands still (Ctrl-S, a pager) holds up that thread alone; beyond 1,000 lines it has not taken, lines
    are dropped.
    """
    log = logging.getLogger(name)
    lines: queue.Queue[logging.LogRecord] = queue.Queue(QUEUED_LINES_MAX)
    writer = logging.StreamHandler(sys.stderr)
    writer.setFormatter(logging.Formatter("%(message)s"))
    logging.handlers.QueueListener(lines, writer).start()
    log.addHandler(_LinesOrNothing(lines))
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def _stream(number: int) -> TextIO:
    try:
        os.fstat(number)
    except OSError:  # the process was started with this stream closed: no other file may take its number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        os.set_inheritable(number, True)
    file = _Lossy(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(file), encoding="utf-8", errors="backslashreplace", line_buffering=True)
