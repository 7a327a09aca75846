"""The command line against a running service: the example in every command's help, and what a terminal shows."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import boto3
import pytest

from chalicelib.domain.webhooks.endpoint import Delivery, DeliveryStatus
from chalicelib.ops.cli.failures import ASK_AGAIN, INTERRUPTED, WRONG_SETUP, WRONG_USAGE
from chalicelib.support.clock import now_ms
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from infra import demo
from infra.settings import HOST, free_port
from tallybook_client import BookDesk, MakerDesk
from tallybook_client.book import BookChange, NewOrder
from tallybook_client.taker import Domain, Wallet
from tests.endpoint import drop_own_tables, environment_of_stack
from tests.infra.stack import RunningStack
from tests.ops.cli.commands import every_command, example_of

pytestmark = pytest.mark.stack

UNIT = 10**18
TALLYBOOK = [sys.executable, "-m", "chalicelib.ops.cli"]
SHOWN_S_MAX, RUN_S_MAX = 30, 60
FIRST = ("instance create", "token create", "credit", "orders place", "webhook create")
"""Examples that make what others name."""
SERVERS = {"mcp": "", "console": r"Open http://127\.0\.0\.1:\d+"}
"""Commands that serve until their input ends or Ctrl-C comes, and what each shows first."""
SESSION = """
import contextlib, io, json, sys
from chalicelib.ops import cli
for line in sys.stdin:
    sys.argv, out, err = ["tallybook", *json.loads(line)], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main()
        except SystemExit as ended:
            status = ended.code
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""
"""Runs commands one after the other in one process, which imports the program once."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A whole service of its own: examples close books and freeze customers."""
    with RunningStack(tmp_path_factory.mktemp("venue") / ".local", **environment_of_stack()) as stack:
        yield stack
        drop_own_tables(boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url), stack.prefix)


@pytest.fixture(scope="module")
def environment(venue: RunningStack) -> dict[str, str]:
    """What ``source .local/env`` leaves in a shell."""
    command = ["bash", "-c", f"source {venue.local_dir}/env && env -0"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=RUN_S_MAX).stdout
    return dict(line.split("=", 1) for line in listed.split("\0") if line) | {"PYTHONPATH": os.getcwd()}


