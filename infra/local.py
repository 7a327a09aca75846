"""``make run``: the whole service on this machine. Needs only Python.

A run starts its own DynamoDB (unless the environment names one), creates the tables, seeds the demo and redrives
undecided commands. Then it serves the API, passes the streams to their functions, closes expired orders, and runs the
sweeps of signed and escrow orders every minute. Ctrl-C, SIGTERM, SIGHUP and a closed terminal shut it down
gracefully: no new requests, the current batch finished, the tables saved. ``settings`` lists its variables.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from chalicelib import wiring
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.ops.cli.table_errors import explain
from chalicelib.services.books import redrive
from chalicelib.services.push.steps import BEAT_S
from chalicelib.support.telemetry import logger
from chalicelib.tables.rows import UnreadableRow
from infra import demo, demo_traders, engine, escrow_demo, settings, taker_demo
from infra.demo_access import FILE_VARIABLE, TOKEN_VARIABLE
from infra.demo_rounds import Rounds, remove_leftovers
from infra.endpoint import refuse_dead_endpoint
from infra.expiry_thread import start_expiry_thread
from infra.functions import Handler
from infra.master_key import master_key_environment, own_master_key
from infra.output import drop_unwritable_output
from infra.poller import StreamPoller
from infra.processes import Child, Terminal, on_stop_signal
from infra.settings import HOST, ROOT, Settings, StartRefused
from infra.shell_file import ShellFile
from infra.sweeper import Sweeper
from infra.tables import INBOX, JOURNAL, OUTBOX, EarlierTable, create_tables, stream_arn
from infra.websocket_server import Gateway

START_BOUND_S = 30
SERVER_STOP_BOUND_S = 5
BATCH_BOUND_S = 30
WATCH_PERIOD_S = 0.05
WEBHOOKS_PERIOD_S = 0.25
"""Pause between two looks for webhook deliveries: no function is called for each, as on AWS."""


class StopRequested(Exception):
    """The user asked the run to stop."""


BEGIN_ANEW = (
    "Begin anew with: make run FRESH=1, or name another prefix in a DynamoDB of your own: "
    "TALLYBOOK_TABLE_PREFIX=... make run."
)


class RunFailed(Exception):
    """A part of the run did not start, or ended by itself. The message says which."""


class LocalRun:
    """One run from start to shutdown. Its parts are stopped in reverse order of their start."""

    def __init__(self, chosen: Settings, lock: IO[str]) -> None:
        self._settings = chosen
        self._lock = lock
        self._demo_file = demo.DemoFile(chosen.local_dir)
        self._console_token = secrets.token_urlsafe(24)
        self._shell_file = ShellFile(chosen.local_dir)
        self._for_a_shell: dict[str, str] = {}
        self._kept: engine.EngineStorage | None = None
        self._engine: Child | None = None
        self._server: Child | None = None
        self._threads: list[threading.Thread] = []
        self._sockets: Gateway | None = None
        self._threads_stop = threading.Event()
        self._stop_asked = False
        self._terminal: Terminal | None = None

    def run(self) -> int:
        """Start, serve until a stop signal, shut down. Return the exit code."""
        self._terminal = Terminal()
        on_stop_signal(self._ask_to_stop)
        exit_code = 0
        try:
            self._start()
            while True:
                self._watch()
        except StopRequested:
            say("Stopping ...")
        except (StartRefused, wiring.NoMasterKey) as refusal:
            complain(f"Tallybook did not start: {refusal}")
            exit_code = 1
        except UnreadableRow as row:
            complain(f"Tallybook stops: {row}. {BEGIN_ANEW}")
            exit_code = 1
        except (BotoCoreError, ClientError) as error:
            complain(f"Tallybook stops: {explain(error)}")
            exit_code = 1
        except (RunFailed, CommandFailed) as failure:
            is_row = isinstance(failure.__cause__, UnreadableRow)
            complain(f"Tallybook stops: {failure}" + (f". {BEGIN_ANEW}" if is_row else ""))
            exit_code = 1
        finally:
            saved = self._stop()
        return exit_code if saved else 1

    def _start(self) -> None:
        chosen = self._settings
        if chosen.fresh:
            engine.forget_state(chosen.state_dir)
        earlier = self._demo_file.set_aside()
        if chosen.fresh:
            self._demo_file.forget()
        engine_url = self._connect()
        os.environ.update(master_key_environment(chosen.local_dir, os.environ))
        self._for_a_shell |= own_master_key(chosen.local_dir, os.environ)
        os.environ.setdefault("TALLYBOOK_PUBLIC_INSTANCE", demo.INSTANCE)
        os.environ.setdefault("TALLYBOOK_CONSOLE_PAIR", demo.VENDORS_PAIR)
        os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
        logger.setLevel(os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "WARNING"))
        refuse_unreadable_rate()
        self._prepare_tables()
        demo.seed()
        for _ in remove_leftovers():
            pass
        taker_demo.seed()
        escrow_demo.seed(self._settings.base_url)
        self._redrive()
        self._serve()
        api_key = demo.api_key(chosen.port, earlier.get("book_desk", {}))
        if not demo.key_works(chosen.port, api_key):
            raise RunFailed("the service does not list the demo's orders.")
        trade_desk = demo.trade_desk(earlier.get("trade_desk", {}))
        taker_desk = taker_demo.taker_desk(earlier.get("taker_desk", {}))
        escrow_desk = escrow_demo.escrow_desk(earlier.get("escrow_desk", {}))
        if chosen.lively:
            demo_traders.seed()
            rounds = Rounds(removes=self._engine is not None)
            traders = demo_traders.DemoTraders(chosen.port, api_key, random.Random(), rounds)
            self._start_thread("the demo's traders", traders.run)
        self._shell_file.write(self._for_a_shell)
        self._demo_file.write(
            chosen.base_url,
            engine_url,
            api_key,
            websocket_url=self._sockets.url if self._sockets else "",
            trade_desk=trade_desk,
            taker_desk=taker_desk,
            escrow_desk=escrow_desk,
        )
        keys = api_key, taker_desk["api_key"], escrow_desk["secret_key"]
        say(f"\nSee it in a browser (the address is good once): {chosen.base_url}/console#token={self._console_token}")
        say(demo.suggested_commands(chosen.base_url, *keys, self._demo_file.path, self._shell_file.path))

    def _connect(self) -> str:
        """Point the environment at a DynamoDB, the user's or one started here. Return its URL."""
        region, has_credentials = aws_defaults(look_for_credentials=self._settings.external_url is not None)
        if self._settings.external_url:
            given = settings.external_environment(region, has_credentials, os.environ)
            self._for_a_shell = settings.shell_variables(given, os.environ)
            replace_environment(given)
            refuse_dead_endpoint(os.environ)
            return self._settings.external_url
        port = settings.engine_port(self._settings.engine_port, but=self._settings.port)
        url = f"http://{HOST}:{port}"
        engine.refuse_unusable_state(self._settings.state_dir)
        self._kept = engine.EngineStorage(self._settings.state_dir, self._lock.fileno(), secrets.token_hex(8))
        self._engine = engine.start_engine(port, self._kept)
        given = settings.engine_environment(url, region, os.environ)
        self._for_a_shell = settings.shell_variables(given, settings.without_engine(os.environ))
        replace_environment(given)
        self._until(lambda: engine.engine_answers(port), "the local DynamoDB does not answer.")
        (self._settings.local_dir / settings.ENGINE_PORT_FILE).write_text(f"{port}\n", encoding="ascii")
        if self._settings.engine_port not in (None, port):
            say(f"Port {self._settings.engine_port} is taken, so the local DynamoDB is at {url} from now on.")
        return url

    def _prepare_tables(self) -> None:
        """Create missing tables."""
        client = boto3.client("dynamodb")
        try:
            create_tables(client, self._settings.prefix)
        except EarlierTable as table:
            raise StartRefused(
                f"an earlier version has made the table {table}. {BEGIN_ANEW} CHANGELOG.md says more."
            ) from table

    def _redrive(self) -> None:
        """Decide the commands that an earlier run left undecided: their stream records may have ended with it."""
        try:
            decided = redrive.redrive_all(wiring.database(), wiring.matcher())
        except Exception:
            logging.exception("Commands of earlier runs stay undecided; 'tallybook redrive --all' tries them again.")
            return
        for book in (book for book, commands in decided.items() if commands is None):
            logging.error("Commands of %s stay undecided; 'tallybook redrive %s' tries them again.", book, book)

    def _serve(self) -> None:
        """Open the port, start the matcher, the pushes and the sweeps, and wait until the service answers."""
        port = self._settings.port
        arguments = ["--host", self._settings.listen, "--port", str(port), "--stage", "local"]
        command = [sys.executable, "-m", "infra.serve", *arguments]
        app = importlib.import_module("app")
        self._serve_sockets(app.websocket)
        access = {TOKEN_VARIABLE: self._console_token, FILE_VARIABLE: str(self._demo_file.path)}
        self._server = Child("the HTTP server", command, {**os.environ, **access}, signal.SIGTERM)
        wiring.webhook_deliverer().end_leases()
        for table, function in ((INBOX, "match_inbox"), (JOURNAL, "push_journal"), (OUTBOX, "push_outbox")):
            arn = stream_arn(boto3.client("dynamodb"), self._settings.prefix, table)
            poller = StreamPoller(boto3.client("dynamodbstreams"), arn, getattr(app, function), function)
            self._start_thread(f"the stream poller of {function}", poller.run)
        self._start_thread("the sweeper of signed orders", Sweeper("sweep_signed_orders", app.sweep_signed_orders).run)
        self._start_thread("the sweeper of escrow orders", Sweeper("release_escrows", app.release_escrows).run)
        webhooks = Sweeper("deliver_webhooks", app.deliver_webhooks, WEBHOOKS_PERIOD_S)
        self._start_thread("the sweeper of webhooks", webhooks.run)
        beat = Sweeper("beat_connections", lambda _event, _context: wiring.pushing().beat.round(), BEAT_S)
        self._start_thread("the beat of WebSocket connections", beat.run)
        self._threads.append(start_expiry_thread(self._threads_stop))
        self._until(lambda: demo.status_of(port, "/", {}) is not None, f"the service does not answer on port {port}.")

    def _serve_sockets(self, handler: Handler) -> None:
        """Open the port for WebSocket connections, beside the API's, and have events sent to them."""
        port = settings.socket_port(self._settings.port)
        self._sockets = gateway = Gateway(port, handler)
        self._start_thread("the WebSocket gateway", gateway.run)
        self._until(gateway.is_open.is_set, f"no WebSocket connection can be made at port {port}.")
        os.environ["TALLYBOOK_CONNECTIONS_URL"] = gateway.connections_url
        os.environ["TALLYBOOK_WEBSOCKET_URL"] = gateway.url

    def _start_thread(self, name: str, run: Callable[[threading.Event], None]) -> None:
        thread = threading.Thread(target=run, args=(self._threads_stop,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _until(self, ready: Callable[[], bool], complaint: str) -> None:
        """Wait until ``ready`` is true. Raises RunFailed with the complaint on timeout."""
        deadline_s = time.monotonic() + START_BOUND_S
        while not ready():
            if time.monotonic() > deadline_s:
                raise RunFailed(complaint)
            self._watch()

    def _watch(self) -> None:
        """Wait a moment. Raises StopRequested if the user asked to stop, RunFailed if a part has ended by itself."""
        if self._stop_asked or (self._terminal and self._terminal.is_closed):
            raise StopRequested
        for child in (self._engine, self._server):
            if child and child.exit_code() is not None:
                raise RunFailed(f"{child.name} ended by itself (exit code {child.exit_code()}).")
        for thread in self._threads:
            if not thread.is_alive():
                raise RunFailed(f"{thread.name} ended by itself.")
        time.sleep(WATCH_PERIOD_S)

    def _stop(self) -> bool:
        """Shut down the server, then the threads, then the engine. Return whether everything was saved."""
        if self._server:
            self._server.stop(SERVER_STOP_BOUND_S)
        self._threads_stop.set()
        engine_died = self._engine is not None and self._engine.exit_code() is not None
        for thread in self._threads:
            thread.join(0 if engine_died else BATCH_BOUND_S)
        if self._engine is None or self._kept is None:
            return True
        self._engine.stop(engine.SAVE_BOUND_S)
        lost = engine.unsaved_data(self._kept, self._engine.exit_code() or 0)
        if lost is not None:
            complain(lost)
            return False
        say(f"Stopped. What was stored is in {self._kept.state_dir}.")
        return True

    def _ask_to_stop(self, _number: int, _frame: object) -> None:
        self._stop_asked = True


def aws_defaults(look_for_credentials: bool) -> tuple[str | None, bool]:
    """Return boto3's default region (None: none is set), and whether it finds credentials."""
    try:
        session = boto3.Session()
    except ProfileNotFound:
        return None, False
    return session.region_name, look_for_credentials and session.get_credentials() is not None


def refuse_unreadable_rate() -> None:
    """Check the rate limit of anonymous callers, which the API reads at its first request. Raises StartRefused."""
    try:
        wiring.public_limit()
    except ValueError as error:
        raise StartRefused(f"{error}.") from error


def replace_environment(environment: dict[str, str]) -> None:
    """Replace the environment of this process and of its future children."""
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


@contextmanager
def locked(local_dir: Path) -> Iterator[IO[str]]:
    """Lock the run's directory against a second run, which would overwrite its state. Raises StartRefused."""
    try:
        local_dir.mkdir(parents=True, exist_ok=True)
        opened = open(local_dir / "lock", "a", encoding="utf-8")  # noqa: SIM115 -- closed below
        with tempfile.TemporaryFile(dir=local_dir):
            pass
    except OSError as error:
        raise settings.cannot_be_written(local_dir, error) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartRefused(
                f"another run uses {local_dir}, or is still saving there. Stop it, or name another directory: "
                "TALLYBOOK_LOCAL_DIR=... make run"
            ) from error
        yield lock


def say(text: str) -> None:
    print(text, flush=True)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run until stopped. Return 0 if nothing failed and everything was saved."""
    drop_unwritable_output()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    sys.path.insert(0, str(ROOT))
    try:
        chosen = settings.read_settings(os.environ)
        settings.refuse_busy_port(chosen.port, chosen.listen)
        with locked(chosen.local_dir) as lock:
            return LocalRun(chosen, lock).run()
    except StartRefused as refusal:
        complain(f"Tallybook did not start: {refusal}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
