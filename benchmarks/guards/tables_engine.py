"""The guards of the ``tables`` that say how all of them read and write."""

from __future__ import annotations

from benchmarks.guards.guard import Guard

GUARDS = [
    Guard(
        "a transaction that was refused after such an attempt is looked up",
        "chalicelib/tables/dynamodb.py",
        "(attempts.may_be_done and self._is_done(attempts, is_done))",
        "(attempts.may_be_done and attempts.meaning is not Meaning.REFUSED and self._is_done(attempts, is_done))",
        "tests/services/lost_answers/test_commands.py::test_a_movement_is_done_once",
    ),
    Guard(
        "all attempts at a transaction have one request token",
        "chalicelib/tables/dynamodb.py",
        "operation = partial(self._client.transact_write_items, TransactItems=items, ClientRequestToken=str(uuid4()))",
        "operation = partial(self._client.transact_write_items, TransactItems=items)",
        "tests/services/lost_answers/test_database.py::test_a_transaction_that_is_tried_again_is_done_once",
    ),
    Guard(
        "a write that its own first attempt has refused is known by its row",
        "chalicelib/tables/dynamodb.py",
        "is_done = is_own(row) if attempts.may_be_done else False",
        "is_done = False",
        "tests/services/lost_answers/test_database.py::test_a_write_that_its_own_first_attempt_has_refused_is_known_by_its_row",
    ),
    Guard(
        "a statement that a call does not say is done is written singly",
        "chalicelib/tables/dynamodb.py",
        '            if "Error" in response:',
        '            if not response.get("Error", 1):',
        "tests/services/books/test_crashes.py::test_any_part_of_a_call_of_statements_may_be_done",
    ),
    Guard(
        "an answer with fewer parts than statements is a lost one",
        "chalicelib/tables/dynamodb.py",
        "if len(responses) != len(batch):",
        "if answer is None:",
        "tests/tables/test_write_each.py::test_whatever_becomes_of_a_call_each_account_is_settled_once",
    ),
    Guard(
        "a statement that may be done is remembered when it is written singly",
        "chalicelib/tables/dynamodb.py",
        "undone[index] = attempts.may_be_done or is_lost",
        "undone[index] = False",
        "tests/tables/test_write_each.py::test_a_write_that_is_throttled_after_a_lost_answer_is_unknown",
    ),
    Guard(
        "no row that was read ahead is handed out after a write",
        "chalicelib/tables/dynamodb.py",
        "self._ahead.drop()",
        "pass",
        "tests/tables/test_read_ahead.py::test_after_a_write_every_row_is_read_again",
    ),
    Guard(
        "parallel writes have ended before anything else is written",
        "chalicelib/tables/parallel.py",
        "for future in pending]",
        "for future in pending if future.done()]",
        "tests/tables/test_parallel.py",
    ),
    Guard(
        "a row that is read ahead is handed out once for each time it was expected",
        "chalicelib/tables/read_ahead.py",
        "self._expected[row] -= 1",
        "pass",
        "tests/apis/book/test_trips.py::test_an_answer_that_another_process_finishes_is_seen",
    ),
    Guard(
        "an instance is changed only from what was read of it",
        "chalicelib/tables/settings_rows.py",
        '"attribute_not_exists(#version)", "#version = :version"',
        '"attribute_not_exists(#version)", "#version = :version OR attribute_exists(#version)"',
        "tests/tables/test_tenants.py::test_a_revocation_is_not_lost_to_another_change_at_the_same_moment",
    ),
    Guard(
        "desk settings are changed only from what was read of them",
        "chalicelib/tables/settings_rows.py",
        '"attribute_not_exists(#version)", "#version = :version"',
        '"attribute_not_exists(#version) OR attribute_exists(#version)", '
        '"#version = :version OR attribute_exists(#version)"',
        "tests/tables/test_taker_desk.py::test_of_two_changes_at_once_none_is_lost",
    ),
    Guard(
        "a statement is at least as strict as its write",
        "chalicelib/tables/statements.py",
        '_REVERSED = {"<": ">=", "<=": ">"}',
        '_REVERSED = {"<": ">", "<=": ">"}',
        "tests/tables/test_write_each.py::test_whatever_becomes_of_a_call_each_account_is_settled_once",
    ),
    Guard(
        "a reference is taken once",
        "chalicelib/tables/transactions.py",
        'name_is_free = "attribute_not_exists(#entry)"',
        'name_is_free = "attribute_not_exists(#entry) OR attribute_exists(#entry)"',
        "tests/services/books/test_races.py::test_one_reference_credited_twenty_times_at_once_moves_money_once",
    ),
    Guard(
        "a pool of threads never waits for itself",
        "chalicelib/tables/parallel.py",
        ' or hasattr(self._own, "is_at_work"):',
        ":",
        "tests/tables/test_parallel.py::test_r81_calls_within_calls_take_no_other_thread_so_a_full_pool_never_waits_for_itself",
    ),
]
