"""Differences of the embedded cloud from AWS: how to detect it, its API's URL, the resources it does not support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ALARM = "AWS::CloudWatch::Alarm"


AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def embedded_url(endpoint_url: str) -> str | None:
    """Return the endpoint URL if it is the embedded cloud's; None if it is AWS."""
    host = urlsplit(endpoint_url).hostname or ""
    return None if host.endswith(AWS_HOSTS) else endpoint_url.rstrip("/")


def api_url(outputs: Mapping[str, str], embedded: str | None) -> str:
    """Return the URL of a deployed API, of either front door, without a trailing slash.

    The embedded cloud serves every API at its own address, because the host names of its APIs do not resolve.
    """
    is_rest = "EndpointURL" in outputs
    url = outputs["EndpointURL" if is_rest else "HttpEndpointURL"].rstrip("/")
    if embedded is None:
        return url
    return f"{embedded}/_aws/execute-api/{outputs['RestAPIId' if is_rest else 'HttpApiId']}{urlsplit(url).path}"


def without_unsupported(template: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the template without the resources that the embedded cloud rejects, and the logical ids of those.

    These are the alarms on several metrics (metric math).
    """
    resources: dict[str, dict[str, Any]] = template["Resources"]
    left_out = [name for name, one in resources.items() if one["Type"] == ALARM and "Metrics" in one["Properties"]]
    kept = {name: one for name, one in resources.items() if name not in left_out}
    return template | {"Resources": kept}, left_out
