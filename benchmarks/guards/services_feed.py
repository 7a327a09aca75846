"""The guards of ``services/feed`` and ``services/push``."""

from __future__ import annotations

from benchmarks.guards.guard import Guard

GUARDS = [
    Guard(
        "a reader who asks while logs are looked at is served by the next look",
        "chalicelib/services/feed/looking.py",
        "                    self._next = None\n",
        "",
        "tests/services/feed/test_looking.py",
    ),
    Guard(
        "a look that readers share is consistent if one of them needs that",
        "chalicelib/services/feed/looking.py",
        "            look.consistently |= consistently\n",
        "",
        "tests/services/feed/test_looking.py",
    ),
    Guard(
        "a reader of the feed sees only events that it receives",
        "chalicelib/services/feed/reading.py",
        "return event.is_for(self.subjects) and",
        "return",
        "tests/services/feed/test_reading.py::test_a_subject_sees_its_own_events_and_no_others",
    ),
    Guard(
        "a cursor that names an entry which is not there is refused",
        "chalicelib/services/feed/reading.py",
        "if is_too_old or not fits:",
        "if is_too_old:",
        "tests/services/feed/test_reading.py::test_a_place_that_names_no_entry_is_gone",
    ),
    Guard(
        "a cursor that names another entry of that number is refused",
        "chalicelib/services/feed/reading.py",
        "(named is not None and log.stamp_of(named) == place.stamp)",
        "named is not None",
        "tests/services/feed/test_reading.py::test_a_cursor_of_earlier_tables_is_gone",
    ),
    Guard(
        "a cursor inside an entry goes on behind the events that were given",
        "chalicelib/services/feed/reading.py",
        "log.events_of(row)[place.part :]",
        "log.events_of(row)",
        "tests/services/feed/test_reading.py::test_the_cursor_behind_each_event_resumes_right_after_it",
    ),
    Guard(
        "a cursor stays in front of what an answer has no room for",
        "chalicelib/services/feed/reading.py",
        "[place, *places_taken][-1] if is_cut else log.behind(row)",
        "log.behind(row)",
        "tests/services/feed/test_reading.py::test_pages_of_any_size_give_each_event_once_and_each_log_in_order",
    ),
    Guard(
        "a beginning that has died is gone on with by the next beat",
        "chalicelib/services/push/beating.py",
        "if not before.due.by:",
        "if not before.name:",
        "tests/services/push/test_beating.py::test_a_beginning_that_dies_anywhere_is_finished_by_a_beat",
    ),
    Guard(
        "where messages follow from several logs, the intent is written before they are sent",
        "chalicelib/services/push/broadcasting.py",
        "if intent is not None or (step.messages and not one.has_one_source):",
        "if intent is not None or (step.messages and not one.instance):",
        "tests/services/push/test_broadcasting.py::"
        "test_an_intent_in_another_log_is_waited_for_and_carried_out_once_it_is_old",
    ),
    Guard(
        "a claim of a beat is not taken for another's of the same millisecond",
        "chalicelib/services/push/broadcasting.py",
        "return Due(now_ms + (BEAT_S - EARLY_S) * 1000, by)",
        "return Due(now_ms + (BEAT_S - EARLY_S) * 1000, by[:4])",
        "tests/services/push/test_beating.py::test_two_that_have_read_the_same_claim_one_beat",
    ),
    Guard(
        "of a batch, a subscription is told of the logs that it follows",
        "chalicelib/services/push/broadcasting.py",
        "for log, end in ends.items() if not keys[log].isdisjoint(one.topic.keys)",
        "for log, end in ends.items() if keys[log]",
        "tests/services/push/test_broadcasting.py::test_two_at_once_send_the_same_under_the_same_ids",
    ),
    Guard(
        "an account whose changes in an entry add up to nothing is told",
        "chalicelib/domain/books/feed.py",
        "for account in dict.fromkeys(account for account, change in moves if any(change)):",
        "for account in netted:",
        "tests/apis/trade/test_socket_customers.py::"
        "test_a_hold_that_ends_as_its_order_is_accepted_is_told_by_another_balance_message",
    ),
    Guard(
        "nothing is sent to a connection that may not be open yet",
        "chalicelib/services/push/broadcasting.py",
        "if one.has_begun]",
        "if one.instance]",
        "tests/services/push/test_beating.py::"
        "test_what_happens_until_a_connection_is_open_comes_behind_its_first_heartbeat",
    ),
    Guard(
        "the state of a book is sent again under an id that an intent keeps",
        "chalicelib/services/push/broadcasting.py",
        "if intent is not None or (step.messages and not one.has_one_source):",
        "if intent is not None or (step.messages and not one.has_one_source and not one.shows_state):",
        "tests/services/push/test_beating.py::test_a_state_that_was_sent_by_one_that_died_is_sent_again_under_its_id",
    ),
    Guard(
        "who finds another's intent waits until it is carried out or old",
        "chalicelib/services/push/broadcasting.py",
        "if now_ms < intent.at_ms + INTENT_LIFE_MS:",
        "if now_ms < intent.at_ms:",
        "tests/services/push/test_broadcasting.py::test_while_one_sends_what_follows_from_several_logs_another_waits",
    ),
    Guard(
        "an intent is not taken for another's of the same millisecond",
        "chalicelib/services/push/broadcasting.py",
        "step.claim = Intent(tuple(step.ends.items()), now_ms, self._new_name())",
        "step.claim = Intent(tuple(step.ends.items()), now_ms, self._new_name()[:4])",
        "tests/services/push/test_broadcasting.py::test_of_two_that_have_read_the_same_one_sends",
    ),
    Guard(
        "who is cut off between the messages of one entry gets all of them again",
        "chalicelib/services/push/broadcasting.py",
        "if not body.goes_on:",
        "if True:",
        "tests/apis/trade/test_socket_market.py::"
        "test_an_entry_that_changes_more_levels_than_a_message_has_room_for_comes_in_several",
    ),
    Guard(
        "a client that cannot be sent to is cut off, so that it delays no other",
        "chalicelib/services/push/sending.py",
        "except (failures.LimitExceededException, failures.PayloadTooLargeException) as error:",
        "except failures.PayloadTooLargeException as error:",
        "tests/services/push/test_sending.py::test_who_cannot_be_sent_to_is_cut_off",
    ),
    Guard(
        "who is told what it missed is told by one",
        "chalicelib/services/push/sessions.py",
        "held = replace(one, intent=Intent((), self._clock_ms(), self._new_name()))",
        "held = one",
        "tests/apis/trade/test_socket_resuming.py::test_who_resumes_while_others_are_told_is_told_once",
    ),
    Guard(
        "what was sent to who is far behind is kept step by step",
        "chalicelib/services/push/broadcasting.py",
        "passed = min(end - place, left)",
        "passed = end - place",
        "tests/services/push/test_broadcasting.py::test_what_was_sent_to_who_is_far_behind_is_kept_step_by_step",
    ),
    Guard(
        "a connection whose handshake may go on is not taken for one that has ended",
        "chalicelib/services/push/sessions.py",
        "if expires_s < let_in_until_s and not self.sender.is_open(connection_id):",
        "if not self.sender.is_open(connection_id):",
        "tests/apis/trade/test_socket.py::test_connections_that_have_ended_without_a_word_are_not_counted",
    ),
    Guard(
        "a subscription resumes only from a cursor of these tables",
        "chalicelib/services/push/sessions.py",
        "begun = self._feed.resumed(scope, resume)",
        "begun = resume",
        "tests/apis/trade/test_socket_resuming.py::test_a_cursor_of_another_journal_is_refused",
    ),
    Guard(
        "a depth that is too far behind is read anew",
        "chalicelib/services/push/states.py",
        "if depth is None or sequence > depth.sequence + ENTRIES_MAX:",
        "if depth is None:",
        "tests/services/push/test_states.py::test_t159_a_depth_that_is_too_far_behind_is_read_anew",
    ),
    Guard(
        "a delivery that cannot be read keeps no other waiting",
        "chalicelib/services/webhooks/delivering.py",
        "        except UnreadableRow:",
        "        except ZeroDivisionError:",
        "tests/services/webhooks/test_delivering.py::test_t158_a_delivery_that_cannot_be_read_keeps_no_other_waiting",
    ),
    Guard(
        "what a client that has left missed is not gone through",
        "chalicelib/services/push/sessions.py",
        "            if now is None:\n                return\n",
        "            if now is None:\n                continue\n",
        "tests/services/push/test_beating.py::test_t160_what_a_client_that_has_left_missed_is_not_gone_through",
    ),
    Guard(
        "an endpoint that cannot be read keeps no other from its events",
        "chalicelib/tables/webhooks.py",
        "            except UnreadableRow:",
        "            except ZeroDivisionError:",
        "tests/services/webhooks/test_delivering.py::test_t158_an_endpoint_that_cannot_be_read_keeps_no_other_from_its_events",
    ),
]
