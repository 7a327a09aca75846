"""ministack as the local DynamoDB, with 38-digit numbers and saved tables: ``python -m infra.exact_engine``.

Precision: ministack uses Python's default decimal context of 28 digits, so a balance above 10**28 base units would lose
digits silently. New threads copy the default context, so it is widened before any thread starts.

Speed: ministack examines the whole partition for each query. Here it examines a page (``engine_queries``).

Saving: ministack saves only when it stops, reports a failed save as done, and takes an unreadable file for an empty
one. With ``TALLYBOOK_STATE_DIR`` this module loads and saves the tables instead: every ``TALLYBOOK_SAVE_EVERY_S``
seconds if something changed, and at the end. A save is a consistent snapshot, written by a forked copy of the process
while requests go on. It has the stream records of the last minute too: pollers may not have delivered them yet, and
deliver them again after the next start.

SIGINT and SIGTERM end it. Exit code 1: the last save failed. Exit code 2: the saved tables could not be loaded.
"""

from __future__ import annotations

import asyncio
import decimal
import gc
import importlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra import engine_server
from infra.engine_queries import examine_only_what_is_asked
from infra.output import drop_unwritable_output
from infra.state_file import UNFINISHED, SavedState, StateUnreadable, read_state, recovery_options, write_state

DYNAMODB_DIGITS = 38
DYNAMODB = "dynamodb,dynamodbstreams"
"""The services of a local run, which ``engine_server`` serves."""
SAVE_EVERY_S = 30.0
RECORDS_SAVED_S = 60
"""Stream records of this time are saved: many times what a poller may be behind."""
_RECORDS, _RECORDED_AT = "stream_records", "ApproximateCreationDateTime"
KEEP_ALIVE_S = 75
NOT_SAVED, NOT_LOADED = 1, 2
COPY_NICENESS = 5
"""Added to the niceness of a forked copy, so that the service runs first."""
ERROR_BYTES_MAX = 2000
_READS = ("Describe", "Get", "List", "Query", "Scan", "BatchGet", "TransactGet")
Handler = Callable[..., Awaitable[Any]]


