"""The guards of ``services/books`` on the side of who asks: admission, funds, settings and what is read."""

from __future__ import annotations

from benchmarks.guards.guard import SWEEP, Guard

GUARDS = [
    Guard(
        "a cancel whose outcome is unknown is looked up",
        "chalicelib/services/books/admission.py",
        "            self._look_for_cancel(book, order_id, unknown)\n",
        "            raise\n",
        "tests/services/test_lost_answers.py",
    ),
    Guard(
        "an order and what has it looked at are one transaction",
        "chalicelib/services/books/admission.py",
        "                rows.append(self._expiries.schedule(Expiry(",
        "                self._database.write(self._expiries.schedule(Expiry(",
        "tests/services/books/test_admission_faults.py",
    ),
    Guard(
        "a halted book's orders are refused",
        "chalicelib/services/books/admission.py",
        "        if config is not None and config.halt_bps:\n",
        "        if config is not None and config.halt_bps < 0:\n",
        "tests/apis/book/contract/test_protection.py::test_o12_a_halted_book_refuses_orders_and_takes_cancels",
    ),
    Guard(
        "an order that its book refuses is not admitted",
        "chalicelib/services/books/admission.py",
        "[refusal_of(config, request) or request for request in requests]",
        "list(requests)",
        "tests/apis/book/contract/test_placing.py",
    ),
    Guard(
        "a batch that its account does not cover is worked out again",
        "chalicelib/services/books/admission.py",
        'known.available[side] = row["available"] if row else 0',
        "pass",
        "tests/services/books/test_batches.py::test_an_account_that_shrinks_meanwhile_is_taken_as_it_is_then",
    ),
    Guard(
        "a book's settings and their command are one transaction",
        "chalicelib/services/books/configuring.py",
        "            self._database.transact([*self._books.change(before, after), send], lambda: "
        "self._is_changed(before, after))\n",
        "            self._database.transact(self._books.change(before, after))\n"
        "            self._database.transact([send])\n",
        "tests/services/books/test_admission_faults.py",
    ),
    Guard(
        "a cancel-all that is decided is known by its row in the inbox",
        "chalicelib/services/books/deduplication.py",
        "return [name for name in names if name not in progress or progress[name] != CancelAllProgress()]",
        "return [name for name in names if name not in progress]",
        "tests/services/books/test_matcher.py::test_a_cancel_all_that_comes_again_closes_nothing_that_came_after_it",
    ),
    Guard(
        "a command at or below the watermark is looked up",
        "chalicelib/services/books/deduplication.py",
        "if at is None or at <= state.head.watermark:",
        "if at is None:",
        f"{SWEEP}[FOK kill-death after-new]",
    ),
    Guard(
        "a cancel that is decided is known by its order's row",
        "chalicelib/services/books/deduplication.py",
        "return row.cancel_refused or row.reason is CloseReason.USER_CANCELLED",
        "return False",
        f"{SWEEP}[cancel against fill-death after-new]",
    ),
    Guard(
        "an order has its turn before its cancel",
        "chalicelib/services/books/deduplication.py",
        "        return self._places_first(config, fresh, rows)",
        "        return list(fresh.values())",
        "tests/services/books/test_matcher.py::test_a_cancel_that_comes_without_its_order_finds_it_by_its_row",
    ),
    Guard(
        "the orders of a depth do not show what they hide",
        "chalicelib/services/books/depth.py",
        "order.remaining - order.hidden",
        "order.remaining",
        "tests/apis/trade/contract/test_order_types.py::test_o6_an_iceberg_shows_one_slice_in_depth_and_level_3",
    ),
    Guard(
        "an export goes on behind the last row of its page",
        "chalicelib/services/books/exports.py",
        "row_id < self.after",
        "row_id <= self.after",
        "tests/services/books/test_exports.py",
    ),
    Guard(
        "orders that no account can cover together are not tried",
        "chalicelib/services/books/funding.py",
        "hold is None or held[request.side] > AMOUNT_MAX",
        "hold is None",
        "tests/apis/book/contract/test_batches.py::test_t76_orders_that_together_hold_more_than_a_number_has_digits_are_refused_as_if_alone",
    ),
    Guard(
        "an order of a batch finds what the orders before it leave",
        "chalicelib/services/books/funding.py",
        "left[request.side] = available - hold",
        "left[request.side] = available",
        "tests/apis/book/contract/test_batches.py::test_t38_a_market_buy_has_what_the_orders_before_it_leave",
    ),
    Guard(
        "an earlier balance leaves out a movement that came in while balances were read",
        "chalicelib/services/books/history.py",
        "if again == before and",
        "if again and",
        "tests/services/books/test_history.py::test_a_movement_between_the_reads_does_not_shift_an_earlier_balance",
    ),
    Guard(
        "an earlier balance reads balances twice behind a movement of just now",
        "chalicelib/services/books/history.py",
        "(self._is_settled(rows, again) or rows ==",
        "(bool(self) or rows ==",
        "tests/services/books/test_history.py::"
        "test_a_movement_whose_rows_show_it_one_by_one_does_not_shift_an_earlier_balance",
    ),
    Guard(
        "an earlier balance leaves out a fill whose money has not moved",
        "chalicelib/services/books/history.py",
        "return fill.sequence <= self.marks.get(",
        "return fill.sequence >= self.marks.get(",
        "tests/services/books/test_history.py::test_a_fill_whose_money_is_to_move_does_not_count",
    ),
    Guard(
        "an earlier balance waits for the fills whose money has moved",
        "chalicelib/services/books/history.py",
        "if views[book].sequence < sequence}",
        "if views[book].sequence < 0}",
        "tests/services/books/test_history.py::test_a_trade_whose_money_moved_and_whose_fills_are_to_come_is_waited_for",
    ),
    Guard(
        "what the depth view has as not over is left out of the candles that are",
        "chalicelib/services/books/market_data.py",
        "*self._candles.between(book, Period.HOUR, whole_hours_ms, hour.start_ms),",
        "*self._candles.between(book, Period.HOUR, whole_hours_ms, hour.start_ms + 1),",
        "tests/apis/trade/test_tickers.py",
    ),
]
