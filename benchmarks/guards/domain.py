"""The guards of ``domain`` without its books."""

from __future__ import annotations

from benchmarks.guards.guard import Guard

GUARDS = [
    Guard(
        "an external payin is confirmed with the order's value, and no other",
        "chalicelib/domain/escrow/checks.py",
        "if outcome.amount != payin.amount:",
        "if False:",
        "tests/apis/escrow/contract/test_external_payins.py",
    ),
    Guard(
        "a callback decides payins of its own type alone",
        "chalicelib/domain/escrow/checks.py",
        "if not payin.is_external or payin.type != outcome.type:",
        "if False:",
        "tests/apis/escrow/contract/test_external_payins.py",
    ),
    Guard(
        "a payout to a bank is confirmed with the amount that the seller gets, and no other",
        "chalicelib/domain/escrow/checks.py",
        "return {} if amount == order.payout_amount else",
        "return {} if amount else",
        "tests/apis/escrow/contract/test_payouts.py",
    ),
    Guard(
        "the sandbox has assets of its own",
        "chalicelib/domain/escrow/settings.py",
        "        if world is World.PRODUCTION:\n            return self.currencies\n",
        "        if world in World:\n            return self.currencies\n",
        "tests/apis/escrow/contract/test_money.py",
    ),
    Guard(
        "what a bank may have is not given back",
        "chalicelib/domain/escrow/steps.py",
        "if order.is_at_the_bank:",
        "if False:",
        "tests/apis/escrow/contract/test_payouts.py",
    ),
    Guard(
        "no sweep releases what a bank pays",
        "chalicelib/domain/escrow/steps.py",
        "None if order.is_paid_outside else at_s + release_delay_s",
        "at_s + release_delay_s",
        "tests/apis/escrow/contract/test_payouts.py",
    ),
    Guard(
        "an event id does not recur in tables that are made anew or restored",
        "chalicelib/domain/feed/event.py",
        "[:8]}{self.stamp}_",
        "[:8]}_",
        "tests/services/feed/test_reading.py::test_a_cursor_of_earlier_tables_is_gone",
    ),
    Guard(
        "an amendment sets aside what its new quantity costs, however much fills before its turn",
        "chalicelib/domain/ledger/holds.py",
        "return max(0, whole, worth_rounded_up(new_price, more, base_decimals)) + 1",
        "return max(0, whole) + 1",
        "tests/domain/books/test_amending.py",
    ),
    Guard(
        "an amendment sets one unit more aside, because fills give back what is rounded down",
        "chalicelib/domain/ledger/holds.py",
        "return max(0, whole, worth_rounded_up(new_price, more, base_decimals)) + 1",
        "return max(0, whole, worth_rounded_up(new_price, more, base_decimals))",
        "tests/domain/books/test_amending.py",
    ),
    Guard(
        "of a signature and its mirror only one is good",
        "chalicelib/domain/signed/eip712.py",
        "if found is None or not 1 <= int(found[2], 16) <= _CURVE_ORDER // 2:",
        "if found is None:",
        "tests/apis/taker/contract/test_what_a_signature_binds_to.py::test_k38_the_other_half_of_the_curve_signs_nothing",
    ),
    Guard(
        "a fill of a signed order is paid with something",
        "chalicelib/domain/signed/filling.py",
        "elif not worth(order.price, request.quantity, stored.stock_decimals):",
        "elif False:",
        "tests/apis/taker/contract/test_shares_and_decimals.py::test_k36_a_fill_that_is_worth_nothing_is_refused",
    ),
    Guard(
        "a key belongs to one instance",
        "chalicelib/domain/tenancy/instances.py",
        "if hmac.compare_digest(str(key.digest), digest):",
        "if True:",
        "tests/apis/book/contract/test_keys_and_rates.py",
    ),
    Guard(
        "requests that were not written before the bucket was full take nothing from it",
        "chalicelib/domain/tenancy/rate_limit.py",
        "return self if is_fresh else replace(self, in_bucket=0)",
        "return self",
        "tests/tables/test_requests_counted_in_memory.py::test_unwritten_requests_from_before_the_bucket_was_full_take_nothing_from_it",
    ),
    Guard(
        "a merchant's endpoint gets what its world receives",
        "chalicelib/domain/webhooks/endpoint.py",
        "and (self.owner.subject is None or self.owner.subject in event.receivers)",
        "and (self.owner.subject is None or bool(event.receivers))",
        "tests/domain/webhooks/test_rules.py::test_a_merchants_endpoint_gets_what_its_world_receives_and_nothing_else",
    ),
    Guard(
        "a callback counts if it is signed with the secret of its payin type",
        "chalicelib/domain/webhooks/signing.py",
        "hmac.compare_digest(Webhook(secret).sign(name, at, text).encode(), one.encode())",
        "one",
        "tests/apis/escrow/contract/test_external_payins.py",
    ),
    Guard(
        "a callback that is signed counts for five minutes",
        "chalicelib/domain/webhooks/signing.py",
        "or abs(now_s - int(sent)) > TOLERANCE_S",
        "or now_s < 0",
        "tests/apis/escrow/contract/test_external_payins.py",
    ),
]