def piped(venue: RunningStack, line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in pipes, in the folder that has the run's ``.local``."""
    return subprocess.run(
        [*TALLYBOOK, *line.split()],
        cwd=venue.local_dir.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )


class Terminal:
    """A command in a pseudo-terminal of 100 columns and 40 rows. shown: all that it has written, without colours."""

    def __init__(self, venue: RunningStack, line: str, environment: dict[str, str]) -> None:
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self._process = subprocess.Popen(
            [*TALLYBOOK, *line.split()],
            cwd=venue.local_dir.parent,
            env=environment | {"TERM": "xterm"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
        )
        os.close(inner)
        self.shown = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read until the command has shown this after what was waited for before. Fails on timeout."""
        deadline_s, seen = time.monotonic() + SHOWN_S_MAX, len(self.shown)
        while time.monotonic() < deadline_s:
            if found := re.search(pattern, self.shown[seen:]):
                return found
            if not self._read(0.2):
                break
        raise AssertionError(f"{pattern} is not shown:\n{self.shown[-2000:]}")

    def _read(self, wait_s: float) -> bool:
        """Read what is there. Return False once the command has ended and all is read."""
        if select.select([self._terminal], [], [], wait_s)[0]:
            try:
                text = os.read(self._terminal, 65_536).decode(errors="replace")
            except OSError:  # the other end is closed
                return False
            self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
        return True

    def stop(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if one is given, and wait for the end. Return the exit status."""
        if number is not None:
            self._process.send_signal(number)
        try:
            deadline_s = time.monotonic() + SHOWN_S_MAX
            while self._read(0.1) and time.monotonic() < deadline_s:
                pass
            return self._process.wait(SHOWN_S_MAX)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._terminal)


def dead_letter(venue: RunningStack, endpoint_id: str) -> str:
    """Store a dead letter of a webhook endpoint. Return its id."""
    database = Database(boto3.client("dynamodb", endpoint_url=venue.aws_endpoint_url), venue.prefix)
    letter = Delivery(
        endpoint_id=endpoint_id,
        delivery_id="evt_dead",
        type="order.filled",
        payload=b"{}",
        made_at_ms=now_ms(),
        at_ms=now_ms(),
        status=DeliveryStatus.DEAD,
        attempts=10,
        said="500",
    )
    WebhookDeliveries(database).put([letter])
    return letter.delivery_id


def signed_order(venue: RunningStack) -> str:
    keys = venue.demo["taker_desk"]
    maker = MakerDesk(
        venue.base_url, Wallet(keys["maker_private_key"], Domain(keys["chain_id"], keys["verifying_contract"]))
    )
    signed = maker.sign(
        is_buy=True,
        ticker=keys["whole_shares_ticker"],
        asset=keys["asset"],
        price=150 * UNIT,
        quantity=10,
        deadline=int(time.time()) + 86_400,
    )
    return maker.create(signed).order_hash


def test_the_example_of_every_command_runs(venue: RunningStack, environment: dict[str, str]) -> None:
    commands = every_command()
    names = [*FIRST, *(name for name in commands if name not in (*FIRST, *SERVERS))]
    ids: dict[str, str] = {"http://127.0.0.1:8000": venue.base_url}
    desk = BookDesk(venue.base_url, venue.demo["book_desk"]["api_key"])
    desk.books.change(demo.BOOK, BookChange(taker_fee_bps=100))  # so that there are fees to withdraw
    with subprocess.Popen(
        [sys.executable, "-c", SESSION],
        cwd=venue.local_dir.parent,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        for name in names:
            if name == "signed-order show":
                ids["ORDER"] = signed_order(venue)
            if name == "webhook redeliver":
                ids["DELIVERY"] = dead_letter(venue, ids["ENDPOINT"])
            session.stdin.write(json.dumps(example_of(commands[name], ids)) + "\n")
            session.stdin.flush()
            status, out, err = json.loads(session.stdout.readline())
            assert (status, err) == (0, ""), f"{name}: {err}"
            if name.endswith("create") or name == "orders place":
                made = json.loads(out)
                ids |= {"KEY_ID": made.get("key_id", ""), "TOKEN_ID": made.get("token_id", "")}
                ids |= {"ORDER": made["order_id"]} if "order_id" in made else {}
                ids |= {"ENDPOINT": made["id"]} if name == "webhook create" else {}
        session.stdin.close()
        assert session.wait(RUN_S_MAX) == 0


@pytest.mark.parametrize("name", SERVERS)
def test_the_example_of_a_command_that_serves_serves(
    venue: RunningStack, environment: dict[str, str], name: str
) -> None:
    line = shlex.join(example_of(every_command()[name], {}))
    if not SERVERS[name]:
        done = piped(venue, line, environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return
    served = Terminal(venue, line, environment)
    served.wait_for(SERVERS[name])
    assert served.stop(signal.SIGINT) in (0, INTERRUPTED)


def test_a_ladder_is_live_on_a_terminal_and_says_how_old_it_is(
    venue: RunningStack, environment: dict[str, str]
) -> None:
    keys = venue.demo["book_desk"]
    desk = BookDesk(venue.base_url, keys["api_key"])
    watched = Terminal(venue, f"book watch {keys['order_book_id']}", environment)
    watched.wait_for(r"entry \d+, read \d+ s ago; last answer \d+ s ago")
    bid = NewOrder(
        order_book_id=keys["order_book_id"],
        customer_ref="cust_34567",
        side="BUY",
        price=7 * UNIT,
        quantity=11 * UNIT,
    )
    order = desk.orders.place(bid, wait_s=10)
    watched.wait_for(r"bid\s+11\s+7 ")
    desk.orders.cancel(order.id, "cust_34567")
    watched.wait_for(r"read [2-9] s ago")
    assert watched.stop(signal.SIGINT) == 0


def test_a_ladder_in_a_pipe_is_one_object_for_each_state_until_the_limit(
    venue: RunningStack, environment: dict[str, str]
) -> None:
    done = piped(venue, f"book watch {demo.BOOK} --limit 1 --levels 3", environment)
    (state,) = map(json.loads, done.stdout.splitlines())
    assert (state["order_book_id"], set(state)) == (demo.BOOK, {"order_book_id", "sequence", "bids", "asks"})
    assert done.returncode == 0


def load(orders: int) -> str:
    customers = " ".join(f"--customer {customer}" for customer in demo.CUSTOMERS[:2])
    return f"load --book {demo.BOOK} --orders {orders} --rate 40 --price {UNIT} --quantity {UNIT} {customers}"


def test_load_draws_a_histogram_on_a_terminal_and_ends_with_its_quantiles(
    venue: RunningStack, environment: dict[str, str]
) -> None:
    shown = Terminal(venue, f"{load(40)} --url {venue.base_url}", environment)
    shown.wait_for(
        r"40 of 40 orders placed in \d+\.\d s\s+p50 [\d.]+ ms, p99 [\d.]+ ms, longest [\d.]+ ms\s+\d+ ms +\d+"
    )
    assert shown.stop() == 0
    assert "0 of 40 orders placed in" in shown.shown, "it is drawn while it runs"


def test_load_in_a_pipe_counts_every_order_once_and_is_no_faster_than_asked(
    venue: RunningStack, environment: dict[str, str]
) -> None:
    told = json.loads(piped(venue, f"{load(20)} --url {venue.base_url}", environment).stdout)
    assert (told["orders"], told["placed"], told["refused"]) == (20, 20, {})
    assert sum(row["orders"] for row in told["histogram"]) == 20
    assert told["seconds"] >= 19 / 40
    assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["max_ms"]
    refused = load(3).replace(f"--quantity {UNIT}", "--quantity 1")
    done = piped(venue, f"{refused} --url {venue.base_url}", environment)
    told = json.loads(done.stdout)
    assert (told["placed"], sum(told["refused"].values()), done.returncode) == (0, 3, 1)
    assert json.loads(done.stderr)["error"]["code"] == "REFUSED"


def test_load_goes_to_no_address_that_is_not_given_in_so_many_words(
    venue: RunningStack, environment: dict[str, str]
) -> None:
    done = piped(venue, load(1), environment | {"TALLYBOOK_URL": venue.base_url})
    assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (WRONG_USAGE, "USAGE")
    assert "--url" in done.stderr
    for bound in ("--orders 100001", "--rate 1001"):
        name = bound.split()[0]
        line = re.sub(rf"{name} \d+", bound, load(1))
        assert piped(venue, f"{line} --url {venue.base_url}", environment).returncode == WRONG_USAGE


@pytest.mark.parametrize(
    ("line", "status", "code", "words"),
    [
        (f"orders list --customer ann --api-key k --url http://{HOST}:PORT", ASK_AGAIN, "UNREACHABLE", "make run"),
        ("orders list --customer ann --api-key k --url https://VENUE", WRONG_SETUP, "SETUP", "is it http:// there?"),
        ("orders list --customer ann --api-key wrong", WRONG_SETUP, "CREDENTIALS", "tallybook key create"),
        (f"orders list --customer ann --url http://{HOST}:PORT", WRONG_SETUP, "SETUP", "a key for http"),
        ("tape ob_offchain_01", 1, "NOT_FOUND", "there is ob_offchain_001"),
        ("book show inst_demo0001/ob_offchain_01", 1, "NOT_FOUND", "there is inst_demo0001/ob_offchain_001"),
        ("token list --instance inst_demo001", 1, "NOT_FOUND", "there is inst_demo0001"),
        ("orders show ord_01JHMR6K21000000G007SHY5ZT --customer ann", 1, "NOT_FOUND", "ORDER_NOT_FOUND"),
        (
            f"orders place --book {demo.BOOK} --customer nobody --side BUY --price {UNIT} --quantity {UNIT}",
            1,
            "INSUFFICIENT_BALANCE",
            "INSUFFICIENT_BALANCE",
        ),
    ],
)
def test_a_failure_says_what_to_do_in_words_and_with_its_code(
    venue: RunningStack, environment: dict[str, str], line: str, status: int, code: str, words: str
) -> None:
    line = line.replace("PORT", str(free_port(0))).replace("VENUE", venue.base_url.removeprefix("http://"))
    done = piped(venue, line, environment)
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, error["code"]) == (status, "", code)
    assert words in error["message"]
    assert error["retryable"] is (status == ASK_AGAIN)


def test_on_a_terminal_a_failure_is_words_and_a_list_is_a_table(
    venue: RunningStack, environment: dict[str, str]
) -> None:
    failed = Terminal(venue, "tape ob_offchain_01", environment)
    failed.wait_for(r"^tallybook: Order book does not exist: ob_offchain_01; there is")
    assert failed.stop() == 1
    listed = Terminal(venue, "instance list", environment)
    listed.wait_for(r"instance +status +services")
    assert listed.stop() == 0
