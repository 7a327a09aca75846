"""The command line: books, verifying and redriving, over real tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import NoRegionError

from chalicelib import wiring
from chalicelib.domain.books.config import SettlementMode
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.ops import cli
from chalicelib.ops.cli import books as books_commands
from chalicelib.ops.cli.failures import ASK_AGAIN, Code
from chalicelib.ops.verify.verifier import BookMoves, Verifier
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.support.clock import iso, now_ms
from chalicelib.tables.dynamodb import Database
from tests.world import BASE, QUOTE, World

Run = Callable[[str], dict[str, Any]]
Main = Callable[[str], int]
BOOK = f"book create --instance inst_demo0001 --name Demo --symbol D/Q --token-address {BASE}"
BOOK += f" --quote-token-address {QUOTE}"


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    return lambda line: cli.run(line.split())


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Main:
    """Run the process's own command line; return its exit status."""

    def run_main(line: str) -> int:
        monkeypatch.setattr("sys.argv", ["tallybook", *line.split()])
        return cli.main()

    return run_main


@pytest.fixture
def instance(run: Run) -> str:
    """An instance with two tokens."""
    made = str(run("instance create --ref demo0001")["instance"])
    run(f"token create --instance {made} --token-address {BASE} --name Base --symbol B --decimals 8")
    run(f"token create --instance {made} --token-address {QUOTE} --name Quote --symbol Q")
    return made


def test_a_book_is_created_with_every_setting(run: Run, instance: str) -> None:
    made = run(
        BOOK + " --id ob_1 --min-order-size 5 --max-order-size 500 --tick-size 10 --maker-fee-bps 5"
        " --taker-fee-bps 15 --market-collar-bps 0 --self-trade-prevention CANCEL_BOTH --status PAUSED"
        " --settlement-mode ON_CHAIN --lot-size 5 --min-order-value 0"
        " --price-band-bps 1000 --halt-bps 500 --halt-window-seconds 60 --halt-seconds 300"
    )
    assert made == {
        "instance": instance, "order_book_id": "ob_1", "symbol": "D/Q", "lot_size": "5", "min_order_value": "0",
    }  # fmt: skip
    config = wiring.database().get("books", {"book": "inst_demo0001/ob_1", "part": "config"})
    assert config is not None
    assert (config["order_size_min"], config["order_size_max"], config["tick_size"]) == (5, 500, 10)
    assert (config["base_decimals"], config["maker_fee_bps"], config["taker_fee_bps"]) == (8, 5, 15)
    assert (config["lot_size"], config["min_order_value"], config["quote_decimals"]) == (5, 0, 18)
    assert (config["price_band_bps"], config["halt_bps"]) == (1000, 500)
    assert (config["halt_window_s"], config["halt_s"]) == (60, 300)
    assert (config["status"], config["settlement_mode"]) == (BookStatus.PAUSED, SettlementMode.ON_CHAIN)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (f" --quote-token-address {BASE}", "same"),
        (" --min-order-size 6 --max-order-size 5", "above the maximum"),
        (" --max-order-size 5 --lot-size 6", "lot size 6 is above"),
        (" --maker-fee-bps 1001", "fees"),
        (" --market-collar-bps 10001", "collar"),
        (" --price-band-bps 10001", "price band"),
        (" --halt-bps 500 --halt-seconds 60", "set together"),
        (" --halt-bps 500 --halt-window-seconds 3601 --halt-seconds 60", "halt window"),
        (" --halt-bps 500 --halt-window-seconds 60 --halt-seconds 86401", "halt must last"),
        (" --halt-bps 10001 --halt-window-seconds 60 --halt-seconds 60", "halt distance"),
        (" --token-address 0x" + "9" * 40, "not registered"),
        (" --symbol SEVENTEEN/LETTERS", "symbol"),
    ],
)
@pytest.mark.usefixtures("instance")
def test_settings_that_contradict_each_other_are_refused(
    run: Run, memory_database: Database, more: str, why: str
) -> None:
    """T30"""
    words = BOOK.split()
    for name, value in zip(more.split()[::2], more.split()[1::2], strict=True):
        if name in words:
            words[words.index(name) + 1] = value
        else:
            words += [name, value]
    with pytest.raises(cli.CommandFailed, match=why):
        run(" ".join(words))
    assert list(memory_database.scan("books")) == []


