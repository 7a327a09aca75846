"""How metrics and log lines are written: an invocation at a time, in lines that CloudWatch takes."""

from __future__ import annotations

import threading

import pytest

from chalicelib.support.telemetry import Metric, add_log_members, invocation, logger, measure
from tests.watched import directives, names_of, watched, written
from tests.world import INSTANCE


def test_more_values_than_a_line_may_have_are_written_in_many() -> None:
    with watched() as seen:
        measure(Metric.MATCH_LATENCY, *range(250))
        measure(Metric.ENTRIES, 3)
        measure(Metric.ENTRIES, 4)
    assert [len(line["MatchLatency"]) for line in seen.emf] == [100, 100, 50]
    assert seen.values(Metric.MATCH_LATENCY) == list(range(250))
    assert seen.values(Metric.ENTRIES) == [7]
    assert [names_of(directives(line)[0]) for line in seen.emf[1:]] == [{"MatchLatency"}] * 2


def test_nothing_is_measured_outside_of_an_invocation_or_when_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with written() as outside:
        measure(Metric.ENTRIES, 1)
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    with watched() as switched_off:
        measure(Metric.ENTRIES, 1)
    assert (outside.text, switched_off.text) == ("", "")


def test_what_is_measured_before_a_function_fails_is_written() -> None:
    def failing() -> None:
        with invocation("match_inbox", None):
            measure(Metric.ENTRIES, 1)
            raise ZeroDivisionError

    with written() as seen, pytest.raises(ZeroDivisionError):
        failing()
    assert seen.values(Metric.ENTRIES) == [1]


def test_parallel_threads_see_only_their_own_invocation() -> None:
    both = threading.Barrier(2)

    def serve(desk: str) -> None:
        with invocation("api_handler", None):
            add_log_members(desk=desk)
            both.wait(10)
            logger.info("served")
            measure(Metric.ORDERS_ADMITTED, 1, desk=desk)
            both.wait(10)

    with written() as seen:
        threads = [threading.Thread(target=serve, args=(desk,)) for desk in ("book", "trade")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(line["desk"] for line in seen.log) == ["book", "trade"]
    assert [seen.values(Metric.ORDERS_ADMITTED, desk=desk) for desk in ("book", "trade")] == [[1], [1]]


def test_members_end_with_their_invocation() -> None:
    add_log_members(instance="of nobody")
    with watched() as seen:
        add_log_members(instance=INSTANCE, book=None)
        logger.error("inside")
    add_log_members(instance="of nobody")
    with watched() as later:
        logger.info("outside")
    assert seen.log[0]["instance"] == INSTANCE
    assert "book" not in seen.log[0]
    assert seen.values(Metric.ERRORS_LOGGED, function="match_inbox") == [1]
    assert "instance" not in later.log[0]
    assert later.emf == []
