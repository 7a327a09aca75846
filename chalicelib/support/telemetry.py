"""Telemetry of the functions: JSON log lines and CloudWatch metrics (docs/watching.md).

One run of a function is an ``invocation``. While it is open, each log line carries the members set by
``add_log_members``, with the request's credentials masked, and measurements are collected. When it ends, the metrics
are written to standard output in CloudWatch's embedded metric format, one line for each set of dimensions. Outside an
invocation (the command line, a thread of the local run) nothing is measured. State is kept by context, so concurrent
requests in threads of one process do not mix.

``TALLYBOOK_STAGE`` is the metric dimension ``stage`` (default ``local``). ``POWERTOOLS_LOG_LEVEL`` is the log level
(default INFO). ``POWERTOOLS_METRICS_DISABLED=true`` switches the metrics off.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.logging.formatter import clear_context_keys, set_context_keys

from chalicelib.support.canonical import compact
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.redaction import masked, secrets_of, shortened

SERVICE = "tallybook"
NAMESPACE = "Tallybook"
VALUES_MAX = 100
"""CloudWatch's limit of values of one metric in one line."""


class LoggedRequest(Protocol):
    """The parts of a request that telemetry reads: its id, and where its credentials are."""

    @property
    def request_id(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...

    @property
    def path(self) -> str: ...


class Metric(StrEnum):
    """Names of the metrics. Counts are summed over an invocation; every value of the others is kept."""

    ORDERS_ADMITTED = "OrdersAdmitted"
    ORDERS_REFUSED = "OrdersRefused"
    ORDERS_MATCHED = "OrdersMatched"
    MATCH_LATENCY = "MatchLatency"
    ENTRIES = "Entries"
    BATCH_SIZE = "BatchSize"
    REDELIVERIES = "Redeliveries"
    FENCING_LOSSES = "FencingLosses"
    FINISHED_FOR_OTHERS = "FinishedForOthers"
    UNFINISHED = "Unfinished"
    PASSED_OVER = "PassedOver"
    BOOKS_PARKED = "BooksParked"
    ERRORS_LOGGED = "ErrorsLogged"
    RATE_LIMIT_UNAVAILABLE = "RateLimitUnavailable"
    SWEEPS_STUCK = "SweepsStuck"

    @property
    def unit(self) -> str:
        return "Milliseconds" if self is Metric.MATCH_LATENCY else "Count"

    @property
    def is_count(self) -> bool:
        return self not in (Metric.MATCH_LATENCY, Metric.BATCH_SIZE)


Dimensions = tuple[tuple[str, str], ...]
DIMENSIONS: dict[Metric, tuple[str, ...]] = {
    Metric.ORDERS_ADMITTED: ("stage", "desk"),
    Metric.ORDERS_REFUSED: ("stage", "desk", "code"),
    Metric.RATE_LIMIT_UNAVAILABLE: ("stage",),
}
"""Dimensions of other metrics. None is by instance, book or customer: each value of a dimension costs money."""
BY_FUNCTION = ("stage", "function")


@dataclass(slots=True)
class _Invocation:
    """function: its name in app.py. measured: values by dimensions and metric."""

    function: str
    request: LoggedRequest | None
    measured: dict[Dimensions, dict[Metric, list[float]]] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)

    def add(self, metric: Metric, values: list[float], **dimensions: str) -> None:
        known = {"stage": os.environ.get("TALLYBOOK_STAGE", "local"), "function": self.function} | dimensions
        chosen = tuple((name, known[name]) for name in DIMENSIONS.get(metric, BY_FUNCTION))
        gathered = self.measured.setdefault(chosen, {}).setdefault(metric, [])
        gathered += values
        if metric.is_count:
            gathered[:] = [sum(gathered)]


_invocation: ContextVar[_Invocation | None] = ContextVar("invocation", default=None)


def _written(line: dict[str, Any]) -> str:
    """Return a log line as JSON, with the credentials of the current request masked."""
    current = _invocation.get()
    request = None if current is None else current.request
    return compact(masked(line, [] if request is None else secrets_of(request.headers, request.body, request.path)))


logger = Logger(service=SERVICE, json_serializer=_written, serialize_stacktrace=False, utc=True, use_rfc3339=True)
"""The logger of all code that runs in a function."""


def _count_error(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.ERROR:
        measure(Metric.ERRORS_LOGGED, 1)
    return True


logging.getLogger(SERVICE).addFilter(_count_error)


@contextmanager
def invocation(function: str, context: object, request: LoggedRequest | None = None) -> Iterator[None]:
    """Observe one run of a function: log lines inside belong to it, and its metrics are written at its end.

    context: Lambda's context object. request: the request being served, whose credentials are masked.
    """
    token = _invocation.set(_Invocation(function, request))
    add_log_members(function=function, function_request_id=getattr(context, "aws_request_id", None))
    if request is not None:
        add_log_members(request_id=request.request_id)
    try:
        yield
    finally:
        _write_metrics()
        _invocation.reset(token)
        clear_context_keys()


def add_log_members(**members: str | None) -> None:
    """Add members to all further log lines of this invocation; None removes one."""
    current = _invocation.get()
    if current is not None:
        set_context_keys(**members)  # type: ignore[arg-type]  # any value is meant
        current.members |= members


def measure(metric: Metric, *values: float, **dimensions: str) -> None:
    """Add values to a metric of this invocation. dimensions: those beyond the invocation's own."""
    current = _invocation.get()
    if current is not None and values:
        current.add(metric, list(values), **dimensions)


def order_admitted(desk: str) -> None:
    measure(Metric.ORDERS_ADMITTED, 1, desk=desk)


def order_refused(desk: str, code: str) -> None:
    """Count an order that a desk refused. code: the desk's own error code."""
    measure(Metric.ORDERS_REFUSED, 1, desk=desk, code=code)


def request_uncounted(instance: str, key_id: str, error: Exception) -> None:
    """Log that a request is served without being counted, because its rate limit could not be reached."""
    measure(Metric.RATE_LIMIT_UNAVAILABLE, 1)
    logger.warning("served uncounted", instance=instance, key_id=shortened(key_id), reason=str(error))


def _write_metrics() -> None:
    """Write the metrics of this invocation. Fields beside the metrics are searchable in the log."""
    current = _invocation.get()
    if current is None:
        raise Inconsistent("metrics are those of an invocation")
    if not current.measured:
        return
    from aws_lambda_powertools.metrics.functions import is_metrics_disabled
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    if is_metrics_disabled():
        return
    members = {name: value for name, value in current.members.items() if value is not None}
    for dimensions, values_of in current.measured.items():
        provider = AmazonCloudWatchEMFProvider(namespace=NAMESPACE)
        for first in range(0, max(map(len, values_of.values())), VALUES_MAX):
            pieces = {metric: values[first : first + VALUES_MAX] for metric, values in values_of.items()}
            metrics = {
                metric.value: {"Unit": metric.unit, "StorageResolution": 60, "Value": values}
                for metric, values in pieces.items()
                if values
            }
            print(compact(dict(provider.serialize_metric_set(metrics, dict(dimensions), members))))
