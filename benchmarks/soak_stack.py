"""The system under a soak test: embedded engine, venue, HTTP server, and a matcher process that can be killed.

Everything uses one folder and free ports of the loopback address, and ends with the ``with`` block.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import boto3

from benchmarks.soak_client import BookFacts
from chalicelib.ops import cli
from infra import demo, engine, settings
from infra.local import replace_environment
from infra.processes import Child
from infra.settings import HOST
from infra.tables import create_tables

PREFIX = "soak"
INSTANCE_REF = "soak0001"
INSTANCE = f"inst_{INSTANCE_REF}"
QUOTE = "0x" + "9" * 40
QUOTE_SYMBOL, QUOTE_DECIMALS = "EUR", 6
QUOTE_UNITS = 10**QUOTE_DECIMALS
CUSTOMERS = [f"cust_{number}" for number in range(16)]
POOR_CUSTOMERS = CUSTOMERS[::5]
"""Customers with so little money that some of their orders are refused."""
BASE_DECIMALS = (18, 6, 0)
SELF_TRADE_PREVENTION = ("NONE", "CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH")
START_S_MAX = 30
STOP_S_MAX = 30
BATCH_S_MAX = 2
NOTE_BYTES_MAX = 8192
"""More bytes than a line of the delivery log has."""


class StackBroken(Exception):
    """A part of the stack did not start, or ended by itself."""


@dataclass(slots=True)
class Deliveries:
    """The deliveries logged by all matcher processes, killed ones included. Records: by stream sequence number."""

    delivered: Counter[str] = field(default_factory=Counter)
    through: set[str] = field(default_factory=set)
    handed_back: int = 0
    cut_off: int = 0
    """Batches without an answer: the matcher was killed meanwhile."""

    @property
    def redelivered(self) -> int:
        return sum(times > 1 for times in self.delivered.values())


def base_address(number: int) -> str:
    """Return the base token of a book."""
    return f"0x{number:040x}"


def base_symbol(number: int) -> str:
    return f"S{number}"


class Stack:
    """Runs the service with a number of books. ``credited``: all credits, by asset."""

    def __init__(self, folder: Path, books: int) -> None:
        self._folder = folder
        self._notes = folder / "notes.jsonl"
        self._parts = ExitStack()
        self._server: Child | None = None
        self._matcher: Child | None = None
        self._pushes: Child | None = None
        self._book_count = books
        self.books: list[BookFacts] = []
        self.credited: Counter[str] = Counter()
        self.api_key = ""
        self.address = ""

    def __enter__(self) -> Stack:
        try:
            self._start_engine()
            create_tables(boto3.client("dynamodb"), PREFIX)
            self._make_venue()
            self._start_server()
            self.start_matcher()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def start_matcher(self) -> None:
        """Start the matcher process; it resumes where the last one ended."""
        with self._notes.open("a", encoding="utf-8") as notes:
            notes.write("\n")  # ends a line that a killed matcher left unfinished
        files = ["--checkpoint", str(self._folder / "checkpoint.json"), "--notes", str(self._notes)]
        self._matcher = self._start("the matcher", "infra.matcher_process", *files)

    def start_pushes(self) -> str:
        """Start the process that serves WebSocket connections. Return their URL."""
        port = settings.free_port(but=0)
        self._pushes = self._start("the WebSocket server", "benchmarks.push_process", str(port))
        self._until(lambda: _takes_connections(port), "no WebSocket connection can be made")
        return f"ws://{HOST}:{port}"

    def make_token(self, customer: str) -> dict[str, str]:
        """Return a new API token of the trade desk, and its secret."""
        limits = ["--bucket", "0", "--per-second", "0", "--per-day", "0"]
        made = cli.run(
            ["api-token", "create", "--instance", INSTANCE, "--customer", customer, "--permission", "read", *limits]
        )
        return {"token": str(made["token"]), "secret": str(made["secret"])}

    def kill_matcher(self) -> None:
        """Kill the matcher process, in the middle of a batch if there is one within a bound."""
        assert self._matcher is not None
        deadline_s = time.monotonic() + BATCH_S_MAX
        while not self._in_a_batch() and time.monotonic() < deadline_s:
            time.sleep(0.002)
        self.watch()
        _kill(self._matcher)

    def stop_matcher(self) -> None:
        """Stop the matcher process gracefully."""
        assert self._matcher is not None
        self.watch()
        if not self._matcher.stop(STOP_S_MAX) or self._matcher.exit_code() != 0:
            raise StackBroken(f"the matcher did not stop in good order (exit code {self._matcher.exit_code()})")

    def watch(self) -> None:
        """Raise StackBroken if a part has ended by itself."""
        for part in (self._server, self._matcher, self._pushes):
            if part and part.exit_code() is not None:
                raise StackBroken(f"{part.name} ended by itself (exit code {part.exit_code()})")

    def deliveries(self) -> Deliveries:
        """Return the deliveries and answers so far."""
        found = Deliveries()
        batch: list[str] = []
        for line in self._notes.read_text(encoding="utf-8").splitlines():
            try:
                note = json.loads(line)
            except ValueError:  # incomplete line: the matcher was killed, or is writing it
                continue
            if "delivered" in note:
                found.cut_off += bool(batch)
                batch = note["delivered"]
                found.delivered.update(batch)
            else:
                handed_back = note["answered"]
                found.handed_back += bool(handed_back)
                through = min((batch.index(number) for number in handed_back), default=len(batch))
                found.through.update(batch[:through])
                batch = []
        return found

    def _in_a_batch(self) -> bool:
        """Return whether a batch is delivered and not yet answered."""
        with self._notes.open("rb") as notes:
            notes.seek(max(0, self._notes.stat().st_size - NOTE_BYTES_MAX))
            last_line = notes.read().splitlines()[-1]
        return last_line.startswith(b'{"delivered"')

    def log_ends(self, lines: int = 40) -> str:
        """Return the last lines of each part's log, without requests."""
        ends = []
        for log in sorted(self._folder.glob("*.log")):
            text = log.read_text(encoding="utf-8", errors="replace")
            logged = [line for line in text.splitlines() if ' HTTP/1.1" ' not in line]
            ends += [f"--- {log.name}", *logged[-lines:]]
        return "\n".join(ends)

    def _start_engine(self) -> None:
        port = settings.free_port(but=0)
        self._parts.callback(_kill, engine.start_engine(port))
        environment = settings.engine_environment(f"http://{HOST}:{port}", None, os.environ)
        own = {
            "TALLYBOOK_TABLE_PREFIX": PREFIX,
            "TALLYBOOK_PUBLIC_INSTANCE": INSTANCE,
            "TALLYBOOK_MASTER_KEY": "1" * 64,
        }
        replace_environment(environment | own)
        self._until(lambda: engine.engine_answers(port), "the local DynamoDB does not answer")

    def _start_server(self) -> None:
        port = settings.free_port(but=0)
        self.address = f"{HOST}:{port}"
        arguments = ["--host", HOST, "--port", str(port), "--stage", "local"]
        self._server = self._start("the HTTP server", "infra.serve", *arguments)
        self._until(lambda: demo.status_of(port, "/", {}) is not None, "the service does not answer")

    def _start(self, name: str, module: str, *arguments: str) -> Child:
        """Start a module of the service, with a log of its own."""
        log = str(self._folder / f"{module}.log")
        command = [sys.executable, "-m", module, *arguments]
        child = Child(name, ["/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1', log, *command], os.environ, signal.SIGTERM)
        self._parts.callback(_kill, child)
        return child

    def _until(self, ready: Callable[[], bool], complaint: str) -> None:
        deadline_s = time.monotonic() + START_S_MAX
        while not ready():
            if time.monotonic() > deadline_s:
                raise StackBroken(complaint)
            self.watch()
            time.sleep(0.05)

    def _make_venue(self) -> None:
        """Create instance, key, books of every kind, and funds."""
        cli.run(["instance", "create", "--ref", INSTANCE_REF])
        self.api_key = str(cli.run(["key", "create", "--instance", INSTANCE, "--rate-limit", "0"])["api_key"])
        self._make_token(QUOTE, QUOTE_SYMBOL, QUOTE_DECIMALS)
        for number in range(self._book_count):
            self._make_book(number)
        for customer in CUSTOMERS:
            self._credit(customer, QUOTE, (2_000 if customer in POOR_CUSTOMERS else 10**9) * QUOTE_UNITS)

    def _make_book(self, number: int) -> None:
        """Create a book and credit its base asset to all customers."""
        base, decimals = base_address(number), BASE_DECIMALS[number % len(BASE_DECIMALS)]
        facts = BookFacts(f"ob_soak_{number:03d}", decimals, 100 * QUOTE_UNITS + 7 * number)
        names = ["--id", facts.book_id, "--name", f"Soak {number}", "--symbol", f"{base_symbol(number)}/{QUOTE_SYMBOL}"]
        self._make_token(base, base_symbol(number), decimals)
        tokens = ["--token-address", base, "--quote-token-address", QUOTE]
        fees = ["--maker-fee-bps", "5", "--taker-fee-bps", "15"]
        prevention = ["--self-trade-prevention", SELF_TRADE_PREVENTION[number % len(SELF_TRADE_PREVENTION)]]
        cli.run(["book", "create", "--instance", INSTANCE, *names, *tokens, *fees, *prevention])
        for customer in CUSTOMERS:
            self._credit(customer, base, (20 if customer in POOR_CUSTOMERS else 10**6) * 10**decimals)
        self.books.append(facts)

    def _make_token(self, address: str, symbol: str, decimals: int) -> None:
        names = ["--token-address", address, "--name", symbol, "--symbol", symbol, "--decimals", str(decimals)]
        cli.run(["token", "create", "--instance", INSTANCE, *names])

    def _credit(self, customer: str, asset: str, amount: int) -> None:
        cli.run(["credit", "--instance", INSTANCE, "--customer", customer, "--asset", asset, "--amount", str(amount)])
        self.credited[asset] += amount


def _takes_connections(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex((HOST, port)) == 0


def _kill(child: Child) -> None:
    """Kill a process with SIGKILL."""
    if child.exit_code() is None:
        os.kill(child.pid, signal.SIGKILL)
    child.stop(STOP_S_MAX)
