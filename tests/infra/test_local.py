"""A local run as its user sees it: refusals, the ready message, and persistence between runs."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.support.clock import iso_seconds, new_id, now_ms
from chalicelib.tables.dynamodb import Database
from infra.demo import INSTANCE
from infra.settings import HOST, ROOT, free_port
from infra.state_file import read_state
from infra.tables import create_tables
from tests.apis.taker.desk import ORDER, sign_message, sign_order
from tests.endpoint import drop_own_tables, own_prefix
from tests.infra.stack import READY_BOUND_S, STOP_BOUND_S, RunningStack

DESK = "/orderbooks/stocks/api/offchain"
DECIDED_BOUND_S = 20


def place(stack: RunningStack, customer: str, side: str) -> str:
    """Place the demo's usual order; return its id."""
    order = {
        "orderBookId": stack.demo["book_desk"]["order_book_id"],
        "customerRef": customer,
        "side": side,
        "orderType": "LIMIT",
        "price": "100000000000000000000",
        "quantity": "5000000000000000000",
    }
    response = requests.post(f"{stack.base_url}{DESK}/orders", json=order, headers=key(stack), timeout=20)
    assert response.status_code == 201, response.text
    return str(response.json()["data"]["id"])


def orders(stack: RunningStack, customer: str) -> list[dict[str, Any]]:
    response = requests.get(f"{stack.base_url}{DESK}/customers/{customer}/orders", headers=key(stack), timeout=20)
    assert response.status_code == 200, response.text
    listed: list[dict[str, Any]] = response.json()["data"]
    return listed


def key(stack: RunningStack) -> dict[str, str]:
    return {"x-api-key": stack.demo["book_desk"]["api_key"]}


def signed(stack: RunningStack, token: str, secret: str) -> requests.Response:
    """List the demo customer's orders over the trade desk."""
    desk, sent_at = stack.demo["trade_desk"], str(now_ms())
    signature = signature_of(desk[secret], sent_at, "GET", "/trade/orders", b"")
    headers = {"authorization": desk[token], "timestamp": sent_at, "signature": signature}
    return requests.get(f"{stack.base_url}/trade/orders?pair={desk['pair']}", headers=headers, timeout=20)


