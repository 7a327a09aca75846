"""Is every guard needed, and does its test see to it? ``make unguarded`` takes each away in turn; its test must fail.

A guard is a condition, a look-up or an order of steps on which a guarantee of docs/guarantees.md rests. For each one
here, a copy of the program without it is made in a temporary folder and the test that the page names is run there. The
command fails when a test still passes: then the test proves nothing, or the guard is not needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("app.py", "chalicelib", "infra", "tests", "benchmarks", "pyproject.toml", ".chalice", "Makefile")
TEST_BOUND_S = 300
FAILED = 1
"""pytest's exit code when tests failed; anything else is a fault of the run itself."""


@dataclass(frozen=True, slots=True)
class Guard:
    """``code`` stands once in ``file``; ``without`` is the same place unguarded."""

    name: str
    file: str
    code: str
    without: str
    test: str


SWEEP = "tests/test_crashes.py::test_no_fault_at_any_call_does_what_a_redelivery_does_not_mend"
SEEDS = "tests/test_simulation.py::test_guarantees_hold_in_random_schedules"

GUARDS = [
    Guard(
        "entry N+1 is put on condition that it is not there",
        "chalicelib/stores/journal.py",
        'entry_not_exists = "attribute_not_exists(#book)"',
        'entry_not_exists = "attribute_not_exists(#book) OR attribute_exists(#book)"',
        f"{SWEEP}[pause in the middle-half decided by another-warm]",
    ),
    Guard(
        "an account takes an entry once, by its mark",
        "chalicelib/stores/accounts.py",
        '"(attribute_not_exists(#mark) OR #mark < :sequence)"',
        '"(attribute_not_exists(#mark) OR #mark <= :sequence)"',
        f"{SWEEP}[cross-death after-new]",
    ),
    Guard(
        "an order's row only goes forward",
        "chalicelib/stores/orders.py",
        'entry_not_shown = "(attribute_not_exists(#sequence) OR #sequence < :sequence)"',
        'entry_not_shown = "(attribute_not_exists(#sequence) OR attribute_exists(#sequence))"',
        "tests/stores/test_orders.py",
    ),
    Guard(
        "funds are held on condition that they are there",
        "chalicelib/stores/accounts.py",
        'enough_available = "#available >= :amount"\n        return Update(',
        'enough_available = "attribute_exists(#available) OR #available >= :amount"\n        return Update(',
        "tests/test_races.py::test_orders_at_the_same_moment_never_hold_more_than_there_is",
    ),
    Guard(
        "a debit or transfer takes funds on condition that they are there",
        "chalicelib/stores/accounts.py",
        'enough_available = "#available >= :amount"\n        key =',
        'enough_available = "attribute_exists(#available) OR #available >= :amount"\n        key =',
        "tests/stores/test_accounts.py",
    ),
    Guard(
        "a reference is taken once",
        "chalicelib/stores/transactions.py",
        'name_is_free = "attribute_not_exists(#entry)"',
        'name_is_free = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/test_races.py::test_one_reference_credited_twenty_times_at_once_moves_money_once",
    ),
    Guard(
        "a movement and the answer under its key are one transaction",
        "chalicelib/movements.py",
        "            writes.append(receipt(transaction))\n",
        "            self._database.transact([receipt(transaction)])\n",
        "tests/test_movement_faults.py::test_an_answer_is_true_at_whichever_call_dynamodb_fails",
    ),
    Guard(
        "a movement whose outcome is unknown is looked up",
        "chalicelib/movements.py",
        "            if not self._took_place(movement.instance, transaction, unknown):\n                raise\n",
        "            raise unknown\n",
        "tests/test_movement_faults.py::test_a_movement_whose_answer_is_lost_is_looked_up",
    ),
    Guard(
        "an order's hold, row and command are one transaction",
        "chalicelib/admission.py",
        "            self._database.transact(writes)\n",
        "            for write in reversed(writes):\n                self._database.transact([write])\n",
        "tests/test_admission_faults.py",
    ),
    Guard(
        "a command at or below the watermark is looked up",
        "chalicelib/undecided.py",
        "if at is None or at <= state.head.watermark:",
        "if at is None:",
        f"{SWEEP}[FOK kill-death after-new]",
    ),
    Guard(
        "a cancel that is decided is known by its order's row",
        "chalicelib/undecided.py",
        "return row.cancel_refused or row.reason is CloseReason.USER_CANCELLED",
        "return False",
        f"{SWEEP}[cancel against fill-death after-new]",
    ),
    Guard(
        "an order has its turn before its cancel",
        "chalicelib/undecided.py",
        "        return self._places_first(config, fresh, rows)",
        "        return list(fresh.values())",
        "tests/test_matcher.py::test_a_cancel_that_comes_without_its_order_finds_it_in_the_inbox",
    ),
    Guard(
        "a book is changed only from what was read of it",
        "chalicelib/stores/books.py",
        'as_before = "#version = :version"',
        'as_before = "#version = :version OR attribute_exists(#version)"',
        "tests/stores/test_books.py",
    ),
    Guard(
        "a book's settings and their command are one transaction",
        "chalicelib/configuring.py",
        "            self._database.transact([*self._books.change(before, after), send])\n",
        "            self._database.transact(self._books.change(before, after))\n"
        "            self._database.transact([send])\n",
        "tests/test_admission_faults.py",
    ),
    Guard(
        "of two changes of a book the later version counts",
        "chalicelib/core/commands.py",
        " and command.terms.version > book.terms.version:",
        ":",
        "tests/test_matcher.py",
    ),
    Guard(
        "what a redrive decided is known by name",
        "chalicelib/core/snapshot.py",
        "            self.named[name] = entry.at_ms\n        for event in events:",
        "            pass\n        for event in events:",
        "tests/test_matcher.py::test_a_redrive_brings_back_what_the_stream_has_lost_and_a_late_stream_changes_nothing",
    ),
    Guard(
        "a snapshot keeps the names",
        "chalicelib/core/snapshot.py",
        '"named": state.young_names(),',
        '"named": {},',
        SEEDS,
    ),
    Guard(
        "whoever loads a book finishes what was committed and not projected",
        "chalicelib/loading.py",
        "            if entry.sequence > projected:\n                self._projector",
        "            if entry.sequence > projected and False:\n                self._projector",
        f"{SWEEP}[rest-death after-new]",
    ),
    Guard(
        "the depth view is published when all else is projected",
        "chalicelib/matcher.py",
        "        entries = self._append(loaded, pending)\n        for entry in entries:",
        "        entries = self._append(loaded, pending)\n        for entry in entries:\n"
        "            loaded.state.advance(entry, [])\n"
        "            self._loading.publish(loaded)\n        for entry in entries:",
        f"{SWEEP}[cross-death after-new]",
    ),
    Guard(
        "a matcher that failed forgets the book",
        "chalicelib/matcher.py",
        "            except BaseException:\n                self._warm.pop(book, None)\n                raise",
        "            except BaseException:\n                raise",
        f"{SWEEP}[cross-error before-warm]",
    ),
    Guard(
        "a book that failed is delivered again",
        "chalicelib/stream.py",
        "            failed.append(first_sequence[book])",
        "            pass",
        f"{SWEEP}[rest-throttled-new]",
    ),
    Guard(
        "a closed book is closed out by whoever comes next",
        "chalicelib/matcher.py",
        "while events := close_out(loaded.state.book, EVENTS_PER_ENTRY_GROUP):",
        "while undecided and (events := close_out(loaded.state.book, EVENTS_PER_ENTRY_GROUP)):",
        f"{SWEEP}[close-death before-new]",
    ),
    Guard(
        "what is due expires before anything else is decided",
        "chalicelib/matcher.py",
        "        pending = self._begin(loaded)\n        for delivery in undecided:",
        "        pending = _Pending(self._time_of_next(loaded))\n        for delivery in undecided:",
        f"{SWEEP}[expire-death before-warm]",
    ),
    Guard(
        "what is committed together is decided at its entry's time",
        "chalicelib/matcher.py",
        "entries = draft(loaded.key, head, pending.at_ms, ",
        "entries = draft(loaded.key, head, self._now_ms(), ",
        "tests/test_matcher.py::test_what_is_committed_together_has_the_time_at_which_it_was_decided",
    ),
    Guard(
        "an order that is due at its turn does not trade",
        "chalicelib/core/matching.py",
        "if command.expires_at_ms is not None and command.expires_at_ms <= at_ms:",
        "if command.expires_at_ms is not None and command.expires_at_ms < at_ms:",
        "tests/core/test_expiry.py",
    ),
    Guard(
        "an order and what has it looked at are one transaction",
        "chalicelib/admission.py",
        "            writes.append(self._expiries.expect(Expiry(",
        "            self._database.write(self._expiries.expect(Expiry(",
        "tests/test_admission_faults.py",
    ),
    Guard(
        "an expiry goes once its order has ended",
        "chalicelib/expiring.py",
        "[expiry for expiry in expiries if expiry not in waiting]",
        "expiries",
        "tests/test_expiring.py",
    ),
    Guard(
        "whoever wakes a book reads what others committed",
        "chalicelib/matcher.py",
        "            self._loading.catch_up(loaded)\n",
        "            pass\n",
        "tests/test_expiring.py",
    ),
    Guard(
        "minutes are swept only forward",
        "chalicelib/stores/expiries.py",
        '"#first_unswept < :first_unswept"',
        '"attribute_exists(#first_unswept)"',
        "tests/stores/test_expiries.py",
    ),
    Guard(
        "the pointer moves to a snapshot when its pieces are there, and only forward",
        "chalicelib/stores/snapshots.py",
        'pointer_is_older = "attribute_not_exists(#book)", "#snapshot_sequence < :sequence"',
        'pointer_is_older = "attribute_not_exists(#book)", "attribute_exists(#book)"',
        "tests/stores/test_snapshots.py",
    ),
    Guard(
        "an entry follows the one before it, by hash",
        "chalicelib/core/snapshot.py",
        "        verify(entry, self.head)\n",
        "",
        "tests/verify/test_journal.py",
    ),
    Guard(
        "a key belongs to one instance",
        "chalicelib/stores/tenants.py",
        "if hmac.compare_digest(str(key.digest), digest):",
        "if True:",
        "tests/wire/test_trusset_gate.py",
    ),
    Guard(
        "an instance is changed only from what was read of it",
        "chalicelib/stores/tenants.py",
        'f"{unchanged} OR {row_of_an_earlier_version}",',
        'f"{unchanged} OR attribute_exists(#version)",',
        "tests/stores/test_tenants.py::test_a_revocation_is_not_lost_to_another_change_at_the_same_moment",
    ),
    Guard(
        "a request of the trade desk is signed with its token's secret",
        "chalicelib/wire/ripio/gate.py",
        "if not is_signed(",
        "if False and not is_signed(",
        "tests/wire/ripio/test_gate.py",
    ),
    Guard(
        "an API token is one customer's in the whole system",
        "chalicelib/stores/api_tokens.py",
        'token_not_exists = "attribute_not_exists(#credential)"',
        'token_not_exists = "attribute_not_exists(#credential) OR attribute_exists(#credential)"',
        "tests/stores/test_api_tokens.py",
    ),
    Guard(
        "an order is somebody's: it is looked for under its owner",
        "chalicelib/core/commands.py",
        "if order is None or order.placed.customer != command.customer:",
        "if order is None:",
        "tests/core/test_commands.py",
    ),
    Guard(
        "an order that its book refuses is not admitted",
        "chalicelib/admission.py",
        "        if refusal is not None:\n            return refusal\n",
        "",
        "tests/wire/test_trusset_place.py",
    ),
]


def unguarded(guard: Guard) -> str | None:
    """Run the guard's test on a copy without it; return what is wrong, None when the test fails as it should."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, copy / name)
        take_away(copy, guard)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", guard.test]
        environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=TEST_BOUND_S, check=False
        )
        if done.returncode == FAILED:
            return None
        return "the test passes without it" if not done.returncode else f"the run failed:\n{done.stdout[-2000:]}"


def take_away(root: Path, guard: Guard) -> None:
    """Change the file under this root. Raises ValueError when the code does not stand there exactly once."""
    file = root / guard.file
    text = file.read_text(encoding="utf-8")
    if text.count(guard.code) != 1:
        raise ValueError(f"{guard.file} has {text.count(guard.code)} times: {guard.code}")
    text = text.replace(guard.code, guard.without)
    file.write_text(text, encoding="utf-8")


def main() -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(unguarded, GUARDS))
    for guard, wrong in zip(GUARDS, results, strict=True):
        print(f"{'NOT NOTICED' if wrong else 'noticed'}: {guard.name} ({guard.test}){f': {wrong}' if wrong else ''}")
    missed = sum(wrong is not None for wrong in results)
    print(f"{len(GUARDS) - missed} of {len(GUARDS)} tests fail when their guard is taken away")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