class TableSaver:
    """Loads and saves the tables of one engine.

    run: this run's name, stored in each save. keep_open: the descriptor of the run's lock. A forked copy holds it too,
    so no other run begins before the copy has ended.
    """

    def __init__(self, folder: Path, run: str, keep_open: int | None) -> None:
        from ministack.core import persistence, responses
        from ministack.services import dynamodb

        self._dynamodb: Any = dynamodb
        self._scoped: Any = responses.AccountRegionScopedDict
        self._format = int(persistence._state_format_version("dynamodb"))
        self._folder = folder
        self._run = run
        self._keep_open = keep_open
        self._last_sequence = 0
        self._changes = self._changes_saved = 0
        self._last_saved: datetime | None = None

    def load(self) -> None:
        """Load the last save, and continue its stream sequence numbers. Raises StateUnreadable."""
        (self._folder / UNFINISHED).unlink(missing_ok=True)
        saved = read_state(self._folder)
        if saved is not None:
            if saved.engine_format > self._format:
                raise StateUnreadable(f"its engine's form is {saved.engine_format}, and this one reads {self._format}")
            payload = {name: self._decoded(rows) for name, rows in saved.payload.items()}
            self._load_records(payload.pop(_RECORDS, self._scoped()))
            self._dynamodb.load_persisted_state(payload)
            self._last_sequence = saved.last_sequence
            self._last_saved = saved.at
        self._continue_numbering()
        self._count_changes()

    async def keep_saving(self, every_s: float, stop: asyncio.Event) -> None:
        """Save at intervals, if something changed, until ``stop`` is set. A failed save is reported and tried again."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)
            if not stop.is_set() and self._changes != self._changes_saved:
                await self._save_copy(every_s)

    def save_at_end(self) -> None:
        """Save in this process, without a fork. Raises OSError."""
        with self._dynamodb._lock:
            self._write(datetime.now(UTC), final=True)

    def complain(self, why: str, then: str) -> None:
        since = f"since {self._last_saved:%H:%M:%S} UTC" if self._last_saved else "so far"
        print(
            f"The tables could not be saved ({why}); what was stored {since} is in memory only. {then}", file=sys.stderr
        )

    async def _save_copy(self, every_s: float) -> None:
        changes, at = self._changes, datetime.now(UTC)
        read, write = os.pipe()
        with self._dynamodb._lock, warnings.catch_warnings():
            # The forked copy has only this thread and waits for no lock: it encodes, writes a file and ends.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
            if pid == 0:
                self._run_copy(write, at)
        os.close(write)
        why = await asyncio.to_thread(_outcome, pid, read)
        if why is None:
            self._changes_saved, self._last_saved = changes, at
        else:
            self.complain(why, f"The next try is in {every_s:.0f} s.")

    def _run_copy(self, pipe: int, at: datetime) -> None:
        """Run as the forked copy: write the tables as of the fork, report an error to the pipe, and exit."""
        code = NOT_SAVED
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _close_all_but({0, 1, 2, pipe, self._keep_open})
            with suppress(OSError):
                os.nice(COPY_NICENESS)
            gc.disable()
            self._dynamodb.copy = SimpleNamespace(deepcopy=lambda value: value)  # this process is the copy
            self._write(at, final=False)
            code = 0
        except BaseException as error:
            with suppress(OSError):
                os.write(pipe, _words(error).encode()[:ERROR_BYTES_MAX])
        finally:
            os._exit(code)

    def _write(self, at: datetime, final: bool) -> None:
        tables = {name: self._encoded(rows) for name, rows in self._dynamodb.get_state().items()}
        tables[_RECORDS] = self._encoded(self._recent_records(at.timestamp() - RECORDS_SAVED_S))
        write_state(
            self._folder,
            SavedState(self._format, self._run, at, final, self._last_sequence, tables),
        )

    def _recent_records(self, from_s: float) -> Any:
        """Return the stream records from that time on, by table."""
        recent = self._scoped()
        for (account, region, table), records in self._dynamodb._stream_records.all_items():
            kept = [one for one in records if one["dynamodb"][_RECORDED_AT] >= from_s]
            recent.set_scoped(account, region, table, kept)
        return recent

    def _load_records(self, saved: Any) -> None:
        """Take over saved stream records, as of now: the engine forgets those of more than a day ago."""
        now_s = int(time.time())
        for (account, region, table), records in saved.all_items():
            for one in records:
                one["dynamodb"][_RECORDED_AT] = now_s
            self._dynamodb._stream_records.set_scoped(account, region, table, records)

    def _encoded(self, rows: Any) -> list[list[Any]]:
        return [[account, region, key, value] for (account, region, key), value in rows.all_items()]

    def _decoded(self, rows: list[list[Any]]) -> Any:
        found = self._scoped()
        for account, region, key, value in rows:
            found.set_scoped(account, region, key, value)
        return found

    def _continue_numbering(self) -> None:
        """Number stream records above all earlier ones, whatever the clock does.

        Matchers skip records at or below the highest sequence number that they have seen.
        """
        by_clock: Callable[[], str] = self._dynamodb._next_stream_seq

        def next_sequence() -> str:
            number = by_clock()
            self._last_sequence = max(self._last_sequence + 1, int(number))
            return f"{self._last_sequence:0{len(number)}d}"

        self._dynamodb._next_stream_seq = next_sequence

    def _count_changes(self) -> None:
        handle: Handler = self._dynamodb.handle_request

        async def counted(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            answer = await handle(method, path, headers, body, query)
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            if not action.startswith(_READS):
                self._changes += 1
            return answer

        self._dynamodb.handle_request = counted


def _outcome(pid: int, pipe: int) -> str | None:
    """Wait for a forked copy. Return None if it saved, otherwise the reason."""
    with open(pipe, "rb") as told:
        words = told.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if code == 0 else words or f"the process that saves ended with {code}"


def _words(error: BaseException) -> str:
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"


def _close_all_but(kept: set[int | None]) -> None:
    for name in os.listdir("/dev/fd"):
        if int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))


async def _serve_all_services(host: str, port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"{host}:{port}"]
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.loglevel = os.environ.get("LOG_LEVEL", "WARNING")
    await serve(app, config)


async def _serve(keeper: TableSaver | None, every_s: float) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    stop = asyncio.Event()
    saving = asyncio.create_task(keeper.keep_saving(every_s, stop)) if keeper else None
    host, port = os.environ["BIND_HOST"], int(os.environ["GATEWAY_PORT"])
    if os.environ["SERVICES"] == DYNAMODB:
        await engine_server.serve(host, port)
    else:
        await _serve_all_services(host, port)
    if keeper is None or saving is None:
        return 0
    stop.set()
    await saving
    try:
        keeper.save_at_end()
    except Exception as error:
        keeper.complain(_words(error), "The engine ends.")
        return NOT_SAVED
    return 0


def _allow_many_connections() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))


def main() -> int:
    drop_unwritable_output()
    decimal.DefaultContext.prec = DYNAMODB_DIGITS
    decimal.setcontext(decimal.DefaultContext.copy())
    _allow_many_connections()
    examine_only_what_is_asked(importlib.import_module("ministack.services.dynamodb"))
    keeper = None
    if folder := os.environ.get("TALLYBOOK_STATE_DIR"):
        lock = os.environ.get("TALLYBOOK_STATE_LOCK")
        keeper = TableSaver(Path(folder), os.environ["TALLYBOOK_STATE_RUN"], int(lock) if lock else None)
        try:
            keeper.load()
        except StateUnreadable as error:
            print(recovery_options(Path(folder), str(error)), file=sys.stderr)
            return NOT_LOADED
    return asyncio.run(_serve(keeper, float(os.environ.get("TALLYBOOK_SAVE_EVERY_S") or SAVE_EVERY_S)))


if __name__ == "__main__":
    sys.exit(main())