def taker(stack: RunningStack, method: str, path: str, body: object = None) -> Any:
    """Send a request of the demo's taker; return the answer's data."""
    headers = {"X-API-Key": stack.demo["taker_desk"]["api_key"]}
    response = requests.request(method, f"{stack.base_url}/api/v1{path}", json=body, headers=headers, timeout=20)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def signed_order(stack: RunningStack) -> str:
    """Connect the demo's wallet and create an order that it signs; return its hash."""
    desk, url = stack.demo["taker_desk"], f"{stack.base_url}/api/v1"
    wallet = {"wallet_address": desk["maker_address"], "chain_id": str(desk["chain_id"])}
    lines = [desk["maker_address"], desk["chain_id"], iso_seconds(now_ms() // 1000), new_id("nonce")]
    names = ["Wallet address", "ChainId", "Timestamp", "Nonce"]
    message = "\n".join(f"{name}: {line}" for name, line in zip(names, lines, strict=True))
    proof = {"message": message, "signature": sign_message(message, desk["maker_private_key"])}
    connected = requests.post(f"{url}/makers/connect", json=wallet | proof, timeout=20)
    assert connected.status_code == 200, connected.text
    names_and_asset = {name: desk[name] for name in ("asset", "exchange", "ticker")}
    order = ORDER | {"maker": desk["maker_address"], "principal": desk["maker_address"]} | names_and_asset
    body = {"order": order, "signature": sign_order(order, desk["maker_private_key"], DeskSettings())}
    headers = {"Authorization": f"Bearer {connected.json()['data']['jwt']}"}
    created = requests.post(f"{url}/orders", json=body, headers=headers, timeout=20)
    assert created.status_code == 200, created.text
    return str(created.json()["data"]["order_hash"])


def escrow_orders(stack: RunningStack) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {stack.demo['escrow_desk']['secret_key']}"}
    response = requests.get(f"{stack.base_url}/2.0/orders", headers=headers, timeout=20)
    assert response.status_code == 200, response.text
    listed: list[dict[str, Any]] = response.json()["data"]
    return listed


def wait_until_filled(stack: RunningStack, customer: str) -> None:
    deadline_s = time.monotonic() + DECIDED_BOUND_S
    while {order["status"] for order in orders(stack, customer)} != {"FILLED"}:
        assert time.monotonic() < deadline_s, f"not filled: {orders(stack, customer)}\n{stack.output}"
        time.sleep(0.02)


def start(local_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "infra.local"],
        cwd=ROOT,
        env=os.environ | {"TALLYBOOK_LOCAL_DIR": str(local_dir)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_busy_port_is_one_clear_line_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as busy:
        port = busy.getsockname()[1]
        ended = start(tmp_path / "run", PORT=str(port))
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.splitlines() == [ended.stderr.strip()]
    assert f"Port {port} " in ended.stderr
    assert "make run PORT=" in ended.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("where", ["/proc/tallybook", "a file"])
def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path, where: str) -> None:
    if where == "a file":
        (tmp_path / "file").write_text("")
        where = str(tmp_path / "file")
    ended = start(Path(where), PORT=str(free_port(0)))
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert f"nothing can be kept in {where} (" in line
    assert "TALLYBOOK_LOCAL_DIR=" in line


@pytest.mark.skipif(os.getuid() != 0, reason="a file system is mounted for it")
def test_a_directory_that_became_read_only_is_one_clear_line(tmp_path: Path) -> None:
    """The lock file of an earlier run can still be opened there."""
    (tmp_path / "lock").touch()
    mounts = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
    script = f"{mounts} && exec {sys.executable} -m infra.local"
    ended = subprocess.run(
        ["unshare", "--mount", "/bin/sh", "-c", script],
        cwd=ROOT,
        env=os.environ | {"TALLYBOOK_LOCAL_DIR": str(tmp_path), "PORT": str(free_port(0))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare failed" in ended.stderr or "permission denied" in ended.stderr.lower():
        pytest.skip("nothing can be mounted here")
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert f"nothing can be kept in {tmp_path} (Read-only file system)" in line


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TALLYBOOK_MASTER_KEY", "short", "no master key of 32 characters"),
        ("TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE", "many", "TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE must be a whole number"),
        ("TALLYBOOK_TABLE_PREFIX", "a/b", "TALLYBOOK_TABLE_PREFIX"),
        ("AWS_DEFAULT_REGION", "x_y", "x_y"),
    ],
)
def test_an_invalid_variable_is_explained(tmp_path: Path, name: str, value: str, told: str) -> None:
    ended = start(tmp_path, PORT=str(free_port(0)), **{name: value})
    assert ended.returncode == 1, ended.stderr
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_dead_endpoint_is_one_clear_line(tmp_path: Path) -> None:
    url = f"http://{HOST}:{free_port(0)}"
    ended = start(tmp_path, PORT=str(free_port(0)), AWS_ENDPOINT_URL_DYNAMODB=url)
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert f"nothing answers at {url}, which AWS_ENDPOINT_URL_DYNAMODB names" in line


def test_a_row_of_an_earlier_version_is_one_line_that_says_what_to_do(tmp_path: Path, embedded_engine_url: str) -> None:
    """Whichever table it stands in: its keys are as they are now, so the tables are not refused."""
    client: Any = boto3.client("dynamodb", endpoint_url=embedded_engine_url)
    prefix = own_prefix("earlier-row")
    create_tables(client, prefix)
    Database(client, prefix).put_many("tenants", [{"instance": INSTANCE, "credential": "instance"}])
    theirs = {"AWS_ENDPOINT_URL_DYNAMODB": embedded_engine_url, "TALLYBOOK_TABLE_PREFIX": prefix}
    ended = start(tmp_path, PORT=str(free_port(0)), **theirs)
    drop_own_tables(client, prefix)
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"Tallybook stops: {INSTANCE} instance: ")
    assert "CHANGELOG.md" in line
    assert "make run FRESH=1" in line


@pytest.mark.stack
def test_what_was_stored_is_there_after_ctrl_c_and_a_new_start(tmp_path: Path) -> None:
    with RunningStack(tmp_path) as first:
        place(first, "cust_12345", "BUY")
        place(first, "cust_23456", "SELL")
        wait_until_filled(first, "cust_12345")
        place(first, "cust_34567", "BUY")
        stored, escrows = orders(first, "cust_12345"), escrow_orders(first)
        assert [order["status"] for order in escrows] == ["RELEASED", "PUBLISHED", "DRAFT"]
        order_hash = signed_order(first)
        taker(first, "POST", "/orders/lock", {"order_hash": order_hash})
        taker(first, "POST", "/orders/fill", {"order_hash": order_hash, "fill_quantity": ORDER["quantity"]})
        os.kill(first.pid, signal.SIGINT)
        assert first.stop() == 0
    in_that_terminal = {"AWS_ENDPOINT_URL": first.aws_endpoint_url}  # it has sourced the first run's env
    with RunningStack(tmp_path, **in_that_terminal) as second:
        assert second.aws_endpoint_url == first.aws_endpoint_url
        assert second.demo["book_desk"] == first.demo["book_desk"]
        assert second.demo["trade_desk"] == first.demo["trade_desk"]
        assert second.demo["escrow_desk"] == first.demo["escrow_desk"]
        of_first = json.dumps(escrows).replace(first.base_url, second.base_url)  # pages of orders have its address
        assert json.dumps(escrow_orders(second)) == of_first
        assert signed(second, "token", "secret").status_code == 200
        assert signed(second, "read_token", "read_secret").status_code == 200
        assert signed(second, "read_token", "secret").status_code == 401
        assert orders(second, "cust_12345") == stored
        assert second.demo["taker_desk"] == first.demo["taker_desk"]
        assert taker(second, "GET", f"/takers/orders/{order_hash}")["status"] == "filled"
        place(second, "cust_45678", "SELL")
        wait_until_filled(second, "cust_34567")
    with RunningStack(tmp_path, FRESH="1", **in_that_terminal) as third:
        assert orders(third, "cust_12345") == []
        assert key(third) != key(first)
        assert third.demo["trade_desk"]["token"] != first.demo["trade_desk"]["token"]
        assert signed(third, "token", "secret").status_code == 200
        assert taker(third, "GET", "/takers/orders")["total"] == 0
        assert third.demo["escrow_desk"]["secret_key"] != first.demo["escrow_desk"]["secret_key"]
        assert len(escrow_orders(third)) == 3


@pytest.mark.stack
def test_a_command_that_was_admitted_and_not_decided_is_decided_by_the_next_start(tmp_path: Path) -> None:
    """The run is stopped at once after its last answers."""
    with RunningStack(tmp_path) as first:
        place(first, "cust_12345", "BUY")
        place(first, "cust_23456", "SELL")
    with RunningStack(tmp_path) as second:
        wait_until_filled(second, "cust_12345")
        wait_until_filled(second, "cust_23456")


@pytest.mark.stack
def test_a_run_that_is_ready_says_so_in_a_file_of_its_owners_and_keeps_others_off_its_state(tmp_path: Path) -> None:
    with RunningStack(tmp_path) as stack:
        file = tmp_path / "demo.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        desks = {"book_desk", "trade_desk", "taker_desk", "escrow_desk"}
        assert set(stack.demo) == {"base_url", "websocket_url", "aws_endpoint_url"} | desks
        assert len(stack.demo["book_desk"]["customers"]) >= 4
        assert str(file) in stack.output
        assert stack.demo["book_desk"]["api_key"] in stack.output
        other = start(tmp_path, PORT="8000" if not stack.base_url.endswith(":8000") else "8001")
        assert other.returncode == 1
        assert f"another run uses {tmp_path}" in other.stderr or "cannot be used" in other.stderr
        assert requests.get(stack.base_url, timeout=20).json()["health"] == "/health"
        assert requests.get(f"{stack.base_url}/health", timeout=20).json() == {"status": "ok"}


@pytest.mark.stack
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ways_to_stop_save_too(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever these tests themselves were started by: under nohup a run would rightly ignore SIGHUP."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with RunningStack(tmp_path) as stack:
            place(stack, "cust_12345", "BUY")
            assert stack.stop(number) == 0
            assert "\nStopped. What was stored is in" in stack.output
    finally:
        signal.signal(number, before)


@pytest.mark.stack
def test_a_run_in_the_background_of_a_script_stops_on_sigint_too(tmp_path: Path) -> None:
    """There the shell has SIGINT ignored, and what it starts inherits that."""
    stack = RunningStack(tmp_path)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stack.__enter__()
    finally:
        signal.signal(signal.SIGINT, before)
    assert stack.stop(signal.SIGINT) == 0
    assert "\nStopped. What was stored is in" in stack.output


@pytest.mark.stack
@pytest.mark.parametrize(("part", "saved"), [("infra.serve", True), ("infra.exact_engine", False)])
def test_a_part_that_dies_stops_the_run_with_an_error(tmp_path: Path, part: str, saved: bool) -> None:
    with RunningStack(tmp_path) as stack:
        os.kill(child(stack.pid, part), signal.SIGKILL)
        assert stack.wait() == 1
        assert "ended by itself" in stack.output
        assert ("What was stored is in" in stack.output) is saved
        assert ("WHAT THIS RUN STORED IS LOST" in stack.output) is not saved
        with pytest.raises(requests.ConnectionError):
            requests.get(stack.base_url, timeout=20)


@pytest.mark.stack
def test_a_run_that_is_killed_loses_nothing_of_what_is_in_a_dynamodb_of_the_users(
    tmp_path: Path, embedded_engine_url: str
) -> None:
    theirs = {"AWS_ENDPOINT_URL_DYNAMODB": embedded_engine_url, "TALLYBOOK_TABLE_PREFIX": own_prefix("durable")}
    with RunningStack(tmp_path, **theirs) as first:
        place(first, "cust_12345", "BUY")
        place(first, "cust_23456", "SELL")
        wait_until_filled(first, "cust_12345")
        place(first, "cust_34567", "BUY")
        stored = orders(first, "cust_12345")
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
    assert not (tmp_path / "state").exists()
    with RunningStack(tmp_path, **theirs) as second:
        addresses = {name: second.demo[name] for name in ("base_url", "websocket_url")}
        assert second.demo == first.demo | addresses
        assert orders(second, "cust_12345") == stored
        place(second, "cust_45678", "SELL")
        wait_until_filled(second, "cust_34567")
        assert f"AWS_ENDPOINT_URL_DYNAMODB={embedded_engine_url}\n" in (tmp_path / "env").read_text()
        assert second.stop() == 0
    drop_own_tables(boto3.client("dynamodb", endpoint_url=embedded_engine_url), own_prefix("durable"))


def ready(local_dir: Path) -> RunningStack:
    """Return a view of a run that the test has started itself, once it is ready."""
    stack, deadline_s = RunningStack(local_dir), time.monotonic() + READY_BOUND_S
    while not (local_dir / "demo.json").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    stack.demo = json.loads((local_dir / "demo.json").read_text(encoding="utf-8"))
    return stack


@pytest.mark.stack
@pytest.mark.parametrize("output", ["a pipe that nobody reads any more", "a full disk", "closed"])
def test_output_that_cannot_be_written_touches_no_answer(tmp_path: Path, output: str) -> None:
    environment = os.environ | {"TALLYBOOK_LOCAL_DIR": str(tmp_path), "PORT": str(free_port(0))}
    command = [sys.executable, "-m", "infra.local"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    if output == "a full disk":
        full = os.open("/dev/full", os.O_WRONLY)
        streams = {"stdout": full, "stderr": full}
    elif output == "closed":
        command = ["/bin/sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
        streams = {}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, **streams)
    try:
        if process.stdout:
            process.stdout.close()
        stack = ready(tmp_path)
        for _ in range(3):
            place(stack, "cust_12345", "BUY")
            place(stack, "cust_23456", "SELL")
        wait_until_filled(stack, "cust_12345")
        assert len(orders(stack, "cust_12345")) == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_BOUND_S) == 0
    finally:
        process.kill()
        process.wait()


def wait_until_saved(local_dir: Path, moment: datetime) -> None:
    """Wait until what was stored at this moment is in the run's state file."""
    deadline_s = time.monotonic() + READY_BOUND_S
    while (saved := read_state(local_dir / "state")) is None or saved.at <= moment:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


LIKE_MAKE = """
import signal, subprocess, sys
signal.signal(signal.SIGHUP, lambda *_: None)
sys.exit(subprocess.call(sys.argv[1:]))
"""


@pytest.mark.stack
def test_a_closed_terminal_stops_the_run_when_something_that_waits_for_it_leads_the_session(tmp_path: Path) -> None:
    environment = os.environ | {"TALLYBOOK_LOCAL_DIR": str(tmp_path), "PORT": str(free_port(0))}
    leader, terminal = pty.fork()
    if leader == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-c", LIKE_MAKE, sys.executable, "-m", "infra.local"], environment)
    closing = threading.Event()
    reader = threading.Thread(target=drain, args=(terminal, closing), daemon=True)
    reader.start()
    stack = ready(tmp_path)
    place(stack, "cust_12345", "BUY")
    closing.set()
    reader.join()  # a terminal that somebody reads is not closed by closing it
    os.close(terminal)
    deadline_s = time.monotonic() + STOP_BOUND_S
    while (ended := os.waitpid(leader, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline_s:
            os.kill(child(leader, "infra.local"), signal.SIGTERM)
            raise AssertionError("the run goes on without its terminal")
        time.sleep(0.1)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    state = read_state(tmp_path / "state")
    assert state is not None
    assert state.final


def drain(terminal: int, stop: threading.Event) -> None:
    while not stop.is_set():
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 4096)


@pytest.mark.stack
@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_what_was_acknowledged_is_saved_while_it_runs_and_a_state_that_fails_is_told(tmp_path: Path) -> None:
    with RunningStack(tmp_path, TALLYBOOK_SAVE_EVERY_S="1") as first:
        place(first, "cust_12345", "BUY")
        place(first, "cust_23456", "SELL")
        wait_until_filled(first, "cust_12345")
        stored = orders(first, "cust_12345")
        wait_until_saved(tmp_path, datetime.now(UTC))
        os.kill(child(first.pid, "infra.exact_engine"), signal.SIGKILL)
        assert first.wait() == 1
        assert "WHAT WAS STORED SINCE" in first.output
    with RunningStack(tmp_path) as second:
        assert second.demo["book_desk"] == first.demo["book_desk"]
        assert orders(second, "cust_12345") == stored
        place(second, "cust_34567", "BUY")
        place(second, "cust_45678", "SELL")
        wait_until_filled(second, "cust_34567")
        file = tmp_path / "state" / "dynamodb.json"
        before = file.read_bytes()
        resource.prlimit(child(second.pid, "infra.exact_engine"), resource.RLIMIT_FSIZE, (1000, 1000))
        assert second.stop() == 1
        assert "WHAT THIS RUN STORED IS LOST; what was saved at " in second.output
        assert "What was stored is in" not in second.output
        assert file.read_bytes() == before
    file.write_bytes(before[:-1000])
    refused = start(tmp_path, PORT=str(free_port(0)))
    assert refused.returncode == 1
    assert f"{file}: it is cut short" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert file.read_bytes() == before[:-1000]
    assert not (tmp_path / "demo.json").exists()
    (way_out,) = re.findall(r"mv .*", refused.stderr)
    state_before = file.with_name("dynamodb.previous.json").read_bytes()
    subprocess.run(way_out, shell=True, check=True)
    assert file.read_bytes() == state_before
    with RunningStack(tmp_path) as third:
        # It is of a second before: without the order, with the order open, or as it was stored.
        assert [order["id"] for order in orders(third, "cust_12345")] in ([order["id"] for order in stored], [])


def child(parent: int, part: str) -> int:
    """Return the id of the parent's process that runs this module."""
    for pid, parent_pid, command in processes():
        if parent_pid == parent and part in command:
            return pid
    raise AssertionError(f"no {part} below process {parent}")


def processes() -> Iterator[tuple[int, int, list[str]]]:
    """Yield id, parent's id and command of each process: from /proc, or from ps where there is none (macOS)."""
    if not Path("/proc/self").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            pid, parent_pid, *command = line.split()
            yield int(pid), int(parent_pid), command
        return
    for one in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            parent_pid = (one / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(one.name), int(parent_pid), (one / "cmdline").read_text().split("\0")
