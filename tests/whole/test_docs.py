"""The README's commands, run as they are printed, against a running service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.settings import ROOT
from tests.conftest import started_stack
from tests.infra.stack import RunningStack
from tests.waiting import eventually

pytestmark = pytest.mark.stack

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
COMMAND_S_MAX = 60


def blocks(document: str) -> list[str]:
    """Return the shell blocks of a document, as a reader would copy them."""
    return BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A service of its own: what the pages print depends on what was done before them."""
    yield from started_stack(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def checkout(stack: RunningStack, tmp_path: Path) -> Path:
    """A folder in which the commands find what a checkout has: .local of the running service, and .venv."""
    (tmp_path / ".local").symlink_to(stack.local_dir)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


def run(block: str, folder: Path, shell: tuple[str, ...] = ("bash", "-euo", "pipefail")) -> str:
    done = subprocess.run(
        [*shell, "-c", block],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(block: str, folder: Path) -> Iterator[Callable[[], str]]:
    """Run a block meanwhile; it has ended well at the end. Yields what returns all that it has printed so far."""
    file = folder / "printed.txt"
    with file.open("w", encoding="utf-8") as printed:
        process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", block], cwd=folder, stdout=printed)
    try:
        yield lambda: file.read_text(encoding="utf-8")
        assert process.wait(COMMAND_S_MAX) == 0
    finally:
        process.kill()
        process.wait()


def test_the_readmes_commands_are_targets_of_the_makefile_and_ci_runs_its_tests() -> None:
    made = [block.strip() for block in blocks("README.md") if block.startswith("make ")]
    assert made == ["make run", "make test", "make deploy STAGE=dev"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {
        "run",
        "test",
        "quick",
        "lint",
        "types",
        "bench",
        "sweep",
        "simulate",
        "soak",
        "feed",
        "mutants",
        "unguarded",
        "listings",
        "costs",
        "deploy",
        "destroy",
        "cloud",
    } <= set(targets)
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_readmes_calls_work_as_printed(checkout: Path) -> None:
    place, listing = (block for block in blocks("README.md") if not block.startswith("make "))
    placed = json.loads(run(place, checkout))
    assert placed["success"] is True
    assert (placed["data"]["customerRef"], placed["data"]["orderBookId"]) == ("cust_12345", "ob_offchain_001")
    listed = json.loads(run(listing, checkout))
    assert listed["metadata"]["instanceId"] == "inst_demo0001"
    assert any(row["customerRef"] == "cust_12345" for row in listed["data"])


def test_the_page_about_the_command_line_works_as_printed(checkout: Path) -> None:
    operator, trading, load, events = blocks("docs/command-line.md")
    printed = [json.loads(line) for line in run(operator, checkout).splitlines()]
    (balances,) = [one for one in printed if "balances" in one]
    assert balances["balances"][0]["available"] == "500000000000000000000"
    assert [(one["status"], one["took_effect"]) for one in printed if "took_effect" in one] == [
        ("PAUSED", True),
        ("ACTIVE", True),
    ]
    assert printed[-1] == {"commands": 0, "books": 2}
    assert any(one.get("type") == "balance.changed" for one in printed), "the credit"
    placed, _, sold, tape, ladder, cancelled, _ = (json.loads(line) for line in run(trading, checkout).splitlines())
    assert (placed["status"], sold["status"], sold["filled_quantity"]) == ("OPEN", "FILLED", str(2 * 10**18))
    assert tape["trades"][0]["quantity"] == str(2 * 10**18)
    resting = {int(level["price"]): int(level["quantity"]) for level in ladder["bids"]}
    assert resting[100 * 10**18] >= 3 * 10**18, "what is left of the order, among those of others"
    assert placed["order_id"] in cancelled["order_ids"]
    assert json.loads(run(load, checkout))["placed"] == 20
    assert run(f"source .local/env\n{events}", checkout).split() == ["2"]


def test_the_page_about_webhooks_works_as_printed(checkout: Path) -> None:
    (walk,) = blocks("docs/webhooks.md")
    printed = run(walk, checkout).splitlines()
    assert sorted(printed) == ["True", "evt_test_", "received webhook.test"]


def test_the_page_about_verify_works_as_printed(checkout: Path) -> None:
    (verify,) = blocks("docs/verify.md")
    proven = json.loads(run(f"source .local/env\n{verify}", checkout).splitlines()[-1])
    books = [f"inst_demo0001/ob_offchain_00{number}" for number in (1, 2)]
    assert [book["book"] for book in proven["books"]] == books


def test_the_page_about_the_back_office_works_as_printed(checkout: Path) -> None:
    commands, over_http = blocks("docs/back-office.md")
    printed = run(commands, checkout)
    assert '"instance": "inst_demo0001", "status": "ACTIVE"' in printed
    assert "until the papers are in" in printed
    assert "cust_12345,0xabcdefabcdefabcdefabcdefabcdefabcdefabcd," in printed
    exported = [json.loads(line) for line in (checkout / "transactions.jsonl").read_text().splitlines()]
    assert {"credit"} <= {row["type"] for row in exported}
    run(over_http, checkout)
    first, *rows = (checkout / "transactions.csv").read_text().splitlines()
    assert first.startswith("id,createdAt,type,")
    assert [row.partition(",")[0] for row in rows] == [row["id"] for row in exported]


def test_the_page_about_the_trade_desk_works_as_printed(checkout: Path) -> None:
    signed, _, _ = blocks("docs/trade-desk.md")
    placed, listed, vendors = (json.loads(line) for line in run(signed, checkout).splitlines())
    assert (placed["error_code"], placed["data"]["pair"]) == (None, "EXS_EUR")
    assert placed["data"]["id"] in [row["id"] for row in listed["data"]["orders"]]
    assert (vendors["data"]["requested_amount"], vendors["data"]["requested_value"]) == (0.02347418, 1000.000068)


def test_the_switch_of_the_page_about_the_trade_desk_is_set_and_turned_off(checkout: Path) -> None:
    signed, switch, _ = blocks("docs/trade-desk.md")
    functions = signed.partition("\n\nask ")[0]
    armed, off = (json.loads(line)["data"] for line in run(f"{functions}\n{switch}", checkout).splitlines())
    assert (armed.keys(), off) == ({"cancel_at"}, {"cancel_at": None})


def test_what_the_page_about_the_trade_desk_follows_by_websocket_comes(checkout: Path) -> None:
    """It ends when the messages have come, in place of its five seconds."""
    signed, _, followed = blocks("docs/trade-desk.md")
    assert followed.count("sleep 5)") == 1

    def ids_in(printed: str) -> list[int]:
        messages = [json.loads(text) for text in re.findall(r'< (\{"id".*\})', printed)]
        return [one["id"] for one in messages if one["topic"].startswith("orderbook")]

    with running(followed.replace("sleep 5)", "until [ -e seen ]; do sleep 0.1; done)"), checkout) as printed:
        eventually(lambda: len(ids_in(printed())) >= 2, COMMAND_S_MAX)
        run(signed, checkout)
        eventually(lambda: len(ids_in(printed())) >= 3, COMMAND_S_MAX)
        (checkout / "seen").touch()
    assert ids_in(printed())[:3] == [-1, 1, 2], "a welcome, the whole depth, and what the order changed in it"


def test_the_page_about_the_taker_desk_works_as_printed(checkout: Path) -> None:
    script, _, followed = blocks("docs/taker-desk.md")
    with running(followed, checkout) as seen:
        eventually(seen, COMMAND_S_MAX)
        printed = dict(line.split(": ", 1) for line in run(script, checkout).splitlines())
    messages = [json.loads(line) for line in seen().splitlines()]
    order_hash, status = printed["created"].split()
    assert (len(order_hash), status) == (66, "pending")
    assert printed["paid"] == "6010000000000000000000 incentive: 400000000000000000"
    assert printed["listed"] == f"{order_hash} partially_filled"
    assert printed["filled so far"] == "40"
    assert printed["given back"] == "unlocked"
    assert (printed["shares"].split()[3], printed["left"]) == ("150250000000000000000", "60 shares")
    changes = [message for message in messages if message["type"] != "heartbeat"]
    assert messages[0]["type"] == "heartbeat"
    assert [change["type"] for change in changes] == ["order_status_change"] * 3
    assert [change["data"]["to_status"] for change in changes] == ["pending", "locked", "partially_filled"]
    assert {change["data"]["order_hash"] for change in changes} == {order_hash}


def test_a_takers_signed_list_works_as_printed(checkout: Path) -> None:
    _, signed, _ = blocks("docs/taker-desk.md")
    assert json.loads(run(signed, checkout))["data"]["page"] == 1


def test_the_page_about_the_escrow_desk_works_as_printed(checkout: Path) -> None:
    (walk,) = blocks("docs/escrow-desk.md")
    paid, accepted, released, listed = (json.loads(line) for line in run(walk, checkout).splitlines())
    assert (paid["data"]["status"], accepted["data"]["status"]) == ("CONFIRMED", "ACCEPTED")
    order = released["data"]
    assert (order["status"], order["payout_amount"], order["fee_amount"]) == ("RELEASED", "23.18 €", "0.59 €")
    assert order["id"] == listed["data"][0]["id"]


def test_llms_txt_leads_to_pages_that_are_there_and_to_those_of_every_desk() -> None:
    linked = re.findall(r"\]\(([^)#]+)", (ROOT / "llms.txt").read_text(encoding="utf-8"))
    assert [path for path in linked if not (ROOT / path).is_file()] == []
    assert {f"docs/{desk}-desk.md" for desk in ("book", "trade", "taker", "escrow")} <= set(linked)


SHELLS = [("bash", "-euo", "pipefail"), ("sh", "-eu")]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_page_about_the_book_desk_works_as_printed(checkout: Path, shell: tuple[str, ...]) -> None:
    order, batch, events = blocks("docs/book-desk.md")
    first, again, status, owner, cancelled = run(order, checkout, shell).splitlines()
    assert first == again
    assert first.startswith("placed ord_")
    assert (status, cancelled) == ("it is OPEN", "it is CANCELLED")
    assert owner == "orders of the customer: cust_34567"
    functions = order.partition("\n\n")[0]
    assert run(f"{functions}\n{batch}", checkout, shell).splitlines() == [
        "OPEN OPEN INVALID_QUANTITY",
        "CANCELLED CANCELLED",
    ]
    accepted, status = run(f"{functions}\n{events}", checkout, shell).splitlines()
    assert accepted.startswith("ord_")
    assert status == "CANCELLED"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_page_about_a_venue_works_as_printed(checkout: Path, shell: tuple[str, ...]) -> None:
    venue, _ = blocks("docs/venue.md")
    printed = run(venue, checkout, shell)
    assert "is open" in printed
    assert "the buyer's order is FILLED" in printed
    assert "'balance': '500000000000000000000'" in printed  # ten shares at 50 euros, on the seller's account
    assert "'type': 'fee'" in printed
    assert printed.splitlines()[-2:] == ["10", "CLOSED"]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_rules_of_a_venue_work_as_printed(checkout: Path, shell: tuple[str, ...]) -> None:
    venue, rules = blocks("docs/venue.md")
    functions = venue.partition("\n\n")[0]
    assert run(f"{functions}\n{rules}", checkout, shell).splitlines() == [
        "bought 4, and then: CANCELLED PRICE_BAND",
        "the stop is OPEN None",
        "halted before the trade: CANCELLED CIRCUIT_BREAKER",
        "the book is HALTED",
        "the book is ACTIVE",
        "bought: FILLED None",
        "1",
    ]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_tutorial_works_as_printed(checkout: Path, shell: tuple[str, ...]) -> None:
    start, *steps = blocks("docs/tutorial.md")
    assert start == "make run\n"
    health, *printed = run("\n".join(steps), checkout, shell).splitlines()
    assert json.loads(health) == {"status": "ok"}
    book = next(line for line in printed if line.endswith(" is open")).split()[0]
    begin = printed.index("1000")
    assert printed[begin : begin + 4] == ["1000", "FILLED", "PARTIALLY_FILLED", "200000000000000000000"]
    assert printed[begin + 4 : begin + 7] == ["398", "CANCELLED", "600"]
    assert {"order.accepted", "fill.created", "order.cancelled", "balance.changed"} <= set(printed)
    (proven,) = json.loads(printed[-1])["books"]
    assert (proven["book"].partition("/")[2], proven["orders"], proven["fills"]) == (book, 2, 2)
