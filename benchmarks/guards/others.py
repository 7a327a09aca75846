"""The guards of ``infra``, ``ops`` and ``support``."""

from __future__ import annotations

from benchmarks.guards.guard import Guard

GUARDS = [
    Guard(
        "an instance's orders are signed in a domain of its own",
        "chalicelib/ops/cli/tenants.py",
        "tenants().create_instance(ref, services, beside)",
        "tenants().create_instance(ref, services)",
        "tests/ops/cli/test_tenants.py::test_the_public_instance_alone_shares_the_vendors_domain",
    ),
    Guard(
        "what waits for longer than a day disproves its book",
        "chalicelib/ops/verify/verifier.py",
        "_demand([check.first(), check.overdue(self._clock(), cancels)])",
        "_demand([check.first()])",
        "tests/ops/verify/test_undecided.py::test_an_order_that_waits_for_a_day_disproves_its_book",
    ),
    Guard(
        "the token of a page is masked in logs",
        "chalicelib/support/telemetry.py",
        "secrets_of(request.headers, request.body, request.path)",
        "secrets_of(request.headers, request.body)",
        "tests/apis/escrow/contract/test_pages.py",
    ),
    Guard(
        "a run has saved when its last save is in the file (the local run)",
        "infra/engine.py",
        "if saved is not None and of_this_run and saved.final and exit_code == 0:",
        "if exit_code == 0:",
        "tests/infra/test_engine.py::test_a_run_has_saved_when_its_last_save_is_in_the_file_whatever_the_engine_says",
    ),
    Guard(
        "a state that was not read is not written over (the local run)",
        "infra/exact_engine.py",
        "            return NOT_LOADED",
        "            pass",
        "tests/infra/test_engine.py::test_a_state_that_cannot_be_read_ends_the_engine_and_stays_as_it_is",
    ),
    Guard(
        "stream numbers go on above all earlier ones (the local run)",
        "infra/exact_engine.py",
        "max(self._last_sequence + 1, int(number))",
        "int(number)",
        "tests/infra/test_engine.py::test_stream_numbers_go_on_above_all_earlier_ones_whatever_the_clock_says",
    ),
    Guard(
        "a request with a length has no transfer coding (the local run)",
        "infra/http_reading.py",
        "if is_chunked and length is not None:",
        "if is_chunked and length is None and False:",
        "tests/infra/test_serve.py::test_a_length_beside_chunks_is_refused_even_where_the_chunks_are_whole",
    ),
    Guard(
        "a request says its length once (the local run)",
        "infra/http_reading.py",
        'if len(lengths) > 1 or any(b"," in length for length in lengths):',
        "if len(lengths) < 0:",
        "tests/infra/test_serve.py::test_a_request_with_an_ambiguous_end_is_refused_and_nothing_after_it_is_read",
    ),
    Guard(
        "a body says its length (the local run)",
        "infra/http_reading.py",
        "if following and not _BEGIN_OF_REQUEST.match(following):",
        "if following is None:",
        "tests/infra/test_serve.py::test_a_body_that_is_not_announced_is_refused_before_anything_is_carried_out",
    ),
    Guard(
        "a saved state is read when it is as it was saved (the local run)",
        "infra/state_file.py",
        "    if end != _end_of(body):",
        "    if not end:",
        "tests/infra/test_state_file.py::test_a_file_with_one_byte_changed_is_refused",
    ),
    Guard(
        "an agent that may only read has no tool that writes",
        "chalicelib/ops/agents/operations.py",
        "if with_writes or not tool.is_write",
        "if True",
        "tests/ops/agents/test_calling.py::test_without_writes_a_writing_tool_is_none",
    ),
    Guard(
        "an agent's argument stays within its part of the path",
        "client/tallybook_client/transport.py",
        'quote(text, safe="")',
        "text",
        "tests/ops/agents/test_calling.py::test_an_argument_stays_within_its_part_of_the_path",
    ),
    Guard(
        "a name of dots stays within its part of the path",
        "client/tallybook_client/transport.py",
        'text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")',
        'quote(text, safe="")',
        "tests/client/test_transport.py::test_a_name_of_dots_stays_within_its_part_of_the_path",
    ),
    Guard(
        "the client takes an order for its own doing only after a lost answer",
        "client/tallybook_client/transport.py",
        "error.attempts, error.follows_a_lost_one = attempt, may_be_done",
        "error.attempts, error.follows_a_lost_one = attempt, attempt > 1",
        "tests/client/test_trade.py",
    ),
    Guard(
        "an agent's cut page has no cursor behind what is left out",
        "chalicelib/ops/agents/calling.py",
        "if member not in CURSORS",
        "if True",
        "tests/ops/agents/test_calling.py::test_a_result_is_bounded_and_says_that_it_is_cut",
    ),
    Guard(
        "the client sends a write without a key again only where nothing was done",
        "client/tallybook_client/transport.py",
        "return request.repeat is Repeat.ALWAYS or not _may_be_done(failure)",
        "return True",
        "tests/client/test_transport.py",
    ),
    Guard(
        "the client says that an outcome is unknown until an attempt tells of it",
        "client/tallybook_client/transport.py",
        "may_be_done = may_be_done or _may_be_done(failure)",
        "may_be_done = _may_be_done(failure)",
        "tests/client/test_transport.py",
    ),
    Guard(
        "the cursor of the client's feed stays in front of what is not handled",
        "client/tallybook_client/feed.py",
        "self._behind_left = page.cursor",
        "self._behind_left = self.cursor = page.cursor",
        "tests/client/test_feed.py",
    ),
    Guard(
        "the key of a local run goes to no other address (the command line)",
        "chalicelib/ops/cli/api_access.py",
        'if demo and url == demo["base_url"] else None',
        "if demo else None",
        "tests/ops/cli/test_api_access.py::test_the_key_of_a_local_run_goes_to_no_other_address",
    ),
    Guard(
        "load goes to no address that is not given in so many words",
        "chalicelib/ops/cli/load.py",
        'url: Annotated[str, read_by(address_of, "of the API: always in so many words, '
        'never from a file or variable")]',
        'url: Annotated[str, Parameter(env_var="TALLYBOOK_URL")]',
        "tests/ops/cli/test_api_access.py::test_load_takes_no_address_from_a_variable",
    ),
]