def test_the_quote_token_decides_a_books_lot_or_minimum_notional(run: Run, instance: str) -> None:
    """T45: one of 18 decimals, then one of 2."""
    made = run(BOOK)
    assert (made["lot_size"], made["min_order_value"]) == ("1", "100")
    coin = "0x" + "e" * 40
    run(f"token create --instance {instance} --token-address {coin} --name Coin --symbol C --decimals 2")
    made = run(BOOK.replace(QUOTE, coin).replace("D/Q", "D/C"))
    assert (made["lot_size"], made["min_order_value"]) == (str(10**8), "0")


@pytest.mark.usefixtures("instance")
def test_a_pair_or_a_symbol_has_one_open_book(run: Run) -> None:
    """T31"""
    run(BOOK + " --id ob_1")
    other_way_round = BOOK.replace(BASE, "base").replace(QUOTE, BASE).replace("base", QUOTE)
    for line in (BOOK, BOOK + " --id ob_1", other_way_round.replace("D/Q", "d/q")):
        with pytest.raises(cli.CommandFailed, match="exists already"):
            run(line)
    run(BOOK + " --id ob_2 --settlement-mode ON_CHAIN")


def test_json_prints_one_object_and_a_failure_goes_to_standard_error(
    instance: str, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"balances --instance {instance} --customer ann --json") == 0
    assert json.loads(capsys.readouterr().out) == {"customer": "ann", "balances": []}
    assert main("instance create --ref demo0001 --json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err) == {
        "error": {"code": "EXISTS", "message": f"exists already: {instance}", "retryable": False}
    }
    assert main(f"key create --instance {instance}") == 0
    assert json.loads(capsys.readouterr().out)["api_key"].startswith("trusset_demo0001_")


def test_an_aws_error_is_one_line(run: Run, moto_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "database", lambda: Database(moto_database._client, "no-such-prefix"))
    with pytest.raises(cli.CommandFailed, match="none of the tables "):
        run("instance create --ref demo0001")

    def without_region() -> Database:
        raise NoRegionError

    monkeypatch.setattr(wiring, "database", without_region)
    with pytest.raises(cli.CommandFailed, match="region"):
        run("instance create --ref demo0001")


