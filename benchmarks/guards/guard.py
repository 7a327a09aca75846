"""One guard, and the tests that several of them name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard. ``code`` must occur exactly once in ``file``; ``without`` replaces it to remove the guard."""

    name: str
    file: str
    code: str
    without: str
    test: str


SWEEP = "tests/services/books/test_crashes.py::test_no_fault_at_any_call_does_what_a_redelivery_does_not_mend"
AMENDING = "tests/services/books/test_amending.py"
SEEDS = "tests/simulation/test_simulation.py::test_guarantees_hold_in_random_schedules"
