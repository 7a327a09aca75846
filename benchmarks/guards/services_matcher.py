"""The guards of ``services/books`` on the side of the matcher: deciding, projecting, loading and expiry."""

from __future__ import annotations

from benchmarks.guards.guard import SWEEP, Guard

SETTLE = "        self._accounts.settle(entry.book, sequence, changes, at_ms, beside=fills)\n"
PROJECT = "        self._orders.project(config.book_id, updates, sequence, at_ms)\n"

GUARDS = [
    Guard(
        "an amendment that is decided is no longer under way",
        "chalicelib/services/books/deduplication.py",
        "return [command.command_id for command in commands if command.command_id not in under_way]",
        "return []",
        "tests/services/books/test_amendments_kept.py::test_a_decided_amendment_that_comes_again_is_dropped_by_what_is_under_way",
    ),
    Guard(
        "an order has its turn before its amendment",
        "chalicelib/services/books/deduplication.py",
        "if isinstance(command, CancelOrder | AmendOrder) and _is_waiting(",
        "if isinstance(command, CancelOrder) and _is_waiting(",
        "tests/services/books/test_amendments_kept.py::test_an_amendment_that_comes_without_its_order_finds_it_by_its_row",
    ),
    Guard(
        "an amendment ends with its outcome",
        "chalicelib/services/books/projection.py",
        "            self._amendments.end(",
        "            list(",
        f"{SWEEP}[amendments-death after-new]",
    ),
    Guard(
        "an expiry goes once its order has ended",
        "chalicelib/services/books/expiry.py",
        "[expiry for expiry in expiries if expiry.order_id not in still_there]",
        "expiries",
        "tests/services/books/test_expiry.py::test_an_order_that_waits_for_its_turn_is_looked_at_until_it_had_it",
    ),
    Guard(
        "the row of an earlier halt wakes nobody",
        "chalicelib/services/books/expiry.py",
        "until_ms.get(halt.book, halt.check_at_ms + 1) <= halt.check_at_ms]",
        "halt.book in until_ms]",
        "tests/services/books/test_halts.py::test_o12_what_waits_for_the_end_of_a_halt_is_decided_then",
    ),
    Guard(
        "a book in memory that is far behind its journal is loaded from its snapshot",
        "chalicelib/services/books/loading.py",
        "if is_cached and is_due(read_bytes, loaded.snapshot_bytes):",
        "if False:",
        "tests/services/books/test_recovery.py::test_t159_a_book_in_memory_that_is_far_behind_its_journal_is_loaded_from_its_snapshot",
    ),
    Guard(
        "a row that cannot be read keeps no other from being checked",
        "chalicelib/services/books/expiry.py",
        "    except UNREADABLE:",
        "    except ZeroDivisionError:",
        "tests/services/books/test_expiry_faults.py::test_t158_a_row_that_cannot_be_read_keeps_no_other_from_being_checked",
    ),
    Guard(
        "a check that cannot be read keeps no other from its time",
        "chalicelib/tables/expiries.py",
        "            except UnreadableRow:",
        "            except ZeroDivisionError:",
        "tests/services/books/test_expiry_faults.py::test_t158_a_row_that_cannot_be_read_keeps_no_other_from_being_checked",
    ),
    Guard(
        "an open order that names no book hides no lost cancel",
        "chalicelib/services/books/lost_commands.py",
        'if "book_id" in row and "cancel_refused" not in row]',
        'if "cancel_refused" not in row]',
        "tests/services/books/test_lost_commands.py::test_t158_a_row_that_does_not_name_its_book_hides_no_cancel",
    ),
    Guard(
        "a halt that is over refuses no order",
        "chalicelib/services/books/halts.py",
        "until_ms.get(_key(config), 0) > now_ms)",
        "until_ms.get(_key(config), 0) > 0)",
        "tests/apis/book/contract/test_protection.py::test_o12_orders_are_admitted_once_the_time_of_a_halt_is_over",
    ),
    Guard(
        "whoever loads a book finishes what was committed and not projected",
        "chalicelib/services/books/loading.py",
        "            if entry.sequence > projected:\n                self._projector",
        "            if entry.sequence > projected and False:\n                self._projector",
        f"{SWEEP}[rest-death after-new]",
    ),
    Guard(
        "nobody but its release matches a parked book",
        "chalicelib/services/books/loading.py",
        "if found[0].is_parked and not self._takes_parked:",
        "if False:",
        "tests/services/books/test_parking.py::test_a_parked_book_is_matched_by_nobody_else",
    ),
    Guard(
        "candles that are over are written before the depth view says so",
        "chalicelib/services/books/loading.py",
        "        self._candles.put(loaded.key, loaded.finished_candles)\n        loaded.finished_candles.clear()\n"
        "        book, sequence = loaded.state.book, loaded.state.head.sequence\n"
        "        bids, asks = (tuple(side.depth(DEPTH_LEVELS_MAX)) for side in (book.bids, book.asks))\n"
        "        view = Depth(sequence, book.version, bids, asks, loaded.market, book.halted_until_ms)\n"
        "        self._views.publish(loaded.key, view)\n",
        "        book, sequence = loaded.state.book, loaded.state.head.sequence\n"
        "        bids, asks = (tuple(side.depth(DEPTH_LEVELS_MAX)) for side in (book.bids, book.asks))\n"
        "        view = Depth(sequence, book.version, bids, asks, loaded.market, book.halted_until_ms)\n"
        "        self._views.publish(loaded.key, view)\n"
        "        self._candles.put(loaded.key, loaded.finished_candles)\n        loaded.finished_candles.clear()\n",
        f"{SWEEP}[trade in a later minute-death after-warm]",
    ),
    Guard(
        "candles go on from the depth view's sequence",
        "chalicelib/services/books/loading.py",
        "        if loaded.market.sequence < projected:",
        "        if loaded.market.sequence < projected and view.market is None:",
        f"{SWEEP}[trade in a later minute-death after-new]",
    ),
    Guard(
        "a cancel that the stream has lost is looked for in the inbox",
        "chalicelib/services/books/lost_commands.py",
        "            lost[book] = sorted([*lost.get(book, []), cancel], key=_arrival)\n",
        "            pass\n",
        "tests/services/books/test_lost_commands.py::test_a_cancel_that_the_stream_has_lost_is_decided_within_a_day",
    ),
    Guard(
        "no hour of the look for lost cancels is left out",
        "chalicelib/services/books/lost_commands.py",
        "(hour + 1) * SWEEP_EVERY_MS",
        "now_ms + SWEEP_EVERY_MS",
        "tests/services/books/test_lost_commands.py::test_a_lost_cancel_is_decided_before_it_disproves_its_book",
    ),
    Guard(
        "the lost cancels of a parked book are kept",
        "chalicelib/services/books/lost_commands.py",
        "            return self._keep(book, commands)\n",
        "            return 0\n",
        "tests/services/books/test_lost_commands.py::test_the_cancels_of_a_parked_book_are_kept_until_it_is_released",
    ),
    Guard(
        "an order whose command is gone is decided from its row",
        "chalicelib/services/books/lost_commands.py",
        "                found[_book_of(row)].append(command)\n",
        "                pass\n",
        "tests/services/books/test_lost_commands.py::test_an_order_whose_command_is_gone_is_decided_from_its_row",
    ),
    Guard(
        "a row that is behind the journal is not decided again",
        "chalicelib/services/books/lost_commands.py",
        "return [command for command in commands if command.command_id not in behind]",
        "return list(commands)",
        "tests/services/books/test_lost_commands.py::test_a_row_that_is_behind_the_journal_is_not_decided_again",
    ),
    Guard(
        "what the stream may still bring is left to it",
        "chalicelib/services/books/lost_commands.py",
        "isinstance(command, CancelOrder) and time_of(command.command_id) < queued_before_ms:",
        "isinstance(command, CancelOrder):",
        "tests/services/books/test_lost_commands.py::test_a_cancel_that_is_younger_than_its_order_is_left_to_the_stream",
    ),
    Guard(
        "a command that is given up is known by name",
        "chalicelib/services/books/matcher.py",
        "named = replace(waiting, stream_sequence=None)",
        "named = waiting",
        "tests/services/books/test_undecidable.py::"
        "test_a_cancel_that_the_core_cannot_decide_is_refused_once_and_its_order_stays_open",
    ),
    Guard(
        "the depth view is published when all else is projected",
        "chalicelib/services/books/matcher.py",
        "        entries = self._append(loaded, group)\n        for entry in entries:",
        "        entries = self._append(loaded, group)\n        for entry in entries:\n"
        "            loaded.state.advance(entry, [])\n"
        "            self._loading.publish(loaded)\n        for entry in entries:",
        f"{SWEEP}[cross-death after-new]",
    ),
    Guard(
        "a matcher that failed forgets the book",
        "chalicelib/services/books/matcher.py",
        "            except BaseException:\n                self._warm.forget(book)\n                raise",
        "            except BaseException:\n                raise",
        f"{SWEEP}[cross-error before-warm]",
    ),
    Guard(
        "a closed book is closed out by whoever comes next",
        "chalicelib/services/books/matcher.py",
        "        loaded, group = self._decide(loaded, _Group(self._time_of_next(loaded)))\n",
        "        group = _Group(self._time_of_next(loaded))\n",
        f"{SWEEP}[close at the end-death after-new]",
    ),
    Guard(
        "what is committed together is decided at its entry's time",
        "chalicelib/services/books/matcher.py",
        "entries = draft(loaded.key, head, group.at_ms, ",
        "entries = draft(loaded.key, head, self.now_ms(), ",
        "tests/services/books/test_time_of_batches.py::test_what_is_committed_together_has_the_time_at_which_it_was_decided",
    ),
    Guard(
        "whoever wakes a book reads what others committed",
        "chalicelib/services/books/matcher.py",
        "            self._loading.catch_up(loaded, is_cached=True)\n",
        "            pass\n",
        "tests/services/books/test_expiry.py::test_whoever_looks_knows_what_other_matchers_have_done_since",
    ),
    Guard(
        "another batch that gets through does not end the count",
        "chalicelib/services/books/parking.py",
        "if not before.failed_batches or before.command not in command_ids:",
        "if not before.failed_batches:",
        "tests/services/books/test_parking.py::test_another_batch_that_gets_through_says_nothing_about_the_one_that_fails",
    ),
    Guard(
        "the commands of a parked book are kept before they are passed over",
        "chalicelib/services/books/parking.py",
        "        self._inbox.keep(book, arrivals, now_s)\n",
        "",
        "tests/services/books/test_parking.py",
    ),
    Guard(
        "whoever passes records over looks whether the book is still parked",
        "chalicelib/services/books/parking.py",
        "if failures is not None and failures.parked_at_ms is None:\n            self._inbox",
        "if False:\n            self._inbox",
        "tests/services/books/test_releasing.py::test_a_release_at_the_moment_at_which_records_are_set_aside_loses_none",
    ),
    Guard(
        "money has moved when order rows are written",
        "chalicelib/services/books/projection.py",
        SETTLE + PROJECT,
        PROJECT + SETTLE,
        "tests/services/books/test_crashes.py::test_any_part_of_what_is_written_at_once_may_be_missing[cross]",
    ),
    Guard(
        "a halt is scheduled to end once it is decided",
        "chalicelib/services/books/projection.py",
        "        if halts := [event for event in events if isinstance(event, Halted)]:\n",
        "        if halts := [event for event in events if isinstance(event, Traded) and event is None]:\n",
        "tests/services/books/test_halts.py::test_o12_a_halt_ends_at_its_time_though_nobody_trades",
    ),
    Guard(
        "cancels are redriven when they arrived",
        "chalicelib/services/books/redrive.py",
        "        if deliveries and isinstance(deliveries[0].command, CancelOrder):\n",
        "        if deliveries and not row:\n",
        "tests/services/books/test_lost_commands.py::test_cancels_are_redriven_in_the_order_of_their_arrival",
    ),
    Guard(
        "a release redrives once more when the mark is gone",
        "chalicelib/services/books/redrive.py",
        "        decided += redrive(database, matcher, book)\n",
        "",
        "tests/services/books/test_releasing.py::test_what_is_passed_over_while_a_release_redrives_is_decided_by_it",
    ),
    Guard(
        "a book that failed is delivered again",
        "chalicelib/services/books/stream.py",
        "            failed.append(first_sequence[book])",
        "            pass",
        f"{SWEEP}[rest-throttled-new]",
    ),
    Guard(
        "a batch of a parked book is kept by the row that has it",
        "chalicelib/services/books/stream.py",
        "list(dict.fromkeys(delivery.arrival for delivery in deliveries))",
        "[delivery.command.command_id for delivery in deliveries]",
        "tests/services/books/test_batches.py::test_a_parked_books_batch_is_kept_and_decided_by_its_release",
    ),
]
