"""The metric that tells when requests are served uncounted, because their counter is out of reach."""

from __future__ import annotations

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit

METRICS_NAMESPACE = "Tallybook"


def report_uncounted(instance: str, key_id: str, error: Exception) -> None:
    """Write the metric RateLimitUnavailable to the log, whence CloudWatch takes it, with whose key it was and why."""
    service = {"service": "tallybook-api"}
    with single_metric(
        "RateLimitUnavailable", MetricUnit.Count, 1, namespace=METRICS_NAMESPACE, default_dimensions=service
    ) as metric:
        metric.add_metadata("instance", instance)
        metric.add_metadata("key_id", key_id)
        metric.add_metadata("reason", str(error))
