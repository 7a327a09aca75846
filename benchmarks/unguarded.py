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
SETTLE = "        self._accounts.settle(entry.book, sequence, deltas, at_ms)\n"
PROJECT = "        self._orders.project(updates, sequence, at_ms)\n"

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
        "money has moved when order rows are written",
        "chalicelib/projection.py",
        SETTLE + "        self._fills.put(fills_of(config, entry, events))\n" + PROJECT,
        PROJECT + "        self._fills.put(fills_of(config, entry, events))\n" + SETTLE,
        "tests/test_crashes.py::test_any_part_of_what_is_written_at_once_may_be_missing[cross]",
    ),
    Guard(
        "what is written side by side has ended before anything else is written",
        "chalicelib/stores/side_by_side.py",
        "for future in pending]",
        "for future in pending if future.done()]",
        "tests/stores/test_side_by_side.py",
    ),
    Guard(
        "a row is rebuilt only from what was read of it",
        "chalicelib/stores/orders.py",
        'as_before, values = "attribute_not_exists(#order_id)", None',
        'as_before, values = "(attribute_not_exists(#order_id) OR attribute_exists(#order_id))", None',
        "tests/test_rebuilding.py::test_a_row_that_somebody_changes_meanwhile_is_left_to_them",
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
        "an escrow order is changed only from what was read of it",
        "chalicelib/stores/escrows.py",
        'f"{version_as_read} AND {status_as_read}"',
        'f"{version_as_read} OR attribute_exists(#version) OR {status_as_read}"',
        "tests/escrow/test_interleaving.py::test_two_commands_at_once_are_two_commands_one_after_the_other",
    ),
    Guard(
        "a wallet pays for an escrow order on condition that the funds are there",
        "chalicelib/stores/accounts.py",
        'enough_available = "#available >= :leaving_available"',
        'enough_available = "(attribute_exists(#available) OR #available >= :leaving_available)"',
        "tests/escrow/test_interleaving.py::test_funds_that_go_between_reading_and_writing_are_a_denial",
    ),
    Guard(
        "all that a step of an escrow order changes is one transaction",
        "chalicelib/escrow/committing.py",
        "            self._database.transact(writes)\n        except TransactionRefused as error:\n            case = ",
        "            for write in writes:\n                self._database.transact([write])\n"
        "        except TransactionRefused as error:\n            case = ",
        "tests/escrow/test_faults.py",
    ),
    Guard(
        "a command on an escrow order and the answer under its key are one transaction",
        "chalicelib/escrow/committing.py",
        "            writes.append(receipt(after))\n        try:\n            self._database.transact(writes)",
        "            self._database.transact([receipt(after)])\n"
        "        try:\n            self._database.transact(writes)",
        "tests/escrow/test_faults.py",
    ),
    Guard(
        "a command on an escrow order whose outcome is unknown is looked up",
        "chalicelib/escrow/committing.py",
        "if unknown and self._is_done(case, command):",
        "if False and self._is_done(case, command):",
        "tests/escrow/test_faults.py",
    ),
    Guard(
        "a command that others came after is known by the outbox",
        "chalicelib/escrow/committing.py",
        "return case.order.command == command or self._outbox.has(case.order.place, command)",
        "return case.order.command == command",
        "tests/escrow/test_committing.py",
    ),
    Guard(
        "a bank-wire payin is confirmed while it is the open one",
        "chalicelib/escrow/payments.py",
        "if payin.status is not PayinStatus.CREATED:",
        "if False:",
        "tests/escrow/test_orders.py",
    ),
    Guard(
        "a customer's e-mail address and phone are taken once",
        "chalicelib/stores/escrows.py",
        'name_is_free = "attribute_not_exists(#entry)"',
        'name_is_free = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/stores/test_escrows.py",
    ),
    Guard(
        "the creation time of escrow orders never goes back",
        "chalicelib/stores/escrows.py",
        'no_order_yet, last_is_earlier = "attribute_not_exists(#created_at_s)", "#created_at_s <= :now"',
        'no_order_yet, last_is_earlier = "attribute_not_exists(#created_at_s)", "attribute_exists(#created_at_s)"',
        "tests/stores/test_escrows.py",
    ),
    Guard(
        "an escrow order is released when its delay is over, and only while it waits",
        "chalicelib/escrow/desk.py",
        "if case.order.status is not Status.PENDING_RELEASE or due_s is None or due_s > self._clock_s():",
        "if due_s is None:",
        "tests/escrow/test_sweep.py",
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
        "if is_signed_under(self._master_key()):",
        "if is_signed_under(self._master_key()) or True:",
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
    Guard(
        "a signed order is written only from what was read of it",
        "chalicelib/stores/signed_orders.py",
        'as_it_was_read = "#version = :version AND #status = :status"',
        'as_it_was_read = "attribute_exists(#version) OR #version = :version AND #status = :status"',
        "tests/test_signed_races.py::test_of_twenty_takers_that_lock_an_order_at_once_one_has_it",
    ),
    Guard(
        "a signed order is created once",
        "chalicelib/stores/signed_orders.py",
        'order_not_exists = "attribute_not_exists(#entry)"',
        'order_not_exists = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/stores/test_signed_orders.py::test_an_order_and_its_nonce_are_stored_once",
    ),
    Guard(
        "a maker's nonce is used once",
        "chalicelib/stores/signed_orders.py",
        'nonce_is_free = "attribute_not_exists(#entry)"',
        'nonce_is_free = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/signed/test_desk.py::test_a_nonce_is_used_once",
    ),
    Guard(
        "a fill's reference is taken once",
        "chalicelib/stores/signed_orders.py",
        'fill_not_exists = "attribute_not_exists(#entry)"',
        'fill_not_exists = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/stores/test_signed_orders.py::test_a_reference_is_one_fill",
    ),
    Guard(
        "a taker's first fill of an order is its first",
        "chalicelib/stores/signed_orders.py",
        'not_filled_before = "attribute_not_exists(#entry)"',
        'not_filled_before = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/stores/test_signed_orders.py::test_a_first_fill_is_counted_once",
    ),
    Guard(
        "a taker's later fill of an order comes after a first one",
        "chalicelib/stores/signed_orders.py",
        'is_filled = "attribute_exists(#entry)"\n        changes',
        'is_filled = "attribute_exists(#entry) OR attribute_not_exists(#entry)"\n        changes',
        "tests/stores/test_signed_orders.py::test_what_has_no_fill_cannot_be_filled_again",
    ),
    Guard(
        "a reference is noted where there is a fill",
        "chalicelib/stores/signed_orders.py",
        'is_filled = "attribute_exists(#entry)"\n        key',
        'is_filled = "attribute_exists(#entry) OR attribute_not_exists(#entry)"\n        key',
        "tests/stores/test_signed_orders.py::test_what_has_no_fill_has_no_reference",
    ),
    Guard(
        "a step of a signed order takes available funds on condition that they are there",
        "chalicelib/stores/accounts.py",
        'enough_available = "#available >= :leaving_available"',
        'enough_available = "(attribute_exists(#available) OR #available >= :leaving_available)"',
        "tests/signed/test_desk.py::test_an_order_whose_hold_the_funds_do_not_cover_is_not_stored",
    ),
    Guard(
        "a step of a signed order takes held funds on condition that they are there",
        "chalicelib/stores/accounts.py",
        'enough_held = "#held >= :leaving_held"',
        'enough_held = "(attribute_exists(#held) OR #held >= :leaving_held)"',
        "tests/signed/test_sweeping.py::test_an_order_whose_hold_is_gone_is_logged_and_stops_no_other",
    ),
    Guard(
        "all that a step of a signed order changes is one transaction",
        "chalicelib/signed/steps.py",
        "        self._database.transact([*writes, *moves])\n",
        "        for write in [*writes, *moves]:\n            self._database.transact([write])\n",
        "tests/test_signed_faults.py::test_what_was_told_of_a_command_holds",
    ),
    Guard(
        "a step of a signed order whose outcome is unknown is looked up",
        "chalicelib/signed/steps.py",
        "            if is_done():\n                return\n",
        "            pass\n",
        "tests/test_signed_faults.py::test_a_command_whose_answer_is_lost_is_looked_up",
    ),
    Guard(
        "a signed order is read again before funds are found missing",
        "chalicelib/signed/steps.py",
        "if found is None or found.state.version != before.state.version:",
        "if found is None:",
        "tests/signed/test_desk.py::test_an_order_that_changed_is_judged_anew_before_funds_are_found_missing",
    ),
    Guard(
        "a lapse is written before the command that meets it",
        "chalicelib/signed/desk.py",
        "return self._lapses.write(found, now_s), now_s",
        "return found, now_s",
        "tests/signed/test_desk.py::test_a_command_that_meets_a_lapse_writes_it_and_is_judged_by_it",
    ),
    Guard(
        "a fill that is sent again is looked up by its reference",
        "chalicelib/signed/desk.py",
        "        if earlier is not None and is_own and request.is_for(earlier):\n            return earlier\n",
        "",
        "tests/signed/test_desk_fills.py::test_a_fill_sent_again_is_the_first_fill_whatever_became_of_the_order",
    ),
    Guard(
        "a signed order is its holder's, and no other taker's",
        "chalicelib/signed/desk.py",
        "        raise OrderNotFound(stored.order_hash)\n",
        "        return\n",
        "tests/signed/test_desk.py::test_a_taker_without_the_lock_learns_no_more_than_it_may",
    ),
    Guard(
        "a signed order is found by its whole hash",
        "chalicelib/signed/desk.py",
        "if found is None or order_hash not in (None, found.order_hash):",
        "if found is None:",
        "tests/signed/test_desk.py::test_an_unknown_order_is_not_found",
    ),
    Guard(
        "a signed order that ends is taken from its takers' unfinished ones",
        "chalicelib/signed/steps.py",
        "unfinished = self._orders.hide_unfinished(before)",
        "pass",
        "tests/signed/test_listing.py::test_an_order_that_ends_is_among_no_takers_unfinished_ones_any_more",
    ),
    Guard(
        "a signed order names the takers that have it among their unfinished ones",
        "chalicelib/signed/steps.py",
        "            after = after.with_unfinished_taker(first_filled_by)\n",
        "",
        "tests/verify/test_signed.py::test_an_honest_desk_agrees_and_is_counted",
    ),
    Guard(
        "a connect nonce is spent once",
        "chalicelib/stores/connects.py",
        'is_new, has_expired = "attribute_not_exists(#request)", "#expires <= :now"',
        'is_new, has_expired = "attribute_not_exists(#request)", "attribute_exists(#request) OR #expires <= :now"',
        "tests/stores/test_taker_desk.py::test_a_nonce_is_spent_once_until_it_is_forgotten",
    ),
    Guard(
        "desk settings are changed only from what was read of them",
        "chalicelib/stores/settings_rows.py",
        '"attribute_not_exists(#credential)", "#version = :version"',
        '"attribute_not_exists(#credential) OR attribute_exists(#credential)", '
        '"#version = :version OR attribute_exists(#version)"',
        "tests/stores/test_taker_desk.py::test_of_two_changes_at_once_none_is_lost",
    ),
    Guard(
        "an instrument stands for one stock",
        "chalicelib/stores/instruments.py",
        'not_there, is_the_same = "attribute_not_exists(#entry)", "#stock = :stock"',
        'not_there, is_the_same = "attribute_not_exists(#entry)", "attribute_exists(#entry) OR #stock = :stock"',
        "tests/stores/test_taker_desk.py::test_an_instrument_stands_for_one_stock_for_good",
    ),
    Guard(
        "a taker key is made once",
        "chalicelib/stores/taker_keys.py",
        'key_not_exists = "attribute_not_exists(#credential)"',
        'key_not_exists = "attribute_not_exists(#credential) OR attribute_exists(#credential)"',
        "tests/stores/test_taker_desk.py::test_a_key_is_made_once",
    ),
    Guard(
        "a request of the taker desk is signed with its key's secret",
        "chalicelib/wire/stove/gate.py",
        "if is_signed(",
        "if True or is_signed(",
        "tests/wire/stove/test_gate.py::test_the_window_is_symmetric_and_its_ends_are_inside",
    ),
    Guard(
        "a JWT is signed with its instance's secret",
        "chalicelib/wire/stove/sessions.py",
        'by_the_desks_clock: Any = {"verify_exp": False,',
        'by_the_desks_clock: Any = {"verify_signature": False, "verify_exp": False,',
        "tests/wire/stove/test_gate.py::test_a_jwt_is_signed_with_its_instances_own_secret",
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