@pytest.fixture
def venue(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A book with a trade, a resting order and one whose turn has not come."""
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    world = World(memory_database, taker_fee_bps=100)
    world.credit("ann", QUOTE, 10_000)
    world.credit("ben", BASE, 10_000)
    world.placed("ann", "BUY", 100, 7)
    world.placed("ben", "SELL", 60, 7)
    world.deliver()
    world.placed("ann", "BUY", 1, 5)
    return world


def test_a_verified_book_is_reported_as_one_object(venue: World) -> None:
    (entry,) = venue.journal.after(venue.book, 0)
    expected = {
        "books": [
            {
                "book": venue.book, "status": "ACTIVE", "entries": 1, "events": 4, "sequence": 1, "hash": entry.hash,
                "snapshot": None, "orders": 2, "undecided": 1, "fills": 2,
            }
        ],
        "instances": [
            {
                "instance": "inst_test0001", "books": 1, "accounts": 5,
                "signed_orders": 0, "signed_fills": 0, "escrow_orders": 0,
                "assets": [{"asset": BASE, "total": "10000"}, {"asset": QUOTE, "total": "10000"}],
            }
        ],
    }  # fmt: skip
    assert cli.run(["verify", venue.book]) == expected
    assert cli.run(["verify", "--all", "--json"]) == expected


def test_a_verified_book_is_reported_with_one_line_for_each_check(
    venue: World, main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = venue.journal.after(venue.book, 0)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(f"verify {venue.book}") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{venue.book}: journal: 1 entries, 4 events, none missing, none changed",
        f"{venue.book}: head: entry 1, hash {entry.hash}",
        f"{venue.book}: snapshot: none yet",
        f"{venue.book}: depth view and terms (ACTIVE): agree",
        f"{venue.book}: orders: 2 rows agree, 1 more are not decided yet",
        f"{venue.book}: fills: 2 agree, no others",
        "inst_test0001: accounts: 5 agree with the journals of all books (1)",
        f"inst_test0001: {BASE}: 10000 in all accounts = credits - debits = supply",
        f"inst_test0001: {QUOTE}: 10000 in all accounts = credits - debits = supply",
    ]
    assert printed.err == ""


@pytest.mark.parametrize("which", ["inst_test0001/ob_test", "--all"])
@pytest.mark.parametrize("form", ["", " --json"])
def test_a_book_that_does_not_agree_fails_and_says_where(
    venue: World, main: Main, capsys: pytest.CaptureFixture[str], which: str, form: str
) -> None:
    (row,) = (row for row in venue.database.scan("open-orders") if "sequence" in row)
    venue.database.put_many("open-orders", [row | {"filled": 61}])
    assert main(f"verify {which}{form}") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    where = f"open order row {row['order_id']} of {row['owner']}, filled"
    message = f"does not agree: {where}: expected 60, found 61"
    assert json.loads(printed.err) == {"error": {"code": "DISPROVED", "message": message, "retryable": False}}


def test_verifying_a_busy_book_advises_to_pause_it(
    venue: World, main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keeps_moving(*_: object) -> object:
        raise BookMoves(venue.book)

    monkeypatch.setattr(Verifier, "verify", keeps_moving)
    assert main(f"verify {venue.book}") == ASK_AGAIN
    assert "pause it (tallybook book pause)" in capsys.readouterr().err


def test_verifying_needs_an_existing_book_or_all(venue: World) -> None:
    with pytest.raises(cli.CommandFailed, match="no such book: inst_test0001/ob_none"):
        cli.run(["verify", "inst_test0001/ob_none"])
    for arguments in ([], [venue.book, "--all"]):
        with pytest.raises(SystemExit):
            cli.run(["verify", *arguments])


def test_progress_is_shown_on_a_terminal_and_never_with_json(
    venue: World, main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main("verify --all") == 0
    shown = capsys.readouterr().err
    assert all(what in shown for what in (venue.book, "accounts", "orders", "fills"))
    assert main("verify --all --json") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("word", "status"),
    [("pause", BookStatus.PAUSED), ("resume", BookStatus.ACTIVE), ("close", BookStatus.CLOSED)],
)
def test_a_change_of_status_is_queued_among_the_orders_and_takes_effect_in_its_turn(
    venue: World, monkeypatch: pytest.MonkeyPatch, word: str, status: BookStatus
) -> None:
    """T32: the command waits for its effect; here the matcher comes while it waits."""

    def matcher_comes(_pause_s: float) -> None:
        venue.stream_new_commands()
        assert venue.deliver() == []

    venue.change(tick_size=5)
    monkeypatch.setattr(books_commands.time, "sleep", matcher_comes)
    printed = cli.run(["book", word, venue.book])
    of_halt = {"was_halted": False} if word == "resume" else {}
    assert printed == {"order_book_id": "ob_test", "status": status.value, "took_effect": True} | of_halt
    assert venue.folded().book.status is status


@pytest.mark.parametrize("is_paused", [False, True])
def test_resume_ends_a_halt_and_a_pause_and_sets_the_reference(
    venue: World, monkeypatch: pytest.MonkeyPatch, is_paused: bool
) -> None:
    """O12: it waits for both turns."""
    venue.now_ms = now_ms()
    venue.change(halt_bps=1000, halt_window_s=60, halt_s=300)
    for price in (50, 60):
        venue.placed("ann", "SELL", 1, price)
        venue.placed("ben", "BUY", 1, price)
    if is_paused:
        venue.change_status(BookStatus.PAUSED)
    assert venue.deliver() == []
    shown = cli.run(["book", "show", venue.book])
    assert shown["trading_state"] == ("PAUSED" if is_paused else "HALTED")
    assert shown["halted_until"] == iso(venue.now_ms + 300_000)
    monkeypatch.setattr(books_commands, "CHANGE_WAIT_S", 0)
    assert cli.run(["book", "resume", venue.book, "--reference", "55"])["took_effect"] is False

    def matcher_comes(_pause_s: float) -> None:
        venue.stream_new_commands()
        assert venue.deliver() == []

    monkeypatch.setattr(books_commands, "CHANGE_WAIT_S", 5)
    monkeypatch.setattr(books_commands.time, "sleep", matcher_comes)
    printed = cli.run(["book", "resume", venue.book, "--reference", "70"])
    assert printed == {"order_book_id": "ob_test", "status": "ACTIVE", "was_halted": True, "took_effect": True}
    book = venue.folded().book
    assert (book.trades_now, book.reference) == (True, 70)
    assert cli.run(["book", "show", venue.book])["trading_state"] == "ACTIVE"


def test_a_change_of_status_without_a_matcher_stays_queued(venue: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_commands, "CHANGE_WAIT_S", 0)
    assert cli.run(["book", "pause", venue.book])["took_effect"] is False
    assert venue.folded().book.status is BookStatus.ACTIVE
    assert cli.run(["book", "pause", venue.book])["took_effect"] is False, "asked again, it waits for the same change"


def test_a_closed_book_has_no_other_status(venue: World) -> None:
    venue.change_status(BookStatus.CLOSED)
    assert venue.deliver() == []
    before = venue.tables()
    with pytest.raises(cli.CommandFailed, match="closed for good"):
        cli.run(["book", "resume", venue.book])
    with pytest.raises(cli.CommandFailed, match="Order book does not exist"):
        cli.run(["book", "pause", "inst_test0001/ob_none"])
    assert venue.tables() == before


@pytest.mark.parametrize("which", ["inst_test0001/ob_test", "--all"])
def test_a_redrive_decides_what_waits_in_the_inbox_once(
    venue: World, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(wiring, "matcher", venue.matcher)
    assert cli.run(["redrive", which]) == {"commands": 1, "books": 1}
    assert cli.run(["redrive", which]) == {"commands": 0, "books": 1}


def test_a_book_that_cannot_be_redriven_is_named(venue: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "matcher", venue.matcher)
    (row,) = venue.database.scan("journal")
    venue.database.put_many("journal", [row | {"watermark": "7"}])
    with pytest.raises(cli.CommandFailed, match=r"not redriven: .*ob_test"):
        cli.run(["redrive", venue.book])
    with pytest.raises(cli.CommandFailed, match="see the log: inst_test0001/ob_test"):
        cli.run(["redrive", "--all"])
    with pytest.raises(cli.CommandFailed, match="no such book"):
        cli.run(["redrive", "inst_test0001/ob_none"])


def test_a_parked_book_is_named_shown_and_released(
    run: Run, memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T53"""
    world = World(memory_database)
    world.credit("ann", QUOTE, 1000)
    matcher = Matcher(memory_database, lambda: world.now_ms, takes_parked=True)
    monkeypatch.setattr(wiring, "releasing_matcher", lambda: matcher)
    monkeypatch.setattr(wiring, "matcher", lambda: Matcher(memory_database, lambda: world.now_ms))
    order_id = world.placed("ann", "BUY", 1, 50)
    unreadable = {"book": world.book, "sequence": 1}
    memory_database.put_many("journal", [unreadable])
    for _ in range(FAILED_BATCHES_MAX):
        assert world.deliver() != []
    assert world.deliver() == []
    assert run("book parked") == {"books": [world.book]}
    shown = run(f"book show {world.book}")
    assert (shown["status"], shown["shown_status"], shown["sequence"]) == ("ACTIVE", "PAUSED", 0)
    assert (shown["parked_at"], shown["failed_batches"]) == (iso(world.now_ms), FAILED_BATCHES_MAX)
    assert shown["failure"].startswith("UnreadableRow")
    with pytest.raises(cli.CommandFailed, match=r"still fails.*KeyError"):
        run(f"book release {world.book}")
    with pytest.raises(cli.CommandFailed, match=r"parked.*book release"):
        run(f"redrive {world.book}")
    with pytest.raises(cli.CommandFailed, match=f"not redriven.*{world.book}"):
        run("redrive --all")
    assert run("book parked") == {"books": [world.book]}
    memory_database.delete_many("journal", [unreadable])
    released = {"order_book_id": world.config.book_id, "was_parked": True, "is_parked": False, "commands": 1}
    assert run(f"book release {world.book}") == released
    assert world.order("ann", order_id).sequence == 1
    assert run("book parked") == {"books": []}
    assert run(f"book release {world.book}") == released | {"was_parked": False, "commands": 0}
    assert run(f"book show {world.book}")["failure"] is None


def test_a_damaged_row_is_named_and_its_command_fails(run: Run, instance: str, memory_database: Database) -> None:
    rows = list(memory_database.scan("tokens"))
    memory_database.put_many("tokens", [{name: row[name] for name in row if name != "decimals"} for row in rows])
    with pytest.raises(cli.CommandFailed, match="The row is damaged") as failed:
        run(f"token list --instance {instance}")
    assert failed.value.code is Code.DISPROVED


@pytest.mark.parametrize("command", ["show", "release"])
def test_an_unknown_book_cannot_be_shown_or_released(run: Run, command: str) -> None:
    with pytest.raises(cli.CommandFailed, match="no such book"):
        run(f"book {command} inst_test0001/ob_gone")
